//! A tiny HTTP server that misbehaves as told, and the means to run the real binary.

use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a server answers.
#[derive(Clone, Default)]
pub struct Manners {
    /// Ignores `Range`: always sends all of it with 200.
    pub no_ranges: bool,
    /// Hangs up after this many bytes of the first so many answers.
    pub cut: Option<(usize, usize)>,
    /// Answers with this status.
    pub status: Option<u16>,
    /// Pauses after each piece of 1,000 bytes.
    pub slow: bool,
    /// Gives no version mark, and no length.
    pub bare: bool,
    /// The version mark; a changed one makes `If-Range` fail.
    pub etag: String,
    /// Answers a range with another one.
    pub wrong_range: bool,
    /// Answers so at each second request, and asks to go elsewhere, where it stands, at others.
    pub redirects: bool,
}

/// A server on this machine, until the process ends.
pub struct Server {
    /// Where it listens, `http://127.0.0.1:PORT`.
    pub url: String,
    /// The `Range` of each request, empty where there was none.
    pub ranges: Arc<Mutex<Vec<String>>>,
}

/// Serves `body` whatever the path.
pub fn serve(body: Vec<u8>, manners: Manners) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let ranges = Arc::new(Mutex::new(Vec::new()));
    let log = ranges.clone();
    std::thread::spawn(move || {
        for (i, stream) in listener.incoming().enumerate() {
            let (body, manners, log) = (body.clone(), manners.clone(), log.clone());
            std::thread::spawn(move || {
                // The other side may be killed at any time.
                let _ = stream.and_then(|stream| answer(stream, &body, &manners, i, &log));
            });
        }
    });
    Server { url, ranges }
}

/// Answers one request.
fn answer(
    mut stream: TcpStream,
    body: &[u8],
    manners: &Manners,
    number: usize,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let (mut range, mut if_range) = (String::new(), None);
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        match line.split_once(": ") {
            Some((k, v)) if k.eq_ignore_ascii_case("range") => range = v.to_owned(),
            Some((k, v)) if k.eq_ignore_ascii_case("if-range") => if_range = Some(v.to_owned()),
            _ => {}
        }
    }
    log.lock().expect("no panic").push(range.clone());
    let end = "Connection: close\r\n";
    if let Some(status) = manners.status {
        return write!(stream, "HTTP/1.1 {status} No\r\nContent-Length: 0\r\n{end}\r\n");
    }
    if manners.redirects && number % 2 == 1 {
        return write!(
            stream,
            "HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n{end}\r\n"
        );
    }
    let start = range.strip_prefix("bytes=").and_then(|r| r.strip_suffix('-')?.parse().ok());
    let fresh = if_range.is_none_or(|version| version == manners.etag);
    let start: Option<usize> = start.filter(|_| fresh && !manners.no_ranges);
    let n = body.len();
    let piece = match start {
        Some(start) if start >= n => {
            return write!(
                stream,
                "HTTP/1.1 416 No\r\nContent-Range: bytes */{n}\r\nContent-Length: 0\r\n{end}\r\n"
            );
        }
        Some(start) => {
            let said = if manners.wrong_range { start + 1 } else { start };
            write!(
                stream,
                "HTTP/1.1 206 Partial\r\nContent-Range: bytes {said}-{}/{n}\r\n",
                n - 1
            )?;
            &body[start..]
        }
        None => {
            write!(stream, "HTTP/1.1 200 OK\r\n")?;
            body
        }
    };
    if !manners.bare {
        write!(stream, "Content-Length: {}\r\nETag: {}\r\n", piece.len(), manners.etag)?;
    }
    write!(stream, "{end}\r\n")?;
    let cut = manners.cut.filter(|(_, answers)| number < *answers).map_or(piece.len(), |(b, _)| b);
    for piece in piece[..cut.min(piece.len())].chunks(1000) {
        stream.write_all(piece)?;
        if manners.slow {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(())
}

/// Lower-case hexadecimal SHA-256.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// A folder with a manifest `toy.toml` of one plain file, to be found at `url`.
pub struct Toy {
    /// The folder, removed in the end.
    pub dir: tempfile::TempDir,
}

impl Toy {
    /// A manifest of the file `toy.bin`, with the content's size and digest.
    pub fn new(urls: &[&str], size: usize, digest: &str) -> Self {
        let toy = Self { dir: tempfile::tempdir().expect("temporary folder") };
        let urls: Vec<String> = urls.iter().map(|u| format!("{u}/toy.bin")).collect();
        let text = format!(
            "name = \"toy\"\ntitle = \"A toy\"\ntask = \"play\"\nlicence = \"free\"\ncitation = \"\"\n\
             home = \"\"\nlayout = \"text\"\ncounts = {{ train = 1 }}\n[splits.train]\nfile = \"toy.bin\"\n\
             [[files]]\nurls = {urls:?}\nsha256 = \"{digest}\"\nsize = {size}\ndest = \"toy.bin\"\n"
        );
        std::fs::write(toy.path("toy.toml"), text).expect("written");
        toy
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `xtask fetch toy.toml` into `data/`, with more arguments.
    pub fn command(&self, more: &[&str]) -> Command {
        let mut command = xtask();
        command.arg("fetch").arg(self.path("toy.toml"));
        command.arg("--data-dir").arg(self.path("data")).args(more);
        command
    }

    /// Runs it.
    pub fn fetch(&self, more: &[&str]) -> Output {
        self.command(more).output().expect("xtask runs")
    }

    /// Asserts that the data set is visible with this content, and nothing is left over.
    pub fn assert_there(&self, content: &[u8]) {
        assert!(std::fs::read(self.path("data/toy/toy.bin")).expect("there") == content);
        assert!(self.path("data/toy/dataset.toml").is_file());
        assert!(!self.path("data/.fetch/toy").exists());
    }

    /// Asserts that nothing is visible.
    pub fn assert_absent(&self) {
        assert!(!self.path("data/toy").exists());
    }
}

/// The real binary, away from the proxies and folders of whoever runs the tests.
pub fn xtask() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "TENFOLD_DATA"] {
        command.env_remove(name);
    }
    command
}

/// Asserts a success.
pub fn assert_ok(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// Asserts exit status 1 and one error line that holds `what`, and no panic.
pub fn assert_error(output: &Output, what: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let errors: Vec<&str> = said.lines().filter(|l| l.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{said}");
    assert!(said.trim_end().ends_with(errors[0]), "more after the error: {said}");
    assert!(errors[0].contains(what), "expected {what:?}: {said}");
}

/// Where the offline mirror is, if it is.
pub fn mirror() -> Option<PathBuf> {
    let mirror = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/mirror");
    mirror.is_dir().then_some(mirror)
}
