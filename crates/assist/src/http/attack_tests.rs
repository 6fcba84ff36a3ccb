//! What a hostile client, page or file can do.

use super::tests::{Server, error, picture, server};
use super::*;
use axum::body::{Body, Bytes};
use axum::http::Request;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

fn as_text(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn images(side: u32, count: usize) -> Value {
    let image = json!({"image": as_text(&picture(side))});
    json!({"inputs": vec![image; count], "top": 1})
}

/// How many inputs the model has seen.
fn seen(server: &Server) -> u64 {
    let text = server.state.metrics.text(&[]);
    let line = text.lines().find_map(|line| line.strip_prefix("tenfold_model_inputs_total "));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_request_has_so_many_pixels_and_no_more() {
    let server = server(|settings| settings.upload = 1 << 20, None);
    let (status, answer) = server.post("/v1/suggest", images(100, 40)).await;
    assert_eq!(status, StatusCode::OK);
    let answers = answer["answers"].as_array().unwrap();
    let good = answers.iter().filter(|answer| answer.get("suggestions").is_some()).count();
    assert_eq!((good, answers.len()), (8, 40));
    assert!(error(&answers[8]).contains("more than 80000 pixels: send fewer"), "{}", answers[8]);
    server.free().await;
}

#[tokio::test]
async fn images_wait_for_memory_and_are_answered_in_their_order() {
    // Of what is read at once, a third fits.
    let needed = tenfold_core::data::image_file::weigh("x", &picture(100)).unwrap().memory;
    let change = |settings: &mut crate::state::Settings| {
        settings.upload = 1 << 20;
        settings.memory = needed + needed / 2;
    };
    let server = server(change, None);
    server.ready().await;
    let all = server.state.memory.take_all();
    let mut waiting = Box::pin(server.post("/v1/suggest", images(100, 1)));
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut waiting).await.is_err());
    drop(all);
    assert_eq!(waiting.await.0, StatusCode::OK);
    let one = || server.post("/v1/suggest", images(100, 1));
    let (a, b, c) = tokio::join!(one(), one(), one());
    assert_eq!([a.0, b.0, c.0], [StatusCode::OK; 3]);
    server.free().await;
}

#[tokio::test]
async fn what_is_larger_than_all_memory_is_refused() {
    let server = server(|settings| settings.memory = 1 << 10, None);
    let (status, answer) = server.post("/v1/suggest", images(64, 1)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(error(&answer["answers"][0]).contains("of memory are needed"), "{answer}");
}

#[tokio::test]
async fn nothing_is_done_for_a_caller_who_has_gone() {
    let server = server(|_| {}, None);
    server.ready().await;
    let (before, all) = (seen(&server), server.state.memory.take_all());
    {
        let mut gone = Box::pin(server.post("/v1/suggest", images(8, 2)));
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut gone).await.is_err());
    }
    drop(all);
    assert_eq!(server.post("/v1/suggest", images(8, 1)).await.0, StatusCode::OK);
    assert_eq!(seen(&server), before + 1);
    server.free().await;
}

#[tokio::test]
async fn a_file_is_sent_in_pieces_however_large_it_is() {
    let server = server(|_| {}, None);
    let path = server.state.settings.queue.join("0.png");
    let file = std::fs::File::options().write(true).open(path).unwrap();
    let length = 3u64 << 30;
    file.set_len(length).unwrap();
    let request = Request::get("/v1/items/1/picture").header("host", "127.0.0.1");
    let request = request.body(Body::empty()).unwrap();
    let answer = server.router.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.headers()["content-length"], length.to_string());
    assert_eq!(answer.headers()["content-type"], "image/png");
    let mut pieces = answer.into_body().into_data_stream();
    for _ in 0..20 {
        let piece: Bytes = futures_util::StreamExt::next(&mut pieces).await.unwrap().unwrap();
        assert!((1..=64 << 10).contains(&piece.len()));
    }
    // It ends in an error where the file does not hold what was promised.
    file.set_len(2 << 20).unwrap();
    let rest: Vec<_> = futures_util::StreamExt::collect(pieces).await;
    assert!(rest.len() < 40 && rest.last().unwrap().is_err());
}

#[tokio::test]
async fn an_image_that_browsers_do_not_show_becomes_a_png_in_the_memory_for_it() {
    let server = server(|_| {}, None);
    server.ready().await;
    let image = image::RgbImage::from_fn(30, 20, |x, y| image::Rgb([x as u8, y as u8, 9]));
    let path = server.state.settings.queue.join("0.png");
    image.save_with_format(&path, image::ImageFormat::Bmp).unwrap();
    let all = server.state.memory.take_all();
    let mut waiting = Box::pin(server.get("/v1/items/1/image"));
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut waiting).await.is_err());
    drop(all);
    let (status, bytes) = waiting.await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(image::load_from_memory(&bytes).unwrap().to_rgb8(), image);
    drop(bytes);
    server.free().await;
    // Its memory is given back when it has been sent, not before.
    let request = Request::get("/v1/items/1/image").header("host", "127.0.0.1");
    let request = request.body(Body::empty()).unwrap();
    let answer = server.router.clone().oneshot(request).await.unwrap();
    assert!(!server.state.memory.is_free());
    drop(answer);
    server.free().await;
}

/// A server at an address of this machine, with these limits.
async fn listening(server: &Server, limits: Limits) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, router) = (listener.local_addr().unwrap(), server.router.clone());
    tokio::spawn(async move { accept(&listener, &router, limits, &GracefulShutdown::new()).await });
    address
}

/// The status of an answer on this connection; `None` where it is closed.
async fn asked(stream: &mut TcpStream, path: &str, more: &str) -> Option<u16> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    stream.read_exact(&mut vec![0; length.parse().unwrap()]).await.ok()?;
    head.split(' ').nth(1)?.parse().ok()
}

const PATIENT: Limits = Limits {
    all: 8,
    kept: 2,
    peer: 8,
    reading: Duration::from_secs(3600),
    writing: Duration::from_secs(3600),
};

#[tokio::test]
async fn idle_connections_leave_places_for_who_asks() {
    let server = server(|_| {}, None);
    let address = listening(&server, PATIENT).await;
    let mut idle = Vec::new();
    for _ in 0..50 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    let mut own = TcpStream::connect(address).await.unwrap();
    assert_eq!(asked(&mut own, "/v1/status", "").await, Some(200));
    // All but as many as there are places are closed.
    for stream in &mut idle[..42] {
        assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)));
    }
}

#[tokio::test]
async fn who_reads_nothing_is_ended() {
    let server = server(|_| {}, None);
    let limits = Limits { writing: Duration::from_millis(100), ..PATIENT };
    let address = listening(&server, limits).await;
    let mut stalled = TcpStream::connect(address).await.unwrap();
    let requests = "GET /app.js HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".repeat(1000);
    // Without a deadline this would wait for ever.
    while stalled.write_all(requests.as_bytes()).await.is_ok() {}
}

#[tokio::test]
async fn who_sends_no_whole_header_is_ended() {
    let server = server(|_| {}, None);
    let limits = Limits { reading: Duration::from_millis(100), ..PATIENT };
    let address = listening(&server, limits).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest).await;
}

#[tokio::test]
async fn callers_with_the_token_keep_their_connection() {
    let server = server(|settings| settings.token = Some("sesame".into()), None);
    let address = listening(&server, PATIENT).await;
    let token = "authorization: Bearer sesame\r\n";
    let mut known = TcpStream::connect(address).await.unwrap();
    assert_eq!(asked(&mut known, "/v1/status", token).await, Some(200));
    let mut strangers = Vec::new();
    for _ in 0..30 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        assert_eq!(asked(&mut stream, "/v1/status", "").await, Some(401));
        strangers.push(stream);
    }
    assert_eq!(asked(&mut known, "/v1/status", token).await, Some(200));
    assert_eq!(asked(&mut strangers[0], "/v1/status", "").await, None);
    let mut new = TcpStream::connect(address).await.unwrap();
    assert_eq!(asked(&mut new, "/v1/health", token).await, Some(200));
}

#[tokio::test]
async fn in_the_last_places_only_health_is_answered() {
    let server = server(|_| {}, None);
    let limits = Limits { all: 3, kept: 2, peer: 8, ..PATIENT };
    let address = listening(&server, limits).await;
    // The server asks for the body: the request is being answered, and its place not to be had.
    let mut busy = TcpStream::connect(address).await.unwrap();
    let head = "POST /v1/suggest HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: image/png\r\n\
                expect: 100-continue\r\ncontent-length: 100\r\n\r\n";
    busy.write_all(head.as_bytes()).await.unwrap();
    busy.read_exact(&mut [0; 20]).await.unwrap();
    let mut other = TcpStream::connect(address).await.unwrap();
    let status = asked(&mut other, "/v1/status", "").await;
    assert_eq!(status, Some(503));
    assert_eq!(asked(&mut other, "/v1/status", "").await, None, "it was closed");
    let mut health = TcpStream::connect(address).await.unwrap();
    assert_eq!(asked(&mut health, "/v1/health", "").await, Some(200));
}

#[tokio::test]
async fn what_is_refused_is_refused_in_json_and_as_described() {
    let server = server(|settings| settings.upload = 1 << 20, None);
    server.ready().await;
    let description: Value = serde_json::from_str(page::OPENAPI).unwrap();
    let person = |more: Value| {
        let mut body = json!({"person": "ann"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Some(body)
    };
    let object = json!({"label": "dark", "score": 0.5});
    let import = |what: &str, count: usize| {
        Some(json!({"suggestions": [{"item": "0.png", what: vec![object.clone(); count]}]}))
    };
    let slot = json!({"ranked": vec![object.clone(); 4097]});
    let text = json!({"inputs": vec![json!({"text": "x"}); 257]});
    let one = json!({"item": 1, "action": "skip"});
    for (path, described, body, expected) in [
        ("/v1/items/x", "/v1/items/{id}", None, 400),
        ("/v1/items/x/image", "/v1/items/{id}/image", None, 400),
        ("/v1/items/99999999999999999999", "/v1/items/{id}", None, 400),
        ("/v1/items/9", "/v1/items/{id}", None, 404),
        ("/v1/export", "/v1/export", None, 400),
        ("/v1/export?format=exe", "/v1/export", None, 400),
        ("/v1/suggest?top=x", "/v1/suggest", Some(images(4, 1)), 400),
        ("/v1/suggest?top=-1", "/v1/suggest", Some(images(4, 1)), 400),
        ("/v1/suggest", "/v1/suggest", Some(json!({"inputs": []})), 422),
        ("/v1/suggest", "/v1/suggest", Some(text), 422),
        ("/v1/next", "/v1/next", person(json!({"count": 0})), 422),
        ("/v1/next", "/v1/next", person(json!({"count": -1})), 422),
        ("/v1/grid", "/v1/grid", person(json!({"count": 0})), 422),
        ("/v1/decisions", "/v1/decisions", person(json!({"decisions": []})), 422),
        ("/v1/decisions", "/v1/decisions", person(json!({"decisions": vec![one; 501]})), 422),
        ("/v1/import", "/v1/import", import("objects", 4097), 422),
        ("/v1/import", "/v1/import", import("suggestions", 4097), 422),
        (
            "/v1/import",
            "/v1/import",
            Some(json!({"suggestions": [{"item": "0.png", "slots": [slot]}]})),
            422,
        ),
    ] {
        let method = if body.is_some() { "post" } else { "get" };
        let request = match &body {
            Some(_) => Request::post(path).header("content-type", "application/json"),
            None => Request::get(path),
        };
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let (status, bytes) = server.send(request.header("host", "localhost"), body).await;
        assert_eq!(status, expected, "{path}: {bytes:?}");
        error(&serde_json::from_slice(&bytes).unwrap());
        let responses = &description["paths"][described][method]["responses"];
        assert!(responses.get(expected.to_string()).is_some(), "{method} {described}: {expected}");
    }
    // Every kind of answer that any route may give stands at each.
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, of) in methods.as_object().unwrap() {
            let own: BTreeSet<&str> =
                of["responses"].as_object().unwrap().keys().map(String::as_str).collect();
            for status in ["401", "403", "408", "503"] {
                assert!(own.contains(status), "{method} {path}: {status}");
            }
        }
    }
    let one = json!([{"item": 1, "action": "skip", "seconds": -1.0}]);
    let (_, answer) =
        server.post("/v1/decisions", json!({"person": "ann", "decisions": one})).await;
    assert!(answer["rejected"][0]["error"].as_str().unwrap().contains("seconds"), "{answer}");
}

#[tokio::test]
async fn a_token_of_any_characters_goes_through_the_link() {
    let token = "a;b & c+d=%é/?";
    let server = server(|settings| settings.token = Some(token.into()), None);
    let link = |path: &str| format!("{path}?token={}", guard::encoded(token));
    let get = async |path: &str, cookie: &str| {
        let request = Request::get(path).header("host", "localhost").header("cookie", cookie);
        server.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    let welcome = get(&link("/"), "x=y").await;
    assert_eq!(welcome.status(), StatusCode::SEE_OTHER);
    let cookie = welcome.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap();
    assert_eq!(get("/v1/status", cookie).await.status(), StatusCode::OK);
    assert_eq!(get("/v1/status", "tenfold_token=a").await.status(), StatusCode::UNAUTHORIZED);
    for path in ["//evil.example/", "///evil.example/x"] {
        let answer = get(&link(path), "x=y").await;
        let to = answer.headers()["location"].to_str().unwrap();
        assert!(to.starts_with("/evil.example/"), "{to}");
    }
}
