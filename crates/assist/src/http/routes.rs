//! The routes of the page: what is next, what was decided, how it goes.

use super::answer::{Failure, Json, List, Path, Query, blocking};
use crate::entry::{Entry, Order, Proposed};
use crate::export::{self, Format};
use crate::queue::Ask;
use crate::report::Report;
use crate::rounds::{self, Unready};
use crate::state::State;
use crate::writer::Undone;
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tenfold_core::annotate::{Annotation, Verdict, words};
use tenfold_core::store::{Action, Decision, Saved, Store, now};
use tenfold_core::suggest::{Answer as Said, Proposal, Region};

type Shared = axum::extract::State<Arc<State>>;
type Answer<T = Json<Value>> = Result<T, Failure>;

/// The most items that one person may hold, and decide about at once.
const MOST: usize = 500;
/// The longest name of a person or a label, in characters.
const LONGEST: usize = 200;
/// The longest free text.
const LONGEST_TEXT: usize = 20_000;
/// How often those who watch are told at most.
const PACE: Duration = Duration::from_millis(250);

/// A name that can be shown on one line.
pub fn checked<'a>(name: &'a str, what: &str) -> Result<&'a str, Failure> {
    let name = name.trim();
    match name.is_empty() || name.chars().count() > LONGEST || name.chars().any(char::is_control) {
        true => Err(Failure::wrong(format!("{what}: expected 1 to {LONGEST} characters"))),
        false => Ok(name),
    }
}

/// How many items are asked for: no more than one person may hold.
fn counted(count: usize) -> Result<usize, Failure> {
    match count {
        0 => Err(Failure::wrong("count: expected 1 or more")),
        count => Ok(count.min(MOST)),
    }
}

/// `GET /v1/status`.
pub async fn status(state: Shared) -> Json<Value> {
    Json(state.status())
}

/// `GET /v1/events`.
pub async fn events(
    axum::extract::State(state): Shared,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = state.watch();
    let stream = futures_util::stream::unfold(
        (state, changes, false),
        |(state, mut changes, later)| async move {
            if later {
                changes.changed().await.ok()?;
                if state.ending() {
                    return None;
                }
                tokio::time::sleep(PACE).await;
            }
            changes.mark_unchanged();
            let event = Event::default().event("status").data(state.status().to_string());
            Some((Ok(event), (state, changes, true)))
        },
    );
    Sse::new(stream).keep_alive(KeepAlive::default())
}

#[derive(Deserialize)]
pub struct Next {
    person: String,
    count: usize,
    #[serde(default)]
    have: Vec<i64>,
    order: Option<Order>,
    near: Option<i64>,
    #[serde(default)]
    hide: bool,
}

/// `POST /v1/next`.
pub async fn next(state: Shared, Json(asked): Json<Next>) -> Answer {
    let person = checked(&asked.person, "person")?;
    let count = counted(asked.count)?;
    let order = asked.order.unwrap_or(state.settings.order);
    if order == Order::Similar {
        state.want_likeness();
    }
    let ask = Ask {
        person,
        count,
        have: &asked.have,
        order,
        near: asked.near,
        hide: asked.hide || state.settings.baseline,
    };
    let mut queue = state.queue();
    let places = queue.next(&ask, Instant::now());
    let show = |&place: &usize| as_shown(&state, &queue.entries()[place]);
    let items: Vec<Value> = places.iter().map(show).collect();
    let left = queue.left(person, Instant::now());
    Ok(Json(json!({"items": items, "left": left})))
}

/// `GET /v1/items/{id}`.
pub async fn item(state: Shared, Path(id): Path<i64>) -> Answer {
    let queue = state.queue();
    Ok(Json(as_shown(&state, queue.get(id).ok_or_else(unknown_item)?)))
}

fn as_shown(state: &State, entry: &Entry) -> Value {
    entry.shown(state.columns(), state.settings.top)
}

fn unknown_item() -> Failure {
    Failure(StatusCode::NOT_FOUND, "no such item".into())
}

#[derive(Deserialize)]
pub struct Grid {
    person: String,
    count: usize,
    label: Option<String>,
}

/// `POST /v1/grid`.
pub async fn grid(state: Shared, Json(asked): Json<Grid>) -> Answer {
    let person = checked(&asked.person, "person")?;
    let count = counted(asked.count)?;
    if state.settings.baseline {
        return Err(Failure::wrong("suggestions are withheld: there is nothing alike to confirm"));
    }
    let mut queue = state.queue();
    let now = Instant::now();
    let (label, places, sizes) = queue.alike(person, count, asked.label.as_deref(), now);
    let show = |&place: &usize| as_shown(&state, &queue.entries()[place]);
    let items: Vec<Value> = places.iter().map(show).collect();
    let sizes: Vec<Value> =
        sizes.iter().map(|(label, count)| json!({"label": label, "count": count})).collect();
    let left = queue.left(person, now);
    Ok(Json(json!({"label": label, "items": items, "left": left, "labels": sizes})))
}

#[derive(Deserialize)]
pub struct Decide {
    person: String,
    decisions: List<One, 1, MOST>,
}

#[derive(Deserialize)]
struct One {
    item: i64,
    /// What the page shows: a page of another queue's server would have other names.
    name: Option<String>,
    key: Option<String>,
    action: What,
    /// Of the item as a whole, in the place of `verdicts`.
    label: Option<String>,
    text: Option<String>,
    /// Of each slot, and of what was added.
    verdicts: Option<Vec<Verdict>>,
    #[serde(default)]
    new: bool,
    seconds: Option<f64>,
    /// Which weights the page shows the suggestions of, where it says so.
    weights: Option<String>,
    #[serde(default)]
    hidden: bool,
    #[serde(default)]
    grid: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Label,
    Skip,
}

/// `POST /v1/decisions`: answered when the decisions are on the disk.
pub async fn decide(state: Shared, Json(asked): Json<Decide>) -> Answer {
    let person = checked(&asked.person, "person")?;
    let (mut decisions, mut rejected) = (Vec::new(), Vec::new());
    for one in asked.decisions.0 {
        let item = one.item;
        match judge(&state, person, one).await {
            Ok(decision) => decisions.push(decision),
            Err(Failure(StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY, why)) => {
                rejected.push(json!({"item": item, "error": why}));
            }
            Err(failure) => return Err(failure),
        }
    }
    let saved = state.writer.decide(decisions.clone()).await;
    let saved = saved.map_err(|why| Failure::store(&why))?;
    let mut queue = state.queue();
    for (decision, saved) in decisions.iter().zip(&saved) {
        // What was saved before is known to the queue.
        if *saved == Saved::New {
            queue.apply(decision);
        }
    }
    drop(queue);
    state.metrics.decided(saved.iter().filter(|saved| **saved == Saved::New).count());
    state.look_at_audit();
    state.changed();
    let status = state.status();
    Ok(Json(json!({"saved": saved.len(), "rejected": rejected, "status": status})))
}

/// Whether a person may decide so, and as what it is saved.
async fn judge(state: &State, person: &str, one: One) -> Result<Decision, Failure> {
    let conflict = |why: String| Failure(StatusCode::CONFLICT, why);
    let (standing, broken) = {
        let queue = state.queue();
        let entry = queue.get(one.item).ok_or_else(|| Failure::wrong("no such item"))?;
        if let Some(name) = one.name.filter(|name| *name != entry.item.name) {
            return Err(conflict(format!("item {} is not `{name}`: reload the page", one.item)));
        }
        (entry.standing(person, Instant::now()).map_err(conflict)?, entry.broken.is_some())
    };
    if one.seconds.is_some_and(|seconds| !(seconds.is_finite() && seconds >= 0.0)) {
        return Err(Failure::wrong("seconds: expected a number from 0 on"));
    }
    let key = one.key.map(|key| checked(&key, "key").map(str::to_owned)).transpose()?;
    // A page may have outlived a restart, after which nothing is known of what it shows.
    let same = |shown: &Proposed| one.weights.as_ref().is_none_or(|own| **own == *shown.weights);
    let shown = standing.shown.filter(same);
    let proposal = shown.as_ref().map(|shown| &*shown.proposal);
    let hidden = standing.hidden || one.hidden;
    let verdicts = match (one.action, one.verdicts) {
        (What::Skip, _) => Vec::new(),
        (What::Label, _) if broken => {
            return Err(Failure::wrong("an item that cannot be shown: it can only be skipped"));
        }
        (What::Label, Some(verdicts)) => {
            complete(&verdicts, proposal.filter(|_| !hidden))?;
            verdicts
        }
        (What::Label, None) => {
            let answer = match one.text {
                Some(text) => Said::Text(text),
                None => Said::Label(one.label.unwrap_or_default()),
            };
            let slot = proposal.and_then(Proposal::whole).map(|_| 0);
            if slot.is_none() && proposal.is_some_and(|proposal| !proposal.slots.is_empty()) {
                return Err(Failure::wrong("several places were proposed: expected `verdicts`"));
            }
            vec![Verdict { slot, annotation: Some(Annotation { at: None, answer }) }]
        }
    };
    let mut verdicts = verdicts;
    for annotation in verdicts.iter_mut().filter_map(|verdict| verdict.annotation.as_mut()) {
        sound(annotation)?;
        if let Said::Label(label) = &annotation.answer {
            know(state, person, label, one.new).await?;
        }
    }
    Ok(Decision {
        item: one.item,
        person: person.into(),
        at: now(),
        seconds: one.seconds,
        action: match one.action {
            What::Label => Action::Label,
            What::Skip => Action::Skip,
        },
        verdicts,
        proposed: proposal.cloned(),
        weights: shown.as_ref().map(|shown| shown.weights.to_string()),
        hidden,
        grid: one.grid,
        key,
    })
}

/// Each slot that was shown has one verdict, and no other has: what a person did not see is not
/// decided.
fn complete(verdicts: &[Verdict], shown: Option<&Proposal>) -> Result<(), Failure> {
    let slots = shown.map_or(0, |proposal| proposal.slots.len());
    let mut seen = vec![0; slots];
    for slot in verdicts.iter().filter_map(|verdict| verdict.slot) {
        match seen.get_mut(slot) {
            Some(count) => *count += 1,
            None => {
                let why = format!("slot {slot}: {slots} were shown; reload the page");
                return Err(Failure(StatusCode::CONFLICT, why));
            }
        }
    }
    match seen.iter().position(|&count| count != 1) {
        None => Ok(()),
        Some(slot) => {
            let why = format!("slot {slot}: {} verdicts; expected one", seen[slot]);
            Err(Failure::wrong(why))
        }
    }
}

/// Trims what was typed, and refuses what cannot stand in a store.
fn sound(annotation: &mut Annotation) -> Result<(), Failure> {
    match &mut annotation.answer {
        Said::Label(label) => *label = checked(label, "label")?.to_owned(),
        Said::Text(text) => {
            let trimmed = text.trim();
            if trimmed.is_empty() || trimmed.chars().count() > LONGEST_TEXT {
                let why = format!("text: expected 1 to {LONGEST_TEXT} characters");
                return Err(Failure::wrong(why));
            }
            *text = trimmed.to_owned();
        }
        Said::Number(number) if !number.value.is_finite() => {
            return Err(Failure::wrong("value: expected a number"));
        }
        Said::Number(_) | Said::Absent => {}
    }
    match &annotation.at {
        Some(Region::Box(own)) => {
            let sides = [own.x1, own.y1, own.x2, own.y2];
            match sides.iter().all(|side| side.is_finite()) && own.area() > 0.0 {
                true => Ok(()),
                false => Err(Failure::wrong("box: expected x1 below x2 and y1 below y2")),
            }
        }
        _ => Ok(()),
    }
}

/// Takes in a label that is new, where that is wanted.
async fn know(state: &State, person: &str, label: &str, new: bool) -> Result<(), Failure> {
    if state.labels().iter().any(|own| own == label) {
        return Ok(());
    }
    if !new {
        return Err(Failure::wrong(format!("unknown label `{label}`")));
    }
    let added = state.writer.label(label, person).await;
    if added.map_err(|why| Failure::store(&why))? {
        state.labels().push(label.into());
    }
    Ok(())
}

#[derive(Deserialize)]
pub struct Release {
    person: String,
    items: Vec<i64>,
    #[serde(default)]
    from_grid: bool,
}

/// `POST /v1/release`.
pub async fn release(state: Shared, Json(asked): Json<Release>) -> Answer {
    let person = checked(&asked.person, "person")?;
    let released = state.queue().release(person, &asked.items, asked.from_grid);
    state.changed();
    Ok(Json(json!({"released": released})))
}

#[derive(Deserialize)]
pub struct Person {
    person: String,
}

/// `POST /v1/undo`.
pub async fn undo(state: Shared, Json(asked): Json<Person>) -> Answer {
    let person = checked(&asked.person, "person")?;
    let undone = state.writer.undo(person).await.map_err(|why| Failure::store(&why))?;
    let Some(Undone { decision, decisions }) = undone else {
        return Err(Failure(StatusCode::NOT_FOUND, "there is nothing to undo".into()));
    };
    let shown = {
        let mut queue = state.queue();
        let before = (decision.item, &decisions[..]);
        let back = queue.undo(before, (person, decision.hidden), Instant::now());
        let entry = &queue.entries()[back.ok_or_else(unknown_item)?];
        let mut shown = as_shown(&state, entry);
        shown["decided"] = decision.annotations().as_deref().map(words).into();
        // What was decided of other slots than are shown now says nothing of these.
        let same = entry.proposed.as_ref().map(|now| &*now.proposal) == decision.proposed.as_ref();
        shown["verdicts"] = json!(same.then_some(decision.verdicts));
        shown
    };
    state.changed();
    Ok(Json(json!({"item": shown})))
}

/// `GET /v1/labels`.
pub async fn labels(state: Shared) -> Json<Value> {
    Json(json!({"labels": *state.labels()}))
}

/// `POST /v1/retrain`.
pub async fn retrain(
    axum::extract::State(state): Shared,
    Json(asked): Json<Person>,
) -> Answer<Response> {
    checked(&asked.person, "person")?;
    match rounds::begin(&state) {
        Ok(round) => Ok((StatusCode::ACCEPTED, Json(json!({"round": round}))).into_response()),
        Err(Unready::Busy) => Err(Failure(StatusCode::CONFLICT, "a training is running".into())),
        Err(Unready::Few(why)) => Err(Failure::wrong(why)),
    }
}

/// `POST /v1/retrain/take`.
pub async fn take(axum::extract::State(state): Shared, Json(asked): Json<Person>) -> Answer {
    checked(&asked.person, "person")?;
    let own = state.clone();
    let taken = blocking(move || rounds::take(&own)).await?;
    match taken.map_err(|why| Failure(StatusCode::INSUFFICIENT_STORAGE, why))? {
        true => Ok(Json(state.status())),
        false => Err(Failure(StatusCode::NOT_FOUND, "no weights were refused".into())),
    }
}

/// `GET /v1/report`.
pub async fn report(axum::extract::State(state): Shared) -> Answer<Json<Report>> {
    let made = blocking(move || Report::of(&Store::read(&state.settings.store)?)).await?;
    made.map(Json).map_err(|why| Failure::store(&why))
}

#[derive(Deserialize)]
pub struct Export {
    format: Format,
}

/// `GET /v1/export`.
pub async fn export(
    axum::extract::State(state): Shared,
    Query(asked): Query<Export>,
) -> Answer<Response> {
    let made =
        blocking(move || export::bytes(&Store::read(&state.settings.store)?, asked.format)).await?;
    let bytes = made.map_err(Failure::wrong)?;
    let (kind, ending) = match asked.format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Coco => ("application/json", "json"),
        Format::Parquet => ("application/vnd.apache.parquet", "parquet"),
    };
    let name = format!("attachment; filename=\"labels.{ending}\"");
    Ok(([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, name)], bytes)
        .into_response())
}

/// `GET /v1/health`.
pub async fn health(state: Shared) -> Json<Value> {
    let active = state.active();
    Json(json!({"status": "ok", "model": active.model, "weights": &*active.id}))
}

/// `GET /v1/metrics`.
pub async fn metrics(state: Shared) -> impl IntoResponse {
    let counts = state.queue().counts(Instant::now());
    let gauges = [
        ("queue_items", counts.items as f64),
        ("queue_open", counts.open as f64),
        ("queue_leased", counts.leased as f64),
        ("queue_decided", counts.decided as f64),
        ("queue_automatic", counts.automatic as f64),
        ("queue_broken", counts.broken as f64),
        ("retrain_running", f64::from(u8::from(state.retrain.running()))),
    ];
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], state.metrics.text(&gauges))
}
