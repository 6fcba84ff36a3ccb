//! The page's files, embedded in the program.

use crate::state::State;
use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use std::sync::Arc;

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Path, content type, content.
macro_rules! files {
    ($($path:literal $file:literal $kind:expr;)*) => {
        &[$(($path, $kind, include_str!(concat!("../../assets/", $file)))),*]
    };
}

const FILES: &[(&str, &str, &str)] = files! {
    "/" "index.html" "text/html; charset=utf-8";
    "/style.css" "style.css" "text/css; charset=utf-8";
    "/icon.svg" "icon.svg" "image/svg+xml";
    "/app.js" "app.js" JAVASCRIPT;
    "/api.js" "api.js" JAVASCRIPT;
    "/decide.js" "decide.js" JAVASCRIPT;
    "/grid.js" "grid.js" JAVASCRIPT;
    "/item.js" "item.js" JAVASCRIPT;
    "/page.js" "page.js" JAVASCRIPT;
    "/report.js" "report.js" JAVASCRIPT;
    "/search.js" "search.js" JAVASCRIPT;
    "/slots.js" "slots.js" JAVASCRIPT;
    "/words.js" "words.js" JAVASCRIPT;
};

/// The description of the interface.
pub const OPENAPI: &str = include_str!("../../assets/openapi.json");

/// Adds a route for each file.
pub fn routes(mut router: Router<Arc<State>>) -> Router<Arc<State>> {
    for &(path, kind, text) in FILES {
        // Asked for anew each time: a newer program on the same address has another page.
        let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")];
        router = router.route(path, get(move || async move { (headers, text) }));
    }
    router
}

/// `GET /v1/openapi.json`.
pub async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}
