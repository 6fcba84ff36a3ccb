//! The one thread that owns the model. Requests that wait at the same time are answered in one
//! batch; while there are none, it works through the queue.

use crate::entry::Proposed;
use crate::inputs::{self, Group};
use crate::memory::Taken;
use crate::model::{Answer, BATCH, Job, Jobs, suggest};
use crate::state::State;
use crate::writer::Shared;
use std::sync::Arc;
use std::sync::mpsc::TryRecvError;
use std::time::{Duration, Instant};
use tenfold_core::Error;
use tenfold_core::data::Input;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::progress::note;
use tenfold_core::store::{self, Item};
use tenfold_core::suggest::Propose;
use tokio::sync::oneshot;

/// How long a batch of the queue may keep a request waiting.
const PATIENCE: Duration = Duration::from_millis(40);

/// How often an idle thread looks whether the server has ended.
const IDLE: Duration = Duration::from_millis(200);

/// How long the queue waits while requests have the memory.
const SHORT: Duration = Duration::from_millis(20);

/// The numbers of an embedding that are kept: by the lemma of Johnson and Lindenstrauss a
/// projection in random directions keeps angles, roughly.
const KEPT: usize = 64;

/// Runs the thread, until the last [`Model`](crate::model::Model) outside of `state` is gone or the server ends.
pub fn run(mut model: Box<dyn Propose>, mut weights: Arc<str>, jobs: &Jobs, state: &Arc<State>) {
    let (mut pause, mut pace) = (None, 8);
    // One that was taken out of the line and is not among those that are answered together.
    let mut next = None;
    while !state.stopped() {
        let job = match next.take() {
            Some(job) => Ok(job),
            None => match pause {
                Some(time) => jobs.0.recv_timeout(time).map_err(|_| TryRecvError::Empty),
                None => jobs.0.try_recv(),
            },
        };
        match job {
            Ok(Job::Suggest(inputs, top, reply)) => {
                let mut count = inputs.len();
                let mut waiting = vec![(inputs, top, reply)];
                while count < BATCH && next.is_none() {
                    match jobs.0.try_recv() {
                        Ok(Job::Suggest(inputs, top, reply)) => {
                            count += inputs.len();
                            waiting.push((inputs, top, reply));
                        }
                        Ok(other) => next = Some(other),
                        Err(_) => break,
                    }
                }
                answer(&*model, &weights, waiting, state);
            }
            Ok(Job::Swap(new, id)) => (model, weights, pause) = (new, id, None),
            Ok(Job::Look) => pause = None,
            Err(TryRecvError::Disconnected) => return,
            // What is left of the queue is for the next start.
            Err(TryRecvError::Empty) if pause == Some(IDLE) || state.ending() => pause = Some(IDLE),
            Err(TryRecvError::Empty) => {
                let begun = Instant::now();
                let Some(done) = work(&*model, &weights, pace, state) else {
                    pause = Some(SHORT);
                    continue;
                };
                pause = (done == 0).then_some(IDLE);
                // As many at once as keep a request waiting for so long.
                let each = begun.elapsed().as_secs_f64() / done.max(1) as f64;
                pace = ((PATIENCE.as_secs_f64() / each.max(1e-6)) as usize).clamp(1, BATCH);
            }
        }
    }
}

type Waiting = (Vec<Input>, usize, oneshot::Sender<(Arc<str>, Vec<Answer>)>);

fn answer(model: &dyn Propose, weights: &Arc<str>, mut waiting: Vec<Waiting>, state: &State) {
    // Who asked may have gone away.
    waiting.retain(|(_, _, reply)| !reply.is_closed());
    let inputs: Vec<&Input> = waiting.iter().flat_map(|(inputs, _, _)| inputs).collect();
    let top = waiting.iter().map(|(_, top, _)| *top).max().unwrap_or(1);
    let mut answers: Vec<Answer> = Vec::with_capacity(inputs.len());
    for batch in inputs.chunks(BATCH) {
        state.metrics.batch(batch.len());
        answers.extend(suggest(model, batch, top));
    }
    let mut answers = answers.into_iter();
    for (inputs, top, reply) in waiting {
        let own = answers.by_ref().take(inputs.len());
        let mut own: Vec<Answer> = own.collect();
        own.iter_mut().flatten().for_each(|all| all.truncate(top));
        let _ = reply.send((weights.clone(), own));
    }
}

/// Works through a part of the queue: how many items; `None` where that has to wait for memory.
fn work(model: &dyn Propose, weights: &Arc<str>, most: usize, state: &Arc<State>) -> Option<usize> {
    let items = state.queue().unproposed(weights, most, Instant::now());
    if items.is_empty() {
        return embed(model, most, state);
    }
    let Readable { count, items, inputs, _taken } = readable(items, state)?;
    let answers = suggest(model, &inputs.iter().collect::<Vec<_>>(), state.settings.top);
    let mut kept = Vec::with_capacity(items.len());
    let mut queue = state.queue();
    for (item, answer) in items.into_iter().zip(answers) {
        // What was imported meanwhile stays.
        if queue.imported(item.id) {
            continue;
        }
        match answer {
            Ok(proposal) => {
                let proposed =
                    Proposed { proposal: proposal.clone().into(), weights: weights.clone() };
                queue.propose(item.id, proposed);
                let weights = weights.to_string();
                kept.push(store::Proposed { item: item.id, weights, proposal });
            }
            Err(why) => {
                if let Some(entry) = queue.get_mut(item.id) {
                    entry.broken = Some(why);
                }
            }
        }
    }
    drop(queue);
    // Under the lock, so that an import is written either before, and seen here, or later.
    let saved = {
        let queue = state.queue();
        kept.retain(|one| !queue.imported(one.item));
        state.writer.suggest_next(kept)
    };
    // They can be found anew, so that a full disk does not keep people from seeing them.
    told(saved());
    state.accept_sure(weights);
    state.changed();
    Some(count)
}

fn told(result: Shared<()>) {
    if let Err(why) = result {
        note(format_args!("error: {why}"));
    }
}

/// The items whose input can be read; the others are marked.
struct Readable {
    /// With those that cannot.
    count: usize,
    items: Vec<Item>,
    inputs: Vec<Input>,
    _taken: Taken,
}

/// The first of `items`; `None` where there is no memory for them now.
fn readable(items: Vec<Item>, state: &State) -> Option<Readable> {
    let Group { items, taken } = inputs::group(state, items)?;
    let count = items.len();
    let (mut good, mut inputs) = (Vec::new(), Vec::new());
    for (item, read) in items {
        match read {
            Ok(input) => {
                good.push(item);
                inputs.push(input);
            }
            Err(why) => {
                if let Some(entry) = state.queue().get_mut(item.id) {
                    entry.broken = Some(without_folder(&why, state));
                }
            }
        }
    }
    Some(Readable { count, items: good, inputs, _taken: taken })
}

/// A message for the page, which need not know where on the disk the queue lies.
fn without_folder(why: &Error, state: &State) -> String {
    why.to_string().replace(&format!("{}/", state.settings.queue.display()), "")
}

/// Embeds a part of the queue, where somebody asks for likeness: as [`work`].
fn embed(model: &dyn Propose, most: usize, state: &Arc<State>) -> Option<usize> {
    if !state.wants_likeness() {
        return Some(0);
    }
    let items = state.queue().unembedded(most);
    let Readable { count, items, inputs, _taken } = readable(items, state)?;
    let found = model.embed(&inputs.iter().collect::<Vec<_>>());
    let mut queue = state.queue();
    let Ok(Some(values)) = found else {
        // Likeness is a convenience: without it the order is the queue's.
        items.iter().for_each(|item| {
            if let Some(entry) = queue.get_mut(item.id) {
                entry.embedding = Some(Box::new([]));
            }
        });
        return Some(count);
    };
    let width = values.len() / items.len().max(1);
    for (item, values) in items.iter().zip(values.chunks(width.max(1))) {
        if let Some(entry) = queue.get_mut(item.id) {
            entry.embedding = Some(projected(values));
        }
    }
    Some(count)
}

/// An embedding in few numbers, of length one.
fn projected(values: &[f32]) -> Box<[f32]> {
    let mut kept = vec![0.0f32; KEPT];
    for (place, &value) in values.iter().enumerate() {
        // Each number goes to every place with a sign of its own.
        let signs = SplitMix64::keyed(&[place as u64]).bits();
        for (bit, kept) in kept.iter_mut().enumerate() {
            *kept += if signs >> bit & 1 == 1 { value } else { -value };
        }
    }
    let length = kept.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
    kept.iter().map(|x| x / length).collect()
}
