//! `--set KEY=VALUE`: changing fields of a Config that can be serialised.

use crate::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Changes fields of a Config, each by `KEY=VALUE`. A value is JSON, or a word. The fields in
/// `fixed` are not for a person to choose.
///
/// # Errors
/// Not KEY=VALUE, a key that the Config lacks, or a value it cannot take.
pub fn set<C: Serialize + DeserializeOwned>(
    config: &C,
    fixed: &[&str],
    changes: &[String],
) -> Result<C> {
    let wrong = |why: String| Error::argument("--set", why);
    let mut value = serde_json::to_value(config).map_err(|why| wrong(why.to_string()))?;
    for change in changes {
        let (key, text) = change
            .split_once('=')
            .ok_or_else(|| wrong(format!("`{change}`: expected KEY=VALUE")))?;
        let fields = value.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>());
        let known: Vec<String> =
            fields.unwrap_or_default().into_iter().filter(|k| !fixed.contains(&&**k)).collect();
        if !known.iter().any(|name| name == key) {
            let names = match known.is_empty() {
                true => "this model has no choices".to_string(),
                false => format!("this model has {}", known.join(", ")),
            };
            return Err(wrong(format!("no choice `{key}`: {names}")));
        }
        value[key] = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.into()));
        // Checked one by one, so that the message names the change that does not fit.
        serde_json::from_value::<C>(value.clone())
            .map_err(|why| wrong(format!("`{change}`: {why}")))?;
    }
    serde_json::from_value(value).map_err(|why| wrong(why.to_string()))
}
