//! A resumed training goes on as it was started: flags that say otherwise are refused rather
//! than ignored.

use crate::data::locate::kept_name;
use crate::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Refuses what the flags ask for where it differs from what the run was started with; fields
/// in `settled` are nobody's wish.
///
/// # Errors
/// The first field that differs, with both values.
pub(super) fn refuse_changes<C: Serialize>(stored: &C, asked: &C, settled: &[&str]) -> Result<()> {
    let value = |config| serde_json::to_value(config).map_err(|e| Error::argument("--resume", e));
    let Some(field) = difference(&value(stored)?, &value(asked)?, "", settled) else {
        return Ok(());
    };
    let why = format!(
        "continues a run exactly as it was started, and {field}: give the flags that it was \
         started with, or none"
    );
    Err(Error::argument("--resume", why))
}

/// The first field in which two configurations differ, in words.
fn difference(stored: &Value, asked: &Value, at: &str, settled: &[&str]) -> Option<String> {
    match (stored, asked) {
        _ if stored == asked || settled.contains(&at) => None,
        // Runs from before paths were kept in full.
        (Value::String(stored), Value::String(asked)) if kept_name(stored) == *asked => None,
        (Value::Object(stored), Value::Object(asked)) => {
            let of = |map: &Map<String, Value>, key| map.get(key).cloned().unwrap_or_default();
            let keys: BTreeSet<&String> = stored.keys().chain(asked.keys()).collect();
            keys.into_iter().find_map(|key| {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                difference(&of(stored, key), &of(asked, key), &at, settled)
            })
        }
        _ => {
            let short = |value: &Value| {
                let text = value.to_string();
                if text.len() > 40 { "another".to_string() } else { text }
            };
            Some(format!("{at} is {} there and {} here", short(stored), short(asked)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_field_that_differs_is_named_and_what_was_settled_is_not() {
        let stored = json!({"lr": 0.1, "data": {"name": "a", "limit": 5}, "temperature": 1.3});
        let mut asked = json!({"lr": 0.1, "data": {"name": "a", "limit": 5}});
        assert!(refuse_changes(&stored, &asked, &["temperature"]).is_ok());
        asked["data"]["limit"] = Value::Null;
        let why = refuse_changes(&stored, &asked, &["temperature"]).unwrap_err().to_string();
        assert!(why.contains("data.limit is 5 there and null here"), "{why}");
    }
}
