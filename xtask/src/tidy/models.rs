//! What the programs of the tasks say of themselves.

use super::manifests::TASKS;
use anyhow::{Context, Result, ensure};
use std::env::consts::EXE_SUFFIX;
use std::path::Path;
use std::process::{Command, Stdio};

/// A task and what its page has to tell.
pub struct Task {
    pub name: &'static str,
    pub models: Vec<String>,
    /// The fields that `--set` takes in any of its models.
    pub settings: Vec<String>,
}

/// Every task crate that is there, asked by its own command line.
pub fn of_tasks(root: &Path) -> Result<Vec<Task>> {
    let there = |task: &&&'static str| root.join(format!("crates/{task}/src/main.rs")).is_file();
    TASKS.iter().filter(there).map(|&name| task(root, name)).collect()
}

fn task(root: &Path, name: &'static str) -> Result<Task> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let program = format!("tenfold-{name}");
    // By `--bin`, not `-p`: with the features of the whole workspace, as tests build it.
    let build = ["run", "--release", "--quiet", "--bin", &program, "--", "models", "--json"];
    let models = model_names(&said(Command::new(cargo).args(build).current_dir(root))?)
        .with_context(|| format!("{program}: models --json"))?;
    ensure!(!models.is_empty(), "{program}: models --json: expected at least one model");
    // Built by now, beside this program.
    let program = std::env::current_exe()?.with_file_name(program + EXE_SUFFIX);
    let mut settings = Vec::new();
    for model in &models {
        let said = said(Command::new(&program).args(["train", model, "--set", "help"]))?;
        settings.extend(setting_names(&String::from_utf8_lossy(&said)));
    }
    settings.sort();
    settings.dedup();
    Ok(Task { name, models, settings })
}

/// What a command prints.
fn said(command: &mut Command) -> Result<Vec<u8>> {
    let ran = command.stderr(Stdio::inherit()).output();
    let ran = ran.with_context(|| format!("{command:?}"))?;
    ensure!(ran.status.success(), "{command:?}: {}", ran.status);
    Ok(ran.stdout)
}

/// The names in what `models --json` prints.
pub fn model_names(json: &[u8]) -> Result<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Model {
        name: String,
    }
    let models: Vec<Model> = serde_json::from_slice(json)?;
    Ok(models.into_iter().map(|model| model.name).collect())
}

/// The names in what `train MODEL --set help` prints: lines of name, kind, default and meaning.
pub fn setting_names(text: &str) -> Vec<String> {
    let name = |line: &str| Some(line.split_once("  ")?.0.to_owned());
    text.lines().filter_map(name).collect()
}
