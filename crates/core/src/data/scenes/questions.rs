//! Questions about a scene, with answers that a glance decides and a guess does not.
//!
//! The answer is drawn by lot before the question, among those that this kind of question can
//! have on this scene, so that no answer is much more frequent than another.

use std::collections::BTreeMap;

use super::{CLEAR, Colour, Object, Scene, Shape};
use crate::data::random::SplitMix64;

/// The kinds of questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// Is there a red circle? Yes or no, as often.
    Exists,
    /// What colour is the circle? There is exactly one.
    Colour,
    /// What shape is red? Exactly one is.
    Shape,
    /// How many circles, or red shapes, are there? 0 to 3.
    Count,
    /// Is the red circle left of the blue square? Yes or no, as often; both are there, and one
    /// is clearly left or right of the other.
    Relation,
}

impl Asked {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Exists, Self::Colour, Self::Shape, Self::Count, Self::Relation];

    /// One word, for tables of accuracies.
    pub fn name(self) -> &'static str {
        ["exists", "colour", "shape", "count", "relation"][self as usize]
    }
}

/// A question and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What it asks for.
    pub kind: Asked,
    /// In lower case, with its question mark.
    pub text: String,
    /// One word: `yes`, `no`, a colour, a shape or a number in digits.
    pub answer: String,
}

/// A question of one kind about the scene; none where the scene has no clear answer to any.
pub fn ask(scene: &Scene, kind: Asked, random: &mut SplitMix64) -> Option<Question> {
    // Answers with the things they can be asked of; sorted, so that lots mean the same each time.
    let mut things: BTreeMap<String, Vec<Thing>> = BTreeMap::new();
    for (answer, thing) in askable(scene, kind) {
        things.entry(answer).or_default().push(thing);
    }
    // Scenes with two or three alike are rarer than such with one, and are asked for more often.
    let weight = |answer: &str| match answer {
        "2" if kind == Asked::Count => 2,
        "3" if kind == Asked::Count => 12,
        _ => 1,
    };
    let total = things.keys().map(|answer| weight(answer)).sum();
    let mut lot = random.below(total);
    let (answer, of) = things.into_iter().find(|(answer, _)| {
        let here = lot < weight(answer);
        lot = lot.saturating_sub(weight(answer));
        here
    })?;
    let thing = of[random.below(of.len())];
    Some(Question { kind, text: thing.text(random), answer })
}

/// What a question is about.
#[derive(Clone, Copy)]
enum Thing {
    Pair(Shape, Colour),
    ColourOf(Shape),
    ShapeOf(Colour),
    Shapes(Shape),
    Colours(Colour),
    Beside([(Shape, Colour); 2], &'static str),
}

/// Everything that can be asked, with its answer.
fn askable(scene: &Scene, kind: Asked) -> Vec<(String, Thing)> {
    let objects = &scene.objects;
    let with = |shape: Shape| objects.iter().filter(move |object| object.shape == shape);
    let of = |colour: Colour| objects.iter().filter(move |object| object.colour == colour);
    let looks = |object: &Object| (object.shape, object.colour);
    let mut all = Vec::new();
    match kind {
        Asked::Exists => {
            for shape in Shape::ALL {
                for colour in Colour::ALL {
                    let here = with(shape).any(|object| object.colour == colour);
                    // Half of what is not there is nearly there: its shape or its colour is.
                    let nearly = with(shape).next().is_some() || of(colour).next().is_some();
                    let copies = if nearly && !here { 2 } else { 1 };
                    let answer = if here { "yes" } else { "no" };
                    all.extend((0..copies).map(|_| (answer.into(), Thing::Pair(shape, colour))));
                }
            }
        }
        Asked::Colour => all.extend(Shape::ALL.into_iter().filter_map(|shape| {
            let mut found = with(shape);
            let (one, None) = (found.next()?, found.next()) else { return None };
            Some((one.colour.name().into(), Thing::ColourOf(shape)))
        })),
        Asked::Shape => all.extend(Colour::ALL.into_iter().filter_map(|colour| {
            let mut found = of(colour);
            let (one, None) = (found.next()?, found.next()) else { return None };
            Some((one.shape.name().into(), Thing::ShapeOf(colour)))
        })),
        Asked::Count => {
            let shapes = Shape::ALL.map(|shape| (with(shape).count(), Thing::Shapes(shape)));
            let colours = Colour::ALL.map(|colour| (of(colour).count(), Thing::Colours(colour)));
            let few = shapes.into_iter().chain(colours).filter(|(count, _)| *count <= 3);
            all.extend(few.map(|(count, thing)| (count.to_string(), thing)));
        }
        Asked::Relation => {
            for a in objects {
                for b in objects {
                    let (x, y) = (a.x - b.x, a.y - b.y);
                    for (apart, how) in
                        [(-x, "left of"), (x, "right of"), (-y, "above"), (y, "below")]
                    {
                        if apart.abs() >= CLEAR {
                            let answer = if apart > 0.0 { "yes" } else { "no" };
                            let thing = Thing::Beside([looks(a), looks(b)], how);
                            all.push((answer.into(), thing));
                        }
                    }
                }
            }
        }
    }
    all
}

impl Thing {
    /// The question in one of the ways it can be put.
    fn text(self, random: &mut SplitMix64) -> String {
        let mut one = |ways: &[String]| ways[random.below(ways.len())].clone();
        match self {
            Self::Pair(shape, colour) => {
                let (shape, colour) = (shape.name(), colour.name());
                let article = if colour.starts_with('o') { "an" } else { "a" };
                one(&[
                    format!("is there {article} {colour} {shape}?"),
                    format!("is there {article} {colour} {shape} in the image?"),
                    format!("does the image show {article} {colour} {shape}?"),
                ])
            }
            Self::ColourOf(shape) => {
                let shape = shape.name();
                one(&[
                    format!("what colour is the {shape}?"),
                    format!("what color is the {shape}?"),
                    format!("which colour does the {shape} have?"),
                ])
            }
            Self::ShapeOf(colour) => {
                let colour = colour.name();
                one(&[
                    format!("what shape is the {colour} thing?"),
                    format!("which shape is {colour}?"),
                    format!("what is {colour}?"),
                ])
            }
            Self::Shapes(shape) => one(&[
                format!("how many {} are there?", shape.plural()),
                format!("how many {} are in the image?", shape.plural()),
            ]),
            Self::Colours(colour) => one(&[
                format!("how many {} things are there?", colour.name()),
                format!("how many shapes are {}?", colour.name()),
            ]),
            Self::Beside([(a, a_colour), (b, b_colour)], how) => {
                let (a, b) = (a.name(), b.name());
                let (a_colour, b_colour) = (a_colour.name(), b_colour.name());
                format!("is the {a_colour} {a} {how} the {b_colour} {b}?")
            }
        }
    }
}
