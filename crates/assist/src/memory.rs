//! How much memory what others send may take at once. It is taken before the work is begun, and
//! who finds none left waits; nobody who waits for it holds some of the same.

use futures_util::FutureExt;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit in which it is counted.
const UNIT: u64 = 1024;

/// A budget of bytes. An eighth is for those who want little, who do not wait for large ones.
pub struct Memory {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
    units: u32,
}

/// A part of it, until this is dropped.
pub struct Taken(OwnedSemaphorePermit);

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

impl Memory {
    /// So many bytes.
    pub fn new(bytes: u64) -> Self {
        // No more than a semaphore can count.
        let eighth = units(bytes).min(u32::MAX >> 4) / 8;
        let of = |units: u32| Arc::new(Semaphore::new(units as usize));
        Self { small: of(eighth), large: of(eighth * 7), units: eighth * 7 }
    }

    /// Waits until so many bytes are free.
    ///
    /// # Errors
    /// There are never as many.
    pub async fn take(&self, bytes: u64) -> Result<Taken, String> {
        let units = units(bytes);
        if units > self.units {
            let mib = |bytes: u64| bytes.div_ceil(1 << 20);
            let (needed, all) = (mib(bytes), mib(u64::from(self.units) * UNIT));
            return Err(format!(
                "{needed} MiB of memory are needed, where at most {all} are given"
            ));
        }
        let pool = if units <= self.units / 64 { &self.small } else { &self.large };
        let taken = pool.clone().acquire_many_owned(units).await;
        taken.map(Taken).map_err(|why| why.to_string())
    }

    /// [`Memory::take`] where there are as many now.
    ///
    /// # Errors
    /// As there.
    pub fn try_take(&self, bytes: u64) -> Result<Option<Taken>, String> {
        self.take(bytes).now_or_never().transpose()
    }

    /// [`Memory::take`] on a thread that may wait.
    ///
    /// # Errors
    /// As there.
    pub fn take_and_wait(&self, bytes: u64) -> Result<Taken, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.map_err(|why| why.to_string())?.block_on(self.take(bytes))
    }

    /// Waits for so many bytes, or for all where there are never as many.
    pub async fn take_at_most(&self, bytes: u64) -> Option<Taken> {
        self.take(bytes.min(u64::from(self.units) * UNIT)).await.ok()
    }
}

impl Taken {
    /// Gives back what is above so many bytes.
    pub fn shrink(&mut self, bytes: u64) {
        let more = self.0.num_permits().saturating_sub(units(bytes) as usize);
        drop(self.0.split(more));
    }
}

#[cfg(test)]
impl Memory {
    /// Everything that nobody has now.
    pub fn take_all(&self) -> [Taken; 2] {
        [&self.small, &self.large].map(|pool| {
            let free = pool.available_permits() as u32;
            Taken(pool.clone().try_acquire_many_owned(free).unwrap())
        })
    }

    /// Whether nobody has any.
    pub fn is_free(&self) -> bool {
        self.large.available_permits() as u32 == self.units
            && self.small.available_permits() as u32 == self.units / 7
    }
}

/// How many of the first weigh at most `most` together; one at least, where there is any.
pub fn first(weights: impl IntoIterator<Item = u64>, most: u64) -> usize {
    let mut sum = 0u64;
    let fits = |&(place, weight): &(usize, u64)| {
        sum = sum.saturating_add(weight);
        place == 0 || sum <= most
    };
    weights.into_iter().enumerate().take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_finds_none_left_waits_and_who_wants_too_much_is_told() {
        // Nine of it for small ones.
        let memory = Memory::new(72 << 20);
        let mut taken = memory.take(60 << 20).await.unwrap();
        let waiting = memory.take(10 << 20);
        let mut waiting = std::pin::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        taken.shrink(53 << 20);
        let other = waiting.now_or_never().unwrap().unwrap();
        let why = memory.take(64 << 20).await.err().unwrap();
        assert_eq!(why, "64 MiB of memory are needed, where at most 63 are given");
        assert!(memory.try_take(1 << 19).unwrap().is_some(), "a small one does not wait");
        drop((taken, other));
        let all = memory.take_at_most(1 << 40).await;
        assert!(all.is_some() && memory.large.available_permits() == 0);
    }

    #[test]
    fn groups_hold_one_at_least() {
        assert_eq!(first([], 10), 0);
        assert_eq!(first([50, 1], 10), 1);
        assert_eq!(first([4, 6, 1], 10), 2);
        assert_eq!(first([u64::MAX, u64::MAX], 10), 1);
    }
}
