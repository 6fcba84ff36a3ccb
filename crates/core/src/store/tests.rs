use super::*;
use crate::annotate::{Annotation, Verdict};
use crate::data::OpenOptions;
use crate::geometry::BoundingBox;
use crate::suggest::{Answer, Proposal, Region, Slot, Suggestion};

fn origin(queue: &Path, kind: Kind) -> Origin {
    let agreement = Agreement::default();
    Origin { task: "classification".into(), queue: queue.into(), kind, seed: 1, agreement }
}

fn rows() -> Kind {
    Kind::rows(vec!["height".into(), "width".into()])
}

fn labels() -> Vec<String> {
    ["tall", "wide"].map(String::from).into()
}

fn open(folder: &Path) -> Store {
    Store::open(&folder.join("s.sqlite"), &origin(folder, rows()), &labels()).unwrap()
}

fn says(slot: Option<usize>, at: Option<Region>, label: &str) -> Verdict {
    Verdict { slot, annotation: Some(Annotation { at, answer: Answer::Label(label.into()) }) }
}

fn boxed(x1: f32, y1: f32, x2: f32, y2: f32) -> Option<Region> {
    Some(Region::Box(BoundingBox::new(x1, y1, x2, y2)))
}

fn said(item: i64, label: &str, key: &str) -> Decision {
    Decision {
        item,
        person: "ann".into(),
        at: 1.5,
        seconds: Some(0.25),
        action: Action::Label,
        verdicts: vec![says(Some(0), None, label)],
        proposed: Some(Proposal::alternatives(vec![Suggestion::new("tall", 0.75)])),
        weights: Some("3f9a".into()),
        hidden: false,
        grid: false,
        key: Some(key.into()),
    }
}

fn filled(folder: &Path, count: usize) -> Store {
    let store = open(folder);
    let names: Vec<String> = (0..count).map(|i| format!("row {i}")).collect();
    let row = || Content::Row(vec![1.0, 2.5]);
    store.add_items(names.iter().map(|name| (&name[..], row()))).unwrap();
    store
}

fn options() -> OpenOptions {
    OpenOptions { seed: 1, ..OpenOptions::default() }
}

#[test]
fn what_was_decided_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 10);
    assert_eq!(store.decide(&[said(1, "tall", "a"), said(2, "wide", "b")]).unwrap().len(), 2);
    assert!(store.add_label("square", Some("ann")).unwrap());
    assert!(!store.add_label("square", Some("bob")).unwrap());
    let proposal = Proposal {
        slots: vec![
            Slot { at: boxed(1.5, 2.0, 10.3, 20.1), ranked: vec![Suggestion::new("tall", 0.9)] },
            Slot { at: None, ranked: vec![Suggestion::text("a tall one", 0.25)] },
        ],
    };
    let proposed = [Proposed { item: 3, weights: "3f9a".into(), proposal: proposal.clone() }];
    store.suggest(&proposed).unwrap();
    let set = Decision {
        verdicts: vec![
            says(Some(0), boxed(1.25, 2.0, 10.3, 20.1), "tall"),
            Verdict { slot: Some(1), annotation: None },
            says(None, boxed(0.1, 0.2, 0.3, 0.4), "wide"),
        ],
        proposed: Some(proposal),
        ..said(3, "", "c")
    };
    store.decide(std::slice::from_ref(&set)).unwrap();
    drop(store);
    let store = filled(folder.path(), 12);
    assert_eq!(store.items().unwrap().len(), 12);
    assert_eq!(store.items().unwrap()[0].content, Content::Row(vec![1.0, 2.5]));
    let decisions = store.decisions().unwrap();
    assert_eq!(decisions, [said(1, "tall", "a"), said(2, "wide", "b"), set.clone()]);
    assert_eq!((set.label(), set.annotations().unwrap().len()), (None, 2));
    assert_eq!(store.labels().unwrap(), ["tall", "wide", "square"]);
    assert_eq!(store.suggestions().unwrap(), proposed);
    let [confirmed, corrected, _] = &decisions[..] else { panic!() };
    assert!(confirmed.confirmed() && !corrected.confirmed());
}

#[test]
fn the_same_key_counts_once_and_a_last_decision_can_be_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 4);
    assert_eq!(store.decide(&[said(1, "tall", "a")]).unwrap(), [Saved::New]);
    assert_eq!(
        store.decide(&[said(1, "tall", "a"), said(1, "wide", "b")]).unwrap(),
        [Saved::Already, Saved::New]
    );
    assert_eq!(store.undo("bob").unwrap(), None);
    assert_eq!(store.undo("ann").unwrap(), Some(said(1, "wide", "b")));
    assert_eq!(store.decisions_of(1).unwrap(), [said(1, "tall", "a")]);
    assert_eq!(store.undo("ann").unwrap(), Some(said(1, "tall", "a")));
    assert_eq!(store.undo("ann").unwrap(), None);
}

#[test]
fn all_of_a_transaction_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 4);
    let missing = said(99, "tall", "b");
    assert!(store.decide(&[said(1, "tall", "a"), missing]).is_err(), "there is no item 99");
    assert_eq!(store.decisions().unwrap(), []);
}

#[test]
fn a_full_disk_is_told_as_one_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 4);
    store.decide(&[said(1, "tall", "a")]).unwrap();
    store.limit_pages(1).unwrap();
    let many: Vec<Decision> =
        (0..500).map(|i| said(2, &"x".repeat(200), &format!("k{i}"))).collect();
    let Err(Error::Io { source, .. }) = store.decide(&many) else { panic!("it fitted") };
    assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(store.decisions().unwrap(), [said(1, "tall", "a")]);
    store.limit_pages(100_000).unwrap();
    assert_eq!(store.decide(&many).unwrap().len(), 500);
}

#[test]
fn foreign_newer_and_broken_files_are_refused_unharmed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sqlite");
    drop(open(folder.path()));
    let good = std::fs::read(&path).unwrap();
    let refused = |bytes: &[u8], expected: &str| {
        std::fs::write(&path, bytes).unwrap();
        let origin = origin(folder.path(), rows());
        for opened in [Store::open(&path, &origin, &labels()), Store::read(&path)] {
            let why = opened.err().expect("refused").to_string();
            assert!(why.contains(expected) && !why.contains('\n'), "{why}");
        }
        assert!(std::fs::read(&path).unwrap() == bytes, "the file was touched");
    };
    let mut newer = good.clone();
    newer[60..64].copy_from_slice(&9u32.to_be_bytes());
    refused(&newer, "version 9");
    let mut foreign = good.clone();
    foreign[68..72].fill(0);
    refused(&foreign, "not a store of decisions");
    refused(b"hello", "not a store of decisions");
    refused(b"", "not a store of decisions");
    refused(&good[..100], "s.sqlite: ");
    let other = Store::open(&path, &origin(folder.path(), rows()), &labels());
    assert!(other.is_err());
    std::fs::write(&path, &good).unwrap();
    let elsewhere = origin(Path::new("elsewhere"), rows());
    let why = Store::open(&path, &elsewhere, &labels()).err().unwrap().to_string();
    assert!(why.contains("--store"), "{why}");
}

#[test]
fn a_fifth_is_fixed_by_name_alone_and_not_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 1_000);
    let fixed: Vec<String> =
        store.items().unwrap().into_iter().filter(|i| i.fixed).map(|i| i.name).collect();
    assert!((150..250).contains(&fixed.len()), "{}", fixed.len());
    let again = tempfile::tempdir().unwrap();
    let store = open(again.path());
    let names: Vec<String> = (0..1_000).rev().map(|i| format!("row {i}")).collect();
    store.add_items(names.iter().map(|name| (&name[..], Content::File))).unwrap();
    let mut same: Vec<String> =
        store.items().unwrap().into_iter().filter(|i| i.fixed).map(|i| i.name).collect();
    same.reverse();
    assert_eq!(fixed, same);
    let names: Vec<String> = (0..9_000).map(|i| format!("more {i}")).collect();
    store.add_items(names.iter().map(|name| (&name[..], Content::File))).unwrap();
    let fixed = store.items().unwrap().into_iter().filter(|item| item.fixed).count();
    assert_eq!(fixed, MOST_FIXED);
}

#[test]
fn people_are_trained_on_the_model_itself_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 60);
    let items = store.items().unwrap();
    let mut decisions: Vec<Decision> = Vec::new();
    for item in &items[..50] {
        let label = if item.id % 2 == 0 { "tall" } else { "wide" };
        decisions.push(said(item.id, label, &format!("k{}", item.id)));
    }
    for item in &items[50..] {
        let auto = Decision { action: Action::Auto, ..said(item.id, "tall", &item.name) };
        decisions.push(auto);
    }
    store.decide(&decisions).unwrap();
    // A second word stands in the place of the first.
    store.decide(&[said(1, "tall", "again")]).unwrap();
    let data = crate::data::open(store.path().to_str().unwrap(), &options()).unwrap();
    let fixed = items[..50].iter().filter(|item| item.fixed).count();
    assert_eq!(data.test.len(), fixed);
    assert_eq!(data.train.len() + data.validation.len(), 50 - fixed);
    assert_eq!((data.classes, data.kind), (labels(), rows()));
    let mut tall = 0;
    for part in [&data.train, &data.validation, &data.test] {
        for i in 0..part.len() {
            tall += usize::from(part.get(i).unwrap().target == 0);
        }
    }
    assert_eq!(tall, 26);
}

#[test]
fn too_few_decisions_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 10);
    store.decide(&[said(1, "tall", "a")]).unwrap();
    let why = open_data(store.path(), &options()).err().unwrap().to_string();
    assert!(why.contains("expected at least two and one"), "{why}");
}

#[test]
fn no_name_leads_out_of_the_queue() {
    let folder = tempfile::tempdir().unwrap();
    let queue = folder.path().join("queue");
    std::fs::create_dir_all(queue.join("a")).unwrap();
    std::fs::write(queue.join("a/b.png"), "x").unwrap();
    std::fs::write(folder.path().join("secret"), "x").unwrap();
    assert!(Store::file(&queue, "a/b.png").is_ok());
    for name in ["../secret", "a/../../secret", "/etc/passwd", "a", "", "a/./../..", "missing"] {
        assert!(Store::file(&queue, name).is_err(), "{name}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.path(), queue.join("link")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), queue.join("c.png")).unwrap();
        for name in ["link/secret", "c.png"] {
            let why = Store::file(&queue, name).unwrap_err().to_string();
            assert!(why.contains("a link"), "{why}");
        }
        // One that took a file's place just after it was looked at.
        assert!(Store::open_file(&queue, "a/b.png").is_ok());
        for name in ["link/secret", "c.png"] {
            let file = std::fs::File::open(queue.join(name)).unwrap();
            assert!(!place::lies_at(&file, &queue, name), "{name}");
        }
    }
}

#[test]
fn a_first_start_that_fails_leaves_nothing_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let origin = filled(folder.path(), 1).origin().clone();
    let new = folder.path().join("new.sqlite");
    // What one leaves that is killed.
    std::fs::write(folder.path().join("new.sqlite.new"), "half").unwrap();
    let store = Store::open(&new, &origin, &["a".into()]).unwrap();
    assert_eq!(store.labels().unwrap(), ["a"]);
    assert!(!folder.path().join("new.sqlite.new").exists());
    let nowhere = folder.path().join("file/new.sqlite");
    std::fs::write(folder.path().join("file"), "x").unwrap();
    assert!(Store::open(&nowhere, &origin, &[]).is_err());
}

#[test]
fn a_store_is_read_where_nothing_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 3);
    let path = store.path().to_path_buf();
    let items = store.items().unwrap().len();
    // Its log still holds what was written.
    assert!(read_only(&path).unwrap_err().to_string().contains("-wal"));
    drop(store);
    let odd = folder.path().join("a?b#c%20.sqlite");
    std::fs::rename(&path, &odd).unwrap();
    let ask = "SELECT count(*) FROM items";
    let count: i64 = read_only(&odd).unwrap().query_row(ask, [], |row| row.get(0)).unwrap();
    assert_eq!(count, items as i64);
}

/// What `serve` made before there were slots.
fn of_format_1(path: &Path) {
    let connection = Connection::open(path).unwrap();
    let tables = TABLES.replace("  verdicts TEXT,\n", "");
    assert_ne!(tables, TABLES);
    connection.execute_batch(&tables).unwrap();
    let origin = r#"{"task":"classification","queue":"QUEUE","kind":
        {"rows":{"columns":["height","width"]}},"seed":1}"#;
    let queue = path.parent().unwrap().to_str().unwrap();
    let origin = origin.replace("QUEUE", &queue.replace('\\', "\\\\"));
    connection.execute("INSERT INTO about VALUES ('origin', ?)", [origin]).unwrap();
    connection
        .execute_batch(&format!(
            r#"PRAGMA application_id = {APPLICATION};
            PRAGMA user_version = 1;
            INSERT INTO labels(name) VALUES ('tall'), ('wide');
            INSERT INTO labels(name, person, at) VALUES ('square', 'ann', 7.5);
            INSERT INTO items(name, fixed, row) VALUES
              ('row 1', 0, '[1.0,2.5]'), ('row 2', 1, '[3.0,4.0]'), ('a.png', 0, NULL);
            INSERT INTO suggestions VALUES (3, 'w1',
              '[{{"label":"wide","score":0.75}},{{"label":"tall","score":0.25}}]');
            INSERT INTO decisions(item, person, at, seconds, action, label, proposed, weights,
              hidden, grid, key, undone) VALUES
              (1, 'ann', 1.5, 0.25, 'label', 'tall', '[{{"label":"tall","score":0.75}}]', '3f9a',
               0, 0, 'a', 0),
              (2, 'ann', 1.5, 0.25, 'label', 'square', '[{{"label":"tall","score":0.75}}]', '3f9a',
               1, 0, 'b', 0),
              (2, 'bob', 2.5, NULL, 'label', 'wide', NULL, NULL, 0, 1, NULL, 1),
              (3, 'bob', 3.5, NULL, 'skip', NULL, NULL, NULL, 0, 0, 'c', 0),
              (3, '(model)', 4.5, NULL, 'auto', 'wide',
               '[{{"label":"wide","score":0.9,"box":[1,2,3,4]}},{{"label":"tall","score":0.4,"box":[5,6,7,8]}}]',
               'w1', 0, 0, NULL, 0);
            INSERT INTO rounds VALUES (1, 'runs/x', 'w1', 9.5, 20, 0.5, 0.75, 1);"#
        ))
        .unwrap();
}

#[test]
fn a_store_of_format_1_is_read_and_migrated_with_all_that_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sqlite");
    of_format_1(&path);
    let before = std::fs::read(&path).unwrap();
    let check = |store: &Store| {
        assert_eq!(store.labels().unwrap(), ["tall", "wide", "square"]);
        let contents: Vec<Content> =
            store.items().unwrap().into_iter().map(|item| item.content).collect();
        let row = |a, b| Content::Row(vec![a, b]);
        assert_eq!(contents, [row(1.0, 2.5), row(3.0, 4.0), Content::File]);
        let ranked = vec![Suggestion::new("wide", 0.75), Suggestion::new("tall", 0.25)];
        assert_eq!(store.suggestions().unwrap()[0].proposal, Proposal::alternatives(ranked));
        assert_eq!(store.rounds().unwrap().len(), 1);
        let all = store.decisions().unwrap();
        let hidden = Decision { hidden: true, ..said(2, "square", "b") };
        assert_eq!(all[..2], [said(1, "tall", "a"), hidden]);
        assert!(all[0].confirmed() && !all[1].confirmed());
        assert_eq!((all[2].action, all[2].annotations()), (Action::Skip, None));
        // The box of the label that was chosen stands, by its corners; the other is not there.
        assert_eq!(all[3].verdicts[0], says(Some(0), boxed(1.0, 2.0, 4.0, 6.0), "wide"));
        assert_eq!(all[3].verdicts[1], Verdict { slot: Some(1), annotation: None });
        assert_eq!(all.len(), 4, "what was taken back stays so");
    };
    check(&Store::read(&path).unwrap());
    assert!(std::fs::read(&path).unwrap() == before, "reading changes nothing");
    let store = open(folder.path());
    check(&store);
    store.decide(&[said(3, "tall", "new")]).unwrap();
    drop(store);
    assert_eq!(std::fs::read(&path).unwrap()[60..64], VERSION.to_be_bytes());
    let store = open(folder.path());
    assert_eq!(store.decisions().unwrap()[4], said(3, "tall", "new"));
    assert_eq!(store.undo("ann").unwrap(), Some(said(3, "tall", "new")));
    check(&store);
}

#[cfg(unix)]
#[test]
fn nothing_is_acknowledged_into_a_file_that_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (store, path) = (filled(folder.path(), 1), folder.path().join("s.sqlite"));
    store.decide(&[said(1, "tall", "a")]).unwrap();
    let aside = folder.path().join("aside");
    std::fs::rename(&path, &aside).unwrap();
    let gone = |store: &Store| store.decide(&[said(1, "wide", "b")]).unwrap_err().to_string();
    assert!(gone(&store).contains("removed or replaced"), "{}", gone(&store));
    // Another file under its name is left as it is.
    std::fs::write(&path, "another").unwrap();
    assert!(gone(&store).contains("removed or replaced"));
    assert!(store.undo("ann").is_err() && store.add_label("z", None).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), b"another");
    std::fs::rename(&aside, &path).unwrap();
    assert_eq!(store.decisions().unwrap().len(), 1);
    store.decide(&[said(1, "wide", "b")]).unwrap();
}
