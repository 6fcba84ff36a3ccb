//! Which examples train, which choose (validation) and which only judge (test).
//!
//! Every choice follows from the seed alone, on every platform.

use std::path::Path;
use std::sync::Arc;

use burn_dataset::Dataset;

use super::random::SplitMix64;
use crate::{Error, Result};

/// The largest validation part taken from a data set that has none of its own.
const MOST_VALIDATION: usize = 5_000;

/// Examples of any kind by index.
type Items<I> = Arc<dyn Dataset<I, Error>>;

/// Some of the examples of another data set, in an order of their own.
struct View<I> {
    base: Items<I>,
    indices: Vec<usize>,
}

impl<I> Dataset<I, Error> for View<I> {
    fn get(&self, index: usize) -> Result<I> {
        self.base.get(self.indices[index])
    }

    fn len(&self) -> usize {
        self.indices.len()
    }
}

/// The examples of `base` at `indices`, in that order.
pub fn view<I: 'static>(base: &Items<I>, indices: Vec<usize>) -> Items<I> {
    Arc::new(View { base: base.clone(), indices })
}

/// What a data set comes with; what it lacks is taken from `train`.
pub struct Published<I> {
    /// To learn from.
    pub train: Items<I>,
    /// To choose by, if there is such a part.
    pub validation: Option<Items<I>>,
    /// To judge by, if there is such a part.
    pub test: Option<Items<I>>,
    /// Whether training examples lie sorted by class, so that a limit must shuffle them first.
    pub sorted: bool,
}

impl<I: 'static> Published<I> {
    /// Training, validation and test. A lone validation part judges, and another one is held
    /// out, since that is what its publisher reports results on. Without both, each class of
    /// `labels` is split 80/10/10: see [`stratify`]; they are not looked at otherwise.
    ///
    /// `limit` keeps the first examples to train on, validation included; never limits the test.
    ///
    /// # Errors
    /// When there are too few examples for a part to have any; `path` is named.
    pub fn split(
        self,
        labels: &[usize],
        seed: u64,
        limit: Option<usize>,
        path: &Path,
    ) -> Result<[Items<I>; 3]> {
        let Self { train, mut validation, test, sorted } = self;
        let test = test.or_else(|| validation.take());
        let (train, validation, test) = if let Some(test) = test {
            let order = first(train.len(), limit, sorted.then_some(seed));
            match validation {
                Some(validation) => (view(&train, order), validation, test),
                None => {
                    let (learn, held) = hold_out(&order, seed);
                    (view(&train, learn), view(&train, held), test)
                }
            }
        } else {
            let parts = stratify(labels, seed, limit).map_err(|why| Error::file(path, why))?;
            let test = view(&train, parts.test);
            (view(&train, parts.train), view(&train, parts.validation), test)
        };
        if train.is_empty() || validation.is_empty() {
            let why = "too few examples to train on one and validate with another";
            return Err(match limit {
                Some(_) => Error::argument("--limit", why),
                None => Error::file(path, why),
            });
        }
        Ok([train, validation, test])
    }
}

/// The first `limit` places of `len`, or all of them; shuffled first where a seed is given.
pub fn first(len: usize, limit: Option<usize>, shuffle: Option<u64>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    if let Some(seed) = shuffle {
        SplitMix64::keyed(&[seed, u64::from_be_bytes(*b"shuffled")]).shuffle(&mut order);
    }
    order.truncate(limit.unwrap_or(len));
    order
}

/// Takes a tenth of `places`, 5,000 at most, away to validate with, chosen by a shuffle with
/// `seed`. Returns (training, validation), each in the order of `places`.
pub fn hold_out(places: &[usize], seed: u64) -> (Vec<usize>, Vec<usize>) {
    let count = places.len();
    let size = if count < 2 { 0 } else { (count / 10).clamp(1, MOST_VALIDATION) };
    let mut order: Vec<usize> = (0..count).collect();
    SplitMix64::keyed(&[seed, u64::from_be_bytes(*b"hold out")]).shuffle(&mut order);
    let mut held = vec![false; count];
    for &place in &order[count - size..] {
        held[place] = true;
    }
    let part = |wanted: bool| {
        places.iter().zip(&held).filter(|&(_, &held)| held == wanted).map(|(&p, _)| p).collect()
    };
    (part(false), part(true))
}

/// Training, validation and test places of a data set that comes without any split.
#[derive(Debug)]
pub struct Parts {
    /// To learn from.
    pub train: Vec<usize>,
    /// To choose by.
    pub validation: Vec<usize>,
    /// To judge by.
    pub test: Vec<usize>,
}

/// Splits 80/10/10, class by class so that each part has every class in its share, in an
/// order shuffled with `seed`. A class of fewer than three examples is only trained on.
///
/// `limit` keeps the first examples of the order that are not for testing.
///
/// # Errors
///
/// When there are too few examples for a part to have any.
pub fn stratify(labels: &[usize], seed: u64, limit: Option<usize>) -> Result<Parts, &'static str> {
    let order = first(labels.len(), None, Some(seed));
    // The test leaves one example of its class to train on and one to validate with.
    let (mut rest, test) = take(&order, labels, 10, 2);
    if test.is_empty() {
        return Err("too few examples to hold some out for validation and test; expected at \
                    least three of one class");
    }
    rest.truncate(limit.unwrap_or(rest.len()));
    // A ninth of the nine tenths that are left.
    let (mut train, mut validation) = take(&rest, labels, 9, 1);
    if validation.is_empty() {
        // A limit may leave no class with two examples.
        (train, validation) = hold_out(&rest, seed);
    }
    Ok(Parts { train, validation, test })
}

/// Takes one part in `share` of every class from `order`, rounded, and at least one from a
/// class that has `spare` more. Returns (rest, taken).
fn take(order: &[usize], labels: &[usize], share: usize, spare: usize) -> (Vec<usize>, Vec<usize>) {
    let classes = labels.iter().max().map_or(0, |largest| largest + 1);
    let mut wanted = vec![0; classes];
    for &place in order {
        wanted[labels[place]] += 1;
    }
    for count in &mut wanted {
        *count = if *count <= spare { 0 } else { ((*count + share / 2) / share).max(1) };
    }
    let (mut rest, mut taken) = (Vec::new(), Vec::new());
    for &place in order {
        let left = &mut wanted[labels[place]];
        if *left > 0 {
            *left -= 1;
            taken.push(place);
        } else {
            rest.push(place);
        }
    }
    (rest, taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_is_held_out_and_nothing_is_lost() {
        let hold_out = |count, seed| hold_out(&first(count, None, None), seed);
        let (train, validation) = hold_out(60_000, 1);
        assert_eq!((train.len(), validation.len()), (55_000, 5_000));
        let (train, validation) = hold_out(100, 1);
        assert_eq!((train.len(), validation.len()), (90, 10));
        let mut all = [train, validation].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_eq!(hold_out(100, 1), hold_out(100, 1));
        assert_ne!(hold_out(100, 1).1, hold_out(100, 2).1);
    }

    #[test]
    fn tiny_sets_keep_something_to_train_on() {
        let hold_out = |count, seed| hold_out(&first(count, None, None), seed);
        assert_eq!(hold_out(0, 1), (vec![], vec![]));
        assert_eq!(hold_out(1, 1), (vec![0], vec![]));
        assert_eq!(hold_out(2, 1).0.len(), 1);
        assert_eq!(hold_out(11, 1).1.len(), 1);
    }

    #[test]
    fn eighty_ten_ten_of_every_class() {
        // 50 of class 0, 100 of class 1.
        let labels: Vec<usize> = (0..150).map(|i| usize::from(i >= 50)).collect();
        let parts = stratify(&labels, 3, None).unwrap();
        for (part, expected) in
            [(&parts.train, [40, 80]), (&parts.validation, [5, 10]), (&parts.test, [5, 10])]
        {
            for (class, &count) in expected.iter().enumerate() {
                assert_eq!(part.iter().filter(|&&i| labels[i] == class).count(), count);
            }
        }
        let mut all = [parts.train, parts.validation, parts.test].concat();
        all.sort_unstable();
        assert_eq!(all, (0..150).collect::<Vec<_>>());
    }

    #[test]
    fn a_limit_bounds_training_and_validation_together_and_never_the_test() {
        let labels = vec![0; 1000];
        let parts = stratify(&labels, 3, Some(90)).unwrap();
        assert_eq!(parts.train.len() + parts.validation.len(), 90);
        assert_eq!(parts.validation.len(), 10);
        assert_eq!(stratify(&[0, 0, 0, 1, 1, 1], 3, Some(2)).unwrap().train.len(), 1);
        assert_eq!(parts.test, stratify(&labels, 3, None).unwrap().test);
    }

    #[test]
    fn three_of_a_class_are_enough_and_two_are_not() {
        let parts = stratify(&[0, 0, 0, 1], 0, None).unwrap();
        assert_eq!(
            (parts.train.len(), parts.validation.len(), parts.test.len()),
            (2, 1, 1),
            "one of class 0 in each part, class 1 in training"
        );
        assert!(stratify(&[0, 0, 1, 1], 0, None).is_err());
        assert!(stratify(&[], 0, None).is_err());
    }

    /// A hundred lines of text, which are no [`Example`](crate::data::Example)s.
    struct Lines(&'static str);

    impl Dataset<String, Error> for Lines {
        fn get(&self, index: usize) -> Result<String> {
            Ok(format!("{}{index}", self.0))
        }

        fn len(&self) -> usize {
            100
        }
    }

    #[test]
    fn what_is_lacking_is_taken_from_training() {
        let part = |name| Arc::new(Lines(name)) as Items<String>;
        let split = |validation: Option<&'static str>, test: Option<&'static str>, limit| {
            let (validation, test) = (validation.map(part), test.map(part));
            let own = Published { train: part("train"), validation, test, sorted: false };
            let split = own.split(&[0; 100], 1, limit, Path::new("lines"));
            split.map(|parts| parts.map(|part| (part.get(0).unwrap(), part.len())))
        };
        let begins = |parts: [(String, usize); 3], names: [&str; 3], counts: [usize; 3]| {
            let found = parts.each_ref().map(|(_, count)| *count);
            assert_eq!(found, counts);
            assert!(parts.iter().zip(names).all(|((first, _), name)| first.starts_with(name)));
        };
        let all = ["train", "val", "test"];
        begins(split(Some("val"), Some("test"), Some(7)).unwrap(), all, [7, 100, 100]);
        // A lone validation part judges.
        let held_out = ["train", "train", "val"];
        begins(split(Some("val"), None, None).unwrap(), held_out, [90, 10, 100]);
        begins(split(None, None, None).unwrap(), ["train"; 3], [80, 10, 10]);
        let why = split(None, Some("test"), Some(1)).unwrap_err().to_string();
        assert!(why.starts_with("--limit: too few examples"), "{why}");
    }
}
