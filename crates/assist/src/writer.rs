//! The one thread that writes the store. What waits for the disk at the same time is saved in
//! one transaction, so that many people decide as fast as one.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use tenfold_core::progress::note;
use tenfold_core::store::{Decision, Proposed, Round, Saved, Store};
use tenfold_core::{Error, Result};
use tokio::sync::oneshot;

/// An error that several who wait may be told.
pub type Shared<T> = std::result::Result<T, Arc<Error>>;

/// The most decisions of one transaction.
const MOST: usize = 4096;

/// A decision that was taken back.
pub struct Undone {
    /// It.
    pub decision: Decision,
    /// What was decided about the item before.
    pub decisions: Vec<Decision>,
}

enum Job {
    Decide(Vec<Decision>, oneshot::Sender<Shared<Vec<Saved>>>),
    Undo(String, oneshot::Sender<Shared<Option<Undone>>>),
    Label(String, String, oneshot::Sender<Shared<bool>>),
    Suggest(Vec<Proposed>, oneshot::Sender<Shared<()>>),
    Round(Round, oneshot::Sender<Shared<()>>),
}

/// What others write the store by; a clone writes by the same thread.
#[derive(Clone)]
pub struct Writer(Sender<Job>);

impl Writer {
    /// Starts the thread; it ends, and closes the store, when the last clone is gone.
    pub fn start(store: Store) -> (Self, std::thread::JoinHandle<()>) {
        let (sender, receiver) = channel();
        let thread = std::thread::spawn(move || write(&store, &receiver));
        (Self(sender), thread)
    }

    /// See [`Store::decide`].
    ///
    /// # Errors
    /// As there.
    pub async fn decide(&self, decisions: Vec<Decision>) -> Shared<Vec<Saved>> {
        self.ask(|reply| Job::Decide(decisions, reply)).await
    }

    /// [`Writer::decide`] from a thread that may wait.
    ///
    /// # Errors
    /// As there.
    pub fn decide_and_wait(&self, decisions: Vec<Decision>) -> Shared<Vec<Saved>> {
        self.ask_and_wait(|reply| Job::Decide(decisions, reply))
    }

    /// See [`Store::undo`].
    ///
    /// # Errors
    /// As there.
    pub async fn undo(&self, person: &str) -> Shared<Option<Undone>> {
        self.ask(|reply| Job::Undo(person.into(), reply)).await
    }

    /// See [`Store::add_label`].
    ///
    /// # Errors
    /// As there.
    pub async fn label(&self, name: &str, person: &str) -> Shared<bool> {
        self.ask(|reply| Job::Label(name.into(), person.into(), reply)).await
    }

    /// See [`Store::suggest`].
    ///
    /// # Errors
    /// As there.
    pub fn suggest(&self, proposals: Vec<Proposed>) -> Shared<()> {
        self.suggest_next(proposals)()
    }

    /// [`Writer::suggest`] in two steps: when this returns, what is asked for later is written
    /// later; what it returns waits until it is written.
    pub fn suggest_next(&self, proposals: Vec<Proposed>) -> impl FnOnce() -> Shared<()> + use<> {
        let (reply, answer) = oneshot::channel();
        let sent = self.0.send(Job::Suggest(proposals, reply));
        move || {
            sent.map_err(|_| gone())?;
            answer.blocking_recv().map_err(|_| gone())?
        }
    }

    /// See [`Store::add_round`].
    ///
    /// # Errors
    /// As there.
    pub fn round(&self, round: Round) -> Shared<()> {
        self.ask_and_wait(|reply| Job::Round(round, reply))
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<Shared<T>>) -> Job) -> Shared<T> {
        let (reply, answer) = oneshot::channel();
        self.0.send(job(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    fn ask_and_wait<T>(&self, job: impl FnOnce(oneshot::Sender<Shared<T>>) -> Job) -> Shared<T> {
        let (reply, answer) = oneshot::channel();
        self.0.send(job(reply)).map_err(|_| gone())?;
        answer.blocking_recv().map_err(|_| gone())?
    }
}

fn gone() -> Arc<Error> {
    Arc::new(Error::Training("the server is shutting down".into()))
}

fn write(store: &Store, jobs: &Receiver<Job>) {
    // One that was taken out of the line and is not among those that are done together.
    let mut next = None;
    while let Some(job) = next.take().or_else(|| jobs.recv().ok()) {
        match job {
            Job::Decide(decisions, reply) => {
                let mut waiting = vec![(decisions, reply)];
                let count = |waiting: &[(Vec<Decision>, _)]| -> usize {
                    waiting.iter().map(|(decisions, _)| decisions.len()).sum()
                };
                while count(&waiting) < MOST && next.is_none() {
                    match jobs.try_recv() {
                        Ok(Job::Decide(decisions, reply)) => waiting.push((decisions, reply)),
                        Ok(other) => next = Some(other),
                        Err(_) => break,
                    }
                }
                decide(store, waiting);
            }
            // Who asked may have gone away.
            Job::Undo(person, reply) => {
                let _ = reply.send(undo(store, &person).map_err(Arc::new));
            }
            Job::Label(name, person, reply) => {
                drop(reply.send(store.add_label(&name, Some(&person)).map_err(Arc::new)));
            }
            Job::Suggest(proposals, reply) => {
                drop(reply.send(store.suggest(&proposals).map_err(Arc::new)));
            }
            Job::Round(round, reply) => drop(reply.send(store.add_round(&round).map_err(Arc::new))),
        }
    }
}

type Waiting = (Vec<Decision>, oneshot::Sender<Shared<Vec<Saved>>>);

fn decide(store: &Store, waiting: Vec<Waiting>) {
    let all: Vec<Decision> = waiting.iter().flat_map(|(list, _)| list.iter().cloned()).collect();
    match store.decide(&all) {
        Ok(mut saved) => {
            for (decisions, reply) in waiting {
                let rest = saved.split_off(decisions.len());
                let _ = reply.send(Ok(std::mem::replace(&mut saved, rest)));
            }
        }
        Err(why) if waiting.len() == 1 => {
            note(format_args!("error: {why}"));
            let why = Arc::new(why);
            waiting.into_iter().for_each(|(_, reply)| drop(reply.send(Err(why.clone()))));
        }
        // One that cannot be saved does not keep the others from being.
        Err(_) => waiting.into_iter().for_each(|one| decide(store, vec![one])),
    }
}

fn undo(store: &Store, person: &str) -> Result<Option<Undone>> {
    let Some(decision) = store.undo(person)? else { return Ok(None) };
    let decisions = store.decisions_of(decision.item)?;
    Ok(Some(Undone { decision, decisions }))
}
