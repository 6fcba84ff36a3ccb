//! What is learnt from, what chooses, and what judges.

#[cfg(feature = "cli")]
use tenfold_core::task::Split;

/// The three parts of a data set.
#[derive(Clone, Debug)]
pub struct Splits<T> {
    /// To learn from.
    pub train: T,
    /// To choose the epoch by.
    pub validation: T,
    /// To judge by, once.
    pub test: T,
}

impl<T> Splits<T> {
    /// One of them.
    #[cfg(feature = "cli")]
    pub fn get(&self, split: Split) -> &T {
        match split {
            Split::Train => &self.train,
            Split::Validation => &self.validation,
            Split::Test => &self.test,
        }
    }

    /// All three, in this order.
    pub fn all(&self) -> [&T; 3] {
        [&self.train, &self.validation, &self.test]
    }

    /// All three, to be changed.
    pub fn all_mut(&mut self) -> [&mut T; 3] {
        [&mut self.train, &mut self.validation, &mut self.test]
    }
}
