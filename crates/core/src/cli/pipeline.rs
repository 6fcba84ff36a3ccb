//! `train --config FILE`: a model, its settings and the flags of its training in a file.
//!
//! ```toml
//! model = "composed"
//!
//! [network]                # what --set takes
//! backbone = "resnet18"
//!
//! [training]               # flags of `train` by their names
//! data = "bccd"
//! epochs = 40
//! ```
//!
//! The file stands for a command line, whose own flags come after it and win. What is wrong is
//! refused with its line.

use crate::zoo::{closest, did_you_mean};
use crate::{Error, Result, files};
use clap::{ArgAction, Command};
use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What a file says, for errors to name its lines.
#[derive(Debug)]
pub(super) struct Pipeline {
    path: PathBuf,
    /// Of each flag or setting its line.
    flags: Vec<(String, usize)>,
    settings: Vec<(String, usize)>,
}

/// Flags that a file cannot give: they are of the call.
const OF_THE_CALL: [&str; 7] =
    ["config", "dump-config", "resume", "overwrite", "json", "help", "set"];

/// A command line with what the file of its `--config` says, if it is a `train` with one.
///
/// # Errors
/// A file that cannot be read, or says what `train` does not know.
pub(super) fn expanded(
    args: Vec<OsString>,
    command: &Command,
) -> Result<(Vec<OsString>, Option<Pipeline>)> {
    if args.get(1).is_none_or(|verb| verb != "train") {
        return Ok((args, None));
    }
    let Some(path) = value_of(&args, "--config").map(PathBuf::from) else {
        return Ok((args, None));
    };
    let Some(train) = command.find_subcommand("train") else { return Ok((args, None)) };
    let text = files::read_text(&path)?;
    let line = |span: Range<usize>| 1 + text[..span.start].matches('\n').count();
    let wrong = |line: usize, why: String| Error::file(&path, format!("line {line}: {why}"));
    let table = DeTable::parse(&text)
        .map_err(|why| wrong(line(why.span().unwrap_or(0..0)), why.message().to_owned()))?;
    let mut own = Pipeline { path: path.clone(), flags: Vec::new(), settings: Vec::new() };
    let (mut model, mut words) = (None, Vec::new());
    for (name, value) in table.get_ref() {
        let at = line(name.span());
        match (name.get_ref().as_ref(), value.get_ref()) {
            ("model", DeValue::String(text)) => model = Some(text.to_string()),
            ("network", DeValue::Table(table)) => {
                for (key, value) in table {
                    let key = key.get_ref().to_string();
                    own.settings.push((key.clone(), line(value.span())));
                    let value = plain(value).map_err(|why| wrong(line(value.span()), why))?;
                    words.extend(["--set".into(), format!("{key}={value}").into()]);
                }
            }
            ("training", DeValue::Table(table)) => {
                for (key, value) in table {
                    let (name, at) = (key.get_ref().as_ref(), line(key.span()));
                    own.flags.push((format!("--{name}"), at));
                    let given = flag(train, name, value).map_err(|why| wrong(at, why))?;
                    // The command line's own flags win.
                    if value_of(&args, &format!("--{name}")).is_none() {
                        words.extend(given);
                    }
                }
            }
            ("model", _) => {
                return Err(wrong(at, "model: expected a name in quotation marks".into()));
            }
            ("network" | "training", _) => {
                return Err(wrong(
                    at,
                    format!("{name}: expected a table, [{name}]", name = name.get_ref()),
                ));
            }
            (other, _) => {
                let meant = did_you_mean(other, ["model", "network", "training"]);
                let why = format!("`{other}`{meant}: expected model, [network] or [training]");
                return Err(wrong(at, why));
            }
        }
    }
    let mut all = args;
    if let Some(model) = model {
        // A model on the command line has no flag's name, and stands where the verb ends.
        match all.get(2).and_then(|word| word.to_str()) {
            Some(word) if !word.starts_with('-') => {
                if word != model {
                    let why = format!("says model = \"{model}\", the command line `{word}`");
                    return Err(Error::file(&path, why));
                }
            }
            _ => all.insert(2, model.into()),
        }
    }
    let after_the_model = 3.min(all.len());
    all.splice(after_the_model..after_the_model, words);
    Ok((all, Some(own)))
}

/// The value of a flag of a command line; empty where it has none.
fn value_of<'a>(args: &'a [OsString], flag: &str) -> Option<&'a Path> {
    args.iter().enumerate().find_map(|(place, word)| {
        let word = word.to_str()?;
        match word.strip_prefix(flag)?.strip_prefix('=') {
            Some(value) => Some(Path::new(value)),
            None if word == flag => Some(args.get(place + 1).map_or(Path::new(""), Path::new)),
            None => None,
        }
    })
}

/// A flag of `train` with its value.
fn flag(
    train: &Command,
    name: &str,
    value: &Spanned<DeValue<'_>>,
) -> Result<Vec<OsString>, String> {
    let known = |arg: &&clap::Arg| arg.get_long().is_some_and(|long| !OF_THE_CALL.contains(&long));
    let Some(arg) = train.get_arguments().filter(known).find(|arg| arg.get_long() == Some(name))
    else {
        let names = train.get_arguments().filter(known).filter_map(clap::Arg::get_long);
        let meant = closest(&name.replace('_', "-"), names);
        let meant = meant.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"));
        return Err(format!("`{name}`{meant}: train has no such flag, or it is of the call"));
    };
    let long = format!("--{name}");
    match (arg.get_action(), value.get_ref()) {
        (ArgAction::SetTrue, DeValue::Boolean(true)) => Ok(vec![long.into()]),
        (ArgAction::SetTrue, DeValue::Boolean(false)) => Ok(Vec::new()),
        (ArgAction::SetTrue, _) => Err(format!("{name}: expected true or false")),
        _ => {
            let value = plain(value)?;
            // The flag's own words about a wrong value, without the model.
            let words = ["train", &long, &value];
            let alone =
                Command::new("train").no_binary_name(false).arg(arg.clone().required(false));
            if let Err(why) = alone.try_get_matches_from(words) {
                let text = super::refusal::worded(why);
                let first = text.lines().next().unwrap_or_default();
                return Err(first.trim_start_matches("error: ").to_owned());
            }
            Ok(vec![long.into(), value.into()])
        }
    }
}

/// A value as the command line has it: words without quotation marks, lists and tables as JSON.
fn plain(value: &Spanned<DeValue<'_>>) -> Result<String, String> {
    fn json(value: &DeValue<'_>) -> Result<serde_json::Value, String> {
        Ok(match value {
            DeValue::String(text) => text.to_string().into(),
            DeValue::Boolean(own) => (*own).into(),
            DeValue::Integer(own) => i64::from_str_radix(own.as_str(), own.radix())
                .map_err(|why| format!("{own}: {why}"))?
                .into(),
            DeValue::Float(own) => {
                own.as_str().parse::<f64>().map_err(|why| format!("{own}: {why}"))?.into()
            }
            DeValue::Array(all) => {
                all.iter().map(|own| json(own.get_ref())).collect::<Result<Vec<_>, _>>()?.into()
            }
            DeValue::Table(_) | DeValue::Datetime(_) => {
                return Err("expected a number, a word, true, false, or a list of such".into());
            }
        })
    }
    Ok(crate::set::shown(&json(value.get_ref())?))
}

impl Pipeline {
    /// The same error with the line of the file that it is about, if it is about one.
    pub(super) fn located(&self, error: anyhow::Error) -> anyhow::Error {
        let Some(Error::Argument { flag, why }) = error.downcast_ref::<Error>() else {
            return error;
        };
        let line = match flag.as_str() {
            "--set" => {
                let named = |key: &str| {
                    why.starts_with(&format!("{key}=")) || why.contains(&format!("`{key}"))
                };
                self.settings.iter().find(|(key, _)| named(key)).map(|(_, line)| line)
            }
            _ => self.flags.iter().find(|(own, _)| own == flag).map(|(_, line)| line),
        };
        match line {
            Some(line) => Error::file(&self.path, format!("line {line}: {why}")).into(),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    fn command() -> Command {
        let train = Command::new("train")
            .arg(Arg::new("model"))
            .arg(Arg::new("config").long("config"))
            .arg(Arg::new("epochs").long("epochs").value_parser(clap::value_parser!(u32)))
            .arg(Arg::new("lr").long("lr"))
            .arg(Arg::new("nesterov").long("nesterov").action(ArgAction::SetTrue));
        Command::new("program").subcommand(train)
    }

    fn read(text: &str, more: &[&str]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.toml");
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        let args = ["program", "train", "--config", path]
            .into_iter()
            .chain(more.iter().copied())
            .map(OsString::from);
        let own = expanded(args.collect(), &command())
            .map_err(|why| why.to_string().replace(path, "own.toml"))?;
        let words = own.0.iter().map(|word| word.to_str().unwrap().replace(path, "own.toml"));
        Ok(words.collect())
    }

    #[test]
    fn a_file_stands_for_a_command_line_whose_own_flags_win() {
        let text = "model = \"a\"\n[network]\nwidth = 16\nsizes = [1, 2]\nkind = \"wide\"\n\
                    [training]\nepochs = 3\nlr = 1e-3\nnesterov = true\n";
        let own = read(text, &["--lr", "2"]).unwrap();
        let expected = "program train a --set width=16 --set sizes=[1,2] --set kind=wide \
                        --epochs 3 --nesterov --config own.toml --lr 2";
        let mut words: Vec<&str> = expected.split_whitespace().collect();
        let mut own: Vec<&str> = own.iter().map(String::as_str).collect();
        assert_eq!(own[..3], words[..3]);
        own.sort_unstable();
        words.sort_unstable();
        assert_eq!(own, words);
        assert_eq!(read("", &[]).unwrap().len(), 4);
        let args = ["program", "eval", "--config", "x"].map(OsString::from).to_vec();
        assert_eq!(expanded(args.clone(), &command()).unwrap().0, args);
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_line() {
        for (text, why) in [
            ("model = 3", "own.toml: line 1: model: expected a name"),
            ("\nmodle = \"a\"", "own.toml: line 2: `modle` (did you mean `model`?)"),
            ("[training]\nepoch = 3", "own.toml: line 2: `epoch` (did you mean `epochs`?)"),
            ("[training]\n\nepochs = \"many\"", "own.toml: line 3: invalid value 'many'"),
            ("[training]\nnesterov = 1", "own.toml: line 2: nesterov: expected true or false"),
            ("[training]\nconfig = \"b\"", "own.toml: line 2: `config`"),
            ("training = 1", "own.toml: line 1: training: expected a table"),
            ("[network]\na = 2020-01-01", "own.toml: line 2: expected a number, a word"),
            ("[network\n", "own.toml: line 1: "),
        ] {
            let said = read(text, &[]).unwrap_err();
            assert!(said.starts_with(why), "{text:?}: {said}");
        }
    }

    #[test]
    fn later_errors_find_their_line() {
        let own = Pipeline {
            path: "own.toml".into(),
            flags: vec![("--data".into(), 7)],
            settings: vec![("side".into(), 3)],
        };
        let said =
            |flag: &str, why: &str| own.located(Error::argument(flag, why).into()).to_string();
        assert_eq!(said("--set", "side=50: expected 32"), "own.toml: line 3: side=50: expected 32");
        assert_eq!(said("--data", "no such folder"), "own.toml: line 7: no such folder");
        assert_eq!(said("--lr", "too high"), "--lr: too high");
    }
}
