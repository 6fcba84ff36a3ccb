//! Milliseconds per step of some networks, alone or beside PyTorch: `cargo xtask bench`.
//!
//! Each measurement is a process of its own, so that its peak memory is its own too. With
//! `--against torch` those of the two sides come in turn.

mod networks;
mod workloads;

use anyhow::{Context, Result, ensure};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use tenfold_kernels::allocator::{Allocator, keep_pages};
use workloads::{Mode, Workload};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

const HELP: &str = "\
Measure networks on the CPU: milliseconds per step and peak memory.

Usage: cargo xtask bench [NETWORK]... [OPTIONS]

  NETWORK            mlp, dqn, lenet, resnet18, vgg11, unet, lstm, gru, dcgan; all without
  --modes MODES      some of train,infer,infer1 (a batch of one); all without
  --threads N        threads of each side [2]
  --rounds N         processes that measure each, the median counts [3]
  --seconds S        how long each of them measures [2]
  --busy N           beside N processes that only count; then the mean of the steps is reported,
                     since a thread that has lost its processor shows in few of them [0]
  --against torch    measure PyTorch in turn
  --python PATH      a Python that has the module torch [python3]
  --json             one line of JSON for each measurement";

struct Args {
    workloads: Vec<(&'static str, Workload)>,
    modes: Vec<(&'static str, Mode)>,
    threads: usize,
    rounds: usize,
    seconds: f64,
    busy: usize,
    torch: bool,
    python: String,
    json: bool,
    /// Measure one thing in this process.
    child: bool,
    /// Be one of the busy processes.
    count: bool,
}

impl Args {
    /// Those of the command line; none where help is asked for.
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let mut args = Self {
            workloads: Vec::new(),
            modes: Vec::new(),
            threads: 2,
            rounds: 3,
            seconds: 2.0,
            busy: 0,
            torch: false,
            python: "python3".into(),
            json: false,
            child: false,
            count: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--modes" => {
                    for mode in value()?.split(',') {
                        args.modes.push(named(&Mode::ALL, mode)?);
                    }
                }
                "--threads" => args.threads = value()?.parse().context("--threads")?,
                "--rounds" => args.rounds = value()?.parse().context("--rounds")?,
                "--seconds" => args.seconds = value()?.parse().context("--seconds")?,
                "--busy" => args.busy = value()?.parse().context("--busy")?,
                "--against" => {
                    let other = value()?;
                    ensure!(other == "torch", "--against {other}: only torch is known");
                    args.torch = true;
                }
                "--python" => args.python = value()?,
                "--json" => args.json = true,
                "--child" => args.child = true,
                "--count" => args.count = true,
                network => args.workloads.push(named(&Workload::ALL, network)?),
            }
        }
        if args.workloads.is_empty() {
            args.workloads = Workload::ALL.into();
        }
        if args.modes.is_empty() {
            args.modes = Mode::ALL.into();
        }
        ensure!(args.threads > 0 && args.rounds > 0, "at least one thread and one round");
        Ok(Some(args))
    }
}

/// The one of this name.
fn named<T: Copy>(all: &[(&'static str, T)], name: &str) -> Result<(&'static str, T)> {
    let found = all.iter().find(|(known, _)| *known == name);
    found.copied().with_context(|| format!("{name} is not known: see --help"))
}

/// What one process measured.
#[derive(Clone, Copy, Debug)]
struct Measured {
    /// The median of the steps, and their mean.
    milliseconds: [f64; 2],
    mebibytes: f64,
}

fn main() -> ExitCode {
    keep_pages();
    let run = || match Args::parse(std::env::args().skip(1))? {
        None => {
            println!("{HELP}");
            Ok(())
        }
        Some(args) if args.count => count(),
        Some(args) if args.child => child(&args),
        Some(args) => parent(&args),
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The value in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Repeats the step for the given time, after some rounds that do not count.
fn child(args: &Args) -> Result<()> {
    let (&[(_, workload)], &[(_, mode)]) = (args.workloads.as_slice(), args.modes.as_slice())
    else {
        anyhow::bail!("a child measures one network in one mode");
    };
    let mut step = workload.step(mode);
    let total = Duration::from_secs_f64(args.seconds);
    let start = Instant::now();
    let mut times = Vec::new();
    let mut warming = 3;
    while times.len() < 5 || start.elapsed() < total {
        let before = Instant::now();
        step();
        if warming > 0 {
            warming -= 1;
        } else {
            times.push(before.elapsed().as_secs_f64() * 1e3);
        }
    }
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    println!("{} {mean} {}", median(times), peak_memory());
    Ok(())
}

/// Counts until whoever started this process is gone.
fn count() -> Result<()> {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let mut number = 0_u64;
    loop {
        number = std::hint::black_box(number).wrapping_add(1);
    }
}

/// Processes that count, until this goes.
struct Busy(Vec<Child>);

impl Busy {
    fn start(processes: usize) -> Result<Self> {
        let mut all = Self(Vec::new());
        for _ in 0..processes {
            let mut command = Command::new(std::env::current_exe()?);
            all.0.push(command.arg("--count").stdin(Stdio::piped()).spawn()?);
        }
        Ok(all)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for process in &mut self.0 {
            // It ends by itself when its input does.
            drop(process.stdin.take());
            let _ = process.wait();
        }
    }
}

/// The most memory that this process has had, in MiB; 0 where the system does not tell.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kibibytes.unwrap_or(0.0) / 1024.0
}

fn measure(mut command: Command) -> Result<Measured> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let words = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = words.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let &[median, mean, mebibytes] = numbers.as_slice() else {
        anyhow::bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    Ok(Measured { milliseconds: [median, mean], mebibytes })
}

fn parent(args: &Args) -> Result<()> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/torch_networks.py");
    if args.torch {
        let check = Command::new(&args.python).args(["-c", "import torch"]).output();
        let found = check.is_ok_and(|output| output.status.success());
        ensure!(found, "{} has no module torch", args.python);
    }
    if !args.json {
        println!(
            "{:<10} {:<7} {:>9} {:>8} {:>9} {:>8} {:>6}",
            "", "", "ours, ms", "MiB", "torch, ms", "MiB", "ratio"
        );
    }
    let _busy = Busy::start(args.busy)?;
    for (network, _) in &args.workloads {
        for (what, _) in &args.modes {
            let (mut ours, mut torch) = (Vec::new(), Vec::new());
            for _ in 0..args.rounds {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["--child", network, "--modes", what]);
                command.args(["--seconds", &args.seconds.to_string()]);
                command.env("RAYON_NUM_THREADS", args.threads.to_string());
                ours.push(measure(command)?);
                if args.torch {
                    let mut command = Command::new(&args.python);
                    command.args([script, network, what]);
                    command.args([args.threads.to_string(), args.seconds.to_string()]);
                    torch.push(measure(command)?);
                }
            }
            report(args, network, what, &ours, &torch);
        }
    }
    Ok(())
}

fn report(args: &Args, network: &str, what: &str, ours: &[Measured], torch: &[Measured]) {
    let middle = |all: &[Measured]| {
        let which = usize::from(args.busy > 0);
        let times = all.iter().map(|measured| measured.milliseconds[which]).collect();
        (median(times), all.iter().map(|measured| measured.mebibytes).fold(0.0, f64::max))
    };
    let (time, memory) = middle(ours);
    let other = (!torch.is_empty()).then(|| middle(torch));
    if args.json {
        let beside = other.map_or_else(String::new, |(torch_time, torch_memory)| {
            let ratio = time / torch_time;
            format!(r#","torch_milliseconds":{torch_time},"torch_mebibytes":{torch_memory},"ratio":{ratio}"#)
        });
        let (threads, busy) = (args.threads, args.busy);
        println!(
            r#"{{"workload":"{network}","mode":"{what}","threads":{threads},"busy":{busy},"milliseconds":{time},"mebibytes":{memory}{beside}}}"#
        );
    } else if let Some((torch_time, torch_memory)) = other {
        let ratio = time / torch_time;
        println!(
            "{network:<10} {what:<7} {time:>9.3} {memory:>8.0} {torch_time:>9.3} {torch_memory:>8.0} {ratio:>6.2}"
        );
    } else {
        println!("{network:<10} {what:<7} {time:>9.3} {memory:>8.0}");
    }
}
