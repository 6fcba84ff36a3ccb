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
    /// or with the counts of words and numbers above, as word2vec's.
    ///
    /// # Errors
    /// A line of another length, or with what is no number.
    pub fn from_text(path: &Path) -> Result<Self> {
        let text = text::read(path)?;
        let mut lines = text.lines().enumerate().peekable();
        let counts = lines.peek().map(|(_, line)| line.split_whitespace().collect::<Vec<_>>());
        if counts
            .is_some_and(|line| line.len() == 2 && line.iter().all(|x| x.parse::<usize>().is_ok()))
        {
            lines.next();
        }
        let (mut words, mut values, mut width) = (Vec::new(), Vec::new(), None);
        for (number, line) in lines {
            let wrong = |why: String| Error::file(path, format!("line {}: {why}", number + 1));
            let mut parts = line.trim_end().split(' ');
            let word = parts.next().unwrap_or_default();
            let before = values.len();
            for part in parts {
                let value = part.parse::<f32>().ok().filter(|value| value.is_finite());
                values.push(value.ok_or_else(|| wrong(format!("`{part}` is no number")))?);
            }
            let count = values.len() - before;
            let expected = *width.get_or_insert(count);
            if word.is_empty() || count == 0 || count != expected {
                return Err(wrong(format!(
                    "{count} numbers after `{word}`, expected {expected}, 1 or more"
                )));
            }
            words.push(word.to_string());
        }
        match width {
            Some(width) => Ok(Self::new(words, width, values)),
            None => Err(Error::file(path, "no vectors in it")),
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
                    let number = self.numbers.get(&word.to_lowercase()).or(self.numbers.get(word));
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

#[cfg(test)]
mod tests {
    use super::*;

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
