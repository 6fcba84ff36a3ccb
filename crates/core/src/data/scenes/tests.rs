//! What must hold for every scene. Answers and boxes are checked against the image itself:
//! colours are looked up in its pixels and places in its masks, not in the scene.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use proptest::prelude::*;

const RECIPES: [Recipe; 5] =
    [Recipe::ONE, Recipe::TOLD, Recipe::ASKED, Recipe::CROWD, Recipe::MOVING];

#[test]
fn a_scene_and_its_bytes_follow_from_seed_index_and_recipe() {
    for recipe in RECIPES {
        let draw = |seed, index| Scene::new(seed, index, &recipe).draw(64, 64);
        assert_eq!(draw(3, 5), draw(3, 5));
        assert_ne!(draw(3, 5).rgb(), draw(3, 6).rgb());
        assert_ne!(draw(3, 5).rgb(), draw(4, 5).rgb());
    }
    let seeds = [Part::Train, Part::Validation, Part::Test].map(Part::seed);
    assert_eq!(BTreeSet::from(seeds).len(), 3);
}

#[test]
fn every_class_is_as_frequent_and_large_enough_to_be_seen() {
    let data = Scenes::new(Part::Validation);
    let mut counts = [0; 8];
    for index in 0..400 {
        let scene = data.scene(index);
        counts[scene.objects[0].shape as usize] += 1;
        let seen = scene.draw(SIDE, SIDE).seen();
        assert!(seen[0].pixels > 60 && seen[0].visible > 0.99, "{index}: {seen:?}");
    }
    assert_eq!(counts, [50; 8]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn boxes_bound_the_masks_exactly(
        index in 0u64..100_000, recipe in 0usize..5, height in 1usize..90, width in 1usize..90,
        frame in 0usize..32,
    ) {
        let scene = Scene::new(9, index, &RECIPES[recipe]).at(frame);
        let drawing = scene.draw(height, width);
        let (seen, semantic) = (drawing.seen(), drawing.semantic(&scene));
        prop_assert_eq!(drawing.planes().len(), 3 * height * width);
        let mut covered = 0;
        for object in 0..scene.objects.len() {
            let mask = drawing.mask(object);
            let pixels: Vec<(u32, u32)> = mask.iter().enumerate().filter(|(_, shown)| **shown)
                .map(|(at, _)| ((at % width) as u32, (at / width) as u32)).collect();
            covered += pixels.len();
            let found = seen.iter().find(|seen| seen.object == object);
            prop_assert_eq!(found.is_some(), !pixels.is_empty());
            let Some(found) = found else { continue };
            let (xs, ys) = (pixels.iter().map(|p| p.0), pixels.iter().map(|p| p.1));
            let tight = Bounds {
                x1: xs.clone().min().unwrap(),
                y1: ys.clone().min().unwrap(),
                x2: xs.max().unwrap() + 1,
                y2: ys.max().unwrap() + 1,
            };
            prop_assert_eq!(found.bounds, tight);
            prop_assert_eq!(found.pixels, pixels.len());
            prop_assert!(found.visible > 0.0 && found.visible <= 1.0, "{}", found.visible);
            let class = scene.objects[object].shape as u8 + 1;
            prop_assert!(mask.iter().zip(&semantic).all(|(&m, &s)| !m || s == class));
        }
        let ground = drawing.instances().iter().filter(|&&owner| owner == 0).count();
        prop_assert_eq!(ground + covered, height * width);
        prop_assert_eq!(ground, semantic.iter().filter(|&&class| class == 0).count());
    }

    #[test]
    fn captions_are_true(index in 0u64..100_000) {
        let scene = Scene::new(5, index, &Recipe::TOLD);
        let world = Looked::at(&scene);
        let all = captions(&scene);
        let different: BTreeSet<&String> = all.iter().collect();
        prop_assert_eq!(different.len(), all.len());
        prop_assert!(all.len() >= 2);
        for caption in &all {
            let words: Vec<&str> = caption.split([' ', ',']).collect();
            let named = words.windows(2).filter_map(|pair| world.find(pair[0], pair[1]));
            let named: BTreeSet<usize> = named.collect();
            prop_assert_eq!(named.len(), scene.objects.len(), "{}", caption);
            // Nothing is named that is not there.
            let is = |word: &&&str| Shape::ALL.iter().any(|shape| shape.name() == **word);
            prop_assert_eq!(words.iter().filter(is).count(), scene.objects.len());
            for how in ["left of", "right of", "above", "below"] {
                let Some((one, other)) = caption.split_once(how) else { continue };
                prop_assert!(world.beside(&world.only(one), &world.only(other), how));
            }
        }
        let some = references(&scene, 5, &mut SplitMix64::new(index));
        prop_assert!(some.iter().all(|caption| all.contains(caption)));
        prop_assert_eq!(some.len(), all.len().min(5));
    }

    #[test]
    fn answers_are_those_of_the_picture(index in 0u64..100_000) {
        let scene = Scene::new(6, index, &Recipe::ASKED);
        let world = Looked::at(&scene);
        for kind in Asked::ALL {
            let question = ask(&scene, kind, &mut SplitMix64::new(index));
            let Some(question) = question else { continue };
            prop_assert_eq!(&world.answer(&question), &question.answer, "{}", question.text);
        }
    }
}

#[test]
fn a_blind_guess_is_poor() {
    let mut answers: BTreeMap<Asked, BTreeMap<String, usize>> = BTreeMap::new();
    let mut asked = 0;
    for index in 0..4_000 {
        let scene = Scene::new(7, index, &Recipe::ASKED);
        let mut random = SplitMix64::new(index);
        for question in Asked::ALL.into_iter().filter_map(|kind| ask(&scene, kind, &mut random)) {
            *answers.entry(question.kind).or_default().entry(question.answer).or_default() += 1;
            asked += 1;
        }
    }
    assert!(asked > 4 * 4_000, "most scenes can be asked anything: {asked}");
    for (kind, most) in [
        (Asked::Exists, 0.53),
        (Asked::Colour, 0.15),
        (Asked::Shape, 0.15),
        (Asked::Count, 0.36),
        (Asked::Relation, 0.53),
    ] {
        let counts = &answers[&kind];
        let best = *counts.values().max().unwrap() as f64 / counts.values().sum::<usize>() as f64;
        assert!(best < most, "{kind:?}: {counts:?}");
    }
}

#[test]
fn a_video_is_smooth_and_objects_come_and_hide() {
    let (mut enters, mut hides) = (0, 0);
    for index in 0..40 {
        let video = Scene::new(8, index, &Recipe::MOVING);
        let frames: Vec<Scene> = (0..32).map(|frame| video.at(frame)).collect();
        for pair in frames.windows(2) {
            for (before, after) in pair[0].objects.iter().zip(&pair[1].objects) {
                let step = (after.x - before.x).hypot(after.y - before.y);
                assert!(step < 0.06, "a jump of {step}");
            }
        }
        for object in 0..video.objects.len() {
            let visible = frames.iter().map(|frame| {
                let seen = frame.draw(64, 64).seen();
                seen.iter().find(|seen| seen.object == object).map_or(0.0, |seen| seen.visible)
            });
            let visible: Vec<f32> = visible.collect();
            assert!(visible.iter().any(|&part| part > 0.2), "never to be seen: {index} {object}");
            enters += usize::from(visible[0] == 0.0);
            let inside = |frame: &Scene| {
                let Object { x, y, size, .. } = frame.objects[object];
                x.min(y) > size && x.max(y) < 1.0 - size
            };
            hides += frames.iter().zip(&visible).filter(|(f, v)| inside(f) && **v < 0.5).count();
        }
    }
    assert!(enters > 10 && hides > 20, "{enters} objects enter, {hides} frames hide one");
}

/// What a person sees in the image: each object's colour by its pixels, its place by its mask.
struct Looked {
    things: Vec<Thing>,
}

#[derive(Clone)]
struct Thing {
    shape: &'static str,
    colour: &'static str,
    x: f32,
    y: f32,
}

impl Looked {
    fn at(scene: &Scene) -> Self {
        const SIDE: usize = 96;
        let drawing = scene.draw(SIDE, SIDE);
        let look = |(place, object): (usize, &Object)| {
            let mask = drawing.mask(place);
            let pixels: Vec<usize> = (0..mask.len()).filter(|&at| mask[at]).collect();
            let mean = |of: &dyn Fn(usize) -> f32| {
                pixels.iter().map(|&at| of(at)).sum::<f32>() / pixels.len() as f32
            };
            let rgb: [f32; 3] =
                std::array::from_fn(|i| mean(&|at| f32::from(drawing.rgb()[3 * at + i])));
            let far = |colour: &Colour| {
                let pairs = colour.rgb().into_iter().zip(rgb);
                pairs.map(|(a, b)| (f32::from(a) - b).powi(2)).sum::<f32>()
            };
            let nearest = Colour::ALL.iter().min_by(|a, b| far(a).total_cmp(&far(b))).unwrap();
            Thing {
                shape: object.shape.name(),
                colour: nearest.name(),
                x: mean(&|at| (at % SIDE) as f32 / SIDE as f32),
                y: mean(&|at| (at / SIDE) as f32 / SIDE as f32),
            }
        };
        Self { things: scene.objects.iter().enumerate().map(look).collect() }
    }

    fn find(&self, colour: &str, shape: &str) -> Option<usize> {
        self.things.iter().position(|thing| (thing.colour, thing.shape) == (colour, shape))
    }

    /// The one thing that a text names by colour and shape.
    fn only(&self, text: &str) -> Thing {
        let words: Vec<&str> = text.trim_end_matches('?').split_whitespace().collect();
        let mut found = words.windows(2).filter_map(|pair| self.find(pair[0], pair[1]));
        self.things[found.next().expect("it names one")].clone()
    }

    fn beside(&self, a: &Thing, b: &Thing, how: &str) -> bool {
        match how {
            "left of" => a.x < b.x - 0.05,
            "right of" => a.x > b.x + 0.05,
            "above" => a.y < b.y - 0.05,
            _ => a.y > b.y + 0.05,
        }
    }

    fn answer(&self, question: &Question) -> String {
        let text = question.text.trim_end_matches('?');
        let words: Vec<&str> = text.split(' ').collect();
        let yes = |so: bool| if so { "yes" } else { "no" }.to_owned();
        let fits = |thing: &Thing| {
            words.iter().any(|&word| {
                word == thing.colour
                    || word
                        .strip_prefix(thing.shape)
                        .is_some_and(|end| ["", "s", "es"].contains(&end))
            })
        };
        let fitting: Vec<&Thing> = self.things.iter().filter(|thing| fits(thing)).collect();
        match question.kind {
            Asked::Exists => yes(words.windows(2).any(|p| self.find(p[0], p[1]).is_some())),
            Asked::Count => fitting.len().to_string(),
            Asked::Colour | Asked::Shape => {
                assert_eq!(fitting.len(), 1, "ambiguous: {text}");
                let Thing { shape, colour, .. } = fitting[0];
                if question.kind == Asked::Colour { colour } else { shape }.to_string()
            }
            Asked::Relation => {
                let hows = ["left of", "right of", "above", "below"];
                let how = hows.into_iter().find(|how| text.contains(how)).unwrap();
                let (a, b) = text.split_once(how).unwrap();
                let (a, b) = (self.only(a), self.only(b));
                assert!(self.beside(&a, &b, how) != self.beside(&b, &a, how), "unclear: {text}");
                yes(self.beside(&a, &b, how))
            }
        }
    }
}
