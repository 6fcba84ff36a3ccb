//! Raw speed of the environments on one core:
//! `cargo run --release -p tenfold-rl --example speed [ENV...]`. For `atari` the variable
//! `TENFOLD_ATARI_PYTHON` names the Python that has ale-py.

use std::time::Duration;
use tenfold_rl::env::{Environment, Options, speed::speed};

fn main() -> tenfold_core::Result<()> {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        names = Environment::ALL.iter().map(|(_, name)| name.to_string()).collect();
        names.retain(|name| name != "atari");
    }
    let mut options = Options::default();
    options.atari.python = std::env::var_os("TENFOLD_ATARI_PYTHON").map(Into::into);
    for name in names {
        // Atari's games are slow to start and slow to play.
        let (counts, seconds) =
            if name == "atari" { (&[2][..], 10) } else { (&[1, 16, 128, 1024][..], 1) };
        for &games in counts {
            let s = speed(&name, games, 1, Duration::from_secs(seconds), &options)?;
            let (million, ns) = (s.steps_per_second_per_core / 1e6, s.nanoseconds_per_step);
            println!(
                "{name:16} {games:5} games {million:8.3} M steps/s per core, {ns:9.1} ns each"
            );
            if s.frames_per_second_per_core > s.steps_per_second_per_core {
                println!("{:30} {:8.0} frames/s per core", "", s.frames_per_second_per_core);
            }
        }
    }
    Ok(())
}
