//! Packed weights, kept from one inference to the next.

#[cfg(feature = "flex")]
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What a module keeps of its weights: packed, for as long as they are the same.
///
/// It is used where no gradients are computed: in training weights change at each step. Clones
/// share one, which does no harm where their weights differ.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    #[cfg(feature = "flex")]
    kept: Arc<Mutex<Option<Kept>>>,
}

/// The storage of the weights that were packed, and what became of them. The storage is not
/// kept alive; it cannot be changed in place either, since Burn moves data to which there is
/// another reference before it changes them.
#[cfg(feature = "flex")]
#[derive(Debug)]
struct Kept {
    storage: Weak<burn::tensor::Bytes>,
    start: usize,
    prepared: Arc<crate::raw::conv::Prepared>,
}

#[cfg(feature = "flex")]
impl Cache {
    /// What is kept, if it was made of these weights and suits; else what `prepare` makes.
    pub(crate) fn get(
        &self,
        weight: &burn_flex::FlexTensor,
        suits: impl Fn(&crate::raw::conv::Prepared) -> bool,
        prepare: impl FnOnce() -> crate::raw::conv::Prepared,
    ) -> Arc<crate::raw::conv::Prepared> {
        let (storage, start) = (weight.data_arc(), weight.layout().start_offset());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = &*kept
            && kept.start == start
            && Weak::upgrade(&kept.storage).is_some_and(|old| Arc::ptr_eq(&old, &storage))
            && suits(&kept.prepared)
        {
            return kept.prepared.clone();
        }
        let prepared = Arc::new(prepare());
        *kept = Some(Kept { storage: Arc::downgrade(&storage), start, prepared: prepared.clone() });
        prepared
    }
}
