//! Circles of imports between the files of a crate.
//!
//! A file imports another where it names something that is defined there, by `use` or by a path.
//! Declaring a module is no import, nor is passing a name on (`pub use`) that the file itself
//! does not need: who asks the module for that name imports the file that defines it. Tests are
//! left out.

use super::tokens::{Token, tokens};
use super::violation::{Violation, at};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The words of a path: `crate`, `data`, `open`.
type Words = Vec<String>;

/// Where each file imports another: the line of the first place and what stands there.
type Imports = BTreeMap<(usize, usize), (usize, String)>;

/// A module as its source has it.
#[derive(Debug, Default)]
struct Module {
    /// Index of the file that it stands in.
    file: usize,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// Functions, types, constants and macros that are defined here.
    items: BTreeSet<String>,
    /// Names brought in by `use`, each with its path.
    names: BTreeMap<String, Words>,
    /// Paths of `use PATH::*`.
    globs: Vec<Words>,
    /// Paths that are an import by themselves, each with its line.
    paths: Vec<(usize, Words)>,
    /// Names that are passed on, and count only where they are used: see `words`.
    passed_on: Vec<(usize, String)>,
    /// The first words of all paths, each with its first line.
    words: BTreeMap<String, usize>,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Module(usize),
    /// Something that is defined in this file.
    File(usize),
}

/// A crate: its files by path, and its modules, the root first.
struct Crate<'a> {
    files: &'a [(String, String)],
    modules: Vec<Module>,
    /// Exported macros, which live at the root wherever they are defined.
    macros: BTreeMap<String, usize>,
}

/// The shortest circle through each file of a crate that is in one. `files` are paths and texts;
/// `root` is the path of the crate's `lib.rs` or `main.rs`.
pub fn circles(root: &str, files: &[(String, String)]) -> Vec<Violation> {
    let imports = imports(root, files);
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for start in 0..files.len() {
        let Some(circle) = shortest(start, &imports) else { continue };
        // The same circle is met from each of its files.
        let mut sorted = circle.clone();
        sorted.sort_unstable();
        if !seen.insert(sorted) {
            continue;
        }
        let mut message = String::from("circle of imports: ");
        for (i, from) in circle.iter().enumerate() {
            let (line, what) = &imports[&(*from, circle[(i + 1) % circle.len()])];
            message += &format!("{}:{line} ({what}) -> ", files[*from].0);
        }
        message += &files[start].0;
        let line = imports[&(start, circle[1 % circle.len()])].0;
        found.push(at(&files[start].0, line, message));
    }
    found
}

/// The shortest way from a file back to itself, by breadth.
fn shortest(start: usize, imports: &Imports) -> Option<Vec<usize>> {
    let mut before = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for (_, next) in imports.range((file, 0)..=(file, usize::MAX)).map(|(edge, _)| *edge) {
            if next == start {
                let mut circle = vec![file];
                while let Some(&file) = before.get(circle.last()?) {
                    circle.push(file);
                }
                circle.reverse();
                return Some(circle);
            }
            if let std::collections::btree_map::Entry::Vacant(entry) = before.entry(next) {
                entry.insert(file);
                queue.push_back(next);
            }
        }
    }
    None
}

/// Which file imports which.
fn imports(root: &str, files: &[(String, String)]) -> Imports {
    let mut own = Crate { files, modules: Vec::new(), macros: BTreeMap::new() };
    own.read(root, None);
    let mut imports = Imports::new();
    for (id, module) in own.modules.iter().enumerate() {
        let mut add = |line: usize, path: &[String]| {
            if let Some(Target::File(file)) = own.resolve(id, path, true, 0)
                && file != module.file
            {
                let edge = imports.entry((module.file, file)).or_insert((line, path.join("::")));
                if line < edge.0 {
                    *edge = (line, path.join("::"));
                }
            }
        };
        for (line, path) in &module.paths {
            add(*line, path);
        }
        for (line, name) in &module.passed_on {
            if module.words.contains_key(name) {
                add(*line, &module.names[name]);
            }
        }
        for glob in &module.globs {
            let Some(Target::Module(from)) = own.resolve(id, glob, true, 0) else { continue };
            for (word, line) in &module.words {
                let here = module.items.contains(word) || module.names.contains_key(word);
                let one = std::slice::from_ref(word);
                if !here && from != id && own.resolve(from, one, false, 0).is_some() {
                    let mut path = glob.clone();
                    path.push(word.clone());
                    add(*line, &path);
                }
            }
        }
    }
    imports
}

impl Crate<'_> {
    /// Reads the file of a module and those of its children.
    fn read(&mut self, path: &str, parent: Option<usize>) -> Option<usize> {
        let file = self.files.iter().position(|(known, _)| known == path)?;
        let module = self.add(file, parent);
        // Where the files of its children stand.
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let below = match name {
            "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
            _ => path.trim_end_matches(".rs").to_owned(),
        };
        let tokens = tokens(&self.files[file].1);
        Reader { own: self, tokens: &tokens, folder }.module(module, 0, &below);
        Some(module)
    }

    fn add(&mut self, file: usize, parent: Option<usize>) -> usize {
        self.modules.push(Module { file, parent, ..Module::default() });
        self.modules.len() - 1
    }

    /// What a path means in a module. Where `guess` holds, a name that a module does not show
    /// (a macro may define it) is taken to be defined in the module's file.
    fn resolve(&self, module: usize, path: &[String], guess: bool, depth: usize) -> Option<Target> {
        if depth > 6 {
            return None;
        }
        let (mut here, mut i) = (module, 0);
        while let Some(word) = path.get(i) {
            match word.as_str() {
                "crate" if i == 0 => here = 0,
                "self" => {}
                "super" => here = self.modules[here].parent?,
                _ => break,
            }
            i += 1;
        }
        let absolute = i > 0;
        for i in i..path.len() {
            let (at, name, last) = (&self.modules[here], &path[i], i + 1 == path.len());
            let item = at.items.contains(name);
            // A function and a module may have one name.
            if let Some(child) = at.children.get(name)
                && !(last && item)
            {
                here = *child;
                continue;
            }
            if item {
                return Some(Target::File(at.file));
            }
            if let Some(whole) = at.names.get(name) {
                let whole: Words = whole.iter().chain(&path[i + 1..]).cloned().collect();
                return self.resolve(here, &whole, guess, depth + 1);
            }
            for glob in &at.globs {
                if let Some(Target::Module(from)) = self.resolve(here, glob, guess, depth + 1)
                    && let Some(found) = self.resolve(from, &path[i..], false, depth + 1)
                {
                    return Some(found);
                }
            }
            if here == 0 && absolute && self.macros.contains_key(name) {
                return Some(Target::File(self.macros[name]));
            }
            let inside = absolute || here != module;
            return (guess && inside).then_some(Target::File(at.file));
        }
        Some(Target::Module(here))
    }
}

/// Reads the tokens of one file into its modules.
struct Reader<'a, 'b> {
    own: &'a mut Crate<'b>,
    tokens: &'a [Token],
    /// Where the file stands: a `#[path]` begins here.
    folder: &'a str,
}

impl Reader<'_, '_> {
    fn text(&self, i: usize) -> &str {
        self.tokens.get(i).map_or("", |token| &token.text)
    }

    /// Reads a module from token `i` to its end, and gives the place after it.
    fn module(&mut self, module: usize, mut i: usize, below: &str) -> usize {
        let mut depth = 0;
        let mut place = None;
        while i < self.tokens.len() {
            match self.text(i) {
                "#" => {
                    let (attribute, after) = self.attribute(i);
                    if only_for_tests(&attribute) {
                        i = self.after_item(after);
                        place = None;
                        continue;
                    }
                    if let [path, equals, text] = attribute.as_slice()
                        && (path.as_str(), equals.as_str()) == ("path", "=")
                    {
                        place = Some(format!("{}/{}", self.folder, text.trim_start_matches('"')));
                    }
                    // What an attribute says is code too: `derive(crate::Name)`.
                    i += 1;
                    continue;
                }
                "{" => depth += 1,
                "}" if depth == 0 => return i + 1,
                "}" => depth -= 1,
                "mod" if self.text(i + 2) == ";" => {
                    let name = self.text(i + 1).to_owned();
                    let places = [format!("{below}/{name}.rs"), format!("{below}/{name}/mod.rs")];
                    let places = place.take().map_or(places.to_vec(), |place| vec![place]);
                    let child = places.iter().find_map(|path| self.own.read(path, Some(module)));
                    if let Some(child) = child {
                        self.own.modules[module].children.insert(name, child);
                    }
                    i += 3;
                    continue;
                }
                "mod" if self.text(i + 2) == "{" => {
                    let name = self.text(i + 1).to_owned();
                    let file = self.own.modules[module].file;
                    let child = self.own.add(file, Some(module));
                    self.own.modules[module].children.insert(name.clone(), child);
                    i = self.module(child, i + 3, &format!("{below}/{name}"));
                    continue;
                }
                "use" => {
                    let passes_on = self.is_public(i);
                    i = self.tree(module, i + 1, &[], passes_on);
                    continue;
                }
                "macro_rules" => {
                    let name = self.text(i + 2).to_owned();
                    let file = self.own.modules[module].file;
                    self.own.macros.insert(name.clone(), file);
                    self.own.modules[module].items.insert(name);
                    i += 3;
                    continue;
                }
                "fn" | "struct" | "enum" | "union" | "trait" | "type" | "const" | "static"
                    if depth == 0
                        && !(i > 0 && self.text(i - 1) == "*")
                        && self.tokens.get(i + 1).is_some_and(Token::is_word) =>
                {
                    let name = self.text(i + 1).to_owned();
                    self.own.modules[module].items.insert(name);
                    // `const fn name`: the next turn takes the name.
                    i += if self.text(i + 1) == "fn" { 1 } else { 2 };
                    continue;
                }
                _ if self.tokens[i].is_word() => {
                    i = self.path(module, i);
                    continue;
                }
                _ => {}
            }
            i += 1;
        }
        i
    }

    /// A path in code, and the place after it.
    fn path(&mut self, module: usize, mut i: usize) -> usize {
        let line = self.tokens[i].line;
        let inside = i > 0 && matches!(self.text(i - 1), "." | "::");
        let mut path = vec![self.text(i).to_owned()];
        i += 1;
        while self.text(i) == "::" && self.tokens.get(i + 1).is_some_and(Token::is_word) {
            path.push(self.text(i + 1).to_owned());
            i += 2;
        }
        if !inside {
            let module = &mut self.own.modules[module];
            module.words.entry(path[0].clone()).or_insert(line);
            if path.len() > 1 {
                module.paths.push((line, path));
            }
        }
        i
    }

    /// One tree of a `use`, and the place after it.
    fn tree(&mut self, module: usize, mut i: usize, before: &[String], passes_on: bool) -> usize {
        let mut path = before.to_vec();
        loop {
            let line = self.tokens.get(i).map_or(0, |token| token.line);
            match self.text(i) {
                "::" => i += 1,
                "*" => {
                    self.own.modules[module].globs.push(path);
                    return i + 1;
                }
                "{" => {
                    i += 1;
                    while !matches!(self.text(i), "}" | "") {
                        i = self.tree(module, i, &path, passes_on);
                        i += usize::from(self.text(i) == ",");
                    }
                    return i + 1;
                }
                _ if self.tokens.get(i).is_some_and(Token::is_word) => {
                    // `a::{self}` is `a`.
                    if self.text(i) != "self" || path.is_empty() {
                        path.push(self.text(i).to_owned());
                    }
                    i += 1;
                    if self.text(i) == "::" {
                        continue;
                    }
                    let mut name = path.last().cloned().unwrap_or_default();
                    if self.text(i) == "as" {
                        name = self.text(i + 1).to_owned();
                        i += 2;
                    }
                    let module = &mut self.own.modules[module];
                    if passes_on && name != "_" {
                        module.passed_on.push((line, name.clone()));
                    } else {
                        module.paths.push((line, path.clone()));
                    }
                    module.names.insert(name, path);
                    return i;
                }
                _ => return i + 1,
            }
        }
    }

    /// Whether `pub` or `pub(...)` stands before token `i`.
    fn is_public(&self, i: usize) -> bool {
        let mut before = i.wrapping_sub(1);
        if self.text(before) == ")" {
            while before > 0 && self.text(before) != "(" {
                before -= 1;
            }
            before = before.wrapping_sub(1);
        }
        self.text(before) == "pub"
    }

    /// The tokens of the attribute whose `#` is token `i`, and the place after it.
    fn attribute(&self, i: usize) -> (Words, usize) {
        let start = i + 1 + usize::from(self.text(i + 1) == "!");
        if self.text(start) != "[" {
            return (Vec::new(), i + 1);
        }
        let (mut depth, mut end) = (0, start);
        while end < self.tokens.len() {
            match self.text(end) {
                "[" => depth += 1,
                "]" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            end += 1;
        }
        let inside = self.tokens.get(start + 1..end).unwrap_or_default();
        (inside.iter().map(|token| token.text.clone()).collect(), end + 1)
    }

    /// The place after the item that begins at token `i`, or after its other attributes.
    fn after_item(&self, mut i: usize) -> usize {
        while self.text(i) == "#" {
            i = self.attribute(i).1;
        }
        let mut depth = 0;
        let mut import = false;
        while i < self.tokens.len() {
            match self.text(i) {
                "use" if depth == 0 => import = true,
                "(" | "[" | "{" => depth += 1,
                // The end of what the item stands in.
                ")" | "]" | "}" if depth == 0 => return i,
                ")" | "]" => depth -= 1,
                "}" => {
                    depth -= 1;
                    if depth == 0 && !import {
                        return i + 1;
                    }
                }
                ";" if depth == 0 => return i + 1,
                _ => {}
            }
            i += 1;
        }
        i
    }
}

/// Whether an attribute keeps what follows out of the product: `cfg(test)`, `cfg(all(test, ..))`.
fn only_for_tests(attribute: &[String]) -> bool {
    let has = |word: &str| attribute.iter().any(|token| token == word);
    attribute.first().is_some_and(|first| first == "cfg")
        && has("test")
        && !has("not")
        && !has("any")
}

#[cfg(test)]
#[path = "circles_tests.rs"]
mod tests;
