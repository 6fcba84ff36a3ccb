//! Words and their vectors, asked for near words and analogies.

use crate::batch::numbers;
use crate::text;
use crate::vocab::{SPECIAL, Vocabulary};
use burn::module::{Module, Param};
use burn::nn::Embedding;
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::BTreeMap;
use std::path::Path;
use tenfold_core::suggest::Suggestion;
use tenfold_core::{Error, Result};

/// The vectors as weights.
#[derive(Module, Debug)]
pub struct Table {
    /// `[tokens, dimensions]`
    pub embedding: Embedding,
}

impl Table {
    pub(super) fn of(values: &[f32], words: usize, width: usize, device: &Device) -> Self {
        let data = TensorData::new(values.to_vec(), [words, width]);
        let weight = Param::from_tensor(Tensor::from_data(data, device));
        Self { embedding: Embedding { weight } }
    }
}

/// Words and their vectors, each of length 1.
pub struct Vectors {
    words: Vec<String>,
    numbers: BTreeMap<String, usize>,
    width: usize,
    values: Vec<f32>,
}

impl Vectors {
    fn new(words: Vec<String>, width: usize, mut values: Vec<f32>) -> Self {
        for vector in values.chunks_mut(width) {
            let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            vector.iter_mut().for_each(|x| *x /= length);
        }
        let numbers = words.iter().enumerate().map(|(i, word)| (word.clone(), i)).collect();
        Self { words, numbers, width, values }
    }

    /// Those of a table, the special tokens left out.
    pub(super) fn of(table: &Table, vocabulary: &Vocabulary, width: usize) -> Result<Self> {
        let values = numbers(table.embedding.weight.val())?;
        let own = vocabulary.tokens()[SPECIAL.len()..].to_vec();
        Ok(Self::new(own, width, values[SPECIAL.len() * width..].to_vec()))
    }

    /// Whether a path is a text file, as vectors of others are.
    pub fn is_text(path: &Path) -> bool {
        path.is_file() && path.extension().is_some_and(|end| end == "txt" || end == "vec")
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// From a text file: a word and its numbers on each line, with a space between, as GloVe's;
    /// or with the counts of words and numbers above, as word2vec's. Numbers are counted from
    /// the line's end, since a word may hold blanks.
    ///
    /// # Errors
    /// A line of another length, or with what is no number.
    pub fn from_text(path: &Path) -> Result<Self> {
        let text = text::read(path)?;
        let mut lines = text.lines().enumerate().peekable();
        let counts = lines.peek().map(|(_, line)| line.split_whitespace().collect::<Vec<_>>());
        let counts = counts
            .filter(|line| line.len() == 2 && line.iter().all(|x| x.parse::<usize>().is_ok()));
        if counts.is_some() {
            lines.next();
        }
        let width = dimensions(lines.clone().map(|(_, line)| line));
        let (mut words, mut values) = (Vec::new(), Vec::new());
        for (number, line) in lines {
            let wrong = |why: String| Error::file(path, format!("line {}: {why}", number + 1));
            let parts: Vec<&str> = line.trim_end().split(' ').collect();
            // Where no line ends in a number, the last part is the one to name.
            let count = width.max(1);
            if parts.len() <= count || parts[0].is_empty() {
                let (own, word) = (parts.len() - 1, parts[0]);
                return Err(wrong(format!("{own} numbers after `{word}`, expected {count}")));
            }
            let (word, numbers) = parts.split_at(parts.len() - count);
            for part in numbers {
                let value = part.parse::<f32>().ok().filter(|value| value.is_finite());
                values.push(value.ok_or_else(|| wrong(format!("`{part}` is no number")))?);
            }
            words.push(word.join(" "));
        }
        match words.is_empty() {
            true => Err(Error::file(path, "no vectors in it")),
            false => Ok(Self::new(words, width, values)),
        }
    }

    /// The words nearest to a sum such as `king - man + woman`, those in it left out, best
    /// first; the score is the cosine of the angle between them, 0 at least.
    ///
    /// # Errors
    /// A word that is not known, or no word at all.
    pub fn near(&self, sum: &str, top: usize) -> Result<Vec<Suggestion>> {
        let mut asked = vec![0.0; self.width];
        let (mut used, mut sign) = (Vec::new(), 1.0);
        for part in sum.split_whitespace() {
            match part {
                "+" => sign = 1.0,
                "-" => sign = -1.0,
                word => {
                    // `US` is not `us` where there are both.
                    let number = self.numbers.get(word);
                    let number = number.or_else(|| self.numbers.get(&word.to_lowercase()));
                    let &number = number.ok_or_else(|| {
                        Error::argument(
                            "--text",
                            format!("`{word}` is not among the {} words", self.words.len()),
                        )
                    })?;
                    let vector = &self.values[number * self.width..][..self.width];
                    asked.iter_mut().zip(vector).for_each(|(sum, x)| *sum += sign * x);
                    used.push(number);
                    sign = 1.0;
                }
            }
        }
        if used.is_empty() {
            return Err(Error::argument(
                "--text",
                "no word; expected one, or `king - man + woman`",
            ));
        }
        let length = asked.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        let cosine = |number: usize| {
            let vector = &self.values[number * self.width..][..self.width];
            vector.iter().zip(&asked).map(|(a, b)| a * b).sum::<f32>() / length
        };
        let others = (0..self.words.len()).filter(|number| !used.contains(number));
        let mut ranked: Vec<(usize, f32)> = others.map(|number| (number, cosine(number))).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let suggestion = |&(number, score): &(usize, f32)| {
            Suggestion::new(&self.words[number], score.clamp(0.0, 1.0))
        };
        Ok(ranked.iter().take(top).map(suggestion).collect())
    }

    /// The lines of a word2vec text file.
    pub fn text(&self) -> String {
        let mut text = format!("{} {}\n", self.words.len(), self.width);
        for (word, vector) in self.words.iter().zip(self.values.chunks(self.width)) {
            text += word;
            vector.iter().for_each(|x| text += &format!(" {x}"));
            text.push('\n');
        }
        text
    }
}

/// How many numbers most of the first lines end in, the word before them left out.
fn dimensions<'a>(lines: impl Iterator<Item = &'a str>) -> usize {
    let mut votes: BTreeMap<usize, usize> = BTreeMap::new();
    for line in lines.take(100) {
        let parts = line.trim_end().split(' ');
        let number = |part: &&str| part.parse::<f32>().is_ok_and(f32::is_finite);
        let count = parts.clone().rev().take_while(number).count();
        *votes.entry(count.min(parts.count() - 1)).or_default() += 1;
    }
    votes.into_iter().max_by_key(|&(count, lines)| (lines, count)).map_or(0, |(count, _)| count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_blanks_and_numbers_that_are_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.txt");
        let open = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Vectors::from_text(&path).unwrap()
        };
        for above in ["", "5 2\n"] {
            let lines = ". . . 0 1\n1 2 3\nat name@x.org 1 0\n2 1 0.5 0.5\nking 0 1\n";
            let vectors = open(&format!("{above}{lines}"));
            assert_eq!(vectors.words, [". . .", "1", "at name@x.org", "2 1", "king"]);
            assert_eq!(vectors.width, 2);
        }
    }

    #[test]
    fn cases_differ_where_the_file_has_both() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.txt");
        std::fs::write(&path, "us 1 0\nwe 1 0.1\nUS 0 1\nUK 0.1 1\n").unwrap();
        let vectors = Vectors::from_text(&path).unwrap();
        let near = |word: &str| vectors.near(word, 1).unwrap()[0].answer.clone();
        assert_eq!(near("US").label(), Some("UK"));
        assert_eq!(near("us").label(), Some("we"));
        // Only small letters are there.
        assert_eq!(near("We").label(), Some("us"));
    }

    #[test]
    fn files_of_glove_and_word2vec_are_read_and_faults_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.txt");
        let open = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Vectors::from_text(&path)
        };
        let plain = "king 1 1\nqueen 1 -1\nman 0 1\nwoman 0 -1\napple -1 0.1\n";
        for text in [plain.to_string(), format!("5 2\n{plain}")] {
            let vectors = open(&text).unwrap();
            let best = vectors.near("king - man + woman", 2).unwrap();
            assert_eq!(best[0].answer.label(), Some("queen"));
            assert!(vectors.near("pear", 1).unwrap_err().to_string().contains("`pear`"));
            assert!(vectors.near(" + ", 1).is_err());
        }
        let why = |text: &str| open(text).err().unwrap().to_string();
        assert!(why("a 1 2\nb 1\n").contains("line 2: 1 numbers after `b`, expected 2"));
        assert!(why("a 1 x\n").contains("line 1: `x` is no number"));
        assert!(why("a 1 NaN\n").contains("`NaN` is no number"));
        assert!(why("\n").contains("line 1"));
    }
}
