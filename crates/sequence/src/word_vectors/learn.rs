//! The training of word vectors: no batches, a text is read word by word.

use super::data::{Corpus, sentences};
use super::vectors::Table;
use crate::checked::Checked;
use crate::config::RunConfig;
use crate::models::word2vec::{Word2Vec, Word2VecConfig};
use crate::vocab::Vocabulary;
use burn::tensor::Device;
use tenfold_core::Result;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::train::{Figures, Learner, Parts, Settings, Watch};

/// Sentences between two looks at the clock and at Ctrl-C.
const PART: usize = 256;

/// What learns the words of a text as a configuration says.
///
/// # Errors
/// A vocabulary that is no JSON.
pub fn learner(
    run: &RunConfig<Word2VecConfig, Vocabulary>,
    Corpus(text): &Corpus,
    device: &Device,
) -> Result<Box<dyn Learner<Model = Checked<Table>>>> {
    let RunConfig { config, language, training, .. } = run;
    let sentences = sentences(text, language);
    let mut counts = vec![0; language.len()];
    sentences.iter().flatten().for_each(|&word| counts[word as usize] += 1);
    let mut random = SplitMix64::keyed(&[training.seed, STREAM]);
    Ok(Box::new(Reader {
        words: counts.iter().sum(),
        tables: Word2Vec::new(config.clone(), &counts, &mut random),
        sentences,
        shape: [language.len(), config.dimensions],
        training: training.clone(),
        wrap: Box::new(Checked::wrapping(language)?),
        device: device.clone(),
    }))
}

/// The key of the random numbers, `w2v`.
const STREAM: u64 = 0x0077_3276;

/// What reads a text again and again.
struct Reader {
    tables: Word2Vec,
    sentences: Vec<Vec<u32>>,
    /// Words in all sentences.
    words: usize,
    /// Of a table.
    shape: [usize; 2],
    training: Settings,
    wrap: Box<dyn Fn(Table) -> Checked<Table>>,
    device: Device,
}

impl Learner for Reader {
    type Model = Checked<Table>;

    fn round(&mut self, round: usize, watch: &mut Watch) -> Result<Option<Figures>> {
        let Settings { seed, lr: highest, epochs, .. } = self.training;
        // From the round alone, so that a resumed training goes on exactly.
        let mut random = SplitMix64::keyed(&[seed, STREAM, round as u64]);
        let mut order: Vec<usize> = (0..self.sentences.len()).collect();
        random.shuffle(&mut order);
        let (before, all) = (self.words * (round - 1), (self.words * epochs).max(1));
        let (mut read, mut lr) = (0, 0.0);
        watch.expect(self.words);
        for part in order.chunks(PART) {
            watch.go_on()?;
            let (mut loss, mut count) = (0.0, 0);
            for &sentence in part {
                // Down to a ten-thousandth, as the papers' program.
                lr = highest * (1.0 - (before + read) as f64 / all as f64).max(1e-4);
                let sentence = &self.sentences[sentence];
                let (own, pairs) = self.tables.learn(sentence, lr as f32, &mut random);
                (loss, count) = (loss + own, count + pairs);
                read += sentence.len();
            }
            if count > 0 {
                watch.add("loss", loss / count as f64, count);
            }
            watch.advance(read)?;
        }
        let mut figures = watch.means();
        figures.insert("lr".into(), lr);
        Ok(Some(figures))
    }

    fn model(&self) -> Checked<Table> {
        let [words, width] = self.shape;
        (self.wrap)(Table::of(&self.tables.input, words, width, &self.device))
    }

    fn parts(&mut self, parts: &mut Parts) -> Result<()> {
        parts.value("input", &mut self.tables.input)?;
        parts.value("output", &mut self.tables.output)
    }
}
