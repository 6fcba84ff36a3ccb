use super::*;
use crate::active::Active;
use crate::entry::Order;
use crate::model::Model;
use crate::queue::{Queue, Shares};
use crate::retrain::Retrain;
use crate::state::Settings;
use crate::worker;
use crate::writer::Writer;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request};
use serde_json::{Value, json};
use tenfold_core::calibrate::Threshold;
use tenfold_core::data::{Input, Kind};
use tenfold_core::store::{Content, Origin, Store};
use tenfold_core::suggest::{Proposal, Propose, Suggestion};
use tower::ServiceExt;

/// Tells dark images from bright ones.
struct Light {
    labels: Vec<String>,
}

impl Propose for Light {
    fn labels(&self) -> &[String] {
        &self.labels
    }

    fn kind(&self) -> Kind {
        Kind::Images { channels: 1, height: 4, width: 4 }
    }

    fn propose(&self, inputs: &[&Input], top: usize) -> tenfold_core::Result<Vec<Proposal>> {
        let of = |input: &&Input| {
            let Input::Image(picture) = input else { panic!("images only") };
            let light = f32::from(picture.to_luma8().get_pixel(0, 0).0[0]) / 255.0;
            let mut both =
                vec![Suggestion::new("bright", light), Suggestion::new("dark", 1.0 - light)];
            both.sort_by(|a, b| b.score.total_cmp(&a.score));
            both.truncate(top);
            Proposal::alternatives(both)
        };
        Ok(inputs.iter().map(of).collect())
    }
}

pub(super) struct Server {
    folder: tempfile::TempDir,
    pub(super) state: Arc<State>,
    pub(super) router: Router,
}

/// A server over four images, of which the last is none.
pub(super) fn server(change: impl FnOnce(&mut Settings), limit: Option<u32>) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let queue = folder.path().join("queue");
    std::fs::create_dir(&queue).unwrap();
    let light = [10u8, 240, 250];
    for (i, light) in light.iter().enumerate() {
        let picture = image::GrayImage::from_pixel(4, 4, image::Luma([*light]));
        picture.save(queue.join(format!("{i}.png"))).unwrap();
    }
    std::fs::write(queue.join("3.png"), "no image").unwrap();
    let light = Light { labels: ["bright", "dark"].map(String::from).into() };
    let (kind, path) = (light.kind(), folder.path().join("s.sqlite"));
    let origin = Origin {
        task: "t".into(),
        queue: queue.clone(),
        kind: kind.clone(),
        seed: 1,
        agreement: light.agreement(),
    };
    let store = Store::open(&path, &origin, light.labels()).unwrap();
    store
        .add_items(["0.png", "1.png", "2.png", "3.png"].iter().map(|n| (*n, Content::File)))
        .unwrap();
    if let Some(pages) = limit {
        store.limit_pages(pages).unwrap();
    }
    let shares = Shares { shared: 0.0, audit: 0.0 };
    let items = Queue::new(store.items().unwrap(), &[], shares, Duration::from_secs(60));
    let mut settings = Settings {
        task: "t".into(),
        queue,
        kind,
        store: path,
        free: false,
        places: false,
        top: 9,
        risk: None,
        order: Order::Given,
        baseline: false,
        token: None,
        hosts: Vec::new(),
        upload: 4096,
        pixels: 10_000,
        preprocess: None,
        memory: 64 << 20,
        patience: Duration::from_secs(5),
    };
    change(&mut settings);
    let risk = settings.risk;
    let active = Active {
        model: "light".into(),
        id: "w1".into(),
        round: 0,
        run: folder.path().into(),
        accuracy: None,
        threshold: risk.map(|bound| Threshold { confidence: 0.9, accepted: 500, errors: 0, bound }),
    };
    let retrain = Retrain::new(
        Box::new(|_| Err("cannot be trained".into())),
        Box::new(|run| Err(tenfold_core::Error::file(run, "no run"))),
        Box::new(|run, _| Err(tenfold_core::Error::file(run, "no run"))),
        0,
    );
    let (writer, _) = Writer::start(store);
    let (asked, jobs) = Model::channel();
    let labels = light.labels().to_vec();
    let state = State::new(settings, (writer, asked), items, labels, active, retrain);
    let state = Arc::new(state);
    let own = state.clone();
    std::thread::spawn(move || worker::run(Box::new(light), "w1".into(), &jobs, &own));
    let router = router(state.clone());
    Server { folder, state, router }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.stop();
    }
}

impl Server {
    pub(super) async fn send(
        &self,
        request: axum::http::request::Builder,
        body: Body,
    ) -> (StatusCode, Bytes) {
        let answer = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = answer.status();
        (status, axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap())
    }

    pub(super) async fn get(&self, path: &str) -> (StatusCode, Bytes) {
        self.send(Request::get(path).header("host", "127.0.0.1"), Body::empty()).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let request = Request::post(path).header("host", "127.0.0.1");
        let request = request.header("content-type", "application/json");
        let (status, bytes) = self.send(request, Body::from(body.to_string())).await;
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    /// Waits until the model has gone through the queue.
    pub(super) async fn ready(&self) {
        for _ in 0..6000 {
            let counts = self.state.queue().counts(Instant::now());
            if counts.suggested == 3 && counts.broken == 1 {
                return self.free().await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the queue is not worked through: {:?}", self.state.status());
    }

    /// Waits until all memory is given back, which may be a moment after the answer.
    pub(super) async fn free(&self) {
        for _ in 0..6000 {
            if self.state.memory.is_free() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("memory is still taken");
    }

    async fn next(&self, person: &str) -> Vec<Value> {
        let asked = json!({"person": person, "count": 4});
        let (status, answer) = self.post("/v1/next", asked).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["items"].as_array().unwrap().clone()
    }
}

fn decided(person: &str, item: i64, key: &str, label: &str) -> Value {
    json!({"person": person, "decisions":
        [{"item": item, "key": key, "action": "label", "label": label, "seconds": 0.5}]})
}

pub(super) fn error(answer: &Value) -> &str {
    let why = answer["error"].as_str().expect("an error");
    assert!(!why.contains('\n'), "one line: {why}");
    why
}

pub(super) fn picture(side: u32) -> Vec<u8> {
    let mut png = std::io::Cursor::new(Vec::new());
    let light = image::GrayImage::from_pixel(side, side, image::Luma([200]));
    light.write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

#[tokio::test]
async fn items_come_with_suggestions_are_decided_and_taken_back() {
    let server = server(|_| {}, None);
    server.ready().await;
    let items = server.next("ann").await;
    assert_eq!(items.len(), 4);
    assert_eq!(
        (&items[0]["kind"], &items[0]["suggestions"][0]["label"]),
        (&json!("picture"), &json!("dark"))
    );
    assert_eq!(items[3]["kind"], "broken");
    assert!(!items[3]["why"].as_str().unwrap().contains(server.folder.path().to_str().unwrap()));
    assert!(server.next("bob").await.is_empty(), "ann has all of them");
    let (status, answer) = server.post("/v1/decisions", decided("ann", 1, "k1", "dark")).await;
    assert_eq!(
        (status, &answer["saved"], &answer["status"]["queue"]["decided"]),
        (StatusCode::OK, &json!(1), &json!(1))
    );
    // Sent again, as after a broken connection.
    let (_, answer) = server.post("/v1/decisions", decided("ann", 1, "k1", "dark")).await;
    assert_eq!(answer["saved"], 1);
    assert_eq!(Store::read(&server.state.settings.store).unwrap().decisions().unwrap().len(), 1);
    let (_, answer) = server.post("/v1/decisions", decided("bob", 2, "k2", "dark")).await;
    assert!(answer["rejected"][0]["error"].as_str().unwrap().contains("`ann`"), "{answer}");
    let mut other = decided("ann", 2, "k3", "dark");
    other["decisions"][0]["name"] = "x.png".into();
    let (_, answer) = server.post("/v1/decisions", other).await;
    assert!(answer["rejected"][0]["error"].as_str().unwrap().contains("`x.png`"), "{answer}");
    let (_, answer) = server.post("/v1/decisions", decided("ann", 4, "k3", "dark")).await;
    assert!(answer["rejected"][0]["error"].as_str().unwrap().contains("skipped"), "{answer}");
    let (_, answer) = server.post("/v1/undo", json!({"person": "ann"})).await;
    assert_eq!((&answer["item"]["id"], &answer["item"]["decided"]), (&json!(1), &json!("dark")));
    let (status, answer) = server.post("/v1/undo", json!({"person": "ann"})).await;
    assert_eq!((status, error(&answer)), (StatusCode::NOT_FOUND, "there is nothing to undo"));
    let (_, answer) = server.post("/v1/release", json!({"person": "ann", "items": [1, 2]})).await;
    assert_eq!(answer["released"], 2);
    assert_eq!(server.next("bob").await.len(), 2);
}

#[tokio::test]
async fn labels_are_known_or_expressly_new() {
    let server = server(|_| {}, None);
    server.ready().await;
    server.next("ann").await;
    let (_, answer) = server.post("/v1/decisions", decided("ann", 1, "k1", "dusk")).await;
    assert_eq!(answer["rejected"][0]["error"], "unknown label `dusk`");
    let mut new = decided("ann", 1, "k1", " dusk ");
    new["decisions"][0]["new"] = true.into();
    let (_, answer) = server.post("/v1/decisions", new).await;
    assert_eq!((&answer["saved"], &answer["status"]["labels"]), (&json!(1), &json!(3)));
    for bad in ["", "  ", "a\nb", &"x".repeat(201)] {
        let mut new = decided("ann", 2, "k2", bad);
        new["decisions"][0]["new"] = true.into();
        let (_, answer) = server.post("/v1/decisions", new).await;
        assert!(answer["rejected"][0]["error"].as_str().unwrap().starts_with("label: "));
        let (status, _) = server.post("/v1/next", json!({"person": bad, "count": 1})).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let (_, bytes) = server.get("/v1/labels").await;
    assert_eq!(bytes, r#"{"labels":["bright","dark","dusk"]}"#);
}

#[tokio::test]
async fn what_is_sure_enough_needs_no_person() {
    let server = server(|settings| settings.risk = Some(0.01), None);
    server.ready().await;
    // All three are dark or bright beyond the threshold; the fixed part is left to people.
    let free: Vec<i64> = server
        .state
        .queue()
        .entries()
        .iter()
        .filter(|entry| entry.broken.is_none() && !entry.item.fixed)
        .map(|entry| entry.item.id)
        .collect();
    assert!(!free.is_empty());
    for _ in 0..500 {
        if server.state.status()["auto_accept"]["accepted"] == free.len() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let status = server.state.status();
    assert_eq!(status["queue"]["automatic"], free.len());
    assert_eq!(status["auto_accept"]["code"], "accepting");
    let ids: Vec<i64> =
        server.next("ann").await.iter().map(|item| item["id"].as_i64().unwrap()).collect();
    assert!(ids.contains(&4), "{ids:?}");
    assert!(free.iter().all(|id| !ids.contains(id)), "{ids:?} and {free:?}");
}

#[tokio::test]
async fn a_full_disk_stops_deciding_and_loses_nothing() {
    let server = server(|_| {}, None);
    server.ready().await;
    server.next("ann").await;
    let (status, _) = server.post("/v1/decisions", decided("ann", 1, "k1", "dark")).await;
    assert_eq!(status, StatusCode::OK);
    drop(server);
    let server = self::server(|_| {}, Some(1));
    server.next("ann").await;
    let mut all = decided("ann", 1, "k1", "dark");
    for i in 0..200 {
        let item = json!({"item": 1, "key": format!("{i}{}", "x".repeat(150)), "action": "skip"});
        all["decisions"].as_array_mut().unwrap().push(item);
    }
    let (status, answer) = server.post("/v1/decisions", all).await;
    assert_eq!(status, StatusCode::INSUFFICIENT_STORAGE, "{answer}");
    assert!(error(&answer).contains("disk is full"));
    assert_eq!(server.state.queue().counts(Instant::now()).decided, 0);
}

#[tokio::test]
async fn pages_of_others_and_bent_names_are_refused() {
    let server = server(|_| {}, None);
    let post = |origin: &str, host: &str, kind: &str| {
        let request = Request::post("/v1/undo").header("host", host).header("content-type", kind);
        server.send(request.header("origin", origin), Body::from(r#"{"person":"ann"}"#))
    };
    let (status, _) = post("http://127.0.0.1:80", "127.0.0.1:80", "application/json").await;
    assert_eq!(status, StatusCode::NOT_FOUND, "let through: there is nothing to undo");
    let (status, _) = post("http://evil.example", "127.0.0.1:80", "application/json").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = post("http://evil.example", "evil.example", "application/json").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    // What a form may send without being asked about.
    let (status, _) = post("http://127.0.0.1:80", "127.0.0.1:80", "text/plain").await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let (status, _) = server.send(Request::get("/v1/status"), Body::empty()).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "no Host");
}

#[tokio::test]
async fn a_token_is_asked_for_and_moves_from_the_address_into_a_cookie() {
    let server = server(|settings| settings.token = Some("sesame".into()), None);
    let get = |path: &str, name: &'static str, value: &'static str| {
        server.send(
            Request::get(path).header("host", "192.168.0.9:80").header(name, value),
            Body::empty(),
        )
    };
    for path in ["/", "/v1/status", "/v1/items/1/picture", "/?token=open", "/app.js"] {
        assert_eq!(get(path, "x", "y").await.0, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(get("/?token=sesame", "x", "y").await.0, StatusCode::SEE_OTHER);
    let bearer = get("/v1/status", "authorization", "Bearer sesame").await.0;
    let cookie = get("/v1/status", "cookie", "a=b; tenfold_token=sesame").await.0;
    let wrong = get("/v1/status", "cookie", "tenfold_token=sesam").await.0;
    assert_eq!((bearer, cookie, wrong), (StatusCode::OK, StatusCode::OK, StatusCode::UNAUTHORIZED));
    let request = Request::post("/v1/undo?token=sesame").header("host", "localhost");
    let (status, _) = server.send(request, Body::empty()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "an address changes nothing");
}

#[tokio::test]
async fn no_file_outside_the_queue_is_served() {
    let server = server(|_| {}, None);
    std::fs::write(server.folder.path().join("secret.png"), picture(4)).unwrap();
    assert_eq!(server.get("/v1/items/1/picture").await.0, StatusCode::OK);
    for path in [
        "/v1/items/../secret.png/picture",
        "/v1/items/..%2Fsecret.png/picture",
        "/v1/items/%2e%2e%2fsecret.png/picture",
        "/v1/items/1/picture/../../../../secret.png",
        "/../secret.png",
        "/%2e%2e/secret.png",
        "/v1/items/99/picture",
        "/v1/items/-1/picture",
        "/etc/passwd",
        "//etc/passwd",
    ] {
        let (status, body) = server.get(path).await;
        assert!(status.is_client_error(), "{path}: {status}");
        assert!(!body.starts_with(b"\x89PNG"), "{path}");
    }
    #[cfg(unix)]
    {
        let queue = &server.state.settings.queue;
        std::fs::remove_file(queue.join("0.png")).unwrap();
        std::os::unix::fs::symlink(server.folder.path().join("secret.png"), queue.join("0.png"))
            .unwrap();
        assert_eq!(server.get("/v1/items/1/picture").await.0, StatusCode::NOT_FOUND, "a link");
    }
}

#[tokio::test]
async fn programs_get_suggestions_within_limits() {
    let server = server(|_| {}, None);
    let send = |kind: &'static str, body: Vec<u8>| {
        let request = Request::post("/v1/suggest?top=1").header("host", "127.0.0.1");
        server.send(request.header("content-type", kind), Body::from(body))
    };
    let (status, bytes) = send("image/png", picture(4)).await;
    let answer: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((status, &answer["weights"]), (StatusCode::OK, &json!("w1")));
    assert_eq!(answer["answers"][0]["suggestions"][0]["label"], "bright");
    assert_eq!(answer["answers"][0]["suggestions"].as_array().unwrap().len(), 1);
    let (status, bytes) = send("image/png", b"no image".to_vec()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(error(&serde_json::from_slice(&bytes).unwrap()).contains("not an image"));
    let (status, bytes) = send("image/png", picture(101)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(error(&serde_json::from_slice(&bytes).unwrap()).contains("101 x 101 pixels"));
    assert_eq!(send("image/png", vec![0; 5000]).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(send("text/plain", picture(4)).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(picture(4));
    let inputs =
        json!({"inputs": [{"picture": text}, {"picture": "AAAA"}, {"row": {"x": 1}}], "top": 2});
    let (status, answer) = server.post("/v1/suggest", inputs).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["answers"][0]["suggestions"].as_array().unwrap().len(), 2);
    assert!(error(&answer["answers"][1]).contains("not an image"));
    assert!(error(&answer["answers"][2]).contains("not rows"));
    for bad in [json!({"inputs": []}), json!({"inputs": [{"sound": "x"}]}), json!([1])] {
        let (status, _) = server.post("/v1/suggest", bad).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    }
}

#[tokio::test]
async fn an_upload_that_does_not_end_is_ended() {
    let server = server(|settings| settings.patience = Duration::from_millis(300), None);
    let endless = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
    let request = Request::post("/v1/suggest").header("host", "127.0.0.1");
    let request = request.header("content-type", "image/png");
    // Without an end by the server this would wait for ever.
    let (status, _) = server.send(request, Body::from_stream(endless)).await;
    assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test]
async fn suggestions_of_others_are_taken_in_whole_or_refused_with_the_line() {
    let server = server(|_| {}, None);
    server.ready().await;
    let send = |text: &'static str| {
        let request = Request::post("/v1/import").header("host", "127.0.0.1");
        server.send(request.header("content-type", "text/csv"), Body::from(text))
    };
    for (text, why) in [
        ("0.png,dark,0.9\n1.png,dusk,0.5\n", "line 2: unknown label `dusk`"),
        ("0.png,dark,0.9\n\nx.png,dark,0.5\n", "line 3: unknown item `x.png`"),
        ("0.png,dark,1.5\n", "line 1: score 1.5: expected 0 to 1"),
        ("0.png,dark,NaN\n", "line 1: score NaN: expected 0 to 1"),
        ("item,label,score\n0.png,dark,much\n", "line 2: score: expected a number, found `much`"),
    ] {
        let (status, bytes) = send(text).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{text}");
        assert_eq!(error(&serde_json::from_slice(&bytes).unwrap()), why);
    }
    let own = &server.next("ann").await[0]["suggestions"][0];
    assert_eq!(own["label"], "dark", "nothing was taken in");
    let (status, bytes) = send("item,label,score\n1.png,bright,0.3\n1.png,dark,0.7\n").await;
    assert_eq!((status, &bytes[..]), (StatusCode::OK, &br#"{"imported":1}"#[..]));
    server.post("/v1/release", json!({"person": "ann", "items": [1, 2, 3, 4]})).await;
    let imported = &server.next("bob").await[1];
    assert_eq!(
        (&imported["weights"], &imported["suggestions"][0]["label"]),
        (&json!("import"), &json!("dark"))
    );
}

#[tokio::test]
async fn the_description_names_every_route_and_no_other() {
    let server = server(|_| {}, None);
    let (_, bytes) = server.get("/v1/openapi.json").await;
    let description: Value = serde_json::from_slice(&bytes).unwrap();
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut described: Vec<(String, String)> = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            if let Ok(method) = method.to_uppercase().parse::<Method>()
                && ["GET", "POST", "PUT", "DELETE", "PATCH"].contains(&method.as_str())
                && path.starts_with("/v1/")
            {
                described.push((path.clone(), method.to_string()));
            }
        }
    }
    let mut own: Vec<(String, String)> = routes(&server.state)
        .iter()
        .map(|(method, path, _)| (path.to_string(), method.to_string()))
        .collect();
    own.sort();
    described.sort();
    assert_eq!(own, described);
    // And the list is the truth: another method is refused, nothing answers with an error of ours.
    for (path, method) in own {
        let path = path.replace("{id}", "1").replace("/v1/export", "/v1/export?format=csv");
        if method == "GET" && !path.ends_with("/events") {
            let (status, _) = server.get(&path).await;
            assert!(status.is_success(), "{path}: {status}");
            let delete = Request::delete(&path).header("host", "localhost");
            assert_eq!(server.send(delete, Body::empty()).await.0, StatusCode::METHOD_NOT_ALLOWED);
        }
    }
}

#[tokio::test]
async fn the_page_is_there_and_runs_nothing_from_elsewhere() {
    let server = server(|_| {}, None);
    let request = Request::get("/").header("host", "localhost:8080").body(Body::empty()).unwrap();
    let answer = server.router.clone().oneshot(request).await.unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    let page = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    let page = std::str::from_utf8(&page).unwrap();
    for file in page.split(['"', '\'']).filter(|word| word.starts_with('/') && word.len() > 1) {
        assert!(server.get(file).await.0.is_success(), "{file}");
    }
    assert!(!page.contains("http://") && !page.contains("https://"), "nothing from elsewhere");
}

#[tokio::test]
async fn a_training_needs_enough_decisions_and_says_when_it_fails() {
    let server = server(|_| {}, None);
    let (status, answer) = server.post("/v1/retrain", json!({"person": "ann"})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(error(&answer).contains("needs 20 decisions; you have 0"));
    let (status, _) = server.post("/v1/retrain/take", json!({"person": "ann"})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, answer) = server.post("/v1/retrain", json!({"person": ""})).await;
    assert_eq!(
        (status, error(&answer).starts_with("person: ")),
        (StatusCode::UNPROCESSABLE_ENTITY, true)
    );
}

#[tokio::test]
async fn places_come_in_are_decided_one_by_one_and_go_out() {
    let server = server(|_| {}, None);
    server.ready().await;
    let import = json!({"suggestions": [
        {"item": "0.png", "objects": [
            {"label": "dark", "score": 0.75, "box": [0.5, 1, 2.2, 1.5]},
            {"label": "bright", "score": 0.5, "polygon": [[0, 0], [2, 0], [0, 2]]},
            {"label": "text", "text": "EXIT", "score": 0.25,
             "mask": {"size": [4, 4], "counts": [5, 2, 9]}}]},
        {"input": "1.png", "suggestions": [{"label": "dark", "score": 0.5, "box": [0, 0, 1, 1]}]},
        {"item": "2.png", "objects": []},
    ]});
    let (status, answer) = server.post("/v1/import", import).await;
    assert_eq!((status, &answer), (StatusCode::OK, &json!({"imported": 3})));
    let items = server.next("ann").await;
    let slots = json!([
        {"box": [0.5, 1.0, 2.7, 2.5], "ranked": [{"label": "dark", "score": 0.75}]},
        {"polygon": [[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]],
         "ranked": [{"label": "bright", "score": 0.5}]},
        {"mask": {"size": [4, 4], "counts": [5, 2, 9]},
         "ranked": [{"text": "EXIT", "score": 0.25}]},
    ]);
    // Numbers of the answer are read as f64, which 2.7 as f32 is not.
    let read = |value: &Value| -> Proposal { serde_json::from_value(value.clone()).unwrap() };
    assert_eq!(read(&items[0]["slots"]), read(&slots));
    assert_eq!((&items[0]["suggestions"], &items[2]["slots"]), (&json!([]), &json!([])));
    assert_eq!(items[1]["slots"][0]["box"], json!([0.0, 0.0, 1.0, 1.0]));

    let decide = |item: i64, verdicts: Value| {
        json!({"person": "ann", "decisions": [{"item": item, "key": format!("k{item}"),
            "action": "label", "verdicts": verdicts, "seconds": 0.5}]})
    };
    let refused = async |item, verdicts, why: &str| {
        let (_, answer) = server.post("/v1/decisions", decide(item, verdicts)).await;
        let error = answer["rejected"][0]["error"].as_str().or(answer["error"].as_str()).unwrap();
        assert!(error.contains(why), "{answer}");
    };
    let confirmed = json!({"slot": 0, "box": [0.5, 1.0, 2.7, 2.5], "label": "dark"});
    let gone = |slot: usize| json!({"slot": slot, "removed": true});
    refused(1, json!([confirmed, gone(1)]), "slot 2: 0 verdicts").await;
    refused(1, json!([confirmed, gone(0), gone(1), gone(2)]), "slot 0: 2 verdicts").await;
    refused(1, json!([confirmed, gone(1), gone(2), gone(3)]), "slot 3: 3 were shown").await;
    let added = |label: &str, sides: [f32; 4]| json!({"box": sides, "label": label});
    let with = |more: Value| json!([confirmed, gone(1), gone(2), more]);
    refused(1, with(added("dusk", [0.0, 0.0, 1.0, 1.0])), "unknown label `dusk`").await;
    refused(1, with(added("dark", [1.0, 0.0, 1.0, 1.0])), "box: expected x1 below x2").await;
    refused(1, with(json!({"box": [0, 0, 1, 1]})), "expected exactly one of label").await;
    let (_, answer) = server.post("/v1/decisions", decided("ann", 1, "k1", "dark")).await;
    assert!(answer["rejected"][0]["error"].as_str().unwrap().contains("expected `verdicts`"));

    let text = json!({"slot": 2, "mask": {"size": [4, 4], "counts": [5, 2, 9]}, "text": " WAY "});
    let moved = json!({"slot": 0, "box": [0.25, 1.0, 2.7, 2.5], "label": "dark"});
    let verdicts = json!([moved, gone(1), text, added("bright", [0.0, 0.0, 1.5, 1.0])]);
    let (_, answer) = server.post("/v1/decisions", decide(1, verdicts)).await;
    assert_eq!((&answer["saved"], &answer["rejected"]), (&json!(1), &json!([])));
    let (_, answer) = server.post("/v1/decisions", decide(3, json!([]))).await;
    assert_eq!(answer["saved"], 1, "nothing is there: {answer}");

    let (_, report) = server.get("/v1/report").await;
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["places"], json!({"corrected": 1, "moved": 1, "removed": 1, "added": 1}));
    assert_eq!(report["formats"], json!(["csv", "parquet", "coco"]));
    let (_, coco) = server.get("/v1/export?format=coco").await;
    let coco: Value = serde_json::from_slice(&coco).unwrap();
    assert_eq!(coco["images"].as_array().unwrap().len(), 2);
    let boxes: Vec<&Value> =
        coco["annotations"].as_array().unwrap().iter().map(|one| &one["bbox"]).collect();
    let expected =
        [json!([0.25, 1.0, 2.45, 1.5]), json!([1.0, 1.0, 1.0, 2.0]), json!([0.0, 0.0, 1.5, 1.0])];
    assert_eq!(boxes, expected.iter().collect::<Vec<_>>());
    assert_eq!(coco["annotations"][1]["text"], "WAY");

    // Taken back, it comes with what was made of it.
    let (_, answer) = server.post("/v1/undo", json!({"person": "ann"})).await;
    assert_eq!((&answer["item"]["id"], &answer["item"]["verdicts"]), (&json!(3), &json!([])));
    let (_, answer) = server.post("/v1/undo", json!({"person": "ann"})).await;
    assert_eq!(answer["item"]["verdicts"].as_array().unwrap().len(), 4);
    assert_eq!(answer["item"]["decided"], "dark, WAY, bright");
}

#[tokio::test]
async fn imports_that_cannot_be_kept_are_refused() {
    let server = server(|_| {}, None);
    server.ready().await;
    for (object, why) in [
        (json!({"score": 0.5}), "line 1: expected label, text or value"),
        (json!({"label": "dark", "score": 0.5, "mask": [[0, 0, 1, 1]]}), "line 1: mask: "),
        (
            json!({"label": "dark", "score": 0.5, "mask": {"size": [4, 4], "counts": [5]}}),
            "expected run lengths whose sum",
        ),
        (json!({"label": "dark", "score": 0.5, "box": [1, 2, 3]}), "expected an array of length 4"),
        (json!({"label": "dark", "score": 2.5, "box": [1, 2, 3, 4]}), "score 2.5"),
    ] {
        let import = json!({"suggestions": [{"item": "0.png", "objects": [object]}]});
        let (status, answer) = server.post("/v1/import", import).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(error(&answer).contains(why), "{answer}");
    }
    let (_, answer) = server.post("/v1/import", json!({"suggestions": [{"item": "0.png"}]})).await;
    assert!(error(&answer).contains("no suggestions for `0.png`"), "{answer}");
}
