//! `predict --out`: a table again, with the predictions beside its own columns.

use crate::predictor::Predictor;
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use tenfold_core::cli::args::check_absent;
use tenfold_core::cli::print_json;
use tenfold_core::data::csv::Sheet;
use tenfold_core::data::{Input, Kind};
use tenfold_core::progress::{grouped, note};
use tenfold_core::suggest::{Answer, Estimate, Propose, Suggestion};
use tenfold_core::task::ahead::MOST;
use tenfold_core::task::predict::propose_all;
use tenfold_core::{Error, files};

/// Writes `file`: the one table in `inputs`, behind whose columns stand `prediction`, and of a
/// class `confidence`, of a number `prediction_low` and `prediction_high` where the run knows its
/// interval.
///
/// # Errors
/// A run that takes no tables; not exactly one table; a file that is there, unless it may be
/// replaced; a table that cannot be read.
pub fn write(
    predictor: &Predictor,
    inputs: &[PathBuf],
    file: &Path,
    overwrite: bool,
    as_json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let refuse = |why: &str| Error::argument("--out", why);
    let Kind::Rows { columns, schema } = predictor.kind() else {
        return Err(refuse("writes a table, and this model reads images").into());
    };
    let [table] = inputs else {
        return Err(refuse("takes one table. Example: predict RUN table.csv --out FILE").into());
    };
    check_absent(file, overwrite)?;
    if let (Ok(one), Ok(other)) = (table.canonicalize(), file.canonicalize())
        && one == other
    {
        return Err(refuse("would replace the input: name another file").into());
    }
    let mut sheet = Sheet::read(table, &columns, schema.as_ref())?;
    let rows: Vec<Input> = std::mem::take(&mut sheet.rows).into_iter().map(Input::Row).collect();
    let proposals = propose_all(predictor, &rows.iter().collect::<Vec<_>>(), MOST, 1)?;
    let best: Vec<&Suggestion> = proposals.iter().filter_map(|own| own.best().next()).collect();
    let added = added(&sheet, &best);
    files::write(file, &sheet.with(&added)?)?;

    let names: Vec<&str> = added.iter().map(|(name, _)| &name[..]).collect();
    tell(&sheet, &names, &best);
    if as_json {
        let json = json!({ "file": file, "count": rows.len(), "columns": names });
        return print_json(&json, out);
    }
    let (count, names, file) = (grouped(rows.len()), names.join(", "), file.display());
    writeln!(out, "{count} rows with {names} in {file}")?;
    Ok(())
}

/// The names and cells of the columns that are added.
fn added(sheet: &Sheet, best: &[&Suggestion]) -> Vec<(String, Vec<String>)> {
    let column = |name: &str, cell: &dyn Fn(&Suggestion) -> String| {
        (sheet.free_name(name), best.iter().map(|best| cell(best)).collect())
    };
    let limit = |of: fn(&Estimate) -> Option<f64>| {
        move |best: &Suggestion| match &best.answer {
            Answer::Number(own) => of(own).map(|own| sheet.number(own)).unwrap_or_default(),
            _ => String::new(),
        }
    };
    match best.first().map(|best| &best.answer) {
        Some(Answer::Number(first)) => {
            let mut columns = vec![column("prediction", &limit(|own| Some(own.value)))];
            if first.low.is_some() {
                columns.push(column("prediction_low", &limit(|own| own.low)));
                columns.push(column("prediction_high", &limit(|own| own.high)));
            }
            columns
        }
        _ => vec![
            column("prediction", &|best| best.answer.to_string()),
            column("confidence", &|best| sheet.number(best.score)),
        ],
    }
}

/// Says what the file does not say itself.
fn tell(sheet: &Sheet, names: &[&str], best: &[&Suggestion]) {
    if let Some(width) = sheet.unnamed() {
        let from = width + 1;
        let names = names.join(", ");
        note(format_args!(
            "the table has no header: column {from} and those behind it are {names}"
        ));
    }
    let (Some(Suggestion { answer: Answer::Number(first), score }), [_, limits @ ..]) =
        (best.first(), names)
    else {
        return;
    };
    match (first.low, limits) {
        (Some(_), [low, high]) => note(format_args!(
            "{low} to {high} holds {:.1} % of truths: split conformal, by the errors on the run's \
             test examples",
            score * 100.0
        )),
        _ => note("the run does not know its error (its training was cut off): no interval"),
    }
}
