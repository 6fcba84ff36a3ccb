//! The built-in players of MiniRTS against each other, and images of one game:
//! `cargo run --release -p tenfold-rl --example battle [GAMES [FOLDER]]`.

use tenfold_rl::env::minirts::builtin::Builtin;
use tenfold_rl::env::minirts::{MiniRts, Opponent, Options};
use tenfold_rl::env::{Game, SyncVectorEnv, VectorEnv};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let games: usize = arguments.next().map_or(Ok(1000), |text| text.parse())?;
    for first in [Builtin::Idle, Builtin::Simple, Builtin::HitAndRun] {
        for opponent in [Opponent::Idle, Opponent::Simple, Opponent::HitAndRun] {
            let rts = options(first, opponent);
            let mut envs = SyncVectorEnv::new(MiniRts::new(&rts)?, games)?;
            envs.reset(1)?;
            let (mut scores, mut ticks) = (vec![None; games], 0);
            while scores.iter().any(Option::is_none) {
                envs.step(&vec![0; games])?;
                for episode in envs.episodes() {
                    if scores[episode.row].is_none() {
                        scores[episode.row] = Some(episode.score);
                        ticks += episode.length * rts.frame_skip;
                    }
                }
            }
            let share = |score| {
                let count = scores.iter().filter(|s| **s == Some(score)).count();
                100.0 * count as f64 / games as f64
            };
            let (won, lost) = (share(1.0), share(-1.0));
            let ticks = f64::from(ticks) / games as f64;
            println!(
                "{first:?} against {opponent:?}: {won:.1} % won, {lost:.1} % lost, {ticks:.0} ticks"
            );
        }
    }
    if let Some(folder) = arguments.next() {
        std::fs::create_dir_all(&folder)?;
        let mut game = MiniRts::new(&options(Builtin::Simple, Opponent::HitAndRun))?;
        let mut random = tenfold_rl::env::Random::new(3);
        game.reset(&mut random);
        for step in 0..600 {
            if step % 10 == 0 {
                game.draw().save(format!("{folder}/{step:04}.png"))?;
            }
            if game.step(0, &mut random).terminated {
                break;
            }
        }
    }
    Ok(())
}

/// A game of two built-in players, both with the frame skip of an opponent.
fn options(first: Builtin, opponent: Opponent) -> Options {
    Options { stand_in: Some(first), opponent, frame_skip: 20, ..Options::default() }
}
