use super::*;
use crate::data::Input;
use image::{GrayImage, Luma};

fn options(data_dir: &Path) -> OpenOptions {
    OpenOptions { data_dir: data_dir.to_owned(), seed: 1, ..OpenOptions::default() }
}

fn sizes(data: &DataSet) -> [usize; 3] {
    [data.train.len(), data.validation.len(), data.test.len()]
}

fn why(name: &str, options: &OpenOptions) -> String {
    let error = open(name, options).err().unwrap().to_string();
    assert!(!error.contains('\n'));
    error
}

/// `count` images of one grey in `folder`.
fn write_images(folder: &Path, grey: u8, count: usize) {
    std::fs::create_dir_all(folder).unwrap();
    for number in 0..count {
        let image = GrayImage::from_pixel(3, 2, Luma([grey]));
        image.save(folder.join(format!("{number:03}.png"))).unwrap();
    }
}

/// An idx file of bytes.
fn write_idx(path: &Path, sizes: &[u32], values: Vec<u8>) {
    let mut bytes = vec![0, 0, 8, sizes.len() as u8];
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(values);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn glyphs_are_embedded() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    let data = open("glyphs", &options).unwrap();
    assert_eq!(sizes(&data), [18_000, 1_800, 3_600]);
    assert_eq!(data.kind, Kind::Images { channels: 1, height: 28, width: 28 });
    assert_eq!((data.classes.len(), &data.classes[10][..]), (36, "A"));
    options.limit = Some(100);
    assert_eq!(sizes(&open("glyphs", &options).unwrap()), [100, 1_800, 3_600]);
    options.limit = Some(0);
    assert!(why("glyphs", &options).starts_with("--limit: 0 examples"));
}

#[test]
fn scenes_are_embedded() {
    let folder = tempfile::tempdir().unwrap();
    let data = open("scenes", &options(folder.path())).unwrap();
    assert_eq!(sizes(&data), [16_000, 1_600, 4_000]);
    assert_eq!(data.kind, Kind::Images { channels: 3, height: 64, width: 64 });
    assert_eq!((data.classes.len(), &data.classes[7][..]), (8, "ring"));
    assert!(data.test.get(3_999).unwrap().target < 8);
}

#[test]
fn an_unknown_name_says_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let error = why("mnist", &options(folder.path()));
    assert_eq!(
        error,
        format!(
            "--data: no embedded data set, folder or file `mnist`, and none fetched under {}: \
             `cargo xtask fetch mnist` gets a known one, `cargo xtask fetch --list` shows them",
            folder.path().display()
        )
    );
}

#[test]
fn a_fetched_idx_set_is_read_as_its_manifest_says() {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("digits");
    std::fs::create_dir(&set).unwrap();
    let manifest = "layout = \"idx\"\nclasses = [\"zero\", \"one\"]\n\
        [splits.train]\nimages = \"a\"\nlabels = \"b\"\n[splits.test]\nimages = \"c\"\nlabels = \"d\"\n";
    std::fs::write(set.join("dataset.toml"), manifest).unwrap();
    // The pixel is the example's place, and its class the place's last bit.
    write_idx(&set.join("a"), &[100, 1, 1], (0..100).collect());
    write_idx(&set.join("b"), &[100], (0..100).map(|i| i % 2).collect());
    write_idx(&set.join("c"), &[2, 1, 1], vec![200, 201]);
    write_idx(&set.join("d"), &[2], vec![0, 1]);
    let mut options = options(folder.path());
    let data = open("digits", &options).unwrap();
    assert_eq!((data.name.as_str(), sizes(&data)), ("digits", [90, 10, 2]));
    assert_eq!(data.classes, ["zero", "one"]);
    let place = |examples: &Examples, index: usize| {
        let example = examples.get(index).unwrap();
        let Input::Image(image) = example.input else { panic!() };
        let place = image.as_bytes()[0];
        assert_eq!(example.target, usize::from(place % 2));
        place
    };
    let all = |data: &DataSet| {
        let mut all: Vec<u8> = (0..data.train.len()).map(|i| place(&data.train, i)).collect();
        assert!(all.is_sorted(), "training keeps the file's order");
        all.extend((0..data.validation.len()).map(|i| place(&data.validation, i)));
        all.sort_unstable();
        all
    };
    assert_eq!(all(&data), (0..100).collect::<Vec<u8>>());
    options.limit = Some(20);
    let limited = open("digits", &options).unwrap();
    assert_eq!(sizes(&limited), [18, 2, 2]);
    assert_eq!(all(&limited), (0..20).collect::<Vec<u8>>(), "the first 20, validation included");
    options.limit = Some(1);
    assert!(why("digits", &options).starts_with("--limit: too few examples"));
    // By its path as well.
    let by_path = open(set.to_str().unwrap(), &OpenOptions { limit: None, ..options });
    assert_eq!(sizes(&by_path.unwrap()), [90, 10, 2]);
}

#[test]
fn a_folder_of_classes_is_split_class_by_class() {
    let folder = tempfile::tempdir().unwrap();
    write_images(&folder.path().join("dark"), 10, 20);
    write_images(&folder.path().join("light"), 250, 40);
    let data = open(folder.path().to_str().unwrap(), &options(folder.path())).unwrap();
    assert_eq!(sizes(&data), [48, 6, 6]);
    assert_eq!(data.classes, ["dark", "light"]);
    assert_eq!(data.kind, Kind::Images { channels: 1, height: 2, width: 3 });
    let light = (0..6).filter(|&i| data.test.get(i).unwrap().target == 1).count();
    assert_eq!(light, 4);
    let first: Vec<usize> = (0..10).map(|i| data.train.get(i).unwrap().target).collect();
    assert!(first.contains(&0) && first.contains(&1), "shuffled");
}

#[test]
fn train_and_test_folders_are_splits() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_images(&at("train/a"), 0, 10);
    write_images(&at("train/b"), 1, 10);
    write_images(&at("val/a"), 0, 3);
    let open = || open(folder.path().to_str().unwrap(), &options(folder.path()));
    assert_eq!(sizes(&open().unwrap()), [18, 2, 3], "a lone val judges");
    write_images(&at("test/b"), 1, 4);
    std::fs::write(at("test/b/000.png"), "").unwrap();
    let data = open().unwrap();
    assert_eq!(sizes(&data), [20, 3, 3]);
    assert_eq!(data.skipped.len(), 1);
    assert_eq!(data.test.get(0).unwrap().target, 1);
    write_images(&at("test/c"), 1, 1);
    assert!(open().err().unwrap().to_string().contains("c: not a class of the training part"));
}

#[test]
fn tables_open_by_path_and_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("tabular");
    std::fs::create_dir(&set).unwrap();
    let rows: String = (0..40).map(|i| format!("{},{i},x\n", ["p", "q"][i % 2])).collect();
    std::fs::write(set.join("small.csv"), rows).unwrap();
    let manifest = "layout = \"csv\"\n[tables.small]\nfile = \"small.csv\"\ntarget = 0\n\
        columns = [\"kind\", \"size\", \"mark\"]\n[tables.away]\nfile = \"../a.csv\"\ntarget = 0\n";
    std::fs::write(set.join("dataset.toml"), manifest).unwrap();
    let mut options = options(folder.path());
    let data = open("tabular/small", &options).unwrap();
    assert_eq!((data.name.as_str(), sizes(&data)), ("small", [32, 4, 4]));
    assert_eq!(data.classes, ["p", "q"]);
    let Kind::Rows { columns, .. } = &data.kind else { panic!() };
    assert_eq!(columns[..], ["size", "mark=x"]);
    assert!(why("tabular", &options).contains("expected one of tabular/away, tabular/small"));
    assert!(why("tabular/big", &options).contains("expected one of"));
    assert!(why("tabular/away", &options).contains("expected one inside the folder"));
    let path = set.join("small.csv");
    options.target = Some("1".into());
    assert_eq!(sizes(&open(path.to_str().unwrap(), &options).unwrap()), [32, 4, 4]);
    options.target = Some("kind".into());
    assert!(why(path.to_str().unwrap(), &options).starts_with("--target: no column `kind`"));
    std::fs::write(set.join("notes.txt"), "x").unwrap();
    assert!(why(set.join("notes.txt").to_str().unwrap(), &options).contains("or a .csv file"));
}

#[test]
fn imagenets_numbers_are_shown_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let data = at("ILSVRC/Data/CLS-LOC");
    for (id, grey) in [("n01440764", 10), ("n02012849", 90)] {
        write_images(&data.join("train").join(id), grey, 20);
    }
    std::fs::write(at("LOC_synset_mapping.txt"), "n01440764 tench, Tinca tinca\nn02012849 crane\n")
        .unwrap();
    // Test images without labels are left alone.
    write_images(&data.join("test"), 0, 3);
    let open = || open(data.to_str().unwrap(), &options(folder.path()));
    let set = open().unwrap();
    assert_eq!(set.classes, ["tench", "crane"]);
    assert_eq!(sizes(&set), [32, 4, 4]);

    // Validation images in one folder, with the challenge's list of them.
    write_images(&data.join("val"), 50, 4);
    let why = open().err().unwrap().to_string();
    assert!(why.contains("val: no class folders"), "{why}");
    for number in 0..4 {
        let picture = |ending: &str| data.join(format!("val/{number:03}.{ending}"));
        std::fs::rename(picture("png"), picture("JPEG")).unwrap();
    }
    let list = at("LOC_val_solution.csv");
    let rows = "000,n02012849 1 2 3 4\n003,n01440764 1 2 3 4 n01440764 5 6 7 8\n";
    std::fs::write(&list, format!("ImageId,PredictionString\n{rows}")).unwrap();
    let set = open().unwrap();
    assert_eq!(sizes(&set), [36, 4, 2]);
    let labels: Vec<usize> = (0..2).map(|index| set.test.get(index).unwrap().target).collect();
    assert_eq!(labels, [1, 0]);
    std::fs::write(&list, "ImageId,PredictionString\n000,n00000001 1 2\n").unwrap();
    let why = open().err().unwrap().to_string();
    assert!(why.contains("line 2, field PredictionString: `n00000001`"), "{why}");
}

#[test]
fn pascal_voc_gives_its_pictures_of_one_class() {
    let folder = tempfile::tempdir().unwrap();
    let year = folder.path().join("VOC2012");
    let (pictures, lists) = (year.join("JPEGImages"), year.join("ImageSets/Main"));
    std::fs::create_dir_all(&pictures).unwrap();
    std::fs::create_dir_all(&lists).unwrap();
    let mut text = std::collections::BTreeMap::<String, String>::new();
    for (split, count) in [("train", 20), ("val", 6)] {
        for number in 0..count {
            let picture = format!("{split}_{number:02}");
            let path = pictures.join(format!("{picture}.jpg"));
            GrayImage::from_pixel(9, 8, Luma([number])).save(path).unwrap();
            // Cats and dogs in turns; 00 has both, 01 a dog that is hard to see, 02 too much so.
            let (cat, dog) = match number {
                0 => (1, 1),
                1 => (-1, 0),
                2 => (1, 0),
                _ if number % 2 == 0 => (1, -1),
                _ => (-1, 1),
            };
            for (class, value) in [("cat", cat), ("dog", dog)] {
                let list = text.entry(format!("{class}_{split}.txt")).or_default();
                *list += &format!("{picture} {value:>2}\n");
            }
        }
    }
    for (name, text) in &text {
        std::fs::write(lists.join(name), text).unwrap();
    }
    let open = || open(year.to_str().unwrap(), &options(folder.path()));
    let set = open().unwrap();
    assert_eq!(
        (set.name.as_str(), &set.classes[..]),
        ("VOC2012", &["cat".into(), "dog".into()][..])
    );
    assert_eq!(sizes(&set), [17, 1, 4], "18 are left to train on, a tenth of them held out");
    assert_eq!(
        set.skipped,
        [
            "train_00: of several classes, cat, dog",
            "train_01: of no class without doubt",
            "val_00: of several classes, cat, dog",
            "val_01: of no class without doubt",
        ]
    );
    let labels: Vec<usize> = (0..4).map(|index| set.test.get(index).unwrap().target).collect();
    assert_eq!(labels, [0, 1, 0, 1]);

    std::fs::write(lists.join("dog_val.txt"), "val_03 2\n").unwrap();
    let why = open().err().unwrap().to_string();
    assert!(why.contains("dog_val.txt: line 1, field dog: `2`; expected 1, 0 or -1"), "{why}");
    std::fs::remove_file(lists.join("dog_val.txt")).unwrap();
    assert!(open().err().unwrap().to_string().contains("dog_val.txt: No such file"));
    for name in text.keys().filter(|name| name.contains("train")) {
        std::fs::remove_file(lists.join(name)).unwrap();
    }
    assert!(open().err().unwrap().to_string().contains("Main: no CLASS_train.txt"));
}

#[test]
fn scenes_have_objects_whose_boxes_fit_their_masks() {
    let limited = OpenOptions { limit: Some(5), ..options(Path::new("none")) };
    let set = open_objects("scenes", &limited).unwrap();
    assert_eq!((set.train.len(), set.validation.len(), set.test.len()), (5, 1_600, 4_000));
    let mut counts = std::collections::HashSet::new();
    for index in 0..5 {
        let Example { input, target, .. } = set.train.get(index).unwrap();
        let Input::Image(image) = input else { panic!("scenes are images") };
        assert_eq!((image.width(), image.height()), (64, 64));
        for object in &target {
            let mask = object.mask.as_ref().unwrap();
            assert_eq!((mask.size, mask.bounding_box()), ([64, 64], Some(object.bounding_box)));
            assert!(object.label < set.classes.len());
        }
        counts.insert(target.len());
    }
    assert!(counts.len() > 1, "{counts:?}");
    assert_ne!(set.train.get(0).unwrap().target, set.test.get(0).unwrap().target);
    let why = open_objects("glyphs", &limited).err().unwrap().to_string();
    assert!(why.starts_with("--data: ") && why.contains("glyphs"), "{why}");
    let none = OpenOptions { limit: Some(0), ..limited };
    assert!(open_objects("scenes", &none).err().unwrap().to_string().starts_with("--limit: "));
}

#[test]
fn a_layout_of_another_task_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let text = "layout = \"text\"\n[splits.train]\nfile = \"a.txt\"\n";
    std::fs::write(folder.path().join("dataset.toml"), text).unwrap();
    let name = folder.path().to_str().unwrap();
    let why = open(name, &options(folder.path())).err().unwrap().to_string();
    assert!(why.contains("is laid out as text; expected idx, "), "{why}");
}
