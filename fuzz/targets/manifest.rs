//! `dataset.toml`: of a fetched data set, whose files are missing, and as `fetch` is given one.
#![no_main]
#![allow(dead_code, reason = "the chore's files as they are, without their program")]

mod file;
#[path = "../../xtask/src/fetch/manifest.rs"]
mod manifest;
#[path = "../../xtask/src/fetch/paths.rs"]
mod paths;
#[path = "../../xtask/src/fetch/weights.rs"]
mod weights;

use tenfold_core::data::{OpenOptions, open};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let folder = file::folder();
    std::fs::write(folder.join("dataset.toml"), bytes).expect("a file");
    let _ = open(folder.to_str().expect("a name"), &OpenOptions::default());
    if let Ok(Ok(own)) = std::str::from_utf8(bytes).map(manifest::Manifest::parse) {
        assert!(own.paths().iter().all(|path| !path.starts_with('/')));
    }
});
