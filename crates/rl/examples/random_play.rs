//! What random play scores: `cargo run --release -p tenfold-rl --example random_play [ENV...]`.

use tenfold_rl::env::{self, Environment, Options, Random};

fn main() -> tenfold_core::Result<()> {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        names = Environment::ALL.iter().map(|(_, name)| name.to_string()).collect();
        names.retain(|name| name != "atari");
    }
    for name in names {
        let mut envs = env::open(&name, 64, &Options::default())?;
        envs.reset(1)?;
        let (rows, actions) = (envs.rows(), envs.spec().actions.len());
        // The same number of episodes of every game: short ones would count for more.
        let (mut counts, mut scores, mut lengths) = (vec![0; rows], Vec::new(), Vec::new());
        let mut random = Random::new(1);
        while counts.iter().any(|count| *count < 32) {
            let chosen: Vec<usize> = (0..rows).map(|_| random.below(actions)).collect();
            envs.step(&chosen)?;
            for episode in envs.episodes() {
                if counts[episode.row] < 32 {
                    counts[episode.row] += 1;
                    scores.push(f64::from(episode.score));
                    lengths.push(f64::from(episode.length));
                }
            }
        }
        let (score, error) = mean(&scores);
        let (length, length_error) = mean(&lengths);
        println!(
            "{name:16} return {score:9.3} ± {error:.3}, {length:8.2} ± {length_error:.2} steps"
        );
    }
    Ok(())
}

/// The mean and its standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, (variance / count).sqrt())
}
