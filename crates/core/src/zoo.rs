//! The closed list of a task's models.

use serde::Serialize;

/// The models of a task crate: a closed list, from which help, dispatch and tests come.
pub trait Zoo: Copy + PartialEq + Send + Sync + 'static {
    /// The task's name, such as `classification`.
    const TASK: &'static str;
    /// Every model with its name on the command line and in `config.json`.
    const ALL: &'static [(Self, &'static str)];

    /// The name on the command line.
    fn name(self) -> &'static str {
        // A model that the list lacks is found by the first test that asks for its card.
        Self::ALL.iter().find(|(model, _)| *model == self).map_or("", |(_, name)| name)
    }

    /// The model of that name.
    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, own)| *own == name).map(|(model, _)| *model)
    }
}

/// What `models` says of a model.
#[derive(Clone, Debug, Serialize)]
pub struct Card {
    /// The name on the command line.
    pub name: &'static str,
    /// The name in the literature.
    pub title: &'static str,
    /// Where it was published.
    pub paper: &'static str,
    /// When.
    pub year: u16,
    /// Parameters of the default configuration on the default data.
    pub parameters: usize,
    /// The data it trains on when none is named.
    pub data: &'static str,
}

/// The candidate that somebody who typed `name` most likely meant.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |other| (strsim::jaro_winkler(name, other), other);
    let best = candidates.into_iter().map(likeness).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness > 0.8).map(|(_, other)| other)
}

/// ` (did you mean X?)`, or nothing where nothing is like it.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    closest(name, candidates)
        .map_or_else(String::new, |other| format!(" (did you mean `{other}`?)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_is_understood_and_nothing_else() {
        let names = ["glyphs", "scenes12", "scenes50"];
        assert_eq!(closest("secnes12", names), Some("scenes12"));
        assert_eq!(did_you_mean("glyphss", names), " (did you mean `glyphs`?)");
        assert_eq!(did_you_mean("mnist", names), "");
    }
}
