//! How fast an environment is: raw steps, without any agent.

use super::atari;
use super::game::Random;
use super::minirts::builtin::Builtin;
use super::open::{Options, open};
use super::vector_env::VectorEnv;
use serde::Serialize;
use std::time::{Duration, Instant};
use tenfold_core::{Error, Result};

/// What [`speed`] measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Speed {
    /// The environment.
    pub env: String,
    /// How many games each core stepped together.
    pub games: usize,
    /// How many cores.
    pub cores: usize,
    /// Steps of single games per second of the clock, all cores together.
    pub steps_per_second: f64,
    /// The same per second that one core really worked (Linux tells how long that was;
    /// elsewhere, and for Atari's processes, the clock does): what else the machine does in the
    /// meantime is not in it.
    pub steps_per_second_per_core: f64,
    /// Frames of the game (ticks, where it has those) per second and core: more than steps
    /// where one action lasts several frames.
    pub frames_per_second_per_core: f64,
    /// Nanoseconds that one step of one game takes on its core.
    pub nanoseconds_per_step: f64,
}

/// Steps `games` games of the environment called `name` on each of `cores` threads for `time`, with
/// uniformly random actions; in MiniRTS a built-in player acts in the agent's place.
/// Observations are written at every step.
///
/// # Errors
///
/// What [`open`] refuses, and no cores at all.
pub fn speed(
    name: &str,
    games: usize,
    cores: usize,
    time: Duration,
    options: &Options,
) -> Result<Speed> {
    if cores == 0 {
        return Err(Error::argument("--threads", "there must be at least one thread"));
    }
    let mut options = options.clone();
    options.rts.stand_in.get_or_insert(Builtin::Simple);
    let mut opened = Vec::with_capacity(cores);
    for core in 0..cores {
        let mut envs = open(name, games, &options)?;
        envs.reset(core as u64)?;
        opened.push(envs);
    }
    let env = opened[0].spec().name.clone();
    let rates: Vec<Result<[f64; 2]>> = std::thread::scope(|scope| {
        let threads: Vec<_> = opened
            .iter_mut()
            .enumerate()
            .map(|(core, envs)| scope.spawn(move || alone(envs.as_mut(), core, time)))
            .collect();
        threads.into_iter().map(|t| t.join().expect("a thread that measures")).collect()
    });
    // Atari's games run in processes of their own, whose work is not this thread's.
    let outside = env.starts_with("atari").then(|| atari::processes(games));
    let (mut all, mut per_core) = (0.0, 0.0);
    for rates in rates {
        let [by_clock, by_work] = rates?;
        all += by_clock;
        let one = outside.map_or(by_work, |processes| by_clock / processes as f64);
        per_core += one / cores as f64;
    }
    Ok(Speed {
        env,
        games,
        cores,
        steps_per_second: all,
        steps_per_second_per_core: per_core,
        frames_per_second_per_core: per_core * opened[0].spec().frames_per_step,
        nanoseconds_per_step: 1e9 / per_core,
    })
}

/// Steps per second of the clock and of this core's work, on this thread alone: environments that
/// would share their games among threads find a pool of one.
fn alone(envs: &mut dyn VectorEnv, core: usize, time: Duration) -> Result<[f64; 2]> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
    let pool = pool.map_err(|why| Error::Training(format!("a pool of one thread: {why}")))?;
    pool.install(|| {
        let mut random = Random::keyed(&[u64::MAX, core as u64]);
        let mut actions = vec![0; envs.rows()];
        let count = envs.spec().actions.len();
        let games = envs.rows() / envs.spec().players;
        let (begin, worked, mut steps) = (Instant::now(), worked(), 0usize);
        while begin.elapsed() < time {
            // The clock is read once per some thousand steps of single games.
            for _ in 0..(4096 / games).max(1) {
                actions.fill_with(|| random.below(count));
                envs.step(&actions)?;
                steps += games;
            }
        }
        let clock = begin.elapsed().as_secs_f64();
        let work = match (worked, self::worked()) {
            (Some(before), Some(after)) if after > before => (after - before).as_secs_f64(),
            _ => clock,
        };
        Ok([steps as f64 / clock, steps as f64 / work])
    })
}

/// How long this thread has worked on a core so far, on Linux.
fn worked() -> Option<Duration> {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = schedule.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_and_refuses() {
        let options = Options::default();
        let measured = speed("cartpole", 8, 1, Duration::from_millis(50), &options).unwrap();
        assert_eq!((measured.env.as_str(), measured.games, measured.cores), ("cartpole", 8, 1));
        assert!(measured.steps_per_second > 1e5, "{measured:?}");
        let no_games = speed("cartpole", 0, 1, Duration::from_millis(50), &options);
        assert!(no_games.unwrap_err().to_string().starts_with("--games: "));
        let no_cores = speed("cartpole", 1, 0, Duration::from_millis(50), &options);
        assert!(no_cores.unwrap_err().to_string().starts_with("--threads: "));
    }
}
