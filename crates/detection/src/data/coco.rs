//! COCO: one JSON file of images, annotations and categories.

use super::files::Files;
use super::listed::{Annotations, Labelled, Listed};
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;
use tenfold_core::geometry::BoundingBox;
use tenfold_core::{Error, Result, files};

#[derive(Deserialize)]
struct File {
    images: Vec<Image>,
    #[serde(default)]
    annotations: Vec<Annotation>,
    #[serde(default)]
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Image {
    id: i64,
    file_name: String,
    width: Option<usize>,
    height: Option<usize>,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: i64,
    category_id: i64,
    bbox: Option<[f32; 4]>,
    #[serde(default)]
    iscrowd: i64,
}

#[derive(Deserialize)]
struct Category {
    id: i64,
    name: String,
}

/// Whether a JSON text is such a file, told by its keys.
pub fn is_one(json: &serde_json::Value) -> bool {
    json.get("images").is_some_and(|images| images.is_array()) && json.get("categories").is_some()
}

/// Reads a file. Regions of crowds are left out, and counted.
///
/// # Errors
/// No such JSON; an annotation of an image or category that the file lacks.
pub fn read(path: &Path, around: &Files) -> Result<Annotations> {
    let file: File =
        serde_json::from_str(&files::read_text(path)?).map_err(|why| Error::file(path, why))?;
    let mut categories = file.categories;
    categories.sort_by_key(|category| category.id);
    let names: HashMap<i64, &str> =
        categories.iter().map(|category| (category.id, category.name.as_str())).collect();
    let places: HashMap<i64, usize> =
        file.images.iter().enumerate().map(|(place, image)| (image.id, place)).collect();
    let mut images: Vec<Listed> = file
        .images
        .iter()
        .map(|image| Listed {
            source: format!("{}: image {}", path.display(), image.id),
            image: around.image(&image.file_name, path),
            size: image.width.zip(image.height).map(<[usize; 2]>::from),
            relative: false,
            boxes: Vec::new(),
        })
        .collect();
    let mut crowds = 0;
    for (number, annotation) in file.annotations.iter().enumerate() {
        let lacks = |what: &str, id: i64| {
            Error::file(path, format!("annotation {number}: no {what} with the id {id}"))
        };
        let place = places.get(&annotation.image_id);
        let place = *place.ok_or_else(|| lacks("image", annotation.image_id))?;
        let class = names.get(&annotation.category_id);
        let class = (*class.ok_or_else(|| lacks("category", annotation.category_id))?).to_owned();
        let Some(corners) = annotation.bbox else {
            return Err(Error::file(path, format!("annotation {number}: no `bbox`")));
        };
        match annotation.iscrowd {
            0 => images[place]
                .boxes
                .push(Labelled { class, bounding_box: BoundingBox::from_xywh(corners) }),
            _ => crowds += 1,
        }
    }
    let skipped = match crowds {
        0 => Vec::new(),
        _ => vec![format!("{}: {crowds} regions of crowds (iscrowd)", path.display())],
    };
    let classes = Some(categories.into_iter().map(|category| category.name).collect());
    Ok(Annotations { classes, images, skipped })
}
