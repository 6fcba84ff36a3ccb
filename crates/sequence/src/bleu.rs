//! BLEU (Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation",
//! ACL 2002) over a corpus, as sacrebleu computes it (Post, "A Call for Clarity in Reporting
//! BLEU Scores", WMT 2018).

use std::collections::HashMap;

/// How [`Bleu::of_texts`] computes, in sacrebleu's words.
pub const SIGNATURE: &str = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp";

/// What a corpus scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bleu {
    /// 0 to 100.
    pub score: f64,
    /// Of n-grams, n from 1 to 4: how many of 100 written ones stand in a reference.
    pub precisions: [f64; 4],
    /// What is taken off for texts that are too short: a factor.
    pub brevity: f64,
    /// Tokens written.
    pub length: usize,
    /// Tokens of the references of the nearest lengths.
    pub reference_length: usize,
}

impl Bleu {
    /// Of texts against one reference each, cut into tokens by [`tokenize`], zero counts
    /// smoothed exponentially: sacrebleu's default.
    pub fn of_texts<S: AsRef<str>>(texts: &[S], references: &[S]) -> Self {
        let tokens = |text: &S| tokenize(text.as_ref());
        let texts: Vec<_> = texts.iter().map(tokens).collect();
        let references: Vec<_> = references.iter().map(|text| vec![tokens(text)]).collect();
        Self::of_tokens(&texts, &references, 4, true)
    }

    /// Of token sequences against several references each, with n-grams up to `order` (1 to 4).
    /// Without `smooth` a zero count makes the score zero.
    pub fn of_tokens<T: AsRef<str>>(
        texts: &[Vec<T>],
        references: &[Vec<Vec<T>>],
        order: usize,
        smooth: bool,
    ) -> Self {
        let (mut right, mut total) = ([0; 4], [0; 4]);
        let (mut length, mut reference_length) = (0, 0);
        for (text, references) in texts.iter().zip(references) {
            length += text.len();
            let distance =
                |reference: &&Vec<T>| (reference.len().abs_diff(text.len()), reference.len());
            reference_length += references.iter().min_by_key(distance).map_or(0, Vec::len);
            for n in 1..=order.min(4) {
                let mut most: HashMap<Vec<&str>, usize> = HashMap::new();
                for reference in references {
                    for (gram, count) in grams(reference, n) {
                        let most = most.entry(gram).or_default();
                        *most = count.max(*most);
                    }
                }
                for (gram, count) in grams(text, n) {
                    total[n - 1] += count;
                    right[n - 1] += count.min(most.get(&gram).copied().unwrap_or(0));
                }
            }
        }
        let mut precisions = [0.0; 4];
        let mut halving = 1.0;
        for n in 0..order.min(4) {
            if total[n] == 0 {
                continue;
            }
            precisions[n] = 100.0 * right[n] as f64 / total[n] as f64;
            if right[n] == 0 && smooth {
                halving *= 2.0;
                precisions[n] = 100.0 / (halving * total[n] as f64);
            }
        }
        let brevity = match length {
            0 => 0.0,
            _ if length < reference_length => (1.0 - reference_length as f64 / length as f64).exp(),
            _ => 1.0,
        };
        let used = &precisions[..order.min(4)];
        // Where nothing at all is right there is nothing to smooth.
        let none = right.iter().all(|&count| count == 0);
        let score = match none || used.contains(&0.0) {
            true => 0.0,
            false => {
                let mean = used.iter().map(|p| p.ln()).sum::<f64>() / used.len() as f64;
                brevity * mean.exp()
            }
        };
        Self { score, precisions, brevity, length, reference_length }
    }
}

fn grams<T: AsRef<str>>(tokens: &[T], n: usize) -> HashMap<Vec<&str>, usize> {
    let mut counts = HashMap::new();
    for gram in tokens.windows(n) {
        *counts.entry(gram.iter().map(AsRef::as_ref).collect()).or_default() += 1;
    }
    counts
}

/// The tokens of a text by the rules of NIST's mteval-v13a: punctuation stands alone, but not
/// within numbers.
pub fn tokenize(text: &str) -> Vec<String> {
    let text = text.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    let text = text.replace("&quot;", "\"").replace("&amp;", "&");
    let text = text.replace("&lt;", "<").replace("&gt;", ">");
    let alone =
        |c: char| matches!(c, '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/');
    let mut spaced = String::from(" ");
    for c in text.chars() {
        match alone(c) {
            true => spaced.extend([' ', c, ' ']),
            false => spaced.push(c),
        }
    }
    spaced.push(' ');
    let digit = |c: char| c.is_ascii_digit();
    let stop = |c: char| c == '.' || c == ',';
    let spaced = pairs(&spaced, |a, b| !digit(a) && stop(b), |a, b| vec![a, ' ', b, ' ']);
    let spaced = pairs(&spaced, |a, b| stop(a) && !digit(b), |a, b| vec![' ', a, ' ', b]);
    let spaced = pairs(&spaced, |a, b| digit(a) && b == '-', |a, b| vec![a, ' ', b, ' ']);
    spaced.split_whitespace().map(String::from).collect()
}

/// Replaces pairs of neighbours from the left, each character in one pair at most.
fn pairs(
    text: &str,
    fits: impl Fn(char, char) -> bool,
    with: impl Fn(char, char) -> Vec<char>,
) -> String {
    let mut out = String::new();
    let mut rest = text.chars().peekable();
    while let Some(first) = rest.next() {
        match rest.peek().copied().filter(|&second| fits(first, second)) {
            Some(second) => {
                rest.next();
                out.extend(with(first, second));
            }
            None => out.push(first),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Golden {
        texts: Vec<String>,
        references: Vec<String>,
        tokens: Vec<String>,
        bleu: f64,
        precisions: [f64; 4],
        brevity: f64,
        sentences: Vec<f64>,
    }

    #[test]
    fn it_is_sacrebleus() {
        let text = include_str!("../../../tests/golden/bleu/sacrebleu.json");
        let golden: Golden = serde_json::from_str(text).unwrap();
        for (text, tokens) in golden.texts.iter().zip(&golden.tokens) {
            assert_eq!(tokenize(text).join(" "), *tokens);
        }
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
        let bleu = Bleu::of_texts(&golden.texts, &golden.references);
        near(bleu.score, golden.bleu);
        near(bleu.brevity, golden.brevity);
        bleu.precisions.iter().zip(golden.precisions).for_each(|(&a, b)| near(a, b));
        for (index, &sentence) in golden.sentences.iter().enumerate() {
            let own = index..index + 1;
            let bleu = Bleu::of_texts(&golden.texts[own.clone()], &golden.references[own]);
            near(bleu.score, sentence);
        }
    }

    #[test]
    fn the_papers_clipping() {
        // Section 2.1: "the the the the the the the" has a modified precision of 2/7.
        let words = |text: &str| text.split(' ').map(String::from).collect::<Vec<_>>();
        let references =
            vec![vec![words("the cat is on the mat"), words("there is a cat on the mat")]];
        let bleu = Bleu::of_tokens(&[words("the the the the the the the")], &references, 1, false);
        assert!((bleu.precisions[0] - 200.0 / 7.0).abs() < 1e-9);
    }
}
