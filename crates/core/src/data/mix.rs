//! What people decided and the data of the run that it corrects, as one data set: a network that
//! learns from decisions alone forgets what they do not show.

use super::example::{DataSet, Example, Examples};
use super::split::first;
use crate::Error;
use burn_dataset::Dataset;
use std::sync::Arc;

/// Of the run's own examples so many are taken for each decision at most ...
const OWN_FOR_EACH: usize = 4;
/// ... or so many in all, where that is more.
const LEAST_OWN: usize = 1_000;
/// How often one decision may be shown for all of them to count as much as the run's own data.
const MOST_REPEATS: usize = 10;

/// Decisions to train on and to validate with, each beside a part of a run's own examples that
/// `seed` draws; the test is that of the decisions.
///
/// # Errors
/// Inputs of another kind, or a class that the decisions do not know.
pub fn mixed(decided: &DataSet, own: &DataSet, seed: u64) -> Result<DataSet, String> {
    let same = std::mem::discriminant(&decided.kind) == std::mem::discriminant(&own.kind);
    if !same || own.values.is_some() {
        return Err("its examples are of another kind".into());
    }
    let place = |name: &String| {
        let place = decided.classes.iter().position(|class| class == name);
        place.ok_or_else(|| format!("its label `{name}` is unknown to the store"))
    };
    let labels: Arc<[usize]> = own.classes.iter().map(place).collect::<Result<_, _>>()?;
    let beside = |decided: &Examples, own: &Examples| -> Examples {
        let most = (OWN_FOR_EACH * decided.len()).max(LEAST_OWN);
        let places = first(own.len(), Some(most), Some(seed));
        let repeats = (places.len() / decided.len().max(1)).clamp(1, MOST_REPEATS);
        let (decided, own, labels) = (decided.clone(), own.clone(), labels.clone());
        Arc::new(Mixed { decided, repeats, own, places, labels })
    };
    Ok(DataSet {
        train: beside(&decided.train, &own.train),
        validation: beside(&decided.validation, &own.validation),
        name: decided.name.clone(),
        kind: decided.kind.clone(),
        classes: decided.classes.clone(),
        values: None,
        test: decided.test.clone(),
        skipped: decided.skipped.clone(),
    })
}

/// Decisions, each some times, and then some of a run's own examples.
struct Mixed {
    decided: Examples,
    repeats: usize,
    own: Examples,
    places: Vec<usize>,
    /// The run's classes as the store counts them.
    labels: Arc<[usize]>,
}

impl Dataset<Example, Error> for Mixed {
    fn get(&self, index: usize) -> Result<Example, Error> {
        let decided = self.decided.len() * self.repeats;
        if index < decided {
            return self.decided.get(index % self.decided.len());
        }
        let example = self.own.get(self.places[index - decided])?;
        Ok(Example { target: self.labels[example.target], ..example })
    }

    fn len(&self) -> usize {
        self.decided.len() * self.repeats + self.places.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Input, Kind};

    struct Rows(Vec<(f32, usize)>);

    impl Dataset<Example, Error> for Rows {
        fn get(&self, index: usize) -> Result<Example, Error> {
            let (value, target) = self.0[index];
            Ok(Example { input: Input::Text(value.to_string()), target, file: None })
        }

        fn len(&self) -> usize {
            self.0.len()
        }
    }

    fn data(classes: &[&str], train: &[(f32, usize)]) -> DataSet {
        let part = |rows: &[(f32, usize)]| Arc::new(Rows(rows.to_vec())) as Examples;
        DataSet {
            name: "d".into(),
            kind: Kind::Texts,
            classes: classes.iter().map(|&name| name.into()).collect(),
            values: None,
            train: part(train),
            validation: part(&train[..1]),
            test: part(&train[..1]),
            skipped: Vec::new(),
        }
    }

    #[test]
    fn a_runs_examples_stand_beside_decisions_by_the_names_of_their_classes() {
        let own: Vec<(f32, usize)> = (0..3_000).map(|i| (i as f32, i % 2)).collect();
        let decided = data(&["a", "b", "new"], &[(-1.0, 2), (-2.0, 0)]);
        let all = mixed(&decided, &data(&["b", "a"], &own), 7).unwrap();
        // A thousand of the run's, and each decision ten times.
        assert_eq!((all.train.len(), all.validation.len(), all.test.len()), (1_020, 2, 1));
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..all.train.len() {
            let Example { input: Input::Text(text), target, .. } = all.train.get(index).unwrap()
            else {
                unreachable!()
            };
            match text.parse::<f32>().unwrap() {
                -1.0 => assert_eq!(target, 2),
                -2.0 => assert_eq!(target, 0),
                value => {
                    assert_eq!(target, 1 - value as usize % 2);
                    assert!(seen.insert(text), "an example twice");
                }
            }
        }
        assert_eq!(seen.len(), 1_000);

        let other = mixed(&data(&["a"], &[(1.0, 0)]), &data(&["a", "z"], &own), 7);
        assert!(other.err().unwrap().contains("`z`"));
    }
}
