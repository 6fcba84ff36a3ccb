//! True sentences about a scene, of a small grammar.
//!
//! ```text
//! one object    [there is] a SIZE COLOUR SHAPE [PLACE] | PLACE there is a SIZE COLOUR SHAPE
//! two objects   a COLOUR SHAPE RELATION a COLOUR SHAPE | a COLOUR SHAPE and a COLOUR SHAPE
//! three         a COLOUR SHAPE, a COLOUR SHAPE and a COLOUR SHAPE
//! more          NUMBER shapes, among them a COLOUR SHAPE and a COLOUR SHAPE
//! ```

use super::{CLEAR, Object, Scene, Size};
use crate::data::random::SplitMix64;

/// Every sentence of the grammar that is true of the scene, in a fixed order. They are in lower
/// case, and a comma is the only punctuation.
pub fn captions(scene: &Scene) -> Vec<String> {
    match &scene.objects[..] {
        [] => vec!["an empty image".into()],
        [one] => alone(one),
        [one, other] => {
            let mut all = Vec::new();
            for (a, b) in [(one, other), (other, one)] {
                let relations = relations(a, b).into_iter();
                all.extend(relations.map(|how| format!("{} {how} {}", named(a), named(b))));
                all.push(format!("{} and {}", named(a), named(b)));
            }
            all
        }
        [a, b, c] => [[a, b, c], [a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]]
            .map(|[a, b, c]| format!("{}, {} and {}", named(a), named(b), named(c)))
            .into(),
        many => {
            let mut all = Vec::new();
            for (place, a) in many.iter().enumerate() {
                for b in many.iter().skip(place + 1) {
                    let count = number(many.len());
                    let (a, b) = (named(a), named(b));
                    all.push(format!("{count} shapes, among them {a} and {b}"));
                }
            }
            all
        }
    }
}

/// Up to `count` different sentences of [`captions`], drawn by lot.
pub fn references(scene: &Scene, count: usize, random: &mut SplitMix64) -> Vec<String> {
    let mut all = captions(scene);
    random.shuffle(&mut all);
    all.truncate(count);
    all
}

fn alone(object: &Object) -> Vec<String> {
    let size = match object.extent() {
        Size::Small => "small",
        Size::Large => "large",
    };
    let object_ = format!("a {size} {} {}", object.colour.name(), object.shape.name());
    let place = place(object);
    vec![
        object_.clone(),
        format!("there is {object_}"),
        format!("{object_} {place}"),
        format!("there is {object_} {place}"),
        format!("{place} there is {object_}"),
    ]
}

/// `a red circle`, `an orange star`.
fn named(object: &Object) -> String {
    let colour = object.colour.name();
    let article = if colour.starts_with('o') { "an" } else { "a" };
    format!("{article} {colour} {}", object.shape.name())
}

/// Every relation of the first to the second that is clear.
fn relations(a: &Object, b: &Object) -> Vec<&'static str> {
    let (x, y) = (a.x - b.x, a.y - b.y);
    let clear = [
        (x <= -CLEAR, "left of"),
        (x >= CLEAR, "right of"),
        (y <= -CLEAR, "above"),
        (y >= CLEAR, "below"),
    ];
    clear.into_iter().filter(|(holds, _)| *holds).map(|(_, how)| how).collect()
}

/// In which third of the image's width and height.
fn place(object: &Object) -> &'static str {
    let third = |at: f32| usize::from(at > 0.35) + usize::from(at > 0.65);
    const PLACES: [[&str; 3]; 3] = [
        ["at the top left", "at the top", "at the top right"],
        ["on the left", "in the middle", "on the right"],
        ["at the bottom left", "at the bottom", "at the bottom right"],
    ];
    PLACES[third(object.y)][third(object.x)]
}

/// A small number in words.
fn number(count: usize) -> String {
    const WORDS: [&str; 10] =
        ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    WORDS.get(count).map_or_else(|| count.to_string(), |word| (*word).into())
}
