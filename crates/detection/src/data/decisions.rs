//! Boxes that people confirmed, moved or added, as annotations: `train ... --data STORE`.

use super::listed::{Annotations, Labelled, Listed};
use std::path::Path;
use tenfold_core::Result;
use tenfold_core::store::{Action, Store};

/// The decisions of a store: those to learn from, and those of its fixed part, which are the test.
/// An image of which a person said that nothing is in it has no objects; what the model accepted by
/// itself is left out.
///
/// # Errors
/// No store, or a damaged one.
pub fn read(path: &Path) -> Result<[Annotations; 2]> {
    let store = Store::read(path)?;
    let classes = Some(store.labels()?);
    let mut parts =
        [(); 2].map(|()| Annotations { classes: classes.clone(), ..Default::default() });
    let queue = &store.origin().queue;
    for (item, decision) in store.decided()? {
        let own = decision.annotations().filter(|_| decision.action == Action::Label);
        let Some(own) = own else { continue };
        let part = &mut parts[usize::from(item.fixed)];
        let image = match Store::file(queue, &item.name) {
            Ok(image) => image,
            Err(why) => {
                part.skipped.push(why.to_string());
                continue;
            }
        };
        let labelled = own.into_iter().filter_map(|one| {
            let bounding_box = one.at?.bounding_box()?;
            Some(Labelled { class: one.answer.label()?.to_owned(), bounding_box })
        });
        let (source, boxes) =
            (format!("{}: item {}", path.display(), item.name), labelled.collect());
        part.images.push(Listed { source, image, size: None, relative: false, boxes });
    }
    Ok(parts)
}
