//! Places of connections: there are so many, and nobody holds one by doing nothing. Who comes when
//! all are taken gets the place of the stranger who has been silent for longest.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::active::lock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep};

/// How many connections there may be, and how long they may be silent.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most connections at once.
    pub all: usize,
    /// Of these, for callers who know the token, and for `/v1/health`.
    pub kept: usize,
    /// The most from one address.
    pub peer: usize,
    /// How long a connection may be without a whole header of a request.
    pub reading: Duration,
    /// How long it may take nothing of an answer.
    pub writing: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        // Each is an open file; others are needed too.
        let all = open_files().map_or(4096, |most| most.saturating_sub(128).clamp(64, 4096));
        Self {
            all,
            kept: all / 16,
            peer: all / 4,
            reading: Duration::from_secs(30),
            writing: Duration::from_secs(20),
        }
    }
}

/// How many files the program may have open, where the system says so.
fn open_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A connection, as its requests know it.
pub struct Connection {
    peer: IpAddr,
    /// Whether it has one of the places that are kept.
    kept: bool,
    /// Whether a request on it had the token.
    known: AtomicBool,
    /// Requests that are being answered.
    busy: AtomicUsize,
    /// When something last went over it, as a place in the order of all such times.
    seen: AtomicU64,
    /// That another needs the place.
    pub ended: Notify,
}

impl Connection {
    /// A request had the token.
    pub fn know(&self) {
        self.known.store(true, Relaxed);
    }

    /// Whether only callers with the token and `/v1/health` are answered here.
    pub fn is_kept(&self) -> bool {
        self.kept
    }

    /// While a request is being answered nobody else gets the place.
    pub fn busy(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Relaxed);
        Busy(self.clone())
    }
}

/// See [`Connection::busy`].
pub struct Busy(Arc<Connection>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Relaxed);
    }
}

/// All of them.
pub struct Places {
    limits: Limits,
    /// Counts what goes over any of them.
    clock: AtomicU64,
    taken: Mutex<Vec<Arc<Connection>>>,
}

/// A place, until this is dropped.
pub struct Place {
    places: Arc<Places>,
    /// Who has it.
    pub connection: Arc<Connection>,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.places.taken).retain(|own| !Arc::ptr_eq(own, &self.connection));
    }
}

impl Places {
    /// All free.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, clock: AtomicU64::new(0), taken: Mutex::default() })
    }

    /// A place for who comes from `peer`; `None` where all are taken by others who may keep theirs.
    pub fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let mut taken = lock(&self.taken);
        let Limits { all, kept, peer: of_peer, .. } = self.limits;
        let own = taken.iter().filter(|other| other.peer == peer).count();
        let mut is_kept = false;
        if own >= of_peer {
            end(&mut taken, |other| other.peer == peer).then_some(())?;
        } else if taken.len() >= all - kept && !end(&mut taken, |_| true) {
            is_kept = true;
            (taken.len() < all).then_some(())?;
        }
        let connection = Arc::new(Connection {
            peer,
            kept: is_kept,
            known: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
            seen: AtomicU64::new(self.clock.fetch_add(1, Relaxed)),
            ended: Notify::new(),
        });
        taken.push(connection.clone());
        Some(Place { places: self.clone(), connection })
    }

    /// Ends the connection of the stranger who has been silent for longest, where there is one.
    pub fn end_one(&self) -> bool {
        end(&mut lock(&self.taken), |_| true)
    }
}

/// Ends, of those of which `of` holds, the one that has been silent for longest. Callers with the
/// token keep their places, and so does who waits for an answer.
fn end(taken: &mut Vec<Arc<Connection>>, of: impl Fn(&Connection) -> bool) -> bool {
    let free =
        |own: &&Arc<Connection>| !own.known.load(Relaxed) && own.busy.load(Relaxed) == 0 && of(own);
    let longest = taken.iter().filter(free).min_by_key(|own| own.seen.load(Relaxed)).cloned();
    let Some(longest) = longest else { return false };
    longest.ended.notify_one();
    taken.retain(|own| !Arc::ptr_eq(own, &longest));
    true
}

/// A connection's bytes: notes when some go over it, and ends where nobody takes what is written.
pub struct Watched {
    stream: TcpStream,
    places: Arc<Places>,
    connection: Arc<Connection>,
    /// Until when something must have been taken, while nothing is.
    stalled: Pin<Box<Sleep>>,
    is_stalled: bool,
}

impl Watched {
    /// The stream of who has this place.
    pub fn new(stream: TcpStream, place: &Place) -> Self {
        let (places, connection) = (place.places.clone(), place.connection.clone());
        let stalled = Box::pin(sleep(places.limits.writing));
        Self { stream, places, connection, stalled, is_stalled: false }
    }

    fn seen(&self) {
        self.connection.seen.store(self.places.clock.fetch_add(1, Relaxed), Relaxed);
    }

    fn written(
        &mut self,
        written: Poll<std::io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<usize>> {
        if written.is_ready() {
            self.is_stalled = false;
            self.seen();
            return written;
        }
        if !std::mem::replace(&mut self.is_stalled, true) {
            self.stalled.as_mut().reset(Instant::now() + self.places.limits.writing);
        }
        self.stalled.as_mut().poll(context).map(|()| Err(std::io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if into.filled().len() > before {
            self.seen();
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.written(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(all: usize, kept: usize, peer: usize) -> Arc<Places> {
        Places::new(Limits { all, kept, peer, ..Limits::default() })
    }

    fn ended(place: &Place) -> bool {
        futures_util::FutureExt::now_or_never(place.connection.ended.notified()).is_some()
    }

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn who_was_silent_for_longest_gives_way() {
        let places = places(5, 2, 4);
        let three: Vec<Place> = (0..3).map(|_| places.enter(ONE).unwrap()).collect();
        // Something goes over the first.
        three[0].connection.seen.store(places.clock.fetch_add(1, Relaxed), Relaxed);
        let fourth = places.enter(OTHER).unwrap();
        assert!(!fourth.connection.is_kept());
        assert_eq!(three.iter().map(ended).collect::<Vec<_>>(), [false, true, false]);
        drop(three);
        assert_eq!(lock(&places.taken).len(), 1, "a place that was given away is given back once");
    }

    #[test]
    fn callers_with_the_token_and_who_waits_keep_their_places() {
        let places = places(5, 2, 9);
        let known = places.enter(ONE).unwrap();
        known.connection.know();
        let waits = places.enter(ONE).unwrap();
        let _busy = waits.connection.busy();
        let answered = places.enter(ONE).unwrap();
        drop(answered.connection.busy());
        let new = places.enter(OTHER).unwrap();
        assert!(ended(&answered) && !ended(&known) && !ended(&waits));
        let _busy = new.connection.busy();
        // Now every place is one that is kept, until these are taken too.
        let (fourth, fifth) = (places.enter(OTHER).unwrap(), places.enter(OTHER));
        assert!(fourth.connection.is_kept() && fifth.is_some() && ended(&fourth));
        let _busy = fifth.as_ref().unwrap().connection.busy();
        let sixth = places.enter(OTHER).unwrap();
        let _busy = sixth.connection.busy();
        assert!(sixth.connection.is_kept() && places.enter(OTHER).is_none());
    }

    #[test]
    fn one_address_takes_its_own_places_from_itself_alone() {
        let places = places(9, 2, 2);
        let others = places.enter(OTHER).unwrap();
        let two = [places.enter(ONE).unwrap(), places.enter(ONE).unwrap()];
        let third = places.enter(ONE).unwrap();
        assert!(ended(&two[0]) && !ended(&two[1]) && !ended(&others) && !ended(&third));
    }

    #[test]
    fn there_is_room_for_other_files() {
        assert!(open_files().is_none_or(|most| most > Limits::default().all));
    }
}
