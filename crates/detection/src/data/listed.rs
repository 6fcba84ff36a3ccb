//! What a reader of annotations gives, whatever the format.

use std::path::PathBuf;
use tenfold_core::geometry::BoundingBox;

/// The annotations of one image, as its file has them.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The file and, where it lists several images, the place in it; for messages.
    pub source: String,
    /// The image's file.
    pub image: PathBuf,
    /// Width and height as the annotations say them.
    pub size: Option<[usize; 2]>,
    /// Whether boxes are in parts of the image's sides, not in pixels.
    pub relative: bool,
    /// The objects.
    pub boxes: Vec<Labelled>,
}

/// One object as its file has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    /// The name of its class.
    pub class: String,
    /// Its corners.
    pub bounding_box: BoundingBox,
}

/// The annotations of a split.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Annotations {
    /// The classes in order, where the files list them.
    pub classes: Option<Vec<String>>,
    /// The images.
    pub images: Vec<Listed>,
    /// What was left out while reading, one line each.
    pub skipped: Vec<String>,
}
