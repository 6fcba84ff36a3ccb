//! `play` on a terminal, which `play.py` makes.
#![cfg(unix)]

use serde_json::Value;
use std::process::Command;

/// Presses keys, each when a screen was drawn: what was written, split at the screens, and what
/// stays on the terminal afterwards.
fn play(env: &str, presses: &[&str]) -> (Vec<String>, String) {
    let found = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/play.py"))
        .args([env!("CARGO_BIN_EXE_tenfold-rl"), env])
        .args(presses)
        .output()
        .expect("python3, whose standard library can make a terminal");
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!((&found["status"], &found["same"]), (&0.into(), &true.into()), "{found}");
    let said = found["said"].as_str().unwrap();
    let (screens, after) = said.split_once("\x1b[?1049l").unwrap();
    (screens.split("\x1b[H").skip(1).map(str::to_owned).collect(), after.to_owned())
}

#[test]
fn arrows_and_names_move_and_the_board_stays_in_its_place() {
    let right = ["\\x1b[C"; 10];
    let presses = [&["\\x1b[A", "fly\\r", "right\\r"][..], &right, &["down\\r"]].concat();
    let (screens, after) = play("cliff", &presses);
    assert!(after.contains("over after 13 steps") && after.contains("return -13"), "{after}");
    assert!(screens.iter().any(|screen| screen.contains("`fly` is no move")));
    for screen in screens {
        assert!(screen.matches("\r\n").count() < 24, "it would scroll: {screen:?}");
        assert!(screen.contains("0 up \u{2191}   1 right \u{2192}"), "{screen:?}");
    }
}

#[test]
fn the_terminal_is_given_back_when_one_stops() {
    for key in ["q", "\\x03", "\\x04", "up\\x03"] {
        let (_, after) = play("lander", &["\\x1b[A", key]);
        assert!(after.contains("return") && !after.contains("over"), "{key}: {after}");
    }
}
