//! Every box is looked at before a training begins. What is wrong is left out and named; the rest
//! is used.

use super::listed::{Labelled, Listed};
use rayon::prelude::*;
use std::path::PathBuf;
use tenfold_core::Result;
use tenfold_core::data::image_file::{self, Header};
use tenfold_core::data::{Example, Input, Object};
use tenfold_core::geometry::BoundingBox;
use tenfold_core::zoo::did_you_mean;

/// How far a box may reach beyond its image by rounding, in pixels.
const SLACK: f32 = 1.0;

/// An image whose boxes were found right.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its file.
    pub image: PathBuf,
    /// Its size and colours.
    pub header: Header,
    /// What is in it.
    pub objects: Vec<Object>,
}

/// What was found right, and one line for each box or image that was left out.
#[derive(Debug, Default)]
pub struct Checked {
    /// The images.
    pub items: Vec<Item>,
    /// What is wrong with the others.
    pub skipped: Vec<String>,
}

/// Checks images and boxes against the files and the classes.
pub fn check(listed: &[Listed], classes: &[String]) -> Checked {
    let looked: Vec<_> = listed.par_iter().map(|image| one(image, classes)).collect();
    let mut all = Checked::default();
    for (item, mut skipped) in looked {
        all.items.extend(item);
        all.skipped.append(&mut skipped);
    }
    all
}

fn one(listed: &Listed, classes: &[String]) -> (Option<Item>, Vec<String>) {
    let source = &listed.source;
    let header = match image_file::header(&listed.image) {
        Ok(header) => header,
        Err(why) => return (None, vec![format!("{source}: {why}")]),
    };
    if let Some([width, height]) = listed.size
        && [width, height] != [header.width, header.height]
    {
        let why = format!(
            "says {width}x{height}, and {} is {}x{}",
            listed.image.display(),
            header.width,
            header.height
        );
        return (None, vec![format!("{source}: {why}")]);
    }
    let (mut objects, mut skipped) = (Vec::new(), Vec::new());
    for (number, labelled) in listed.boxes.iter().enumerate() {
        match object(labelled, listed.relative, &header, classes) {
            Ok(object) => objects.push(object),
            Err(why) => {
                skipped.push(format!("{source}: box {} ({}) {why}", number + 1, labelled.class))
            }
        }
    }
    (Some(Item { image: listed.image.clone(), header, objects }), skipped)
}

/// The object of a box, or what is wrong with it.
fn object(
    Labelled { class, bounding_box }: &Labelled,
    relative: bool,
    header: &Header,
    classes: &[String],
) -> Result<Object, String> {
    let (width, height) = (header.width as f32, header.height as f32);
    let BoundingBox { x1, y1, x2, y2 } = match relative {
        true => {
            let [x1, y1, x2, y2] = (*bounding_box).into();
            BoundingBox::new(x1 * width, y1 * height, x2 * width, y2 * height)
        }
        false => *bounding_box,
    };
    let at = format!("[{x1}, {y1}, {x2}, {y2}]");
    if ![x1, y1, x2, y2].iter().all(|side| side.is_finite()) {
        return Err(format!("{at}: not a number"));
    }
    if x2 < x1 || y2 < y1 {
        return Err(format!("{at}: swapped corners"));
    }
    if x1 >= width || y1 >= height || x2 <= 0.0 || y2 <= 0.0 {
        return Err(format!("{at}: outside the image of {width}x{height}"));
    }
    if x1 < -SLACK || y1 < -SLACK || x2 > width + SLACK || y2 > height + SLACK {
        return Err(format!("{at}: reaches beyond the image of {width}x{height}"));
    }
    let inside = BoundingBox::new(x1, y1, x2, y2).clip(header.width, header.height);
    if inside.area() <= 0.0 {
        return Err(format!("{at}: empty"));
    }
    let label = classes.iter().position(|own| own == class).ok_or_else(|| {
        format!("of an unknown class{}", did_you_mean(class, classes.iter().map(String::as_str)))
    })?;
    Ok(Object { label, bounding_box: inside, mask: None })
}

/// Images in files, decoded when they are asked for.
#[derive(Debug)]
pub(super) struct Stored(pub Vec<Item>);

impl burn_dataset::Dataset<Example<Vec<Object>>, tenfold_core::Error> for Stored {
    fn get(&self, index: usize) -> Result<Example<Vec<Object>>> {
        let item = &self.0[index];
        let input = Input::Image(image_file::read(&item.image)?);
        Ok(Example { input, target: item.objects.clone() })
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}
