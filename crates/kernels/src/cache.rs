//! Packed weights, kept from one inference to the next.

#[cfg(feature = "flex")]
use std::any::Any;
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

/// Where the weights lay that were packed, and what became of them.
#[cfg(feature = "flex")]
#[derive(Debug)]
struct Kept {
    sources: Vec<Source>,
    prepared: Arc<dyn Any + Send + Sync>,
}

/// The storage of a tensor, and how it lies there. The storage is not kept alive; it cannot
/// be changed in place either, since Burn moves data to which there is another reference before
/// it changes them.
#[cfg(feature = "flex")]
#[derive(Debug)]
struct Source {
    storage: Weak<burn::tensor::Bytes>,
    layout: burn_flex::Layout,
}

#[cfg(feature = "flex")]
impl Source {
    fn of(tensor: &burn_flex::FlexTensor) -> Self {
        Self { storage: Arc::downgrade(&tensor.data_arc()), layout: tensor.layout().clone() }
    }

    fn is(&self, tensor: &burn_flex::FlexTensor) -> bool {
        self.layout == *tensor.layout()
            && self.storage.upgrade().is_some_and(|old| Arc::ptr_eq(&old, &tensor.data_arc()))
    }
}

#[cfg(feature = "flex")]
impl Cache {
    /// What is kept, if it was made of these weights and suits; else what `prepare` makes.
    pub(crate) fn get<T: Any + Send + Sync>(
        &self,
        weights: &[burn_flex::FlexTensor],
        suits: impl Fn(&T) -> bool,
        prepare: impl FnOnce() -> T,
    ) -> Arc<T> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = &*kept
            && kept.sources.len() == weights.len()
            && kept.sources.iter().zip(weights).all(|(source, weight)| source.is(weight))
            && let Ok(prepared) = kept.prepared.clone().downcast::<T>()
            && suits(&prepared)
        {
            return prepared;
        }
        let prepared = Arc::new(prepare());
        let sources = weights.iter().map(Source::of).collect();
        *kept = Some(Kept { sources, prepared: prepared.clone() });
        prepared
    }
}
