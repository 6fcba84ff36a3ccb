//! A store: one SQLite file that holds what a model proposed, what people decided, and what
//! is still open. It is written by one program at a time and may be read by others meanwhile.
//!
//! A decision is never changed or removed: one that is taken back is marked so. What an item
//! is follows from the last decision about it that was not taken back.
//!
//! Format 2 has a verdict for each slot of what was proposed. Format 1 had one label an item:
//! a store of it gets a column more when it is opened to write, and its lines stay as they are;
//! they are read by their shape.

mod data;
mod place;
mod tables;

pub use data::open_data;
pub use tables::{Action, Content, Decision, Item, Proposed, Round, Saved, last, now};

use crate::data::Kind;
use crate::suggest::Agreement;
use crate::{Error, Result, files};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Version of the tables. A higher number in a file was written by a newer program and is
/// refused.
pub const VERSION: u32 = 2;

/// What SQLite's header says of whose file it is: "10ld".
const APPLICATION: u32 = 0x3130_6C64;

/// One item in so many is of the fixed part: decided like the others, never trained on.
const FIXED: usize = 5;
/// The most items of the fixed part: beyond so many, accuracy is known well enough.
const MOST_FIXED: usize = 1_000;

const TABLES: &str = "
CREATE TABLE about(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE labels(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, person TEXT, at REAL);
CREATE TABLE items(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  fixed INTEGER NOT NULL,
  row TEXT);
CREATE TABLE suggestions(
  item INTEGER PRIMARY KEY REFERENCES items(id),
  weights TEXT NOT NULL,
  suggestions TEXT NOT NULL);
CREATE TABLE decisions(
  id INTEGER PRIMARY KEY,
  item INTEGER NOT NULL REFERENCES items(id),
  person TEXT NOT NULL,
  at REAL NOT NULL,
  seconds REAL,
  action TEXT NOT NULL CHECK(action IN ('label', 'skip', 'auto')),
  label TEXT,
  verdicts TEXT,
  proposed TEXT,
  weights TEXT,
  hidden INTEGER NOT NULL,
  grid INTEGER NOT NULL,
  key TEXT UNIQUE,
  undone INTEGER NOT NULL DEFAULT 0);
CREATE INDEX decisions_of_item ON decisions(item) WHERE undone = 0;
CREATE TABLE rounds(
  round INTEGER PRIMARY KEY,
  run TEXT NOT NULL,
  weights TEXT NOT NULL,
  at REAL NOT NULL,
  decisions INTEGER NOT NULL,
  accuracy_before REAL,
  accuracy REAL,
  taken INTEGER NOT NULL);
";

/// Where a store's items come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The task, such as `classification`.
    pub task: String,
    /// The folder of the images, the table, or the file of texts.
    pub queue: PathBuf,
    /// What the model takes, at the size in which it takes it.
    pub kind: Kind,
    /// Decides which items are of the fixed part.
    pub seed: u64,
    /// How far two answers are the same.
    #[serde(default)]
    pub agreement: Agreement,
}

/// An open store.
pub struct Store {
    path: PathBuf,
    connection: Connection,
    origin: Origin,
    /// Of the file as it is: one that is only read is not migrated.
    version: u32,
    /// Which file was opened.
    identity: Option<[u64; 2]>,
}

impl Store {
    /// Opens the store at `path` to write, or makes one; `labels` are those that the model
    /// knows, and are added where they are new. One of an older format is migrated.
    ///
    /// # Errors
    /// A file that is no store, is damaged, or was written by a newer program, which is left
    /// as it is; a store of another queue; a folder that cannot be written.
    pub fn open(path: &Path, origin: &Origin, labels: &[String]) -> Result<Self> {
        let fail = |why: rusqlite::Error| failure(path, &why);
        match path.exists() {
            false => make(path, origin)?,
            true => check_header(path)?,
        }
        let connection = Connection::open(path).map_err(fail)?;
        prepare(&connection).map_err(fail)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
        // A decision is on the disk before it is acknowledged, not only in the system's memory.
        connection.pragma_update(None, "synchronous", "FULL").map_err(fail)?;
        migrate(&connection).map_err(fail)?;
        let store = Self::read_origin(path, connection)?;
        if (&store.origin.task, &store.origin.queue) != (&origin.task, &origin.queue) {
            let why = format!(
                "a store of {} for {}, not of {} for {}: name another with --store",
                store.origin.queue.display(),
                store.origin.task,
                origin.queue.display(),
                origin.task,
            );
            return Err(Error::file(path, why));
        }
        for label in labels {
            store.add_label(label, None)?;
        }
        Ok(store)
    }

    /// Opens the store at `path` to read, while another program may write to it.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn read(path: &Path) -> Result<Self> {
        check_header(path)?;
        // Not read-only: a reader of a write-ahead log makes its index file where it lacks.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match Connection::open_with_flags(path, flags).and_then(readable) {
            Ok(connection) => connection,
            Err(why) if cannot_write(&why) => read_only(path)?,
            Err(why) => return Err(failure(path, &why)),
        };
        prepare(&connection).map_err(|why| failure(path, &why))?;
        connection.pragma_update(None, "query_only", true).map_err(|why| failure(path, &why))?;
        Self::read_origin(path, connection)
    }

    fn read_origin(path: &Path, connection: Connection) -> Result<Self> {
        let ask = "SELECT value FROM about WHERE key = 'origin'";
        let text: String =
            connection.query_row(ask, [], |row| row.get(0)).map_err(|why| failure(path, &why))?;
        let origin = serde_json::from_str(&text).map_err(|why| Error::file(path, why))?;
        let version = version(&connection).map_err(|why| failure(path, &why))?;
        Ok(Self { path: path.into(), connection, origin, version, identity: identity(path) })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where its items come from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What is written to a file that was removed is gone when it is closed: nothing is saved
    /// where another file, or none, stands under the store's name.
    fn here(&self) -> Result<()> {
        match identity(&self.path) == self.identity {
            true => Ok(()),
            false => {
                let why = "removed or replaced while in use; nothing more is saved: put it back \
                           and start again";
                let source = std::io::Error::new(std::io::ErrorKind::NotFound, why);
                Err(Error::io(&self.path, source))
            }
        }
    }

    fn fail(&self) -> impl Fn(rusqlite::Error) -> Error + '_ {
        |why| failure(&self.path, &why)
    }

    /// The most pages of 4 KiB that the file may have: what a full disk does, for tests.
    ///
    /// # Errors
    /// What SQLite says.
    #[doc(hidden)]
    pub fn limit_pages(&self, pages: u32) -> Result<()> {
        self.connection
            .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
            .map_err(self.fail())
    }
}

/// Makes a store without items: beside its place, so that it is whole or absent.
fn make(path: &Path, origin: &Origin) -> Result<()> {
    let text = serde_json::to_string(origin).map_err(|why| Error::file(path, why))?;
    let new = beside(path, ".new");
    let clear = || {
        for ending in ["", "-journal"] {
            let _ = std::fs::remove_file(beside(&new, ending));
        }
    };
    clear();
    let write = || {
        let connection = Connection::open(&new)?;
        let all = connection.unchecked_transaction()?;
        all.execute_batch(TABLES)?;
        all.execute("INSERT INTO about VALUES ('origin', ?)", [&text])?;
        all.pragma_update(None, "application_id", APPLICATION)?;
        all.pragma_update(None, "user_version", VERSION)?;
        all.commit()?;
        connection.close().map_err(|(_, why)| why)
    };
    if let Err(why) = write() {
        clear();
        return Err(failure(path, &why));
    }
    std::fs::rename(&new, path).map_err(|source| Error::io(path, source))?;
    files::sync_folder(
        path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")),
    )
}

/// A path with something behind its name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// SQLite opens a file without looking at it.
fn readable(connection: Connection) -> rusqlite::Result<Connection> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

fn cannot_write(why: &rusqlite::Error) -> bool {
    use ErrorCode::{CannotOpen, PermissionDenied, ReadOnly};
    matches!(why.sqlite_error_code(), Some(CannotOpen | PermissionDenied | ReadOnly))
}

/// Opens a store where nothing can be written, such as a mount that is read-only: no log may be
/// open.
fn read_only(path: &Path) -> Result<Connection> {
    let log = beside(path, "-wal");
    if std::fs::metadata(&log).is_ok_and(|about| about.len() > 0) {
        let why = "holds decisions that can be read only where the folder can be written: copy \
                   it and the store to such a one";
        return Err(Error::file(log, why));
    }
    let whole = std::path::absolute(path).map_err(|source| Error::io(path, source))?;
    let Some(name) = whole.to_str() else {
        return Err(Error::file(path, "its name is not UTF-8"));
    };
    let name = name.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let opened = Connection::open_with_flags(format!("file:{name}?immutable=1"), flags);
    opened.and_then(readable).map_err(|why| failure(path, &why))
}

/// Nothing that a file contains is executed: no trigger or view of a file that others made
/// may call a function with effects.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "foreign_keys", true)
}

/// The file behind a path: its device and number.
#[cfg(unix)]
fn identity(path: &Path) -> Option<[u64; 2]> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|about| [about.dev(), about.ino()])
}

/// Elsewhere a file that is open can be neither removed nor replaced.
#[cfg(not(unix))]
fn identity(_: &Path) -> Option<[u64; 2]> {
    None
}

fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// From format 1 to 2, whole or not at all. No line is changed: what stands in it is read by
/// its shape.
fn migrate(connection: &Connection) -> rusqlite::Result<()> {
    if version(connection)? >= VERSION {
        return Ok(());
    }
    let all = connection.unchecked_transaction()?;
    all.execute("ALTER TABLE decisions ADD COLUMN verdicts TEXT", [])?;
    all.pragma_update(None, "user_version", VERSION)?;
    all.commit()?;
    // The header is read without SQLite: it has to stand in the file itself.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

fn header(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut header = Vec::new();
    if std::fs::metadata(path)?.is_file() {
        std::fs::File::open(path)?.take(100).read_to_end(&mut header)?;
    }
    Ok(header)
}

/// Looks at the file without SQLite, which would touch what it opens.
fn check_header(path: &Path) -> Result<()> {
    let header = header(path).map_err(|source| Error::io(path, source))?;
    let number = |at: usize| {
        let bytes = header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_be_bytes)
    };
    // Offsets 60 and 68 of SQLite's file format: user version, application id.
    if !header.starts_with(b"SQLite format 3\0") || number(68) != APPLICATION {
        return Err(Error::file(path, "not a store of decisions; expected one that `serve` made"));
    }
    match number(60) {
        version if version > VERSION => Err(Error::file(
            path,
            format!(
                "a store of version {version}, and this program reads up to {VERSION}: update it"
            ),
        )),
        0 => Err(Error::file(path, "a store without a version: it is damaged")),
        _ => Ok(()),
    }
}

/// What SQLite says, as an error that names the file; a full disk is told as one.
fn failure(path: &Path, why: &rusqlite::Error) -> Error {
    use std::io::ErrorKind;
    let kind = match why.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => ErrorKind::StorageFull,
        Some(ErrorCode::SystemIoFailure) => ErrorKind::Other,
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            ErrorKind::PermissionDenied
        }
        _ => return Error::file(path, why),
    };
    Error::io(path, std::io::Error::new(kind, why.to_string()))
}

#[cfg(test)]
mod tests;
