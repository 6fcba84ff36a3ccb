//! Visual questions from the command line to a run.

use super::answerer::Asking;
use super::{Answerer, Answering, Language, Visual, data, learn};
use crate::config::DataChoice;
use crate::kind::Run;
use crate::models::image_encoder::EncoderKind;
use crate::models::vqa::VqaConfig;
use crate::task::{Learning, Learnt, recipe};
use crate::vocab::SPECIAL;
use crate::zoo::Zoo;
use burn::tensor::Device;
use image::DynamicImage;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use tenfold_core::cli::args::Recipe;
use tenfold_core::cli::print_json;
use tenfold_core::progress::{grouped, note};
use tenfold_core::suggest::{Proposal, Propose};
use tenfold_core::task::predict::{self, Drawing};
use tenfold_core::task::{Asked, Data, Purpose, Scores, Split, nothing_to_confirm};
use tenfold_core::viz::label;
use tenfold_core::{Error, Result};

impl Data for Visual {
    fn count(&self, split: Split) -> usize {
        self.splits.get(split).len()
    }
}

impl Learnt for Answering {
    const FLAGS: &'static [&'static str] = &["--ask", "--draw"];
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("depth", "hops of attention, or the attention heads of a phrase"),
        ("encoder", "small, resnet18 or resnet50"),
        ("side", "rows and columns of the images"),
        ("start", "weights that the encoder starts from: a run or a file"),
        ("embedding", "embedding size of a word"),
        ("hidden", "hidden units of an LSTM layer"),
        ("common", "units of the fusion of question and image"),
        ("dropout", "dropout probability"),
    ];

    type Data = Visual;

    fn open(choice: &DataChoice, data_dir: &Path) -> Result<Visual> {
        data::open(choice, data_dir)
    }

    fn usual(&self, data: &Visual) -> VqaConfig {
        let encoder = EncoderKind::for_side(data.side);
        VqaConfig::new(SPECIAL.len(), 1, self.0, encoder, data.side)
    }

    fn fitted(&self, wanted: VqaConfig, data: &Visual) -> Result<(VqaConfig, Language)> {
        let language = Language::gather(&data.splits.train);
        let (words, answers) = (language.words.len(), language.answers.len());
        Ok((VqaConfig { words, answers, ..wanted }, language))
    }

    fn recipe(&self) -> Recipe {
        recipe(12, 16, 1.5e-3, 5.0)
    }

    fn sizes(data: &Visual, language: &Language) -> String {
        let [train, validation, test] = data.splits.all().map(|split| grouped(split.len()));
        let (words, unit) = (language.words.len() - SPECIAL.len(), language.words.unit.plural());
        let answers = language.answers.len();
        format!(
            "{train} images to train on, {validation} to validate, {test} to test, {words} \
             {unit}, {answers} answers"
        )
    }

    fn learner(run: &Run<Self>, data: &Visual, device: &Device) -> Result<Learning<Self>> {
        learn::learner(run, data, device)
    }

    /// The accuracy, also for each kind of question, and the loss where the right answer can be
    /// chosen.
    fn measure(
        answerer: &Answerer,
        _: &Run<Self>,
        data: &Visual,
        split: Split,
        _: Purpose<'_, Zoo>,
    ) -> Result<Scores> {
        let mut kinds: BTreeMap<String, (f64, usize)> = BTreeMap::new();
        let (mut loss, mut known) = (0.0, 0);
        for judged in answerer.judge(data.splits.get(split))? {
            let right = judged.question.rightness(judged.answer);
            let of_kind = kinds.entry(judged.question.kind).or_default();
            *of_kind = (of_kind.0 + right, of_kind.1 + 1);
            if let Some(own) = judged.loss {
                (loss, known) = (loss + f64::from(own), known + 1);
            }
        }
        let right: f64 = kinds.values().map(|kind| kind.0).sum();
        let count: usize = kinds.values().map(|kind| kind.1).sum();
        let (accuracy, loss) = (right / count.max(1) as f64, loss / f64::from(known.max(1)));
        let line = format!("accuracy {:.2} % on {} questions", accuracy * 100.0, grouped(count));
        let wide = kinds.keys().map(|kind| kind.chars().count()).max().unwrap_or(0);
        let (mut details, mut by_kind) = (String::new(), Map::new());
        for (kind, (right, count)) in kinds {
            let accuracy = right / count as f64;
            let percent = 100.0 * accuracy;
            details += &format!("  {kind:<wide$}  {percent:6.2} %  of {}\n", grouped(count));
            by_kind.insert(kind, json!({ "accuracy": accuracy, "count": count }));
        }
        let figures =
            json!({ "accuracy": accuracy, "loss": loss, "kinds": by_kind, "count": count });
        Ok(Scores { details, ..Scores::new(figures, line) })
    }

    fn proposer(_: Answerer) -> Result<Box<dyn Propose>> {
        Err(nothing_to_confirm("a question is asked of each image, with `predict --ask`"))
    }

    fn predict(
        answerer: Answerer,
        Asked { paths, args, own }: &Asked<'_, Zoo>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let question = own.ask.clone().ok_or_else(|| {
            let why = "no question given. Example: --ask \"what colour is the circle?\"";
            Error::argument("--ask", why)
        })?;
        let (_, unknown) = answerer.language.read(&question)?;
        if !unknown.is_empty() {
            note(format_args!("words that the model does not know: {}", unknown.join(", ")));
        }
        let write = |path: &Path, image: &DynamicImage, proposal: &Proposal| {
            let ranked = proposal.slots.first().map_or(&[][..], |slot| &slot.ranked);
            label::write(path, image, ranked)
        };
        let drawing = own.draw.as_deref().map(|folder| Drawing { folder, write: &write });
        let asking = Asking { answerer, question };
        if !args.json {
            return predict::run(&asking, paths, args, drawing.as_ref(), out);
        }
        // Each answer says what was asked.
        let mut text = Vec::new();
        let outcome = predict::run(&asking, paths, args, drawing.as_ref(), &mut text);
        if !text.is_empty() {
            let mut answers: Vec<Map<String, Value>> = serde_json::from_slice(&text)?;
            for answer in &mut answers {
                answer.insert("question".into(), asking.question.clone().into());
            }
            print_json(&answers, out)?;
        }
        outcome
    }

    fn portable(config: &mut VqaConfig) {
        config.start = None;
    }
}
