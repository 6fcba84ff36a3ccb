use super::*;
use tenfold_core::store::{Action, Origin};

/// A store of four pictures: confirmed, corrected, accepted without a person, open.
fn store(folder: &Path) -> Store {
    let queue = folder.join("queue");
    std::fs::create_dir_all(queue.join("a")).unwrap();
    let names = ["a/1.png", "a/2.png", "a/3.png", "a/4.png"];
    for name in names {
        image::GrayImage::new(6, 4).save(queue.join(name)).unwrap();
    }
    let kind = Kind::Pictures { channels: 1, height: 4, width: 6 };
    let origin = Origin { task: "t".into(), queue, kind, seed: 1 };
    let labels = ["cat", "=dog"].map(String::from);
    let store = Store::open(&folder.join("s.sqlite"), &origin, &labels).unwrap();
    store.add_items(names.iter().map(|name| (*name, None))).unwrap();
    let said = |item, person: &str, action, label: &str| Decision {
        item,
        person: person.into(),
        at: 12.5,
        seconds: Some(0.5),
        action,
        label: Some(label.into()),
        proposed: Some(r#"[{"label":"cat","score":0.75,"box":[1,2,3,2]}]"#.into()),
        weights: Some("w".into()),
        hidden: false,
        grid: false,
        key: None,
    };
    let decisions = [
        said(1, "ann", Action::Label, "cat"),
        said(2, "ann", Action::Label, "=dog"),
        said(3, crate::state::NOBODY, Action::Auto, "cat"),
    ];
    store.decide(&decisions).unwrap();
    store
}

#[test]
fn a_table_says_who_when_and_what_was_suggested() {
    let folder = tempfile::tempdir().unwrap();
    let text = String::from_utf8(bytes(&store(folder.path()), Format::Csv).unwrap()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "item,label,person,at,seconds,action,suggested,score,weights");
    assert_eq!(lines[1], "a/1.png,cat,ann,12.5,0.5,confirmed,cat,0.75,w");
    assert_eq!(lines[2], "a/2.png,'=dog,ann,12.5,0.5,corrected,cat,0.75,w");
    assert_eq!(lines[3], "a/3.png,cat,(model),12.5,0.5,auto,cat,0.75,w");
    assert_eq!(lines.len(), 4);
}

#[test]
fn every_kind_of_file_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let at = |name: &str| folder.path().join(name);
    assert_eq!(write(&store, &at("l.csv")).unwrap(), 3);
    assert_eq!(write(&store, &at("l.parquet")).unwrap(), 3);
    // pyarrow gives the table of the test above back from a file of this digest.
    let digest = tenfold_core::weights::digest(&at("l.parquet")).unwrap();
    assert_eq!(digest, "PARQUET_DIGEST");
    assert_eq!(write(&store, &at("l.json")).unwrap(), 3);
    let coco: Value = serde_json::from_slice(&std::fs::read(at("l.json")).unwrap()).unwrap();
    assert_eq!(coco["annotations"].as_array().unwrap().len(), 2, "a correction has no box");
    assert_eq!(coco["annotations"][0]["bbox"], json!([1, 2, 3, 2]));
    assert_eq!(
        (&coco["images"][0]["width"], &coco["annotations"][0]["area"]),
        (&json!(6), &json!(6.0))
    );
    assert_eq!(write(&store, &at("pictures")).unwrap(), 3);
    assert!(at("pictures/cat/a_1.png").is_file() && at("pictures/=dog/a_2.png").is_file());
    assert!(write(&store, &at("pictures")).unwrap_err().to_string().contains("not empty"));
    assert!(write(&store, &at("l.xlsx")).unwrap_err().to_string().contains("FILE.csv"));
}
