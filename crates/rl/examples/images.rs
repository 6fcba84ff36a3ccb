//! An image of every environment after some random steps:
//! `cargo run --release -p tenfold-rl --example images FOLDER [STEPS]`.

use anyhow::Context as _;
use tenfold_rl::env::{self, Environment, Options, Random};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().context("expected a folder")?;
    let steps: usize = arguments.next().map_or(Ok(15), |text| text.parse())?;
    std::fs::create_dir_all(&folder)?;
    for (_, name) in Environment::ALL.iter().filter(|(env, _)| *env != Environment::Atari) {
        let mut envs = env::open(name, 1, &Options::default())?;
        envs.reset(3)?;
        let (mut random, actions) = (Random::new(1), envs.spec().actions.len());
        for _ in 0..steps {
            envs.step(&[random.below(actions)])?;
        }
        envs.draw(0).save(format!("{folder}/{name}.png"))?;
    }
    Ok(())
}
