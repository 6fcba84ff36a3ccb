//! All that is to be decided, in memory: who gets what next, what is alike, what needs nobody.
//! The store on the disk has all of this but the leases, which end with the program.

use crate::entry::{Entry, IMPORTED, Order, Proposed};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};
use tenfold_core::annotate::Annotation;
use tenfold_core::calibrate::evidence_against;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::store::{Decision, Item};
use tenfold_core::suggest::Agreement;

/// People after whom a shared item needs no further opinion.
const OPINIONS: usize = 2;

/// The evidence at which an audit ends the automation: wrongly in one of 20 cases at most, even
/// though it looks after every decision.
const ENOUGH: f64 = 20.0;

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
    /// How far two answers are the same.
    pub agreement: Agreement,
    /// How long an item stays with a person who does nothing.
    lease: Duration,
    /// Whether acceptance without a person has ended, and what was so accepted is open again.
    pub suspended: bool,
}

impl Queue {
    /// The items with what was decided about them.
    pub fn new(items: Vec<Item>, decisions: &[Decision], shares: Shares, lease: Duration) -> Self {
        let entries: Vec<Entry> = items.into_iter().map(Entry::new).collect();
        let places = entries.iter().enumerate().map(|(i, e)| (e.item.id, i)).collect();
        let agreement = Agreement::default();
        let mut queue = Self { entries, places, shares, agreement, lease, suspended: false };
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
        if let Some(entry) = self.get_mut(decision.item) {
            entry.apply(decision);
        }
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
                    counts.skipped += usize::from(entry.skipped(None));
                    counts.open += 1;
                }
            }
        }
        counts
    }

    /// How the automation fares.
    pub fn audit(&self) -> Audit {
        let mut audit = Audit::default();
        for entry in self.entries.iter().filter(|entry| entry.auto().is_some()) {
            audit.accepted += 1;
            let right = entry.audited(&self.agreement);
            audit.audited += usize::from(right.is_some());
            audit.audit_errors += usize::from(right == Some(false));
        }
        audit
    }

    /// Whether an item needs nobody any more, and whether a person said so.
    fn settled(&self, entry: &Entry) -> Option<bool> {
        match (entry.decided(), entry.auto()) {
            (Some(_), _) => Some(true),
            (None, Some(_)) if !self.suspended => Some(false),
            _ => None,
        }
    }

    /// Whether this person can be asked about an item.
    fn wants(&self, entry: &Entry, person: &str, now: Instant) -> bool {
        if entry.held(now).is_some_and(|holder| holder != person) || entry.skipped(Some(person)) {
            return false;
        }
        match self.settled(entry) {
            None => true,
            Some(false) => lot(entry.item.id, *b"to audit", self.shares.audit),
            Some(true) => {
                lot(entry.item.id, *b"for both", self.shares.shared)
                    && entry.opinions().len() < OPINIONS
                    && entry.opinions().iter().all(|(other, _)| **other != *person)
            }
        }
    }

    /// Hands a person items until they hold `count`: those they hold already and do not
    /// name in `have` first. Their leases are renewed.
    pub fn next(&mut self, ask: &Ask<'_>, now: Instant) -> Vec<usize> {
        let until = now + self.lease;
        let mut held = Vec::new();
        for (place, entry) in self.entries.iter_mut().enumerate() {
            if entry.held(now) == Some(ask.person) {
                entry.renew(until);
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
            self.entries[place].lend(ask.person, ask.hide, until);
            given.push(place);
        }
        given
    }

    /// Items with the same best label, or set of labels, surest first; of the most frequent one
    /// where none is asked for. With it, how many there are of each.
    pub fn alike(
        &mut self,
        person: &str,
        count: usize,
        label: Option<&str>,
        now: Instant,
    ) -> (Option<String>, Vec<usize>, BTreeMap<String, usize>) {
        let mut groups: BTreeMap<String, Vec<(f32, usize)>> = BTreeMap::new();
        for (place, entry) in self.entries.iter().enumerate() {
            if let Some(proposed) = &entry.proposed
                && let Some(group) = proposed.proposal.group()
                && entry.broken.is_none()
                && !entry.odd
                && entry.held(now).is_none_or(|holder| holder == person)
                && self.wants(entry, person, now)
            {
                groups.entry(group).or_default().push((proposed.confidence(), place));
            }
        }
        let sizes = groups.iter().map(|(label, group)| (label.clone(), group.len())).collect();
        let most = groups.iter().max_by_key(|(_, group)| group.len());
        let label = label.map(str::to_owned).or_else(|| most.map(|(label, _)| label.clone()));
        let mut group = label.as_ref().and_then(|label| groups.remove(label)).unwrap_or_default();
        group.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let places: Vec<usize> = group.into_iter().take(count).map(|(_, place)| place).collect();
        for &place in &places {
            self.entries[place].lend(person, false, now + self.lease);
        }
        (label, places, sizes)
    }

    /// After a decision was taken back: what is left about its item, which goes to the person
    /// who had it. Its place.
    pub fn undo(
        &mut self,
        (item, decisions): (i64, &[Decision]),
        (person, hidden): (&str, bool),
        now: Instant,
    ) -> Option<usize> {
        let until = now + self.lease;
        let place = *self.places.get(&item)?;
        let entry = &mut self.entries[place];
        entry.replay(decisions);
        entry.lend(person, hidden, until);
        Some(place)
    }

    /// Gives items back that a person does not want to decide now; `odd` ones were taken out of
    /// a page of like items, and will not be in another.
    pub fn release(&mut self, person: &str, items: &[i64], odd: bool) -> usize {
        let mut released = 0;
        for &item in items {
            if let Some(entry) = self.get_mut(item)
                && entry.give_back(person)
            {
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

    /// Whether an item has suggestions of another system.
    pub fn imported(&self, item: i64) -> bool {
        let entry = self.places.get(&item).map(|&place| &self.entries[place]);
        let proposed = entry.and_then(|entry| entry.proposed.as_ref());
        proposed.is_some_and(|proposed| proposed.weights.starts_with(IMPORTED))
    }

    /// Takes in what was proposed for an item.
    pub fn propose(&mut self, item: i64, proposed: Proposed) {
        if let Some(entry) = self.get_mut(item) {
            entry.propose(proposed);
        }
    }

    /// The items whose best suggestion by `weights` is at least so sure, that nobody has
    /// looked at, and that are not needed to measure by.
    pub fn sure(&self, weights: &str, threshold: f32, now: Instant) -> Vec<(i64, Proposed)> {
        let sure = |entry: &&Entry| {
            !entry.item.fixed
                && entry.auto().is_none()
                && entry.decided().is_none()
                && !entry.skipped(None)
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
    pub fn fixed(&self) -> Vec<(Item, Vec<Annotation>)> {
        let of = |entry: &Entry| {
            let decided = entry.decided().filter(|_| entry.item.fixed)?;
            Some((entry.item.clone(), decided.to_vec()))
        };
        self.entries.iter().filter_map(of).collect()
    }

    /// Items outside the fixed part that people have decided.
    pub fn to_train_on(&self) -> usize {
        self.entries.iter().filter(|entry| !entry.item.fixed && entry.decided().is_some()).count()
    }

    /// What is known of the fixed part.
    pub fn fixed_decided(&self) -> usize {
        self.entries.iter().filter(|entry| entry.item.fixed && entry.decided().is_some()).count()
    }
}

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

/// Whether an item is among a part of all, by lots for one purpose.
fn lot(item: i64, purpose: [u8; 8], part: f64) -> bool {
    let mut random = SplitMix64::keyed(&[item as u64, u64::from_be_bytes(purpose)]);
    f64::from(random.unit()) < part
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
