//! What only a process of its own can show: full disks, Ctrl-C, closed pipes, a terminal, the
//! time from start to answer, and memory.

use crate::program::{
    LENET, Learnt, PATIENCE, Process, checkpoint, ended, folder, kill_after, met, piped, program,
    reference, resume_to_reference, run, succeed, train, wait_until,
};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The command under a shell that first does `setup`.
fn under(setup: &str, command: &Command) -> Command {
    let mut shell = piped("sh");
    shell.arg("-c").arg(setup).arg(command.get_program()).args(command.get_args());
    shell
}

/// The command on a disk where no file can grow beyond `blocks` of 512 bytes.
fn on_a_full_disk(blocks: u32, command: &Command) -> Command {
    under(&format!(r#"trap "" XFSZ; ulimit -f {blocks}; exec "$0" "$@""#), command)
}

/// Sends a signal; Ctrl-C sends SIGINT.
fn signal(name: &str, child: &Process) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
}

/// A small trained run, and an image beside it.
fn trained(model: &str) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let (folder, run) = folder();
    succeed(&mut train(&format!("train {model} --limit 100 --epochs 1"), &run));
    let picture = folder.path().join("seven.png");
    let bar = |x: u32, y: u32| if (5..8).contains(&y) || x + y / 2 == 20 { 230 } else { 10 };
    image(&picture, bar);
    (folder, run, picture)
}

/// Writes a grey image of 28 x 28 as binary PGM under any name: the content tells.
fn image(path: &Path, pixel: impl Fn(u32, u32) -> u8) {
    let mut bytes = b"P5 28 28 255\n".to_vec();
    bytes.extend((0..28 * 28).map(|i| pixel(i % 28, i / 28)));
    std::fs::write(path, bytes).unwrap();
}

fn predict(run: &Path, picture: &Path) -> Command {
    let mut command = program();
    command.arg("predict").arg(run).arg(picture);
    command
}

#[test]
fn a_disk_that_is_full_from_the_start() {
    let (_folder, run_folder) = folder();
    let ended = run(&mut on_a_full_disk(100, &train(LENET, &run_folder)));
    let weights = run_folder.join("model.safetensors");
    let start = format!("error: {}: File too large", weights.display());
    assert!(ended.error().starts_with(&start), "{}", ended.error());
    assert!(!weights.exists());
    resume_to_reference(&run_folder);
}

#[test]
fn a_disk_that_fills_up_keeps_the_last_checkpoint() {
    let (_folder, run_folder, ()) = met(|run| {
        let child = Process::start(&mut train(LENET, run));
        kill_after(child, || checkpoint(run, 1).exists(), Duration::ZERO)?;
        (!checkpoint(run, 2).exists()).then_some(())
    });
    // Weights fit, the optimiser's numbers, twice as long, do not.
    let resume = train("train lenet --resume", &run_folder);
    let ended = run(&mut on_a_full_disk(3600, &resume));
    let error = ended.error();
    assert!(error.contains("optimizer: File too large"), "{error}");
    assert!(checkpoint(&run_folder, 1).join("state.json").exists());
    assert!(!checkpoint(&run_folder, 2).exists());
    resume_to_reference(&run_folder);
}

#[test]
fn a_run_is_measured_from_another_folder_than_it_was_trained_in() {
    let (folder, run_folder) = folder();
    for (class, level) in [("dark", 10), ("bright", 200)] {
        std::fs::create_dir_all(folder.path().join("data").join(class)).unwrap();
        for i in 0..20 {
            let path = folder.path().join(format!("data/{class}/{i}.png"));
            image(&path, |x, y| level + ((x + y + i) % 28) as u8);
        }
    }
    let mut train = program();
    train.args("train logistic --data data --out run --epochs 1".split(' '));
    succeed(train.current_dir(folder.path()));
    let elsewhere = tempfile::tempdir().unwrap();
    let mut eval = program();
    succeed(eval.arg("eval").arg(&run_folder).current_dir(elsewhere.path()));
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let (folder, _) = folder();
    // Permissions do not bind root, under which tests may run: a file in the way does.
    let file = folder.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    for place in [file.clone(), file.join("run")] {
        let ended = run(&mut train("train logistic --limit 100 --epochs 1", &place));
        let start = format!("error: {}: ", place.display());
        assert!(ended.error().starts_with(&start), "{}", ended.error());
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    if cfg!(target_os = "linux") {
        let place = Path::new("/proc/tenfold-run");
        let ended = run(&mut train("train logistic --limit 100 --epochs 1", place));
        assert!(ended.error().starts_with("error: /proc/tenfold-run: "), "{}", ended.error());
    }

    // In the middle of a training: the checkpoints' folder cannot be made.
    let (_folder, run_folder, ended) = met(|run| {
        let mut child = Process::start(&mut train(LENET, run));
        wait_until(&mut child, || run.join("config.json").exists());
        let in_the_way = std::fs::write(run.join("checkpoint"), "in the way");
        let ended = ended(child);
        in_the_way.is_ok().then_some(ended)
    });
    assert!(ended.error().contains("checkpoint/.new: "), "{}", ended.error());
    std::fs::remove_file(run_folder.join("checkpoint")).unwrap();
    resume_to_reference(&run_folder);
}

#[test]
fn ctrl_c_and_a_termination_stop_where_nothing_is_lost() {
    for name in ["-INT", "-TERM"] {
        let (_folder, run_folder, ended) = met(|run| {
            let mut child = Process::start(&mut train(LENET, run));
            wait_until(&mut child, || checkpoint(run, 2).exists());
            signal(name, &child);
            let ended = ended(child);
            (ended.code != Some(0)).then_some(ended)
        });
        assert!(ended.error().contains("--resume continues after epoch"), "{}", ended.error());
        assert!(!run_folder.join("summary.json").exists());
        resume_to_reference(&run_folder);
    }
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    // A step over so many images takes a while, and the first Ctrl-C waits for its end.
    let line = "train lenet --limit 2000 --batch-size 2000 --epochs 100";
    let code = || {
        let (_folder, run_folder) = folder();
        let mut child = Process::start(&mut train(line, &run_folder));
        assert!(wait_until(&mut child, || checkpoint(&run_folder, 1).exists()));
        signal("-INT", &child);
        std::thread::sleep(Duration::from_millis(20));
        signal("-INT", &child);
        ended(child).code
    };
    // Where the step ends between the two, the first one has done it all: then again.
    for _ in 0..20 {
        match code() {
            Some(130) => return,
            code => assert_eq!(code, Some(1)),
        }
    }
    panic!("twenty times the step ended just between the two");
}

#[test]
fn two_trainings_never_share_a_folder() {
    let (_folder, run_folder) = folder();
    let mut first = Process::start(&mut train(LENET, &run_folder));
    assert!(wait_until(&mut first, || run_folder.join("config.json").exists()));
    // Held, so that it is still training when the second comes.
    signal("-STOP", &first);
    for line in ["train lenet --resume", "train lenet --limit 50 --overwrite"] {
        let second = run(&mut train(line, &run_folder));
        assert!(second.error().contains("another training"), "{}", second.error());
    }
    signal("-CONT", &first);
    assert_eq!(ended(first).code, Some(0));
    Learnt::read(&run_folder).assert_same(&reference().learnt);
}

/// `cargo test --release -p tenfold-classification at_once -- --ignored --nocapture`, on a quiet
/// machine.
#[test]
#[ignore = "a measurement: it judges the machine too"]
fn the_answer_comes_at_once() {
    for model in ["lenet", "mlp"] {
        let (_folder, run_folder, picture) = trained(model);
        let time = |_| {
            let begun = Instant::now();
            let answer = succeed(&mut predict(&run_folder, &picture));
            assert_eq!(answer.out.lines().count(), 1, "{}", answer.out);
            begun.elapsed()
        };
        let mut times: Vec<Duration> = (0..20).map(time).collect();
        times.sort();
        println!("predict by {model}, process start to answer: median {:?}", times[10]);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (folder, run_folder, picture) = trained("logistic");
    // Nobody reads the answers.
    let mut child = Process::start(&mut predict(&run_folder, &picture));
    drop(child.stdout.take());
    let answer = ended(child);
    assert_eq!((answer.code, &*answer.err), (Some(0), ""));
    // A reader that has enough after the first of many.
    let mut many = predict(&run_folder, &picture);
    many.args(std::iter::repeat_n(&picture, 3000));
    let head = succeed(&mut under(r#""$0" "$@" | head -1"#, &many));
    assert_eq!((head.out.lines().count(), &*head.err), (1, ""));
    // Nobody reads the progress; the training is worth more than its lines.
    for redirection in ["2>&-", ">&-", ">&- 2>&-", "2>&1 | true"] {
        let again = folder.path().join("again");
        let command = train("train logistic --limit 100 --epochs 2 --overwrite", &again);
        let setup = format!(r#""$0" "$@" {redirection}"#);
        succeed(&mut under(&setup, &command));
        assert!(again.join("summary.json").exists(), "{redirection}");
        std::fs::remove_dir_all(&again).unwrap();
    }
    // An error that nobody reads still shows in the status.
    let nothing = folder.path().join("nothing.png");
    assert_eq!(run(&mut under(r#""$0" "$@" 2>&-"#, &predict(&run_folder, &nothing))).code, Some(1));
}

#[test]
#[cfg(target_os = "linux")]
fn answers_that_cannot_be_written_are_an_error() {
    let (_folder, run_folder, picture) = trained("logistic");
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let answer = run(predict(&run_folder, &picture).stdout(Stdio::from(full)));
    assert!(answer.error().starts_with("error: stdout: No space left"), "{}", answer.error());
}

/// Writes a data set of the size and format of MNIST.
#[cfg(target_os = "linux")]
fn write_idx(folder: &Path) {
    let mut random = tenfold_core::data::random::SplitMix64::new(3);
    let mut text = String::from("layout = \"idx\"\nclasses = [\"0\", \"1\", \"2\", \"3\"]\n");
    for (split, count) in [("train", 60_000_u32), ("test", 10_000)] {
        let (images, labels) = (format!("{split}-images"), format!("{split}-labels"));
        let mut bytes = vec![0, 0, 8, 3];
        [count, 28, 28].iter().for_each(|size| bytes.extend(size.to_be_bytes()));
        bytes.extend((0..count * 28 * 28 / 8).flat_map(|_| random.bits().to_le_bytes()));
        std::fs::write(folder.join(&images), bytes).unwrap();
        let mut bytes = vec![0, 0, 8, 1];
        bytes.extend(count.to_be_bytes());
        bytes.extend((0..count).map(|i| (i % 4) as u8));
        std::fs::write(folder.join(&labels), bytes).unwrap();
        text += &format!("[splits.{split}]\nimages = \"{images}\"\nlabels = \"{labels}\"\n");
    }
    std::fs::write(folder.join("dataset.toml"), text).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn sixty_thousand_pictures_in_less_than_a_gigabyte() {
    let (folder, run_folder) = folder();
    write_idx(folder.path());
    let mut command = train("train mlp --epochs 1", &run_folder);
    let mut child = Process::start(command.arg("--data").arg(folder.path()));
    assert!(wait_until(&mut child, || run_folder.join("config.json").exists()));
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let begun = Instant::now();
    // To the end, for what comes after the last step takes memory too.
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE, "waited for {PATIENCE:?}");
        // A process that has just ended has a status without memory.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        peak = kilobytes.map_or(peak, |number| number.trim().parse().unwrap());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(ended(child).code, Some(0));
    println!("peak memory of training mlp on 60,000 images: {} MB", peak / 1000);
    assert!(peak > 47_040, "the images alone take more");
    assert!(peak < 1_000_000, "{peak} kB");
}

#[test]
fn progress_is_lines_where_there_is_no_terminal() {
    let (_folder, run_folder) = folder();
    let err = succeed(&mut train("train logistic --limit 100 --epochs 1", &run_folder)).err;
    assert!(!err.contains(['\r', '\u{1b}']), "{err:?}");
    let starts = ["logistic on glyphs: ", "epoch 1/1 train ", "epoch 1/1 validation "];
    assert_eq!(err.lines().count(), starts.len(), "{err}");
    assert!(err.lines().zip(starts).all(|(line, start)| line.starts_with(start)), "{err}");
}

#[test]
#[cfg(target_os = "linux")]
fn progress_is_a_bar_on_a_terminal() {
    // `script` gives a command a terminal.
    if Command::new("script").arg("--version").output().is_err() {
        println!("left out: this machine has no `script`");
        return;
    }
    let (_folder, run_folder) = folder();
    let command = train("train logistic --limit 3000 --epochs 1", &run_folder);
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| format!("'{}'", word.to_str().unwrap()));
    let line = line.collect::<Vec<_>>().join(" ");
    let mut terminal = piped("script");
    terminal.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm");
    let out = succeed(&mut terminal).out;
    for part in ["epoch 1/1 [", "=", " %", "/s", " left", "accuracy"] {
        assert!(out.contains(part), "no `{part}` in {out:?}");
    }
}
