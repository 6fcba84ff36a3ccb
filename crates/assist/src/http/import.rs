//! `POST /v1/import`: what another system proposes for items of the queue.

use super::answer::{Failure, Json, List, blocking, body, content_type};
use crate::entry::{IMPORTED, Proposed};
use crate::state::State;
use axum::extract::Request;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tenfold_core::geometry::{BoundingBox, Point, Rle};
use tenfold_core::store;
use tenfold_core::suggest::{Answer, Estimate, Proposal, Region, Slot, Suggestion};

type Shared = axum::extract::State<Arc<State>>;

/// The most suggestions for one item, of all slots together.
const MOST: usize = 4096;
/// What an import takes in memory, as a multiple of its length.
const TIMES: u64 = 32;

#[derive(Deserialize)]
struct Imported {
    suggestions: Vec<OfItem>,
}

/// As `predict --json` prints it too.
#[derive(Deserialize)]
struct OfItem {
    #[serde(alias = "input")]
    item: String,
    /// Alternatives; one with a place is a slot of its own.
    #[serde(default)]
    suggestions: Option<List<Object, 0, MOST>>,
    /// A set, a slot each.
    objects: Option<List<Object, 0, MOST>>,
    /// As the store has them.
    slots: Option<List<Slot, 0, MOST>>,
}

/// A suggestion and where it is, as files have it: the box is x, y, width and height.
#[derive(Deserialize)]
struct Object {
    label: Option<String>,
    text: Option<String>,
    #[serde(flatten)]
    number: Option<Number>,
    score: f32,
    #[serde(rename = "box")]
    rectangle: Option<[f32; 4]>,
    polygon: Option<Vec<Point>>,
    mask: Option<Value>,
}

#[derive(Deserialize)]
struct Number {
    value: f64,
    low: Option<f64>,
    high: Option<f64>,
}

impl Object {
    /// A mask says more than its polygon, that more than its box.
    fn region(&self) -> Result<Option<Region>, String> {
        if let Some(mask) = &self.mask {
            let mask = Rle::deserialize(mask).map_err(|why| {
                format!("mask: {why}; expected run lengths, {{\"size\", \"counts\"}}")
            })?;
            return Ok(Some(Region::Mask(mask)));
        }
        if let Some(polygon) = &self.polygon {
            return Ok(Some(Region::Polygon(polygon.clone())));
        }
        Ok(self.rectangle.map(|sides| Region::Box(BoundingBox::from_xywh(sides))))
    }

    /// What is written at a place is its answer, beside which the label only says that it is a
    /// text.
    fn suggestion(self) -> Result<Suggestion, String> {
        let answer = match (self.number, self.text, self.label) {
            (Some(Number { value, low, high }), ..) => {
                Answer::Number(Estimate { value, low, high })
            }
            (None, Some(text), _) => Answer::Text(text),
            (None, None, Some(label)) => Answer::Label(label),
            (None, None, None) => return Err("expected label, text or value".into()),
        };
        Ok(Suggestion { answer, score: self.score })
    }
}

impl OfItem {
    /// Alternatives become one slot, and everything that has a place, or is of a set, its own.
    fn slots(self) -> Result<Vec<Slot>, String> {
        let Self { item, suggestions, objects, slots } = self;
        let suggestions = suggestions.map_or_else(Vec::new, |list| list.0);
        // A set may be empty: nothing was found.
        if suggestions.is_empty() && objects.is_none() && slots.is_none() {
            return Err(format!("no suggestions for `{item}`"));
        }
        let (mut slots, mut ranked) = (slots.map_or_else(Vec::new, |list| list.0), Vec::new());
        for object in suggestions {
            match object.region()? {
                None => ranked.push(object.suggestion()?),
                at => slots.push(Slot { at, ranked: vec![object.suggestion()?] }),
            }
        }
        for object in objects.map_or_else(Vec::new, |list| list.0) {
            slots.push(Slot { at: object.region()?, ranked: vec![object.suggestion()?] });
        }
        if !ranked.is_empty() {
            slots.insert(0, Slot { at: None, ranked });
        }
        Ok(slots)
    }
}

/// What is wrong, and on which line.
fn at(line: usize, why: String) -> Failure {
    Failure::wrong(format!("line {line}: {why}"))
}

/// By item: on which line it stands or at which place of the list, and its slots.
type Given = BTreeMap<String, (usize, Proposal)>;

/// Joins what two lines say of one item: alternatives for the whole are one slot.
fn add(given: &mut Given, item: String, line: usize, slots: Vec<Slot>) {
    let own = &mut given.entry(item).or_insert((line, Proposal::default())).1;
    for slot in slots {
        match own.slots.iter_mut().find(|own| slot.at.is_none() && own.at.is_none()) {
            Some(whole) => whole.ranked.extend(slot.ranked),
            None => own.slots.push(slot),
        }
    }
}

fn table(bytes: &[u8]) -> Result<Given, Failure> {
    let mut given = Given::new();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
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
        let slot = Slot { at: None, ranked: vec![Suggestion::new(label, score)] };
        add(&mut given, item.into(), line, vec![slot]);
    }
    Ok(given)
}

fn check(suggestion: &Suggestion, labels: &[String]) -> Result<(), String> {
    if let Some(label) = suggestion.answer.label()
        && !labels.iter().any(|own| own == label)
    {
        return Err(format!("unknown label `{label}`"));
    }
    match (0.0..=1.0).contains(&suggestion.score) {
        true => Ok(()),
        false => Err(format!("score {}: expected 0 to 1", suggestion.score)),
    }
}

fn read(kind: &str, bytes: &[u8]) -> Result<Given, Failure> {
    match kind {
        "application/json" => {
            let asked: Imported = serde_json::from_slice(bytes).map_err(Failure::wrong)?;
            let mut given = Given::new();
            for (place, of) in asked.suggestions.into_iter().enumerate() {
                let item = of.item.clone();
                let slots = of.slots().map_err(|why| at(place + 1, why))?;
                add(&mut given, item, place + 1, slots);
            }
            Ok(given)
        }
        "text/csv" => table(bytes),
        _ => {
            let why = "expected application/json or text/csv".into();
            Err(Failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, why))
        }
    }
}

/// `POST /v1/import`: all or nothing.
pub async fn import(
    axum::extract::State(state): Shared,
    request: Request,
) -> Result<Json<Value>, Failure> {
    let kind = content_type(&request);
    let bytes = body(request, &state).await?;
    let _taken = state.memory.take_at_most(bytes.len() as u64 * TIMES).await;
    let given = blocking(move || read(&kind, &bytes)).await??;
    let (labels, mut kept) = (state.labels().clone(), Vec::new());
    {
        let queue = state.queue();
        let known: HashMap<&str, i64> =
            queue.entries().iter().map(|entry| (&entry.item.name[..], entry.item.id)).collect();
        for (item, (line, mut proposal)) in given {
            let &id =
                known.get(&item[..]).ok_or_else(|| at(line, format!("unknown item `{item}`")))?;
            let count: usize = proposal.slots.iter().map(|slot| slot.ranked.len()).sum();
            if count > MOST {
                let why = format!("{count} suggestions for `{item}`; expected {MOST} at most");
                return Err(at(line, why));
            }
            for slot in &mut proposal.slots {
                for suggestion in &slot.ranked {
                    check(suggestion, &labels).map_err(|why| at(line, why))?;
                }
                if slot.ranked.is_empty() {
                    return Err(at(line, format!("no suggestions for `{item}`")));
                }
                slot.ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
            }
            kept.push(store::Proposed { item: id, weights: IMPORTED.into(), proposal });
        }
    }
    let count = kept.len();
    {
        // Before it is written: the model's thread writes nothing over what it sees here.
        let mut queue = state.queue();
        for store::Proposed { item, weights, proposal } in &kept {
            let (proposal, weights) = (proposal.clone().into(), weights.as_str().into());
            queue.propose(*item, Proposed { proposal, weights });
        }
    }
    let own = state.clone();
    let saved = blocking(move || own.writer.suggest(kept)).await?;
    saved.map_err(|why| Failure::store(&why))?;
    state.changed();
    Ok(Json(json!({"imported": count})))
}
