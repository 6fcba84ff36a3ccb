//! `cargo xtask fetch`: data sets, verified before anything becomes visible.
//!
//! In the data folder, `NAME/` appears by one rename when all of it is verified; its
//! `dataset.toml` is the marker of a finished fetch and what readers read. Work in progress
//! is in `.fetch/NAME/`: downloads are kept there between runs, so that a broken one
//! resumes. `.fetch/NAME.lock` keeps a second fetch of the same name waiting; the system
//! frees it when a process dies, however it dies.

mod download;
mod fault;
mod manifest;
mod pace;
mod paths;
mod progress;
mod store;
mod unpack;
mod weights;

use anyhow::{Context, Result, bail};
use download::download;
use fault::{Fault, OnDisk};
use indicatif::DecimalBytes;
use manifest::{EMBEDDED, MARKER, Manifest, Source};
use progress::Meter;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};
use store::State;

/// A compressed file is hardly ever longer than its content; an archive may hold a whole
/// repository beside what is kept. More than this beyond the content is not downloaded.
const DOWNLOAD_SLACK: u64 = 1 << 20;

/// As [`DOWNLOAD_SLACK`], for archives.
const ARCHIVE_SLACK: u64 = 2 << 30;

/// What to fetch, from where, to where.
#[derive(clap::Args)]
pub struct Args {
    /// Data sets or weights/MODEL to fetch (see --list), or paths to manifests of your own (NAME.toml)
    #[arg(value_name = "NAME", required_unless_present_any = ["list", "all"])]
    names: Vec<String>,
    /// Fetch every known data set, without weights
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Show what is known and what is present
    #[arg(long, conflicts_with_all = ["names", "all", "mirror", "force"])]
    list: bool,
    /// With --list: one JSON document
    #[arg(long, requires = "list", conflicts_with_all = ["names", "all"])]
    json: bool,
    /// Take the files from a folder or address that holds NAME/FILE for each
    #[arg(long, value_name = "DIR|URL")]
    mirror: Option<String>,
    /// Where data sets are kept [default: $TENFOLD_DATA, else the platform's cache folder]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Fetch again what is present, and replace it
    #[arg(long)]
    force: bool,
}

/// Runs the chore.
pub fn run(args: &Args) -> Result<()> {
    let data = data_dir(args)?;
    if args.list {
        return list(&data, args.json);
    }
    let names: Vec<&str> = match args.all {
        true => EMBEDDED.iter().map(|(name, _)| *name).collect(),
        false => args.names.iter().map(String::as_str).collect(),
    };
    // A typing error in the last name shows before the first is fetched.
    let manifests = names.iter().map(|name| manifest::find(name)).collect::<Result<Vec<_>>>()?;
    let agent = download::agent();
    let mut failed = 0;
    for manifest in &manifests {
        let fetch = Fetch { manifest, data: &data, mirror: args.mirror.as_deref(), agent: &agent };
        match fetch.run(args.force).with_context(|| manifest.name.clone()) {
            Ok(()) => {}
            Err(error) if manifests.len() == 1 => return Err(error),
            Err(error) => {
                failed += 1;
                eprintln!("error: {}", one_line(&error));
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} data sets were not fetched", manifests.len());
    }
    Ok(())
}

/// An error and its causes in one line.
pub fn one_line(error: &anyhow::Error) -> String {
    format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The data folder that the flags and the environment choose.
fn data_dir(args: &Args) -> Result<PathBuf> {
    let from_environment = || std::env::var_os("TENFOLD_DATA").filter(|dir| !dir.is_empty());
    args.data_dir
        .clone()
        .or_else(|| from_environment().map(PathBuf::from))
        .or_else(|| Some(dirs::cache_dir()?.join("tenfold")))
        .context("data folder: this system names no cache folder: give --data-dir")
}

/// Prints what is known and what is present.
fn list(data: &Path, json: bool) -> Result<()> {
    let mut rows = Vec::new();
    let mut names: Vec<String> = EMBEDDED.iter().map(|(name, _)| name.to_string()).collect();
    names.extend(weights::names()?);
    for name in names {
        let manifest = manifest::find(&name)?;
        let state = store::state(&data.join(&name), &manifest);
        rows.push((manifest, state));
    }
    let mut text = String::new();
    if json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(m, state)| {
                serde_json::json!({
                    "name": m.name, "title": m.title, "task": m.task, "layout": m.layout,
                    "licence": m.licence, "bytes": m.bytes(), "counts": m.counts,
                    "present": *state == State::Present,
                    "path": data.join(&m.name).display().to_string(),
                })
            })
            .collect();
        text = serde_json::to_string_pretty(&rows)? + "\n";
    } else {
        for (m, state) in &rows {
            let size = DecimalBytes(m.bytes()).to_string();
            let state = match state {
                State::Present => "present",
                State::Absent => "-",
                State::Other(_) => "incomplete",
            };
            writeln!(text, "{:<19} {size:>10}  {state:<10}  {}", m.name, m.title)?;
        }
        writeln!(text, "in {}", data.display())?;
    }
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.context("standard output"),
    }
}

/// One data set on its way.
struct Fetch<'a> {
    manifest: &'a Manifest,
    data: &'a Path,
    mirror: Option<&'a str>,
    agent: &'a ureq::Agent,
}

impl Fetch<'_> {
    /// Fetches it, unless it is there.
    fn run(&self, force: bool) -> Result<()> {
        let here = self.data.join(&self.manifest.name);
        // Asked before the lock, so that a data folder that only root writes can be used.
        if !force && self.is_here(&here)? {
            return Ok(());
        }
        let work = self.data.join(".fetch").join(&self.manifest.name);
        fs::create_dir_all(&work).with_context(|| work.display().to_string())?;
        let _lock = store::lock(&download::beside(&work, "lock"), &self.manifest.name)?;
        store::undo(&here, &work.join("old"))?;
        if !force && self.is_here(&here)? {
            return Ok(());
        }
        self.fetch(&work, &here).map_err(Fault::into_error)
    }

    /// Whether it is present and up to date; an error if something else is in its place.
    fn is_here(&self, here: &Path) -> Result<bool> {
        match store::state(here, self.manifest) {
            State::Absent => Ok(false),
            State::Present => {
                store::renew_marker(here, self.manifest)?;
                eprintln!("{}: already here: {}", self.manifest.name, here.display());
                Ok(true)
            }
            State::Other(why) => {
                bail!("{}: {why}: move it away, or replace it with --force", here.display())
            }
        }
    }

    /// Downloads, unpacks and verifies in `work`, then makes it visible as `here`.
    fn fetch(&self, work: &Path, here: &Path) -> Result<(), Fault> {
        let tree = work.join("tree");
        // Left by a run that was killed.
        for stale in [&tree, &work.join("old")] {
            store::remove_folder(stale)?;
        }
        // A run killed after it had unpacked may have left the folder itself removed.
        fs::create_dir_all(&tree).on_disk(tree.display())?;
        for source in &self.manifest.files {
            self.obtain(source, work, &tree)?;
        }
        for path in self.manifest.paths() {
            if !tree.join(path).exists() {
                return Err(Fault::source(format!(
                    "the manifest names {path:?}, which is missing"
                )));
            }
        }
        if let Some(folder) = here.parent() {
            fs::create_dir_all(folder).on_disk(folder.display())?;
        }
        let marker = tree.join(MARKER);
        fs::write(&marker, &self.manifest.text).on_disk(marker.display())?;
        store::publish(&tree, here, &work.join("old"))?;
        store::remove_folder(work)?;
        let Manifest { name, licence, .. } = self.manifest;
        let (files, bytes) = (self.manifest.file_count(), DecimalBytes(self.manifest.bytes()));
        eprintln!("{name}: {files} files, {bytes}, in {}", here.display());
        eprintln!("{name}: licence: {licence}");
        Ok(())
    }

    /// Gets one file from the first place that has it right.
    fn obtain(&self, source: &Source, work: &Path, tree: &Path) -> Result<(), Fault> {
        let mut places = source.urls.clone();
        if let Some(mirror) = self.mirror {
            let mirror = mirror.trim_end_matches('/');
            places = vec![format!("{mirror}/{}/{}", self.manifest.name, source.file_name())];
        }
        let mut last = Fault::source("no place to get it from");
        for place in &places {
            // A part from an earlier run may be what is wrong: then once more from the start.
            for _ in 0..2 {
                let mut resumed = false;
                match self.try_place(place, source, work, tree, &mut resumed) {
                    Err(Fault::Source(error)) => {
                        last = Fault::Source(error);
                        store::remove_folder(&tree.join(&source.dest))?;
                        fs::create_dir_all(tree).on_disk(tree.display())?;
                    }
                    done => return done,
                }
                if !resumed {
                    break;
                }
            }
        }
        Err(last)
    }

    /// Gets one file from one place, unpacks and verifies it.
    fn try_place(
        &self,
        place: &str,
        source: &Source,
        work: &Path,
        tree: &Path,
        resumed: &mut bool,
    ) -> Result<(), Fault> {
        let remote = place.starts_with("http://") || place.starts_with("https://");
        let file = if remote { work.join(source.file_name()) } else { PathBuf::from(place) };
        if remote {
            let slack = if source.is_archive() { ARCHIVE_SLACK } else { DOWNLOAD_SLACK };
            let limit = source.size.saturating_add(source.size / 100).saturating_add(slack);
            let mut meter = Meter::new(format!("{}: {place}", self.manifest.name), 0);
            *resumed = download(self.agent, place, &file, limit, &mut meter)?;
        } else if !file.is_file() {
            return Err(Fault::source(format!("{place}: no such file in the mirror")));
        }
        let label = format!("{}: unpacking {}", self.manifest.name, source.file_name());
        let verified = check_download(&file, source)
            .and_then(|()| unpack::unpack(&file, tree, source, &mut Meter::new(label, source.size)))
            .map_err(|fault| fault.at(place));
        // A full disk is no reason to throw a good download away.
        if remote && !matches!(verified, Err(Fault::Disk(_))) {
            download::remove(&file)?;
        }
        verified
    }
}

/// Verifies the download itself, where the manifest has its digest.
fn check_download(file: &Path, source: &Source) -> Result<(), Fault> {
    let Some(expected) = &source.download_sha256 else { return Ok(()) };
    let mut hash = Sha256::new();
    let mut from = BufReader::new(File::open(file).on_disk(file.display())?);
    io::copy(&mut from, &mut hash).on_disk(file.display())?;
    let found = unpack::hex(&hash.finalize());
    if found != *expected {
        return Err(Fault::source(format!(
            "wrong download: expected SHA-256 {expected}, found {found}"
        )));
    }
    Ok(())
}
