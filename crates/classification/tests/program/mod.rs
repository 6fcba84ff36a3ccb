//! The real program in processes of its own, to be killed, starved and compared.

use burn::store::burn_pack;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The arguments of [`reference`]: dropout and augmentation, in a few seconds.
pub const LENET: &str = "train lenet --limit 600 --epochs 4";

/// How long anything may take, on a machine that has much other work. A test that waits so long
/// has failed, whatever the machine.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// A fresh folder; `run` inside it is for the run.
pub fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    (folder, run)
}

/// The words of `line`, then `--out run`.
pub fn train(line: &str, run: &Path) -> Command {
    let mut command = program();
    command.args(line.split(' ')).arg("--out").arg(run);
    command
}

/// The program without arguments, its stdout and stderr to be read.
pub fn program() -> Command {
    piped(env!("CARGO_BIN_EXE_tenfold-classification"))
}

/// Any program, its stdout and stderr to be read.
pub fn piped(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A process that ends with its test, however that ends.
pub struct Process(Child);

impl Process {
    /// Starts a command.
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    /// Ends it at once, by SIGKILL, as if the plug were pulled.
    pub fn end(&mut self) {
        self.kill().unwrap();
        self.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Deref for Process {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

/// What an ended process leaves.
#[derive(Debug)]
pub struct Ended {
    /// The exit status, where no signal ended it.
    pub code: Option<i32>,
    /// Everything on stdout.
    pub out: String,
    /// Everything on stderr.
    pub err: String,
}

impl Ended {
    /// The one `error:` line of a program that ended with status 1.
    pub fn error(&self) -> &str {
        assert_eq!(self.code, Some(1), "{self:?}");
        let errors: Vec<&str> =
            self.err.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{}", self.err);
        assert_eq!(self.err.lines().last(), Some(errors[0]), "{}", self.err);
        errors[0]
    }
}

/// Waits for the end of a process, which is never to be a panic.
pub fn ended(mut child: Process) -> Ended {
    fn text(pipe: Option<impl Read>) -> String {
        let mut text = String::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_string(&mut text).unwrap();
        }
        text
    }
    let (out, err) = (child.stdout.take(), child.stderr.take());
    // Both at once: a pipe that nobody reads stops its writer when it is full.
    let (out, err) = std::thread::scope(|scope| {
        let err = scope.spawn(|| text(err));
        (text(out), err.join().unwrap())
    });
    let ended = Ended { code: child.wait().unwrap().code(), out, err };
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    ended
}

/// Runs to the end.
pub fn run(command: &mut Command) -> Ended {
    ended(Process::start(command))
}

/// Runs to an end without an error.
pub fn succeed(command: &mut Command) -> Ended {
    let ended = run(command);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    ended
}

/// Looks again and again until `happened`, while the process lives. Whether it did.
pub fn wait_until(child: &mut Process, happened: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while !happened() {
        if child.try_wait().unwrap().is_some() {
            return happened();
        }
        assert!(begun.elapsed() < PATIENCE, "waited for {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

/// A run folder in which `scene` met its moment, with what the scene says of it. On a busy
/// machine the process may be past the moment before the test has its turn: then again.
pub fn met<T>(scene: impl Fn(&Path) -> Option<T>) -> (tempfile::TempDir, PathBuf, T) {
    for _ in 0..10 {
        let (folder, run) = folder();
        if let Some(seen) = scene(&run) {
            return (folder, run, seen);
        }
    }
    panic!("ten times past the moment");
}

/// Kills the process, by SIGKILL, a while after `happened`. `None` where it had ended by itself.
pub fn kill_after(mut child: Process, happened: impl Fn() -> bool, delay: Duration) -> Option<()> {
    wait_until(&mut child, happened);
    std::thread::sleep(delay);
    child.kill().unwrap();
    ended(child).code.is_none().then_some(())
}

/// The folder of the checkpoint of `epoch`.
pub fn checkpoint(run: &Path, epoch: usize) -> PathBuf {
    run.join(format!("checkpoint/epoch-{epoch:04}"))
}

/// All that a training has learnt.
#[derive(PartialEq)]
pub struct Learnt {
    /// `model.safetensors`, byte for byte.
    pub weights: Vec<u8>,
    /// Every tensor and number of the one checkpoint: the model's by their paths, the
    /// optimiser's by the path of the parameter that they belong to.
    checkpoint: BTreeMap<String, Vec<u8>>,
    /// `metrics.jsonl` without the wall times.
    metrics: Vec<serde_json::Value>,
}

impl Learnt {
    /// Reads a run folder, which must hold the files of a finished run and no others.
    pub fn read(run: &Path) -> Self {
        let files = [
            ".lock",
            "checkpoint",
            "config.json",
            "curves.svg",
            "metrics.jsonl",
            "model.safetensors",
            "summary.json",
        ];
        let mut own = names(run);
        // A regression has no confidence to be calibrated.
        own.retain(|name| name != "calibration.json");
        assert_eq!(own, files);
        let checkpoints = names(&run.join("checkpoint"));
        assert_eq!(checkpoints.len(), 1, "{checkpoints:?}");
        let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        let line = |line| {
            let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
            line.as_object_mut().unwrap().remove("seconds").unwrap();
            line
        };
        Self {
            weights: std::fs::read(run.join("model.safetensors")).unwrap(),
            checkpoint: state(&run.join("checkpoint").join(&checkpoints[0])),
            metrics: metrics.lines().map(line).collect(),
        }
    }

    /// Fails where a bit differs.
    pub fn assert_same(&self, other: &Self) {
        assert_eq!(self.metrics, other.metrics);
        assert!(self.checkpoint.keys().eq(other.checkpoint.keys()));
        for (name, data) in &self.checkpoint {
            assert!(*data == other.checkpoint[name], "{name} of the checkpoint differs");
        }
        assert!(self.weights == other.weights, "model.safetensors differs");
    }
}

/// Sorted names of what is in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The numbers in a checkpoint. Burn gives parameters random ids, in each process others;
/// here the paths of the parameters stand in their place.
fn state(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let open = |name| burn_pack::Reader::from_file(folder.join(name)).unwrap();
    let mut all = BTreeMap::new();
    let mut paths = BTreeMap::new();
    for tensor in open("network").into_tensors().unwrap() {
        paths.insert(tensor.param_id.unwrap().to_string(), tensor.name.clone());
        all.insert(tensor.name.clone(), tensor.into_bytes().unwrap().to_vec());
    }
    let optimizer = open("optimizer");
    let name = |name: &str| {
        let (id, field) = name.split_once('.').unwrap();
        format!("{}: {field}", paths[id])
    };
    for (key, number) in optimizer.scalars() {
        all.insert(name(key), format!("{number:?}").into_bytes());
    }
    for tensor in optimizer.into_tensors().unwrap() {
        all.insert(name(&tensor.name), tensor.into_bytes().unwrap().to_vec());
    }
    all.insert("step".into(), std::fs::read(folder.join("step")).unwrap());
    all
}

/// A training that nothing interrupted.
pub struct Reference {
    /// What came of it.
    pub learnt: Learnt,
    /// How long it took.
    pub time: Duration,
}

/// Runs a training without interruption.
pub fn uninterrupted(line: &str) -> Reference {
    let (_folder, run) = folder();
    let begun = Instant::now();
    succeed(&mut train(line, &run));
    Reference { time: begun.elapsed(), learnt: Learnt::read(&run) }
}

/// The uninterrupted training by [`LENET`], made once.
pub fn reference() -> &'static Reference {
    static REFERENCE: OnceLock<Reference> = OnceLock::new();
    REFERENCE.get_or_init(|| uninterrupted(LENET))
}

/// Continues the training by [`LENET`] to its end, which must be the reference's.
pub fn resume_to_reference(run: &Path) {
    succeed(&mut train("train lenet --resume", run));
    Learnt::read(run).assert_same(&reference().learnt);
}
