//! `cargo xtask fetch weights/...`: files of which no more than the beginning of a digest is
//! known.

use crate::support::*;

fn content() -> Vec<u8> {
    (0..50_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// A manifest of weights whose digest begins with `prefix`, of at most `most` bytes.
fn toy(url: &str, prefix: &str, most: usize) -> Toy {
    let toy = Toy { dir: tempfile::tempdir().expect("temporary folder") };
    let text = format!(
        "name = \"weights/toy_bn\"\ntitle = \"A toy\"\ntask = \"play\"\nlicence = \"for play only\"\n\
         citation = \"\"\nhome = \"\"\nlayout = \"weights\"\ncounts = {{ weights = 1 }}\n\
         [splits.weights]\nfile = \"toy.pth\"\n[[files]]\nurls = [\"{url}/toy.pth\"]\n\
         sha256_prefix = \"{prefix}\"\nsize = {most}\ndest = \"toy.pth\"\n"
    );
    std::fs::write(toy.path("toy.toml"), text).expect("written");
    toy
}

#[test]
fn a_file_with_the_digest_of_its_name_is_taken_and_its_licence_told() {
    let server = serve(content(), Manners { cut: Some((20_000, 1)), ..Manners::default() });
    let toy = toy(&server.url, &sha256(&content())[..8], content().len() + 900);
    let fetched = toy.fetch(&[]);
    assert_ok(&fetched);
    let said = String::from_utf8_lossy(&fetched.stderr);
    assert!(said.contains("weights/toy_bn: licence: for play only"), "{said}");
    let there = toy.path("data/weights/toy_bn");
    assert!(std::fs::read(there.join("toy.pth")).expect("there") == content());
    assert!(there.join("dataset.toml").is_file());
    let again = toy.fetch(&[]);
    assert_ok(&again);
    assert!(String::from_utf8_lossy(&again.stderr).contains("already here"));
}

#[test]
fn another_file_and_one_that_is_too_large_are_refused() {
    let server = serve(content(), Manners::default());
    let other = toy(&server.url, "00000000", content().len());
    assert_error(&other.fetch(&[]), "expected a SHA-256 that begins with 00000000, found ");
    let large = toy(&server.url, &sha256(&content())[..8], content().len() - 1);
    assert_error(&large.fetch(&[]), "49999 bytes");
    for toy in [other, large] {
        assert!(!toy.path("data/weights/toy_bn").exists());
    }
}

#[test]
fn known_weights_are_listed_and_their_digest_is_looked_at() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mirror = dir.path().join("weights/resnet18");
    std::fs::create_dir_all(&mirror).expect("created");
    std::fs::write(mirror.join("resnet18-f37072fd.pth"), b"not these").expect("written");
    let data = dir.path().join("data");
    let fetch = |args: &[&str]| {
        let mut command = xtask();
        command.arg("fetch").args(args).arg("--data-dir").arg(&data);
        command.output().expect("xtask runs")
    };
    let mirror = dir.path().to_str().expect("UTF-8");
    let wrong = fetch(&["weights/resnet18", "--mirror", mirror]);
    assert_error(&wrong, "expected a SHA-256 that begins with f37072fd, found ");
    assert!(!data.join("weights").exists());
    let listed = fetch(&["--list"]);
    assert_ok(&listed);
    let list = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(list.contains("weights/resnet18") && list.contains("weights/vgg19_bn"), "{list}");
    assert_error(&fetch(&["weights/resnet19"]), "weights/resnet18");
}
