//! The process that plays the games, and what is said to it.
//!
//! It is Python with `ale-py`, running [`SCRIPT`]: the emulator is under another licence than
//! this program, and stays in a process of its own. All numbers are little-endian.
//!
//! | Request | For each game | Answer for each game |
//! |---|---|---|
//! | `R` begin anew | `u8` actions of doing nothing first | reward, flags, screen |
//! | `S` step | `u8` action, `u8` as above if it ends, `u8` frames in which the last action is kept, `u8` whether to cut off after | reward, flags, screen, and with any flag the first screen after |
//! | `G` save | | `u8` last action, `u8` lives, `u32` length, state |
//! | `P` restore | the same | |
//!
//! The reward is an `f32`, the flags a `u8` (1 the game is over, 2 a life is lost, 4 cut off),
//! a screen 210x160 bytes. At the start it says `PLAY` and its actions, `ROMS` and the games it
//! has when it lacks this one, or `MISS` and which module it lacks; then a `u16` length and as
//! many bytes.

use std::io::{BufReader, ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use tenfold_core::{Error, Result};

/// What the process runs.
pub const SCRIPT: &str = include_str!("child.py");

/// Bytes of a screen: 210 rows of 160.
pub const SCREEN: usize = 210 * 160;

/// Flags of an answer.
pub const OVER: u8 = 1;
/// See [`OVER`].
pub const LIFE: u8 = 2;
/// See [`OVER`].
pub const CUT: u8 = 4;

/// The most of what a process complains that is kept, in bytes.
const COMPLAINT: usize = 4000;
/// The most bytes of one game's state: they are some thousands.
const LARGEST_STATE: usize = 1 << 20;

/// How a process is started.
#[derive(Clone, Debug)]
pub struct Start {
    /// The Python program.
    pub python: String,
    /// What it runs.
    pub script: String,
    /// The game.
    pub rom: String,
    /// Frames per step.
    pub skip: u8,
    /// Whether a lost life ends an episode.
    pub episodic_life: bool,
}

/// What came of one step of one game.
pub struct Answer {
    /// The sum of its frames' rewards, a number.
    pub reward: f32,
    /// See [`OVER`].
    pub flags: u8,
}

/// A process with some games.
pub struct Player {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    complaints: Option<JoinHandle<String>>,
    /// Its games' actions, by ALE's numbers.
    pub actions: Vec<u8>,
}

impl Player {
    /// Starts `games` games.
    ///
    /// # Errors
    ///
    /// No such Python, no `ale-py` in it, no such game; a process that dies.
    pub fn start(start: &Start, games: usize) -> Result<Self> {
        let Start { python, script, rom, skip, episodic_life } = start;
        let process = Command::new(python)
            .args(["-c", script, rom, &games.to_string(), &skip.to_string()])
            .arg(if *episodic_life { "1" } else { "0" })
            // No threads that nobody needs.
            .env("OPENBLAS_NUM_THREADS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut process = process.map_err(|why| match why.kind() {
            ErrorKind::NotFound => Error::argument(
                "--python",
                format!("`{python}` was not found: Atari needs Python 3 with ale-py; {INSTALL}"),
            ),
            _ => Error::argument("--python", format!("`{python}`: {why}")),
        })?;
        let (Some(requests), Some(answers), Some(mut errors)) =
            (process.stdin.take(), process.stdout.take(), process.stderr.take())
        else {
            return Err(Error::argument("--python", "a process without pipes"));
        };
        // Read on the side, or a process that complains much would wait for ever.
        let complaints = std::thread::spawn(move || {
            let (mut kept, mut part) = (Vec::new(), [0; 1024]);
            while let Ok(read @ 1..) = errors.read(&mut part) {
                kept.extend_from_slice(&part[..read]);
                kept.drain(..kept.len().saturating_sub(COMPLAINT));
            }
            String::from_utf8_lossy(&kept).into_owned()
        });
        let answers = BufReader::with_capacity(1 << 17, answers);
        let complaints = Some(complaints);
        let mut player = Self { process, requests, answers, complaints, actions: Vec::new() };
        let (kind, text) = match player.greeting() {
            Ok(greeting) => greeting,
            Err(why) => return Err(player.died(why)),
        };
        let words = String::from_utf8_lossy(&text);
        match &kind {
            b"PLAY" if !text.is_empty() && text.iter().all(|action| *action < 18) => {
                player.actions = text;
                Ok(player)
            }
            b"ROMS" => Err(unknown_rom(rom, &words)),
            b"MISS" => Err(Error::argument(
                "--python",
                format!("`{python}` lacks ale-py ({words}): {INSTALL}"),
            )),
            _ => Err(Error::argument("--python", format!("`{python}` gave no sensible answer"))),
        }
    }

    fn greeting(&mut self) -> std::io::Result<([u8; 4], Vec<u8>)> {
        let (mut kind, mut length) = ([0; 4], [0; 2]);
        self.answers.read_exact(&mut kind)?;
        self.answers.read_exact(&mut length)?;
        let mut text = vec![0; usize::from(u16::from_le_bytes(length))];
        self.answers.read_exact(&mut text)?;
        Ok((kind, text))
    }

    /// Sends a request.
    ///
    /// # Errors
    ///
    /// A process that died.
    pub fn ask(&mut self, request: u8, content: &[u8]) -> Result<()> {
        let sent = self.requests.write_all(&[request]);
        let sent = sent.and_then(|()| self.requests.write_all(content));
        sent.and_then(|()| self.requests.flush()).map_err(|why| self.died(why))
    }

    /// Reads the answer of one game, and its screen.
    ///
    /// # Errors
    ///
    /// A process that died; a reward that is not a number, and flags that there are not.
    pub fn answer(&mut self, screen: &mut [u8]) -> Result<Answer> {
        let mut head = [0; 5];
        self.read(&mut head)?;
        self.read(screen)?;
        let [a, b, c, d, flags] = head;
        let reward = f32::from_le_bytes([a, b, c, d]);
        if !reward.is_finite() {
            let why = format!("the Atari process paid a reward of {reward}: expected a number");
            return Err(Error::Training(why));
        }
        if flags > OVER + LIFE + CUT {
            return Err(Error::Training(format!(
                "the Atari process answered with flags {flags}: expected 0 to 7"
            )));
        }
        Ok(Answer { reward, flags })
    }

    /// Reads exactly as many bytes.
    ///
    /// # Errors
    ///
    /// A process that died.
    pub fn read(&mut self, into: &mut [u8]) -> Result<()> {
        self.answers.read_exact(into).map_err(|why| self.died(why))
    }

    /// Reads the saved state of one game.
    ///
    /// # Errors
    ///
    /// A process that died, and a size that no state has.
    pub fn state(&mut self) -> Result<Vec<u8>> {
        let mut head = [0; 6];
        self.read(&mut head)?;
        let [_, _, a, b, c, d] = head;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length > LARGEST_STATE {
            return Err(Error::Training(format!(
                "the Atari process has a state of {length} bytes"
            )));
        }
        let mut state = head.to_vec();
        state.resize(6 + length, 0);
        self.read(&mut state[6..])?;
        Ok(state)
    }

    /// What became of the process, and what it said.
    fn died(&mut self, why: std::io::Error) -> Error {
        // It may still run, having closed its pipe.
        let _ = self.process.kill();
        let status = match self.process.wait() {
            Ok(status) => status.to_string(),
            Err(_) => why.to_string(),
        };
        let said = self.complaints.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        let said = if said.trim().is_empty() { "nothing".to_owned() } else { said };
        Error::Training(
            format!("the Atari process ended ({status}) and said: {}", said.trim())
                .split(char::is_control)
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .collect::<Vec<_>>()
                .join(" "),
        )
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What to do without `ale-py`.
const INSTALL: &str = "`python3 -m venv atari && atari/bin/pip install ale-py`, then \
                       `--python atari/bin/python`";

/// No such game: which are near?
fn unknown_rom(rom: &str, known: &str) -> Error {
    let mut known: Vec<&str> = known.split(',').collect();
    known.sort_by_key(|name| (distance(rom, name), *name));
    known.truncate(5);
    let why =
        format!("no game for one player is called `{rom}`; near ones are {}", known.join(", "));
    Error::argument("--rom", why)
}

/// How many letters must be put in, left out or changed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in b.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// Whether a file of this name can be what `--python` means.
pub fn python(given: Option<&Path>) -> String {
    given.map_or_else(|| "python3".to_owned(), |path| path.display().to_string())
}
