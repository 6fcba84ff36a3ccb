//! One file over HTTP, resumed where an earlier try or an earlier run broke off.
//!
//! Beside `FILE.part` lies `FILE.from`: the URL and the server's mark of the version (its
//! ETag or date). A part is continued only from the same URL, and `If-Range` makes the
//! server send the whole file if the version has changed.

use super::fault::{Fault, OnDisk};
use super::pace::{Least, Pace};
use super::progress::Meter;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Tries in a row that bring the file no further than it was once before a URL is given up.
const IDLE_TRIES: u32 = 4;

/// Tries of any kind before a URL is given up.
const ALL_TRIES: u32 = 200;

/// How often all bytes of a file may come, if it has to begin anew, before a URL is given up.
const ALL_TIMES: u64 = 3;

/// How long the server may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// The client for all downloads of a run.
pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .user_agent("tenfold-xtask")
        .timeout_connect(Some(SILENCE))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .build()
        .into()
}

/// How one try ended, if not in a fault.
enum Try {
    /// The part is complete.
    Done,
    /// Broken off, for this reason.
    Broken(String),
}

/// Downloads `url` to `to`, at most `limit` bytes. Returns whether it continued a part that
/// lay there already.
pub fn download(
    agent: &ureq::Agent,
    url: &str,
    to: &Path,
    limit: u64,
    meter: &mut Meter,
) -> Result<bool, Fault> {
    let mut pace = Pace::new(Least::default(), &Instant::now);
    paced(agent, url, to, limit, meter, &mut pace)
}

/// [`download`] no slower than this pace.
fn paced(
    agent: &ureq::Agent,
    url: &str,
    to: &Path,
    limit: u64,
    meter: &mut Meter,
    pace: &mut Pace<'_>,
) -> Result<bool, Fault> {
    if to.is_file() {
        return Ok(true);
    }
    let (part, from) = (beside(to, "part"), beside(to, "from"));
    let resumed = mark(&from, url).is_some() && length(&part)? > 0;
    // A server that alternates between answers may well send the same again and again.
    let (mut idle, mut tries, mut farthest) = (0, 0, length(&part)?);
    loop {
        match attempt(agent, url, &part, &from, limit, meter, pace)? {
            Try::Done => break,
            Try::Broken(why) => {
                let have = length(&part)?;
                idle = if have > farthest { 0 } else { idle + 1 };
                farthest = farthest.max(have);
                tries += 1;
                let much = pace.all >= limit.saturating_mul(ALL_TIMES);
                if idle >= IDLE_TRIES || tries >= ALL_TRIES || much {
                    return Err(Fault::source(format!("{url}: {why}, after {tries} tries")));
                }
                std::thread::sleep(Duration::from_millis(200 << idle));
            }
        }
    }
    fs::rename(&part, to).on_disk(to.display())?;
    remove(&from)?;
    Ok(resumed)
}

/// One request, and as much of its body as comes.
fn attempt(
    agent: &ureq::Agent,
    url: &str,
    part: &Path,
    from: &Path,
    limit: u64,
    meter: &mut Meter,
    pace: &mut Pace<'_>,
) -> Result<Try, Fault> {
    let known = mark(from, url);
    let mut have = if known.is_some() { length(part)? } else { 0 };
    // Compressed on the way, the bytes would not be those that a range counts.
    let mut request = agent.get(url).header("Accept-Encoding", "identity");
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
        if let Some(version) = known.filter(|v| !v.is_empty()) {
            request = request.header("If-Range", version);
        }
    }
    let response = match request.call() {
        Ok(response) => response,
        Err(error) => return Ok(Try::Broken(error.to_string())),
    };
    let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
    let range = header("content-range").as_deref().and_then(content_range);
    let status = response.status().as_u16();
    let total = match status {
        200 => {
            have = 0;
            header("content-length").and_then(|n| n.parse().ok())
        }
        206 => match range {
            Some((Some(start), total)) if start == have => total,
            _ => return restart(part, from, "the server sent another range than asked for"),
        },
        416 => match range {
            Some((None, Some(total))) if total == have => return Ok(Try::Done),
            _ => return restart(part, from, "the server has no such range"),
        },
        408 | 429 | 500..=599 => return Ok(Try::Broken(format!("HTTP status {status}"))),
        _ => return Err(Fault::source(format!("{url}: HTTP status {status}"))),
    };
    let too_long = || Fault::source(format!("{url}: is longer than the {limit} bytes expected"));
    if let Some(total) = total {
        if total > limit {
            return Err(too_long());
        }
        meter.set_total(total);
    }
    let mut file = if have > 0 {
        OpenOptions::new().append(true).open(part).on_disk(part.display())?
    } else {
        // The part goes first: a new mark must never stand beside an old part.
        remove(part)?;
        let etag = header("etag").filter(|e| !e.starts_with("W/"));
        let version = etag.or_else(|| header("last-modified")).unwrap_or_default();
        fs::write(from, format!("{url}\n{version}\n")).on_disk(from.display())?;
        File::create(part).on_disk(part.display())?
    };
    meter.set(have);
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Ok(Try::Broken(format!("broken off after {have} bytes: {e}"))),
        };
        have += n as u64;
        if have > limit {
            remove(part)?;
            return Err(too_long());
        }
        file.write_all(&buffer[..n]).on_disk(part.display())?;
        meter.add(n as u64);
        if !pace.came(n as u64) {
            return Err(Fault::source(format!("{url}: {}", pace.slow())));
        }
    }
    match total {
        Some(total) if have < total => {
            Ok(Try::Broken(format!("broken off after {have} of {total} bytes")))
        }
        _ => Ok(Try::Done),
    }
}

/// Throws the part away, so that the next try starts anew.
fn restart(part: &Path, from: &Path, why: &str) -> Result<Try, Fault> {
    remove(part)?;
    remove(from)?;
    Ok(Try::Broken(why.to_owned()))
}

/// The version mark of a part that came from `url`; empty where the server gave none.
fn mark(from: &Path, url: &str) -> Option<String> {
    let text = fs::read_to_string(from).ok()?;
    let mut lines = text.lines();
    (lines.next() == Some(url)).then(|| lines.next().unwrap_or_default().to_owned())
}

/// The start and total of `bytes START-END/TOTAL`; no start in `bytes */TOTAL`.
fn content_range(text: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let start = range.split_once('-').and_then(|(start, _)| start.parse().ok());
    Some((start, total.parse().ok()))
}

/// `FILE` with another ending after its own.
pub fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// The length of a file, 0 where there is none.
fn length(file: &Path) -> Result<u64, Fault> {
    match fs::metadata(file) {
        Ok(meta) => Ok(meta.len()),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(0),
        Err(e) => Err(e).on_disk(file.display()),
    }
}

/// Removes a file that may be missing.
pub fn remove(file: &Path) -> Result<(), Fault> {
    match fs::remove_file(file) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e).on_disk(file.display()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::net::TcpListener;

    #[test]
    fn a_server_that_dribbles_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/x", listener.local_addr().expect("bound"));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
                let _ = stream.write_all(head);
                while stream.write_all(b".").is_ok() {}
            }
        });
        // Half a minute passes at each look at the clock, whatever has come.
        let (start, looks) = (Instant::now(), Cell::new(0));
        let clock = || {
            looks.set(looks.get() + 1);
            start + Duration::from_secs(30 * looks.get())
        };
        let least = Least { bytes: 1 << 20, time: Duration::from_secs(60) };
        let folder = tempfile::tempdir().expect("a folder");
        let (to, mut meter) = (folder.path().join("x"), Meter::silent());
        let mut pace = Pace::new(least, &clock);
        let slow = paced(&agent(), &url, &to, u64::MAX, &mut meter, &mut pace);
        let why = slow.expect_err("too slow").into_error().to_string();
        assert_eq!(why, format!("{url}: sends less than 1048576 bytes in 60 seconds"));
        assert!(!to.exists());
    }

    #[test]
    fn ranges_are_read() {
        assert_eq!(content_range("bytes 5-9/10"), Some((Some(5), Some(10))));
        assert_eq!(content_range("bytes 5-9/*"), Some((Some(5), None)));
        assert_eq!(content_range("bytes */10"), Some((None, Some(10))));
        for bad in ["", "bytes", "items 5-9/10", "bytes 5-9", "bytes x-y/z/"] {
            assert!(matches!(content_range(bad), None | Some((None, None))), "{bad}");
        }
    }
}
