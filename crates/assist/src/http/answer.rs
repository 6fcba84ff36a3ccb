//! What every route shares: JSON in and out, and what is wrong in one line of it.

use axum::body::Bytes;
use axum::extract::{self, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use serde::de::{DeserializeOwned, Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use std::io::ErrorKind;
use std::marker::PhantomData;

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

/// The parameters behind an address's question mark.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let read = extract::Query::from_request_parts(parts, state).await;
        read.map(|own| Self(own.0)).map_err(|why| Failure(why.status(), why.body_text()))
    }
}

/// What stands in the place of `{...}` in a path.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let read = extract::Path::from_request_parts(parts, state).await;
        read.map(|own| Self(own.0)).map_err(|why| Failure(why.status(), why.body_text()))
    }
}

/// A list of so many at least and at most; what is beyond is not even read.
pub struct List<T, const LEAST: usize, const MOST: usize>(pub Vec<T>);

impl<'de, T: Deserialize<'de>, const LEAST: usize, const MOST: usize> Deserialize<'de>
    for List<T, LEAST, MOST>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T, const LEAST: usize, const MOST: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const LEAST: usize, const MOST: usize> Visitor<'de>
            for Reader<T, LEAST, MOST>
        {
            type Value = Vec<T>;
            fn expecting(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(text, "a list of {LEAST} to {MOST}")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Vec<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(one) = all.next_element()? {
                    if list.len() == MOST {
                        return Err(A::Error::invalid_length(MOST + 1, &self));
                    }
                    list.push(one);
                }
                match list.len() < LEAST {
                    true => Err(A::Error::invalid_length(list.len(), &self)),
                    false => Ok(list),
                }
            }
        }
        deserializer.deserialize_seq(Reader::<T, LEAST, MOST>(PhantomData)).map(Self)
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
