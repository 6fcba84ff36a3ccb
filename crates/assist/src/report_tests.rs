use super::*;
use std::path::Path;
use tenfold_core::annotate::Verdict;
use tenfold_core::data::Kind;
use tenfold_core::store::{Content, Origin, Round};
use tenfold_core::suggest::{Proposal, Suggestion};

fn store(folder: &Path) -> Store {
    let kind = Kind::rows(vec!["x".into()]);
    let origin = Origin {
        task: "t".into(),
        queue: folder.into(),
        kind,
        seed: 1,
        agreement: suggest::Agreement::default(),
    };
    let labels = ["a", "b"].map(String::from);
    let store = Store::open(&folder.join("s.sqlite"), &origin, &labels).unwrap();
    let names: Vec<String> = (1..=9).map(|i| i.to_string()).collect();
    store.add_items(names.iter().map(|name| (&name[..], Content::Row(vec![0.0])))).unwrap();
    store
}

fn said(item: i64, person: &str, label: &str, seconds: f64, hidden: bool) -> Decision {
    Decision {
        item,
        person: person.into(),
        at: 0.0,
        seconds: Some(seconds),
        action: Action::Label,
        verdicts: vec![Verdict {
            slot: Some(0),
            annotation: Some(Annotation { at: None, answer: Answer::Label(label.into()) }),
        }],
        proposed: Some(Proposal::alternatives(vec![Suggestion::new("a", 0.9)])),
        weights: None,
        hidden,
        grid: false,
        key: None,
    }
}

#[test]
fn times_shares_and_savings() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let auto =
        Decision { action: Action::Auto, seconds: None, ..said(8, "(model)", "a", 0.0, false) };
    let audited = Decision { item: 9, ..auto.clone() };
    store
        .decide(&[
            auto,
            audited,
            said(1, "ann", "a", 0.5, false),
            said(2, "ann", "a", 0.5, false),
            said(3, "bob", "b", 2.0, false),
            said(4, "bob", "b", 4.0, true),
            said(9, "bob", "b", 1.0, false),
        ])
        .unwrap();
    store
        .add_round(&Round {
            round: 1,
            run: "r".into(),
            weights: "w".into(),
            at: 0.0,
            decisions: 4,
            accuracy_before: Some(0.5),
            accuracy: Some(0.75),
            taken: true,
        })
        .unwrap();
    let report = Report::of(&store).unwrap();
    assert_eq!((report.decisions, report.confirmed_share), (5, Some(0.5)));
    assert_eq!(report.decisions_per_minute, Some(60.0));
    assert_eq!(report.seconds.confirmed.unwrap(), Times { median: 0.5, mean: 0.5, count: 2 });
    assert_eq!(report.seconds.corrected.unwrap().median, 1.5);
    assert_eq!(report.seconds.from_nothing.unwrap().mean, 4.0);
    assert_eq!(report.automatic, Audit { accepted: 2, audited: 1, audit_errors: 1 });
    // Four by people and one that needed none in four seconds; from nothing one in four.
    assert_eq!(report.labels_per_minute, Some(75.0));
    assert_eq!(report.saved, Saved { speedup: Some(5.0), minutes: Some(16.0 / 60.0) });
    assert_eq!(report.rounds[0].accuracy, Some(0.5));
    assert_eq!((report.rounds[1].round, report.rounds[1].accuracy), (1, Some(0.75)));
    let labels: Vec<(&str, usize)> =
        report.labels.iter().map(|count| (&count.label[..], count.count)).collect();
    assert_eq!(labels, [("a", 3), ("b", 3)], "a person's word stands above the model's");
    let mut text = Vec::new();
    report.print(&mut text).unwrap();
    assert!(
        String::from_utf8(text)
            .unwrap()
            .contains("speed-up over labelling without suggestions: 5.0")
    );
}

#[test]
fn agreement_is_that_of_cohens_example() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    // Of four items both say a, a; b, b; a, b; a, a: agreed 3/4, chance 3/4 1/2 + 1/4 1/2.
    for (item, ann, bob) in [(1, "a", "a"), (2, "b", "b"), (3, "a", "b"), (4, "a", "a")] {
        let both = [said(item, "ann", ann, 1.0, false), said(item, "bob", bob, 1.0, false)];
        store.decide(&both).unwrap();
    }
    let agreement = Report::of(&store).unwrap().agreement;
    assert_eq!((agreement.items, agreement.share), (4, Some(0.75)));
    assert!((agreement.kappa.unwrap() - 0.5).abs() < 1e-9);
}

#[test]
fn nothing_decided_is_a_report_too() {
    let folder = tempfile::tempdir().unwrap();
    let report = Report::of(&store(folder.path())).unwrap();
    assert_eq!((report.decisions, report.decisions_per_minute), (0, None));
    assert!(report.rounds.is_empty() && report.saved.speedup.is_none());
    report.print(&mut Vec::new()).unwrap();
}
