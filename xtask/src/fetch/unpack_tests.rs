//! Hostile and damaged downloads: each is refused, and nothing is written outside.

use super::*;
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use std::io::Cursor;
use zip::write::SimpleFileOptions;

/// An entry of a test archive: kind, path, then the content, or the target of a link.
type Entry<'a> = (EntryType, &'a str, &'a [u8]);

/// A tar archive; names are written as they are, as an attacker would.
fn tar_of(entries: &[Entry]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (kind, name, content) in entries {
        let mut header = tar::Header::new_gnu();
        let gnu = header.as_gnu_mut().expect("a GNU header");
        let n = name.len().min(gnu.name.len());
        gnu.name[..n].copy_from_slice(&name.as_bytes()[..n]);
        let link = matches!(kind, EntryType::Symlink | EntryType::Link);
        let n = if link { content.len().min(gnu.linkname.len()) } else { 0 };
        gnu.linkname[..n].copy_from_slice(&content[..n]);
        let content = if link { &[] } else { *content };
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.append(&header, content).expect("in memory");
    }
    tar.into_inner().expect("in memory")
}

/// The same as a zip archive.
fn zip_of(entries: &[Entry]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (kind, name, content) in entries {
        let options = SimpleFileOptions::default();
        match kind {
            EntryType::Symlink => {
                let target = String::from_utf8_lossy(content);
                zip.add_symlink(*name, target, options).expect("in memory");
            }
            _ => {
                zip.start_file(*name, options).expect("in memory");
                zip.write_all(content).expect("in memory");
            }
        }
    }
    zip.finish().expect("in memory").into_inner()
}

/// Compressed by gzip.
fn gz_of(bytes: &[u8]) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(bytes).expect("in memory");
    gz.finish().expect("in memory")
}

/// A manifest's entry for the file `name`.
fn source(unpack: Unpack, size: u64, sha256: Option<String>) -> Source {
    let archive = matches!(unpack, Unpack::TarGz | Unpack::Zip);
    Source {
        urls: vec!["http://localhost/file".to_owned()],
        sha256,
        download_sha256: Some("0".repeat(64)),
        sha256_prefix: None,
        size,
        unpack,
        strip: usize::from(archive),
        keep: if archive { vec!["data/".to_owned(), "LICENSE".to_owned()] } else { Vec::new() },
        entries: archive.then_some(2),
        dest: if archive { String::new() } else { "file".to_owned() },
    }
}

/// A folder to unpack into, inside one that must stay otherwise empty.
struct Sandbox(tempfile::TempDir);

impl Sandbox {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        fs::create_dir(dir.path().join("tree")).expect("created");
        fs::write(dir.path().join("download"), b"").expect("written");
        Self(dir)
    }

    fn tree(&self) -> PathBuf {
        self.0.path().join("tree")
    }

    /// Unpacks `download`; the error's text if it is refused.
    fn unpack(&self, download: &[u8], source: &Source) -> Result<(), String> {
        let file = self.0.path().join("download");
        fs::write(&file, download).expect("written");
        let done = unpack(&file, &self.tree(), source, &mut Meter::silent());
        self.assert_nothing_outside();
        done.map_err(|fault| fault.into_error().to_string())
    }

    fn assert_nothing_outside(&self) {
        let mut names: Vec<_> = fs::read_dir(self.0.path())
            .expect("there")
            .map(|e| e.expect("readable").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["download", "tree"]);
    }
}

const FILE: EntryType = EntryType::Regular;
const GOOD: &[Entry] = &[
    (EntryType::Directory, "top/", b""),
    (FILE, "top/LICENSE", b"free"),
    (FILE, "top/data/a.txt", b"hello"),
    (FILE, "top/other/b.txt", b"not kept"),
];

/// The digest of [`GOOD`], by the definition in datasets/README.md.
fn good_digest() -> String {
    let of = |bytes: &[u8]| hex(&Sha256::digest(bytes));
    let lines = format!("LICENSE\0{}\0{}\ndata/a.txt\0{}\0{}\n", 4, of(b"free"), 5, of(b"hello"));
    of(lines.as_bytes())
}

#[test]
fn good_archives_are_unpacked() {
    let zip: Vec<Entry> = GOOD.iter().filter(|e| e.0 == FILE).copied().collect();
    for (kind, bytes) in [(Unpack::TarGz, gz_of(&tar_of(GOOD))), (Unpack::Zip, zip_of(&zip))] {
        let sandbox = Sandbox::new();
        sandbox.unpack(&bytes, &source(kind, 9, Some(good_digest()))).expect("good");
        assert_eq!(fs::read(sandbox.tree().join("data/a.txt")).expect("there"), b"hello");
        assert!(!sandbox.tree().join("other").exists());
        let wrong = source(kind, 9, Some("0".repeat(64)));
        let error = Sandbox::new().unpack(&bytes, &wrong).expect_err("another digest");
        assert!(error.contains("expected SHA-256 000"), "{error}");
    }
}

#[test]
fn archives_that_escape_are_refused() {
    let (sym, hard) = (EntryType::Symlink, EntryType::Link);
    let cases: &[(Entry, &str)] = &[
        ((FILE, "../evil", b"x"), "`..`"),
        ((FILE, "top/data/../../../evil", b"x"), "`..`"),
        ((FILE, "top/data/..", b"x"), "`..`"),
        ((FILE, "/evil", b"x"), "absolute"),
        ((FILE, "//evil", b"x"), "absolute"),
        ((FILE, "top\\..\\..\\evil", b"x"), "backslash"),
        ((FILE, "C:evil", b"x"), "colon"),
        ((sym, "top/data/link", b"../../../evil"), "link out"),
        ((sym, "top/data/link", b"/etc/passwd"), "link out"),
        ((sym, "top/skipped", b"../../evil"), "link out"),
        ((sym, "top/data/link", b"a.txt"), "not a plain file"),
        ((hard, "top/data/link", b"../evil"), "link out"),
        ((hard, "top/data/link", b"/etc/passwd"), "link out"),
        ((hard, "top/data/link", b"top/LICENSE"), "not a plain file"),
        ((EntryType::Fifo, "top/data/pipe", b""), "not a plain file"),
        ((EntryType::Char, "top/data/device", b""), "not a plain file"),
        ((FILE, "top/data/a.txt", b"twice"), "twice"),
        ((FILE, "top/data/a.txt/x", b"below a file"), "twice"),
    ];
    for (evil, why) in cases {
        let mut archives = vec![(Unpack::TarGz, gz_of(&tar_of(&[GOOD[2], *evil])))];
        if matches!(evil.0, FILE | EntryType::Symlink) && !evil.2.starts_with(b"twice") {
            archives.push((Unpack::Zip, zip_of(&[GOOD[2], *evil])));
        }
        for (kind, bytes) in archives {
            let error = Sandbox::new()
                .unpack(&bytes, &source(kind, 1000, None))
                .expect_err(&format!("{kind:?} {evil:?}"));
            assert!(error.contains(why), "{kind:?} {evil:?}: {error}");
        }
    }
}

#[test]
fn a_link_that_is_not_kept_and_stays_inside_does_no_harm() {
    let mut entries = GOOD.to_vec();
    entries.push((EntryType::Symlink, "top/other/link", b"../data/a.txt"));
    let bytes = gz_of(&tar_of(&entries));
    Sandbox::new().unpack(&bytes, &source(Unpack::TarGz, 9, Some(good_digest()))).expect("good");
}

#[test]
fn bombs_are_stopped() {
    let zeros = vec![0u8; 10 << 20];
    let entries: &[Entry] = &[(FILE, "top/data/zeros", &zeros)];
    for (kind, bytes) in [
        (Unpack::Gunzip, gz_of(&zeros)),
        (Unpack::Nothing, zeros.clone()),
        (Unpack::TarGz, gz_of(&tar_of(entries))),
        (Unpack::Zip, zip_of(entries)),
    ] {
        let sandbox = Sandbox::new();
        let error = sandbox.unpack(&bytes, &source(kind, 1000, None)).expect_err("too much");
        assert!(error.contains("more than the 1000 bytes declared"), "{kind:?}: {error}");
        for file in ["file", "data/zeros"].map(|name| sandbox.tree().join(name)) {
            assert!(fs::metadata(file).map_or(0, |m| m.len()) <= 1000);
        }
    }
    // Many empty files.
    let names: Vec<String> = (0..100).map(|i| format!("top/data/{i}")).collect();
    let entries: Vec<Entry> = names.iter().map(|name| (FILE, name.as_str(), &b""[..])).collect();
    let error = Sandbox::new()
        .unpack(&gz_of(&tar_of(&entries)), &source(Unpack::TarGz, 1000, None))
        .expect_err("too many");
    assert!(error.contains("more files than declared"), "{error}");
    // A name that would fill the memory.
    let entries: &[Entry] = &[(EntryType::GNULongName, "././@LongLink", &zeros), GOOD[1]];
    let error = Sandbox::new()
        .unpack(&gz_of(&tar_of(entries)), &source(Unpack::TarGz, 1000, None))
        .expect_err("a name of 10 MiB");
    assert!(error.contains("more data than declared"), "{error}");
}

#[test]
fn damaged_downloads_are_told() {
    let text = b"some text, some text, some more text".repeat(100);
    let gz = gz_of(&text);
    let sha = Some(hex(&Sha256::digest(&text)));
    let good = source(Unpack::Gunzip, text.len() as u64, sha);
    Sandbox::new().unpack(&gz, &good).expect("good");
    for cut in [0, 1, 9, gz.len() / 2, gz.len() - 1] {
        let error = Sandbox::new().unpack(&gz[..cut], &good).expect_err("cut short");
        assert!(error.contains("cut short") || error.contains("wrong size"), "{cut}: {error}");
    }
    let mut flipped = gz.clone();
    flipped[gz.len() / 2] ^= 1;
    assert!(Sandbox::new().unpack(&flipped, &good).is_err());
    assert!(Sandbox::new().unpack(b"<html>not found</html>", &good).is_err());
    let tar = gz_of(&tar_of(GOOD));
    let good = source(Unpack::TarGz, 9, Some(good_digest()));
    assert!(Sandbox::new().unpack(&tar[..tar.len() / 2], &good).is_err());
    assert!(Sandbox::new().unpack(&gz, &good).is_err());
    assert!(Sandbox::new().unpack(&tar, &source(Unpack::Zip, 9, None)).is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_no_fault_of_the_copy() {
    let full = OpenOptions::new().write(true).open("/dev/full").expect("on every Linux");
    let text = vec![1u8; 1 << 20];
    let path = Path::new("/dev/full");
    match pour(&text[..], full, path, u64::MAX, &mut Meter::silent()) {
        Err(Fault::Disk(error)) => assert!(error.to_string().contains("No space left"), "{error}"),
        other => panic!("expected a fault of the disk, found {other:?}"),
    }
}

/// Reads `bytes` as both kinds of archive; only panics and escapes are failures.
fn read_both(sandbox: &Sandbox, bytes: &[u8], zip: bool) {
    let tree = sandbox.tree();
    let source = source(Unpack::TarGz, 1 << 20, None);
    let mut meter = Meter::silent();
    let mut kept =
        Kept { root: &tree, source: &source, meter: &mut meter, bytes: 0, files: BTreeMap::new() };
    let _ = match zip {
        true => read_zip(Cursor::new(bytes), &mut kept),
        false => read_tar(bytes, &mut kept),
    };
    if !kept.files.is_empty() {
        sandbox.assert_nothing_outside();
        fs::remove_dir_all(&tree).expect("removed");
        fs::create_dir(&tree).expect("created");
    }
}

thread_local! {
    /// One sandbox for all cases of a property: making one costs more than a case.
    static SANDBOX: Sandbox = Sandbox::new();
}

/// Paths made of what paths are attacked with.
fn hostile_path() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "top", "data", "LICENSE", "..", ".", "", "/", "a", "\\", "C:", "top/data", "../..", "é",
    ]);
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.join("/"))
}

fn hostile_entry() -> impl Strategy<Value = (EntryType, String, Vec<u8>)> {
    let kind = prop::sample::select(vec![
        FILE,
        FILE,
        FILE,
        EntryType::Directory,
        EntryType::Symlink,
        EntryType::Link,
        EntryType::GNULongName,
        EntryType::GNUSparse,
        EntryType::XHeader,
    ]);
    (kind, hostile_path(), hostile_path().prop_map(String::into_bytes))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30_000))]

    #[test]
    fn random_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..1200), zip: bool) {
        SANDBOX.with(|sandbox| read_both(sandbox, &bytes, zip));
        let _ = pour(
            MultiGzDecoder::new(&bytes[..]), io::sink(), Path::new("x"), 1 << 20, &mut Meter::silent(),
        );
        let _ = safe_parts(&bytes);
    }

    #[test]
    fn mutated_archives_do_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut: prop::sample::Index,
        zip: bool,
    ) {
        let mut bytes = if zip { zip_of(&GOOD[1..]) } else { tar_of(GOOD) };
        for (at, byte) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if changes.len() > 3 {
            bytes.truncate(cut.index(bytes.len()));
        }
        SANDBOX.with(|sandbox| read_both(sandbox, &bytes, zip));
        // The checksum would hide a change of a header from everything behind it.
        if !zip && bytes.len() >= 512 {
            let mut header = tar::Header::new_gnu();
            header.as_mut_bytes().copy_from_slice(&bytes[..512]);
            header.set_cksum();
            bytes[..512].copy_from_slice(header.as_bytes());
            SANDBOX.with(|sandbox| read_both(sandbox, &bytes, zip));
        }
    }

    #[test]
    fn hostile_archives_do_no_harm(
        entries in prop::collection::vec(hostile_entry(), 1..4),
        zip: bool,
    ) {
        let entries: Vec<Entry> =
            entries.iter().map(|(kind, name, content)| (*kind, name.as_str(), &content[..])).collect();
        let bytes = match zip {
            // The writer refuses a name twice; so does what is tested.
            true => {
                let mut names = std::collections::BTreeSet::new();
                zip_of(&entries.into_iter().filter(|e| names.insert(e.1)).collect::<Vec<_>>())
            }
            false => tar_of(&entries),
        };
        SANDBOX.with(|sandbox| read_both(sandbox, &bytes, zip));
    }

    #[test]
    fn accepted_paths_stay_inside(path in hostile_path()) {
        if let Ok(parts) = safe_parts(path.as_bytes()) {
            let plain = parts.iter().all(|p| !matches!(*p, "" | "." | "..") && !p.contains('/'));
            prop_assert!(plain && !path.starts_with('/'));
        }
    }
}
