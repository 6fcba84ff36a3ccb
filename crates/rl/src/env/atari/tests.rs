use super::*;
use std::io::Write as _;
use std::process::Command;

/// Speaks the protocol with nothing but Python: a screen of one brightness, the number of the
/// step; the action pays its number less one; the game is over after 7 steps. What the game is
/// called decides what goes wrong.
const FAKE: &str = r#"
import os, struct, sys
rom, count, skip, life = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "1"
out, read = sys.stdout.buffer, sys.stdin.buffer.read
def say(kind, text):
    out.write(kind + struct.pack("<H", len(text)) + text)
    out.flush()
if rom == "misspelt":
    say(b"ROMS", b"pong,breakout,misspelled,seaquest")
    sys.exit()
if rom == "bare":
    say(b"MISS", b"No module named 'ale_py'")
    sys.exit()
if rom == "garbage":
    say(b"WHAT", b"ever")
    sys.exit()
if rom == "mute":
    sys.exit("it does not like\nthis machine")
say(b"PLAY", bytes([0, 1, 3]))
steps = [0] * count
asked = 0
while True:
    request = read(1)
    if not request:
        break
    asked += 1
    for i in range(count):
        if request == b"R":
            steps[i] = read(1)[0]
            out.write(struct.pack("<fB", 0, 0) + bytes([steps[i]]) * 33600)
        elif request == b"S":
            action, noops, kept, cut = read(4)
            if rom == "dies" and asked == 4:
                sys.exit("out of coins")
            steps[i] += 1
            reward = float("nan") if rom == "nan" else 5.0 * (action - 1)
            over = steps[i] % 7 == 0
            lost = life and not over and steps[i] % 7 == 3
            flags = over + 2 * lost + 4 * cut + (8 if rom == "flags" else 0)
            out.write(struct.pack("<fB", reward, flags) + bytes([steps[i]]) * 33600)
            if over:
                steps[i] = 0
            if flags:
                out.write(bytes([steps[i]]) * 33600)
        elif request == b"G":
            out.write(struct.pack("<BBI", 0, 0, 1) + bytes([steps[i]]))
        elif request == b"P":
            read(6)
            steps[i] = read(1)[0]
    out.flush()
"#;

/// Says so where the test harness does not keep it to itself.
fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED a test of Atari: {why}");
}

/// Games of the fake; none and a loud word where there is no Python.
fn fake(rom: &str, games: usize, change: impl Fn(&mut Options)) -> Option<Result<Atari>> {
    if Command::new("python3").arg("--version").output().is_err() {
        skipped("no python3 to play with");
        return None;
    }
    let mut options = Options { rom: rom.to_owned(), noops: 0, ..Options::default() };
    change(&mut options);
    Some(Atari::with_script(&options, games, games.min(2), FAKE))
}

fn refusal(rom: &str) -> Option<String> {
    Some(fake(rom, 1, |_| {})?.err().expect("expected a refusal").to_string())
}

/// The brightness of every image of a row.
fn stack(atari: &Atari, row: usize) -> Vec<u8> {
    atari.observations[row * CELLS..][..CELLS].chunks(PICTURE).map(|p| p[0]).collect()
}

#[test]
fn images_are_stacked_and_games_begin_anew() {
    let Some(atari) = fake("pong", 3, |options| options.episodic_life = false) else { return };
    let mut atari = atari.unwrap();
    assert_eq!(atari.spec().actions, ["noop", "fire", "right"]);
    assert_eq!(stack(&atari, 2), [0; 4]);
    for step in 1..=6 {
        atari.step(&[0, 1, 2]).unwrap();
        assert_eq!(atari.rewards(), [-1.0, 0.0, 1.0], "clipped");
        assert_eq!((atari.terminated(), atari.truncated()), (&[false; 3][..], &[false; 3][..]));
        let expected: Vec<u8> = (step - 3..=step).map(|s: i32| s.max(0) as u8).collect();
        assert_eq!(stack(&atari, 1), expected);
    }
    atari.step(&[0, 1, 2]).unwrap();
    assert_eq!(atari.terminated(), [true; 3]);
    assert_eq!(stack(&atari, 0), [0; 4], "the first of the next game");
    let Observations::Bytes(last) = atari.last_observation(0) else { unreachable!() };
    assert_eq!([last[0], last[CELLS - 1]], [4, 7]);
    let scores: Vec<_> = atari.episodes().iter().map(|e| (e.row, e.score, e.length)).collect();
    assert_eq!(scores, [(0, -35.0, 7), (1, 0.0, 7), (2, 35.0, 7)], "whole games, not clipped");
}

#[test]
fn a_lost_life_ends_an_episode_but_no_game() {
    let Some(atari) = fake("pong", 1, |options| options.clip_rewards = false) else { return };
    let mut atari = atari.unwrap();
    let mut ends = Vec::new();
    for step in 1..=7 {
        atari.step(&[2]).unwrap();
        assert_eq!(atari.rewards(), [5.0]);
        if atari.terminated()[0] {
            ends.push((step, atari.episodes().len()));
        }
    }
    assert_eq!(ends, [(3, 0), (7, 1)]);
    assert_eq!(atari.episodes()[0], Episode { row: 0, score: 35.0, length: 7 });
}

#[test]
fn states_are_saved_and_restored() {
    let Some(first) = fake("pong", 3, |options| options.sticky = 0.25) else { return };
    let mut first = first.unwrap();
    for _ in 0..5 {
        first.step(&[0, 1, 2]).unwrap();
    }
    let state = first.save().unwrap();
    let mut second = fake("pong", 3, |options| options.sticky = 0.25).unwrap().unwrap();
    second.restore(&state).unwrap();
    assert_eq!(second.observations(), first.observations());
    for _ in 0..5 {
        first.step(&[0, 1, 2]).unwrap();
        second.step(&[0, 1, 2]).unwrap();
        assert_eq!(second.observations(), first.observations());
        assert_eq!(second.episodes(), first.episodes());
    }
    let mut other = fake("pong", 2, |_| {}).unwrap().unwrap();
    assert!(other.restore(&state).unwrap_err().to_string().contains("expected 2 of atari-pong"));
    assert!(other.restore(&state[..state.len() / 2]).is_err());
}

#[test]
fn a_process_that_dies_is_started_once_more() {
    let Some(atari) = fake("dies", 1, |_| {}) else { return };
    let mut atari = atari.unwrap();
    atari.step(&[0]).unwrap();
    atari.step(&[0]).unwrap();
    assert_eq!(atari.truncated(), [false]);
    // The fourth request kills it: the game is cut off and begins again.
    atari.step(&[0]).unwrap();
    assert_eq!((atari.truncated(), atari.rewards()), (&[true][..], &[0.0][..]));
    let Observations::Bytes(last) = atari.last_observation(0) else { unreachable!() };
    assert_eq!((last[CELLS - 1], stack(&atari, 0)), (2, vec![0; 4]));
    atari.step(&[0]).unwrap();
    atari.step(&[0]).unwrap();
    let error = atari.step(&[0]).unwrap_err().to_string();
    assert!(error.contains("said: out of coins"), "{error}");
    assert!(error.contains("exit status: 1"), "{error}");
}

#[test]
fn what_cannot_be_played_is_refused() {
    let Some(error) = refusal("misspelt") else { return };
    assert!(error.starts_with(
        "--rom: no game for one player is called `misspelt`; near ones are misspelled"
    ));
    let error = refusal("bare").unwrap();
    assert!(error.starts_with("--python: `python3` lacks ale-py (No module"), "{error}");
    assert!(error.contains("pip install ale-py"), "{error}");
    assert!(refusal("garbage").unwrap().contains("no sensible answer"));
    let error = refusal("mute").unwrap();
    assert!(error.ends_with("said: it does not like this machine"), "{error}");
    for rom in ["nan", "flags"] {
        let mut atari = fake(rom, 1, |_| {}).unwrap().unwrap();
        // The first fault is forgiven like any other death, the second is not.
        let error = atari.step(&[0]).and_then(|()| atari.step(&[0])).unwrap_err().to_string();
        assert!(error.contains(if rom == "nan" { "NaN" } else { "flags" }), "{error}");
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let open = |change: &dyn Fn(&mut Options), games| {
        let mut options = Options::default();
        change(&mut options);
        Atari::new(&options, games).err().expect("expected a refusal").to_string()
    };
    assert!(open(&|_| {}, 0).starts_with("--games: "));
    assert!(open(&|options| options.atari_skip = 0, 1).starts_with("--atari-skip: "));
    assert!(open(&|options| options.sticky = 1.5, 1).starts_with("--sticky: "));
    let error = open(&|options| options.python = Some("no/such/python".into()), 1);
    assert!(error.starts_with("--python: `no/such/python` was not found"), "{error}");
}

/// The Python that has ale-py, from the environment; a loud word without.
fn real() -> Option<Options> {
    let Some(python) = std::env::var_os("TENFOLD_ATARI_PYTHON") else {
        skipped("TENFOLD_ATARI_PYTHON names no Python with ale-py");
        return None;
    };
    Some(Options { python: Some(python.into()), ..Options::default() })
}

#[test]
fn pong_is_played_and_goes_on_from_a_saved_state() {
    let Some(options) = real() else { return };
    let mut atari = Atari::new(&options, 2).unwrap();
    assert_eq!(atari.spec().actions.len(), 6);
    atari.reset(1).unwrap();
    let mut random = Random::new(1);
    let mut scores = Vec::new();
    while scores.len() < 2 {
        let actions = [random.below(6), random.below(6)];
        atari.step(&actions).unwrap();
        scores.extend(atari.episodes().iter().map(|episode| episode.score));
    }
    // Who plays at random loses nearly every point of 21.
    assert!(scores.iter().all(|score| (-21.0..-14.0).contains(score)), "{scores:?}");
    let state = atari.save().unwrap();
    let mut other = Atari::new(&options, 2).unwrap();
    other.restore(&state).unwrap();
    for _ in 0..300 {
        let actions = [random.below(6), random.below(6)];
        atari.step(&actions).unwrap();
        other.step(&actions).unwrap();
        assert!(atari.observations() == other.observations());
        assert_eq!(atari.rewards(), other.rewards());
    }
}

#[test]
fn unknown_games_list_near_ones() {
    let Some(mut options) = real() else { return };
    options.rom = "space_invader".to_owned();
    let error = Atari::new(&options, 1).err().unwrap().to_string();
    assert!(error.contains("near ones are space_invaders"), "{error}");
    options.rom = "combat".to_owned();
    let error = Atari::new(&options, 1).err().unwrap().to_string();
    assert!(error.starts_with("--rom: no game for one player is called `combat`"), "{error}");
}
