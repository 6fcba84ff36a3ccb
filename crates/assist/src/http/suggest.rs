//! The routes for programs: suggestions for what they send, and suggestions that they bring.

use super::routes::blocking;
use super::{Failure, Json, body, content_type};
use crate::entry::{IMPORTED, Proposed};
use crate::state::State;
use axum::extract::{Query, Request};
use axum::http::{StatusCode, header};
use base64::Engine;
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};
use tenfold_core::data::{Input, Kind, picture};
use tenfold_core::suggest::Suggestion;
use tokio::sync::Semaphore;

type Shared = axum::extract::State<Arc<State>>;

/// The most inputs of one request.
const MOST: usize = 256;
/// A body of more bytes waits until few others are in memory.
const SMALL: u64 = 64 << 10;

/// Large bodies at once, and pictures decoded at once: what memory they take stays bounded.
static LARGE: Semaphore = Semaphore::const_new(16);
static DECODING: LazyLock<Semaphore> = LazyLock::new(|| {
    Semaphore::new(2 * std::thread::available_parallelism().map_or(2, usize::from))
});

#[derive(Deserialize)]
pub struct Top {
    top: Option<usize>,
}

#[derive(Deserialize)]
struct Asked {
    inputs: Vec<One>,
    top: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum One {
    Picture(String),
    Row(Map<String, Value>),
}

/// `POST /v1/suggest`.
pub async fn suggest(
    axum::extract::State(state): Shared,
    Query(query): Query<Top>,
    request: Request,
) -> Result<Json<Value>, Failure> {
    let kind = content_type(&request);
    if kind != "application/json" && !kind.starts_with("image/") {
        let why = "expected a picture as image/*, or application/json".into();
        return Err(Failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
    }
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let _place = match length.is_none_or(|length| length > SMALL) {
        true => LARGE.acquire().await.ok(),
        false => None,
    };
    let bytes = body(request, &state).await?;
    let (asked, top) = match kind == "application/json" {
        true => {
            let asked: Asked = serde_json::from_slice(&bytes).map_err(Failure::wrong)?;
            (Err(asked.inputs), asked.top)
        }
        false => (Ok(bytes), None),
    };
    if asked.as_ref().is_err_and(|inputs| inputs.is_empty() || inputs.len() > MOST) {
        return Err(Failure::wrong(format!("expected 1 to {MOST} inputs")));
    }
    let top = top.or(query.top).unwrap_or(3);
    if top == 0 {
        return Err(Failure::wrong("top: expected 1 or more"));
    }
    let place = DECODING.acquire().await.ok();
    let own = state.clone();
    let read: Vec<Result<Input, String>> = blocking(move || match asked {
        Ok(bytes) => vec![decoded(&bytes, &own)],
        Err(inputs) => inputs.par_iter().map(|one| input(one, &own)).collect(),
    })
    .await?;
    drop(place);
    // A picture alone is the whole request: what is wrong with it is wrong with that.
    if let ([Err(why)], true) = (&read[..], kind != "application/json") {
        return Err(Failure::wrong(why));
    }
    let good: Vec<Input> = read.iter().filter_map(|one| one.as_ref().ok().cloned()).collect();
    let (weights, answers) = match good.is_empty() {
        true => (state.active().id, Vec::new()),
        false => state
            .model
            .suggest(good, top)
            .await
            .map_err(|why| Failure(StatusCode::SERVICE_UNAVAILABLE, why.into()))?,
    };
    let mut answers = answers.into_iter();
    let answers: Vec<Value> = read
        .into_iter()
        .map(|one| {
            let answer = one.and_then(|_| answers.next().unwrap_or(Err("no answer".into())));
            match answer {
                Ok(suggestions) => json!({"suggestions": suggestions}),
                Err(why) => json!({"error": why}),
            }
        })
        .collect();
    let model = state.active().model;
    Ok(Json(json!({"model": model, "weights": &*weights, "answers": answers})))
}

fn input(one: &One, state: &State) -> Result<Input, String> {
    match one {
        One::Picture(text) => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text);
            decoded(&bytes.map_err(|why| format!("picture: {why}"))?, state)
        }
        One::Row(cells) => row(cells, &state.settings.kind),
    }
}

fn decoded(bytes: &[u8], state: &State) -> Result<Input, String> {
    if matches!(state.settings.kind, Kind::Rows { .. }) {
        return Err("the model takes rows, not pictures".into());
    }
    let size = image::ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format();
    let size = size.ok().and_then(|reader| reader.into_dimensions().ok());
    if let Some((width, height)) = size
        && u64::from(width) * u64::from(height) > state.settings.pixels
    {
        let most = state.settings.pixels;
        return Err(format!("{width} x {height} pixels, where at most {most} are taken"));
    }
    picture::decode("picture", bytes).map(Input::Picture).map_err(|why| why.to_string())
}

/// The numbers of a row in the order of the columns; `sex=M` is 1 where `sex` is `M`.
fn row(cells: &Map<String, Value>, kind: &Kind) -> Result<Input, String> {
    let Kind::Rows { columns } = kind else {
        return Err("the model takes pictures, not rows".into());
    };
    let number = |column: &String| {
        if let Some(value) = cells.get(column) {
            let number = match value {
                Value::String(text) => text.trim().parse().ok(),
                other => other.as_f64(),
            };
            let number = number.map(|number: f64| number as f32).filter(|n| n.is_finite());
            return number.ok_or_else(|| format!("{column}: expected a number, found {value}"));
        }
        let (name, word) = column.split_once('=').unwrap_or((column, ""));
        match cells.get(name) {
            Some(Value::String(own)) if column.contains('=') => {
                Ok(f32::from(u8::from(own.trim() == word)))
            }
            _ => Err(format!("{name}: missing from the row")),
        }
    };
    columns.iter().map(number).collect::<Result<Vec<f32>, String>>().map(Input::Row)
}

#[derive(Deserialize)]
struct Imported {
    suggestions: Vec<OfItem>,
}

#[derive(Deserialize)]
struct OfItem {
    item: String,
    suggestions: Vec<Suggestion>,
}

/// `POST /v1/import`: all or nothing.
pub async fn import(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Json<Value>, Failure> {
    let kind = content_type(&request);
    let bytes = body(request, &state).await?;
    // Each with the line that it stands on, or its place in the list.
    let mut given: BTreeMap<String, (usize, Vec<Suggestion>)> = BTreeMap::new();
    match kind.as_str() {
        "application/json" => {
            let asked: Imported = serde_json::from_slice(&bytes).map_err(Failure::wrong)?;
            for (place, OfItem { item, suggestions }) in asked.suggestions.into_iter().enumerate() {
                given.entry(item).or_insert((place + 1, Vec::new())).1.extend(suggestions);
            }
        }
        "text/csv" => {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&bytes[..]);
            for record in reader.records() {
                let record = record.map_err(Failure::wrong)?;
                let line = record.position().map_or(0, |place| {
                    // Empty lines before a record are counted to it.
                    let before = bytes.get(place.byte() as usize..).unwrap_or(&[]).iter();
                    let before = before.take_while(|byte| matches!(byte, b'\r' | b'\n'));
                    place.line() as usize + before.filter(|byte| **byte == b'\n').count()
                });
                let cells: Vec<&str> = record.iter().map(str::trim).collect();
                let &[item, label, score] = &cells[..] else {
                    return Err(at(line, "expected item,label,score".into()));
                };
                if line == 1 && cells == ["item", "label", "score"] {
                    continue;
                }
                let score: f32 = score
                    .parse()
                    .map_err(|_| at(line, format!("score: expected a number, found `{score}`")))?;
                let own = given.entry(item.into()).or_insert((line, Vec::new()));
                own.1.push(Suggestion::new(label, score));
            }
        }
        _ => {
            let why = "expected application/json or text/csv".into();
            return Err(Failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
        }
    }
    let (labels, mut proposals) = (state.labels().clone(), Vec::new());
    {
        let queue = state.queue();
        let known: HashMap<&str, i64> =
            queue.entries().iter().map(|entry| (&entry.item.name[..], entry.item.id)).collect();
        for (item, (line, suggestions)) in &mut given {
            let &id =
                known.get(&item[..]).ok_or_else(|| at(*line, format!("unknown item `{item}`")))?;
            for suggestion in suggestions.iter() {
                if !labels.contains(&suggestion.label) {
                    return Err(at(*line, format!("unknown label `{}`", suggestion.label)));
                }
                if !(0.0..=1.0).contains(&suggestion.score) {
                    let why = format!("score {}: expected 0 to 1", suggestion.score);
                    return Err(at(*line, why));
                }
            }
            if suggestions.is_empty() {
                return Err(at(*line, format!("no suggestions for `{item}`")));
            }
            suggestions.sort_by(|a, b| b.score.total_cmp(&a.score));
            proposals.push((id, std::mem::take(suggestions)));
        }
    }
    let kept = proposals.iter().map(|(id, suggestions)| {
        (*id, IMPORTED.to_owned(), serde_json::to_string(suggestions).unwrap_or_default())
    });
    let (kept, own): (Vec<_>, _) = (kept.collect(), state.clone());
    let saved = blocking(move || own.writer.suggest(kept)).await?;
    saved.map_err(|why| Failure::store(&why))?;
    let (count, mut queue) = (proposals.len(), state.queue());
    for (id, suggestions) in proposals {
        let proposed = Proposed { suggestions: suggestions.into(), weights: IMPORTED.into() };
        queue.propose(id, proposed);
    }
    drop(queue);
    state.changed();
    Ok(Json(json!({"imported": count})))
}

/// What is wrong, and on which line.
fn at(line: usize, why: String) -> Failure {
    Failure::wrong(format!("line {line}: {why}"))
}
