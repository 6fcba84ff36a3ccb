//! What no network can have: Configs may come from a person or a damaged file.

use super::input::{Sizes, Stem};

/// Parameters beyond this many are a mistake: they would fill 8 GB, and training takes four
/// times as much.
const MOST_PARAMETERS: usize = 1 << 31;
/// The most layers or maps that a convolutional network's Config may ask for in one place.
const MOST_LAYERS: usize = 1_024;

/// Refuses linear layers between these widths, inputs first and classes last, where one is
/// empty or all together are too large; `field` is named.
pub(super) fn check_widths(field: &str, widths: &[usize]) -> Result<(), String> {
    if widths.contains(&0) {
        return Err(format!("{field}: a layer without units; expected 1 or more"));
    }
    let sizes = widths.windows(2).map(|pair| pair[0].checked_add(1)?.checked_mul(pair[1]));
    let all = sizes.into_iter().try_fold(0usize, |sum, size| sum.checked_add(size?));
    match all {
        Some(count) if count <= MOST_PARAMETERS => Ok(()),
        _ => Err(format!("{field}: expected at most {MOST_PARAMETERS} parameters in all")),
    }
}

/// The numbers in an input; 0 for one that no machine holds.
pub(super) fn numbers(input: [usize; 3]) -> usize {
    input.into_iter().try_fold(1usize, usize::checked_mul).unwrap_or(0)
}

/// [`ModelConfig::FIELDS`] of a model with dropout.
///
/// [`ModelConfig::FIELDS`]: super::ModelConfig::FIELDS
pub(super) const DROPOUT: (&str, &str) = ("dropout", "dropout probability, from 0 to below 1");

pub(super) fn check_dropout(dropout: f64) -> Result<(), String> {
    match (0.0..1.0).contains(&dropout) {
        true => Ok(()),
        false => Err(format!("dropout: {dropout}; expected a number from 0 to below 1")),
    }
}

/// What every convolutional network needs: an image that its pools do not use up, classes,
/// and `counts` (layers, maps) of 1 or more.
pub(super) fn check_convolutional(
    Sizes { input, classes, stem }: Sizes,
    counts: &[usize],
) -> Result<(), String> {
    let [channels, height, width] = input;
    let smallest = stem.unwrap_or(Stem::Small).smallest();
    let sides = smallest..=1_024;
    if ![1, 3].contains(&channels) || !sides.contains(&height) || !sides.contains(&width) {
        return Err(format!(
            "input: {input:?}; expected [1 or 3, height, width], {smallest} to 1024 pixels a side"
        ));
    }
    check_widths("classes", &[MOST_LAYERS, classes])?;
    match counts.iter().find(|&&count| !(1..=MOST_LAYERS).contains(&count)) {
        Some(count) => Err(format!("layers: {count}; expected 1 to {MOST_LAYERS}")),
        None => Ok(()),
    }
}
