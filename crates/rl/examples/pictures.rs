//! A picture of every world after some random steps:
//! `cargo run --release -p tenfold-rl --example pictures FOLDER [STEPS]`.

use anyhow::Context as _;
use clap::ValueEnum;
use tenfold_rl::env::{self, Options, Random, World};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().context("expected a folder")?;
    let steps: usize = arguments.next().map_or(Ok(15), |text| text.parse())?;
    std::fs::create_dir_all(&folder)?;
    for world in World::value_variants().iter().filter(|world| **world != World::Atari) {
        let name = world.name();
        let mut worlds = env::open(&name, 1, &Options::default())?;
        worlds.reset(3)?;
        let (mut random, actions) = (Random::new(1), worlds.spec().actions.len());
        for _ in 0..steps {
            worlds.step(&[random.below(actions)])?;
        }
        worlds.draw(0).save(format!("{folder}/{name}.png"))?;
    }
    Ok(())
}
