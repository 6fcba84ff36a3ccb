//! `POST /v1/suggest`: what the model says of what a program sends.

use super::answer::{Failure, Json, List, Query, blocking, body, content_type};
use crate::inputs::{self, GROUP};
use crate::memory;
use crate::model::Answer;
use crate::state::State;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use base64::Engine;
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use tenfold_core::data::csv::Schema;
use tenfold_core::data::{Input, Kind, image_file};

type Shared = axum::extract::State<Arc<State>>;

/// The most inputs of one request.
const MOST: usize = 256;
/// The pixels of all images of a request, as a multiple of those that one may have.
const IMAGES: u64 = 8;
/// What a row takes in memory, as a multiple of its text.
const ROW: u64 = 32;

#[derive(Deserialize)]
pub struct Top {
    top: Option<usize>,
}

#[derive(Deserialize)]
struct Asked {
    inputs: List<One, 1, MOST>,
    top: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum One {
    #[serde(alias = "picture")]
    Image(String),
    Row(Box<RawValue>),
    Text(String),
    /// The body.
    #[serde(skip)]
    File(Bytes),
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
    let bytes = body(request, &state).await?;
    let alone = kind != "application/json";
    let (inputs, top) = match alone {
        true => (VecDeque::from([One::File(bytes)]), None),
        false => {
            let asked = blocking(move || serde_json::from_slice::<Asked>(&bytes)).await?;
            let Asked { inputs, top } = asked.map_err(Failure::wrong)?;
            (inputs.0.into(), top)
        }
    };
    let top = top.or(query.top).unwrap_or(3);
    if top == 0 {
        return Err(Failure::wrong("top: expected 1 or more"));
    }
    let (weights, answers) = answers(&state, inputs, top).await?;
    // An image alone is the whole request: what is wrong with it is wrong with that.
    if let ([Err(why)], true) = (&answers[..], alone) {
        return Err(Failure::wrong(why));
    }
    let answer = |answer: Answer| match answer {
        Ok(proposal) => match proposal.whole() {
            Some(ranked) => json!({"suggestions": ranked, "slots": proposal}),
            None => json!({"slots": proposal}),
        },
        Err(why) => json!({"error": why}),
    };
    let answers: Vec<Value> = answers.into_iter().map(answer).collect();
    let model = state.active().model;
    Ok(Json(json!({"model": model, "weights": &*weights, "answers": answers})))
}

/// What the model says of each input. They are read, answered and dropped group by group, each in
/// its part of the memory; when the caller has gone, no other group is begun.
async fn answers(
    state: &Arc<State>,
    mut inputs: VecDeque<One>,
    top: usize,
) -> Result<(Arc<str>, Vec<Answer>), Failure> {
    let mut weights: Option<Arc<str>> = None;
    let (mut answers, mut pixels) = (Vec::with_capacity(inputs.len()), 0);
    // What was weighed and did not fit into the last group.
    let mut next: VecDeque<Weighed> = VecDeque::new();
    while !inputs.is_empty() || !next.is_empty() {
        let own = state.clone();
        (inputs, next, pixels) = blocking(move || weigh_group(&own, inputs, next, pixels)).await?;
        let rest = next.split_off(memory::first(next.iter().map(|one| one.weight), GROUP));
        let group = std::mem::replace(&mut next, rest);
        let weight = group.iter().map(|one| one.weight).sum();
        let taken = match state.memory.take(weight).await {
            Ok(taken) => taken,
            Err(why) => {
                answers.extend(group.iter().map(|_| Err(why.clone())));
                continue;
            }
        };
        let own = state.clone();
        // What is under way goes on without its caller, and has its memory until it ends.
        let (read, mut taken) = blocking(move || {
            // A large one, which is alone, keeps no thread of those that the model works with.
            let read: Vec<Result<Input, String>> = match group.len() {
                1 => group.into_iter().map(|one| one.read(&own)).collect(),
                _ => group.into_par_iter().map(|one| one.read(&own)).collect(),
            };
            (read, taken)
        })
        .await?;
        if let Some(bytes) = inputs::shaped_bytes(state) {
            taken.shrink(bytes * read.len() as u64);
        }
        let mut good = Vec::new();
        let read: Vec<Result<(), String>> =
            read.into_iter().map(|one| one.map(|input| good.push(input))).collect();
        let mut said = Vec::new();
        if !good.is_empty() {
            let gone = |why: &str| Failure(StatusCode::SERVICE_UNAVAILABLE, why.into());
            let (by, own) = state.model.suggest(good, top).await.map_err(gone)?;
            if weights.as_ref().is_some_and(|before| *before != by) {
                return Err(gone("other weights were put in place meanwhile: ask again"));
            }
            (weights, said) = (Some(by), own);
        }
        let mut said = said.into_iter();
        let answer = |one: Result<(), String>| {
            one.and_then(|()| said.next().unwrap_or_else(|| Err("no answer".into())))
        };
        answers.extend(read.into_iter().map(answer));
    }
    Ok((weights.unwrap_or_else(|| state.active().id), answers))
}

/// An input, and what it takes to read it.
struct Weighed {
    input: Result<Unread, String>,
    weight: u64,
}

enum Unread {
    Image(Bytes),
    Row(Box<RawValue>),
    Text(String),
}

/// Weighs inputs until they are more than a group; `pixels` are those of all before.
fn weigh_group(
    state: &State,
    mut inputs: VecDeque<One>,
    mut weighed: VecDeque<Weighed>,
    mut pixels: u64,
) -> (VecDeque<One>, VecDeque<Weighed>, u64) {
    let mut sum: u64 = weighed.iter().map(|one| one.weight).sum();
    while sum <= GROUP
        && let Some(one) = inputs.pop_front()
    {
        let (weight, input) = match weigh(one, state, &mut pixels) {
            Ok((weight, input)) => (weight, Ok(input)),
            Err(why) => (0, Err(why)),
        };
        sum = sum.saturating_add(weight);
        weighed.push_back(Weighed { input, weight });
    }
    (inputs, weighed, pixels)
}

fn weigh(one: One, state: &State, pixels: &mut u64) -> Result<(u64, Unread), String> {
    let kind = &state.settings.kind;
    let refused = |what: &str| format!("the model takes {}, not {what}", plural(kind));
    let bytes = match one {
        One::Text(_) if !matches!(kind, Kind::Texts) => return Err(refused("texts")),
        One::Text(text) => return Ok((0, Unread::Text(text))),
        One::Row(_) if !matches!(kind, Kind::Rows { .. }) => return Err(refused("rows")),
        One::Row(row) => return Ok((row.get().len() as u64 * ROW, Unread::Row(row))),
        One::Image(_) | One::File(_) if !matches!(kind, Kind::Images { .. }) => {
            return Err(refused("images"));
        }
        One::Image(text) => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text);
            bytes.map_err(|why| format!("image: {why}"))?.into()
        }
        One::File(bytes) => bytes,
    };
    let weight = image_file::weigh("image", &bytes).map_err(|why| why.to_string())?;
    let most = state.settings.pixels;
    if weight.pixels() > most {
        let image_file::Weight { width, height, .. } = weight;
        return Err(format!("{width} x {height} pixels, where at most {most} are taken"));
    }
    *pixels += weight.pixels();
    if *pixels > most * IMAGES {
        let most = most * IMAGES;
        return Err(format!("the request's images have more than {most} pixels: send fewer"));
    }
    Ok((inputs::weight(state, weight), Unread::Image(bytes)))
}

impl Weighed {
    fn read(self, state: &State) -> Result<Input, String> {
        match self.input? {
            Unread::Text(text) => Ok(Input::Text(text)),
            Unread::Row(text) => {
                let cells =
                    serde_json::from_str(text.get()).map_err(|why| format!("row: {why}"))?;
                row(&cells, &state.settings.kind)
            }
            Unread::Image(bytes) => image_file::decode("image", &bytes)
                .and_then(|image| inputs::shaped(state, image))
                .map_err(|why| why.to_string()),
        }
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
