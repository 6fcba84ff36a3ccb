//! Many clients at once before a server, each on a connection that it keeps: how long answers
//! take, and whether any is lost.
//!
//! `cargo run --release --example serve_load -- 127.0.0.1:8080 image.png [CLIENTS [SECONDS]]`
//!
//! Every client sends the image to `/v1/suggest`, waits for the answer, and sends again.

use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, image, rest @ ..] = &args[..] else {
        anyhow::bail!("expected HOST:PORT PICTURE [CLIENTS [SECONDS]]");
    };
    let clients: usize = rest.first().map_or(Ok(1000), |text| text.parse())?;
    let seconds: u64 = rest.get(1).map_or(Ok(10), |text| text.parse())?;
    let image = std::fs::read(image)?;
    let head = format!(
        "POST /v1/suggest HTTP/1.1\r\nHost: {address}\r\nContent-Type: image/png\r\n\
         Content-Length: {}\r\n\r\n",
        image.len()
    );
    let request: &'static [u8] = [head.as_bytes(), &image[..]].concat().leak();
    let end = Instant::now() + Duration::from_secs(seconds);
    let tasks: Vec<_> =
        (0..clients).map(|_| tokio::spawn(client(address.clone(), request, end))).collect();
    let (mut times, mut lost, mut cut) = (Vec::new(), 0, 0);
    for task in tasks {
        let (own, fate) = task.await?;
        times.extend(own);
        lost += usize::from(fate == Fate::Lost);
        cut += usize::from(fate == Fate::Closed);
    }
    times.sort_unstable();
    anyhow::ensure!(!times.is_empty(), "no answer at all");
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    println!(
        "{clients} clients, {} answers, {:.0} a second; p50 {:.1} ms, p99 {:.1} ms, longest {:.1} \
         ms; {lost} requests lost, {cut} connections closed between requests",
        times.len(),
        times.len() as f64 / seconds as f64,
        at(0.5),
        at(0.99),
        at(1.0),
    );
    anyhow::ensure!(lost == 0, "{lost} requests were lost");
    Ok(())
}

#[derive(PartialEq)]
enum Fate {
    /// It went on to the end.
    Done,
    /// The server closed the connection where nothing was asked: it is shutting down.
    Closed,
    /// A request was sent and not answered, or not with success.
    Lost,
}

async fn client(address: String, request: &'static [u8], end: Instant) -> (Vec<Duration>, Fate) {
    let mut times = Vec::new();
    let Ok(mut stream) = TcpStream::connect(&address).await else { return (times, Fate::Closed) };
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    while Instant::now() < end {
        let begun = Instant::now();
        if stream.write_all(request).await.is_err() {
            return (times, Fate::Closed);
        }
        buffer.clear();
        match answer(&mut stream, &mut buffer).await {
            Some(closes) => {
                times.push(begun.elapsed());
                if closes {
                    return (times, Fate::Closed);
                }
            }
            // Nothing of an answer: the request met a connection that was just closed.
            None if buffer.is_empty() => return (times, Fate::Closed),
            None => return (times, Fate::Lost),
        }
    }
    (times, Fate::Done)
}

/// Reads one answer: whether the server closes after it. `None` where it is cut off or no success.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<bool> {
    loop {
        let read = stream.read_buf(buffer).await.ok()?;
        if read == 0 {
            return None;
        }
        let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
        if buffer.len() >= end + 4 + length.trim().parse::<usize>().ok()? {
            let closes = head.contains("connection: close");
            return head.starts_with("http/1.1 200").then_some(closes);
        }
    }
}
