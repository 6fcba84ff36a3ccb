//! The server: connections, the way through the guard, and what every route shares.

mod answer;
pub mod guard;
mod import;
mod page;
mod places;
mod routes;
mod shown;
mod suggest;

use crate::state::State;
use answer::Failure;
use axum::body::HttpBody;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use axum::{Extension, Router};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use places::{Connection, Limits, Places, Watched};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tenfold_core::progress::note;
use tenfold_core::train::interrupt;
use tower::Layer;

/// The most bytes of a request that is no upload.
const BODY: usize = 2 << 20;
/// The most bytes of a request's body that need not wait for memory.
const SMALL: u64 = 16 << 10;
/// What a body takes in memory, as a multiple of its length: as it arrives, and what is read of it.
const BYTES: u64 = 2;
const JSON: u64 = 12;
/// The most bytes of a request's header, and of an answer that are copied at once.
const BUFFER: usize = 32 << 10;
/// How long requests under way may take at the end.
const FAREWELL: Duration = Duration::from_secs(10);

/// Every route, by path and method, for the router and for the test that holds the
/// interface's description to it.
fn routes(state: &State) -> Vec<(&'static str, &'static str, MethodRouter<Arc<State>>)> {
    use axum::routing::{get, post};
    let upload = DefaultBodyLimit::max(state.settings.upload);
    vec![
        ("GET", "/v1/status", get(routes::status)),
        ("GET", "/v1/events", get(routes::events)),
        ("POST", "/v1/next", post(routes::next)),
        ("POST", "/v1/grid", post(routes::grid)),
        ("POST", "/v1/decisions", post(routes::decide)),
        ("POST", "/v1/release", post(routes::release)),
        ("POST", "/v1/undo", post(routes::undo)),
        ("GET", "/v1/labels", get(routes::labels)),
        ("POST", "/v1/retrain", post(routes::retrain)),
        ("POST", "/v1/retrain/take", post(routes::take)),
        ("GET", "/v1/report", get(routes::report)),
        ("GET", "/v1/export", get(routes::export)),
        ("GET", "/v1/items/{id}", get(routes::item)),
        ("GET", "/v1/items/{id}/image", get(shown::image)),
        // As the first version of the interface has it.
        ("GET", "/v1/items/{id}/picture", get(shown::image)),
        ("GET", "/v1/health", get(routes::health)),
        ("GET", "/v1/metrics", get(routes::metrics)),
        ("GET", "/v1/openapi.json", get(page::openapi)),
        ("POST", "/v1/suggest", post(suggest::suggest).layer(upload)),
        ("POST", "/v1/import", post(import::import).layer(upload)),
    ]
}

/// The whole service.
pub fn router(state: Arc<State>) -> Router {
    let mut router = Router::new();
    for (_, path, route) in routes(&state) {
        router = router.route(path, route);
    }
    page::routes(router)
        .fallback(|| async { Failure(StatusCode::NOT_FOUND, "there is nothing here".into()) })
        .method_not_allowed_fallback(|| async {
            Failure(StatusCode::METHOD_NOT_ALLOWED, "not by this method".into())
        })
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::from_fn_with_state(state.clone(), weigh))
        .layer(middleware::from_fn_with_state(state.clone(), guard::check))
        .layer(middleware::from_fn_with_state(state.clone(), observe))
        .with_state(state)
}

/// Takes the memory in which a body will stand, until it is answered.
async fn weigh(
    axum::extract::State(state): axum::extract::State<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    // These two take more memory once they know for what.
    let (most, times) = match request.uri().path() {
        "/v1/suggest" | "/v1/import" => (state.settings.upload as u64, BYTES),
        _ => (BODY as u64, JSON),
    };
    let length = request.body().size_hint().upper().unwrap_or(most).min(most);
    let _taken = match length > SMALL {
        true => state.bodies.take_at_most(length * times).await,
        false => None,
    };
    next.run(request).await
}

/// Counts and times every answer, ends what takes too long, and says what no answer may do in
/// a browser.
async fn observe(
    axum::extract::State(state): axum::extract::State<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let _busy = request.extensions().get::<Arc<Connection>>().map(Connection::busy);
    let answer = tokio::time::timeout(state.settings.patience, next.run(request)).await;
    let mut answer = answer.unwrap_or_else(|_| {
        Failure(StatusCode::REQUEST_TIMEOUT, "the request took too long".into()).into_response()
    });
    state.metrics.answered(answer.status().as_u16(), begun.elapsed());
    let headers = answer.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    let policy = "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'; \
                  base-uri 'none'; form-action 'self'";
    set(header::CONTENT_SECURITY_POLICY, policy);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    answer
}

/// Serves until Ctrl-C or SIGTERM, then finishes what is under way.
///
/// # Errors
/// The operating system has no signals to listen for, or takes the address away.
pub async fn serve(listener: std::net::TcpListener, state: Arc<State>) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let router = router(state.clone());
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    interrupt::listen_and(move || {
        let _ = stop.send(true);
    });
    let graceful = GracefulShutdown::new();
    tokio::select! {
        () = accept(&listener, &router, Limits::default(), &graceful) => {}
        _ = stopped.changed() => {}
    }
    drop(listener);
    state.end();
    let _ = tokio::time::timeout(FAREWELL, graceful.shutdown()).await;
    Ok(())
}

/// Gives everyone who comes a place, for ever.
async fn accept(
    listener: &tokio::net::TcpListener,
    router: &Router,
    limits: Limits,
    graceful: &GracefulShutdown,
) {
    let places = Places::new(limits);
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(why) => {
                // Such as too many open files.
                if !places.end_one() {
                    note(format_args!("error: a connection: {why}"));
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(place) = places.enter(from.ip()) else { continue };
        let _ = stream.set_nodelay(true);
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(limits.reading).max_buf_size(BUFFER);
        let service = Extension(place.connection.clone()).layer(router.clone());
        let stream = TokioIo::new(Watched::new(stream, &place));
        let connection = http.serve_connection(stream, TowerToHyperService::new(service));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that breaks off is no fault of the server's.
            tokio::select! {
                _ = connection => {}
                () = place.connection.ended.notified() => {}
            }
        });
    }
}

#[cfg(test)]
mod attack_tests;
#[cfg(test)]
mod tests;
