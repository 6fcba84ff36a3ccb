//! Images of all formats: what the header says, and the pixels of those that are small.
#![no_main]

use tenfold_core::data::image_file;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(weight) = image_file::weigh("input", bytes) else { return };
    if weight.pixels() > 1 << 20 {
        return; // as large as files may be, and slow
    }
    if let Ok(image) = image_file::decode("input", bytes) {
        assert!(image.as_luma8().is_some() || image.as_rgb8().is_some());
    }
});
