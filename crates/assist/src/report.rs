//! What confirming saved: how fast people were, how often the first suggestion was right, how
//! far they agree, and how accuracy rose.

use crate::queue::Audit;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use tenfold_core::Result;
use tenfold_core::annotate::{Annotation, Change};
use tenfold_core::store::{Action, Decision, Store, last};
use tenfold_core::suggest::{self, Answer};

/// As `report --json` and `GET /v1/report` have it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What people decided, skips left out; what was taken back does not count.
    pub decisions: usize,
    /// Decisions a minute, over the time in which people looked at items with suggestions.
    pub decisions_per_minute: Option<f64>,
    /// The same with what needed no person.
    pub labels_per_minute: Option<f64>,
    /// The part of the decisions that left everything as it was proposed.
    pub confirmed_share: Option<f64>,
    /// What became of the places that were proposed, where decisions are about such.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub places: BTreeMap<Change, usize>,
    /// Seconds a decision.
    pub seconds: Seconds,
    /// What suggestions saved, where decisions without them were measured.
    pub saved: Saved,
    /// Person by person.
    pub persons: Vec<Person>,
    /// Whether people who were asked the same gave the same answer.
    pub agreement: Agreement,
    /// What was accepted without a person.
    pub automatic: Audit,
    /// The learning curve.
    pub rounds: Vec<Accuracy>,
    /// How often each label stands, by the last decision about each item.
    pub labels: Vec<Count>,
    /// What `GET /v1/export` has.
    pub formats: Vec<&'static str>,
}

/// See [`Report::seconds`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seconds {
    /// Where everything was as proposed.
    pub confirmed: Option<Times>,
    /// Where something else was.
    pub corrected: Option<Times>,
    /// Where suggestions were withheld.
    pub from_nothing: Option<Times>,
}

/// How long decisions took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Times {
    pub median: f64,
    pub mean: f64,
    pub count: usize,
}

/// See [`Report::saved`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Saved {
    /// Labels a minute with suggestions, and with what needed no person, in units of those
    /// from nothing.
    pub speedup: Option<f64>,
    /// Minutes that the labels would have taken beyond those they took.
    pub minutes: Option<f64>,
}

/// See [`Report::persons`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Person {
    pub person: String,
    pub decisions: usize,
    pub confirmed_share: Option<f64>,
    pub seconds_median: Option<f64>,
}

/// See [`Report::agreement`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// Items about which two people were asked.
    pub items: usize,
    /// How far both said the same, on average: 1 or 0 for one answer, the Dice coefficient of
    /// sets.
    pub share: Option<f64>,
    /// Cohen's kappa: the same beyond what chance would give, 1 at most; of labels alone.
    pub kappa: Option<f64>,
}

/// See [`Report::rounds`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Accuracy {
    /// 0 for the weights at the start.
    pub round: i64,
    /// Decisions that it was trained on.
    pub decisions: i64,
    /// On what was decided of the fixed part by then.
    pub accuracy: Option<f64>,
    /// Whether its weights were put in place.
    pub taken: bool,
}

/// See [`Report::labels`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Count {
    pub label: String,
    pub count: usize,
}

impl Report {
    /// Reads a store.
    ///
    /// # Errors
    /// It is damaged.
    pub fn of(store: &Store) -> Result<Self> {
        let all = store.decisions()?;
        let by_people: Vec<&Decision> = all.iter().filter(|d| d.action == Action::Label).collect();
        let assisted: Vec<&Decision> = by_people.iter().copied().filter(|d| !d.hidden).collect();
        let seconds = seconds(&by_people);
        let rule = store.origin().agreement;
        let automatic = automatic(&rule, &all);
        let spent: f64 = assisted.iter().filter_map(|d| d.seconds).sum();
        let timed = assisted.iter().filter(|d| d.seconds.is_some()).count();
        let a_minute = |count: usize| (spent > 0.0).then(|| count as f64 / spent * 60.0);
        let alone = automatic.accepted - automatic.audited;
        let labels_per_minute = a_minute(timed + alone);
        let from_nothing = seconds.from_nothing.map(|times| times.mean).filter(|&mean| mean > 0.0);
        let saved = Saved {
            speedup: labels_per_minute.zip(from_nothing).map(|(rate, mean)| rate * mean / 60.0),
            minutes: from_nothing.map(|mean| (mean * (timed + alone) as f64 - spent) / 60.0),
        };
        Ok(Self {
            decisions: by_people.len(),
            decisions_per_minute: a_minute(timed),
            labels_per_minute,
            confirmed_share: confirmed_share(&assisted),
            places: places(&assisted),
            seconds,
            saved,
            persons: persons(&by_people),
            agreement: agreement(&rule, &by_people),
            automatic,
            rounds: rounds(store)?,
            labels: counts(&all),
            formats: match all.iter().any(has_place) {
                true => vec!["csv", "parquet", "coco"],
                false => vec!["csv", "parquet"],
            },
        })
    }

    /// For a person.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let percent =
            |part: Option<f64>| part.map_or("-".into(), |p| format!("{:.1} %", p * 100.0));
        let number = |x: Option<f64>| x.map_or("-".into(), |x| format!("{x:.1}"));
        let Self { decisions, automatic, agreement, saved, .. } = self;
        writeln!(
            out,
            "{decisions} decisions, {} confirmed as suggested, {} per minute",
            percent(self.confirmed_share),
            number(self.decisions_per_minute)
        )?;
        if !self.places.is_empty() {
            let part = |(change, count): (&Change, &usize)| format!("{count} {}", change.name());
            writeln!(
                out,
                "places: {}",
                self.places.iter().map(part).collect::<Vec<_>>().join(", ")
            )?;
        }
        let Audit { accepted, audited, audit_errors } = automatic;
        writeln!(out, "{accepted} auto-accepted; {audit_errors} of {audited} audited were wrong")?;
        for (what, times) in [
            ("confirmed", self.seconds.confirmed),
            ("corrected", self.seconds.corrected),
            ("unassisted", self.seconds.from_nothing),
        ] {
            if let Some(Times { median, mean, count }) = times {
                writeln!(out, "{what:<12}  {median:.2} s median, {mean:.2} s mean of {count}")?;
            }
        }
        if let (Some(speedup), Some(minutes)) = (saved.speedup, saved.minutes) {
            writeln!(
                out,
                "speed-up over labelling without suggestions: {speedup:.1}; {minutes:.1} minutes saved"
            )?;
        }
        if let (Some(share), Some(kappa)) = (agreement.share, agreement.kappa) {
            let items = agreement.items;
            let share = percent(Some(share));
            writeln!(out, "agreement {share} of {items} shared items, kappa {kappa:.3}")?;
        }
        for Person { person, decisions, confirmed_share, seconds_median } in &self.persons {
            let (share, median) = (percent(*confirmed_share), number(*seconds_median));
            writeln!(
                out,
                "{person}: {decisions} decisions, {share} confirmed as suggested, {median} s median"
            )?;
        }
        for Accuracy { round, decisions, accuracy, taken } in &self.rounds {
            let put = if *taken { "" } else { ", not put in place" };
            let accuracy = percent(*accuracy);
            writeln!(out, "round {round}: accuracy {accuracy} after {decisions} decisions{put}")?;
        }
        Ok(())
    }
}

/// Whether something was decided of a place in an image, which COCO's format is for.
fn has_place(decision: &Decision) -> bool {
    let annotations = decision.verdicts.iter().filter_map(|verdict| verdict.annotation.as_ref());
    annotations.filter_map(|one| one.at.as_ref()).any(|at| at.bounding_box().is_some())
}

/// How many slots were confirmed, corrected, moved, removed and added.
fn places(decisions: &[&Decision]) -> BTreeMap<Change, usize> {
    let mut counts = BTreeMap::new();
    for decision in decisions.iter().filter(|decision| decision.label().is_none()) {
        for verdict in &decision.verdicts {
            *counts.entry(decision.change(verdict)).or_default() += 1;
        }
    }
    counts
}

fn confirmed_share(decisions: &[&Decision]) -> Option<f64> {
    let with: Vec<_> = decisions.iter().filter(|d| d.proposed.is_some()).collect();
    let confirmed = with.iter().filter(|d| d.confirmed()).count();
    (!with.is_empty()).then(|| confirmed as f64 / with.len() as f64)
}

fn seconds(decisions: &[&Decision]) -> Seconds {
    let of = |wanted: &dyn Fn(&Decision) -> bool| {
        times(decisions.iter().filter(|d| wanted(d)).filter_map(|d| d.seconds).collect())
    };
    Seconds {
        confirmed: of(&|d| !d.hidden && d.confirmed()),
        corrected: of(&|d| !d.hidden && !d.confirmed()),
        from_nothing: of(&|d| d.hidden),
    }
}

fn times(mut seconds: Vec<f64>) -> Option<Times> {
    seconds.sort_by(f64::total_cmp);
    let count = seconds.len();
    let median = f64::midpoint(*seconds.get(count / 2)?, seconds[(count - 1) / 2]);
    Some(Times { median, mean: seconds.iter().sum::<f64>() / count as f64, count })
}

fn persons(decisions: &[&Decision]) -> Vec<Person> {
    let mut of_each: BTreeMap<&str, Vec<&Decision>> = BTreeMap::new();
    for decision in decisions {
        of_each.entry(&decision.person).or_default().push(decision);
    }
    let person = |(person, own): (&str, Vec<&Decision>)| Person {
        person: person.into(),
        decisions: own.len(),
        confirmed_share: confirmed_share(
            &own.iter().copied().filter(|d| !d.hidden).collect::<Vec<_>>(),
        ),
        seconds_median: times(own.iter().filter_map(|d| d.seconds).collect()).map(|t| t.median),
    };
    of_each.into_iter().map(person).collect()
}

/// Of the first two people who were asked about an item. Kappa: Cohen, A coefficient of
/// agreement for nominal scales, 1960.
fn agreement(rule: &suggest::Agreement, decisions: &[&Decision]) -> Agreement {
    let mut said: BTreeMap<i64, Vec<(&str, Vec<Annotation>)>> = BTreeMap::new();
    for decision in decisions {
        let Some(annotations) = decision.annotations() else { continue };
        let own = said.entry(decision.item).or_default();
        match own.iter_mut().find(|(person, _)| *person == decision.person) {
            Some((_, old)) => *old = annotations,
            None => own.push((&decision.person, annotations)),
        }
    }
    let pairs: Vec<_> =
        said.values().filter(|own| own.len() > 1).map(|own| (&own[0].1, &own[1].1)).collect();
    let items = pairs.len();
    if items == 0 {
        return Agreement { items, share: None, kappa: None };
    }
    let share = pairs.iter().map(|(a, b)| rule.score(a, b)).sum::<f64>() / items as f64;
    let labels: Option<Vec<_>> = pairs.iter().map(|(a, b)| only(a).zip(only(b))).collect();
    let kappa = labels.and_then(|pairs| {
        let mut often: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for (a, b) in pairs {
            often.entry(a).or_default().0 += 1.0 / items as f64;
            often.entry(b).or_default().1 += 1.0 / items as f64;
        }
        let chance: f64 = often.values().map(|(a, b)| a * b).sum();
        (chance < 1.0).then(|| (share - chance) / (1.0 - chance))
    });
    Agreement { items, share: Some(share), kappa }
}

/// The one label of the whole.
fn only(annotations: &[Annotation]) -> Option<&str> {
    match annotations {
        [Annotation { at: None, answer }] => answer.label(),
        _ => None,
    }
}

fn automatic(rule: &suggest::Agreement, all: &[Decision]) -> Audit {
    let mut accepted: HashMap<i64, (Vec<Annotation>, Option<bool>)> = HashMap::new();
    for decision in all {
        let Some(annotations) = decision.annotations() else { continue };
        match (decision.action, accepted.get_mut(&decision.item)) {
            (Action::Auto, None) => {
                accepted.insert(decision.item, (annotations, None));
            }
            (Action::Label, Some((auto, right))) => *right = Some(rule.same(auto, &annotations)),
            _ => {}
        }
    }
    let count = |wanted: &dyn Fn(Option<bool>) -> bool| {
        accepted.values().filter(|(_, right)| wanted(*right)).count()
    };
    Audit {
        accepted: accepted.len(),
        audited: count(&|right| right.is_some()),
        audit_errors: count(&|right| right == Some(false)),
    }
}

fn rounds(store: &Store) -> Result<Vec<Accuracy>> {
    let rounds = store.rounds()?;
    let start = rounds.first().map(|first| Accuracy {
        round: 0,
        decisions: 0,
        accuracy: first.accuracy_before,
        taken: true,
    });
    let after = rounds.iter().map(|r| Accuracy {
        round: r.round,
        decisions: r.decisions,
        accuracy: r.accuracy,
        taken: r.taken,
    });
    Ok(start.into_iter().chain(after).collect())
}

/// How often each label stands, by the last decision of a person, else without one. Free texts
/// and numbers are not counted: hardly two are the same.
fn counts(all: &[Decision]) -> Vec<Count> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for decision in last(all).into_values() {
        for annotation in decision.annotations().into_iter().flatten() {
            if let Answer::Label(label) = annotation.answer {
                *counts.entry(label).or_default() += 1;
            }
        }
    }
    counts.into_iter().map(|(label, count)| Count { label, count }).collect()
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
