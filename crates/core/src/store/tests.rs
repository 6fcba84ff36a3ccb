use super::*;
use crate::data::OpenOptions;

fn origin(queue: &Path, kind: Kind) -> Origin {
    Origin { task: "classification".into(), queue: queue.into(), kind, seed: 1 }
}

fn rows() -> Kind {
    Kind::Rows { columns: vec!["height".into(), "width".into()] }
}

fn labels() -> Vec<String> {
    ["tall", "wide"].map(String::from).into()
}

fn open(folder: &Path) -> Store {
    Store::open(&folder.join("s.sqlite"), &origin(folder, rows()), &labels()).unwrap()
}

fn said(item: i64, label: &str, key: &str) -> Decision {
    Decision {
        item,
        person: "ann".into(),
        at: 1.5,
        seconds: Some(0.25),
        action: Action::Label,
        label: Some(label.into()),
        proposed: Some(r#"[{"label":"tall","score":0.75}]"#.into()),
        weights: Some("3f9a".into()),
        hidden: false,
        grid: false,
        key: Some(key.into()),
    }
}

fn filled(folder: &Path, count: usize) -> Store {
    let store = open(folder);
    let names: Vec<String> = (0..count).map(|i| format!("row {i}")).collect();
    let row = [1.0, 2.5];
    store.add_items(names.iter().map(|name| (&name[..], Some(&row[..])))).unwrap();
    store
}

fn options() -> OpenOptions {
    OpenOptions { data_dir: PathBuf::new(), seed: 1, limit: None, target: None, task: None }
}

#[test]
fn what_was_decided_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 10);
    assert_eq!(store.decide(&[said(1, "tall", "a"), said(2, "wide", "b")]).unwrap().len(), 2);
    assert!(store.add_label("square", Some("ann")).unwrap());
    assert!(!store.add_label("square", Some("bob")).unwrap());
    store.suggest(&[(3, "3f9a".into(), "[]".into())]).unwrap();
    drop(store);
    let store = filled(folder.path(), 12);
    assert_eq!(store.items().unwrap().len(), 12);
    assert_eq!(store.items().unwrap()[0].row, Some(vec![1.0, 2.5]));
    assert_eq!(store.decisions().unwrap(), [said(1, "tall", "a"), said(2, "wide", "b")]);
    assert_eq!(store.labels().unwrap(), ["tall", "wide", "square"]);
    assert_eq!(store.suggestions().unwrap(), [(3, "3f9a".into(), "[]".into())]);
    let [confirmed, corrected] = &store.decisions().unwrap()[..] else { panic!() };
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
    assert_eq!(store.undo("ann").unwrap(), Some((1, false)));
    assert_eq!(store.decisions_of(1).unwrap(), [said(1, "tall", "a")]);
    assert_eq!((store.undo("ann").unwrap(), store.undo("ann").unwrap()), (Some((1, false)), None));
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
    store.add_items(names.iter().map(|name| (&name[..], Some(&[0.0, 0.0][..])))).unwrap();
    let mut same: Vec<String> =
        store.items().unwrap().into_iter().filter(|i| i.fixed).map(|i| i.name).collect();
    same.reverse();
    assert_eq!(fixed, same);
    let names: Vec<String> = (0..9_000).map(|i| format!("more {i}")).collect();
    store.add_items(names.iter().map(|name| (&name[..], Some(&[0.0, 0.0][..])))).unwrap();
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
            tall += usize::from(part.get(i).unwrap().label == 0);
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
    assert!(why.contains("expected two and one"), "{why}");
}

#[test]
fn no_name_leads_out_of_the_queue() {
    let folder = tempfile::tempdir().unwrap();
    let queue = folder.path().join("queue");
    std::fs::create_dir_all(queue.join("a")).unwrap();
    std::fs::write(queue.join("a/b.png"), "x").unwrap();
    std::fs::write(folder.path().join("secret"), "x").unwrap();
    assert!(Store::picture(&queue, "a/b.png").is_ok());
    for name in ["../secret", "a/../../secret", "/etc/passwd", "a", "", "a/./../..", "missing"] {
        assert!(Store::picture(&queue, name).is_err(), "{name}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.path(), queue.join("link")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), queue.join("c.png")).unwrap();
        for name in ["link/secret", "c.png"] {
            let why = Store::picture(&queue, name).unwrap_err().to_string();
            assert!(why.contains("a link"), "{why}");
        }
    }
}
