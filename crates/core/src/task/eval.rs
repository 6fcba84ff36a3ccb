//! `eval`: how good a trained model is on a split of its data, or of other data.

use super::contract::{Purpose, Task};
use super::data::{Choice, Data};
use super::opened::{config, loaded, open};
use super::program::{On, Program};
use super::train::report_skipped;
use crate::cli::args::EvalArgs;
use crate::cli::print_json;
use crate::data::locate::kept_name;
use crate::trained::Trained;
use crate::{Error, device};
use std::io::Write;

pub(super) fn run<T: Task>(
    task: &T,
    trained: &Trained,
    args: &EvalArgs,
    own: &<T::Zoo as Program>::Eval,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let device = device::open(&args.device)?;
    let On { data, split, data_dir } = T::Zoo::on(own);
    let config = config(task, trained)?;
    let chosen = T::chosen(&config);
    // Other data is read whole; the run's own keeps its limit, however it is named.
    let other = data.map(kept_name).filter(|name| *name != kept_name(chosen.name()));
    let choice = other.map_or_else(|| chosen.clone(), |name| chosen.elsewhere(&name));
    let data = open(task, &choice, data_dir)?;
    report_skipped(data.skipped());
    task.check_data(&config, &data)?;
    if data.count(split) == 0 {
        let why = format!("the {} split has no examples", split.name());
        return Err(Error::argument("--split", why).into());
    }
    let model = loaded(task, trained, &config, &device)?;
    let scores = task.measure(&model, &config, &data, split, Purpose::Report(Some(own)))?;
    if !args.json {
        writeln!(out, "{}", scores.line)?;
        return Ok(write!(out, "{}", scores.details)?);
    }
    let mut json = scores.json;
    json.insert("split".into(), split.name().into());
    json.insert("data".into(), choice.name().into());
    json.insert("skipped".into(), data.skipped().len().into());
    print_json(&json, out)
}
