//! Circles that must be found, and imports that are none.

use super::*;

/// The circles of a crate whose files are given with their names below `src/`.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<(String, String)> =
        files.iter().map(|(name, text)| (format!("src/{name}"), (*text).to_owned())).collect();
    circles("src/lib.rs", &files).into_iter().map(|violation| violation.message).collect()
}

const AB: &str = "pub mod a;\npub mod b;\n";

#[test]
fn two_files_that_need_each_other() {
    let plain = [
        ("lib.rs", AB),
        ("a.rs", "//! A.\nuse crate::b::B;\npub struct A;\n"),
        ("b.rs", "pub struct B(crate::a::A);\n"),
    ];
    assert_eq!(
        found(&plain),
        ["circle of imports: src/a.rs:2 (crate::b::B) -> src/b.rs:1 (crate::a::A) -> src/a.rs"]
    );
    // Every way to say it.
    for import in [
        "use super::b::B;",
        "use crate::{a, b::{self, B}};",
        "use crate::b; fn f() { b::g(); }",
        "use crate::b as other; fn f(_: other::B) {}",
        "fn f() { super::b::g() }",
        "fn f() { assert!(crate::b::g()); }",
        "macro_rules! m { () => { $crate::b::g() } }",
        "pub use crate::b::B; fn f(_: B) {}",
        "use crate::b::*; fn f(_: B) {}",
        "use crate::*; fn f() { b::g() }",
        "mod inner { use super::super::b::B; }",
        "#[derive(Clone)] struct S(#[serde(default)] crate::b::B);",
        "#[cfg(not(test))] use crate::b::B;",
        "fn f<'a>(_: &'a str) -> char { '\\'' } use crate::b::B;",
        "use crate::b::generated;",
    ] {
        let text = format!("{import}\npub struct A;\n");
        let b = "use crate::a::A;\npub struct B;\npub fn g() {}\n";
        assert_eq!(found(&[("lib.rs", AB), ("a.rs", &text), ("b.rs", b)]).len(), 1, "{import}");
    }
}

#[test]
fn what_is_no_import() {
    for text in [
        "",
        "// use crate::b::B;",
        "/* use crate::b::B; /* */ use crate::b::B; */",
        "const S: &str = \"crate::b::B\";",
        "const S: &str = r#\"\" crate::b::B\"#;",
        "#[cfg(test)] mod tests { use crate::b::B; }",
        "#[cfg(test)] use crate::b::{B, g};",
        "#[cfg(test)]\n#[allow(unused)]\nfn f() { crate::b::g() }",
        "#[cfg(all(test, unix))] fn f() { crate::b::g() }",
        "use crate::b;",
        "pub use crate::b::B;",
        "use crate::b::*; fn f() { something() }",
        "use burn::b::B; fn f() { other::b::g() }",
        "mod b { pub struct B; } use b::B;",
        "fn f(x: X) { x.b.g() }",
    ] {
        let b = "use crate::a::A;\npub struct B;\npub fn g() {}\n";
        let text = format!("{text}\npub struct A;\n");
        assert_eq!(found(&[("lib.rs", AB), ("a.rs", &text), ("b.rs", b)]), [""; 0], "{text}");
    }
}

#[test]
fn a_name_that_is_passed_on_is_its_maker_s() {
    // A child takes a name of its sister through the parent: no circle with the parent.
    let parent = "mod one;\nmod two;\npub use one::One;\npub use two::*;\n";
    let files = |parent: &'static str, two: &'static str| {
        found(&[
            ("lib.rs", "mod parent;"),
            ("parent/mod.rs", parent),
            ("parent/one.rs", "pub struct One;"),
            ("parent/two.rs", two),
        ])
    };
    assert_eq!(files(parent, "use super::One;\npub struct Two(One);"), [""; 0]);
    assert_eq!(files(parent, "use crate::parent::*;\npub struct Two(One);"), [""; 0]);
    // A parent that works with its child, and a child that needs what the parent defines.
    let parent = "mod one;\nmod two;\npub use two::Two;\npub struct Parent;\nfn f(_: Two) {}";
    let circles = files(parent, "use super::Parent;\npub struct Two(Parent);");
    assert_eq!(circles.len(), 1);
    assert!(circles[0].contains("src/parent/mod.rs:3 (two::Two) -> src/parent/two.rs:1"));
    // The same parent where the child needs nothing of it, and one that declares it only.
    assert_eq!(files(parent, "pub struct Two;"), [""; 0]);
    let parent = "mod one;\nmod two;\npub struct Parent;";
    assert_eq!(files(parent, "use super::Parent;\npub struct Two(Parent);"), [""; 0]);
}

#[test]
fn macros_live_at_the_root() {
    let a = "#[macro_export]\nmacro_rules! made { () => {} }\nfn f() { crate::b::g() }";
    let b = "pub fn g() { crate::made!() }";
    assert_eq!(found(&[("lib.rs", AB), ("a.rs", a), ("b.rs", b)]).len(), 1);
    let a = "macro_rules! made { () => {} }\npub(crate) use made;\nfn f() { crate::b::g() }";
    let b = "use crate::a::made;\npub fn g() { made!() }";
    assert_eq!(found(&[("lib.rs", AB), ("a.rs", a), ("b.rs", b)]).len(), 1);
}

#[test]
fn the_shortest_circle_is_named_once() {
    let lib = "mod a;\nmod b;\nmod c;\nmod d;\n";
    let circles = found(&[
        ("lib.rs", lib),
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "use crate::c::C;"),
        ("c.rs", "use crate::a::A;\nuse crate::b::B;"),
        ("d.rs", "use crate::a::A;"),
    ]);
    assert_eq!(circles.len(), 2, "{circles:?}");
    assert!(circles[0].starts_with("circle of imports: src/a.rs:1 (crate::b::B) -> src/b.rs:1"));
    assert!(circles[1].contains("src/b.rs:1 (crate::c::C) -> src/c.rs:2"), "{circles:?}");
}

#[test]
fn files_are_found_as_the_compiler_does() {
    let circles = found(&[
        ("lib.rs", "mod a { pub mod deep; }\nmod b;\n#[path = \"odd name.rs\"]\nmod c;"),
        ("a/deep.rs", "use crate::b::inside::Inside;\npub struct Deep;"),
        ("b.rs", "pub mod inside;"),
        ("b/inside.rs", "use crate::c::C;\npub struct Inside;"),
        ("odd name.rs", "use crate::a::deep::Deep;\npub struct C;"),
    ]);
    assert_eq!(circles.len(), 1);
    assert_eq!(circles[0].matches(" -> ").count(), 3, "{circles:?}");
}
