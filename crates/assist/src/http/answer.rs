//! What every route shares: JSON in and out, and what is wrong in one line of it.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::io::ErrorKind;

/// Work that waits for the disk or the processor, on a thread where that is allowed.
///
/// # Errors
/// It broke down.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|why| Failure(StatusCode::INTERNAL_SERVER_ERROR, why.to_string()))
}

/// An answer that says what was wrong, in one line of JSON.
pub struct Failure(pub StatusCode, pub String);

impl Failure {
    /// What the client sent is not what was expected.
    pub fn wrong(why: impl std::fmt::Display) -> Self {
        Self(StatusCode::UNPROCESSABLE_ENTITY, why.to_string())
    }

    /// The store cannot be written or read.
    pub fn store(why: &tenfold_core::Error) -> Self {
        let full = matches!(why, tenfold_core::Error::Io { source, .. }
            if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::Other));
        if let tenfold_core::Error::Io { source, .. } = why
            && source.kind() == ErrorKind::NotFound
        {
            let why = "the store is gone: it was removed or replaced while in use, and nothing \
                       more is saved; put it back and start again";
            return Self(StatusCode::INSUFFICIENT_STORAGE, why.into());
        }
        match full {
            true => Self(
                StatusCode::INSUFFICIENT_STORAGE,
                "nothing more can be saved: the disk is full or fails; what was saved is safe"
                    .into(),
            ),
            false => Self(StatusCode::INTERNAL_SERVER_ERROR, why.to_string()),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(status, why) = self;
        let mut answer = Json(json!({ "error": why })).into_response();
        *answer.status_mut() = status;
        answer
    }
}

/// JSON, in and out. In only as `application/json`, which no page of another site may send
/// without asking.
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
            Err(why) => Failure(StatusCode::INTERNAL_SERVER_ERROR, why.to_string()).into_response(),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        if content_type(&request) != "application/json" {
            let why = "expected Content-Type: application/json".into();
            return Err(Failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
        }
        let bytes = body(request, state).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(Failure::wrong)
    }
}

/// The content type without its parameters, lower case.
pub fn content_type(request: &Request) -> String {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

/// The whole body, within its limit.
pub async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Failure> {
    let read = Bytes::from_request(request, state)
        .map(|read| read.map_err(|why| Failure(why.status(), why.body_text().to_lowercase())));
    read.await
}
