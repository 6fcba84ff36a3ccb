//! The words of questions, and the answers to choose among.

use super::data::{Question, Split};
use crate::vocab::{UNKNOWN, Unit, Vocabulary};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tenfold_core::{Error, Result};

/// From so many images words and answers are gathered.
const GATHERED: usize = 4_000;
/// The most frequent answers that can be chosen, as most of the literature on VQA v2 has it.
const MOST_ANSWERS: usize = 3_000;

/// What is asked and what can be answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Language {
    /// The words of questions.
    pub words: Vocabulary,
    /// The answers, in the order of the network's outputs.
    pub answers: Vec<String>,
}

impl Language {
    /// From the questions of a split.
    pub fn gather(split: &Split) -> Self {
        // Drawn questions are always of the same words, and so many hold them all.
        let images = match split {
            Split::Drawn { count, .. } => (*count).min(GATHERED),
            Split::Listed(..) => split.len(),
        };
        let questions: Vec<Question> =
            (0..images).flat_map(|index| split.questions(index, 0)).collect();
        let texts = questions.iter().map(|question| question.text.as_str());
        let unit = Unit::of_words_in(texts.clone());
        let words = Vocabulary::build(unit, texts, usize::MAX, 1);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        questions.iter().for_each(|question| *counts.entry(&question.answer).or_default() += 1);
        let mut answers: Vec<(&str, usize)> = counts.into_iter().collect();
        answers.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        answers.truncate(MOST_ANSWERS);
        Self { words, answers: answers.into_iter().map(|(answer, _)| answer.into()).collect() }
    }

    /// The numbers of a question's words, at least one.
    ///
    /// Words that are not known are left out: every word of the questions learnt from is known,
    /// so that nothing was ever learnt about [`UNKNOWN`], and what it would add is chance.
    pub(super) fn encode(&self, question: &str) -> Vec<usize> {
        let mut words = self.words.encode(question);
        words.retain(|&word| word != UNKNOWN);
        if words.is_empty() { vec![UNKNOWN] } else { words }
    }

    /// The words of a person's question; those that are not known come second.
    ///
    /// # Errors
    /// None of its words is known: there is nothing that an answer could come from.
    pub fn read(&self, question: &str) -> Result<(Vec<usize>, Vec<String>)> {
        let word = |token: &String| token.chars().any(char::is_alphanumeric);
        let tokens: Vec<String> = self.words.split(question).into_iter().filter(word).collect();
        let unknown = |token: &&String| self.words.number(token) == UNKNOWN;
        let strange: Vec<String> = tokens.iter().filter(unknown).cloned().collect();
        if strange.len() == tokens.len() {
            let why = match tokens.is_empty() {
                true => format!("`{question}` has no words; expected a question"),
                false => {
                    format!(
                        "`{question}`: this model knows none of its words; it was trained on \
                             questions such as those of its data"
                    )
                }
            };
            return Err(Error::argument("--ask", why));
        }
        Ok((self.encode(question), strange))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::Images;

    #[test]
    fn chinese_questions_are_read_by_characters() {
        let asked = |text: &str| Question {
            text: text.into(),
            answer: "\u{662f}".into(),
            people: Vec::new(),
            kind: "yes/no".into(),
        };
        // "Is it big?" and "Is it not big?": one word each if they were cut at white space.
        let (yes, no) = ("\u{5b83}\u{5927}\u{5417}", "\u{5b83}\u{4e0d}\u{5927}\u{5417}");
        let split = Split::Listed(Images::Files(Vec::new()), vec![vec![asked(yes), asked(no)]]);
        let language = Language::gather(&split);
        assert_eq!((language.words.unit, language.encode(no).len()), (Unit::Mixed, 4));
        // A question that nobody asked, of characters that are known.
        let (words, unknown) = language.read("\u{4e0d}\u{5927}\u{5417}").unwrap();
        assert_eq!((words.len(), unknown.len()), (3, 0));
    }
}
