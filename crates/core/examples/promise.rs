//! Whether a threshold keeps its promise: a run's held-out examples are halved in 20 ways, a
//! threshold is chosen by one half, and errors are counted in the other.
//!
//! `cargo run --release -p tenfold-core --example promise -- RUN [RISK]`

use tenfold_core::calibrate::threshold;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::run::Run;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [run, rest @ ..] = &args[..] else { anyhow::bail!("expected RUN [RISK]") };
    let risk: f64 = rest.first().map_or(Ok(0.01), |text| text.parse())?;
    let calibration = Run::open(run.as_ref())?.calibration()?;
    let judged = calibration.ok_or_else(|| anyhow::anyhow!("{run}: no calibration.json"))?.judged();
    let (mut above, mut accepted, mut worst) = (0, 0.0, 0f64);
    for seed in 1..=20 {
        let mut shuffled = judged.clone();
        SplitMix64::new(seed).shuffle(&mut shuffled);
        let (chosen_by, rest) = shuffled.split_at(shuffled.len() / 2);
        let Some(found) = threshold(chosen_by, risk, 0.05) else {
            println!("seed {seed}: no threshold promises it, nothing is accepted");
            continue;
        };
        let sure = rest.iter().filter(|one| one.confidence >= found.confidence);
        let (count, errors) =
            sure.fold((0, 0), |(count, errors), one| (count + 1, errors + usize::from(!one.right)));
        let error = errors as f64 / f64::from(count.max(1));
        let share = f64::from(count) / rest.len() as f64;
        println!(
            "seed {seed}: from {:.4} on, {:.2} % accepted, {:.2} % of them wrong",
            found.confidence,
            share * 100.0,
            error * 100.0
        );
        above += usize::from(error > risk);
        accepted += share / 20.0;
        worst = worst.max(error);
    }
    let accuracy = judged.iter().filter(|one| one.right).count() as f64 / judged.len() as f64;
    println!(
        "accuracy {:.2} %; {:.2} % accepted on average; at most {:.2} % wrong; {above} of 20 seeds \
         above {:.2} %",
        accuracy * 100.0,
        accepted * 100.0,
        worst * 100.0,
        risk * 100.0
    );
    Ok(())
}
