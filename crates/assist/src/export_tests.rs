use super::*;
use tenfold_core::annotate::Verdict;
use tenfold_core::store::{Action, Content, Origin};
use tenfold_core::suggest::{Agreement, Proposal, Slot};

/// A store of four images: confirmed, corrected, accepted without a person, open.
fn store(folder: &Path) -> Store {
    let queue = folder.join("queue");
    std::fs::create_dir_all(queue.join("a")).unwrap();
    let names = ["a/1.png", "a/2.png", "a/3.png", "a/4.png"];
    for name in names {
        image::GrayImage::new(6, 4).save(queue.join(name)).unwrap();
    }
    let kind = Kind::Images { channels: 1, height: 4, width: 6 };
    let origin = Origin { task: "t".into(), queue, kind, seed: 1, agreement: Agreement::default() };
    let labels = ["cat", "=dog"].map(String::from);
    let store = Store::open(&folder.join("s.sqlite"), &origin, &labels).unwrap();
    store.add_items(names.iter().map(|name| (*name, Content::File))).unwrap();
    let said = |item, person: &str, action, label: &str| Decision {
        item,
        person: person.into(),
        at: 12.5,
        seconds: Some(0.5),
        action,
        verdicts: vec![Verdict {
            slot: Some(0),
            annotation: Some(Annotation { at: None, answer: Answer::Label(label.into()) }),
        }],
        proposed: Some(Proposal::alternatives(vec![Suggestion::new("cat", 0.75)])),
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
    assert_eq!(digest, "df0fe7cb91c097f70675f0be392bb3f1b7346ceb35642f45c7003de44205e07d");
    let why = write(&store, &at("l.json")).unwrap_err().to_string();
    assert!(why.contains("no decision has a box"), "{why}");
    assert_eq!(write(&store, &at("images")).unwrap(), 3);
    assert!(at("images/cat/a_1.png").is_file() && at("images/=dog/a_2.png").is_file());
    assert!(write(&store, &at("images")).unwrap_err().to_string().contains("not empty"));
    assert!(write(&store, &at("l.xlsx")).unwrap_err().to_string().contains("FILE.csv"));
    // The last of four has no label: nothing is copied rather than three of them.
    let mut removed = store.decisions().unwrap().remove(0);
    (removed.item, removed.verdicts) = (4, vec![Verdict { slot: Some(0), annotation: None }]);
    store.decide(&[removed]).unwrap();
    assert!(write(&store, &at("all")).unwrap_err().to_string().contains("a/4.png"));
    assert!(!at("all").exists());
}

/// Names that differ by what a file system cannot have, and labels that are no folder's names.
#[test]
fn no_image_takes_anothers_place_and_none_leaves_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let queue = folder.path().join("queue");
    std::fs::create_dir_all(queue.join("a")).unwrap();
    let names = ["a/1.png", "a_1.png", "=1+1.png"];
    for (place, name) in names.iter().enumerate() {
        image::GrayImage::new(6 + place as u32, 4).save(queue.join(name)).unwrap();
    }
    let kind = Kind::Images { channels: 1, height: 4, width: 6 };
    let origin = Origin { task: "t".into(), queue, kind, seed: 1, agreement: Agreement::default() };
    let store = Store::open(&folder.path().join("s.sqlite"), &origin, &[]).unwrap();
    store.add_items(names.iter().map(|name| (*name, Content::File))).unwrap();
    let said = |item, label: &str| Decision {
        item,
        person: "ann".into(),
        at: 1.0,
        seconds: None,
        action: Action::Label,
        verdicts: vec![Verdict {
            slot: None,
            annotation: Some(Annotation { at: None, answer: Answer::Label(label.into()) }),
        }],
        proposed: None,
        weights: None,
        hidden: false,
        grid: false,
        key: None,
    };
    store.decide(&[said(1, "cat"), said(2, "cat"), said(3, "../../evil")]).unwrap();
    let out = folder.path().join("out/labels");
    assert_eq!(write(&store, &out).unwrap(), 3);
    let width = |name: &str| image::image_dimensions(out.join(name)).unwrap().0;
    assert_eq!((width("cat/a_1.png"), width("cat/a_1~2.png")), (7, 6));
    assert_eq!(width("_._.._evil/=1+1.png"), 8);
    assert_eq!(std::fs::read_dir(folder.path().join("out")).unwrap().count(), 1);

    // A file's name is told as it is, and what a person typed is no formula.
    store.decide(&[said(3, "=1+1")]).unwrap();
    let text = String::from_utf8(bytes(&store, Format::Csv).unwrap()).unwrap();
    assert!(text.lines().any(|line| line.starts_with("=1+1.png,'=1+1,ann,")), "{text}");

    // One image is gone: no folder is begun.
    std::fs::remove_file(folder.path().join("queue/a_1.png")).unwrap();
    let all = folder.path().join("all");
    assert!(write(&store, &all).unwrap_err().to_string().contains("a_1.png"));
    assert!(!all.exists());
}

/// What a person made of two proposed boxes and a mask: one confirmed, one moved, the mask given
/// another label, and a polygon with a text added; in another image everything was removed.
fn places(folder: &Path) -> Store {
    let store = store(folder);
    let region = |json: &str| -> Option<Region> {
        serde_json::from_str::<Slot>(&format!("{{{json},\"ranked\":[]}}")).unwrap().at
    };
    let [first, second, moved, mask, polygon] = [
        r#""box":[0.1,0.2,3.3,2.6]"#,
        r#""box":[1,1,2,2]"#,
        r#""box":[1,1.25,2,2]"#,
        // Rows 1 and 2 of columns 1 and 2 of 4 rows.
        r#""mask":{"size":[4,6],"counts":[5,2,2,2,13]}"#,
        r#""polygon":[[0,0],[4,0],[0,3]]"#,
    ]
    .map(region);
    let slot = |at: &Option<Region>, label: &str| Slot {
        at: at.clone(),
        ranked: vec![Suggestion::new(label, 0.5)],
    };
    let slots = vec![slot(&first, "cat"), slot(&second, "=dog"), slot(&mask, "cat")];
    let label = |label: &str| Answer::Label(label.into());
    let verdict = |slot, at: &Option<Region>, answer| Verdict {
        slot,
        annotation: Some(Annotation { at: at.clone(), answer }),
    };
    let decision = |item, verdicts| Decision {
        item,
        person: "ann".into(),
        at: 20.0,
        seconds: None,
        action: Action::Label,
        verdicts,
        proposed: Some(Proposal { slots: slots.clone() }),
        weights: None,
        hidden: false,
        grid: false,
        key: None,
    };
    let some = vec![
        verdict(Some(0), &first, label("cat")),
        verdict(Some(1), &moved, label("=dog")),
        verdict(Some(2), &mask, label("=dog")),
        verdict(None, &polygon, Answer::Text("EXIT".into())),
    ];
    let none = (0..3).map(|slot| Verdict { slot: Some(slot), annotation: None }).collect();
    store.decide(&[decision(1, some), decision(4, none)]).unwrap();
    store
}

#[test]
fn every_place_that_stands_is_in_coco_and_images_without_any_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = places(folder.path());
    let coco: Value = serde_json::from_slice(&bytes(&store, Format::Coco).unwrap()).unwrap();
    let names: Vec<&str> = coco["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["file_name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["a/1.png", "a/4.png"], "labels of the whole have no place");
    let categories: Vec<&Value> =
        coco["categories"].as_array().unwrap().iter().map(|category| &category["name"]).collect();
    assert_eq!(categories, [&json!("cat"), &json!("=dog"), &json!("text")]);
    assert_eq!(
        coco["annotations"],
        json!([
            {"id": 1, "image_id": 1, "category_id": 0, "iscrowd": 0, "area": 7.68,
             "bbox": [0.1, 0.2, 3.2, 2.4]},
            {"id": 2, "image_id": 1, "category_id": 1, "iscrowd": 0, "area": 0.75,
             "bbox": [1.0, 1.25, 1.0, 0.75]},
            {"id": 3, "image_id": 1, "category_id": 1, "iscrowd": 0, "area": 4,
             "bbox": [1.0, 1.0, 2.0, 2.0],
             "segmentation": {"size": [4, 6], "counts": [5, 2, 2, 2, 13]}},
            {"id": 4, "image_id": 1, "category_id": 2, "iscrowd": 0, "area": 6.0,
             "bbox": [0.0, 0.0, 4.0, 3.0], "text": "EXIT",
             "segmentation": [[0.0, 0.0, 4.0, 0.0, 0.0, 3.0]]},
        ])
    );
}

#[test]
fn a_table_has_a_line_for_each_place() {
    let folder = tempfile::tempdir().unwrap();
    let store = places(folder.path());
    let text = String::from_utf8(bytes(&store, Format::Csv).unwrap()).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().unwrap().iter().next_back(), Some("region"));
    let lines: Vec<csv::StringRecord> = reader.records().map(|record| record.unwrap()).collect();
    let said: Vec<[&str; 4]> =
        lines.iter().map(|line| [&line[0], &line[1], &line[5], &line[9]]).collect();
    assert_eq!(said[0], ["a/1.png", "cat", "confirmed", r#"{"box":[0.1,0.2,3.3,2.6]}"#]);
    assert_eq!(said[1], ["a/1.png", "'=dog", "moved", r#"{"box":[1.0,1.25,2.0,2.0]}"#]);
    assert_eq!((said[2][2], said[3][1], said[3][2]), ("corrected", "EXIT", "added"));
    assert_eq!(said[4], ["a/2.png", "'=dog", "corrected", ""]);
    assert_eq!(said.last().unwrap(), &["a/4.png", "", "removed", ""]);
    assert!(bytes(&store, Format::Parquet).is_ok());
    let why = write(&store, &folder.path().join("images")).unwrap_err().to_string();
    assert!(why.contains("expected FILE.json"), "{why}");
}

#[test]
fn no_cell_begins_as_a_formula() {
    for cell in ["=1", "+a", "-a", "@a", "\t=1", "\r=1", "\n=1"] {
        assert_eq!(harmless(cell), format!("'{cell}"));
    }
    for cell in ["-1.5", "+2", "a=1", "", " a"] {
        assert_eq!(harmless(cell), cell);
    }
}
