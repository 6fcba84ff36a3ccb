//! Every kind of model of this crate as a core [`Task`].

use crate::checked::Checked;
use crate::config::DataChoice;
use crate::flags::{EvalFlags, TrainFlags};
use crate::kind::{self, Kind, Run};
use crate::zoo::Zoo;
use burn::tensor::Device;
use std::io::Write;
use std::path::Path;
use tenfold_core::cli::args::{Few, Recipe, SupervisedFlags};
use tenfold_core::data::default_data_dir;
use tenfold_core::progress::grouped;
use tenfold_core::set::{Field, set_fields};
use tenfold_core::suggest::Propose;
use tenfold_core::task::{Asked, Data, Flags, Purpose, Scores, Split, Task};
use tenfold_core::train::schedule::ScheduleKind;
use tenfold_core::train::{Keep, Learner, Plan, Settings};
use tenfold_core::zoo::Zoo as _;
use tenfold_core::{Error, Result};

/// What learns, for a kind of model.
pub(crate) type Learning<K> = Box<dyn Learner<Model = Checked<<K as Kind>::Network>>>;

/// What a kind of model knows beside [`Kind`] to go from the command line to a run.
pub(crate) trait Learnt: Kind {
    /// The flags of this crate that it obeys.
    const FLAGS: &'static [&'static str];
    /// What `--set` takes, and what each field does; the data decides the others.
    const FIELDS: &'static [(&'static str, &'static str)];
    /// The split whose figures a training reports.
    const REPORTED: Split = Split::Test;

    type Data: Data;

    fn open(choice: &DataChoice, data_dir: &Path) -> Result<Self::Data>;

    /// The choice with what its reader found out, for the run to keep.
    fn found(choice: DataChoice, data: &Self::Data) -> DataChoice {
        let _ = data;
        choice
    }

    /// The Config where nothing is set.
    fn usual(&self, data: &Self::Data) -> Self::Config;

    /// The vocabularies of some data, and the Config with their sizes.
    fn fitted(
        &self,
        wanted: Self::Config,
        data: &Self::Data,
    ) -> Result<(Self::Config, Self::Language)>;

    /// How it is trained on plenty of data.
    fn recipe(&self) -> Recipe;

    /// Optimiser steps in an epoch with such batches.
    fn steps(config: &Self::Config, data: &Self::Data, batch_size: usize) -> usize {
        let _ = config;
        data.count(Split::Train).div_ceil(batch_size)
    }

    /// How it is trained on this data.
    fn settings(
        &self,
        flags: &TrainFlags,
        seed: u64,
        config: &Self::Config,
        data: &Self::Data,
    ) -> Result<Settings> {
        let own = &flags.supervised;
        let recipe = self.recipe().suited(&FEW, own, |batch| Self::steps(config, data, batch));
        Ok(own.settings(recipe, seed))
    }

    /// How long it is trained, in words.
    fn pace(&self, run: &Run<Self>, data: &Self::Data) -> String {
        let Settings { batch_size, epochs, .. } = run.training;
        let steps = grouped(epochs * Self::steps(&run.config, data, batch_size));
        let usual = self.recipe();
        let none = SupervisedFlags::default();
        let own = usual.suited(&FEW, &none, |batch| Self::steps(&run.config, data, batch));
        let few = match own != usual && (own.batch_size, own.epochs) == (batch_size, epochs) {
            true => " (small batches and many epochs, as there are few examples)",
            false => "",
        };
        format!("batches of {batch_size}, {epochs} epochs, {steps} optimiser steps{few}")
    }

    /// How much data there is, in words.
    fn sizes(data: &Self::Data, language: &Self::Language) -> String;

    /// Refuses data that does not suit the vocabularies.
    fn check_data(language: &Self::Language, data: &Self::Data) -> Result<()> {
        let _ = (language, data);
        Ok(())
    }

    fn learner(run: &Run<Self>, data: &Self::Data, device: &Device) -> Result<Learning<Self>>;

    fn measure(
        answers: &Self::Answers,
        run: &Run<Self>,
        data: &Self::Data,
        split: Split,
        purpose: Purpose<'_, Zoo>,
    ) -> Result<Scores>;

    /// What stands behind the page where a person confirms.
    fn proposer(answers: Self::Answers) -> Result<Box<dyn Propose>>;

    fn predict(
        answers: Self::Answers,
        asked: &Asked<'_, Zoo>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()>;

    /// Takes out of a Config what means nothing on another machine.
    fn portable(config: &mut Self::Config) {
        let _ = config;
    }

    /// As [`Task::write_as`].
    fn write_as(answers: Self::Answers, file: &Path) -> Result<bool> {
        let _ = (answers, file);
        Ok(false)
    }
}

/// What networks for text need; the steps are from seven trainings on 10 kB of text that were
/// compared by their held-out loss.
const FEW: Few = Few { steps: 600, batches: 16, smallest: 4, warmup: 0.1 };

/// How the models of this crate are trained where nothing is said: AdamW along a cosine.
pub(crate) fn recipe(epochs: usize, batch_size: usize, lr: f64, clip_norm: f32) -> Recipe {
    let (schedule, warmup, clip_norm) = (ScheduleKind::Cosine, 0.02, Some(clip_norm));
    Recipe { epochs, batch_size, lr, weight_decay: 1e-2, clip_norm, schedule, warmup }
}

/// The beam size that figures are measured with.
pub(crate) fn beam(purpose: &Purpose<'_, Zoo>) -> usize {
    match purpose {
        Purpose::Report(Some(own)) => own.beam(),
        _ => EvalFlags::default().beam(),
    }
}

/// One of the zoo's models.
pub(crate) struct Sequence<K> {
    /// Which.
    pub model: Zoo,
    /// Its kind.
    pub kind: K,
}

impl<K: Learnt> Sequence<K> {
    fn answers(
        Checked { network, .. }: &Checked<K::Network>,
        run: &Run<K>,
        device: &Device,
    ) -> Result<K::Answers> {
        K::answers(network.clone(), run.clone(), device)
    }
}

impl<K: Learnt> Task for Sequence<K> {
    type Zoo = Zoo;
    type Choice = DataChoice;
    type Data = K::Data;
    type Config = Run<K>;
    type Model = Checked<K::Network>;

    fn zoo(&self) -> Zoo {
        self.model
    }

    fn choose(&self, flags: &Flags<Zoo>) -> Result<DataChoice> {
        let TrainFlags { data, pair, fold, .. } = &flags.own;
        let columns = flags.own.columns();
        flags.own.refuse_all_but(K::FLAGS)?;
        let (name, limit) = data.chosen(K::DATA);
        let (pair, fold, seed) = (pair.clone(), fold.map(usize::from), flags.run.seed());
        Ok(DataChoice { limit, pair, fold, columns, seed, ..DataChoice::new(&name) })
    }

    fn chosen(run: &Run<K>) -> &DataChoice {
        &run.data
    }

    fn open(&self, choice: &DataChoice, data_dir: Option<&Path>) -> Result<K::Data> {
        K::open(choice, &data_dir.map_or_else(default_data_dir, Path::to_path_buf))
    }

    fn configure(&self, flags: &Flags<Zoo>, data: DataChoice, open: &K::Data) -> Result<Run<K>> {
        let usual = self.kind.usual(open);
        let wrong = |why: String| Error::argument("--set", why);
        let value = serde_json::to_value(&usual).map_err(|why| wrong(why.to_string()))?;
        let given = |name: &&str| K::FIELDS.iter().all(|(field, _)| field != name);
        let names = value.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
        let given: Vec<&str> = names.filter(given).collect();
        let wanted = set_fields(&usual, &flags.run.set, &given)?;
        K::check(&wanted).map_err(wrong)?;
        let (config, language) = self.kind.fitted(wanted, open)?;
        let training = self.kind.settings(&flags.own, flags.run.seed(), &config, open)?;
        let data = K::found(data, open);
        Ok(Run::<K> { config, language, data, training })
    }

    fn check(&self, run: &Run<K>, path: &Path) -> Result<()> {
        kind::check::<K>(run, path)
    }

    fn check_data(&self, run: &Run<K>, data: &K::Data) -> Result<()> {
        K::check_data(&run.language, data)
    }

    fn plan(&self, run: &Run<K>) -> Plan {
        run.training.plan(Keep::Lowest("loss"))
    }

    fn learner(&self, run: &Run<K>, data: &K::Data, device: &Device) -> Result<Learning<K>> {
        K::learner(run, data, device)
    }

    fn model(&self, run: &Run<K>, device: &Device) -> Result<Self::Model> {
        Checked::new(K::network(&run.config, device), &run.language)
    }

    fn measure(
        &self,
        model: &Self::Model,
        run: &Run<K>,
        data: &K::Data,
        split: Split,
        purpose: Purpose<'_, Zoo>,
    ) -> Result<Scores> {
        if let Purpose::Report(Some(own)) = &purpose {
            own.refuse_all_but(K::FLAGS)?;
        }
        let devices = burn::module::Module::devices(&model.network);
        let device = devices.into_iter().next().unwrap_or_default();
        let answers = Self::answers(model, run, &device)?;
        let scores = K::measure(&answers, run, data, split, purpose)?;
        Ok(Scores { line: format!("{}: {}", split.name(), scores.line), ..scores })
    }

    fn reported(&self) -> Split {
        K::REPORTED
    }

    fn answerer(
        &self,
        model: Self::Model,
        run: Run<K>,
        device: &Device,
    ) -> Result<Box<dyn Propose>> {
        K::proposer(K::answers(model.network, run, device)?)
    }

    fn predict(
        &self,
        model: Self::Model,
        run: Run<K>,
        device: &Device,
        asked: &Asked<'_, Zoo>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        asked.own.refuse_all_but(K::FLAGS)?;
        K::predict(K::answers(model.network, run, device)?, asked, out)
    }

    fn fields(&self, flags: &Flags<Zoo>) -> Result<Vec<Field>> {
        use tenfold_core::cli::Program;
        let data = self.open(&self.choose(flags)?, Zoo::data_dir(&flags.own))?;
        let usual = serde_json::to_value(self.kind.usual(&data)).unwrap_or_default();
        let field = |&(name, meaning): &(&'static str, &'static str)| Field {
            name: name.into(),
            meaning,
            default: usual[name].clone(),
        };
        Ok(K::FIELDS.iter().map(field).collect())
    }

    fn introduce(&self, run: &Run<K>, data: &K::Data) -> String {
        let sizes = K::sizes(data, &run.language);
        let pace = self.kind.pace(run, data);
        format!("{} on {}: {sizes}; {pace}", self.model.name(), run.data.name)
    }

    fn portable(&self, run: &mut Run<K>) {
        K::portable(&mut run.config);
    }

    fn write_as(&self, model: &Self::Model, run: &Run<K>, file: &Path) -> Result<bool> {
        K::write_as(Self::answers(model, run, &Device::default())?, file)
    }
}
