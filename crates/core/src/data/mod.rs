//! Data sets: readers, the embedded worlds, augmentation and the loader.
