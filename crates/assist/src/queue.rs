//! What is to be decided, in memory: each item's suggestions, what became of it, and who has
//! it in hand. The store on the disk has all of this but the leases, which end with the
//! program.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tenfold_core::calibrate::evidence_against;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::store::{Action, Decision, Item};
use tenfold_core::suggest::Suggestion;

/// People after whom a shared item needs no further opinion.
const OPINIONS: usize = 2;

/// The evidence at which an audit ends the automation: wrongly in one of 20 cases at most, even
/// though it looks after every decision.
const ENOUGH: f64 = 20.0;

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

/// The suggestions for one item, and by which weights.
#[derive(Clone, Debug)]
pub struct Proposed {
    /// Best first.
    pub suggestions: Arc<[Suggestion]>,
    /// The start of the weights' digest, or what an import says.
    pub weights: Arc<str>,
}

impl Proposed {
    fn best(&self) -> Option<&Suggestion> {
        self.suggestions.first()
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
    /// What people said, one line a person, the last thing each said; then the last of all.
    opinions: Vec<(Arc<str>, String)>,
    label: Option<String>,
    skipped: Vec<Arc<str>>,
    /// What was accepted without a person.
    auto: Option<String>,
    /// Whether that was right, where a person was asked.
    audited: Option<bool>,
    /// Whether a person took it out of a page of like items: it is to be looked at by itself.
    odd: bool,
    lease: Option<Lease>,
}

/// How much of what is asked twice, by lots that follow from an item's number alone.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    /// The part of all items that two people are asked about.
    pub shared: f64,
    /// The part of the items accepted without a person that a person is asked about.
    pub audit: f64,
}

/// How many items are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub items: usize,
    pub open: usize,
    pub leased: usize,
    pub decided: usize,
    pub automatic: usize,
    pub skipped: usize,
    pub broken: usize,
    pub suggested: usize,
}

/// How the items fare that were accepted without a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Accepted, those that were asked about included.
    pub accepted: usize,
    /// Asked about.
    pub audited: usize,
    /// Of those, wrong.
    pub audit_errors: usize,
}

impl Audit {
    /// Whether more was wrong than the promised part, beyond chance.
    pub fn breaks(&self, risk: f64) -> bool {
        evidence_against(risk, self.audit_errors, self.audited) >= ENOUGH
    }
}

/// Every item.
pub struct Queue {
    entries: Vec<Entry>,
    places: HashMap<i64, usize>,
    shares: Shares,
    /// How long an item stays with a person who does nothing.
    lease: Duration,
    /// Whether acceptance without a person has ended, and what was so accepted is open again.
    pub suspended: bool,
}

impl Queue {
    /// The items with what was decided about them.
    pub fn new(items: Vec<Item>, decisions: &[Decision], shares: Shares, lease: Duration) -> Self {
        let entry = |item| Entry {
            item,
            broken: None,
            proposed: None,
            embedding: None,
            opinions: Vec::new(),
            label: None,
            skipped: Vec::new(),
            auto: None,
            audited: None,
            odd: false,
            lease: None,
        };
        let entries: Vec<Entry> = items.into_iter().map(entry).collect();
        let places = entries.iter().enumerate().map(|(i, e)| (e.item.id, i)).collect();
        let mut queue = Self { entries, places, shares, lease, suspended: false };
        for decision in decisions {
            queue.apply(decision);
        }
        queue
    }

    /// Every entry.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of an item.
    pub fn get(&self, item: i64) -> Option<&Entry> {
        self.places.get(&item).map(|&place| &self.entries[place])
    }

    /// The entry of an item, to be changed.
    pub fn get_mut(&mut self, item: i64) -> Option<&mut Entry> {
        self.places.get(&item).map(|&place| &mut self.entries[place])
    }

    /// Takes in a decision that is saved.
    pub fn apply(&mut self, decision: &Decision) {
        let Some(entry) = self.get_mut(decision.item) else { return };
        let person: Arc<str> = decision.person.as_str().into();
        entry.lease = None;
        match (decision.action, &decision.label) {
            (Action::Label, Some(label)) => {
                entry.opinions.retain(|(other, _)| *other != person);
                entry.opinions.push((person, label.clone()));
                entry.label = Some(label.clone());
                if let Some(auto) = &entry.auto {
                    entry.audited = Some(auto == label);
                }
            }
            (Action::Auto, Some(label)) => entry.auto = Some(label.clone()),
            _ => entry.skipped.push(person),
        }
    }

    /// Forgets what was decided about an item and takes in what is left after something was
    /// taken back.
    pub fn replay(&mut self, item: i64, decisions: &[Decision]) {
        let Some(entry) = self.get_mut(item) else { return };
        entry.opinions.clear();
        entry.skipped.clear();
        (entry.label, entry.auto, entry.audited) = (None, None, None);
        decisions.iter().for_each(|decision| self.apply(decision));
    }

    /// The state of the whole.
    pub fn counts(&self, now: Instant) -> Counts {
        let mut counts = Counts { items: self.entries.len(), ..Counts::default() };
        for entry in &self.entries {
            counts.suggested += usize::from(entry.proposed.is_some());
            counts.leased += usize::from(entry.held(now).is_some());
            match self.settled(entry) {
                Some(by_person) if by_person => counts.decided += 1,
                Some(_) => counts.automatic += 1,
                None => {
                    counts.broken += usize::from(entry.broken.is_some());
                    counts.skipped += usize::from(!entry.skipped.is_empty());
                    counts.open += 1;
                }
            }
        }
        counts
    }

    /// How the automation fares.
    pub fn audit(&self) -> Audit {
        let mut audit = Audit::default();
        for entry in self.entries.iter().filter(|entry| entry.auto.is_some()) {
            audit.accepted += 1;
            audit.audited += usize::from(entry.audited.is_some());
            audit.audit_errors += usize::from(entry.audited == Some(false));
        }
        audit
    }

    /// Whether an item needs nobody any more, and whether a person said so.
    fn settled(&self, entry: &Entry) -> Option<bool> {
        match (&entry.label, &entry.auto) {
            (Some(_), _) => Some(true),
            (None, Some(_)) if !self.suspended => Some(false),
            _ => None,
        }
    }

    /// Whether this person can be asked about an item.
    fn wants(&self, entry: &Entry, person: &str, now: Instant) -> bool {
        if entry.held(now).is_some_and(|holder| holder != person)
            || entry.skipped.iter().any(|other| **other == *person)
        {
            return false;
        }
        match self.settled(entry) {
            None => true,
            Some(false) => lot(entry.item.id, "audit", self.shares.audit),
            Some(true) => {
                lot(entry.item.id, "shared", self.shares.shared)
                    && entry.opinions.len() < OPINIONS
                    && entry.opinions.iter().all(|(other, _)| **other != *person)
            }
        }
    }

    /// Hands a person items until they hold `count`: those they hold already and do not
    /// name in `have` first. Their leases are renewed.
    pub fn next(&mut self, ask: &Ask<'_>, now: Instant) -> Vec<usize> {
        let mut held = Vec::new();
        for place in 0..self.entries.len() {
            if self.entries[place].held(now) == Some(ask.person) {
                let hidden = self.entries[place].lease.as_ref().is_some_and(|l| l.hidden);
                self.take(place, ask.person, hidden, now);
                held.push(place);
            }
        }
        let known = |place: &usize| ask.have.contains(&self.entries[*place].item.id);
        let kept = held.iter().filter(|place| known(place)).count();
        let mut given: Vec<usize> = held.into_iter().filter(|place| !known(place)).collect();
        let wanted = ask.count.saturating_sub(kept);
        given.truncate(wanted);
        let near = ask.near.and_then(|item| self.get(item)?.embedding.clone());
        let mut found: Vec<(f64, usize)> = Vec::new();
        for (place, entry) in self.entries.iter().enumerate() {
            if entry.held(now).is_none() && self.wants(entry, ask.person, now) {
                found.push((entry.key(ask.order, near.as_deref()), place));
            }
        }
        let wanted = wanted - given.len();
        let before = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        if found.len() > wanted && wanted > 0 {
            found.select_nth_unstable_by(wanted - 1, before);
        }
        found.truncate(wanted);
        found.sort_by(before);
        for (_, place) in found {
            self.take(place, ask.person, ask.hide, now);
            given.push(place);
        }
        given
    }

    /// Items with the same best suggestion, surest first; of the most frequent one where none
    /// is asked for. With it, how many there are of each.
    pub fn alike(
        &mut self,
        person: &str,
        count: usize,
        label: Option<&str>,
        now: Instant,
    ) -> (Option<String>, Vec<usize>, BTreeMap<String, usize>) {
        let mut groups: BTreeMap<String, Vec<(f32, usize)>> = BTreeMap::new();
        for (place, entry) in self.entries.iter().enumerate() {
            let best = entry.proposed.as_ref().and_then(Proposed::best);
            if let Some(best) = best
                && entry.broken.is_none()
                && !entry.odd
                && entry.held(now).is_none_or(|holder| holder == person)
                && self.wants(entry, person, now)
            {
                groups.entry(best.label.clone()).or_default().push((best.score, place));
            }
        }
        let sizes = groups.iter().map(|(label, group)| (label.clone(), group.len())).collect();
        let most = groups.iter().max_by_key(|(_, group)| group.len());
        let label = label.map(str::to_owned).or_else(|| most.map(|(label, _)| label.clone()));
        let mut group = label.as_ref().and_then(|label| groups.remove(label)).unwrap_or_default();
        group.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let places: Vec<usize> = group.into_iter().take(count).map(|(_, place)| place).collect();
        for &place in &places {
            self.take(place, person, false, now);
        }
        (label, places, sizes)
    }

    /// Gives an item that was taken back to the person who had it.
    pub fn hand(&mut self, item: i64, person: &str, hidden: bool, now: Instant) -> Option<usize> {
        let place = *self.places.get(&item)?;
        self.take(place, person, hidden, now);
        Some(place)
    }

    fn take(&mut self, place: usize, person: &str, hidden: bool, now: Instant) {
        let until = now + self.lease;
        let entry = &mut self.entries[place];
        let shown = match entry.lease.take() {
            // What the person already sees is what they will decide about.
            Some(lease) if *lease.person == *person => lease.shown,
            _ => None,
        };
        let shown = shown.or_else(|| entry.proposed.clone());
        entry.lease = Some(Lease { person: person.into(), until, shown, hidden });
    }

    /// Gives items back that a person does not want to decide now; `odd` ones were taken out of
    /// a page of like items, and will not be in another.
    pub fn release(&mut self, person: &str, items: &[i64], odd: bool) -> usize {
        let mut released = 0;
        for &item in items {
            if let Some(entry) = self.get_mut(item)
                && entry.lease.as_ref().is_some_and(|lease| *lease.person == *person)
            {
                entry.lease = None;
                entry.odd |= odd;
                released += 1;
            }
        }
        released
    }

    /// Whether anything is left that this person, or anybody, can be asked about.
    pub fn left(&self, person: &str, now: Instant) -> usize {
        self.entries.iter().filter(|entry| self.wants(entry, person, now)).count()
    }

    /// Up to `most` items that lack suggestions by `weights`, those in people's hands first.
    /// Imported suggestions stay.
    pub fn unproposed(&self, weights: &str, most: usize, now: Instant) -> Vec<Item> {
        let lacks = |entry: &&Entry| {
            entry.broken.is_none()
                && self.settled(entry).is_none()
                && entry
                    .proposed
                    .as_ref()
                    .is_none_or(|p| *p.weights != *weights && !p.weights.starts_with(IMPORTED))
        };
        let mut found: Vec<Item> = Vec::new();
        let in_hand = |entry: &&Entry| entry.held(now).is_some();
        for entry in self.entries.iter().filter(in_hand).filter(lacks).take(most) {
            found.push(entry.item.clone());
        }
        let rest = self.entries.iter().filter(|entry| !in_hand(entry)).filter(lacks);
        found.extend(rest.take(most - found.len()).map(|entry| entry.item.clone()));
        found
    }

    /// Up to `most` items without an embedding.
    pub fn unembedded(&self, most: usize) -> Vec<Item> {
        let lacks = |entry: &&Entry| entry.broken.is_none() && entry.embedding.is_none();
        self.entries.iter().filter(lacks).take(most).map(|entry| entry.item.clone()).collect()
    }

    /// Forgets the embeddings: those of other weights lie in other directions.
    pub fn forget_embeddings(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.embedding = None);
    }

    /// Takes in what was proposed for an item. Who holds it without having seen any
    /// suggestion will see these.
    pub fn propose(&mut self, item: i64, proposed: Proposed) {
        if let Some(entry) = self.get_mut(item) {
            if let Some(lease) = entry.lease.as_mut().filter(|lease| lease.shown.is_none()) {
                lease.shown = Some(proposed.clone());
            }
            entry.proposed = Some(proposed);
        }
    }

    /// The items whose best suggestion by `weights` is at least so sure, that nobody has
    /// looked at, and that are not needed to measure by.
    pub fn sure(&self, weights: &str, threshold: f32, now: Instant) -> Vec<(i64, Proposed)> {
        let sure = |entry: &&Entry| {
            !entry.item.fixed
                && entry.auto.is_none()
                && entry.label.is_none()
                && entry.skipped.is_empty()
                && entry.broken.is_none()
                && entry.held(now).is_none()
        };
        let of = |entry: &Entry| {
            let proposed = entry.proposed.as_ref().filter(|p| *p.weights == *weights)?;
            (proposed.best()?.score >= threshold).then(|| (entry.item.id, proposed.clone()))
        };
        self.entries.iter().filter(sure).filter_map(of).collect()
    }

    /// Items of the fixed part that a person has decided, with what they are.
    pub fn fixed(&self) -> Vec<(Item, String)> {
        let of = |entry: &Entry| {
            let label = entry.label.clone().filter(|_| entry.item.fixed)?;
            Some((entry.item.clone(), label))
        };
        self.entries.iter().filter_map(of).collect()
    }

    /// Items outside the fixed part that people have given a label to.
    pub fn to_train_on(&self) -> usize {
        self.entries.iter().filter(|entry| !entry.item.fixed && entry.label.is_some()).count()
    }

    /// What is known of the fixed part.
    pub fn fixed_decided(&self) -> usize {
        self.entries.iter().filter(|entry| entry.item.fixed && entry.label.is_some()).count()
    }

    /// The place of an item.
    pub fn place(&self, item: i64) -> Option<usize> {
        self.places.get(&item).copied()
    }

    /// An item as the page gets it.
    pub fn shown(&self, place: usize, columns: Option<&[String]>, most: usize) -> Value {
        let entry = &self.entries[place];
        let lease = entry.lease.as_ref();
        let hidden = lease.is_some_and(|lease| lease.hidden);
        let proposed = lease.and_then(|lease| lease.shown.as_ref()).or(entry.proposed.as_ref());
        let suggestions: &[Suggestion] = match proposed {
            Some(proposed) if !hidden => &proposed.suggestions,
            _ => &[],
        };
        let mut shown = json!({
            "id": entry.item.id,
            "name": entry.item.name,
            "suggestions": &suggestions[..suggestions.len().min(most)],
            "hidden": hidden,
            "pending": proposed.is_none() && !hidden && entry.broken.is_none(),
            "weights": proposed.map(|proposed| &*proposed.weights),
            "decided": entry.label,
        });
        match (&entry.broken, &entry.item.row, columns) {
            (Some(why), _, _) => {
                shown["kind"] = "broken".into();
                shown["why"] = why.as_str().into();
            }
            (None, Some(row), Some(columns)) => {
                let cell = |(name, value): (&String, &f32)| json!({"name": name, "value": value.to_string()});
                shown["kind"] = "row".into();
                shown["row"] = columns.iter().zip(row).map(cell).collect();
            }
            _ => {
                shown["kind"] = "picture".into();
                shown["picture"] = format!("/v1/items/{}/picture", entry.item.id).into();
            }
        }
        shown
    }
}

/// What the weights of imported suggestions are called.
pub const IMPORTED: &str = "import";

/// What a person asks for.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "see `POST /v1/next`")]
pub struct Ask<'a> {
    pub person: &'a str,
    pub count: usize,
    pub have: &'a [i64],
    pub order: Order,
    pub near: Option<i64>,
    pub hide: bool,
}

/// What a decision about an item may go by: the suggestions as they were shown.
pub struct Standing {
    /// What was shown, where something was.
    pub shown: Option<Proposed>,
    /// Whether it was withheld.
    pub hidden: bool,
}

impl Entry {
    /// Who has it in hand.
    pub fn held(&self, now: Instant) -> Option<&str> {
        self.lease.as_ref().filter(|lease| lease.until > now).map(|lease| &*lease.person)
    }

    /// What it is, by what people said.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
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

    /// Smaller comes earlier.
    fn key(&self, order: Order, near: Option<&[f32]>) -> f64 {
        let scores = |f: &dyn Fn(&[Suggestion]) -> f64| match &self.proposed {
            Some(proposed) if self.broken.is_none() => f(&proposed.suggestions),
            _ => f64::INFINITY,
        };
        let score = |all: &[Suggestion], i: usize| all.get(i).map_or(0.0, |s| f64::from(s.score));
        match order {
            Order::Given => 0.0,
            Order::Margin => scores(&|all| score(all, 0) - score(all, 1)),
            Order::Confidence => scores(&|all| -score(all, 0)),
            Order::Entropy => scores(&|all| {
                let part = |s: &Suggestion| f64::from(s.score).max(1e-12);
                all.iter().map(|s| part(s) * part(s).ln()).sum()
            }),
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

/// Whether an item is among a part of all, by lots for one purpose.
fn lot(item: i64, purpose: &str, part: f64) -> bool {
    let mut key = [0; 8];
    key[..purpose.len().min(8)].copy_from_slice(&purpose.as_bytes()[..purpose.len().min(8)]);
    let mut random = SplitMix64::keyed(&[item as u64, u64::from_be_bytes(key)]);
    f64::from(random.between(0.0, 1.0)) < part
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
