//! The one loop of every training: round, measure, keep, record, checkpoint.

use super::history::{At, History, Line};
use super::learner::{Learner, Model};
use super::plan::{Figures, Keep, Plan, interrupted};
use super::watch::Watch;
use super::{checkpoint, interrupt};
use crate::data::random::SplitMix64;
use crate::run::Run;
use crate::{Result, viz};
use burn::tensor::Device;
use std::collections::BTreeMap;
use std::time::Instant;

/// How far a training is, or how it ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Rounds that have ended.
    pub round: usize,
    /// Everything measured so far.
    pub history: History,
    /// Whether the learner's model is the one that is kept, so that nothing is to be read back.
    pub in_hand: bool,
}

impl Progress {
    /// Whether no further round is due.
    fn over(&self, plan: &Plan) -> bool {
        let stalled = |patience| self.history.rounds_since(plan.keep) >= patience;
        self.round >= plan.rounds || (self.round > 0 && plan.patience.is_some_and(stalled))
    }
}

/// Trains round by round until the plan's end, and leaves the weights of the round that the
/// plan keeps in the run folder; with `resume` from its checkpoint, where there is one.
///
/// After each round `measure` judges the model on the validation split. Everything is then on
/// disk: kept weights, metrics, curves, and last the checkpoint that vouches for them. The
/// device's random numbers restart each round from its own seed, so that what `measure` draws
/// changes nothing; whoever calls this holds the [`RandomStream`](super::learner::RandomStream).
///
/// # Errors
/// What the learner and `measure` say, a loss that is no number any more, Ctrl-C, a folder
/// that cannot be written, a damaged checkpoint. The last good checkpoint stays in place.
pub fn fit<M: Model>(
    run: &Run,
    plan: &Plan,
    device: &Device,
    learner: &mut dyn Learner<Model = M>,
    metadata: &BTreeMap<String, String>,
    resume: bool,
    measure: &mut dyn FnMut(&M) -> Result<Figures>,
) -> Result<Progress> {
    interrupt::listen();
    let root = run.checkpoint_path();
    let mut progress = Progress::default();
    if resume && let Some(folder) = checkpoint::newest(&root) {
        (progress.round, progress.history) = checkpoint::load(&folder, learner)?;
        checkpoint::remove_all_but(&root, &folder);
    }
    while !progress.over(plan) && !learner.finished() {
        let round = progress.round + 1;
        device.seed(SplitMix64::keyed(&[plan.seed, round as u64, 1]).bits());
        let done = progress.history.last();
        let mut watch = Watch::new(plan.unit, round, plan.rounds, done);
        let begun = Instant::now();
        let learnt = learner.round(round, &mut watch);
        watch.end();
        let at = learner.at(round);
        let Some(mut figures) = learnt? else {
            checkpoint::save(&root, (plan.unit, at), progress.round, &progress.history, learner)?;
            return Err(interrupted(plan.unit, at));
        };
        watch.check(&figures)?;
        let lr = figures.remove("lr");
        let name = |split: &str, metrics, begun: Instant| Line {
            at: At::new(plan.unit, at),
            split: split.into(),
            metrics,
            lr,
            seconds: begun.elapsed().as_secs_f64(),
        };
        watch.line("train", &figures, begun);
        progress.history.lines.push(name("train", figures, begun));

        let begun = Instant::now();
        let model = learner.model();
        let figures = measure(&model)?;
        watch.check(&figures)?;
        // Of some models nothing can be measured.
        if !figures.is_empty() {
            watch.line("validation", &figures, begun);
            progress.history.lines.push(name("validation", figures, begun));
        }
        progress.round = round;
        progress.in_hand = progress.history.kept(plan.keep) == Some(at);
        if progress.in_hand {
            model.save(&run.weights_path(), metadata)?;
        }
        progress.history.write(&run.metrics_path())?;
        viz::curves::write(
            &progress.history,
            progress.history.kept(plan.keep),
            &run.curves_path(),
        )?;
        checkpoint::save(&root, (plan.unit, at), round, &progress.history, learner)?;
        if interrupt::requested() && !progress.over(plan) && !learner.finished() {
            return Err(interrupted(plan.unit, at));
        }
    }
    Ok(progress)
}

impl History {
    /// Where the weights that `keep` names were left, in the unit of the lines.
    pub fn kept(&self, keep: Keep) -> Option<usize> {
        let (name, sign) = match keep {
            Keep::Lowest(name) => (name, -1.0),
            Keep::Highest(name) => (name, 1.0),
            Keep::Last => return self.lines.last().map(|line| line.at.number()),
        };
        let figures = self.series("validation", name);
        let better = |best: (usize, f64), next: (usize, f64)| {
            let ahead = sign * (next.1 - best.1);
            let wins = ahead > 0.0 || (ahead == 0.0 && sign > 0.0) || best.1.is_nan();
            if wins { next } else { best }
        };
        figures.into_iter().reduce(better).map(|(at, _)| at)
    }

    /// How many rounds have ended since the one that `keep` names.
    fn rounds_since(&self, keep: Keep) -> usize {
        let kept = self.kept(keep).unwrap_or_default();
        let validations = self.lines.iter().filter(|line| line.split == "validation");
        validations.filter(|line| line.at.number() > kept).count()
    }
}
