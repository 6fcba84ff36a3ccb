use super::*;

#[test]
fn best_first_and_ties_in_order() {
    let labels: Vec<String> = ["a", "b", "c", "d"].map(String::from).into();
    let best = rank(&[0.1, 0.4, 0.4, 0.1], &labels, 3);
    let names: Vec<_> = best.iter().filter_map(|s| s.answer.label()).collect();
    assert_eq!(names, ["b", "c", "a"]);
    assert_eq!(best[0].score, 0.4);
}

#[test]
fn slots_come_back_from_json_and_damaged_ones_are_refused() {
    let ranked = vec![Suggestion::new("cat", 0.5)];
    let regions = [
        None,
        Some(Region::Box(BoundingBox::new(1.0, 2.0, 3.5, 4.0))),
        Some(Region::Polygon(vec![Point { x: 0.5, y: 1.0 }])),
        Some(Region::Mask(Rle { size: [1, 2], counts: vec![1, 1] })),
        Some(Region::Span(3..7)),
        Some(Region::Step(4)),
        Some(Region::Key("city".into())),
    ];
    let slot = |at| Slot { at, ranked: ranked.clone() };
    let proposal = Proposal { slots: regions.into_iter().map(slot).collect() };
    let text = serde_json::to_string(&proposal).unwrap();
    assert!(text.contains(r#"{"box":[1.0,2.0,3.5,4.0],"ranked":"#), "{text}");
    assert_eq!(serde_json::from_str::<Proposal>(&text).unwrap(), proposal);
    for wrong in [
        r#"[{"box":[1,2,3],"ranked":[]}]"#,
        r#"[{"box":[1,2,3,4],"step":1,"ranked":[]}]"#,
        r#"[{"bux":[1,2,3,4],"ranked":[]}]"#,
    ] {
        assert!(serde_json::from_str::<Proposal>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn asking_for_more_than_there_is_gives_all() {
    let labels = vec!["yes".to_string(), "no".to_string()];
    assert_eq!(rank(&[0.2, 0.8], &labels, 10).len(), 2);
}

#[test]
fn each_kind_of_answer_comes_back_from_json_and_older_numbers_are_read() {
    let estimate = Estimate { value: 9.5, low: Some(8.0), high: Some(11.0) };
    let plain = Estimate { value: -2.0, low: None, high: None };
    for (suggestion, expected) in [
        (Suggestion::new("cat", 0.5), r#"{"label":"cat","score":0.5}"#),
        (Suggestion::text("a cat", 0.5), r#"{"text":"a cat","score":0.5}"#),
        (Suggestion::number(estimate, 0.75), r#"{"value":9.5,"low":8.0,"high":11.0,"score":0.75}"#),
        (Suggestion::number(plain, 0.0), r#"{"value":-2.0,"score":0.0}"#),
        (Suggestion { answer: Answer::Absent, score: 1.0 }, r#"{"absent":true,"score":1.0}"#),
    ] {
        assert_eq!(serde_json::to_string(&suggestion).unwrap(), expected);
        assert_eq!(serde_json::from_str::<Suggestion>(expected).unwrap(), suggestion);
        let text = serde_json::to_string(&suggestion.answer).unwrap();
        assert_eq!(serde_json::from_str::<Answer>(&text).unwrap(), suggestion.answer);
    }
    let old = r#"{"label":"9.5","score":0.75,"value":9.5,"low":8.0,"high":11.0}"#;
    let number = serde_json::from_str::<Suggestion>(old).unwrap();
    assert_eq!((number.answer.to_string(), number.score), ("9.5".into(), 0.75));
    for wrong in [
        r#"{"score":0.5}"#,
        r#"{"label":"cat","text":"a cat","score":0.5}"#,
        r#"{"absent":false,"score":0.5}"#,
        r#"{"label":"cat"}"#,
    ] {
        assert!(serde_json::from_str::<Suggestion>(wrong).is_err(), "{wrong}");
    }
}
