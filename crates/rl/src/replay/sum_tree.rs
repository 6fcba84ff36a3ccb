//! A tree of sums over priorities: draws an index in proportion to its priority, and changes
//! one, in time that grows with the logarithm of their number.

use crate::env::Random;

/// Priorities as the leaves of a binary tree whose inner nodes hold the sums below them.
#[derive(Clone, Debug)]
pub struct SumTree {
    /// Node `i` has the children `2i` and `2i + 1`; node 1 is the root, leaves begin in the middle.
    nodes: Vec<f64>,
}

impl SumTree {
    /// So many priorities, all zero.
    pub fn new(len: usize) -> Self {
        Self { nodes: vec![0.0; 2 * len.next_power_of_two()] }
    }

    fn leaves(&self) -> usize {
        self.nodes.len() / 2
    }

    /// The priority at `index`.
    pub fn get(&self, index: usize) -> f64 {
        self.nodes[self.leaves() + index]
    }

    /// The sum of all.
    pub fn total(&self) -> f64 {
        self.nodes[1]
    }

    /// Changes one. Sums are added anew from below, so that no rounding error grows with time.
    pub fn set(&mut self, index: usize, priority: f64) {
        let mut node = self.leaves() + index;
        self.nodes[node] = priority;
        while node > 1 {
            node /= 2;
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1];
        }
    }

    /// The index at which the running sum of priorities first exceeds `mass`, which is at least
    /// 0 and below [`SumTree::total`].
    pub fn find(&self, mut mass: f64) -> usize {
        let mut node = 1;
        while node < self.leaves() {
            node *= 2;
            // A sum of zero on the right is never entered, even where rounding says so.
            if mass >= self.nodes[node] && self.nodes[node + 1] > 0.0 {
                mass -= self.nodes[node];
                node += 1;
            }
        }
        node - self.leaves()
    }

    /// An index drawn in proportion to its priority.
    pub fn draw(&self, random: &mut Random) -> usize {
        let unit = (random.bits() >> 11) as f64 / (1u64 << 53) as f64;
        self.find(unit * self.total())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same, one after the other.
    fn naive(priorities: &[f64], mass: f64) -> usize {
        let mut sum = 0.0;
        for (index, priority) in priorities.iter().enumerate() {
            sum += priority;
            if mass < sum {
                return index;
            }
        }
        unreachable!("a mass below the total")
    }

    proptest! {
        /// Whole numbers, so that both ways of adding are exact.
        #[test]
        fn agrees_with_a_plain_search(
            len in 1usize..70,
            changes in prop::collection::vec((0usize..70, 0u32..9), 1..200),
            part in 0.0f64..1.0,
        ) {
            let (mut tree, mut plain) = (SumTree::new(len), vec![0.0; len]);
            for (index, priority) in changes {
                tree.set(index % len, priority.into());
                plain[index % len] = priority.into();
            }
            let total: f64 = plain.iter().sum();
            prop_assert_eq!(tree.total(), total);
            if total > 0.0 {
                let mass = part * total;
                prop_assert_eq!(tree.find(mass), naive(&plain, mass));
            }
        }
    }

    #[test]
    fn draws_in_proportion_and_never_what_has_no_priority() {
        let (mut tree, mut random) = (SumTree::new(5), Random::new(1));
        tree.set(1, 1.0);
        tree.set(3, 3.0);
        let mut counts = [0; 5];
        for _ in 0..10_000 {
            counts[tree.draw(&mut random)] += 1;
        }
        assert_eq!([counts[0], counts[2], counts[4]], [0; 3]);
        assert!((2350..2650).contains(&counts[1]), "{counts:?}");
    }
}
