use super::*;
use tenfold_core::annotate::Verdict;
use tenfold_core::store::{Action, Content};
use tenfold_core::suggest::{Answer, Proposal, Suggestion};

const LEASE: Duration = Duration::from_secs(60);

fn items(count: i64) -> Vec<Item> {
    let item =
        |id| Item { id, name: format!("{id:03}.png"), fixed: id % 5 == 0, content: Content::File };
    (1..=count).map(item).collect()
}

fn queue(count: i64, shared: f64, audit: f64) -> Queue {
    Queue::new(items(count), &[], Shares { shared, audit }, LEASE)
}

fn ask(person: &str, count: usize) -> Ask<'_> {
    Ask { person, count, have: &[], order: Order::Given, near: None, hide: false }
}

fn proposed(scores: &[(&str, f32)]) -> Proposed {
    let suggestion = |&(label, score): &(&str, f32)| Suggestion::new(label, score);
    let proposal = Proposal::alternatives(scores.iter().map(suggestion).collect());
    Proposed { proposal: proposal.into(), weights: "w1".into() }
}

fn decision(item: i64, person: &str, action: Action, label: Option<&str>) -> Decision {
    Decision {
        item,
        person: person.into(),
        at: 0.0,
        seconds: None,
        action,
        verdicts: label
            .map(|label| {
                let answer = Answer::Label(label.into());
                Verdict { slot: Some(0), annotation: Some(Annotation { at: None, answer }) }
            })
            .into_iter()
            .collect(),
        proposed: None,
        weights: None,
        hidden: false,
        grid: false,
        key: None,
    }
}

fn ids(queue: &Queue, places: &[usize]) -> Vec<i64> {
    places.iter().map(|&place| queue.entries()[place].item.id).collect()
}

fn next(queue: &mut Queue, person: &str, count: usize, now: Instant) -> Vec<i64> {
    let places = queue.next(&ask(person, count), now);
    ids(queue, &places)
}

#[test]
fn two_people_never_have_the_same_item_and_a_lease_runs_out() {
    let mut queue = queue(6, 0.0, 0.0);
    let now = Instant::now();
    let ann = queue.next(&ask("ann", 4), now);
    let bob = queue.next(&ask("bob", 4), now);
    assert_eq!((ids(&queue, &ann), ids(&queue, &bob)), (vec![1, 2, 3, 4], vec![5, 6]));
    assert!(queue.get(1).unwrap().standing("bob", now).is_err());
    // A reloaded page gets what its person holds; one that names what it has gets no more.
    assert_eq!(queue.next(&ask("ann", 4), now), ann);
    let have = [1, 2, 3, 4];
    assert!(queue.next(&Ask { have: &have, ..ask("ann", 4) }, now).is_empty());
    let later = now + LEASE + Duration::from_secs(1);
    assert_eq!(next(&mut queue, "bob", 9, later).len(), 6);
    assert!(queue.get(1).unwrap().standing("ann", later).is_err());
    assert_eq!(queue.release("bob", &[1, 2], false), 2);
    assert_eq!(queue.release("bob", &[1, 2, 77], false), 0);
    assert!(queue.get(1).unwrap().standing("ann", later).is_ok());
}

#[test]
fn what_is_decided_or_skipped_does_not_come_back_to_the_same_person() {
    let mut queue = queue(3, 0.0, 0.0);
    let now = Instant::now();
    queue.next(&ask("ann", 3), now);
    queue.apply(&decision(1, "ann", Action::Label, Some("7")));
    queue.apply(&decision(2, "ann", Action::Skip, None));
    queue.release("ann", &[3], false);
    assert_eq!(next(&mut queue, "ann", 3, now), [3]);
    queue.release("ann", &[3], false);
    assert_eq!(next(&mut queue, "bob", 3, now), [2, 3]);
    let counts = queue.counts(now);
    assert_eq!((counts.decided, counts.open, counts.skipped), (1, 2, 1));
    assert!(queue.get(1).unwrap().standing("bob", now).is_err(), "ann has decided");
    queue.undo((1, &[]), ("ann", false), now).unwrap();
    queue.release("ann", &[1], false);
    assert_eq!(queue.counts(now).decided, 0);
}

#[test]
fn uncertain_ones_come_first_where_that_is_asked_for() {
    let mut queue = queue(4, 0.0, 0.0);
    let now = Instant::now();
    queue.propose(1, proposed(&[("a", 0.9), ("b", 0.1)]));
    queue.propose(2, proposed(&[("a", 0.5), ("b", 0.45)]));
    queue.propose(3, proposed(&[("a", 0.6), ("b", 0.25), ("c", 0.15)]));
    let mut first = |order| {
        let ask = Ask { order, ..ask("ann", 4) };
        let places = queue.next(&ask, now);
        let found = ids(&queue, &places);
        queue.release("ann", &found, false);
        found
    };
    assert_eq!(first(Order::Given), [1, 2, 3, 4]);
    assert_eq!(first(Order::Margin), [2, 3, 1, 4]);
    assert_eq!(first(Order::Entropy), [3, 2, 1, 4], "the third is spread over others, too");
    assert_eq!(first(Order::Confidence), [1, 3, 2, 4]);
}

#[test]
fn likeness_goes_by_the_angle() {
    let mut queue = queue(3, 0.0, 0.0);
    for (id, direction) in [(1, [1.0, 0.0]), (2, [0.0, 1.0]), (3, [0.6, 0.8])] {
        queue.get_mut(id).unwrap().embedding = Some(Box::new(direction));
    }
    let near = Ask { order: Order::Similar, near: Some(2), ..ask("ann", 3) };
    let places = queue.next(&near, Instant::now());
    assert_eq!(ids(&queue, &places), [2, 3, 1]);
}

#[test]
fn a_page_of_like_items_is_of_one_label_surest_first() {
    let mut queue = queue(5, 0.0, 0.0);
    let now = Instant::now();
    for (id, label, score) in [(1, "a", 0.6), (2, "b", 0.9), (3, "a", 0.8), (4, "a", 0.7)] {
        queue.propose(id, proposed(&[(label, score)]));
    }
    let (label, places, sizes) = queue.alike("ann", 2, None, now);
    assert_eq!((label.as_deref(), ids(&queue, &places)), (Some("a"), vec![3, 4]));
    assert_eq!(sizes, BTreeMap::from([("a".into(), 3), ("b".into(), 1)]));
    queue.release("ann", &[3], true);
    let (_, places, _) = queue.alike("ann", 9, Some("a"), now);
    assert_eq!(ids(&queue, &places), [4, 1], "what was taken out is looked at by itself");
    assert_eq!(next(&mut queue, "bob", 9, now), [2, 3, 5]);
}

#[test]
fn withheld_suggestions_are_not_shown_and_new_ones_do_not_change_what_is_seen() {
    let mut queue = queue(2, 0.0, 0.0);
    let now = Instant::now();
    queue.propose(1, proposed(&[("a", 0.9)]));
    let places = queue.next(&Ask { hide: true, ..ask("ann", 1) }, now);
    let shown = queue.entries()[places[0]].shown(None, 9);
    assert_eq!(
        (&shown["hidden"], shown["suggestions"].as_array().unwrap().len()),
        (&true.into(), 0)
    );
    let places = queue.next(&ask("bob", 1), now);
    assert_eq!(queue.entries()[places[0]].shown(None, 9)["pending"], true);
    queue.propose(2, proposed(&[("a", 0.9)]));
    queue.propose(2, proposed(&[("b", 0.9)]));
    assert_eq!(queue.entries()[places[0]].shown(None, 9)["suggestions"][0]["label"], "a");
    let standing = queue.get(2).unwrap().standing("bob", now).unwrap();
    assert_eq!(standing.shown.unwrap().best().unwrap().answer.label(), Some("a"));
}

#[test]
fn what_needs_no_person_is_audited_and_opened_again_where_the_promise_breaks() {
    let mut queue = queue(60, 0.0, 0.5);
    let now = Instant::now();
    for id in 1..=60 {
        queue.propose(id, proposed(&[("a", if id <= 50 { 0.99 } else { 0.5 })]));
    }
    let sure = queue.sure("w1", 0.9, now);
    assert_eq!(sure.len(), 40, "the fixed part is left to people");
    assert!(queue.sure("w2", 0.9, now).is_empty(), "other weights have another threshold");
    for (id, _) in sure {
        queue.apply(&decision(id, "(model)", Action::Auto, Some("a")));
    }
    assert_eq!(queue.counts(now).automatic, 40);
    let given = queue.next(&ask("ann", 60), now);
    let audited: Vec<i64> =
        ids(&queue, &given).into_iter().filter(|id| *id <= 50 && id % 5 != 0).collect();
    assert!((10..30).contains(&audited.len()), "about half of 40: {audited:?}");
    for (place, id) in audited.iter().enumerate() {
        let label = if place < 3 { "b" } else { "a" };
        queue.apply(&decision(*id, "ann", Action::Label, Some(label)));
    }
    let audit = queue.audit();
    assert_eq!((audit.accepted, audit.audited, audit.audit_errors), (40, audited.len(), 3));
    assert!(audit.breaks(0.01) && !audit.breaks(0.3));
    queue.suspended = true;
    assert_eq!(queue.counts(now).automatic, 0);
}

#[test]
fn a_shared_item_is_for_two_people() {
    let mut queue = queue(1, 1.0, 0.0);
    let now = Instant::now();
    queue.apply(&decision(1, "ann", Action::Label, Some("a")));
    assert_eq!((queue.left("ann", now), queue.left("bob", now)), (0, 1));
    queue.next(&ask("bob", 1), now);
    assert!(queue.get(1).unwrap().standing("bob", now).is_ok());
    queue.apply(&decision(1, "bob", Action::Label, Some("b")));
    assert_eq!(queue.left("cy", now), 0);
}

#[test]
fn items_in_hand_get_their_suggestions_first() {
    let mut queue = queue(4, 0.0, 0.0);
    let now = Instant::now();
    queue.next(&ask("ann", 1), now);
    queue.propose(2, proposed(&[("a", 0.9)]));
    queue.propose(3, Proposed { weights: IMPORTED.into(), ..proposed(&[("a", 0.9)]) });
    let lacking = |weights| -> Vec<i64> {
        queue.unproposed(weights, 9, now).into_iter().map(|item| item.id).collect()
    };
    assert_eq!(lacking("w1"), [1, 4]);
    assert_eq!(lacking("w2"), [1, 2, 4], "imported ones stay");
}
