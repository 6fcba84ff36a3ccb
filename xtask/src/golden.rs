//! `cargo xtask golden`: golden fixtures, beside the programs that make them.
//!
//! Each folder of `tests/golden/` that has a `make.py` is one set of fixtures. The program
//! gets an empty folder as its one argument and writes every fixture there; only what it
//! wrote without an error replaces the fixtures.

use crate::tidy::root;
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program of a set of fixtures.
const PROGRAM: &str = "make.py";

/// How to regenerate.
#[derive(clap::Args)]
pub struct Args {
    /// Change nothing: say which fixtures differ from what their program makes
    #[arg(long)]
    check: bool,
    /// The Python that has the modules which the programs import
    #[arg(long, value_name = "PATH", default_value = "python3")]
    python: PathBuf,
}

/// Runs the chore.
pub fn run(args: &Args) -> Result<()> {
    let golden = root()?.join("tests/golden");
    let folders = sets(&golden)?;
    let mut differing = 0;
    for folder in &folders {
        let made = make(&args.python, folder)?;
        let there = read(folder)?;
        if args.check {
            for difference in differences(&there, &made) {
                println!("{}: {difference}", folder.display());
                differing += 1;
            }
        } else {
            for (name, bytes) in made.iter().filter(|(name, bytes)| there.get(*name) != Some(bytes))
            {
                let file = folder.join(name);
                write(&file, bytes).with_context(|| file.display().to_string())?;
                println!("wrote {}", file.display());
            }
        }
    }
    ensure!(differing == 0, "{differing} fixtures differ: `cargo xtask golden` regenerates them");
    eprintln!("{} sets of golden fixtures are up to date", folders.len());
    Ok(())
}

/// The folders that have a program.
fn sets(golden: &Path) -> Result<Vec<PathBuf>> {
    // Without the folder there is no program either.
    let entries = fs::read_dir(golden).into_iter().flatten();
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|folder| folder.join(PROGRAM).is_file())
        .collect();
    folders.sort();
    ensure!(!folders.is_empty(), "{}: expected FOLDER/{PROGRAM}, found none", golden.display());
    Ok(folders)
}

/// Runs the program of `folder` and returns what it wrote.
fn make(python: &Path, folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let program = folder.join(PROGRAM);
    let out = tempfile::tempdir().context("temporary folder")?;
    let ran = Command::new(python)
        .arg(&program)
        .arg(out.path())
        // Byte code in the source tree would look like a fixture.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .with_context(|| format!("{}: cannot run it: give --python PATH", python.display()))?;
    if !ran.status.success() {
        let said = String::from_utf8_lossy(&ran.stderr);
        let why =
            said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it failed").to_owned();
        bail!("{}: {why}", program.display());
    }
    let made = read(out.path())?;
    ensure!(!made.is_empty(), "{}: expected fixtures in its argument's folder", program.display());
    Ok(made)
}

/// The fixtures in a folder: not its programs, nor what is written for people.
fn read(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if path.is_file() && !name.ends_with(".py") && !name.ends_with(".md") {
            let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
            files.insert(name.to_owned(), bytes);
        }
    }
    Ok(files)
}

/// What tells the fixtures that are there from those that were made.
fn differences(there: &BTreeMap<String, Vec<u8>>, made: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let missing = made.iter().filter_map(|(name, bytes)| match there.get(name) {
        None => Some(format!("{name} is missing")),
        Some(old) if old != bytes => Some(format!("{name} differs")),
        Some(_) => None,
    });
    let stale = there.keys().filter(|name| !made.contains_key(*name));
    missing.chain(stale.map(|name| format!("{name} is not made by {PROGRAM}"))).collect()
}

/// Writes a file by a temporary name and a rename.
fn write(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    fs::write(&name, bytes)?;
    fs::rename(&name, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        list.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn differences_are_named() {
        let there = files(&[("same", "1"), ("old", "1"), ("stale", "1")]);
        let made = files(&[("same", "1"), ("old", "2"), ("new", "1")]);
        let found = differences(&there, &made);
        assert_eq!(found, ["new is missing", "old differs", "stale is not made by make.py"]);
        assert!(differences(&made, &made).is_empty());
    }

    #[test]
    fn no_program_and_no_python_are_said() {
        let dir = tempfile::tempdir().expect("temporary folder");
        assert!(sets(dir.path()).expect_err("no program").to_string().contains("make.py"));
        fs::write(dir.path().join(PROGRAM), "").expect("written");
        let error = make(Path::new("no-such-python"), dir.path()).expect_err("no python");
        assert!(format!("{error:#}").contains("--python"), "{error:#}");
    }

    #[test]
    fn a_program_is_run_and_its_error_is_told() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let python = Path::new("python3");
        if Command::new(python).arg("--version").output().is_err() {
            println!("skipped: no python3 here");
            return;
        }
        let program = dir.path().join(PROGRAM);
        let good = "import sys, pathlib\npathlib.Path(sys.argv[1], 'a.txt').write_text('1')\n";
        fs::write(&program, good).expect("written");
        assert_eq!(make(python, dir.path()).expect("made"), files(&[("a.txt", "1")]));
        fs::write(&program, "import no_such_module\n").expect("written");
        let error = make(python, dir.path()).expect_err("a missing module").to_string();
        assert!(error.contains("No module named 'no_such_module'"), "{error}");
        fs::write(&program, "").expect("written");
        assert!(make(python, dir.path()).is_err());
    }
}
