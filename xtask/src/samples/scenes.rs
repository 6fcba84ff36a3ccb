//! Images of coloured shapes on a plain ground: one a class, or several with boxes and captions.

use super::file::File;
use super::image::Image;
use super::random::Random;
use anyhow::Result;

const SHAPES: [&str; 3] = ["circle", "square", "triangle"];
const COLOURS: [(&str, [u8; 3]); 5] = [
    ("red", [214, 40, 46]),
    ("yellow", [246, 212, 52]),
    ("green", [58, 168, 74]),
    ("blue", [44, 88, 214]),
    ("purple", [132, 62, 190]),
];

/// Images of each class in `photos`.
const PHOTOS: usize = 30;
/// Images in `boxes` and in `captions`.
const SCENES: usize = 40;

/// One object; lengths are parts of the image's side.
struct Object {
    shape: usize,
    colour: usize,
    x: f32,
    y: f32,
    radius: f32,
    turn: f32,
}

impl Object {
    fn told(&self) -> String {
        format!("a {} {}", COLOURS[self.colour].0, SHAPES[self.shape])
    }

    /// How far a place is from the edge, in radii; negative inside.
    fn distance(&self, x: f32, y: f32) -> f32 {
        let (sin, cos) = self.turn.sin_cos();
        let (x, y) = (x - self.x, y - self.y);
        let (x, y) = ((cos * x + sin * y) / self.radius, (cos * y - sin * x) / self.radius);
        match self.shape {
            0 => x.hypot(y) - 0.88,
            1 => x.abs().max(y.abs()) - 0.7,
            _ => (y - 0.5).max(0.866_025_4 * x.abs() - 0.5 * y - 0.5),
        }
    }
}

/// A subfolder for each shape.
pub fn photos(name: &str) -> Result<Vec<File>> {
    let mut random = Random(11);
    let mut files = Vec::new();
    for (shape, class) in SHAPES.iter().enumerate() {
        for i in 0..PHOTOS {
            let radius = random.between(0.2, 0.4);
            let mut place = || random.between(radius, 1.0 - radius);
            let (x, y) = (place(), place());
            let (colour, turn) = (random.below(COLOURS.len()), random.between(-0.3, 0.3));
            let object = Object { shape, colour, x, y, radius, turn };
            let image = draw(48, &[object], &mut random).0;
            files.push((format!("{name}/{class}/{i:02}.png"), image.png(false)?));
        }
    }
    Ok(files)
}

/// Three objects.
pub fn picture(name: &str) -> Result<Vec<File>> {
    let object = |shape, colour, x, y, radius| Object { shape, colour, x, y, radius, turn: 0.1 };
    let objects = [
        object(0, 0, 0.24, 0.3, 0.15),
        object(2, 3, 0.74, 0.28, 0.14),
        object(1, 1, 0.5, 0.74, 0.14),
    ];
    Ok(vec![(name.to_owned(), draw(256, &objects, &mut Random(3)).0.png(false)?)])
}

/// Images with YOLO's annotations: a line `class x y width height` for each object.
pub fn boxes(name: &str) -> Result<Vec<File>> {
    let mut random = Random(12);
    let mut files = vec![(format!("{name}/classes.txt"), SHAPES.join("\n").into_bytes())];
    for i in 0..SCENES {
        let objects = several(&mut random);
        let (image, around) = draw(64, &objects, &mut random);
        let side = image.side as f32;
        let line = |(object, around): (&Object, &[usize; 4])| {
            let [left, top, right, bottom] = around.map(|place| place as f32 / side);
            let (x, y) = ((left + right) / 2.0, (top + bottom) / 2.0);
            let (width, height) = (right - left, bottom - top);
            format!("{} {x:.6} {y:.6} {width:.6} {height:.6}\n", object.shape)
        };
        let lines: String = objects.iter().zip(&around).map(line).collect();
        files.push((format!("{name}/images/{i:02}.png"), image.png(false)?));
        files.push((format!("{name}/labels/{i:02}.txt"), lines.into_bytes()));
    }
    Ok(files)
}

/// Images with two captions each, as Flickr8k has them: `image,caption` under a header.
pub fn captions(name: &str) -> Result<Vec<File>> {
    let mut random = Random(13);
    let mut table = "image,caption\n".to_owned();
    let mut files = Vec::new();
    for i in 0..SCENES {
        let mut objects = several(&mut random);
        objects.truncate(2);
        let [a, b] = &objects[..] else { continue };
        let (a, b) = (a.told(), b.told());
        table += &format!("{i:02}.png,{a} and {b}\n{i:02}.png,{b} and {a}\n");
        let image = draw(64, &objects, &mut random).0;
        files.push((format!("{name}/Images/{i:02}.png"), image.png(false)?));
    }
    files.push((format!("{name}/captions.txt"), table.into_bytes()));
    Ok(files)
}

/// Two or three objects that do not touch, clearly beside each other.
fn several(random: &mut Random) -> Vec<Object> {
    let mut columns = vec![0.2, 0.5, 0.8];
    (0..2 + random.below(2))
        .map(|_| Object {
            shape: random.below(SHAPES.len()),
            colour: random.below(COLOURS.len()),
            x: columns.remove(random.below(columns.len())),
            y: random.between(0.2, 0.8),
            radius: random.between(0.1, 0.15),
            turn: random.between(-0.2, 0.2),
        })
        .collect()
}

/// The image, and the box around each object.
fn draw(side: usize, objects: &[Object], random: &mut Random) -> (Image, Vec<[usize; 4]>) {
    let pale = random.between(180.0, 230.0);
    let mut image = Image::new(side, |_, y| [(pale - 20.0 * y as f32 / side as f32) as u8; 3]);
    let length = side as f32;
    let paint = |object: &Object| {
        image.paint(COLOURS[object.colour].1, |x, y| {
            object.distance(x / length, y / length) * object.radius * length
        })
    };
    let around = objects.iter().map(paint).collect();
    (image, around)
}
