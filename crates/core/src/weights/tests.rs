//! Golden files from PyTorch, and hostile ones.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::store::pytorch_reader::PytorchReader;
use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use super::*;

/// The model of tests/golden/pth/make.py.
#[derive(Module, Debug)]
struct Small {
    conv: Conv2d,
    bn: BatchNorm,
    fc: Linear,
}

fn small() -> Small {
    let device = Device::default();
    Small {
        conv: Conv2dConfig::new([1, 2], [3, 3]).init(&device),
        bn: BatchNormConfig::new(2).init(&device),
        fc: LinearConfig::new(8, 3).init(&device),
    }
}

impl Small {
    /// `[batch, 1, 4, 4]` to `[batch, 3]`.
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.fc.forward(self.bn.forward(self.conv.forward(images)).flatten(1, 3))
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/pth").join(name)
}

fn expected() -> Value {
    serde_json::from_slice(&fs::read(golden("expected.json")).unwrap()).unwrap()
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|n| n.as_f64().unwrap() as f32).collect()
}

fn output(module: &Small) -> Vec<f32> {
    let image = TensorData::new(floats(&expected()["input"]), [2, 1, 4, 4]);
    let image = Tensor::from_data(image, &Device::default());
    module.forward(image).into_data().iter::<f32>().collect()
}

fn load_golden(name: &str, options: &LoadOptions) -> (Small, Result<LoadReport>) {
    let mut module = small();
    let report = load(&mut module, &golden(name), options);
    (module, report)
}

/// One line, no longer than a reader can take in, and no panic to get it.
fn why<T: std::fmt::Debug>(result: Result<T>) -> String {
    let message = result.unwrap_err().to_string();
    assert!(!message.contains('\n') && message.len() < 4000, "{message}");
    message
}

#[test]
fn outputs_equal_pytorch() {
    let files = [
        ("small.pth", Format::PyTorch, 1e-6),
        ("small_protocol4.pth", Format::PyTorch, 1e-6),
        ("small_legacy.pth", Format::PyTorchLegacy, 1e-6),
        ("small.safetensors", Format::Safetensors, 1e-6),
        ("checkpoint.pth", Format::PyTorch, 1e-6),
        ("aaaaaaaaaaaaaaaaaaaaa.pth", Format::PyTorch, 1e-6),
        ("small_half.pth", Format::PyTorch, 2e-3),
    ];
    for (name, format, tolerance) in files {
        let (module, report) = load_golden(name, &LoadOptions::default());
        let report = report.unwrap();
        assert_eq!(report.format, format);
        assert_eq!(report.loaded.len(), 8, "{name}: {report:?}");
        assert!(report.kept.is_empty() && report.unused.is_empty(), "{name}: {report:?}");
        for (value, expected) in output(&module).iter().zip(floats(&expected()["output"])) {
            assert!((value - expected).abs() < tolerance, "{name}: {value} for {expected}");
        }
    }
}

#[test]
fn saved_files_hold_what_pytorch_has() {
    let (module, _) = load_golden("small.pth", &LoadOptions::default());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let metadata = BTreeMap::from([("model".to_string(), "small".to_string())]);
    save(&module, &path, &metadata).unwrap();
    let sum = digest(&path).unwrap();
    assert_eq!(super::metadata(&path).unwrap()["model"], "small");

    let bytes = fs::read(&path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let state = expected()["state"].as_object().unwrap().clone();
    assert_eq!(file.len(), state.len());
    for (key, value) in &state {
        let tensor = file.tensor(key).unwrap();
        let shape: Vec<u64> = tensor.shape().iter().map(|n| *n as u64).collect();
        assert_eq!(serde_json::json!(shape), value["shape"], "{key}");
        let (numbers, _) = tensor.data().as_chunks();
        let numbers: Vec<f32> = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        assert_eq!(numbers, floats(&value["values"]), "{key}");
    }

    // The same weights give the same bytes, and nothing else is left in the folder.
    save(&module, &path, &metadata).unwrap();
    assert_eq!(digest(&path).unwrap(), sum);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let mut again = small();
    load(&mut again, &path, &LoadOptions::default()).unwrap();
    assert_eq!(output(&again), output(&module));
}

#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    save(&small(), &path, &BTreeMap::new()).unwrap();
    let bytes = fs::read(&path).unwrap();
    let sealed = LoadOptions { sealed: true, ..LoadOptions::default() };
    load(&mut small(), &path, &sealed).unwrap();
    for place in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1 << (place % 8);
        fs::write(&path, damaged).unwrap();
        assert!(load(&mut small(), &path, &sealed).is_err(), "byte {place}");
    }
}

#[test]
fn a_save_that_fails_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("none").join("model.safetensors");
    assert!(why(save(&small(), &gone, &BTreeMap::new())).contains("none"));
    // The destination is a folder: the rename fails after everything was written.
    let taken = folder.path().join("taken");
    fs::create_dir(&taken).unwrap();
    why(save(&small(), &taken, &BTreeMap::new()));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn keys_are_listed_as_the_module_sees_them() {
    for name in ["small.pth", "small_legacy.pth", "small.safetensors", "checkpoint.pth"] {
        let keys = keys_for(&small(), &golden(name), &LoadOptions::default()).unwrap();
        assert_eq!(keys.len(), 9, "{name}: {keys:?}");
        assert!(keys.contains(&("fc.weight".to_string(), vec![3, 8])), "{name}: {keys:?}");
    }
    let keys = keys(&golden("checkpoint.pth")).unwrap();
    assert!(keys.contains(&("state_dict.module.fc.weight".to_string(), vec![3, 8])), "{keys:?}");
}

/// The golden weights, and under each prefix those of another module too.
fn wrapped(prefix: &str, beside: &[(&str, &[usize])]) -> (tempfile::TempDir, PathBuf) {
    let bytes = fs::read(golden("small.safetensors")).unwrap();
    let own = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let zeros = vec![0; 4096];
    let mut views: Vec<(String, safetensors::tensor::TensorView<'_>)> =
        own.tensors().into_iter().map(|(key, view)| (format!("{prefix}{key}"), view)).collect();
    views.extend(beside.iter().map(|(key, shape)| {
        let bytes = &zeros[..4 * shape.iter().product::<usize>()];
        let view =
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), bytes);
        (key.to_string(), view.unwrap())
    }));
    file(&safetensors::serialize(views, None).unwrap())
}

#[test]
fn whatever_is_wrapped_around_the_weights_is_left_out() {
    // A generator beside the model, with the same names and other shapes, or with other names.
    let generator: [(&str, &[usize]); 3] = [
        ("generator.conv.weight", &[4, 1, 3, 3]),
        ("generator.conv.bias", &[4]),
        ("generator.up.weight", &[2, 2]),
    ];
    // An average with the same shapes as well: the usual name is taken.
    let average: [(&str, &[usize]); 2] = [("ema.fc.weight", &[3, 8]), ("ema.fc.bias", &[3])];
    for prefix in [
        "",
        "_orig_mod.",
        "module._orig_mod.",
        "state_dict.model.",
        "net.",
        "whatever.else.",
        "model.module.",
    ] {
        let beside: &[&[(&str, &[usize])]] =
            if prefix.is_empty() { &[&[]] } else { &[&[], &generator, &average] };
        for beside in beside {
            let (_folder, path) = wrapped(prefix, beside);
            let mut module = small();
            let report = load(&mut module, &path, &LoadOptions::default()).unwrap();
            assert!(report.loaded.len() == 8 && report.unused.is_empty(), "{prefix}: {report:?}");
            let keys = keys_for(&module, &path, &LoadOptions::default()).unwrap();
            assert_eq!(keys.len(), 9, "{prefix}: {keys:?}");
            for (value, expected) in output(&module).iter().zip(floats(&expected()["output"])) {
                assert!((value - expected).abs() < 1e-6, "{prefix}: {value} for {expected}");
            }
        }
    }
    let (_folder, path) = wrapped("student.", &[]);
    let (_folder, other) = wrapped("teacher.", &[]);
    let nested = |path: &Path| nestings(path).unwrap().iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(nested(&path), [9, 9, 5, 2, 2]);
    assert_eq!(nested(&other), nested(&path));
}

#[test]
fn compiled_parts_of_a_model_have_the_names_of_the_model() {
    let bytes = fs::read(golden("small.safetensors")).unwrap();
    let own = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let renamed = own.tensors().into_iter().map(|(key, view)| {
        let key = key.replace("bn.", "bn._orig_mod.").replace("fc.", "_orig_mod.fc._orig_mod.");
        (format!("module.{key}"), view)
    });
    let (_folder, path) = file(&safetensors::serialize(renamed, None).unwrap());
    let mut module = small();
    let report = load(&mut module, &path, &LoadOptions::default()).unwrap();
    assert!(report.loaded.len() == 8 && report.unused.is_empty(), "{report:?}");
    for (value, expected) in output(&module).iter().zip(floats(&expected()["output"])) {
        assert!((value - expected).abs() < 1e-6, "{value} for {expected}");
    }
    // Both names are there: they stay two.
    let zeros = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1], &[0; 4]);
    let zeros = zeros.unwrap();
    let both = ["a.b", "a._orig_mod.b"].map(|key| (key, zeros.clone()));
    let (_folder, path) = file(&safetensors::serialize(both, None).unwrap());
    assert_eq!(keys(&path).unwrap().len(), 2);
    assert_ne!(keys(&path).unwrap()[0].0, keys(&path).unwrap()[1].0);
}

#[test]
fn weights_that_fit_as_well_as_those_taken_are_known() {
    let own = module_keys(&small());
    let under = |prefix: &str| {
        let key = |(key, shape): &(String, Vec<usize>)| (format!("{prefix}{key}"), shape.clone());
        own.iter().map(key).collect::<Vec<_>>()
    };
    let none = options::Rename::default();
    let chosen = |prefixes: &[&str]| {
        let file: Vec<_> = prefixes.iter().copied().flat_map(under).collect();
        nesting::choose(&file, &own, &none)
    };
    let pair = |best: &str, rivals: &[&str]| {
        (best.to_string(), rivals.iter().map(|rival| rival.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(chosen(&["ema.", "model."]), pair("model.", &["ema."]));
    assert_eq!(chosen(&["student.", "teacher."]), pair("student.", &["teacher."]));
    assert_eq!(chosen(&["", "ema.module."]), pair("", &["ema.module."]));
    assert_eq!(chosen(&["state_dict.module."]), pair("state_dict.module.", &[]));
}

#[test]
fn a_misfit_names_what_differs_and_nothing_that_fits() {
    let own = module_keys(&small());
    let mut file = keys(&golden("small.pth")).unwrap();
    assert_eq!(differences(&file, &own), "");
    file.retain(|(key, _)| key != "bn.weight");
    file.push(("head.bias".into(), vec![7]));
    for (key, shape) in &mut file {
        if key == "fc.bias" {
            *shape = vec![5];
        }
    }
    assert_eq!(
        differences(&file, &own),
        "bn.weight [2] is missing; fc.bias is [5] in the file and [3] in the model; head.bias is \
         not in the model"
    );
    let all = differences(&[], &own);
    assert!(all.ends_with("is missing; 4 more are missing"), "{all}");
}

#[test]
fn readers_agree() {
    for name in ["small.pth", "small_legacy.pth", "small_protocol4.pth", "small_half.pth"] {
        let theirs = PytorchReader::new(golden(name)).unwrap();
        let ours = source::open(&golden(name)).unwrap().tensors;
        assert_eq!(ours.len(), theirs.len());
        for tensor in ours {
            let other = theirs.get(&tensor.name).unwrap();
            assert_eq!(tensor.shape.as_slice(), other.shape());
            assert_eq!(tensor.to_bytes().unwrap().to_vec(), other.read().unwrap());
        }
    }
}

#[test]
fn misfits_are_named_and_change_nothing() {
    let mut module = small();
    let before = output(&module);
    let message = why(load(&mut module, &golden("other_shapes.pth"), &LoadOptions::default()));
    assert!(
        message.contains("fc.weight is [5, 8] in the file and [3, 8] in the model"),
        "{message}"
    );
    let rename = vec![("^bn".to_string(), "norm".to_string())];
    let options = LoadOptions { rename, ..Default::default() };
    let message = why(load(&mut module, &golden("small.pth"), &options));
    assert!(message.contains("bn.running_mean [2] is missing"), "{message}");
    assert!(message.contains("norm.running_mean is not in the model"), "{message}");
    assert_eq!(output(&module), before);

    let rename = vec![("^".to_string(), "x.".to_string())];
    let options = LoadOptions { rename, ..Default::default() };
    let message = why(load(&mut module, &golden("checkpoint.pth"), &options));
    assert!(message.contains("; 4 more are missing; x."), "{message}");
    assert!(message.ends_with("is not in the model; 4 more are not in the model"), "{message}");
}

#[test]
fn options_rename_skip_and_accept_parts() {
    let options = LoadOptions { skip: vec![r"^fc\.".to_string()], ..Default::default() };
    let (_, report) = load_golden("other_shapes.pth", &options);
    assert_eq!(report.unwrap().kept, ["fc.bias", "fc.weight"]);

    let rename = vec![(r"^conv\.(\w+)$".to_string(), "first.$1".to_string())];
    let options = LoadOptions { rename, partial: true, ..Default::default() };
    let (_, report) = load_golden("small.pth", &options);
    let report = report.unwrap();
    assert_eq!(report.kept, ["conv.bias", "conv.weight"]);
    assert_eq!(report.unused, ["first.bias", "first.weight"]);

    let options = LoadOptions { skip: vec!["(".to_string()], ..Default::default() };
    why(load_golden("small.pth", &options).1);
    let rename = vec![("^.*$".to_string(), "fc.bias".to_string())];
    let options = LoadOptions { rename, ..Default::default() };
    assert!(why(load_golden("small.pth", &options).1).contains("two keys"));
}

#[test]
fn malicious_pickles_are_refused_by_name_and_never_run() {
    for name in ["malicious.pth", "malicious_legacy.pth", "malicious_protocol4.pth"] {
        let message = why(load_golden(name, &LoadOptions::default()).1);
        assert!(message.contains("names posix.system"), "{name}: {message}");
        assert!(why(keys(&golden(name))).contains("posix.system"));
    }
    let bare: [&[u8]; 2] =
        [b"cos\nsystem\n(S'touch x'\ntR.", b"\x80\x02cos\nsystem\nX\x07\0\0\0touch x\x85R."];
    for bytes in bare {
        assert!(why(keys(&file(bytes).1)).contains("os.system"));
    }
    assert!(!Path::new("tenfold-malicious-pickle-ran").exists());
}

fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// A zip archive around `pickle`, compressed or not.
fn archive(pickle: &[u8], method: zip::CompressionMethod) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    zip.start_file("archive/data.pkl", options).unwrap();
    zip.write_all(pickle).unwrap();
    zip.start_file("archive/data/0", options).unwrap();
    zip.write_all(&[0; 64]).unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn bombs_are_refused() {
    use zip::CompressionMethod::{Deflated, Stored};
    let message = |bytes: &[u8]| why(keys(&file(bytes).1));
    let pickle = |parts: &[&[u8]]| {
        message(&archive(&[b"\x80\x02", parts.concat().as_slice()].concat(), Stored))
    };

    // Two million values; a list in a list in a list; a list that holds itself.
    assert!(pickle(&[&[b'N'; 2_000_000]]).contains("instructions"));
    pickle(&[&[b']'; 400_000], &[b'a'; 399_999], b"."]);
    pickle(&[b"]q\0h\0a."]);
    // A dictionary that holds the last one twice, 64 times over, and one that holds itself.
    let doubled = b"}(U\x01ah\0U\x01bh\0uq\0".repeat(64);
    assert!(pickle(&[b"}q\0", &doubled, b"."]).contains("no tensors"));
    assert!(pickle(&[b"}q\0U\x01ah\0s."]).contains("no tensors"));
    // A dictionary of 100,000 items copied 100,000 times by a call.
    let (pair, copy) = (b"K\0K\0\x86", b"ccollections\nOrderedDict\nq\x01h\0\x85R0");
    assert!(
        pickle(&[b"](", &pair.repeat(100_000), b"e", b"q\0", &copy.repeat(100_000), b"N."])
            .contains("instructions")
    );
    // Sizes that nothing backs: a text of 4 GB, a tensor of 2^60 elements.
    assert!(pickle(&[b"X\xff\xff\xff\xff."]).contains("ends inside"));
    let call = |shape: &[u8]| {
        let storage: &[u8] = b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x10tQ";
        let call: &[u8] = b"ctorch._utils\n_rebuild_tensor_v2\n(";
        [call, storage, b"K\0", shape, b"\x89NtR"].concat()
    };
    let tensor = |shape: &[u8]| [b"}U\x01x", call(shape).as_slice(), b"s."].concat();
    assert!(pickle(&[&tensor(b"\x8a\x08\0\0\0\0\0\0\0\x10\x85K\x01\x85")]).contains("outside"));
    // A name of 1 MB before each of 100,000 names.
    let long = [b"X\0\0\x10\0".as_slice(), &[b'x'; 1 << 20]].concat();
    let names: Vec<u8> =
        (0..100_000u32).flat_map(|n| [b"J", &n.to_le_bytes()[..], b"h\x07"].concat()).collect();
    let one = call(b"K\x01\x85K\x01\x85");
    assert!(pickle(&[b"}", &long, &one, b"q\x070}(", &names, b"us."]).contains("names"));
    // A stride of 0 may repeat one element, but costs nothing until a model asks for it.
    let path = file(&archive(
        &[b"\x80\x02", tensor(b"\x8a\x06\0\0\0\0\0\x10\x85K\0\x85").as_slice()].concat(),
        Stored,
    ));
    assert_eq!(keys(&path.1).unwrap()[0].1, [1 << 44]);
    // Then it may be repeated a little, but not to 8 GB.
    let bytes = |shape_and_stride: &[u8]| {
        let file = file(&archive(&[b"\x80\x02", &tensor(shape_and_stride)[..]].concat(), Stored));
        source::open(&file.1).unwrap().tensors[0].to_bytes().map_err(|e| e.to_string())
    };
    assert_eq!(bytes(b"K\x03K\x04\x86K\0K\x01\x86").unwrap().len(), 3 * 4 * 4);
    let why = bytes(b"\x8a\x05\0\0\0\x80\0\x85K\0\x85").unwrap_err();
    assert!(why.contains("64 bytes repeated to 8589934592 bytes"), "{why}");
    // torch.save does not compress: 100 MB of zeros in 100 KB is refused unread.
    assert!(message(&archive(&vec![b'N'; 100 << 20], Deflated)).contains("compressed"));
    // A header of 2^60 bytes, and one that is longer than its file.
    message(&[&(1u64 << 60).to_le_bytes()[..], b"{}"].concat());
    assert!(message(&[&(1u64 << 20).to_le_bytes()[..], b"{}"].concat()).contains("header"));
    for bytes in [&b""[..], b"PK\x03\x04", b"\x80", b"hello, world", &[0; 600]] {
        message(bytes);
    }
}

/// Flipped, cut, doubled and overwritten bytes: an error or weights, never a panic.
#[test]
fn damaged_files_are_survived() {
    const CASES: u32 = 60_000;
    let files: Vec<Vec<u8>> = [
        "small.pth",
        "small_legacy.pth",
        "small_protocol4.pth",
        "checkpoint.pth",
        "small.safetensors",
    ]
    .iter()
    .map(|name| fs::read(golden(name)).unwrap())
    .collect();
    let edit = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0..5u8);
    let strategy = (0..files.len(), prop::collection::vec(edit, 1..4));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    let mut runner =
        TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let loaded = Cell::new(0);
    let module = RefCell::new(small());
    runner
        .run(&strategy, |(which, edits)| {
            let mut bytes = files[which].clone();
            for (at, other, value, kind) in edits {
                if bytes.is_empty() {
                    break;
                }
                let (at, other) = (at.index(bytes.len()), other.index(bytes.len()));
                match kind {
                    0 => bytes.truncate(at),
                    1 => bytes[at] ^= 1 << (value % 8),
                    2 => bytes.insert(at, value),
                    3 => drop(bytes.drain(at.min(other)..at.max(other))),
                    _ => bytes[at] = value,
                }
            }
            // Never cut to nothing: some file systems flush such a file to the disk each time.
            let mut file = fs::OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .unwrap();
            file.write_all(&bytes).unwrap();
            file.set_len(bytes.len() as u64).unwrap();
            match load(&mut *module.borrow_mut(), &path, &LoadOptions::default()) {
                Ok(_) => loaded.set(loaded.get() + 1),
                Err(error) => {
                    let message = error.to_string();
                    prop_assert!(!message.contains('\n') && message.len() < 4000, "{}", message);
                }
            }
            Ok(())
        })
        .unwrap();
    eprintln!("{} of {CASES} damaged files still loaded", loaded.get());
}
