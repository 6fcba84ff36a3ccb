//! From text to numbers and back: tokenisers and vocabularies, which stand in `config.json`.

use crate::bpe::{Bpe, Splitter, WORD};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use tenfold_core::{Error, Result};

/// Fills sequences that are shorter than others of their batch.
pub const PAD: usize = 0;
/// Stands for a token that the vocabulary lacks.
pub const UNKNOWN: usize = 1;
/// Begins a sequence that is to be written.
pub const BEGIN: usize = 2;
/// Ends it.
pub const END: usize = 3;
/// The names of these, in this order; every vocabulary begins with them.
pub const SPECIAL: [&str; 4] = ["<pad>", "<unk>", "<s>", "</s>"];

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A character (a Unicode scalar value).
    Character,
    /// A word in lower case, or a punctuation mark.
    Word,
    /// The same, but each character of a script that sets no spaces between words by itself.
    Mixed,
    /// A piece of a word, see [`Bpe`].
    Bpe,
}

impl Unit {
    /// What suits some texts: words, and characters where a twentieth of all letters or more are
    /// of a script without spaces, such as Chinese, in which a whole clause would be one word.
    pub fn of_words_in<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut letters, mut close) = (0, 0);
        for letter in texts.into_iter().flat_map(str::chars).filter(|c| c.is_alphabetic()) {
            letters += 1;
            close += usize::from(is_spaceless(letter));
        }
        if close > 0 && close * 20 >= letters { Self::Mixed } else { Self::Word }
    }

    /// What the tokens are called, in the plural.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Character => "characters",
            Self::Word => "words",
            Self::Mixed => "words and characters (a script without spaces is read by characters)",
            Self::Bpe => "pieces of words",
        }
    }
}

/// Whether a character is of a script that sets no spaces between words: Thai and Lao, Burmese,
/// Khmer, Japanese, Chinese.
fn is_spaceless(c: char) -> bool {
    matches!(
        u32::from(c),
        0x0E00..=0x0EFF
            | 0x1000..=0x109F
            | 0x1780..=0x17FF
            | 0x3005..=0x3007
            | 0x3040..=0x30FF
            | 0x31F0..=0x31FF
            | 0x3400..=0x4DBF
            | 0x4E00..=0x9FFF
            | 0xF900..=0xFAFF
            | 0xFF66..=0xFF9F
            | 0x2_0000..=0x3_FFFF
    )
}

/// The tokens that a model knows, each with its number.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct Vocabulary {
    /// What a token is.
    pub unit: Unit,
    /// How words are split, where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    bpe: Option<Bpe>,
    /// By number, the special ones first.
    tokens: Vec<String>,
    #[serde(skip)]
    numbers: HashMap<String, usize>,
    #[serde(skip)]
    splitter: Option<Splitter>,
}

/// What a file has of a [`Vocabulary`].
#[derive(Deserialize)]
struct Saved {
    unit: Unit,
    #[serde(default)]
    bpe: Option<Bpe>,
    tokens: Vec<String>,
}

impl TryFrom<Saved> for Vocabulary {
    type Error = tokenizers::Error;

    fn try_from(saved: Saved) -> Result<Self, Self::Error> {
        let Saved { unit, bpe, tokens } = saved;
        let splitter =
            bpe.as_ref().map(|bpe| bpe.splitter(&tokens, SPECIAL[UNKNOWN])).transpose()?;
        let numbers = tokens.iter().cloned().zip(0..).collect();
        Ok(Self { unit, bpe, tokens, numbers, splitter })
    }
}

impl PartialEq for Vocabulary {
    fn eq(&self, other: &Self) -> bool {
        (self.unit, &self.bpe, &self.tokens) == (other.unit, &other.bpe, &other.tokens)
    }
}

impl Vocabulary {
    /// From the texts that a model learns from: the `size` most frequent characters or words
    /// that occur at least `min_count` times; equally frequent ones in the order of the alphabet.
    pub fn build<'a>(
        unit: Unit,
        texts: impl IntoIterator<Item = &'a str>,
        size: usize,
        min_count: usize,
    ) -> Self {
        let mut ranked: Vec<_> =
            counted(unit, texts).into_iter().filter(|(_, count)| *count >= min_count).collect();
        ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let room = size.saturating_sub(SPECIAL.len());
        Self::of(unit, ranked.into_iter().take(room).map(|(token, _)| token))
    }

    /// At most `size` pieces of words, learnt from texts.
    ///
    /// # Errors
    /// Texts that no pieces can be learnt from.
    pub fn of_pieces<'a>(texts: impl IntoIterator<Item = &'a str>, size: usize) -> Result<Self> {
        let counts = counted(Unit::Bpe, texts);
        let learnt = || {
            let bpe = Bpe::learn(&counts, size.saturating_sub(SPECIAL.len()))?;
            let Self { tokens, .. } = Self::of(Unit::Bpe, bpe.pieces(&counts));
            Self::try_from(Saved { unit: Unit::Bpe, bpe: Some(bpe), tokens })
        };
        learnt().map_err(|why| Error::Training(format!("pieces of words: {why}")))
    }

    /// Of words in this order, after the special ones.
    pub fn of_words(words: impl IntoIterator<Item = String>) -> Self {
        Self::of(Unit::Word, words)
    }

    fn of(unit: Unit, own: impl IntoIterator<Item = String>) -> Self {
        let mut tokens: Vec<String> = SPECIAL.map(String::from).into();
        let mut seen: HashSet<String> = tokens.iter().cloned().collect();
        tokens.extend(own.into_iter().filter(|token| seen.insert(token.clone())));
        let numbers = tokens.iter().cloned().zip(0..).collect();
        Self { unit, bpe: None, tokens, numbers, splitter: None }
    }

    /// How many tokens there are, the special ones among them.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is none but the special ones.
    pub fn is_empty(&self) -> bool {
        self.len() <= SPECIAL.len()
    }

    /// All tokens, by number.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// The number of a token; [`UNKNOWN`] where it is not known.
    pub fn number(&self, token: &str) -> usize {
        self.numbers.get(token).copied().unwrap_or(UNKNOWN)
    }

    /// The tokens of a text as they are called, known or not.
    pub fn split(&self, text: &str) -> Vec<String> {
        let words = raw_tokens(self.unit, text);
        match &self.splitter {
            Some(splitter) => words.flat_map(|word| splitter.split(&word)).collect(),
            None => words.collect(),
        }
    }

    /// The tokens of a text that are not known, and how many it has in all.
    pub fn unknown(&self, text: &str) -> (Vec<String>, usize) {
        let tokens = self.split(text);
        let all = tokens.len();
        (tokens.into_iter().filter(|token| self.number(token) == UNKNOWN).collect(), all)
    }

    /// The numbers of a text's tokens.
    pub fn encode(&self, text: &str) -> Vec<usize> {
        self.split(text).iter().map(|token| self.number(token)).collect()
    }

    /// The text of some tokens, the special ones left out.
    pub fn decode(&self, numbers: &[usize]) -> String {
        let own = |&&number: &&usize| number >= SPECIAL.len() || number == UNKNOWN;
        let tokens = numbers.iter().filter(own).filter_map(|&number| self.tokens.get(number));
        match self.unit {
            Unit::Character => tokens.map(String::as_str).collect(),
            Unit::Bpe => {
                let text: String = tokens.map(String::as_str).collect();
                text.replace(WORD, " ").trim_start().to_string()
            }
            Unit::Word | Unit::Mixed => {
                let mut text = String::new();
                for token in tokens {
                    let mark = token.chars().all(|c| ".,!?;:)".contains(c));
                    let close = |c: Option<char>| {
                        self.unit == Unit::Mixed && c.is_some_and(|c| !c.is_ascii())
                    };
                    let close = close(token.chars().next()) && close(text.chars().next_back());
                    if !text.is_empty() && !mark && !close {
                        text.push(' ');
                    }
                    text.push_str(token);
                }
                text
            }
        }
    }
}

/// How often each token occurs, before any vocabulary.
fn counted<'a>(unit: Unit, texts: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for token in texts.into_iter().flat_map(|text| raw_tokens(unit, text)) {
        *counts.entry(token).or_default() += 1;
    }
    counts
}

/// The tokens of a text before any vocabulary: characters, words in lower case and marks, or
/// words that are still to be split.
fn raw_tokens<'a>(unit: Unit, text: &'a str) -> Box<dyn Iterator<Item = String> + 'a> {
    match unit {
        Unit::Character => Box::new(text.chars().map(String::from)),
        Unit::Word => Box::new(words(text).map(|(_, word)| word.to_lowercase())),
        Unit::Mixed => Box::new(words(text).flat_map(|(_, word)| apart(&word.to_lowercase()))),
        Unit::Bpe => Box::new(words(text).map(|(first, word)| match first {
            true => format!("{WORD}{word}"),
            false => word.to_string(),
        })),
    }
}

/// A word, or what it consists of where characters of a script without spaces are in it.
pub fn apart(word: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut open = false;
    for c in word.chars() {
        let alone = is_spaceless(c);
        match parts.last_mut() {
            Some(last) if open && !alone => last.push(c),
            _ => parts.push(c.into()),
        }
        open = !alone;
    }
    parts
}

/// Runs of letters, digits and apostrophes, and single marks, each with whether it follows
/// white space.
fn words(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let part = |c: char| c.is_alphanumeric() || c == '\'' || c == '\u{2019}';
    text.split_whitespace().flat_map(move |chunk| {
        let mut rest = chunk;
        std::iter::from_fn(move || {
            let first = rest.chars().next()?;
            let end = match part(first) {
                true => rest.find(|c| !part(c)).unwrap_or(rest.len()),
                false => first.len_utf8(),
            };
            let begins = rest.len() == chunk.len();
            let (word, left) = rest.split_at(end);
            rest = left;
            Some((begins, word))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_and_marks() {
        let vocabulary = Vocabulary::build(Unit::Word, ["It's a dog, a DOG!"], 100, 1);
        assert_eq!(vocabulary.tokens()[4..], ["a", "dog", "!", ",", "it's"]);
        assert_eq!(vocabulary.encode("A cat!"), [4, UNKNOWN, 6]);
        assert_eq!(vocabulary.decode(&[BEGIN, 8, 4, 5, 6, END, PAD]), "it's a dog!");
    }

    #[test]
    fn scripts_without_spaces_are_read_by_characters() {
        let texts = ["\u{8fd9}\u{90e8}iPhone 15\u{4e0d}\u{597d}\u{3002}", "\u{0e14}\u{0e35}"];
        assert_eq!(Unit::of_words_in(texts), Unit::Mixed);
        assert_eq!(Unit::of_words_in(["A film, na\u{ef}ve \u{6f22}"]), Unit::Mixed);
        assert_eq!(Unit::of_words_in(["A na\u{ef}ve film of thirty letters \u{6f22}"]), Unit::Word);
        assert_eq!(Unit::of_words_in(["12", ""]), Unit::Word);
        let vocabulary = Vocabulary::build(Unit::Mixed, texts, 100, 1);
        let split = ["\u{8fd9}", "\u{90e8}", "iphone", "15", "\u{4e0d}", "\u{597d}", "\u{3002}"];
        assert_eq!(vocabulary.split(texts[0]), split);
        assert_eq!(
            vocabulary.decode(&vocabulary.encode("\u{8fd9}\u{90e8}iphone 15\u{597d}")),
            "\u{8fd9}\u{90e8} iphone 15 \u{597d}"
        );
        // Opposites differ.
        let (good, bad) = ("\u{8fd9}\u{90e8}\u{597d}", "\u{8fd9}\u{90e8}\u{4e0d}\u{597d}");
        assert_ne!(vocabulary.encode(good), vocabulary.encode(bad));
        assert!(!vocabulary.encode(bad).contains(&UNKNOWN));
    }

    #[test]
    fn the_most_frequent_are_kept_and_the_rare_left_out() {
        let text = ["c c c b b a"];
        assert_eq!(Vocabulary::build(Unit::Word, text, 6, 1).tokens()[4..], ["c", "b"]);
        assert_eq!(Vocabulary::build(Unit::Word, text, 9, 2).tokens()[4..], ["c", "b"]);
    }

    #[test]
    fn it_comes_back_from_json() {
        let text = ["low lower newest widest, low low newest"];
        let built = |unit| Vocabulary::build(unit, text, 30, 1);
        let pieces = Vocabulary::of_pieces(text, 30).unwrap();
        for vocabulary in [built(Unit::Character), built(Unit::Word), built(Unit::Mixed), pieces] {
            let json = serde_json::to_string(&vocabulary).unwrap();
            let back: Vocabulary = serde_json::from_str(&json).unwrap();
            assert_eq!(back, vocabulary);
            assert_eq!(back.encode("lowest, new"), vocabulary.encode("lowest, new"));
        }
    }

    #[test]
    fn merges_of_what_is_no_piece_are_refused() {
        let json = r#"{"unit":"bpe","bpe":{"merges":[["a","b"]]},"tokens":["<pad>","<unk>"]}"#;
        let why = serde_json::from_str::<Vocabulary>(json).unwrap_err().to_string();
        assert!(why.contains("`a`"), "{why}");
    }

    proptest! {
        #[test]
        fn a_text_of_known_characters_comes_back(text in "[ab .,\u{e9}]{0,40}") {
            let whole = "ab .,\u{e9} ab ab, .";
            let character = Vocabulary::build(Unit::Character, [whole], 50, 1);
            prop_assert_eq!(character.decode(&character.encode(&text)), text.clone());
            let bpe = Vocabulary::of_pieces([whole, &text], 50).unwrap();
            let spaced = text.split_whitespace().collect::<Vec<_>>().join(" ");
            prop_assert_eq!(bpe.decode(&bpe.encode(&text)), spaced);
        }
    }
}
