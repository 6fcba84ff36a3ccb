//! `train`: data and model into a run folder.

use super::contract::{Purpose, Task};
use super::data::{Choice, Data};
use super::opened::{config, loaded, open};
use super::program::{Flags, Program};
use super::resume::refuse_changes;
use super::split::Split;
use crate::cli::print_json;
use crate::data::locate::kept_name;
use crate::progress::{grouped, note};
use crate::run::{Header, Lock, Run};
use crate::set::{Field, shown};
use crate::train::{Keep, Progress, Settings, Unit, fit, random_stream};
use crate::trained::Trained;
use crate::zoo::Zoo;
use crate::{Error, Result, device, files};
use burn::tensor::Device;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A `config.json`.
#[derive(Serialize)]
struct Whole<'a, C> {
    #[serde(flatten)]
    header: &'a Header,
    #[serde(flatten)]
    config: &'a C,
}

/// A training between its command line and its summary.
struct Started<T: Task> {
    run: Run,
    _lock: Lock,
    header: Header,
    config: T::Config,
    data: T::Data,
}

pub(super) fn run<T: Task>(
    task: &T,
    flags: &Flags<T::Zoo>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if flags.run.set.iter().any(|set| set == "help") {
        return Ok(print_fields(&task.fields(flags)?, out)?);
    }
    if flags.run.dump_config {
        return dump(task, flags, out);
    }
    let device = device::open(&flags.run.device)?;
    // From the first initial weight to the last dropout.
    let stream = random_stream();
    let (started, mut learner) = if flags.run.resume {
        let started = resumed(task, flags)?;
        let learner = task.learner(&started.config, &started.data, &device)?;
        (started, learner)
    } else {
        begun(task, flags, &device)?
    };
    let Started { run, header, mut config, data, .. } = started;
    note(format_args!("{}; into {}", task.introduce(&config, &data), run.folder().display()));
    report_skipped(data.skipped());

    let plan = task.plan(&config);
    let metadata = task.metadata(&config);
    let mut measure = |model: &T::Model| {
        let scores = task.measure(model, &config, &data, Split::Validation, Purpose::Choose)?;
        Ok(scores.figures())
    };
    let resume = flags.run.resume;
    let progress = fit(&run, &plan, &device, &mut *learner, &metadata, resume, &mut measure)?;
    let model = match progress.in_hand {
        true => learner.model(),
        // Another round's weights were kept, or nothing was left to do.
        false => loaded(task, &Trained::open(run.folder())?, &config, &device)?,
    };
    drop((learner, stream));
    task.settle(&model, &mut config, &data)?;
    files::write_json(&run.config_path(), &Whole { header: &header, config: &config })?;

    let split = task.reported();
    let scores = task.measure(&model, &config, &data, split, Purpose::Report(None))?;
    for (name, value) in &scores.files {
        let path = run.folder().join(name);
        let text = serde_json::to_vec(value).map_err(|why| Error::file(&path, why))?;
        files::write(&path, &text)?;
    }
    let mut summary = scores.json.clone();
    summary.extend(task.summary(&config, &data));
    summary.extend(facts(&header, T::chosen(&config).name(), split, &progress, &plan.keep, flags));
    files::write_json(&run.summary_path(), &summary)?;
    if flags.run.json {
        return print_json(&summary, out);
    }
    writeln!(out, "{}", scores.line)?;
    let (history, folder) = (&progress.history, run.folder().display());
    let seconds = history.seconds();
    match history.kept(plan.keep) {
        Some(at) if history.lines.iter().any(|line| line.lr.is_some()) || plan.rounds > 1 => {
            let at = grouped(at);
            let unit = plan.unit.name();
            writeln!(out, "weights of {unit} {at}, trained for {seconds:.0} s, in {folder}")?;
        }
        _ => writeln!(out, "fitted in {seconds:.1} s, in {folder}")?,
    }
    Ok(())
}

type Learning<T> = (Started<T>, Box<dyn crate::train::Learner<Model = <T as Task>::Model>>);

/// A new training. Everything that can be wrong with data, flags and the weights to start from
/// comes before the folder is touched; these weights may even be what the folder holds.
fn begun<T: Task>(task: &T, flags: &Flags<T::Zoo>, device: &Device) -> Result<Learning<T>> {
    let choice = task.choose(flags)?;
    let folder = folder(task, flags, &choice);
    let data = open(task, &choice, T::Zoo::data_dir(&flags.own))?;
    let config = task.configure(flags, choice, &data)?;
    task.check(&config, &folder.join("config.json"))?;
    if folder.join("config.json").exists() && !flags.run.overwrite {
        let why = "holds a run already: --resume continues it, --overwrite replaces it";
        return Err(Error::argument("--out", format!("{} {why}", folder.display())));
    }
    let learner = task.learner(&config, &data, device)?;
    let run = Run::at(&folder)?;
    let lock = run.lock()?;
    run.clear()?;
    let header = Header::new(T::Zoo::TASK, task.zoo().name());
    files::write_json(&run.config_path(), &Whole { header: &header, config: &config })?;
    Ok((Started { run, _lock: lock, header, config, data }, learner))
}

/// The training that the run folder holds.
fn resumed<T: Task>(task: &T, flags: &Flags<T::Zoo>) -> Result<Started<T>> {
    let choice = task.choose(flags)?;
    let run = Run::open(&folder(task, flags, &choice))?;
    let lock = run.lock()?;
    let trained = Trained::open(run.folder())?;
    let header = Header::check(&trained.text, &trained.path, T::Zoo::TASK)?;
    if trained.model::<T::Zoo>()? != task.zoo() {
        let why = format!("the run trains `{}`, not `{}`", header.model, task.zoo().name());
        return Err(Error::argument("--resume", why));
    }
    let config = config(task, &trained)?;
    let data_dir = T::Zoo::data_dir(&flags.own);
    let data = open(task, T::chosen(&config), data_dir)?;
    task.check_data(&config, &data)?;
    let (asked, own) = (choice.name(), T::chosen(&config).name());
    if flags.named && kept_name(asked) != kept_name(own) {
        let why = format!("continues a run on `{own}`, not on `{asked}`");
        return Err(Error::argument("--resume", why));
    }
    if flags.steers {
        let asked = task.configure(flags, choice, &data)?;
        refuse_changes(&config, &asked, T::SETTLED)?;
    }
    Ok(Started { run, _lock: lock, header, config, data })
}

/// `--out`, or `runs/MODEL-DATA` with the data by its last name.
pub fn folder<T: Task>(task: &T, flags: &Flags<T::Zoo>, choice: &T::Choice) -> PathBuf {
    flags.run.out.clone().unwrap_or_else(|| {
        let last = Path::new(choice.name().trim_end_matches(['/', '\\'])).file_stem();
        let last = last.map_or_else(|| "data".into(), |stem| stem.to_string_lossy());
        PathBuf::from("runs").join(format!("{}-{last}", task.zoo().name()))
    })
}

/// What a summary says of every training.
fn facts<Z: Program>(
    header: &Header,
    data: &str,
    split: Split,
    progress: &Progress,
    keep: &Keep,
    flags: &Flags<Z>,
) -> Map<String, Value> {
    let history = &progress.history;
    let unit = history.lines.first().map_or(Unit::Epoch, |line| line.at.unit()).name();
    let facts = json!({
        "split": split.name(),
        "model": header.model,
        "data": data,
        format!("best_{unit}"): history.kept(*keep),
        format!("{unit}s"): history.last(),
        "seconds": history.seconds(),
        "device": flags.run.device,
    });
    let mut facts: Map<String, Value> = serde_json::from_value(facts).unwrap_or_default();
    if unit == Unit::Step.name() {
        let learning = history.lines.iter().filter(|line| line.split == "train");
        let seconds: f64 = learning.map(|line| line.seconds).sum();
        let rate = history.last() as f64 / seconds.max(1e-9);
        facts.insert("steps_per_second".into(), rate.into());
    }
    facts
}

/// Tells of records that a reader left out.
pub(super) fn report_skipped(skipped: &[String]) {
    if skipped.is_empty() {
        return;
    }
    note(format_args!("left out {} records:", grouped(skipped.len())));
    skipped.iter().take(5).for_each(|line| note(format_args!("  {line}")));
    if skipped.len() > 5 {
        note(format_args!("  and {} more", grouped(skipped.len() - 5)));
    }
}

/// `--dump-config`: the file that stands for the model and these flags.
fn dump<T: Task>(task: &T, flags: &Flags<T::Zoo>, out: &mut dyn Write) -> anyhow::Result<()> {
    let choice = task.choose(flags)?;
    let name = choice.name().to_owned();
    let data = open(task, &choice, T::Zoo::data_dir(&flags.own))?;
    let config = serde_json::to_value(task.configure(flags, choice, &data)?)?;
    writeln!(out, "# cargo {} train --config FILE", T::Zoo::TASK)?;
    writeln!(out, "model = {}\n\n[network]", toml::Value::from(task.zoo().name()))?;
    for Field { name, meaning, default } in task.fields(flags)? {
        let value = config["config"].get(&name).unwrap_or(&default);
        // A number of 32 bits with its own digits.
        let value = match value {
            Value::Number(_) => shown(value),
            Value::Null => continue,
            value => toml::Value::try_from(value)?.to_string(),
        };
        writeln!(out, "{name} = {value}  # {meaning}")?;
    }
    writeln!(out, "\n[training]\ndata = {}", toml::Value::from(name))?;
    if let Ok(settings) = serde_json::from_value::<Settings>(config["training"].clone()) {
        for (name, value) in settings.flags() {
            writeln!(out, "{name} = {value}")?;
        }
    }
    for (name, value) in task.further(&config) {
        writeln!(out, "{name} = {}", toml::Value::from(value))?;
    }
    Ok(())
}

/// `--set help`: name, type, default and meaning of each choice.
fn print_fields(fields: &[Field], out: &mut dyn Write) -> std::io::Result<()> {
    if fields.is_empty() {
        return writeln!(out, "this model has no settings");
    }
    let kind = |value: &Value| match value {
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "whole number",
        Value::String(_) => "word",
        Value::Array(_) => "list",
        Value::Object(_) | Value::Null => "JSON",
    };
    let wide = |of: &dyn Fn(&Field) -> usize| fields.iter().map(of).max().unwrap_or(0);
    let name = wide(&|field| field.name.len());
    // One long default does not push all meanings off the terminal.
    let default = wide(&|field| shown(&field.default).len()).min(16);
    for Field { name: own, meaning, default: value } in fields {
        let (kind, value) = (kind(value), shown(value));
        writeln!(out, "{own:<name$}  {kind:<13}  {value:<default$}  {meaning}")?;
    }
    Ok(())
}
