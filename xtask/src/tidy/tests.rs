//! Each rule on text that breaks it.

use super::manifests::{arrows, features};
use super::models::{model_names, setting_names};
use super::names::names_models;
use super::pages::{commands, links, shell_lines, tables, too_long};
use super::*;

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn arrows_go_one_way() {
    let crate_with = |name: &str, dependencies: &str| {
        arrows(
            "Cargo.toml",
            &format!("[package]\nname = \"{name}\"\n[dependencies]\n{dependencies}\n"),
        )
    };
    let here = ".workspace = true";
    for (name, below) in [
        ("tenfold-classification", "tenfold-core"),
        ("tenfold-gan", "tenfold-classification"),
        ("tenfold-segmentation", "tenfold-detection"),
        ("tenfold-segmentation", "tenfold-kernels"),
        ("tenfold-tracking", "tenfold-detection"),
        ("tenfold-text", "tenfold-classification"),
        ("tenfold-text", "tenfold-sequence"),
        ("tenfold-presets", "tenfold-sequence"),
        ("tenfold-sequence", "tenfold-classification"),
        ("tenfold-assist", "tenfold-core"),
        ("tenfold-tests", "tenfold-rl"),
    ] {
        assert_eq!(crate_with(name, &format!("{below}{here}")), [], "{name} on {below}");
    }
    for (name, below) in [
        ("tenfold-core", "tenfold-classification"),
        ("tenfold-kernels", "tenfold-core"),
        ("tenfold-classification", "tenfold-detection"),
        ("tenfold-rl", "tenfold-classification"),
        ("tenfold-tracking", "tenfold-segmentation"),
        ("tenfold-text", "tenfold-detection"),
        ("tenfold-presets", "tenfold-text"),
        ("tenfold-core", "tenfold-assist"),
        ("tenfold-assist", "tenfold-detection"),
        ("xtask", "tenfold-core"),
    ] {
        let found = crate_with(name, &format!("anyhow = \"1\"\n{below}{here}"));
        assert_eq!(found.len(), 1, "{name} on {below}");
        assert_eq!(found[0].line, 5);
    }
    assert_eq!(crate_with("tenfold-gan", "tenfold-assist = { optional = true }"), []);
    assert_eq!(crate_with("tenfold-gan", "tenfold-assist.workspace = true").len(), 1);
    assert_eq!(crate_with("tenfold-new", "").len(), 1);
    assert_eq!(arrows("Cargo.toml", "not toml").len(), 1);
    assert_eq!(arrows("Cargo.toml", "[workspace]\nmembers = []\n"), []);
}

#[test]
fn features_do_not_differ() {
    let good = "[features]\ndefault = [\"flex\"]\nflex = [\"tenfold-core/flex\"]\n\
        ndarray = [\"tenfold-core/ndarray\"]\ncuda = [\"tenfold-core/cuda\"]\n\
        vulkan = [\"tenfold-core/vulkan\"]\n[dependencies]\ntenfold-core.workspace = true\n";
    assert_eq!(features("Cargo.toml", good), []);
    for (from, to) in [
        ("default = [\"flex\"]", "default = []"),
        ("cuda = [\"tenfold-core/cuda\"]", "cuda = []"),
        ("vulkan = [\"tenfold-core/vulkan\"]\n", ""),
        ("[features]", "[features]\nextra = []"),
        ("tenfold-core.workspace = true", "tenfold-core = { optional = true }"),
    ] {
        assert!(!features("Cargo.toml", &good.replace(from, to)).is_empty(), "{from} -> {to}");
    }
}

#[test]
fn every_name_is_in_a_table() {
    let page = "`mnist` in a sentence\n\n| name | task |\n|---|---|\n| `lenet` | digits |\n";
    assert_eq!(tables("README.md", page, "model", &names(&["lenet"])), []);
    assert_eq!(tables("README.md", page, "data set", &names(&["mnist"])).len(), 1);
    // A longer name is no row of the shorter.
    assert_eq!(tables("README.md", page, "model", &names(&["le"])).len(), 1);
}

#[test]
fn both_pages_list_the_same_commands() {
    let page = "text\n```sh\n# a comment\ncargo test   # all of it\n\ncargo run\n```\n```rust\nlet x;\n```\n";
    assert_eq!(shell_lines(page), [(4, "cargo test".to_owned()), (6, "cargo run".to_owned())]);
    let translated = page.replace("# a comment", "# 注释").replace("# all of it", "# 全部");
    let check = |other: &str| commands("README.md", page, "README.zh.md", other);
    assert_eq!(check(&translated), []);
    assert_eq!(check(&page.replace("cargo run", "cargo walk"))[0].line, 6);
    assert_eq!(check(&page.replace("cargo run\n", "")).len(), 1);
    assert_eq!(check(&page.replace("cargo run", "cargo run\ncargo fly")).len(), 1);
    assert_eq!(check("").len(), 1);
    assert_eq!(commands("README.md", "", "README.zh.md", "").len(), 1);
    // Those in tables and sentences count, too.
    let table = format!("{page}| digits | `cargo train` |\n");
    assert_eq!(commands("README.md", &table, "README.zh.md", page).len(), 1);
    assert_eq!(commands("README.md", &table, "README.zh.md", &table.replace("digits", "数字")), []);
}

#[test]
fn the_first_page_is_short() {
    assert_eq!(too_long("README.md", &"line\n".repeat(200)), None);
    assert_eq!(too_long("README.md", &"line\n".repeat(201)).unwrap().line, 201);
}

#[test]
fn links_lead_somewhere() {
    let page = |path: &str| match path {
        "a/README.md" => {
            Some("# A page\n\n## Data: its `form`\n```sh\n## no heading\n```\n".into())
        }
        "a/big.png" | "b" => Some(String::new()),
        _ => None,
    };
    let found = |text: &str| {
        let bytes = |path: &str| if path.ends_with("big.png") { 102_401 } else { 1 };
        links("a/README.md", text, page, bytes).into_iter().map(|v| v.message).collect::<Vec<_>>()
    };
    for good in [
        "[a](README.md) [b](../b) [web](https://example.org/x)",
        "[here](#data-its-form) and [there](../a/README.md#a-page)",
        "[big, but no image](big.png)",
        "```text\n[not a link](nowhere.md)\n```",
    ] {
        assert_eq!(found(good), [""; 0], "{good}");
    }
    for bad in [
        "[a](nowhere.md)",
        "[a](../README.md)",
        "[a](#no-heading)",
        "[good](README.md) [bad](README.md#none)",
        "![big](big.png)",
        "<img src=\"big.png\" width=\"400\" alt=\"big\">",
        "<img alt=\"none\" src=\"nowhere.png\">",
    ] {
        assert_eq!(found(bad).len(), 1, "{bad}");
    }
}

#[test]
fn no_machine_path_and_no_large_file() {
    let home = concat!("/", "home/");
    for bad in ["{}me/data", "open(\"{}x\")", "path = '{}x'", "see {}x", "file={}x"] {
        let line = bad.replace("{}", home);
        assert_eq!(machine_paths("a.rs", &line).len(), 1, "{line}");
    }
    for good in ["~{}x", "https://example.org{}x", "$DIR{}x", "a{}x"] {
        let line = good.replace("{}", home);
        assert_eq!(machine_paths("a.rs", &line), [], "{line}");
    }
    assert_eq!(too_large("a", 300 * 1024), None);
    assert!(too_large("a", 300 * 1024 + 1).is_some());
}

#[test]
fn core_names_no_model() {
    let models = names(&["lenet", "mlp", "gan", "resnet18", "linear", "lenet-modern", "mask-rcnn"]);
    for bad in [
        "use LeNet;",
        "struct LeNetConfig;",
        "fn train_mlp()",
        "MlpConfig",
        "\"resnet50\"",
        "ResNet18",
        "GAN",
        "GANLoss",
        "MaskRcnn",
        "mask_rcnn_loss",
        "\"mask-rcnn\"",
        "tenfold_detection::Box",
        "run tenfold-sequence",
    ] {
        assert!(!names_models("a.rs", bad, &models).is_empty(), "{bad}");
    }
    for good in [
        "// as LeNet does",
        "began",
        "Linear::new()",
        "organ_gang",
        "let x = 1;",
        "mask",
        "Mask::Rle",
        "detection",
        "lenetic",
    ] {
        assert_eq!(names_models("a.rs", good, &models), [], "{good}");
    }
}

#[test]
fn every_test_is_in_the_program() {
    let files = |main: &str| {
        [("t/main.rs", main), ("t/one.rs", ""), ("t/deep/two.rs", "")]
            .map(|(path, text)| (path.to_owned(), text.to_owned()))
    };
    assert_eq!(left_out("t/", &files("//! All.\nmod one;\n")), []);
    assert_eq!(left_out("t/", &files("// mod one;\n"))[0].path, "t/one.rs");
    assert_eq!(left_out("t/", &[]), []);
}

#[test]
fn model_names_are_read() {
    let json = br#"[{"name": "lenet", "year": 1998}, {"name": "mlp"}]"#;
    assert_eq!(model_names(json).expect("valid"), ["lenet", "mlp"]);
    assert!(model_names(b"{}").is_err());
    assert!(model_names(b"").is_err());
}

#[test]
fn setting_names_are_read() {
    let text =
        "k        whole number   5           how many\nweights  word           \"distance\"  how\n";
    assert_eq!(setting_names(text), ["k", "weights"]);
    assert_eq!(setting_names("this model has nothing to set\n"), [""; 0]);
}
