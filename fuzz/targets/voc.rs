//! A folder as PASCAL VOC's, whose one annotation is the input.
#![no_main]

mod file;

use tenfold_core::data::{OpenOptions, open};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let folder = file::folder().join("voc");
    for (name, content) in [
        ("ImageSets/Main/train.txt", &b"a\n"[..]),
        ("JPEGImages/a.pgm", b"P5 1 1 255\n0"),
        ("Annotations/a.xml", bytes),
    ] {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, content).expect("a file");
    }
    let _ = open(folder.to_str().expect("a name"), &OpenOptions::default());
});
