//! A tree of words, and probabilities down its branches.
//!
//! J. Redmon, A. Farhadi, "YOLO9000: Better, Faster, Stronger", CVPR (2017), section 4: each word
//! has a softmax with its siblings; the product down a path is the probability of its end.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use tenfold_core::{Error, Result, files};

/// Words, at most.
const MOST: usize = 100_000;

/// The tree. Siblings stand side by side, after their parent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WordTree {
    names: Vec<String>,
    /// Of each word the one above it; of the first words none.
    parents: Vec<Option<usize>>,
}

impl WordTree {
    /// Darknet's file: a line for each word, with its name and the line of its parent from 0, or
    /// -1.
    ///
    /// # Errors
    /// A file that cannot be read, and the first line that is wrong.
    pub fn read(path: &Path) -> Result<Self> {
        let (mut names, mut parents) = (Vec::new(), Vec::new());
        for (place, line) in files::read_text(path)?.lines().enumerate() {
            let wrong = |why: &str| Error::file(path, format!("line {}: {why}", place + 1));
            let Some((name, parent)) = line.trim().rsplit_once(char::is_whitespace) else {
                return Err(wrong("expected a word and the number of its parent's line, or -1"));
            };
            names.push(name.trim().to_owned());
            parents.push(match parent.parse::<i64>() {
                Ok(-1) => None,
                Ok(above) if (0..place as i64).contains(&above) => Some(above as usize),
                _ => return Err(wrong("expected the number of a line above, from 0, or -1")),
            });
        }
        let own = Self { names, parents };
        own.check().map_err(|why| Error::file(path, why))?;
        Ok(own)
    }

    /// Of labels such as `animal/dog/terrier`; of labels without a slash all are siblings.
    pub fn of_labels(labels: &[String]) -> Self {
        let mut children: Vec<Vec<&str>> = vec![Vec::new()];
        let mut places: HashMap<&str, usize> = HashMap::from([("", 0)]);
        for label in labels {
            let ends = label.match_indices('/').map(|(at, _)| at).chain([label.len()]);
            let mut above = 0;
            for end in ends {
                let path = &label[..end];
                let next = *places.entry(path).or_insert(children.len());
                if next == children.len() {
                    children[above].push(path);
                    children.push(Vec::new());
                }
                above = next;
            }
        }
        // Breadth first, so that siblings stand together.
        let (mut own, mut waiting, mut first) = (Self::default(), vec![("", None)], 0);
        while let Some(&(path, place)) = waiting.get(first) {
            for &child in &children[places[path]] {
                own.parents.push(place);
                own.names.push(child.to_owned());
                waiting.push((child, Some(own.names.len() - 1)));
            }
            first += 1;
        }
        own
    }

    /// Refuses what is no tree.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> std::result::Result<(), String> {
        let Self { names, parents } = self;
        if names.len() != parents.len() || names.is_empty() || names.len() > MOST {
            return Err(format!("{} words; expected 1 to {MOST}, each with a parent", names.len()));
        }
        let later =
            |(place, above): (usize, &Option<usize>)| above.is_some_and(|above| above >= place);
        if let Some((place, _)) = parents.iter().enumerate().find(|&own| later(own)) {
            return Err(format!("`{}` stands before its parent", names[place]));
        }
        let mut seen = std::collections::HashSet::new();
        for group in self.groups() {
            if !seen.insert(parents[group.start]) {
                return Err(format!("`{}` stands apart from its siblings", names[group.start]));
            }
        }
        Ok(())
    }

    /// Words.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no word.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The place of a word.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|own| own == name)
    }

    /// Refuses labels that are no words of it.
    ///
    /// # Errors
    /// The first of them.
    pub fn knows(&self, labels: &[String]) -> Result<()> {
        match labels.iter().find(|label| self.place(label).is_none()) {
            Some(label) => Err(Error::argument("--tree", format!("has no word `{label}`"))),
            None => Ok(()),
        }
    }

    /// The words.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether no word stands below this one.
    pub fn is_leaf(&self, place: usize) -> bool {
        !self.parents.contains(&Some(place))
    }

    /// A word and all above it.
    pub fn path(&self, place: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(place), |&own| self.parents[own])
    }

    /// Siblings.
    fn groups(&self) -> Vec<Range<usize>> {
        let mut all: Vec<Range<usize>> = Vec::new();
        for (place, parent) in self.parents.iter().enumerate() {
            match all.last_mut() {
                Some(last) if self.parents[last.start] == *parent => last.end = place + 1,
                _ => all.push(place..place + 1),
            }
        }
        all
    }

    /// Logits `[rows, words]` to logarithms of probabilities among siblings.
    pub fn log_softmax(&self, logits: Tensor<2>) -> Tensor<2> {
        let groups = self.groups().into_iter();
        let one = |own: Range<usize>| {
            log_softmax(logits.clone().narrow(1, own.start, own.end - own.start), 1)
        };
        Tensor::cat(groups.map(one).collect(), 1)
    }

    /// Logits of the words to the probability of each, down from the top.
    pub fn probabilities(&self, logits: &[f32]) -> Vec<f32> {
        let mut all = vec![0.0; logits.len()];
        for group in self.groups() {
            let own = &logits[group.clone()];
            let most = own.iter().copied().fold(f32::MIN, f32::max);
            let sum: f32 = own.iter().map(|logit| (logit - most).exp()).sum();
            let above = self.parents[group.start].map_or(1.0, |above| all[above]);
            for place in group {
                all[place] = above * (logits[place] - most).exp() / sum;
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::device;

    fn words(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn labels_with_slashes_are_a_tree() {
        let labels = words(&["round/circle", "angular/square", "round/ring", "star"]);
        let own = WordTree::of_labels(&labels);
        let expected = ["round", "angular", "star", "round/circle", "round/ring", "angular/square"];
        assert_eq!(own.names(), words(&expected));
        own.check().unwrap();
        assert_eq!(own.path(4).collect::<Vec<_>>(), [4, 0]);
        assert!(own.is_leaf(2) && !own.is_leaf(0));
        let flat = WordTree::of_labels(&words(&["a", "b"]));
        assert_eq!((flat.len(), flat.path(1).count()), (2, 1));
    }

    #[test]
    fn probabilities_multiply_down_a_path() {
        let labels = words(&["round/circle", "angular/square", "round/ring"]);
        let tree = WordTree::of_labels(&labels); // round angular circle ring square
        let logits = [1.0, 0.0, 2.0, 0.0, 5.0];
        let own = tree.probabilities(&logits);
        let e = std::f32::consts::E;
        let round = e / (e + 1.0);
        assert!((own[0] - round).abs() < 1e-6);
        assert!((own[2] - round * e * e / (e * e + 1.0)).abs() < 1e-6);
        assert!((own[4] - own[1]).abs() < 1e-6);
        let device = device::open("cpu").unwrap();
        let logs = tree.log_softmax(Tensor::<2>::from_data([logits], &device));
        let logs: Vec<f32> = logs.into_data().iter().collect();
        for (place, own) in own.iter().enumerate() {
            let sum: f32 = tree.path(place).map(|place| logs[place]).sum();
            assert!((sum.exp() - own).abs() < 1e-6);
        }
    }

    #[test]
    fn darknets_file_and_what_is_wrong_with_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.tree");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            WordTree::read(&path).map_err(|why| why.to_string())
        };
        let own = read("thing -1\nn02 0\nhot dog 0\nterrier 1\n").unwrap();
        assert_eq!((own.len(), own.place("hot dog")), (4, Some(2)));
        own.knows(&words(&["n02", "terrier"])).unwrap();
        let why = own.knows(&words(&["n02", "cat"])).unwrap_err().to_string();
        assert_eq!(why, "--tree: has no word `cat`");
        for (text, why) in [
            ("", "0 words"),
            ("a\n", "line 1: expected a word"),
            ("a 0\n", "line 1: expected the number of a line above"),
            ("a -1\nb 7\n", "line 2: expected the number"),
            ("a -1\nb 0\nc 1\nd 0\n", "`d` stands apart from its siblings"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
