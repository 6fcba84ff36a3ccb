//! Byte-pair encoding (Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with
//! Subword Units", ACL 2016): words are split into the pieces that a text has most of. Learnt and
//! applied by the `tokenizers` crate.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::{Model, Trainer};

/// Begins a piece that begins a word.
pub const WORD: char = '\u{2581}';

/// The merges that were learnt, in the order in which they are applied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bpe {
    merges: Vec<(String, String)>,
}

impl Bpe {
    /// Learns from a text's words and how often each one occurs so many pieces, the text's
    /// characters among them; fewer where no pair occurs twice.
    ///
    /// # Errors
    /// What the library says.
    pub fn learn(words: &BTreeMap<String, usize>, pieces: usize) -> tokenizers::Result<Self> {
        let mut trainer =
            BpeTrainer::builder().vocab_size(pieces).min_frequency(2).show_progress(false).build();
        trainer.feed(words.keys(), |word| Ok(vec![word.to_owned(); words[word]]))?;
        let mut model = BPE::default();
        trainer.train(&mut model)?;
        // The library shows its merges in what it saves.
        Ok(serde_json::from_value(serde_json::to_value(&model)?)?)
    }

    /// The pieces that all merges and all of a text's characters make.
    pub fn pieces(&self, words: &BTreeMap<String, usize>) -> Vec<String> {
        let merged = self.merges.iter().map(|(a, b)| format!("{a}{b}"));
        let characters: BTreeSet<char> = words.keys().flat_map(|word| word.chars()).collect();
        characters.into_iter().map(String::from).chain(merged).collect()
    }

    /// What splits words, for which it must know all pieces; `unknown` is the one that stands
    /// for what is none.
    ///
    /// # Errors
    /// A merge of something that is no piece.
    pub fn splitter(&self, pieces: &[String], unknown: &str) -> tokenizers::Result<Splitter> {
        let vocabulary = (0..).zip(pieces).map(|(number, piece)| (piece.clone(), number));
        let model = BPE::builder()
            .vocab_and_merges(
                vocabulary.collect::<tokenizers::models::bpe::Vocab>(),
                self.merges.clone(),
            )
            .unk_token(unknown.into())
            .build()?;
        Ok(Splitter(model))
    }
}

/// Splits words.
#[derive(Clone, Debug)]
pub struct Splitter(BPE);

impl Splitter {
    /// The pieces of a word; characters that are none stand alone.
    pub fn split(&self, word: &str) -> Vec<String> {
        let part = |token: &tokenizers::Token| word[token.offsets.0..token.offsets.1].to_owned();
        // It could refuse only if there were no piece for what is unknown.
        let pieces = self.0.tokenize(word).map(|tokens| tokens.iter().map(part).collect());
        pieces.unwrap_or_else(|_| vec![word.to_owned()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(counts: &[(&str, usize)], pieces: usize) -> (Bpe, Splitter) {
        let counts = counts.iter().map(|&(word, count)| (word.to_owned(), count)).collect();
        let bpe = Bpe::learn(&counts, pieces).unwrap();
        let pieces = [vec!["<unk>".to_string()], bpe.pieces(&counts)].concat();
        let splitter = bpe.splitter(&pieces, "<unk>").unwrap();
        (bpe, splitter)
    }

    #[test]
    fn the_papers_example() {
        // Section 3.2: low 5, lower 2, newest 6, widest 3; there with an end-of-word mark, and
        // in another order where pairs occur equally often.
        let counts = [("low.", 5), ("lower.", 2), ("newest.", 6), ("widest.", 3)];
        let (bpe, splitter) = learnt(&counts, 11 + 4);
        let merges: Vec<String> = bpe.merges.iter().map(|(a, b)| format!("{a} {b}")).collect();
        assert_eq!(merges, ["e s", "t .", "es t.", "l o"]);
        assert_eq!(splitter.split("lowest."), ["lo", "w", "est."]);
    }

    #[test]
    fn pieces_join_to_the_word_known_or_not() {
        let (_, splitter) = learnt(&[("aaaa", 2), ("aab", 1), ("banana", 1)], 100);
        for word in ["aaaaa", "banana", "cäb", "\u{1f600}a", ""] {
            assert_eq!(splitter.split(word).concat(), word);
        }
        assert_eq!(splitter.split("cäb"), ["c", "ä", "b"]);
    }
}
