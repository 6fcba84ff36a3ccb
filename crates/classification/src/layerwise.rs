//! Which parameters a network's heads are, and how fast each part below them learns.
//!
//! J. Howard, S. Ruder, "Universal Language Model Fine-tuning for Text Classification", ACL
//! (2018), section 3.2: the nearer to the inputs, the more general is what a layer knows, and
//! the less should it change; each layer has the rate of the one above it divided by 2.6,
//! here times `--layer-decay`.

use crate::models::Network;
use burn::module::ParamGroup;
use tenfold_core::{Error, Result};

/// All but the layers of the classes.
pub fn backbone<N: Network>() -> ParamGroup {
    let heads: Vec<String> = N::HEADS.iter().map(|head| format!("{head}.")).collect();
    ParamGroup::all().exclude(ParamGroup::from_any_predicates(heads))
}

/// The learning rate of each part of a network, alone or as the field `network` of another
/// module, as a ratio to that of its heads: `decay` for the part below them, `decay` squared
/// for the next, and so on.
///
/// # Errors
/// A part with a name that is no pattern.
pub fn rates<N: Network>(network: &N, decay: f64) -> Result<Vec<(ParamGroup, f64)>> {
    let parts = network.parts();
    let ratio = |depth: usize| decay.powi(i32::try_from(depth).unwrap_or(i32::MAX));
    // A model that names no parts has one.
    let mut rates = vec![(backbone::<N>(), ratio(parts.len().max(1)))];
    for (place, part) in parts.iter().enumerate() {
        // An enum's variant, in capitals, stands in a path but not in a file.
        let names = part.iter().map(|name| name.replace('.', "\\."));
        let names = names.collect::<Vec<_>>().join("|");
        let pattern = format!(r"^(?:network\.)?(?:[A-Z]\w*\.)?(?:{names})\.");
        let group = ParamGroup::from_regex(pattern)
            .map_err(|why| Error::argument("--layer-decay", format!("{why:?}")))?;
        rates.push((group, ratio(parts.len() - place)));
    }
    Ok(rates)
}
