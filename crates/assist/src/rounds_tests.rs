use super::*;

#[test]
fn rounds_belong_to_their_store_and_are_opened_by_what_it_recorded() {
    let root = tempfile::tempdir().unwrap();
    let [a, b] = ["a.sqlite", "b.sqlite"].map(|name| root.path().join(name));
    assert_ne!(folder(&a, 1), folder(&b, 1));
    let made = |round: i64, taken| {
        let out = folder(&a, round);
        std::fs::create_dir_all(&out).unwrap();
        std::fs::write(out.join("config.json"), "{}").unwrap();
        std::fs::write(out.join("model.safetensors"), format!("weights {round}")).unwrap();
        let weights = weights::digest(&out.join("model.safetensors")).unwrap()[..12].into();
        let (accuracy_before, accuracy) = (None, None);
        let run = out.display().to_string();
        Round { round, run, weights, at: 0.0, decisions: 20, accuracy_before, accuracy, taken }
    };
    let rounds = [made(1, true), made(2, true), made(3, false)];
    assert_eq!(last_taken(&rounds), Some(&rounds[1]));
    // Other weights stand where the second's were: the first's are the last that are known.
    std::fs::write(folder(&a, 2).join("model.safetensors"), "another's").unwrap();
    assert_eq!(last_taken(&rounds), Some(&rounds[0]));
    std::fs::remove_dir_all(folder(&a, 1)).unwrap();
    assert_eq!(last_taken(&rounds), None);
}
