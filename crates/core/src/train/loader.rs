//! Batches, prepared on worker threads while the model trains on the one before.
//!
//! The order of the examples and their augmentation are functions of (seed, epoch, example)
//! alone, never of a thread's timing: the same training gives the same weights. The data
//! itself is shared, never copied per worker.

use crate::data::random::SplitMix64;
use crate::{Error, Result};
use burn::tensor::Device;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

/// Finished batches that wait for the model, per worker.
const AHEAD: usize = 2;

/// How the examples of a data set become a model's batch.
pub trait Collate: Send + Sync + 'static {
    /// A batch in ordinary memory, as a worker makes it.
    type Host: Send + 'static;
    /// A batch of tensors, as the model takes it.
    type Batch: Send + 'static;

    /// How many examples there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rearranges the shuffled order of a pass, which is cut into batches of `batch_size`: so
    /// that examples of like length share one, say.
    fn arrange(&self, order: Vec<usize>, batch_size: usize, random: &mut SplitMix64) -> Vec<usize> {
        let _ = (batch_size, random);
        order
    }

    /// Reads, augments and stacks some examples; `seed` is that of the epoch. Runs on a worker.
    ///
    /// # Errors
    /// An example that cannot be read.
    fn stack(&self, examples: &[usize], seed: u64) -> Result<Self::Host>;

    /// Puts a batch on the device. Runs on the training thread, since a GPU's queue belongs
    /// to a thread.
    fn upload(&self, host: Self::Host, device: &Device) -> Self::Batch;
}

/// The epoch that the next pass over a [`Loader`] belongs to, set by the training loop.
#[derive(Clone, Debug, Default)]
pub struct Epoch(Arc<AtomicU64>);

impl Epoch {
    /// Moves to `epoch`.
    pub fn set(&self, epoch: usize) {
        self.0.store(epoch as u64, Ordering::Relaxed);
    }

    /// The epoch of the pass that goes on.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Passes over a data set in batches; the last batch of a pass may be smaller.
pub struct Loader<C> {
    collate: Arc<C>,
    batch_size: usize,
    /// The training's seed.
    seed: u64,
    /// Whether the order changes with the epoch.
    shuffle: bool,
    epoch: Epoch,
    device: Device,
    workers: usize,
}

impl<C: Collate> Loader<C> {
    /// Batches in the data set's own order.
    pub fn new(collate: Arc<C>, batch_size: usize, device: Device) -> Self {
        let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2);
        Self {
            collate,
            batch_size: batch_size.max(1),
            seed: 0,
            shuffle: false,
            epoch: Epoch::default(),
            device,
            workers: workers.clamp(1, 8),
        }
    }

    /// Batches in another order each epoch, from `seed`.
    pub fn shuffled(self, seed: u64, epoch: Epoch) -> Self {
        Self { shuffle: true, ..self.in_order(seed, epoch) }
    }

    /// Batches in the data set's own order, which are given the random seed of each epoch.
    pub fn in_order(self, seed: u64, epoch: Epoch) -> Self {
        Self { seed, epoch, ..self }
    }

    /// How many batches one pass has.
    pub fn batches(&self) -> usize {
        self.collate.len().div_ceil(self.batch_size)
    }

    /// One pass over the data.
    pub fn pass(&self) -> Pass<C> {
        let mut random = SplitMix64::keyed(&[self.seed, self.epoch.get()]);
        let seed = random.bits();
        let mut order: Vec<usize> = (0..self.collate.len()).collect();
        if self.shuffle {
            random.shuffle(&mut order);
            order = self.collate.arrange(order, self.batch_size, &mut random);
        }
        let order = Arc::new(order);
        let mut receivers = Vec::new();
        let mut handles = Vec::new();
        for worker in 0..self.workers.min(self.batches()).max(1) {
            let (sender, receiver) = sync_channel(AHEAD);
            let (collate, order) = (self.collate.clone(), order.clone());
            let (batch_size, stride) = (self.batch_size, self.workers);
            handles.push(std::thread::spawn(move || {
                // Worker w makes batches w, w + workers, ...: the reader knows whom to ask.
                for batch in order.chunks(batch_size).skip(worker).step_by(stride) {
                    let host = collate.stack(batch, seed);
                    // A reader that has gone away needs no more.
                    if sender.send((host, batch.len())).is_err() {
                        return;
                    }
                }
            }));
            receivers.push(receiver);
        }
        Pass {
            collate: self.collate.clone(),
            device: self.device.clone(),
            receivers,
            handles,
            next: 0,
            done: 0,
            total: self.collate.len(),
        }
    }
}

/// One pass over a data set; its workers end with it.
pub struct Pass<C: Collate> {
    collate: Arc<C>,
    device: Device,
    receivers: Vec<Receiver<(Result<C::Host>, usize)>>,
    handles: Vec<JoinHandle<()>>,
    next: usize,
    done: usize,
    total: usize,
}

impl<C: Collate> Pass<C> {
    /// Examples handed out so far.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Examples in all.
    pub fn total(&self) -> usize {
        self.total
    }
}

impl<C: Collate> Iterator for Pass<C> {
    type Item = Result<C::Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done == self.total {
            return None;
        }
        let worker = self.next % self.receivers.len();
        let Ok((host, count)) = self.receivers[worker].recv() else {
            // The worker died: pass its panic on instead of ending as if all were read.
            self.done = self.total;
            let payload = self.handles.swap_remove(worker).join();
            let why = format!("a data worker stopped ({})", reason(payload));
            return Some(Err(Error::Training(why)));
        };
        self.next += 1;
        self.done += count;
        Some(host.map(|host| self.collate.upload(host, &self.device)))
    }
}

fn reason(outcome: std::thread::Result<()>) -> String {
    let Err(payload) = outcome else { return "without a reason".into() };
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("panic").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts as examples: a batch is the list of (example, seed).
    struct Numbers(usize);

    impl Collate for Numbers {
        type Host = Vec<(usize, u64)>;
        type Batch = Vec<(usize, u64)>;

        fn len(&self) -> usize {
            self.0
        }

        fn stack(&self, examples: &[usize], seed: u64) -> Result<Self::Host> {
            match examples.contains(&666) {
                true => Err(Error::Training("bad example".into())),
                false => Ok(examples.iter().map(|&i| (i, seed)).collect()),
            }
        }

        fn upload(&self, host: Self::Host, _device: &Device) -> Self::Batch {
            host
        }
    }

    fn device() -> Device {
        crate::device::open("cpu").unwrap()
    }

    fn pass(workers: usize, epoch: usize) -> Vec<Vec<(usize, u64)>> {
        let clock = Epoch::default();
        clock.set(epoch);
        let loader = Loader::new(Arc::new(Numbers(103)), 10, device()).shuffled(7, clock);
        Loader { workers, ..loader }.pass().collect::<Result<_>>().unwrap()
    }

    #[test]
    fn every_example_once_and_the_same_with_any_number_of_workers() {
        let one = pass(1, 3);
        assert_eq!(one, pass(4, 3));
        assert_eq!(one.len(), 11);
        assert_eq!(one.last().unwrap().len(), 3);
        let mut all: Vec<usize> = one.into_iter().flatten().map(|(i, _)| i).collect();
        assert_ne!(all[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        all.sort();
        assert!(all.into_iter().eq(0..103));
    }

    #[test]
    fn epochs_differ_in_order_and_seed() {
        let (first, second) = (pass(2, 1), pass(2, 2));
        assert_ne!(first[0], second[0]);
        assert_ne!(first[0][0].1, second[0][0].1);
    }

    #[test]
    fn without_a_shuffle_the_order_is_the_data_sets() {
        let loader = Loader::new(Arc::new(Numbers(5)), 2, device());
        let order: Vec<usize> = loader.pass().flat_map(|b| b.unwrap()).map(|(i, _)| i).collect();
        assert_eq!(order, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn an_unreadable_example_is_reported_and_dropping_midway_ends_the_workers() {
        let loader = Loader::new(Arc::new(Numbers(1000)), 100, device());
        let results: Vec<_> = loader.pass().collect();
        assert!(results[6].is_err() && results[5].is_ok());
        let mut pass = loader.pass();
        pass.next();
        let handles = std::mem::take(&mut pass.handles);
        drop(pass);
        handles.into_iter().for_each(|handle| handle.join().unwrap());
    }
}
