//! The figures of a split, by their standard names.

use crate::metrics::{Class, Judged, Summary, evaluate};
use crate::verdicts::ranked;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use tenfold_core::task::{Scores, Split};

/// What a person and a program are told.
pub fn scores(images: &[Judged], labels: &[String], split: Split) -> Scores {
    let own = evaluate(images, labels.len());
    let of_classes = |of: fn(&Class) -> Option<f64>| {
        let all: Vec<f64> = own.classes.iter().filter_map(of).collect();
        (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
    };
    let objects: usize = own.classes.iter().map(|class| class.count).sum();
    let classes: Map<String, Value> = labels
        .iter()
        .zip(&own.classes)
        .map(|(label, class)| (label.clone(), of_class(class)))
        .collect();
    let Summary { ap, ap50, ap75, by_size, recall, recall_by_size, .. } = &own;
    let json = json!({
        "map": ap, "map50": ap50, "map75": ap75,
        "map_small": by_size[0], "map_medium": by_size[1], "map_large": by_size[2],
        "recall1": recall[0], "recall10": recall[1], "recall100": recall[2],
        "recall_small": recall_by_size[0], "recall_medium": recall_by_size[1],
        "recall_large": recall_by_size[2],
        "voc2007": of_classes(|class| class.voc07), "voc2010": of_classes(|class| class.voc10),
        "classes": classes, "objects": objects, "count": images.len(),
    });
    let line = format!(
        "mAP50 {}, mAP {} on {} {} images with {objects} objects",
        percent(*ap50),
        percent(*ap),
        images.len(),
        split.name()
    );
    Scores { details: details(&own, labels), ..Scores::new(json, line) }
}

fn of_class(class: &Class) -> Value {
    json!({ "count": class.count, "map": class.ap, "map50": class.ap50,
            "voc2007": class.voc07, "voc2010": class.voc10 })
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{:.1} %", 100.0 * value))
}

fn details(own: &Summary, labels: &[String]) -> String {
    let mut text = String::new();
    let [small, medium, large] = own.by_size.map(percent);
    let _ = writeln!(
        text,
        "mAP75 {}; small {small}, medium {medium}, large {large}",
        percent(own.ap75)
    );
    let [one, ten, hundred] = own.recall.map(percent);
    let _ = writeln!(text, "average recall with 1, 10, 100 boxes: {one}, {ten}, {hundred}");
    for (label, class) in labels.iter().zip(&own.classes) {
        let (ap50, ap) = (percent(class.ap50), percent(class.ap));
        let _ = writeln!(text, "  {label}: mAP50 {ap50}, mAP {ap}, {} objects", class.count);
    }
    text
}

/// The score from which boxes are right and complete together: where F1, at IoU .5, is highest.
pub fn threshold(images: &[Judged]) -> Option<f32> {
    let objects: usize = images.iter().map(|image| image.objects.len()).sum();
    let (mut hits, mut best) = (0, (0.0, None));
    for (place, (score, right)) in ranked(images).into_iter().enumerate() {
        hits += usize::from(right);
        let f1 = 2.0 * hits as f64 / (place + 1 + objects) as f64;
        if f1 > best.0 {
            best = (f1, Some(score));
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::Detection;
    use tenfold_core::geometry::BoundingBox;

    #[test]
    fn the_threshold_is_where_f1_is_highest() {
        let at = |x: f32| BoundingBox::new(x, 0.0, x + 10.0, 10.0);
        let found = |score, x| Detection { label: 0, score, bounding_box: at(x) };
        let image = Judged {
            objects: vec![(0, at(0.0)), (0, at(20.0)), (0, at(40.0))],
            found: vec![
                found(0.9, 0.0),
                found(0.7, 20.0),
                found(0.4, 90.0),
                found(0.2, 40.0),
                found(0.1, 95.0),
            ],
        };
        // F1 2/4, 4/5, 4/6, 6/7, 6/8.
        assert_eq!(threshold(std::slice::from_ref(&image)), Some(0.2));
        let scores = scores(&[image], &["a".into(), "b".into()], Split::Test);
        assert_eq!(scores.json["classes"]["b"]["map"], Value::Null);
        assert!(scores.line.contains("1 test images with 3 objects"), "{}", scores.line);
        assert!(scores.figures().contains_key("map50"));
        assert_eq!(threshold(&[]), None);
    }
}
