//! The same two images in six formats, and everything that can be wrong with a box.

use super::open;
use image::RgbImage;
use std::path::Path;
use tenfold_core::data::{DataSet, Object, OpenOptions};
use tenfold_core::geometry::BoundingBox;

const VOC: &str = "<annotation><filename>NAME</filename><size><width>40</width><height>30</height></size>\
    <object><name>cat</name><bndbox><xmin>11</xmin><ymin>6</ymin><xmax>20</xmax><ymax>15</ymax></bndbox></object>\
    </annotation>";

fn options() -> OpenOptions {
    OpenOptions { data_dir: "nowhere".into(), seed: 1, ..OpenOptions::default() }
}

fn put(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn image(folder: &Path, name: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    RgbImage::new(40, 30).save(path).unwrap();
}

fn read(folder: &Path) -> DataSet<Vec<Object>> {
    open(folder.to_str().unwrap(), &options()).unwrap()
}

/// All objects of all splits.
fn objects(data: &DataSet<Vec<Object>>) -> Vec<Object> {
    let splits = [&data.train, &data.validation, &data.test];
    let all =
        splits.iter().flat_map(|split| (0..split.len()).map(|i| split.get(i).unwrap().target));
    all.flatten().collect()
}

/// Ten images, each with the cat at 10, 5, 20, 15.
fn expect(folder: &Path, classes: &[&str]) {
    let data = read(folder);
    assert_eq!(data.classes, classes);
    let all = objects(&data);
    assert_eq!(all.len(), 10, "{:?}", data.skipped);
    for own in all {
        assert_eq!(data.classes[own.label], "cat");
        let sides = <[f32; 4]>::from(own.bounding_box);
        let expected = [10.0, 5.0, 20.0, 15.0];
        assert!(sides.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3), "{sides:?}");
    }
    assert!(data.skipped.is_empty(), "{:?}", data.skipped);
}

#[test]
fn voc_counts_from_one_and_finds_images_of_another_ending() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..10 {
        image(folder.path(), &format!("JPEGImages/{i}.png"));
        put(
            folder.path(),
            &format!("Annotations/{i}.xml"),
            &VOC.replace("NAME", &format!("{i}.jpg")),
        );
    }
    expect(folder.path(), &["cat"]);
    // With lists each split is its own.
    put(folder.path(), "ImageSets/Main/train.txt", "0\n1\n2\n3\n");
    put(folder.path(), "ImageSets/Main/val.txt", "4\n5\n");
    put(folder.path(), "ImageSets/Main/test.txt", "6\n7\n8\n9\n");
    let data = read(folder.path());
    assert_eq!([data.train.len(), data.validation.len(), data.test.len()], [4, 2, 4]);
    // A corner at 0 says that all count from 0.
    let zero = VOC.replace("NAME", "0.png").replace("<ymin>6<", "<ymin>0<");
    put(folder.path(), "Annotations/0.xml", &zero);
    let left: Vec<f32> =
        objects(&read(folder.path())).iter().map(|own| own.bounding_box.x1).collect();
    assert_eq!(left, [11.0; 10]);
}

#[test]
fn coco() {
    let folder = tempfile::tempdir().unwrap();
    let (mut images, mut annotations) = (Vec::new(), Vec::new());
    for i in 0..10 {
        image(folder.path(), &format!("images/{i}.png"));
        images.push(format!(r#"{{"id":{i},"file_name":"{i}.png","width":40,"height":30}}"#));
        annotations
            .push(format!(r#"{{"id":{i},"image_id":{i},"category_id":7,"bbox":[10,5,10,10]}}"#));
    }
    let text = format!(
        r#"{{"images":[{}],"annotations":[{}],"categories":[{{"id":9,"name":"dog"}},{{"id":7,"name":"cat"}}]}}"#,
        images.join(","),
        annotations.join(",")
    );
    put(folder.path(), "annotations.json", &text);
    expect(folder.path(), &["cat", "dog"]);
    put(
        folder.path(),
        "annotations.json",
        &text.replacen(r#""category_id":7"#, r#""category_id":3"#, 1),
    );
    let why = open(folder.path().to_str().unwrap(), &options()).err().unwrap().to_string();
    assert!(why.contains("annotation 0: no category with the id 3"), "{why}");
}

#[test]
fn yolo_with_and_without_its_yaml() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..10 {
        image(folder.path(), &format!("images/{i}.png"));
        // Centre 15, 10 of 40 x 30.
        put(folder.path(), &format!("labels/{i}.txt"), "1 0.375 0.33333333 0.25 0.33333333\n");
    }
    put(folder.path(), "classes.txt", "dog\ncat\n");
    expect(folder.path(), &["dog", "cat"]);
    for names in [
        "names: [dog, 'cat'] # two",
        "names:\n  0: dog\n  1: cat",
        "names:\n- dog\n- cat",
        "names: [dog,\n  cat]",
    ] {
        put(folder.path(), "data.yaml", &format!("train: images\nnc: 2\n{names}\n"));
        expect(folder.path(), &["dog", "cat"]);
    }
    put(folder.path(), "data.yaml", "train: images\nnc: 3\nnames: [dog, cat]\n");
    let why = open(folder.path().to_str().unwrap(), &options()).err().unwrap().to_string();
    assert!(why.contains("`nc` is 3"), "{why}");
    std::fs::remove_file(folder.path().join("data.yaml")).unwrap();
    put(folder.path(), "labels/3.txt", "1 0.375 nine 0.25 0.3\n");
    let why = open(folder.path().to_str().unwrap(), &options()).err().unwrap().to_string();
    assert!(why.contains("3.txt: line 1"), "{why}");
}

#[test]
fn labelme_cvat_and_csv() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..10 {
        image(folder.path(), &format!("{i}.png"));
        let text = format!(
            r#"{{"shapes":[{{"label":"cat","points":[[10,5],[20,15]],"shape_type":"rectangle"}}],
                "imagePath":"..\\{i}.png","imageWidth":40,"imageHeight":30}}"#
        );
        put(folder.path(), &format!("{i}.json"), &text);
    }
    expect(folder.path(), &["cat"]);
    (0..10).for_each(|i| std::fs::remove_file(folder.path().join(format!("{i}.json"))).unwrap());

    let line = |i: usize| {
        format!(
            "<image id='{i}' name='{i}.png' width='40' height='30'>\
             <box label='cat' xtl='10' ytl='5' xbr='20' ybr='15'/></image>\n"
        )
    };
    let cvat: String = (0..10).map(line).collect();
    put(
        folder.path(),
        "a.xml",
        &format!("<annotations><version>1.1</version>{cvat}</annotations>"),
    );
    expect(folder.path(), &["cat"]);
    std::fs::remove_file(folder.path().join("a.xml")).unwrap();

    let lines = |line: &dyn Fn(usize) -> String| (0..10).map(line).collect::<String>();
    for text in [
        format!(
            "filename,width,height,class,xmin,ymin,xmax,ymax\n{}",
            lines(&|i| format!("{i}.png,40,30,cat,10,5,20,15\n"))
        ),
        format!(
            "image;label;x;y;width;height\n{}",
            lines(&|i| format!("{i}.png;cat;10;5;10;10\n"))
        ),
        lines(&|i| format!("{i}.png,10,5,20,15,cat\n")),
    ] {
        put(folder.path(), "boxes.csv", &text);
        expect(folder.path(), &["cat"]);
    }
    put(folder.path(), "boxes.csv", "a,b\n1,2\n");
    assert!(open(folder.path().to_str().unwrap(), &options()).is_err());
}

#[test]
fn every_fault_is_named_and_the_rest_is_used() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..12 {
        image(folder.path(), &format!("{i}.png"));
    }
    let mut text = String::from("filename,class,xmin,ymin,xmax,ymax\n");
    (0..12).for_each(|i| text.push_str(&format!("{i}.png,cat,10,5,20,15\n")));
    text.push_str("0.png,cat,20,5,10,15\n1.png,cat,50,5,60,15\n2.png,cat,10,5,10,15\n");
    text.push_str(
        "3.png,cat,10,5,55,15\n4.png,cat,NaN,5,20,15\ngone.png,cat,1,1,2,2\n5.png,,,,,\n",
    );
    put(folder.path(), "boxes.csv", &text);
    let data = read(folder.path());
    assert_eq!(objects(&data).len(), 12);
    for why in [
        "box 2 (cat) [20, 5, 10, 15]: swapped corners",
        "box 2 (cat) [50, 5, 60, 15]: outside the image of 40x30",
        "box 2 (cat) [10, 5, 10, 15]: empty",
        "box 2 (cat) [10, 5, 55, 15]: reaches beyond",
        "not a number",
        "gone.png",
    ] {
        assert!(data.skipped.iter().any(|line| line.contains(why)), "{why}: {:?}", data.skipped);
    }
    assert_eq!(data.skipped.len(), 6);
}

#[test]
fn classes_sizes_and_images_without_objects() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for i in 0..10 {
        image(root, &format!("images/{i}.png"));
        put(root, &format!("labels/{i}.txt"), if i < 8 { "0 0.5 0.5 0.2 0.2\n" } else { "" });
    }
    put(root, "labels/0.txt", "0 0.5 0.5 0.2 0.2\n4 0.5 0.5 0.2 0.2\n");
    put(root, "classes.txt", "cat\n");
    let data = read(root);
    assert_eq!(data.train.len() + data.validation.len() + data.test.len(), 10);
    assert_eq!(objects(&data).len(), 8);
    assert!(data.skipped[0].contains("box 2 (4) of an unknown class"), "{:?}", data.skipped);

    let folder = tempfile::tempdir().unwrap();
    for i in 0..10 {
        image(folder.path(), &format!("{i}.png"));
        let text = VOC.replace("NAME", &format!("{i}.png"));
        let text = if i == 4 { text.replace(">40<", ">41<") } else { text };
        put(folder.path(), &format!("{i}.xml"), &text);
    }
    let data = read(folder.path());
    assert_eq!(data.train.len() + data.validation.len() + data.test.len(), 9);
    assert!(data.skipped[0].contains("says 41x30, and") && data.skipped[0].contains("is 40x30"));
    let found = objects(&data);
    assert_eq!(found[0].bounding_box, BoundingBox::new(10.0, 5.0, 20.0, 15.0));

    let empty = tempfile::tempdir().unwrap();
    image(empty.path(), "a.png");
    let why = open(empty.path().to_str().unwrap(), &options()).err().unwrap().to_string();
    assert!(why.contains("no annotations of a known format"), "{why}");
}

/// On Unix a backslash is a letter of a name, and Windows' separator where no file is called so.
#[cfg(unix)]
#[test]
fn names_with_a_backslash() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for name in ["a/1.png", r"a\1.png", "a/2.png"] {
        image(root, name);
    }
    let files = super::files::Files::below(root).unwrap();
    for (name, expected) in
        [(r"a\1.png", r"a\1.png"), ("a/1.png", "a/1.png"), (r"a\2.png", "a/2.png")]
    {
        assert_eq!(files.image(name, &root.join("annotations.json")), root.join(expected));
    }
}
