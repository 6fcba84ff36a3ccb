//! What a scene is, and how one is drawn by lot.

use crate::data::random::SplitMix64;

/// The shapes, in label order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Shape {
    Circle,
    Square,
    Triangle,
    Diamond,
    Star,
    Cross,
    Heart,
    Ring,
}

impl Shape {
    /// Every shape, in label order.
    pub const ALL: [Self; 8] = [
        Self::Circle,
        Self::Square,
        Self::Triangle,
        Self::Diamond,
        Self::Star,
        Self::Cross,
        Self::Heart,
        Self::Ring,
    ];

    /// The English noun.
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 8] =
            ["circle", "square", "triangle", "diamond", "star", "cross", "heart", "ring"];
        NAMES[self as usize]
    }

    /// The noun for several.
    pub fn plural(self) -> String {
        let ending = if self == Self::Cross { "es" } else { "s" };
        format!("{}{ending}", self.name())
    }
}

/// The colours of objects; the ground is never as vivid as any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Colour {
    Red,
    Orange,
    Yellow,
    Green,
    Cyan,
    Blue,
    Purple,
    Pink,
}

impl Colour {
    /// Every colour.
    pub const ALL: [Self; 8] = [
        Self::Red,
        Self::Orange,
        Self::Yellow,
        Self::Green,
        Self::Cyan,
        Self::Blue,
        Self::Purple,
        Self::Pink,
    ];

    /// The English adjective.
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 8] =
            ["red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink"];
        NAMES[self as usize]
    }

    /// Red, green and blue; an object's own colour lies near it.
    pub fn rgb(self) -> [u8; 3] {
        const VALUES: [[u8; 3]; 8] = [
            [214, 40, 46],
            [240, 132, 28],
            [246, 212, 52],
            [58, 168, 74],
            [52, 204, 214],
            [44, 88, 214],
            [132, 62, 190],
            [246, 136, 190],
        ];
        VALUES[self as usize]
    }
}

/// How an object's size is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Size {
    Small,
    Large,
}

/// How an object of a video moves: a straight way with a sway across it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Motion {
    /// Columns and rows a frame, in parts of the image.
    pub velocity: [f32; 2],
    /// How far it sways across its way, in parts of the image.
    pub sway: f32,
    /// How much of a sway a frame takes, in radians.
    pub rate: f32,
}

/// One object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Object {
    /// Its shape: its class.
    pub shape: Shape,
    /// The colour it is called by.
    pub colour: Colour,
    /// The colour it is painted with, near [`Colour::rgb`].
    pub paint: [u8; 3],
    /// The centre's column in 0..1 of the image's width.
    pub x: f32,
    /// The centre's row in 0..1 of the image's height.
    pub y: f32,
    /// The radius of the circle that holds it, in parts of the image's shorter side.
    pub size: f32,
    /// Clockwise, in radians; so little that no shape looks like another.
    pub tilt: f32,
    /// How it moves, in a video.
    pub motion: Motion,
}

impl Object {
    /// What its size is called; no object of [`Recipe::TOLD`] is in between.
    pub fn extent(&self) -> Size {
        if self.size < 0.115 { Size::Small } else { Size::Large }
    }
}

/// What lies behind the objects: two pale or dark colours, in patches, and a camera's noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ground {
    /// Between these two the patches vary.
    pub colours: [[u8; 3]; 2],
    /// Decides where patches are, and the noise.
    pub key: u64,
    /// The noise of each pixel lies between this and its negative, in levels of 256.
    pub noise: u8,
}

/// Objects on a ground.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// The objects from the farthest to the nearest: each hides what it covers of those before.
    pub objects: Vec<Object>,
    /// What lies behind them.
    pub ground: Ground,
}

/// Where objects may stand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Placement {
    /// Near the crossings of three columns and three rows, apart from each other, so that what
    /// is left, right, above or below is never in doubt.
    Grid,
    /// Anywhere inside. Two centres are never nearer than this part of the radii's sum: 1 keeps
    /// objects apart, less lets them hide parts of each other.
    Free(f32),
}

/// What kind of scenes to draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    /// Fewest and most objects. No two of one scene have both shape and colour in common.
    pub objects: (usize, usize),
    /// The smallest and the largest [`Object::size`], one of these spans by lot.
    pub sizes: &'static [(f32, f32)],
    /// Where they stand.
    pub placement: Placement,
    /// How often an object takes shape or colour from one before it.
    pub repeats: f32,
    /// How many frames of a video, where objects move.
    pub frames: Option<usize>,
}

impl Recipe {
    /// One object, for labels.
    pub const ONE: Self = Self {
        objects: (1, 1),
        sizes: &[(0.15, 0.42)],
        placement: Placement::Free(1.0),
        repeats: 0.0,
        frames: None,
    };
    /// One to three objects apart from each other, for captions.
    pub const TOLD: Self = Self {
        objects: (1, 3),
        sizes: &[(0.085, 0.1), (0.13, 0.15)],
        placement: Placement::Grid,
        repeats: 0.2,
        frames: None,
    };
    /// Two to five objects apart from each other, many of them alike, for questions.
    pub const ASKED: Self = Self { objects: (2, 5), repeats: 0.6, ..Self::TOLD };
    /// One to eight objects, some of which hide parts of others, for detection and segmentation.
    pub const CROWD: Self = Self {
        objects: (1, 8),
        sizes: &[(0.07, 0.13), (0.13, 0.22)],
        placement: Placement::Free(0.6),
        repeats: 0.2,
        frames: None,
    };
    /// Two to six objects that come in, pass each other and leave, for videos of 32 frames.
    pub const MOVING: Self = Self {
        objects: (2, 6),
        sizes: &[(0.08, 0.16)],
        placement: Placement::Free(0.3),
        repeats: 0.2,
        frames: Some(32),
    };
}

/// From here on two centres are clearly beside or above each other, in parts of the image;
/// two of [`Placement::Grid`] are always farther apart than this, or less than two thirds of it.
pub const CLEAR: f32 = 0.18;

const COLUMNS: [f32; 3] = [0.2, 0.5, 0.8];
const JITTER: f32 = 0.05;
const TRIES: usize = 60;

impl Scene {
    /// The scene of this seed and index. Of a video it is the first frame.
    pub fn new(seed: u64, index: u64, recipe: &Recipe) -> Self {
        let mut random = SplitMix64::keyed(&[seed, index, u64::from_be_bytes(*b"a  scene")]);
        let ground = Ground::new(&mut random);
        let (fewest, most) = recipe.objects;
        let count = fewest + random.below(most + 1 - fewest);
        let mut scene = Self { objects: Vec::with_capacity(count), ground };
        for _ in 0..count {
            let looks = scene.looks(recipe, &mut random);
            // A full image has room for fewer than were drawn by lot.
            let Some(object) = scene.place(looks, recipe, &mut random) else { break };
            scene.objects.push(object);
        }
        if let Some(frames) = recipe.frames {
            scene.objects.iter_mut().for_each(|object| object.set_off(frames, &mut random));
        }
        scene
    }

    /// The same scene some frames later. An object may be outside the image for a while.
    pub fn at(&self, frame: usize) -> Self {
        let mut scene = self.clone();
        let time = frame as f32;
        for object in &mut scene.objects {
            let Motion { velocity: [x, y], sway, rate } = object.motion;
            // Across the way; no sway at the first frame, so that it begins where it stands.
            let across = sway * (rate * time).sin() / x.hypot(y).max(1e-6);
            object.x += x * time - y * across;
            object.y += y * time + x * across;
        }
        scene
    }

    /// A pair of shape and colour that the scene does not have yet.
    fn looks(&self, recipe: &Recipe, random: &mut SplitMix64) -> (Shape, Colour) {
        loop {
            let mut shape = Shape::ALL[random.below(8)];
            let mut colour = Colour::ALL[random.below(8)];
            if !self.objects.is_empty() && random.unit() < recipe.repeats {
                let other = self.objects[random.below(self.objects.len())];
                if random.below(2) == 0 { shape = other.shape } else { colour = other.colour }
            }
            if !self.objects.iter().any(|o| (o.shape, o.colour) == (shape, colour)) {
                return (shape, colour);
            }
        }
    }

    /// The object where nothing stands in its way, if such a place is found.
    fn place(
        &self,
        (shape, colour): (Shape, Colour),
        recipe: &Recipe,
        random: &mut SplitMix64,
    ) -> Option<Object> {
        let paint = colour.rgb().map(|part| part.saturating_add_signed(jitter(random, 12)));
        let tilt = random.between(-0.2, 0.2);
        for _ in 0..TRIES {
            let (low, high) = recipe.sizes[random.below(recipe.sizes.len())];
            let size = random.between(low, high);
            let (x, y, nearness) = match recipe.placement {
                Placement::Grid => {
                    let mut place =
                        || COLUMNS[random.below(COLUMNS.len())] + random.between(-JITTER, JITTER);
                    (place(), place(), 1.0)
                }
                Placement::Free(nearness) => {
                    let mut place = || random.between(size, 1.0 - size);
                    (place(), place(), nearness)
                }
            };
            let apart =
                |other: &Object| (x - other.x).hypot(y - other.y) >= nearness * (size + other.size);
            if self.objects.iter().all(apart) {
                let motion = Motion::default();
                return Some(Object { shape, colour, paint, x, y, size, tilt, motion });
            }
        }
        None
    }
}

impl Object {
    /// Gives it a motion that brings it to where it stands at some frame of the video, and
    /// moves it to where it then has to begin: often outside.
    fn set_off(&mut self, frames: usize, random: &mut SplitMix64) {
        let (sin, cos) = random.between(0.0, std::f32::consts::TAU).sin_cos();
        let speed = random.between(0.006, 0.03);
        self.motion = Motion {
            velocity: [speed * cos, speed * sin],
            sway: random.between(0.0, 0.06),
            rate: random.between(0.1, 0.3),
        };
        let passing = frames as f32 * random.between(0.2, 0.8);
        self.x -= self.motion.velocity[0] * passing;
        self.y -= self.motion.velocity[1] * passing;
    }
}

impl Ground {
    fn new(random: &mut SplitMix64) -> Self {
        // Dark or pale, never between, where a vivid colour would stand out least.
        let base = if random.below(2) == 0 {
            random.between(22.0, 74.0)
        } else {
            random.between(176.0, 236.0)
        } as u8;
        let mut colour = || [(); 3].map(|()| base.saturating_add_signed(jitter(random, 16)));
        let colours = [colour(), colour()];
        Self { colours, key: random.bits(), noise: random.below(12) as u8 }
    }
}

fn jitter(random: &mut SplitMix64, most: usize) -> i8 {
    (random.below(2 * most + 1) as i32 - most as i32) as i8
}
