//! Byte-pair encoding (Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with
//! Subword Units", ACL 2016): words are split into the pieces that a text has most of.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Begins a piece that begins a word.
pub const WORD: char = '\u{2581}';

/// The merges that were learnt, in the order in which they are applied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bpe {
    merges: Vec<(String, String)>,
}

impl Bpe {
    /// Learns so many merges from a text's words and how often each one occurs; fewer where no
    /// pair occurs twice. Of pairs that occur equally often the first in the alphabet is merged.
    pub fn learn(words: &BTreeMap<String, usize>, merges: usize) -> Self {
        let mut symbols: Vec<Vec<String>> =
            words.keys().map(|word| word.chars().map(String::from).collect()).collect();
        let counts: Vec<usize> = words.values().copied().collect();
        let mut pairs: HashMap<(String, String), (usize, BTreeSet<usize>)> = HashMap::new();
        for (index, word) in symbols.iter().enumerate() {
            add(&mut pairs, word, index, counts[index]);
        }
        let mut learnt = Vec::new();
        while learnt.len() < merges {
            let best = pairs.iter().filter(|(_, (count, _))| *count > 1).max_by(|a, b| {
                let (first, second) = (a.1.0, b.1.0);
                first.cmp(&second).then_with(|| b.0.cmp(a.0))
            });
            let Some((pair, (_, places))) = best else { break };
            let (pair, places) = (pair.clone(), places.clone());
            for index in places {
                remove(&mut pairs, &symbols[index], index, counts[index]);
                merge(&mut symbols[index], &pair);
                add(&mut pairs, &symbols[index], index, counts[index]);
            }
            learnt.push(pair);
        }
        Self { merges: learnt }
    }

    /// The pieces that all merges and all of a text's characters make.
    pub fn pieces(&self, words: &BTreeMap<String, usize>) -> Vec<String> {
        let characters: BTreeSet<char> = words.keys().flat_map(|word| word.chars()).collect();
        let characters = characters.into_iter().map(String::from);
        characters.chain(self.merges.iter().map(|(a, b)| format!("{a}{b}"))).collect()
    }

    /// A splitter, which must look up merges by their pair.
    pub fn splitter(&self) -> Splitter {
        let ranks = self.merges.iter().enumerate().map(|(rank, pair)| (pair.clone(), rank));
        Splitter { ranks: ranks.collect() }
    }
}

/// Splits words.
#[derive(Clone, Debug, Default)]
pub struct Splitter {
    ranks: HashMap<(String, String), usize>,
}

impl Splitter {
    /// The pieces of a word.
    pub fn split(&self, word: &str) -> Vec<String> {
        let mut symbols: Vec<String> = word.chars().map(String::from).collect();
        loop {
            let ranked = symbols.windows(2).filter_map(|pair| {
                let pair = (pair[0].clone(), pair[1].clone());
                self.ranks.get(&pair).map(|&rank| (rank, pair))
            });
            let Some((_, pair)) = ranked.min_by_key(|(rank, _)| *rank) else { return symbols };
            merge(&mut symbols, &pair);
        }
    }
}

type Pairs = HashMap<(String, String), (usize, BTreeSet<usize>)>;

fn add(pairs: &mut Pairs, word: &[String], index: usize, count: usize) {
    for pair in word.windows(2) {
        let entry = pairs.entry((pair[0].clone(), pair[1].clone())).or_default();
        entry.0 += count;
        entry.1.insert(index);
    }
}

fn remove(pairs: &mut Pairs, word: &[String], index: usize, count: usize) {
    for pair in word.windows(2) {
        let key = (pair[0].clone(), pair[1].clone());
        let Some(entry) = pairs.get_mut(&key) else { continue };
        entry.0 -= count;
        entry.1.remove(&index);
        if entry.0 == 0 {
            pairs.remove(&key);
        }
    }
}

/// Joins every occurrence of the pair, from the left.
fn merge(word: &mut Vec<String>, (first, second): &(String, String)) {
    let mut index = 0;
    while index + 1 < word.len() {
        if word[index] == *first && word[index + 1] == *second {
            let second = word.remove(index + 1);
            word[index].push_str(&second);
        }
        index += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        text.split(' ').for_each(|word| *counts.entry(word.to_string()).or_default() += 1);
        counts
    }

    #[test]
    fn the_papers_example() {
        // Section 3.2: low 5, lower 2, newest 6, widest 3; there with an end-of-word mark.
        let counts: BTreeMap<String, usize> =
            [("low.", 5), ("lower.", 2), ("newest.", 6), ("widest.", 3)]
                .map(|(word, count)| (word.to_string(), count))
                .into();
        let bpe = Bpe::learn(&counts, 4);
        let merges: Vec<String> = bpe.merges.iter().map(|(a, b)| format!("{a} {b}")).collect();
        assert_eq!(merges, ["e s", "es t", "est .", "l o"]);
        assert_eq!(bpe.splitter().split("lowest."), ["lo", "w", "est."]);
    }

    #[test]
    fn pieces_join_to_the_word_and_repeats_are_merged_from_the_left() {
        let counts = words("aaaa aaaa aab banana");
        let bpe = Bpe::learn(&counts, 100);
        for word in ["aaaaa", "banana", "cab", ""] {
            assert_eq!(bpe.splitter().split(word).concat(), word);
        }
        assert_eq!(bpe.splitter().split("aaa"), ["aa", "a"]);
    }

    #[test]
    fn incremental_counts_agree_with_counting_anew() {
        let text = "the thin thing then thought that those other mothers bathe there";
        let counts = words(text);
        let bpe = Bpe::learn(&counts, 12);
        let mut symbols: Vec<(Vec<String>, usize)> = counts
            .iter()
            .map(|(word, &count)| (word.chars().map(String::from).collect(), count))
            .collect();
        for merged in &bpe.merges {
            let mut pairs: BTreeMap<(String, String), usize> = BTreeMap::new();
            for (word, count) in &symbols {
                for pair in word.windows(2) {
                    *pairs.entry((pair[0].clone(), pair[1].clone())).or_default() += count;
                }
            }
            let most = pairs.values().max().unwrap();
            let first = pairs.iter().find(|(_, count)| *count == most).unwrap().0;
            assert_eq!(first, merged);
            symbols.iter_mut().for_each(|(word, _)| merge(word, merged));
        }
    }
}
