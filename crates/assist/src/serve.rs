//! `serve`: puts the parts together, and takes them apart without losing anything.

use crate::active::Active;
use crate::entry::{Order, Proposed};
use crate::fill::fill;
use crate::model::Model;
use crate::queue::{Queue, Shares};
use crate::retrain::{self, Retrain};
use crate::state::{MEMORY, Settings, State};
use crate::writer::Writer;
use crate::{http, rounds, worker};
use anyhow::Context;
use clap::Args;
use std::ffi::OsString;
use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tenfold_core::cli::{Program, starved};
use tenfold_core::progress::note;
use tenfold_core::run::Run;
use tenfold_core::store::{self, Origin, Store};
use tenfold_core::suggest::RetrainPlan;
use tenfold_core::train::interrupt;
use tenfold_core::{Error, Result, device};

/// Decides which items are of the fixed part.
const SEED: u64 = 1;

/// How long a training that was asked to stop is waited for.
const FAREWELL: Duration = Duration::from_secs(30);

/// `serve`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    #[arg(value_name = "RUN", help = "Run folder that `train` made")]
    pub run: PathBuf,
    #[arg(long, value_name = "DIR|FILE")]
    #[arg(help = "Items to label: a folder of images, a table (.csv), or texts (.txt, a line \
                  each, .jsonl or .csv); without it, only the API is served")]
    pub queue: Option<PathBuf>,
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    #[arg(help = "Address to listen at; port 0 takes a free port")]
    pub at: String,
    #[arg(long, value_name = "FILE")]
    #[arg(help = "Store of decisions [default: RUN/decisions.sqlite]")]
    pub store: Option<PathBuf>,
    #[arg(long, value_name = "RISK", value_parser = part)]
    #[arg(help = "Auto-accept: expected errors at most this fraction, such as 0.01")]
    pub auto_accept: Option<f64>,
    #[arg(long, value_name = "PART", default_value = "0.05", value_parser = part)]
    #[arg(help = "Fraction of the auto-accepted items that a person checks")]
    pub audit: f64,
    #[arg(long, value_name = "PART", default_value = "0.05", value_parser = part)]
    #[arg(help = "Fraction of the items that two people label, to measure their agreement")]
    pub shared: f64,
    #[arg(long, value_enum, default_value = "given", help = "Order of the items")]
    pub order: Order,
    #[arg(long, help = "Hide the suggestions, to measure labelling without them")]
    pub baseline: bool,
    #[arg(long, value_name = "K", default_value = "9", help = "Number of suggestions shown")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=9))]
    pub top_k: u32,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(help = "Epochs of retraining [default: the run's own]")]
    pub epochs: Option<u32>,
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    #[arg(help = "Seconds for which an item stays reserved for a person who does nothing")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub lease: u32,
    #[arg(long, value_name = "TOKEN", value_parser = token)]
    #[arg(help = "Token that requests must carry when the address is not this machine's own \
                  [default: drawn at random and printed]")]
    pub token: Option<String>,
    #[arg(long = "host", value_name = "NAME")]
    #[arg(help = "Another host name under which the server accepts requests")]
    pub hosts: Vec<String>,
    #[arg(long, value_name = "MIB", default_value = "16", help = "Size of the largest upload")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=512))]
    pub upload: u32,
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    #[arg(
        help = "Device: cpu, ndarray, cuda, cuda:N or vulkan; GPUs need a build with their feature"
    )]
    pub device: String,
}

fn part(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..1.0).contains(&value) => Ok(value),
        _ => Err("expected a number from 0 to below 1".into()),
    }
}

fn token(text: &str) -> Result<String, String> {
    match text.trim().is_empty() || text.chars().any(char::is_control) {
        true => Err("expected a word that others do not guess".into()),
        false => Ok(text.into()),
    }
}

/// Runs the verb: until Ctrl-C or SIGTERM.
///
/// # Errors
/// A run, queue or store that cannot be opened, or an address that cannot be had.
pub fn run<Z: Program>(args: &ServeArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let ServeArgs { run, .. } = args;
    let name = Run::open(run)?.model(Z::TASK)?;
    // Rounds are found again from wherever the next start is.
    let run = &run.canonicalize().map_err(|source| Error::io(run, source))?;
    let device = device::open(&args.device)?;
    let open: retrain::Open = {
        let device = device.clone();
        Box::new(move |run| Z::propose(run, &device))
    };
    let mut model = open(run)?;
    let kind = model.kind();
    // A place for the store where there is no queue; it is gone with the program.
    let nothing = tempfile::tempdir().context("a temporary folder")?;
    let queue = match &args.queue {
        Some(queue) => queue.canonicalize().map_err(|source| Error::io(queue, source))?,
        None => nothing.path().to_path_buf(),
    };
    let path = match (&args.store, &args.queue) {
        (Some(store), _) => {
            std::path::absolute(store).map_err(|source| Error::io(store, source))?
        }
        (None, Some(_)) => run.join("decisions.sqlite"),
        (None, None) => nothing.path().join("decisions.sqlite"),
    };
    let _lock = lock(&path)?;
    let origin = Origin {
        task: Z::TASK.into(),
        queue: queue.clone(),
        kind,
        seed: SEED,
        agreement: model.agreement(),
    };
    let store = Store::open(&path, &origin, model.labels())?;
    if args.queue.is_some() {
        fill(&store, &queue, &*model)?;
    }
    let past = store.rounds()?;
    let mut settings = Settings {
        task: Z::TASK.into(),
        queue,
        kind: origin.kind,
        store: path,
        free: model.labels().is_empty(),
        places: model.places(),
        top: args.top_k as usize,
        risk: args.auto_accept.filter(|&risk| risk > 0.0),
        order: args.order,
        baseline: args.baseline,
        token: args.token.clone(),
        hosts: args.hosts.clone(),
        upload: args.upload as usize * 1024 * 1024,
        pixels: 32 << 20,
        preprocess: model.preprocess().filter(|own| own.shapes()).cloned(),
        memory: MEMORY,
        patience: Duration::from_secs(30),
    };
    let mut active = Active::of(&name, 0, run, settings.risk)?;
    if let Some(round) = rounds::last_taken(&past) {
        let folder = Path::new(&round.run);
        note(format_args!("using the weights of round {}, in {}", round.round, round.run));
        model = open(folder)?;
        active = Active::of(&name, round.round, folder, settings.risk)?;
        active.accuracy = round.accuracy;
    }
    let queue = opened(&store, args)?;
    let labels = store.labels()?;

    let listener = listen(&args.at)?;
    let address = listener.local_addr().context("the address that is listened at")?;
    if !address.ip().is_loopback() {
        settings.token.get_or_insert_with(http::guard::drawn_token);
    }
    let train = Box::new(|plan: &RetrainPlan| Z::retrain(plan).map_err(|why| format!("{why:#}")));
    let retrain = Retrain {
        epochs: args.epochs,
        device: args.device.clone(),
        ..Retrain::new(
            train,
            open,
            Box::new(Z::own_examples),
            past.last().map_or(0, |round| round.round),
        )
    };
    let (writer, writing) = Writer::start(store);
    let (asked, jobs) = Model::channel();
    let state = State::new(settings, (writer, asked), queue, labels, active.clone(), retrain);
    let state = Arc::new(state);
    state.look_at_audit();
    let modelling = {
        let state = state.clone();
        std::thread::spawn(move || worker::run(model, active.id, &jobs, &state))
    };

    greet(&state, address, out)?;
    let runtime = tokio::runtime::Runtime::new().context("threads to serve with")?;
    starved::go_on();
    runtime.block_on(http::serve(listener, state.clone()))?;
    note("stopping: open requests are answered first");
    state.stop();
    interrupt::request();
    rounds::wait(&state, FAREWELL);
    runtime.shutdown_timeout(Duration::from_secs(5));
    let _ = modelling.join();
    // The store closes with its last writer. A training that did not stop keeps one: what was
    // decided is on the disk all the same.
    if Arc::into_inner(state).map(drop).is_some() {
        let _ = writing.join();
    }
    Ok(())
}

fn greet(state: &State, address: SocketAddr, out: &mut dyn Write) -> std::io::Result<()> {
    let token = state.settings.token.as_ref().map_or(String::new(), |token| {
        let token = http::guard::encoded(token);
        format!("?token={token}")
    });
    writeln!(out, "http://{address}/{token}")?;
    out.flush()?;
    let queue = state.queue().counts(std::time::Instant::now());
    note(format_args!(
        "{} items, {} of them decided; decisions are kept in {}; Ctrl-C ends",
        queue.items,
        queue.decided,
        state.settings.store.display()
    ));
    if let Some(message) = state.status()["auto_accept"]["message"].as_str() {
        note(message);
    }
    Ok(())
}

/// Keeps a second server out of the store, by whatever name it comes.
fn lock(store: &Path) -> Result<std::fs::File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if std::fs::metadata(store).is_ok_and(|about| about.nlink() > 1) {
            let why = "has another name too (a hard link), under which it could be written";
            return Err(Error::file(store, format!("{why}: remove that")));
        }
    }
    // Behind links.
    let folder = store.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize();
    let own = store.canonicalize().ok().or_else(|| Some(folder.ok()?.join(store.file_name()?)));
    let mut path = OsString::from(own.as_deref().unwrap_or(store));
    path.push(".lock");
    let path = PathBuf::from(path);
    let open = std::fs::File::options().create(true).append(true).open(&path);
    let file = open.map_err(|source| Error::io(&path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(Error::file(store, "another server has this store open"))
        }
        Err(std::fs::TryLockError::Error(source)) => Err(Error::io(&path, source)),
    }
}

/// The queue as the store has it.
fn opened(store: &Store, args: &ServeArgs) -> Result<Queue> {
    let shares = Shares { shared: args.shared, audit: args.audit };
    let lease = Duration::from_secs(args.lease.into());
    let mut queue = Queue::new(store.items()?, &store.decisions()?, shares, lease);
    queue.agreement = store.origin().agreement;
    for store::Proposed { item, weights, proposal } in store.suggestions()? {
        queue.propose(item, Proposed { proposal: proposal.into(), weights: weights.into() });
    }
    Ok(queue)
}

fn listen(at: &str) -> Result<std::net::TcpListener> {
    let wrong = |why: std::io::Error| Error::argument("--at", format!("{at}: {why}"));
    let addresses: Vec<SocketAddr> = at.to_socket_addrs().map_err(wrong)?.collect();
    let listener = std::net::TcpListener::bind(&addresses[..]).map_err(wrong)?;
    listener.set_nonblocking(true).map_err(wrong)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_store_is_locked_by_whatever_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("real")).unwrap();
        std::os::unix::fs::symlink(at("real"), at("link")).unwrap();
        // Before there is a store, too.
        let first = lock(&at("real/s.sqlite")).unwrap();
        assert!(lock(&at("link/s.sqlite")).is_err());
        std::fs::write(at("real/s.sqlite"), "x").unwrap();
        std::os::unix::fs::symlink(at("real/s.sqlite"), at("t.sqlite")).unwrap();
        for name in ["link/s.sqlite", "t.sqlite", "real/s.sqlite"] {
            let why = lock(&at(name)).unwrap_err().to_string();
            assert!(why.contains("another server has this store open"), "{why}");
        }
        drop(first);
        drop(lock(&at("t.sqlite")).unwrap());
        std::fs::hard_link(at("real/s.sqlite"), at("u.sqlite")).unwrap();
        assert!(lock(&at("u.sqlite")).unwrap_err().to_string().contains("hard link"));
    }

    #[test]
    fn an_empty_token_is_none() {
        for text in ["", "  ", "a\nb"] {
            assert!(token(text).is_err());
        }
        assert_eq!(token("a;b & c").unwrap(), "a;b & c");
    }
}
