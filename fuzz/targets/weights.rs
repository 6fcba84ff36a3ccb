//! `.pth` in both forms, the pickles in them, and safetensors: the content tells which. Every
//! tensor is read too, as a model would that wants it.
#![no_main]

mod file;

use tenfold_core::weights;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let path = file::holding(bytes);
    let _ = weights::metadata(&path);
    for (name, _) in weights::keys(&path).unwrap_or_default().into_iter().take(8) {
        let _ = weights::read(&path, &name);
    }
});
