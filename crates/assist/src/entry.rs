//! One item: its suggestions, what became of it, and who has it in hand.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;
use tenfold_core::annotate::{Annotation, words};
use tenfold_core::store::{Action, Content, Decision, Item};
use tenfold_core::suggest::{Agreement, Proposal, Suggestion};

/// What the weights of imported suggestions are called.
pub const IMPORTED: &str = "import";

/// What `next` goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// As the queue's names are sorted.
    #[default]
    Given,
    /// The smallest lead of the best suggestion over the second first.
    Margin,
    /// The most spread suggestions first.
    Entropy,
    /// The surest suggestions first.
    Confidence,
    /// What is most like the item that was last looked at.
    Similar,
}

/// What is proposed for one item, and by which weights.
#[derive(Clone, Debug)]
pub struct Proposed {
    /// Its slots.
    pub proposal: Arc<Proposal>,
    /// The start of the weights' digest, or what an import says.
    pub weights: Arc<str>,
}

impl Proposed {
    /// The best answer for the item as a whole, where it has no places of its own.
    pub fn best(&self) -> Option<&Suggestion> {
        self.proposal.whole()?.first()
    }

    /// How sure the least sure slot is; 0 where there is none.
    pub fn confidence(&self) -> f32 {
        self.proposal.best().map(|best| best.score).reduce(f32::min).unwrap_or(0.0)
    }
}

#[derive(Clone, Debug)]
struct Lease {
    person: Arc<str>,
    until: Instant,
    /// What the person was shown: weights may change meanwhile.
    shown: Option<Proposed>,
    hidden: bool,
}

/// One item and all that is known of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// As it stands in the store.
    pub item: Item,
    /// Why it cannot be shown.
    pub broken: Option<String>,
    /// What the model, or another system, proposes.
    pub proposed: Option<Proposed>,
    /// Numbers whose directions say what is alike.
    pub embedding: Option<Box<[f32]>>,
    /// The last thing that each person said of it, in the order in which they said it.
    opinions: Vec<(Arc<str>, Vec<Annotation>)>,
    skipped: Vec<Arc<str>>,
    /// What was accepted without a person.
    auto: Option<Vec<Annotation>>,
    /// Whether a person took it out of a page of like items: it is to be looked at by itself.
    pub odd: bool,
    lease: Option<Lease>,
}

/// What a decision about an item may go by: the suggestions as they were shown.
pub struct Standing {
    /// What was shown, where something was.
    pub shown: Option<Proposed>,
    /// Whether it was withheld.
    pub hidden: bool,
}

impl Entry {
    /// An item of which nothing is known yet.
    pub fn new(item: Item) -> Self {
        Self {
            item,
            broken: None,
            proposed: None,
            embedding: None,
            opinions: Vec::new(),
            skipped: Vec::new(),
            auto: None,
            odd: false,
            lease: None,
        }
    }

    /// Takes in a decision that is saved.
    pub fn apply(&mut self, decision: &Decision) {
        let person: Arc<str> = decision.person.as_str().into();
        self.lease = None;
        match (decision.action, decision.annotations()) {
            (Action::Label, Some(annotations)) => {
                self.opinions.retain(|(other, _)| *other != person);
                self.opinions.push((person, annotations));
            }
            (Action::Auto, Some(annotations)) => self.auto = Some(annotations),
            _ => self.skipped.push(person),
        }
    }

    /// Forgets what was decided, and takes in what is left after something was taken back.
    pub fn replay(&mut self, decisions: &[Decision]) {
        self.opinions.clear();
        self.skipped.clear();
        self.auto = None;
        decisions.iter().for_each(|decision| self.apply(decision));
    }

    /// Gives it to a person for a time. What they already see is what they will decide about.
    pub fn lend(&mut self, person: &str, hidden: bool, until: Instant) {
        let own = self.lease.take().filter(|lease| *lease.person == *person);
        let shown = own.and_then(|lease| lease.shown).or_else(|| self.proposed.clone());
        self.lease = Some(Lease { person: person.into(), until, shown, hidden });
    }

    /// Lets a person keep it for longer.
    pub fn renew(&mut self, until: Instant) {
        if let Some(lease) = &mut self.lease {
            lease.until = until;
        }
    }

    /// Takes it back from a person. Whether they had it.
    pub fn give_back(&mut self, person: &str) -> bool {
        self.lease.take_if(|lease| *lease.person == *person).is_some()
    }

    /// Takes in what was proposed. Who holds it without having seen any suggestion will see
    /// these.
    pub fn propose(&mut self, proposed: Proposed) {
        if let Some(lease) = self.lease.as_mut().filter(|lease| lease.shown.is_none()) {
            lease.shown = Some(proposed.clone());
        }
        self.proposed = Some(proposed);
    }

    /// Who has it in hand.
    pub fn held(&self, now: Instant) -> Option<&str> {
        self.lease.as_ref().filter(|lease| lease.until > now).map(|lease| &*lease.person)
    }

    /// What it is, by what people said: the last of them.
    pub fn decided(&self) -> Option<&[Annotation]> {
        self.opinions.last().map(|(_, annotations)| &annotations[..])
    }

    /// What was accepted without a person.
    pub fn auto(&self) -> Option<&[Annotation]> {
        self.auto.as_deref()
    }

    /// Whether what was accepted without a person was right, where one was asked after all.
    pub fn audited(&self, agreement: &Agreement) -> Option<bool> {
        Some(agreement.same(self.auto()?, self.decided()?))
    }

    /// What each person said of it.
    pub fn opinions(&self) -> &[(Arc<str>, Vec<Annotation>)] {
        &self.opinions
    }

    /// Whether this person, or where none is named anybody, would not say what it is.
    pub fn skipped(&self, person: Option<&str>) -> bool {
        self.skipped.iter().any(|other| person.is_none_or(|person| **other == *person))
    }

    /// Whether a person may decide about it now, and by what.
    ///
    /// # Errors
    /// Who has it, or has decided about it meanwhile.
    pub fn standing(&self, person: &str, now: Instant) -> Result<Standing, String> {
        if let Some(holder) = self.held(now).filter(|holder| *holder != person) {
            return Err(format!("`{holder}` has this item in hand"));
        }
        match self.lease.as_ref().filter(|lease| *lease.person == *person) {
            // A lease that ran out while nobody else took the item is as good as before.
            Some(lease) => Ok(Standing {
                shown: lease.shown.clone().or_else(|| self.proposed.clone()),
                hidden: lease.hidden,
            }),
            None => match self.opinions.iter().find(|(other, _)| **other != *person) {
                Some((other, _)) => Err(format!("`{other}` has decided about it meanwhile")),
                None => Ok(Standing { shown: self.proposed.clone(), hidden: false }),
            },
        }
    }

    /// As the page gets it.
    pub fn shown(&self, columns: Option<&[String]>, most: usize) -> Value {
        let lease = self.lease.as_ref();
        let hidden = lease.is_some_and(|lease| lease.hidden);
        let proposed = lease.and_then(|lease| lease.shown.as_ref()).or(self.proposed.as_ref());
        let mut proposal = match proposed {
            Some(proposed) if !hidden => Proposal::clone(&proposed.proposal),
            _ => Proposal::default(),
        };
        proposal.truncate(most);
        let mut shown = json!({
            "id": self.item.id,
            "name": self.item.name,
            "suggestions": proposal.whole().unwrap_or_default(),
            "slots": proposal,
            "hidden": hidden,
            "pending": proposed.is_none() && !hidden && self.broken.is_none(),
            "weights": proposed.map(|proposed| &*proposed.weights),
            "decided": self.decided().map(words),
        });
        match (&self.broken, &self.item.content) {
            (Some(why), _) => {
                shown["kind"] = "broken".into();
                shown["why"] = why.as_str().into();
            }
            (None, Content::Row(row)) => {
                shown["kind"] = "row".into();
                shown["row"] = cells(columns.unwrap_or_default(), row).into();
            }
            (None, Content::Text(text)) => {
                shown["kind"] = "text".into();
                shown["text"] = text.as_str().into();
            }
            (None, Content::File) => {
                // The name under which the first version of the interface has it.
                shown["kind"] = "picture".into();
                shown["picture"] = format!("/v1/items/{}/picture", self.item.id).into();
                shown["image"] = format!("/v1/items/{}/image", self.item.id).into();
            }
        }
        shown
    }

    /// Smaller comes earlier; of several slots the least sure one counts.
    pub fn key(&self, order: Order, near: Option<&[f32]>) -> f64 {
        let score = |all: &[Suggestion], i: usize| all.get(i).map_or(0.0, |s| f64::from(s.score));
        let spread = |all: &[Suggestion]| -> f64 {
            let part = |s: &Suggestion| f64::from(s.score).max(1e-12);
            all.iter().map(|s| part(s) * part(s).ln()).sum()
        };
        let least = |of: &dyn Fn(&[Suggestion]) -> f64| match &self.proposed {
            Some(proposed) if self.broken.is_none() => {
                let slots = proposed.proposal.slots.iter();
                slots.map(|slot| of(&slot.ranked)).reduce(f64::min).unwrap_or(0.0)
            }
            _ => f64::INFINITY,
        };
        match order {
            Order::Given => 0.0,
            Order::Margin => least(&|all| score(all, 0) - score(all, 1)),
            Order::Entropy => least(&spread),
            Order::Confidence => match &self.proposed {
                Some(proposed) if self.broken.is_none() => -f64::from(proposed.confidence()),
                _ => f64::INFINITY,
            },
            Order::Similar => match (near, &self.embedding) {
                (Some(near), Some(own)) => {
                    // Both have length one.
                    -near.iter().zip(own.iter()).map(|(a, b)| f64::from(a * b)).sum::<f64>()
                }
                _ => f64::INFINITY,
            },
        }
    }
}

/// A row as the person knows it: columns that were made of a column of words (`Sex=male`,
/// `Sex=female`) are that column again.
fn cells(columns: &[String], row: &[f64]) -> Vec<Value> {
    let of = |place: usize| columns[place].split_once('=');
    let (mut cells, mut place) = (Vec::new(), 0);
    while place < columns.len().min(row.len()) {
        let name = of(place).map(|(name, _)| name);
        let same = |&other: &usize| name.is_some() && of(other).map(|(name, _)| name) == name;
        let end = place + (place..columns.len().min(row.len())).take_while(same).count();
        let group = &row[place..end];
        let is_one = |value: &f64| *value == 1.0;
        let words = group.len() > 1
            && group.iter().all(|value| is_one(value) || *value == 0.0)
            && group.iter().filter(|value| is_one(value)).count() <= 1;
        match name {
            Some(name) if words => {
                let word = group.iter().position(is_one).and_then(|chosen| of(place + chosen));
                let word = word.map_or("–", |(_, word)| word);
                cells.push(json!({"name": name, "value": word}));
                place = end;
            }
            _ => {
                cells.push(json!({"name": columns[place], "value": row[place].to_string()}));
                place += 1;
            }
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_words_are_one_column_again() {
        let columns = ["age", "sex=female", "sex=male", "a=b", "deck=A", "deck=B"];
        let columns = columns.map(String::from);
        let shown = |row: &[f64]| {
            let pair = |cell: Value| format!("{}: {}", cell["name"], cell["value"]);
            cells(&columns, row)
                .into_iter()
                .map(pair)
                .collect::<Vec<_>>()
                .join(" ")
                .replace('"', "")
        };
        assert_eq!(shown(&[22.5, 0.0, 1.0, 3.0, 0.0, 0.0]), "age: 22.5 sex: male a=b: 3 deck: –");
        // What is no choice of one word is shown as it is.
        let other = shown(&[1.0, 0.5, 0.5, 1.0, 1.0, 1.0]);
        assert_eq!(other, "age: 1 sex=female: 0.5 sex=male: 0.5 a=b: 1 deck=A: 1 deck=B: 1");
    }
}
