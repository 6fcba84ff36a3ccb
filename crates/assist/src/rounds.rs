//! Rounds of training on what was decided, in the background; the new weights take over where
//! they are no worse on the fixed part.

use crate::active::{Active, lock};
use crate::inputs;
use crate::model;
use crate::queue::Queue;
use crate::retrain::{Known, Progress, Refused, Stage};
use crate::state::{LEAST_JUDGES, State};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tenfold_core::annotate::{Annotation, Verdict, standing};
use tenfold_core::calibrate;
use tenfold_core::data::Input;
use tenfold_core::progress::note;
use tenfold_core::run::Run;
use tenfold_core::store::{Item, Round, now};
use tenfold_core::suggest::{Agreement, Answer, Propose, RetrainPlan};
use tenfold_core::train::history;
use tenfold_core::{Result, files, weights};

/// Validation examples of the run that known classes are compared on, at most.
const VALIDATED: usize = 500;

/// Fewer decisions than this are not worth a training.
const LEAST: usize = 20;

/// Why a training was not begun.
pub enum Unready {
    /// One is running.
    Busy,
    /// Something is missing.
    Few(String),
}

/// Begins a training. Its number.
///
/// # Errors
/// One is running, or too little was decided.
pub fn begin(state: &Arc<State>) -> std::result::Result<i64, Unready> {
    ready(&state.queue()).map_err(Unready::Few)?;
    let round = {
        let mut progress = lock(&state.retrain.progress);
        if progress.state == Stage::Running {
            return Err(Unready::Busy);
        }
        // A training that failed leaves its folder, which is not written over.
        let taken = |round: &i64| folder(&state.settings.store, *round).exists();
        let round = (progress.round + 1..).find(|round| !taken(round)).unwrap_or(i64::MAX);
        *progress = Progress { state: Stage::Running, round, ..Progress::default() };
        round
    };
    *lock(&state.retrain.refused) = None;
    state.changed();
    let own = state.clone();
    let training = std::thread::Builder::new().spawn(move || {
        let ended = run(&own, round);
        let mut progress = lock(&own.retrain.progress);
        if let Err(why) = ended {
            note(format_args!("error: round {round}: {why}"));
            (progress.state, progress.message) = (Stage::Failed, why);
        }
        drop(progress);
        own.changed();
    });
    if let Err(why) = training.map_err(no_thread) {
        let mut progress = lock(&state.retrain.progress);
        (progress.state, progress.message) = (Stage::Failed, why.clone());
        return Err(Unready::Few(why));
    }
    Ok(round)
}

fn no_thread(why: std::io::Error) -> String {
    format!("no thread to train on: {why}")
}

fn ready(queue: &Queue) -> std::result::Result<(), String> {
    let (train, fixed) = (queue.to_train_on(), queue.fixed_decided());
    if train < LEAST {
        return Err(format!("Retraining needs {LEAST} decisions; you have {train}"));
    }
    if fixed == 0 {
        return Err(
            "Retraining needs a decision on a held-out item; you have none yet: decide more items"
                .into(),
        );
    }
    Ok(())
}

fn run(state: &Arc<State>, round: i64) -> std::result::Result<(), String> {
    let before = state.active();
    let out = folder(&state.settings.store, round);
    let plan = RetrainPlan {
        from: before.run.clone(),
        store: state.settings.store.clone(),
        out: out.clone(),
        device: state.retrain.device.clone(),
        seed: round as u64,
        epochs: state.retrain.epochs,
        limit: None,
    };
    let decisions = state.queue().to_train_on() as i64;
    note(format_args!("round {round}: training on {decisions} decisions"));
    let ended = std::thread::scope(|scope| {
        let train = || (state.retrain.train)(&plan);
        let training = std::thread::Builder::new().spawn_scoped(scope, train).map_err(no_thread)?;
        while !training.is_finished() {
            follow(state, &out);
            std::thread::sleep(Duration::from_millis(200));
        }
        training.join().unwrap_or_else(|_| {
            Err("the training stopped with a panic: a bug, please report it".into())
        })
    });
    ended?;
    follow(state, &out);
    let open = || -> Result<(Box<dyn Propose>, Active)> {
        let model = (state.retrain.open)(&out)?;
        Ok((model, Active::of(&before.model, round, &out, state.settings.risk)?))
    };
    let (model, mut active) = open().map_err(|why| why.to_string())?;
    // Both by the same items: what was decided of the fixed part until now.
    let (inputs, truths) = readable(state);
    let own = state.model.suggest_and_wait(inputs.clone())?;
    let agreement = state.queue().agreement;
    let old = agreeing(&agreement, own.into_iter(), &truths);
    let references: Vec<&Input> = inputs.iter().collect();
    let answers =
        references.chunks(model::BATCH).flat_map(|batch| model::suggest(&*model, batch, 1));
    let new = agreeing(&agreement, answers, &truths);
    let known = known(state, &*model);
    let judged = truths.len();
    // Of few items the share says nothing: then it is not told, and a person chooses.
    let enough = judged >= LEAST_JUDGES;
    let share = |sum: f64| enough.then(|| sum / judged as f64);
    let interval = |sum: f64| enough.then(|| calibrate::wilson(sum, judged));
    let (before, after) = (share(old), share(new));
    active.accuracy = after;
    let take = enough && new >= old;
    let made = Round {
        round,
        run: out.display().to_string(),
        weights: active.id.to_string(),
        at: now(),
        decisions,
        accuracy_before: before,
        accuracy: after,
        taken: take,
    };
    {
        let mut progress = lock(&state.retrain.progress);
        (progress.judged, progress.known) = (judged, known);
        (progress.accuracy_before, progress.accuracy_after) = (before, after);
        (progress.interval_before, progress.interval_after) = (interval(old), interval(new));
    }
    state.writer.round(made.clone()).map_err(|why| why.to_string())?;
    let told = |part: f64, interval: [f64; 2]| {
        let [low, high] = interval.map(|part| part * 100.0);
        format!("{:.2} % ({low:.1} to {high:.1} %)", part * 100.0)
    };
    let shown = |sum: f64| told(sum / judged as f64, calibrate::wilson(sum, judged));
    let message = match enough {
        true => format!(
            "accuracy {} before, {} after, on {judged} held-out items",
            shown(old),
            shown(new)
        ),
        false => {
            format!(
                "comparing weights needs {LEAST_JUDGES} held-out items with decisions; you have {judged}"
            )
        }
    };
    note(format_args!("round {round}: {message}"));
    if let Some(Known { examples, before, after, interval_before, interval_after }) = known {
        note(format_args!(
            "round {round}: known classes: accuracy {} before, {} after, on {examples} validation examples \
             of the run",
            told(before, interval_before),
            told(after, interval_after)
        ));
    }
    let mut progress = lock(&state.retrain.progress);
    progress.message = message;
    if !take {
        *lock(&state.retrain.refused) = Some(Refused { model, active, round: made });
        progress.state = Stage::Refused;
        return Ok(());
    }
    (progress.state, progress.taken) = (Stage::Done, true);
    drop(progress);
    state.model.swap(model, active.id.clone());
    state.activate(active);
    Ok(())
}

/// How the weights in place and new ones answer what the run was validated with.
fn known(state: &State, new: &dyn Propose) -> Option<Known> {
    let own = (state.retrain.own)(&state.active().run, VALIDATED).unwrap_or_else(|why| {
        note(format_args!("known classes are not compared: {why}"));
        Vec::new()
    });
    let examples = own.len();
    let annotated = |label| vec![Annotation { at: None, answer: Answer::Label(label) }];
    let (inputs, truths): (Vec<Input>, Vec<_>) =
        own.into_iter().map(|(input, label)| (input, annotated(label))).unzip();
    let agreement = state.queue().agreement;
    let (mut before, mut after) = (0.0, 0.0);
    // In batches, between which people who wait get their suggestions.
    for (inputs, truths) in inputs.chunks(model::BATCH).zip(truths.chunks(model::BATCH)) {
        let old = state.model.suggest_and_wait(inputs.to_vec()).ok()?;
        before += agreeing(&agreement, old.into_iter(), truths);
        let inputs: Vec<&Input> = inputs.iter().collect();
        after += agreeing(&agreement, model::suggest(new, &inputs, 1).into_iter(), truths);
    }
    let part = |sum: f64| sum / examples as f64;
    let interval = |sum: f64| calibrate::wilson(sum, examples);
    (examples > 0).then(|| Known {
        examples,
        before: part(before),
        after: part(after),
        interval_before: interval(before),
        interval_after: interval(after),
    })
}

/// Puts weights in place that were found worse. Whether there are any.
///
/// # Errors
/// The store cannot be written.
pub fn take(state: &State) -> std::result::Result<bool, String> {
    let Some(Refused { model, active, round }) = lock(&state.retrain.refused).take() else {
        return Ok(false);
    };
    let round = Round { taken: true, ..round };
    state.writer.round(round).map_err(|why| why.to_string())?;
    state.model.swap(model, active.id.clone());
    let mut progress = lock(&state.retrain.progress);
    (progress.state, progress.taken) = (Stage::Done, true);
    drop(progress);
    state.activate(active);
    Ok(true)
}

/// The decided items of the fixed part that can be read, and what they are.
fn readable(state: &State) -> (Vec<Input>, Vec<Vec<Annotation>>) {
    let fixed: Vec<(Item, Vec<Annotation>)> = state.queue().fixed();
    let read = |(item, decided): (Item, Vec<Annotation>)| {
        inputs::input(state, &item).ok().map(|input| (input, decided))
    };
    fixed.into_iter().filter_map(read).unzip()
}

/// How far answers agree with what was decided, all together; of classes, how many are right.
fn agreeing(
    agreement: &Agreement,
    answers: impl Iterator<Item = model::Answer>,
    truths: &[Vec<Annotation>],
) -> f64 {
    let score = |(answer, truth): (model::Answer, &Vec<Annotation>)| match answer {
        Ok(proposal) => agreement.score(&standing(&Verdict::confirming(&proposal)), truth),
        Err(_) => 0.0,
    };
    answers.zip(truths).map(score).sum()
}

/// Looks into the run folder how far the training is.
fn follow(state: &State, out: &Path) {
    let run = |name: &str| files::read_text(&out.join(name));
    let epochs = run("config.json").ok().and_then(|text| {
        let config: serde_json::Value = serde_json::from_str(&text).ok()?;
        config["training"]["epochs"].as_u64()
    });
    let epoch = run("metrics.jsonl").map_or(0, |text| {
        let line = |line: &str| serde_json::from_str::<history::Line>(line).ok();
        text.lines().filter_map(line).map(|line| line.at.number()).max().unwrap_or(0)
    });
    let mut progress = lock(&state.retrain.progress);
    let epochs = epochs.unwrap_or(0) as usize;
    if (progress.epoch, progress.epochs) != (epoch, epochs) {
        (progress.epoch, progress.epochs) = (epoch, epochs);
        drop(progress);
        state.changed();
    }
}

/// Waits for a training to stop, which Ctrl-C asks it to.
pub fn wait(state: &State, most: Duration) {
    let begun = std::time::Instant::now();
    while state.retrain.running() && begun.elapsed() < most {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Where a round's run folder is: beside the store that it belongs to, since another store of
/// the same run has rounds of its own.
fn folder(store: &Path, round: i64) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".rounds");
    PathBuf::from(name).join(format!("{round:04}"))
}

/// The last round that put weights in place which are still there, as the store recorded them.
pub fn last_taken(rounds: &[Round]) -> Option<&Round> {
    rounds.iter().rev().filter(|round| round.taken).find(|round| {
        let there = Run::open(Path::new(&round.run))
            .and_then(|run| weights::digest(&run.weights_path()))
            .is_ok_and(|digest| !round.weights.is_empty() && digest.starts_with(&round.weights));
        if !there {
            let Round { round, run, weights, .. } = round;
            note(format_args!(
                "left out round {round}: {run} no longer holds its weights {weights}"
            ));
        }
        there
    })
}

#[cfg(test)]
#[path = "rounds_tests.rs"]
mod tests;
