//! `POST /v1/suggest`: what the model says of what a program sends.

use super::answer::{Failure, Json, blocking, body, content_type};
use crate::state::State;
use axum::extract::{Query, Request};
use axum::http::{StatusCode, header};
use base64::Engine;
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::{Arc, LazyLock};
use tenfold_core::data::csv::Schema;
use tenfold_core::data::{Input, Kind, image_file};
use tokio::sync::Semaphore;

type Shared = axum::extract::State<Arc<State>>;

/// The most inputs of one request.
const MOST: usize = 256;
/// A body of more bytes waits until few others are in memory.
const SMALL: u64 = 64 << 10;

/// Large bodies at once, and images decoded at once: what memory they take stays bounded.
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
    #[serde(alias = "picture")]
    Image(String),
    Row(Map<String, Value>),
    Text(String),
}

/// `POST /v1/suggest`.
pub async fn suggest(
    axum::extract::State(state): Shared,
    Query(query): Query<Top>,
    request: Request,
) -> Result<Json<Value>, Failure> {
    let kind = content_type(&request);
    if kind != "application/json" && !kind.starts_with("image/") {
        let why = "expected an image as image/*, or application/json".into();
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
    // An image alone is the whole request: what is wrong with it is wrong with that.
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
                Ok(proposal) => match proposal.whole() {
                    Some(ranked) => json!({"suggestions": ranked, "slots": proposal}),
                    None => json!({"slots": proposal}),
                },
                Err(why) => json!({"error": why}),
            }
        })
        .collect();
    let model = state.active().model;
    Ok(Json(json!({"model": model, "weights": &*weights, "answers": answers})))
}

fn input(one: &One, state: &State) -> Result<Input, String> {
    match one {
        One::Image(text) => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text);
            decoded(&bytes.map_err(|why| format!("image: {why}"))?, state)
        }
        One::Row(cells) => row(cells, &state.settings.kind),
        One::Text(text) => match &state.settings.kind {
            Kind::Texts => Ok(Input::Text(text.clone())),
            kind => Err(format!("the model takes {}, not texts", plural(kind))),
        },
    }
}

/// What inputs are called.
fn plural(kind: &Kind) -> &'static str {
    match kind {
        Kind::Images { .. } => "images",
        Kind::Rows { .. } => "rows",
        Kind::Texts => "texts",
    }
}

fn decoded(bytes: &[u8], state: &State) -> Result<Input, String> {
    let kind = &state.settings.kind;
    if !matches!(kind, Kind::Images { .. }) {
        return Err(format!("the model takes {}, not images", plural(kind)));
    }
    let size = image::ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format();
    let size = size.ok().and_then(|reader| reader.into_dimensions().ok());
    if let Some((width, height)) = size
        && u64::from(width) * u64::from(height) > state.settings.pixels
    {
        let most = state.settings.pixels;
        return Err(format!("{width} x {height} pixels, where at most {most} are taken"));
    }
    image_file::decode("image", bytes).map(Input::Image).map_err(|why| why.to_string())
}

/// The numbers of a row in the order of the columns; `sex=M` is 1 where `sex` is `M`.
fn row(cells: &Map<String, Value>, kind: &Kind) -> Result<Input, String> {
    let Kind::Rows { columns, schema } = kind else {
        return Err(format!("the model takes {}, not rows", plural(kind)));
    };
    // A caller may make the numbers by itself, as there was no other way once.
    let own = |schema: &Schema| {
        let of_file = |name: &str| schema.columns.iter().any(|column| column.name == name);
        !columns.iter().any(|name| cells.contains_key(name) && !of_file(name))
    };
    if let Some(schema) = schema.as_ref().filter(|schema| own(schema)) {
        let text = |value: &Value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        return schema.row(|name| cells.get(name).map(text)).map(Input::Row);
    }
    let number = |column: &String| {
        if let Some(value) = cells.get(column) {
            let number = match value {
                Value::String(text) => text.trim().parse().ok(),
                other => other.as_f64(),
            };
            let number = number.filter(|number: &f64| (*number as f32).is_finite());
            return number.ok_or_else(|| format!("{column}: expected a number, found {value}"));
        }
        let (name, word) = column.split_once('=').unwrap_or((column, ""));
        match cells.get(name) {
            Some(Value::String(own)) if column.contains('=') => Ok(f64::from(own.trim() == word)),
            _ => Err(format!("{name}: missing from the row")),
        }
    };
    columns.iter().map(number).collect::<Result<Vec<f64>, String>>().map(Input::Row)
}
