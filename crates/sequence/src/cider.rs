//! CIDEr: how well captions of images agree with those that people wrote about them.
//!
//! R. Vedantam, C. L. Zitnick, D. Parikh, CVPR (2015), in the form CIDEr-D of section 8 (n-grams
//! clipped, a Gaussian over the difference of lengths), which the COCO evaluation reports as
//! CIDEr. Here words are cut by [`words`] and not stemmed, as there.

use crate::vocab::apart;
use std::collections::{HashMap, HashSet};

/// The longest n-grams.
const LONGEST: usize = 4;
/// Width of the Gaussian over the difference of lengths, in words.
const SIGMA: f64 = 6.0;
/// CIDEr-D is scaled by this.
const SCALE: f64 = 10.0;

type Words = Vec<String>;

/// A sentence as the scores take it: lower case, without punctuation, cut at white space, and where
/// a script sets none, such as Chinese, at each character.
pub fn words(sentence: &str) -> Words {
    let kept = |c: char| c.is_alphanumeric() || c == '\'' || c == '-';
    let lower = sentence.to_lowercase();
    let words = lower.split(|c: char| !kept(c)).filter(|word| !word.is_empty());
    words.flat_map(apart).collect()
}

/// CIDEr-D, the mean over all images; 0 to 10. An n-gram counts less the more images have
/// it in their references.
pub fn cider(candidates: &[Words], references: &[Vec<Words>]) -> f64 {
    let mut images: HashMap<&[String], usize> = HashMap::new();
    for references in references {
        let mut grams = HashSet::new();
        for words in references {
            (1..=LONGEST).for_each(|n| grams.extend(words.windows(n)));
        }
        grams.into_iter().for_each(|gram| *images.entry(gram).or_default() += 1);
    }
    let all = (references.len().max(1) as f64).ln();
    let weigh = |words: &Words, n: usize| -> HashMap<Words, f64> {
        let weight = |(gram, count): (&[String], usize)| {
            let having = images.get(gram).copied().unwrap_or(0).max(1);
            (gram.to_vec(), count as f64 * (all - (having as f64).ln()))
        };
        counts(words, n).into_iter().map(weight).collect()
    };
    let norm = |weights: &HashMap<Words, f64>| {
        // Summed in a fixed order: hash order differs from run to run.
        let mut squares: Vec<f64> = weights.values().map(|w| w * w).collect();
        squares.sort_by(f64::total_cmp);
        squares.into_iter().sum::<f64>().sqrt()
    };
    let mut sum = 0.0;
    for (candidate, references) in candidates.iter().zip(references) {
        let mut own = 0.0;
        for reference in references {
            let apart = candidate.len() as f64 - reference.len() as f64;
            let gauss = (-apart * apart / (2.0 * SIGMA * SIGMA)).exp();
            for n in 1..=LONGEST {
                let (ours, theirs) = (weigh(candidate, n), weigh(reference, n));
                let product = |(gram, &w): (&Words, &f64)| {
                    theirs.get(gram).map_or(0.0, |&their| w.min(their) * their)
                };
                let mut products: Vec<f64> = ours.iter().map(product).collect();
                products.sort_by(f64::total_cmp);
                let norms = norm(&ours) * norm(&theirs);
                if norms > 0.0 {
                    own += gauss * products.into_iter().sum::<f64>() / norms;
                }
            }
        }
        sum += SCALE * own / (LONGEST * references.len().max(1)) as f64;
    }
    sum / candidates.len().max(1) as f64
}

fn counts(words: &[String], n: usize) -> HashMap<&[String], usize> {
    let mut counts = HashMap::new();
    words.windows(n).for_each(|gram| *counts.entry(gram).or_default() += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} against {b}");
    }

    #[test]
    fn words_are_lower_case_without_marks() {
        assert_eq!(words("A man's dog , runs."), ["a", "man's", "dog", "runs"]);
        assert_eq!(words("\u{4e00}\u{53ea}\u{72d7}\u{3002}"), ["\u{4e00}", "\u{53ea}", "\u{72d7}"]);
    }

    #[derive(serde::Deserialize)]
    struct Golden {
        captions: Vec<String>,
        references: Vec<Vec<String>>,
        bleu: [f64; 4],
        cider: f64,
    }

    #[test]
    fn scores_are_those_of_nltk_and_the_coco_evaluation() {
        let text = include_str!("../../../tests/golden/captions/captions.json");
        let golden: Golden = serde_json::from_str(text).unwrap();
        let cut = |texts: &Vec<String>| texts.iter().map(|text| words(text)).collect();
        let captions: Vec<Words> = cut(&golden.captions);
        let references: Vec<Vec<Words>> = golden.references.iter().map(cut).collect();
        near(cider(&captions, &references), golden.cider);
        for (order, bleu) in (1..).zip(golden.bleu) {
            let own = crate::bleu::Bleu::of_tokens(&captions, &references, order, false);
            near(own.score / 100.0, bleu);
        }
    }

    #[test]
    fn cider_by_hand() {
        // Two images; every n-gram stands in one of them alone but "a", which has no weight.
        let references = vec![vec![words("a b c d e")], vec![words("a x y z w")]];
        let log2 = 2f64.ln();
        // The first sentence is its reference: 10. The second shares x and y and no pair: of
        // words sum min(w, w) w = 2 ln2^2 over norms 2 ln2 each of four weighty words.
        let candidates = vec![words("a b c d e"), words("a y q x p")];
        let ours = (2.0 * log2 * log2 + 2.0 * log2 * log2).sqrt();
        let theirs = (4.0 * log2 * log2).sqrt();
        let second = SCALE * (2.0 * log2 * log2 / (ours * theirs)) / 4.0;
        near(cider(&candidates, &references), (10.0 + second) / 2.0);
        // Three words too short: the Gaussian.
        let short = vec![words("b c"), words("a x y z w")];
        let alone = |n: f64, of: f64| n * log2 * log2 / ((n.sqrt() * log2) * (of.sqrt() * log2));
        let gauss = (-9.0f64 / 72.0).exp();
        let first = SCALE * gauss * (alone(2.0, 4.0) + alone(1.0, 4.0)) / 4.0;
        near(cider(&short, &references), (first + 10.0) / 2.0);
    }
}
