//! CSV: a line a box. With a header its names say what the columns are; without one they are
//! image, x1, y1, x2, y2, class, as keras-retinanet has them.

use super::files::Files;
use super::listed::{Annotations, Labelled, Listed};
use std::collections::HashMap;
use std::path::Path;
use tenfold_core::geometry::BoundingBox;
use tenfold_core::progress::note;
use tenfold_core::{Error, Result, files};

/// Where each field stands.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Columns {
    image: usize,
    class: usize,
    sides: [usize; 4],
    /// Whether the last two sides are width and height.
    sized: bool,
    /// Width and height of the image.
    size: Option<[usize; 2]>,
}

/// The columns that a header names.
fn columns(header: &[String]) -> Option<Columns> {
    let find = |names: &[&str]| {
        header.iter().position(|own| names.iter().any(|name| own.eq_ignore_ascii_case(name)))
    };
    let image =
        find(&["filename", "file_name", "file", "image", "image_path", "path", "image_id", "img"])?;
    let class = find(&["class", "label", "name", "category", "class_name", "labelname"])?;
    let corners = || {
        Some([
            find(&["xmin", "x1", "x_min", "left"])?,
            find(&["ymin", "y1", "y_min", "top"])?,
            find(&["xmax", "x2", "x_max", "right"])?,
            find(&["ymax", "y2", "y_max", "bottom"])?,
        ])
    };
    let size = || Some([find(&["width", "image_width"])?, find(&["height", "image_height"])?]);
    if let Some(sides) = corners() {
        return Some(Columns { image, class, sides, sized: false, size: size() });
    }
    let sides = [
        find(&["x", "left", "xmin"])?,
        find(&["y", "top", "ymin"])?,
        find(&["w", "width", "bbox_width"])?,
        find(&["h", "height", "bbox_height"])?,
    ];
    Some(Columns { image, class, sides, sized: true, size: None })
}

/// Reads a file.
///
/// # Errors
/// Columns that are not known, or a cell that is no number; line and column are named.
pub fn read(path: &Path, around: &Files) -> Result<Annotations> {
    let text = files::read_text(path)?;
    let first = text.lines().next().unwrap_or_default();
    let separator = [b',', b';', b'\t'].into_iter().max_by_key(|&own| {
        // Of equals the comma.
        (first.bytes().filter(|&byte| byte == own).count(), own == b',')
    });
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator.unwrap_or(b','))
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let mut named: Option<Columns> = None;
    let mut all = Annotations::default();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (row, record) in reader.records().enumerate() {
        let record = record.map_err(|why| Error::file(path, why))?;
        let line = record.position().map_or(row as u64 + 1, |at| at.line());
        let cell = |place: usize| record.get(place).unwrap_or_default().trim();
        let number = |place: usize| cell(place).parse::<f32>();
        if row == 0 {
            let cells: Vec<String> = record.iter().map(|cell| cell.trim().to_owned()).collect();
            named = columns(&cells);
            if named.is_some() {
                continue;
            }
            if record.len() < 6
                || !(1..5).all(|place| cell(place).is_empty() || number(place).is_ok())
            {
                let why = "expected a header with the image, xmin, ymin, xmax, ymax (or x, y, width, \
                           height) and class, or lines `image,x1,y1,x2,y2,class`";
                return Err(Error::field(path, line, 1, why));
            }
            note(format_args!("{}: no header, read as image,x1,y1,x2,y2,class", path.display()));
        }
        let plain = Columns { image: 0, class: 5, sides: [1, 2, 3, 4], sized: false, size: None };
        let own = named.unwrap_or(plain);
        let name = cell(own.image).to_owned();
        if name.is_empty() {
            return Err(Error::field(path, line, own.image + 1, "no image named"));
        }
        let size = own.size.and_then(|size| {
            let [w, h] = size.map(|place| cell(place).parse::<usize>().ok());
            Some([w?, h?])
        });
        let place = *places.entry(name.clone()).or_insert_with(|| {
            all.images.push(Listed {
                source: format!("{}: line {line}", path.display()),
                image: around.image(&name, path),
                size,
                relative: false,
                boxes: Vec::new(),
            });
            all.images.len() - 1
        });
        // An image without objects has a line without a box.
        if own.sides.iter().all(|&place| cell(place).is_empty()) {
            continue;
        }
        let mut sides = [0.0; 4];
        for (side, place) in sides.iter_mut().zip(own.sides) {
            *side = number(place).map_err(|_| {
                Error::field(path, line, place + 1, format!("`{}`; expected a number", cell(place)))
            })?;
        }
        let bounding_box = match own.sized {
            true => BoundingBox::from_xywh(sides),
            false => BoundingBox::from(sides),
        };
        all.images[place].boxes.push(Labelled { class: cell(own.class).into(), bounding_box });
    }
    Ok(all)
}
