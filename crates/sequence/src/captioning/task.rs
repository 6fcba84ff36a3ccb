//! Captions from the command line to a run.

use super::{Captioner, Captioning, Captions, data, learn};
use crate::bleu::Bleu;
use crate::cider::{cider, words};
use crate::config::DataChoice;
use crate::kind::Run;
use crate::models::caption::CaptionConfig;
use crate::models::image_encoder::EncoderKind;
use crate::task::{Learning, Learnt, beam, recipe};
use crate::vocab::{SPECIAL, Unit, Vocabulary};
use crate::zoo::Zoo;
use burn::tensor::Device;
use image::DynamicImage;
use std::io::Write;
use std::path::Path;
use tenfold_core::Result;
use tenfold_core::cli::args::Recipe;
use tenfold_core::progress::grouped;
use tenfold_core::suggest::{Proposal, Propose};
use tenfold_core::task::predict::{self, Drawing};
use tenfold_core::task::{Asked, Data, Purpose, Scores, Split};

impl Data for Captions {
    fn count(&self, split: Split) -> usize {
        self.splits.get(split).captions.len()
    }
}

/// The captions that are learnt from.
fn sentences(data: &Captions) -> impl Iterator<Item = &str> {
    data.splits.train.captions.iter().flatten().map(String::as_str)
}

/// What suits them.
fn unit(data: &Captions) -> Unit {
    Unit::of_words_in(sentences(data))
}

impl Learnt for Captioning {
    const FLAGS: &'static [&'static str] = &["--beam", "--draw"];
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("encoder", "small, resnet18 or resnet50"),
        ("side", "rows and columns of the images"),
        ("start", "weights that the encoder starts from: a run or a file"),
        ("embedding", "embedding size of a word"),
        ("hidden", "hidden units of the LSTM"),
        ("attention", "units of the attention layer"),
        ("dropout", "dropout probability"),
        ("penalty", "weight of the doubly stochastic attention penalty"),
        ("longest", "longest caption, in tokens"),
    ];

    type Data = Captions;

    fn open(choice: &DataChoice, data_dir: &Path) -> Result<Captions> {
        data::open(choice, data_dir)
    }

    fn usual(&self, data: &Captions) -> CaptionConfig {
        let encoder = EncoderKind::for_side(data.side);
        let usual = CaptionConfig::new(SPECIAL.len(), self.attends, encoder, data.side);
        // A sentence has about three times as many characters as words.
        let times = if unit(data) == Unit::Mixed { 3 } else { 1 };
        CaptionConfig { longest: usual.longest * times, ..usual }
    }

    fn fitted(
        &self,
        wanted: CaptionConfig,
        data: &Captions,
    ) -> Result<(CaptionConfig, Vocabulary)> {
        let captions = &data.splits.train.captions;
        // A word that occurs fewer times is not learnt; the papers have 5.
        let rare = if captions.len() > 2_000 { 5 } else { 1 };
        let vocabulary = Vocabulary::build(unit(data), sentences(data), usize::MAX, rare);
        Ok((CaptionConfig { words: vocabulary.len(), ..wanted }, vocabulary))
    }

    fn recipe(&self) -> Recipe {
        recipe(5, 32, 1.5e-3, 5.0)
    }

    fn sizes(data: &Captions, vocabulary: &Vocabulary) -> String {
        let [train, validation, test] =
            data.splits.all().map(|split| grouped(split.captions.len()));
        let (words, unit) = (vocabulary.len() - SPECIAL.len(), vocabulary.unit.plural());
        format!(
            "{train} images to train on, {validation} to validate, {test} to test, {words} {unit}"
        )
    }

    fn learner(run: &Run<Self>, data: &Captions, device: &Device) -> Result<Learning<Self>> {
        learn::learner(run, data, device)
    }

    /// The loss, BLEU-1 to 4 and CIDEr.
    fn measure(
        captioner: &Captioner,
        _: &Run<Self>,
        data: &Captions,
        split: Split,
        purpose: Purpose<'_, Zoo>,
    ) -> Result<Scores> {
        let split = data.splits.get(split);
        let loss = captioner.mean_loss(split)?;
        if matches!(purpose, Purpose::Choose) {
            return Ok(Scores::new(serde_json::json!({ "loss": loss }), ""));
        }
        let beam = beam(&purpose);
        let captions: Vec<Vec<String>> =
            captioner.best(split, beam)?.iter().map(|caption| words(caption)).collect();
        let cut = |captions: &Vec<String>| captions.iter().map(|text| words(text)).collect();
        let references: Vec<Vec<Vec<String>>> = split.captions.iter().map(cut).collect();
        let bleu =
            [1, 2, 3, 4].map(|order| Bleu::of_tokens(&captions, &references, order, false).score);
        let cider = cider(&captions, &references);
        let [bleu1, bleu2, bleu3, bleu4] = bleu;
        let count = captions.len();
        let figures = serde_json::json!({
            "bleu1": bleu1,
            "bleu2": bleu2,
            "bleu3": bleu3,
            "bleu4": bleu4,
            "cider": cider,
            "beam": beam,
            "loss": loss,
            "count": count,
        });
        let line = format!(
            "BLEU-1 {bleu1:.1}, BLEU-2 {bleu2:.1}, BLEU-3 {bleu3:.1}, BLEU-4 {bleu4:.1}, CIDEr \
             {cider:.3} with a beam of {beam}, on {} images",
            grouped(count)
        );
        Ok(Scores::new(figures, line))
    }

    fn proposer(captioner: Captioner) -> Result<Box<dyn Propose>> {
        Ok(Box::new(captioner))
    }

    fn predict(
        mut captioner: Captioner,
        Asked { paths, args, own }: &Asked<'_, Zoo>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        captioner.beam = own.beam(args.top_k);
        let write = |path: &Path, image: &DynamicImage, proposal: &Proposal| {
            let ranked = proposal.slots.first().map_or(&[][..], |slot| &slot.ranked);
            captioner.draw(image, ranked, path)
        };
        let drawing = own.draw.as_deref().map(|folder| Drawing { folder, write: &write });
        predict::run(&captioner, paths, args, drawing.as_ref(), out)
    }

    fn portable(config: &mut CaptionConfig) {
        config.start = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::Images;
    use crate::splits::Splits;

    #[test]
    fn chinese_captions_are_read_by_characters() {
        let split = |caption: &str| data::Split {
            images: Images::Files(Vec::new()),
            captions: vec![vec![caption.to_owned()]],
        };
        let of = |caption: &str| {
            let splits = Splits { train: split(caption), validation: split(""), test: split("") };
            let (data, captioning) = (Captions { splits, side: 32 }, Captioning { attends: true });
            let usual = captioning.usual(&data);
            let (config, vocabulary) = captioning.fitted(usual, &data).unwrap();
            let sizes = Captioning::sizes(&data, &vocabulary);
            (config.longest, vocabulary.len() - SPECIAL.len(), sizes)
        };
        let (longest, tokens, sizes) = of("\u{4e00}\u{53ea}\u{72d7}\u{5728}\u{8dd1}");
        assert_eq!((longest, tokens), (72, 5));
        assert!(sizes.contains("5 words and characters"), "{sizes}");
        let (longest, tokens, sizes) = of("a dog runs");
        assert_eq!((longest, tokens), (24, 3));
        assert!(sizes.ends_with("3 words"), "{sizes}");
    }
}
