//! `cargo xtask fetch`, the real binary, against servers and folders that misbehave.

use crate::support::*;
use std::process::Stdio;
use std::time::Duration;

/// What the toy data set holds: 200 kB without a pattern that hides an offset.
fn content() -> Vec<u8> {
    (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// A server and a toy data set to be had from it.
fn toy(manners: Manners) -> (Server, Toy) {
    let server = serve(content(), Manners { etag: "\"v1\"".to_owned(), ..manners });
    let toy = Toy::new(&[&server.url], content().len(), &sha256(&content()));
    (server, toy)
}

#[test]
fn fetches_once() {
    let (server, toy) = toy(Manners::default());
    assert_ok(&toy.fetch(&[]));
    toy.assert_there(&content());
    let again = toy.fetch(&[]);
    assert_ok(&again);
    assert!(String::from_utf8_lossy(&again.stderr).contains("already here"));
    assert_eq!(server.ranges.lock().expect("no panic").len(), 1);
    assert_ok(&toy.fetch(&["--force"]));
    assert_eq!(server.ranges.lock().expect("no panic").len(), 2);
    toy.assert_there(&content());
}

#[test]
fn resumes_when_the_connection_breaks() {
    let (server, toy) = toy(Manners { cut: Some((70_000, 2)), ..Manners::default() });
    assert_ok(&toy.fetch(&[]));
    toy.assert_there(&content());
    let ranges = server.ranges.lock().expect("no panic");
    assert_eq!(*ranges, ["", "bytes=70000-", "bytes=140000-"]);
}

#[test]
fn starts_anew_where_ranges_are_ignored() {
    let (server, toy) =
        toy(Manners { cut: Some((70_000, 1)), no_ranges: true, ..Manners::default() });
    assert_ok(&toy.fetch(&[]));
    toy.assert_there(&content());
    assert_eq!(*server.ranges.lock().expect("no panic"), ["", "bytes=70000-"]);
}

#[test]
fn starts_anew_where_another_range_comes() {
    let (server, toy) =
        toy(Manners { cut: Some((70_000, 1)), wrong_range: true, ..Manners::default() });
    assert_ok(&toy.fetch(&[]));
    toy.assert_there(&content());
    assert_eq!(*server.ranges.lock().expect("no panic"), ["", "bytes=70000-", ""]);
}

#[test]
fn answers_that_alternate_come_to_an_end() {
    // Always cut off after the same bytes, then another range, and so on: of five requests the
    // first alone brings something new.
    let always = Some((70_000, usize::MAX));
    let (server, wrong) = toy(Manners { cut: always, wrong_range: true, ..Manners::default() });
    assert_error(&wrong.fetch(&[]), "after 5 tries");
    wrong.assert_absent();
    let expected = ["", "bytes=70000-", "", "bytes=70000-", ""];
    assert_eq!(*server.ranges.lock().expect("no panic"), expected);
    // The same without ranges, and with redirections between.
    for redirects in [false, true] {
        let manners = Manners { cut: always, no_ranges: true, redirects, ..Manners::default() };
        let (server, other) = toy(manners);
        assert_error(&other.fetch(&[]), "after 5 tries");
        let requests = server.ranges.lock().expect("no panic").len();
        assert_eq!(requests, if redirects { 9 } else { 5 });
    }
}

#[test]
fn a_server_without_lengths_will_do() {
    let (_server, toy) = toy(Manners { bare: true, ..Manners::default() });
    assert_ok(&toy.fetch(&[]));
    toy.assert_there(&content());
}

/// Leaves in `toy` what a run killed in mid-download leaves: the first `n` bytes.
fn leave_a_part(toy: &Toy, url: &str, etag: &str, part: &[u8]) {
    let work = toy.path("data/.fetch/toy");
    std::fs::create_dir_all(work.join("tree/stale")).expect("created");
    std::fs::write(work.join("toy.bin.part"), part).expect("written");
    std::fs::write(work.join("toy.bin.from"), format!("{url}/toy.bin\n{etag}\n")).expect("written");
}

#[test]
fn continues_the_part_of_an_earlier_run() {
    for (etag, expected) in [("\"v1\"", "bytes=50000-"), ("\"v0\"", "bytes=50000-")] {
        let (server, toy) = toy(Manners::default());
        // A part of another version is not what the server has now.
        let part = if etag == "\"v1\"" { content()[..50_000].to_vec() } else { vec![0; 50_000] };
        leave_a_part(&toy, &server.url, etag, &part);
        assert_ok(&toy.fetch(&[]));
        toy.assert_there(&content());
        assert_eq!(*server.ranges.lock().expect("no panic"), [expected]);
    }
}

#[test]
fn a_whole_part_needs_no_more_bytes() {
    let (server, toy) = toy(Manners::default());
    leave_a_part(&toy, &server.url, "\"v1\"", &content());
    assert_ok(&toy.fetch(&[]));
    toy.assert_there(&content());
    assert_eq!(*server.ranges.lock().expect("no panic"), ["bytes=200000-"]);
}

#[test]
fn a_wrong_part_is_fetched_again() {
    let (server, toy) = toy(Manners::default());
    leave_a_part(&toy, &server.url, "\"v1\"", &vec![7; 50_000]);
    assert_ok(&toy.fetch(&[]));
    toy.assert_there(&content());
    assert_eq!(*server.ranges.lock().expect("no panic"), ["bytes=50000-", ""]);
}

#[test]
fn a_part_of_another_address_is_not_continued() {
    let (server, toy) = toy(Manners::default());
    leave_a_part(&toy, "http://127.0.0.1:1", "\"v1\"", &content()[..50_000]);
    assert_ok(&toy.fetch(&[]));
    toy.assert_there(&content());
    assert_eq!(*server.ranges.lock().expect("no panic"), [""]);
}

#[test]
fn a_missing_file_is_told_and_the_next_address_tried() {
    let (bad, gone) = toy(Manners { status: Some(404), ..Manners::default() });
    assert_error(&gone.fetch(&[]), "HTTP status 404");
    gone.assert_absent();
    let wrong = serve(vec![1; 200_000], Manners::default());
    let good = serve(content(), Manners::default());
    let digest = sha256(&content());
    let toy = Toy::new(&[&bad.url, &wrong.url, &good.url], 200_000, &digest);
    assert_ok(&toy.fetch(&[]));
    toy.assert_there(&content());
}

#[test]
fn an_unreachable_server_is_told() {
    let toy = Toy::new(&["http://127.0.0.1:1"], 10, &sha256(b""));
    assert_error(&toy.fetch(&[]), "http://127.0.0.1:1/toy.bin");
    toy.assert_absent();
}

#[test]
fn a_wrong_digest_shows_nothing() {
    let server = serve(content(), Manners::default());
    let toy = Toy::new(&[&server.url], content().len(), &sha256(b"other"));
    for _ in 0..2 {
        assert_error(&toy.fetch(&[]), "expected SHA-256");
        toy.assert_absent();
    }
    // It replaces nothing either.
    let (_server, toy) = self::toy(Manners::default());
    assert_ok(&toy.fetch(&[]));
    let mirror = toy.path("mirror/toy");
    std::fs::create_dir_all(&mirror).expect("created");
    std::fs::write(mirror.join("toy.bin"), vec![0; content().len()]).expect("written");
    let mirror = toy.path("mirror").display().to_string();
    assert_error(&toy.fetch(&["--force", "--mirror", &mirror]), "expected SHA-256");
    assert!(std::fs::read(toy.path("data/toy/toy.bin")).expect("there") == content());
}

#[test]
fn an_endless_download_is_stopped() {
    for bare in [false, true] {
        let server = serve(vec![0; 4 << 20], Manners { bare, ..Manners::default() });
        let toy = Toy::new(&[&server.url], 1000, &sha256(b""));
        assert_error(&toy.fetch(&[]), "longer than");
        toy.assert_absent();
    }
}

#[test]
fn a_mirror_is_a_folder_or_an_address() {
    let server = serve(content(), Manners::default());
    let toy = Toy::new(&["http://127.0.0.1:1"], content().len(), &sha256(&content()));
    assert_ok(&toy.fetch(&["--mirror", &format!("{}/", server.url)]));
    toy.assert_there(&content());
    let folder = toy.path("no-mirror").display().to_string();
    assert_error(&toy.fetch(&["--force", "--mirror", &folder]), "no such file in the mirror");
}

#[test]
fn what_is_in_the_way_is_not_touched() {
    let (_server, toy) = toy(Manners::default());
    std::fs::create_dir_all(toy.path("data/toy")).expect("created");
    std::fs::write(toy.path("data/toy/mine"), "mine").expect("written");
    assert_error(&toy.fetch(&[]), "holds no dataset.toml");
    assert!(toy.path("data/toy/mine").is_file());
    assert_ok(&toy.fetch(&["--force"]));
    toy.assert_there(&content());
    // Killed between the two renames of a replacement: the old one comes back.
    std::fs::create_dir_all(toy.path("data/.fetch/toy")).expect("created");
    std::fs::rename(toy.path("data/toy"), toy.path("data/.fetch/toy/old")).expect("moved");
    let back = toy.fetch(&["--mirror", "no-mirror"]);
    assert_ok(&back);
    assert!(String::from_utf8_lossy(&back.stderr).contains("already here"));
    // A file that went missing is noticed.
    std::fs::remove_file(toy.path("data/toy/toy.bin")).expect("removed");
    assert_error(&toy.fetch(&[]), "is incomplete");
    // A change of the description alone needs no download.
    assert_ok(&toy.fetch(&["--force"]));
    let text = std::fs::read_to_string(toy.path("toy.toml")).expect("there");
    std::fs::write(toy.path("toy.toml"), text.replace("A toy", "The toy")).expect("written");
    assert_ok(&toy.fetch(&[]));
    let marker = std::fs::read_to_string(toy.path("data/toy/dataset.toml")).expect("there");
    assert!(marker.contains("The toy"));
}

#[test]
fn a_data_folder_that_cannot_be_written_is_told() {
    let (_server, toy) = toy(Manners::default());
    std::fs::write(toy.path("data"), "a file").expect("written");
    assert_error(&toy.fetch(&[]), "data");
    // Root may write anywhere but here.
    #[cfg(target_os = "linux")]
    {
        let mut command = xtask();
        command.arg("fetch").arg(toy.path("toy.toml")).args(["--data-dir", "/proc/tenfold"]);
        assert_error(&command.output().expect("xtask runs"), "/proc/tenfold");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_shows_nothing() {
    let (_server, toy) = toy(Manners::default());
    let mirror = toy.path("mirror/toy");
    std::fs::create_dir_all(&mirror).expect("created");
    std::fs::write(mirror.join("toy.bin"), content()).expect("written");
    // A limit on file sizes stands for a small disk: writing beyond it fails.
    let mut shell = std::process::Command::new("sh");
    let fetch =
        "trap '' XFSZ; ulimit -f 16; exec \"$0\" fetch \"$1\" --data-dir \"$2\" --mirror \"$3\"";
    shell.args(["-c", fetch, env!("CARGO_BIN_EXE_xtask")]);
    shell.arg(toy.path("toy.toml")).arg(toy.path("data")).arg(toy.path("mirror"));
    assert_error(&shell.output().expect("sh runs"), "too large");
    toy.assert_absent();
    assert_ok(&toy.fetch(&[]));
    toy.assert_there(&content());
}

#[test]
fn a_killed_fetch_shows_nothing_and_the_next_one_finishes() {
    // About a second for all of it.
    let (server, toy) = toy(Manners { slow: true, ..Manners::default() });
    let part = toy.path("data/.fetch/toy/toy.bin.part");
    for i in 1..=6 {
        let mut child = toy.command(&[]).stderr(Stdio::null()).spawn().expect("xtask runs");
        let there = || std::fs::metadata(&part).map_or(0, |part| part.len());
        while there() < 25_000 * i && child.try_wait().expect("asked").is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
        if toy.path("data/toy").exists() {
            break;
        }
    }
    assert_ok(&toy.fetch(&[]));
    toy.assert_there(&content());
    let ranges = server.ranges.lock().expect("no panic");
    assert!(ranges.iter().any(|range| !range.is_empty()), "nothing was resumed: {ranges:?}");
}

#[test]
fn a_fetch_killed_while_it_unpacks_shows_nothing() {
    // Killed at many moments of a fetch without a network, whichever step that is.
    let toy = Toy::new(&["http://127.0.0.1:1"], 40_000_000, &sha256(&vec![5; 40_000_000]));
    let mirror = toy.path("mirror/toy");
    std::fs::create_dir_all(&mirror).expect("created");
    std::fs::write(mirror.join("toy.bin"), vec![5; 40_000_000]).expect("written");
    let mirror = toy.path("mirror").display().to_string();
    for i in 0..10 {
        let mut command = toy.command(&["--mirror", &mirror]);
        let mut child = command.stderr(Stdio::null()).spawn().expect("xtask runs");
        std::thread::sleep(Duration::from_millis(7 * i));
        child.kill().expect("killed");
        child.wait().expect("gone");
        if toy.path("data/toy").exists() {
            assert_eq!(
                std::fs::metadata(toy.path("data/toy/toy.bin")).expect("there").len(),
                40_000_000
            );
            assert!(toy.path("data/toy/dataset.toml").is_file());
        }
    }
    assert_ok(&toy.fetch(&["--mirror", &mirror]));
    assert!(toy.path("data/toy/toy.bin").is_file());
}

#[test]
fn two_at_once_do_it_once() {
    let (server, toy) = toy(Manners { slow: true, ..Manners::default() });
    let start = || toy.command(&[]).stderr(Stdio::piped()).spawn().expect("xtask runs");
    let children = [start(), start(), start()];
    for child in children {
        assert_ok(&child.wait_with_output().expect("ends"));
    }
    toy.assert_there(&content());
    assert_eq!(server.ranges.lock().expect("no panic").len(), 1);
}

#[test]
fn an_archive_that_escapes_shows_nothing() {
    let mut gnu = tar::Header::new_gnu();
    gnu.as_gnu_mut().expect("GNU").name[..10].copy_from_slice(b"../../evil");
    gnu.set_size(4);
    gnu.set_cksum();
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), Default::default()));
    tar.append(&gnu, &b"evil"[..]).expect("in memory");
    let bytes = tar.into_inner().and_then(|gz| gz.finish()).expect("in memory");
    let server = serve(bytes, Manners::default());
    let toy = Toy::new(&[&server.url], 4, &sha256(b"evil"));
    let text = std::fs::read_to_string(toy.path("toy.toml")).expect("there");
    let archive = "unpack = \"tar.gz\"\nkeep = [\"toy.bin\"]\nentries = 1\n";
    let text = text.replace("dest = \"toy.bin\"\n", archive);
    std::fs::write(toy.path("toy.toml"), text).expect("written");
    assert_error(&toy.fetch(&[]), "`..`");
    toy.assert_absent();
    assert!(!toy.path("data/evil").exists() && !toy.path("evil").exists());
}

#[test]
fn wrong_command_lines_are_told() {
    let run = |args: &[&str]| xtask().args(args).output().expect("xtask runs");
    assert_error(&run(&["fetch", "mnits"]), "the nearest are mnist");
    assert_error(&run(&["fetch", "no/such.toml"]), "no/such.toml");
    for args in
        [&["fetch"][..], &["fetch", "--json", "mnist"], &["fetch", "--json"], &["fetsh"], &[]]
    {
        assert_eq!(run(args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn the_list_shows_what_is_present() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let list = |more: &[&str]| {
        let mut command = xtask();
        command.args(["fetch", "--list", "--data-dir"]).arg(dir.path()).args(more);
        let output = command.output().expect("xtask runs");
        assert_ok(&output);
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    assert!(list(&[]).lines().any(|line| line.starts_with("mnist ")));
    let json: Vec<serde_json::Value> = serde_json::from_str(&list(&["--json"])).expect("JSON");
    assert!(json.iter().any(|d| d["name"] == "mnist" && d["present"] == false));
}

#[test]
fn the_mirror_has_the_real_ones() {
    let Some(mirror) = mirror() else {
        println!("skipped: no ../shared/mirror here");
        return;
    };
    let names = ["mnist", "tinyshakespeare", "tabular", "multi30k"];
    let dir = tempfile::tempdir().expect("temporary folder");
    for _ in 0..2 {
        let mut command = xtask();
        command.arg("fetch").args(names).arg("--mirror").arg(&mirror);
        assert_ok(&command.env("TENFOLD_DATA", dir.path()).output().expect("xtask runs"));
    }
    let images = dir.path().join("mnist/train-images-idx3-ubyte");
    assert_eq!(std::fs::metadata(images).expect("there").len(), 16 + 60_000 * 28 * 28);
}
