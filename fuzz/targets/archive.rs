//! Archives that `fetch` unpacks: zip where the first byte is odd, else tar.
#![no_main]
#![allow(dead_code, reason = "the chore's files as they are, without their program")]

#[path = "../../xtask/src/fetch/fault.rs"]
mod fault;
mod file;
#[path = "../../xtask/src/fetch/manifest.rs"]
mod manifest;
#[path = "../../xtask/src/fetch/paths.rs"]
mod paths;
#[path = "../../xtask/src/fetch/unpack.rs"]
mod unpack;
#[path = "../../xtask/src/fetch/weights.rs"]
mod weights;

/// A meter that shows nothing.
mod progress {
    pub struct Meter;

    impl Meter {
        pub fn add(&mut self, _: u64) {}
    }
}

use flate2::{Compression, write::GzEncoder};
use manifest::{Source, Unpack};
use std::io::Write;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [first, bytes @ ..] = bytes else { return };
    let zip = first % 2 == 1;
    let path = if zip { file::holding(bytes) } else { file::holding(&packed(bytes)) };
    let root = file::folder().join("around/tree");
    std::fs::create_dir_all(&root).expect("a folder");
    let source = Source {
        urls: Vec::new(),
        sha256: None,
        download_sha256: None,
        sha256_prefix: Some(String::new()),
        size: 4096,
        unpack: if zip { Unpack::Zip } else { Unpack::TarGz },
        strip: 0,
        keep: vec!["a/".into(), "b".into()],
        entries: Some(3),
        dest: "here".into(),
    };
    let _ = unpack::unpack(&path, &root, &source, &mut progress::Meter);
    let beside = std::fs::read_dir(root.parent().expect("a folder")).expect("a folder").count();
    assert_eq!(beside, 1, "written outside");
    std::fs::remove_dir_all(&root).expect("a folder");
});

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::none());
    gz.write_all(bytes).expect("in memory");
    gz.finish().expect("in memory")
}
