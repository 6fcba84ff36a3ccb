//! What stands in a store's tables, in and out.

use super::{FIXED, MOST_FIXED, Store};
use crate::Result;
use crate::annotate::{self, Annotation, Change, Verdict};
use crate::data::random::SplitMix64;
use crate::geometry::BoundingBox;
use crate::suggest::{Proposal, Region, Slot, Suggestion};
use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// Something to be decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its number in the store.
    pub id: i64,
    /// An image's path below the queue's folder, or a row's or line's number.
    pub name: String,
    /// Whether it is of the fixed part, which is never trained on.
    pub fixed: bool,
    /// What the store has of it.
    pub content: Content,
}

/// What a store has of an item. JSON as it stands in the table, where there is any: a list of
/// numbers, or a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// Its name alone: it is a file of the queue's folder.
    File,
    /// A row's numbers, in the order of the columns.
    Row(Vec<f64>),
    /// A text.
    Text(String),
}

/// What was done about an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// A person said what it is.
    Label,
    /// A person would not say.
    Skip,
    /// The model was sure enough to need no person.
    Auto,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Skip => "skip",
            Self::Auto => "auto",
        }
    }
}

/// One line of a store's history.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The item.
    pub item: i64,
    /// Who.
    pub person: String,
    /// When: seconds since 1970, UTC.
    pub at: f64,
    /// How long the person looked at it.
    pub seconds: Option<f64>,
    /// What was done.
    pub action: Action,
    /// Of each slot what was said; none where it was skipped, or where nothing was proposed
    /// and nothing is there.
    pub verdicts: Vec<Verdict>,
    /// What was proposed, as the person saw it.
    pub proposed: Option<Proposal>,
    /// By which weights.
    pub weights: Option<String>,
    /// Whether the suggestions were withheld, to measure what they save.
    pub hidden: bool,
    /// Whether it was one of a page of like items that was confirmed at once.
    pub grid: bool,
    /// What makes sending it twice harmless.
    pub key: Option<String>,
}

impl Decision {
    /// Whether all is as it was proposed.
    pub fn confirmed(&self) -> bool {
        let as_proposed = |verdict: &Verdict| self.change(verdict) == Change::Confirmed;
        !self.hidden
            && self.action != Action::Skip
            && self.proposed.is_some()
            && self.verdicts.iter().all(as_proposed)
    }

    /// What one of its verdicts made of the proposal.
    pub fn change(&self, verdict: &Verdict) -> Change {
        verdict.change(self.proposed.as_ref())
    }

    /// What stands by it; `None` where it was skipped.
    pub fn annotations(&self) -> Option<Vec<Annotation>> {
        (self.action != Action::Skip).then(|| annotate::standing(&self.verdicts))
    }

    /// The one answer about the input as a whole, where that is what was said.
    pub fn label(&self) -> Option<String> {
        match &self.verdicts[..] {
            [Verdict { annotation: Some(Annotation { at: None, answer }), .. }] => {
                Some(answer.to_string())
            }
            _ => None,
        }
    }

    /// The best suggestion for the input as a whole.
    pub fn best(&self) -> Option<&Suggestion> {
        self.proposed.as_ref()?.whole()?.first()
    }
}

/// What stands of each item: a person's last word, else what was accepted without one.
pub fn last(all: &[Decision]) -> BTreeMap<i64, &Decision> {
    let mut last: BTreeMap<i64, &Decision> = BTreeMap::new();
    for decision in all.iter().filter(|decision| decision.action != Action::Skip) {
        let by_person = last.get(&decision.item).is_some_and(|old| old.action == Action::Label);
        if decision.action == Action::Label || !by_person {
            last.insert(decision.item, decision);
        }
    }
    last
}

/// What became of a decision that was to be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It is on the disk.
    New,
    /// One with the same key was saved before.
    Already,
}

/// One training on what was decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Round {
    /// Its number, from 1.
    pub round: i64,
    /// The run folder that it made.
    pub run: String,
    /// The start of its weights' digest.
    pub weights: String,
    /// Seconds since 1970, UTC.
    pub at: f64,
    /// How many decisions of people there were.
    pub decisions: i64,
    /// Accuracy of the weights before on the fixed part.
    pub accuracy_before: Option<f64>,
    /// Accuracy of the new weights there.
    pub accuracy: Option<f64>,
    /// Whether the new weights were put in place.
    pub taken: bool,
}

/// The time, in seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// A line of `suggestions`: what was proposed for an item.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposed {
    /// The item.
    pub item: i64,
    /// By which weights.
    pub weights: String,
    /// What.
    pub proposal: Proposal,
}

impl Store {
    /// Adds the items that are new, by their names.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn add_items<'a>(&self, items: impl Iterator<Item = (&'a str, Content)>) -> Result<()> {
        let seed = self.origin.seed;
        let add = || {
            let all = self.connection.unchecked_transaction()?;
            {
                let count = "SELECT count(*) FROM items WHERE fixed = 1";
                let fixed: i64 = all.query_row(count, [], |row| row.get(0))?;
                let mut fixed = fixed as usize;
                let text = "INSERT OR IGNORE INTO items(name, fixed, row) VALUES (?, ?, ?)";
                let mut insert = all.prepare(text)?;
                for (name, content) in items {
                    let row = match content {
                        Content::File => None,
                        content => serde_json::to_string(&content).ok(),
                    };
                    let is_fixed = fixed < MOST_FIXED && is_fixed(name, seed);
                    let new = insert.execute(params![name, is_fixed, row])?;
                    fixed += usize::from(is_fixed && new > 0);
                }
            }
            all.commit()
        };
        add().map_err(self.fail())
    }

    /// Every item.
    ///
    /// # Errors
    /// The store is damaged.
    pub fn items(&self) -> Result<Vec<Item>> {
        self.list("SELECT id, name, fixed, row FROM items ORDER BY id", |row| {
            let text: Option<String> = row.get(3)?;
            let content = |text: String| serde_json::from_str(&text).ok();
            Ok(Item {
                id: row.get(0)?,
                name: row.get(1)?,
                fixed: row.get(2)?,
                content: text.and_then(content).unwrap_or(Content::File),
            })
        })
    }

    /// Adds a label where it is new. Whether it was.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn add_label(&self, name: &str, person: Option<&str>) -> Result<bool> {
        let text = "INSERT OR IGNORE INTO labels(name, person, at) VALUES (?, ?, ?)";
        self.here()?;
        let added = self.connection.execute(text, params![name, person, now()]);
        Ok(added.map_err(self.fail())? > 0)
    }

    /// The labels: the model's own first, in its order, then those that people added.
    ///
    /// # Errors
    /// The store is damaged.
    pub fn labels(&self) -> Result<Vec<String>> {
        self.list("SELECT name FROM labels ORDER BY id", |row| row.get(0))
    }

    /// Keeps what was proposed for some items, in the place of what was before.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn suggest(&self, proposals: &[Proposed]) -> Result<()> {
        let keep = || {
            let all = self.connection.unchecked_transaction()?;
            {
                let text = "INSERT OR REPLACE INTO suggestions VALUES (?, ?, ?)";
                let mut insert = all.prepare(text)?;
                for Proposed { item, weights, proposal } in proposals {
                    insert.execute(params![item, weights, json(proposal)?])?;
                }
            }
            all.commit()
        };
        keep().map_err(self.fail())
    }

    /// What was proposed for each item. What cannot be read is left out: it can be proposed
    /// anew.
    ///
    /// # Errors
    /// The store is damaged.
    pub fn suggestions(&self) -> Result<Vec<Proposed>> {
        let all = self.list("SELECT item, weights, suggestions FROM suggestions", |row| {
            let (item, weights, text) = (row.get(0)?, row.get(1)?, row.get::<_, String>(2)?);
            Ok(proposal(&text).map(|proposal| Proposed { item, weights, proposal }))
        })?;
        Ok(all.into_iter().flatten().collect())
    }

    /// Saves decisions, all or none. They are on the disk when this returns.
    ///
    /// # Errors
    /// The store cannot be written, as on a full disk: then none is saved.
    pub fn decide(&self, decisions: &[Decision]) -> Result<Vec<Saved>> {
        let save = || {
            let all = self.connection.unchecked_transaction()?;
            let mut saved = Vec::with_capacity(decisions.len());
            {
                let text = "INSERT INTO decisions(item, person, at, seconds, action, label, \
                            verdicts, proposed, weights, hidden, grid, key) \
                            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(key) DO NOTHING";
                let mut insert = all.prepare(text)?;
                for d in decisions {
                    let new = insert.execute(params![
                        d.item,
                        d.person,
                        d.at,
                        d.seconds,
                        d.action.name(),
                        d.label(),
                        match d.action {
                            Action::Skip => None,
                            _ => Some(json(&d.verdicts)?),
                        },
                        d.proposed.as_ref().map(json).transpose()?,
                        d.weights,
                        d.hidden,
                        d.grid,
                        d.key
                    ])?;
                    saved.push(if new > 0 { Saved::New } else { Saved::Already });
                }
            }
            all.commit()?;
            Ok(saved)
        };
        self.here()?;
        let saved = save().map_err(self.fail())?;
        // It may have gone meanwhile.
        self.here()?;
        Ok(saved)
    }

    /// Takes back the last decision of a person that was not taken back, and gives it.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn undo(&self, person: &str) -> Result<Option<Decision>> {
        let undo = || {
            let all = self.connection.unchecked_transaction()?;
            let text = "SELECT id FROM decisions WHERE person = ? AND undone = 0 \
                        AND action != 'auto' ORDER BY id DESC LIMIT 1";
            let last: Option<i64> = all.query_row(text, [person], |row| row.get(0)).optional()?;
            let Some(id) = last else { return Ok(None) };
            let text = format!("{} AND id = ?", self.select());
            let undone = all.query_row(&text, [id], decision)?;
            all.execute("UPDATE decisions SET undone = 1 WHERE id = ?", [id])?;
            all.commit()?;
            Ok(Some(undone))
        };
        self.here()?;
        let undone = undo().map_err(self.fail())?;
        self.here()?;
        Ok(undone)
    }

    /// Every decision that was not taken back, oldest first.
    ///
    /// # Errors
    /// The store is damaged.
    pub fn decisions(&self) -> Result<Vec<Decision>> {
        self.list_with(&format!("{} ORDER BY id", self.select()), [], decision)
    }

    /// Those about one item.
    ///
    /// # Errors
    /// The store is damaged.
    pub fn decisions_of(&self, item: i64) -> Result<Vec<Decision>> {
        self.list_with(&format!("{} AND item = ? ORDER BY id", self.select()), [item], decision)
    }

    /// Every item of which something stands, with the decision by which it does.
    ///
    /// # Errors
    /// The store is damaged.
    pub fn decided(&self) -> Result<Vec<(Item, Decision)>> {
        let decisions = self.decisions()?;
        let mut last = last(&decisions);
        let of = |item: Item| last.remove(&item.id).map(|decision| (item, decision.clone()));
        Ok(self.items()?.into_iter().filter_map(of).collect())
    }

    fn select(&self) -> String {
        let verdicts = if self.version < 2 { "NULL" } else { "verdicts" };
        format!(
            "SELECT item, person, at, seconds, action, label, {verdicts}, proposed, weights, \
             hidden, grid, key FROM decisions WHERE undone = 0"
        )
    }

    /// Adds a round.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn add_round(&self, round: &Round) -> Result<()> {
        let text = "INSERT OR REPLACE INTO rounds VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        let values = params![
            round.round,
            round.run,
            round.weights,
            round.at,
            round.decisions,
            round.accuracy_before,
            round.accuracy,
            round.taken
        ];
        self.here()?;
        self.connection.execute(text, values).map(|_| ()).map_err(self.fail())
    }

    /// Every round, oldest first.
    ///
    /// # Errors
    /// The store is damaged.
    pub fn rounds(&self) -> Result<Vec<Round>> {
        let text = "SELECT round, run, weights, at, decisions, accuracy_before, accuracy, taken \
                    FROM rounds ORDER BY round";
        self.list(text, |row| {
            Ok(Round {
                round: row.get(0)?,
                run: row.get(1)?,
                weights: row.get(2)?,
                at: row.get(3)?,
                decisions: row.get(4)?,
                accuracy_before: row.get(5)?,
                accuracy: row.get(6)?,
                taken: row.get(7)?,
            })
        })
    }

    fn list<T>(
        &self,
        text: &str,
        each: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        self.list_with(text, [], each)
    }

    fn list_with<T>(
        &self,
        text: &str,
        values: impl rusqlite::Params,
        each: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let all = || {
            let mut query = self.connection.prepare(text)?;
            query.query_map(values, each)?.collect::<rusqlite::Result<Vec<T>>>()
        };
        all().map_err(self.fail())
    }
}

fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|why| rusqlite::Error::ToSqlConversionFailure(why.into()))
}

fn decision(row: &Row<'_>) -> rusqlite::Result<Decision> {
    let action: String = row.get(4)?;
    let label: Option<String> = row.get(5)?;
    let verdicts: Option<String> = row.get(6)?;
    let proposed: Option<String> = row.get(7)?;
    let proposed = proposed.and_then(|text| proposal(&text));
    let verdicts = match (verdicts, label) {
        (Some(text), _) => serde_json::from_str(&text)
            .map_err(|why| rusqlite::Error::FromSqlConversionFailure(6, Type::Text, why.into()))?,
        (None, Some(label)) => older_verdicts(&label, proposed.as_ref()),
        (None, None) => Vec::new(),
    };
    Ok(Decision {
        item: row.get(0)?,
        person: row.get(1)?,
        at: row.get(2)?,
        seconds: row.get(3)?,
        action: match &action[..] {
            "label" => Action::Label,
            "skip" => Action::Skip,
            _ => Action::Auto,
        },
        verdicts,
        proposed,
        weights: row.get(8)?,
        hidden: row.get(9)?,
        grid: row.get(10)?,
        key: row.get(11)?,
    })
}

/// A proposal, also as format 1 has it: a list of alternatives, of which one may have a box as
/// `[x, y, width, height]` and is then a slot of its own. `None` where it cannot be read.
fn proposal(text: &str) -> Option<Proposal> {
    #[derive(Deserialize)]
    struct Older {
        #[serde(rename = "box")]
        rectangle: Option<[f32; 4]>,
        label: String,
        score: f32,
    }
    if let Ok(proposal) = serde_json::from_str(text) {
        return Some(proposal);
    }
    let mut proposal = Proposal::default();
    let mut whole = Vec::new();
    for older in serde_json::from_str::<Vec<Older>>(text).ok()? {
        let suggestion = Suggestion::new(older.label, older.score);
        match older.rectangle {
            Some(sides) => proposal.slots.push(Slot {
                at: Some(Region::Box(BoundingBox::from_xywh(sides))),
                ranked: vec![suggestion],
            }),
            None => whole.push(suggestion),
        }
    }
    if !whole.is_empty() {
        proposal.slots.insert(0, Slot { at: None, ranked: whole });
    }
    Some(proposal)
}

/// What a decision of format 1, which was one label, says of each slot: of boxes the first with
/// this label is the one that was chosen.
fn older_verdicts(label: &str, proposed: Option<&Proposal>) -> Vec<Verdict> {
    let answer = crate::suggest::Answer::Label(label.into());
    let slots = proposed.map_or(&[][..], |proposed| &proposed.slots);
    let named = |slot: &Slot| {
        slot.at.is_some() && slot.ranked.first().is_some_and(|best| best.answer == answer)
    };
    let whole = |slot: &Slot| slot.at.is_none();
    let chosen = slots.iter().position(named).or_else(|| slots.iter().position(whole));
    let annotation = |at: Option<Region>| Some(Annotation { at, answer: answer.clone() });
    let mut verdicts: Vec<Verdict> = (slots.iter().enumerate())
        .map(|(place, slot)| Verdict {
            slot: Some(place),
            annotation: (chosen == Some(place)).then(|| annotation(slot.at.clone())).flatten(),
        })
        .collect();
    if chosen.is_none() {
        verdicts.push(Verdict { slot: None, annotation: annotation(None) });
    }
    verdicts
}

/// Whether an item is of the fixed part: by its name and the store's seed alone, so that no
/// order of coming or deciding matters.
fn is_fixed(name: &str, seed: u64) -> bool {
    let mut keys = vec![seed, u64::from_be_bytes(*b"fixed pt")];
    keys.extend(name.as_bytes().chunks(8).map(|part| {
        part.iter().fold(part.len() as u64, |key, &byte| (key << 7) ^ key >> 57 ^ u64::from(byte))
    }));
    SplitMix64::keyed(&keys).below(FIXED) == 0
}
