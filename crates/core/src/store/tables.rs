//! What stands in a store's tables, in and out.

use super::{FIXED, MOST_FIXED, Store};
use crate::data::random::SplitMix64;
use crate::suggest::Suggestion;
use crate::{Error, Result};
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Something to be decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its number in the store.
    pub id: i64,
    /// A picture's path below the queue's folder, or a row's number.
    pub name: String,
    /// Whether it is of the fixed part, which is never trained on.
    pub fixed: bool,
    /// A row's numbers, in the order of the columns.
    pub row: Option<Vec<f32>>,
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
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// What it is, where that was said.
    pub label: Option<String>,
    /// What was suggested: JSON, as the person saw it.
    pub proposed: Option<String>,
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
    /// Whether the best suggestion was what the person said.
    pub fn confirmed(&self) -> bool {
        !self.hidden && self.label.is_some() && self.label == self.best().map(|best| best.label)
    }

    /// The best suggestion.
    pub fn best(&self) -> Option<Suggestion> {
        let proposed: Vec<Suggestion> = serde_json::from_str(self.proposed.as_ref()?).ok()?;
        proposed.into_iter().next()
    }
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

/// One suggestion list a line of `suggestions`: item, weights, JSON.
pub type Proposal = (i64, String, String);

impl Store {
    /// Adds the items that are new, by their names; rows with their numbers.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn add_items<'a>(
        &self,
        items: impl Iterator<Item = (&'a str, Option<&'a [f32]>)>,
    ) -> Result<()> {
        let seed = self.origin.seed;
        let add = || {
            let all = self.connection.unchecked_transaction()?;
            {
                let count = "SELECT count(*) FROM items WHERE fixed = 1";
                let fixed: i64 = all.query_row(count, [], |row| row.get(0))?;
                let mut fixed = fixed as usize;
                let text = "INSERT OR IGNORE INTO items(name, fixed, row) VALUES (?, ?, ?)";
                let mut insert = all.prepare(text)?;
                for (name, row) in items {
                    let row = row.map(|row| serde_json::json!(row).to_string());
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
            let row_of = |text: &String| serde_json::from_str(text).ok();
            Ok(Item {
                id: row.get(0)?,
                name: row.get(1)?,
                fixed: row.get(2)?,
                row: text.as_ref().and_then(row_of),
            })
        })
    }

    /// Adds a label where it is new. Whether it was.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn add_label(&self, name: &str, person: Option<&str>) -> Result<bool> {
        let text = "INSERT OR IGNORE INTO labels(name, person, at) VALUES (?, ?, ?)";
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

    /// Keeps what was suggested for some items, in the place of what was before.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn suggest(&self, proposals: &[Proposal]) -> Result<()> {
        let keep = || {
            let all = self.connection.unchecked_transaction()?;
            {
                let text = "INSERT OR REPLACE INTO suggestions VALUES (?, ?, ?)";
                let mut insert = all.prepare(text)?;
                for (item, weights, suggestions) in proposals {
                    insert.execute(params![item, weights, suggestions])?;
                }
            }
            all.commit()
        };
        keep().map_err(self.fail())
    }

    /// What was suggested for each item.
    ///
    /// # Errors
    /// The store is damaged.
    pub fn suggestions(&self) -> Result<Vec<Proposal>> {
        self.list("SELECT item, weights, suggestions FROM suggestions", |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
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
                            proposed, weights, hidden, grid, key) \
                            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(key) DO NOTHING";
                let mut insert = all.prepare(text)?;
                for d in decisions {
                    let new = insert.execute(params![
                        d.item,
                        d.person,
                        d.at,
                        d.seconds,
                        d.action.name(),
                        d.label,
                        d.proposed,
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
        save().map_err(self.fail())
    }

    /// Takes back the last decision of a person that was not taken back: its item, and whether
    /// suggestions were withheld.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn undo(&self, person: &str) -> Result<Option<(i64, bool)>> {
        let undo = || {
            let all = self.connection.unchecked_transaction()?;
            let text = "SELECT id, item, hidden FROM decisions WHERE person = ? AND undone = 0 \
                        AND action != 'auto' ORDER BY id DESC LIMIT 1";
            let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            let last: Option<(i64, i64, bool)> = all.query_row(text, [person], read).optional()?;
            if let Some((id, ..)) = last {
                all.execute("UPDATE decisions SET undone = 1 WHERE id = ?", [id])?;
            }
            all.commit()?;
            Ok(last.map(|(_, item, hidden)| (item, hidden)))
        };
        undo().map_err(self.fail())
    }

    /// Every decision that was not taken back, oldest first.
    ///
    /// # Errors
    /// The store is damaged.
    pub fn decisions(&self) -> Result<Vec<Decision>> {
        self.list_with(&format!("{DECISIONS} ORDER BY id"), [], decision)
    }

    /// Those about one item.
    ///
    /// # Errors
    /// The store is damaged.
    pub fn decisions_of(&self, item: i64) -> Result<Vec<Decision>> {
        self.list_with(&format!("{DECISIONS} AND item = ? ORDER BY id"), [item], decision)
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

    /// The path of a picture among the items, which lies below the queue's folder.
    ///
    /// # Errors
    /// A name that leads out of the folder, a link on the way, or what is no file: a store
    /// may come from others.
    pub fn picture(queue: &Path, name: &str) -> Result<std::path::PathBuf> {
        use std::path::Component;
        let refused = |why: &str| Error::file(queue.join(name), why);
        let mut path = queue.to_path_buf();
        for part in Path::new(name).components() {
            let Component::Normal(part) = part else {
                return Err(refused("leads out of the queue's folder"));
            };
            path.push(part);
            let about = std::fs::symlink_metadata(&path);
            if about.map_err(|source| Error::io(&path, source))?.is_symlink() {
                return Err(refused("a link: only files of the queue's folder are read"));
            }
        }
        match path.is_file() {
            true => Ok(path),
            false => Err(refused("not a file")),
        }
    }
}

const DECISIONS: &str = "SELECT item, person, at, seconds, action, label, proposed, weights, \
                         hidden, grid, key FROM decisions WHERE undone = 0";

fn decision(row: &Row<'_>) -> rusqlite::Result<Decision> {
    let action: String = row.get(4)?;
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
        label: row.get(5)?,
        proposed: row.get(6)?,
        weights: row.get(7)?,
        hidden: row.get(8)?,
        grid: row.get(9)?,
        key: row.get(10)?,
    })
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
