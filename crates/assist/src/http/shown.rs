//! `GET /v1/items/{id}/image`: the file of an item, in pieces, or what a browser shows of it.

use super::answer::{Failure, Path, blocking};
use crate::memory::Taken;
use crate::state::State;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::sync::Arc;
use tenfold_core::data::image_file::{self, Weight};
use tenfold_core::store::{Content, Store};

/// How much of a file is in memory at once.
const PIECE: u64 = 64 << 10;

/// What is answered.
enum Shown {
    /// The file as it lies there, and its length.
    File(&'static str, File, u64),
    /// One that browsers do not show.
    Other(std::path::PathBuf, File, Weight),
}

/// `GET /v1/items/{id}/image`.
pub async fn image(
    axum::extract::State(state): axum::extract::State<Arc<State>>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    let name = {
        let queue = state.queue();
        let entry = queue.get(id).filter(|entry| entry.item.content == Content::File);
        entry.map(|entry| entry.item.name.clone())
    };
    let name = name.ok_or_else(|| Failure(StatusCode::NOT_FOUND, "no such item".into()))?;
    let unreadable = || Failure(StatusCode::NOT_FOUND, "the image cannot be read".into());
    let own = state.clone();
    let shown =
        blocking(move || shown(&own.settings.queue, &name)).await?.ok_or_else(unreadable)?;
    let (kind, length, body) = match shown {
        Shown::File(kind, file, length) => (kind, length, pieces(file, length)),
        Shown::Other(path, file, weight) => {
            // The image, and twice its PNG, which grows as it is written.
            let memory = weight.memory.max(weight.pixels() * 9);
            let taken = state.memory.take(memory).await;
            let taken = taken.map_err(|why| Failure(StatusCode::PAYLOAD_TOO_LARGE, why))?;
            let png = blocking(move || as_png(&path, file, taken)).await?.ok_or_else(unreadable)?;
            ("image/png", png.bytes.len() as u64, Body::from(Bytes::from_owner(png)))
        }
    };
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CACHE_CONTROL, "private, max-age=3600".to_owned()),
    ];
    Ok((headers, body).into_response())
}

fn shown(queue: &std::path::Path, name: &str) -> Option<Shown> {
    let (path, mut file) = Store::open_file(queue, name).ok()?;
    let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let mut start = Vec::new();
    (&file).take(16).read_to_end(&mut start).ok()?;
    file.rewind().ok()?;
    let kind = match &start[..] {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xFF, 0xD8, 0xFF, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => {
            let weight = image_file::weigh_open(&path, file.try_clone().ok()?).ok()?;
            file.rewind().ok()?;
            return Some(Shown::Other(path, file, weight));
        }
    };
    Some(Shown::File(kind, file, metadata.len()))
}

/// A file, of which a piece is read when the one before was sent.
fn pieces(file: File, length: u64) -> Body {
    let next = |(file, left): (Arc<File>, u64)| async move {
        if left == 0 {
            return None;
        }
        let own = file.clone();
        let piece = blocking(move || {
            let mut piece = Vec::new();
            own.as_ref().take(PIECE.min(left)).read_to_end(&mut piece)?;
            // One that became shorter meanwhile has no end that would be right.
            match piece.is_empty() {
                true => Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)),
                false => Ok(Bytes::from(piece)),
            }
        });
        let piece = piece.await.unwrap_or_else(|why| Err(std::io::Error::other(why.1)));
        let left = piece.as_ref().map_or(0, |piece| left - piece.len() as u64);
        Some((piece, (file, left)))
    };
    Body::from_stream(futures_util::stream::unfold((Arc::new(file), length), next))
}

/// Bytes that hold their part of the budget for as long as anybody has them.
struct Held {
    bytes: Vec<u8>,
    _taken: Taken,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn as_png(path: &std::path::Path, file: File, mut taken: Taken) -> Option<Held> {
    let image = image_file::read_open(path, file).ok()?;
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png).ok()?;
    drop(image);
    let bytes = png.into_inner();
    taken.shrink(bytes.capacity() as u64);
    Some(Held { bytes, _taken: taken })
}
