//! `match` and `speed`: figures of pairs of runs and of environments.

use crate::agents::{self, Player};
use crate::config::{check_fit, two_sided};
use crate::env::{self, Options, Random, VectorEnv};
use crate::evaluate::{Choice, LONGEST, choose, elo};
use crate::flags::{MatchArgs, SpeedArgs};
use crate::predictor::Predictor;
use serde::Serialize;
use std::io::Write;
use std::time::Duration;
use tenfold_core::calibrate::wilson;
use tenfold_core::cli::print_json;
use tenfold_core::{Error, Result, device};

/// Games played at once when a run is measured.
pub const GAMES: usize = 100;

/// How often somebody wins.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rate {
    games: usize,
    wins: usize,
    losses: usize,
    draws: usize,
    /// Wins as a part of all games.
    win_rate: f64,
    /// Wilson's interval of that at 95 %.
    win_rate_interval: [f64; 2],
    /// The difference in Elo's rating, a draw counting as half a win; none where one side won
    /// everything.
    elo: Option<f64>,
}

impl Rate {
    /// From returns: above zero is a win.
    pub fn of(returns: &[f32]) -> Self {
        let count = |of: fn(&f32) -> bool| returns.iter().filter(|value| of(value)).count();
        let (games, wins, losses) = (returns.len(), count(|&r| r > 0.0), count(|&r| r < 0.0));
        let draws = games - wins - losses;
        let points = (wins as f64 + draws as f64 / 2.0) / games.max(1) as f64;
        Self {
            games,
            wins,
            losses,
            draws,
            win_rate: wins as f64 / games.max(1) as f64,
            win_rate_interval: wilson(wins as f64, games),
            elo: Some(elo(points)).filter(|elo| elo.is_finite()),
        }
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [low, high] = self.win_rate_interval.map(|rate| 100.0 * rate);
        write!(
            f,
            "won {} of {} games, lost {}, drew {}: {:.1} % (95 %: {low:.1} to {high:.1}), Elo {}",
            self.wins,
            self.games,
            self.losses,
            self.draws,
            100.0 * self.win_rate,
            self.elo.map_or("unbounded".into(), |elo| format!("{elo:+.0}")),
        )
    }
}

/// `match`: two runs against each other.
///
/// # Errors
/// Runs that cannot be opened or of different environments, or an environment without two sides.
pub fn run(args: &MatchArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let device = device::open(&args.device)?;
    let (a, b) = (Predictor::from_file(&args.a, &device)?, Predictor::from_file(&args.b, &device)?);
    let games = args.games as usize;
    let open = |games| {
        env::open(
            &a.config.choice.env,
            games,
            &two_sided(&args.settings.over(&a.config.choice.options)),
        )
    };
    let mut envs = open(games.min(GAMES))?;
    if envs.spec().players != 2 {
        let why = format!(
            "{} has one side; a match needs an environment with two, such as minirts",
            a.config.choice.env
        );
        return Err(Error::argument("RUN_A", why).into());
    }
    check_fit(&a.config.spec, envs.spec())?;
    check_fit(&b.config.spec, envs.spec())?;
    let choice = Choice::new(args.sample);
    let returns = duel(&mut *envs, [&*a.player, &*b.player], games, args.seed, choice)?;
    let rate = Rate::of(&returns);
    if args.json {
        return print_json(&rate, out);
    }
    Ok(writeln!(out, "{} against {}: {rate}", args.a.display(), args.b.display())?)
}

/// Games between two players who change sides after each: the first one's returns.
fn duel(
    envs: &mut dyn VectorEnv,
    [a, b]: [&dyn Player; 2],
    games: usize,
    seed: u64,
    choice: Choice,
) -> Result<Vec<f32>> {
    let mut returns = Vec::with_capacity(games);
    let mut random = Random::keyed(&[seed, 8]);
    let mut round = 0;
    while returns.len() < games {
        envs.reset(Random::keyed(&[seed, 9, round]).bits())?;
        round += 1;
        let here = (games - returns.len()).min(envs.rows() / 2);
        let first = returns.len();
        // In every other game the first player has the second side.
        let row = |game: usize| 2 * game + (first + game) % 2;
        let (mut sums, mut done) = (vec![0.0; here], vec![false; here]);
        for step in 0.. {
            let mine = choose(a, envs, choice, &mut random)?;
            let mut actions = choose(b, envs, choice, &mut random)?;
            (0..here).for_each(|game| actions[row(game)] = mine[row(game)]);
            agents::step(envs, &actions)?;
            for game in (0..here).filter(|&game| !done[game]).collect::<Vec<_>>() {
                let row = row(game);
                sums[game] += envs.rewards()[row];
                done[game] = envs.terminated()[row] || envs.truncated()[row] || step >= LONGEST;
            }
            if !done.contains(&false) {
                break;
            }
        }
        returns.extend(sums);
    }
    Ok(returns)
}

/// `speed`: raw steps of an environment.
///
/// # Errors
/// An environment that cannot be opened.
pub fn speed(args: &SpeedArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let time = Duration::from_secs_f64(args.seconds);
    let (games, threads) = (args.games as usize, args.threads as usize);
    let found = env::speed::speed(
        &args.env,
        games,
        threads,
        time,
        &args.settings.over(&Options::default()),
    )?;
    if args.json {
        return print_json(&found, out);
    }
    let grouped = |rate: f64| tenfold_core::progress::grouped(rate as usize);
    writeln!(
        out,
        "{}: {} steps/s per core, {} in all on {threads}; {:.0} ns a step with {games} games",
        found.env,
        grouped(found.steps_per_second_per_core),
        grouped(found.steps_per_second),
        found.nanoseconds_per_step,
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_counts_draws_as_half_for_elo_only() {
        let rate = Rate::of(&[1.0, 1.0, -1.0, 0.0]);
        assert_eq!((rate.wins, rate.losses, rate.draws, rate.win_rate), (2, 1, 1, 0.5));
        assert!((rate.elo.unwrap() - elo(0.625)).abs() < 1e-9);
        assert_eq!(Rate::of(&[1.0]).elo, None);
    }
}
