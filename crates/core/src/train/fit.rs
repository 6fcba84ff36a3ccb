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
    let before = progress.round;
    while !progress.over(plan) && !learner.finished() {
        let round = progress.round + 1;
        device.seed(SplitMix64::keyed(&[plan.seed, round as u64, 1]).bits());
        let done = progress.history.last();
        let first = progress.history.series("train", "loss").first().map(|(_, loss)| *loss);
        let mut watch = Watch::new(plan.unit, (round, plan.rounds), done, first);
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
        let line = name("train", figures, begun);
        if is_told(round, plan.rounds) {
            watch.tell("train", &line.metrics, line.seconds);
        }
        progress.history.lines.push(line);

        let begun = Instant::now();
        let model = learner.model();
        let figures = measure(&model)?;
        watch.check(&figures)?;
        // Of some models nothing can be measured.
        if !figures.is_empty() {
            let line = name("validation", figures, begun);
            if is_told(round, plan.rounds) {
                watch.tell("validation", &line.metrics, line.seconds);
            }
            progress.history.lines.push(line);
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
    if progress.round > before {
        tell_the_rest(plan, &progress);
    }
    Ok(progress)
}

/// Whether a round's figures are told as it ends: of a long training ten, the first and the last.
fn is_told(round: usize, rounds: usize) -> bool {
    rounds <= 20 || round == 1 || round == rounds || round.is_multiple_of(rounds.div_ceil(10))
}

/// The figures of the round that is kept, and of the last, where they were not told.
fn tell_the_rest(plan: &Plan, progress: &Progress) {
    let history = &progress.history;
    let of = |at: usize| history.lines.iter().filter(move |line| line.at.number() == at);
    let round = |at: usize| {
        let trained = |line: &&Line| line.split == "train" && line.at.number() <= at;
        history.lines.iter().filter(trained).count()
    };
    let mut ats = vec![history.last()];
    ats.extend(history.kept(plan.keep));
    ats.sort_unstable();
    ats.dedup();
    for at in ats.into_iter().filter(|at| !is_told(round(*at), plan.rounds)) {
        let watch = Watch::new(plan.unit, (round(at), plan.rounds), 0, None);
        of(at).for_each(|line| watch.tell(&line.split, &line.metrics, line.seconds));
    }
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

#[cfg(test)]
mod tests {
    use super::is_told;

    #[test]
    fn of_a_hundred_rounds_every_tenth_is_told_and_of_a_few_each() {
        let told = |rounds: usize| (1..=rounds).filter(|&round| is_told(round, rounds)).collect();
        let hundred: Vec<usize> = told(100);
        assert_eq!(hundred, [1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
        assert_eq!(told(25), [1, 3, 6, 9, 12, 15, 18, 21, 24, 25]);
        assert_eq!(told(20).len(), 20);
    }
}
