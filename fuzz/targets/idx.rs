//! The files of MNIST.
#![no_main]

use tenfold_core::data::idx::Idx;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for dimensions in [1, 3] {
        if let Ok(idx) = Idx::parse("input", bytes.to_vec(), dimensions) {
            assert_eq!(idx.values().len(), idx.sizes.iter().product::<usize>());
        }
    }
});
