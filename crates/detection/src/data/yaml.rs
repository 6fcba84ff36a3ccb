//! As much of YAML as a `data.yaml` is written in: keys, words, lists, and lists in brackets.

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A word, or nothing.
    Word(String),
    /// Words in order; of a map from numbers, in the order of the numbers.
    List(Vec<String>),
}

/// The keys at the left margin and their values. Lines that are no such YAML are passed over.
pub fn parse(text: &str) -> Vec<(String, Value)> {
    let mut all: Vec<(String, Value)> = Vec::new();
    let mut numbered: Vec<(usize, String)> = Vec::new();
    // Brackets may go on over lines.
    let mut open = String::new();
    for line in text.lines() {
        let line = without_comment(line);
        if !open.is_empty() {
            open.push(' ');
            open.push_str(line.trim());
            if line.contains(']')
                && let Some((_, value)) = all.last_mut()
            {
                *value = Value::List(items(&open));
                open.clear();
            }
            continue;
        }
        let inner = line.trim();
        if inner.is_empty() || inner == "---" {
            continue;
        }
        if let Some(item) = inner.strip_prefix("- ") {
            if let Some((_, value)) = all.last_mut() {
                match value {
                    Value::List(list) => list.push(bare(item)),
                    value => *value = Value::List(vec![bare(item)]),
                }
            }
            continue;
        }
        let Some((key, value)) = inner.split_once(':') else { continue };
        let (key, value) = (bare(key), value.trim());
        if line.starts_with([' ', '\t']) {
            // `0: person` below `names:`.
            if let (Ok(number), Some((_, last))) = (key.parse(), all.last_mut()) {
                if !matches!(last, Value::List(_)) {
                    numbered.clear();
                }
                numbered.push((number, bare(value)));
                numbered.sort();
                *last = Value::List(numbered.iter().map(|(_, name)| name.clone()).collect());
            }
            continue;
        }
        let value = match value.strip_prefix('[') {
            Some(_) if value.contains(']') => Value::List(items(value)),
            Some(_) => {
                open = value.into();
                Value::Word(String::new())
            }
            None => Value::Word(bare(value)),
        };
        all.push((key, value));
    }
    all
}

/// What stands before a `#` that is not quoted.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    for (place, character) in line.char_indices() {
        match (quote, character) {
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), own) if own == open => quote = None,
            (None, '#') => return &line[..place],
            _ => {}
        }
    }
    line
}

fn items(text: &str) -> Vec<String> {
    let inner = text.trim_start_matches('[').split(']').next().unwrap_or_default();
    inner.split(',').map(bare).filter(|item| !item.is_empty()).collect()
}

fn bare(word: &str) -> String {
    word.trim().trim_matches(['"', '\'']).to_owned()
}
