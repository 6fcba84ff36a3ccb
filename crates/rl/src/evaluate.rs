//! Playing whole episodes to see how good an agent is, and the statistics of it.

use crate::agents::{self, Meaning, Player, best, draw, softmax};
use crate::env::{Random, VectorEnv};
use serde::Serialize;
use tenfold_core::Result;

/// No episode is played for longer than this when an agent is measured: half an hour of Atari
/// at 60 frames a second, four a step.
pub const LONGEST: u32 = 27_000;

/// How an agent chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// What it thinks best.
    Greedy,
    /// By the probabilities of its policy.
    Sampled,
}

impl Choice {
    /// By `--sample`.
    pub fn new(sample: bool) -> Self {
        if sample { Self::Sampled } else { Self::Greedy }
    }

    /// The action for each row of `scores`, `[rows, actions]`. Values have no probabilities to
    /// draw by: of those the best is taken.
    pub fn of(
        self,
        scores: &[f32],
        actions: usize,
        meaning: Meaning,
        random: &mut Random,
    ) -> Vec<usize> {
        let rows = scores.chunks_exact(actions);
        match self == Self::Sampled && meaning == Meaning::Probability {
            true => rows.map(|row| draw(row, random)).collect(),
            false => rows.map(best).collect(),
        }
    }
}

/// The actions for some rows.
///
/// # Errors
/// What the player refuses.
pub fn choose(
    player: &dyn Player,
    envs: &dyn VectorEnv,
    choice: Choice,
    random: &mut Random,
) -> Result<Vec<usize>> {
    let scores = player.scores(envs.observations(), envs.rows())?;
    Ok(choice.of(&scores, envs.spec().actions.len(), player.meaning(), random))
}

/// Probabilities from a player's scores: of values those of Boltzmann's distribution with
/// temperature 1, which rank actions but are not calibrated.
pub fn probabilities(mut scores: Vec<f32>, meaning: Meaning) -> Vec<f32> {
    let count = scores.len();
    if meaning == Meaning::Value {
        softmax(&mut scores, count);
    }
    scores
}

/// What some episodes brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Episodes {
    /// The sums of their rewards.
    pub returns: Vec<f32>,
    /// How many steps they took.
    pub lengths: Vec<u32>,
}

/// Figures of [`Episodes`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Statistics {
    /// How many.
    pub episodes: usize,
    /// Mean of their returns.
    pub mean_return: f64,
    /// Standard deviation of their returns over episodes.
    pub std_return: f64,
    /// The worst.
    pub min_return: f64,
    /// The best.
    pub max_return: f64,
    /// Mean of their lengths, in steps.
    pub mean_length: f64,
}

impl Episodes {
    /// Their figures.
    pub fn statistics(&self) -> Statistics {
        let values = || self.returns.iter().map(|&value| f64::from(value));
        let (mean_return, std_return) = mean_and_std(&values().collect::<Vec<_>>());
        let lengths = self.lengths.iter().map(|&length| f64::from(length));
        Statistics {
            episodes: self.returns.len(),
            mean_return,
            std_return,
            min_return: values().fold(f64::INFINITY, f64::min),
            max_return: values().fold(f64::NEG_INFINITY, f64::max),
            mean_length: lengths.sum::<f64>() / self.lengths.len().max(1) as f64,
        }
    }
}

/// Mean, and standard deviation with one degree of freedom taken; zeros of nothing.
pub fn mean_and_std(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count.max(1.0);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0)).sqrt())
}

/// Plays `episodes` episodes, one of each game at a time: the first of every game counts, so
/// that short ones are not seen more often than long ones.
///
/// # Errors
/// What the environments or the player refuse.
pub fn episodes(
    envs: &mut dyn VectorEnv,
    player: &dyn Player,
    episodes: usize,
    seed: u64,
    choice: Choice,
) -> Result<Episodes> {
    let mut all = Episodes::default();
    let mut random = Random::keyed(&[seed, 3]);
    let (rows, players) = (envs.rows(), envs.spec().players);
    let mut round = 0;
    while all.returns.len() < episodes {
        envs.reset(Random::keyed(&[seed, 4, round]).bits())?;
        round += 1;
        let left = (episodes - all.returns.len()).min(rows / players);
        let (mut sums, mut done) = (vec![(0.0f32, 0u32); left], vec![false; left]);
        let mut steps = 0;
        while done.contains(&false) {
            let actions = choose(player, envs, choice, &mut random)?;
            agents::step(envs, &actions)?;
            steps += 1;
            for (game, done) in done.iter_mut().enumerate().filter(|(_, done)| !**done) {
                let row = game * players;
                sums[game].0 += envs.rewards()[row];
                sums[game].1 = steps;
                *done = envs.terminated()[row] || envs.truncated()[row] || steps >= LONGEST;
            }
            // What a game is scored by may be more than what an agent is paid (clipped rewards).
            for episode in envs.episodes() {
                let game = episode.row / players;
                if episode.row % players == 0 && game < left && sums[game].1 == steps {
                    sums[game] = (episode.score, episode.length);
                }
            }
        }
        all.returns.extend(sums.iter().map(|sum| sum.0));
        all.lengths.extend(sums.iter().map(|sum| sum.1));
    }
    Ok(all)
}

/// The difference in Elo's rating that a rate of points stands for; infinite at 0 and 1.
pub fn elo(rate: f64) -> f64 {
    400.0 * (rate / (1.0 - rate)).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elo_is_zero_for_equals_and_four_hundred_for_ten_to_one() {
        assert_eq!(elo(0.5), 0.0);
        assert!((elo(10.0 / 11.0) - 400.0).abs() < 1e-9);
    }

    #[test]
    fn statistics_are_those_of_the_sample() {
        let episodes = Episodes { returns: vec![1.0, 2.0, 6.0], lengths: vec![1, 2, 3] };
        let figures = episodes.statistics();
        assert_eq!((figures.mean_return, figures.mean_length), (3.0, 2.0));
        assert!((figures.std_return - 7f64.sqrt()).abs() < 1e-12);
    }
}
