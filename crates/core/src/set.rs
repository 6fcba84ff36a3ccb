//! `--set KEY=VALUE`: fields of a model's Config, by name.

use crate::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A choice that `--set` takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it does.
    pub meaning: &'static str,
    /// What it is when nothing is set.
    pub default: Value,
}

/// A value as `--set` takes it: a word without quotation marks, a number that was one of 32 bits
/// with their digits, 0.99 and not 0.9900000095367432.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(word) => word.clone(),
        Value::Number(number) if number.is_f64() => match number.as_f64() {
            Some(wide) if f64::from(wide as f32) == wide => format!("{:?}", wide as f32),
            _ => number.to_string(),
        },
        _ => value.to_string(),
    }
}

/// The words that a field takes, where it takes one of a few: serde lists them where it meets
/// another.
fn words<C: DeserializeOwned>(config: &Value, name: &str) -> Vec<String> {
    let mut other = config.clone();
    other[name] = Value::String(String::new());
    let why = match serde_json::from_value::<C>(other) {
        Err(why) if config[name].is_string() => why.to_string(),
        _ => return Vec::new(),
    };
    let listed = why.strip_prefix("unknown variant ``, expected ").unwrap_or_default();
    listed.split('`').skip(1).step_by(2).map(String::from).collect()
}

/// Changes fields of a model's Config as `--set KEY=VALUE` says. A value is JSON, or a word.
/// `fixed` are the fields that the data decides.
///
/// # Errors
/// Not KEY=VALUE, a key that the Config lacks, or a value of another type.
pub fn set_fields<C: Serialize + DeserializeOwned>(
    config: &C,
    changes: &[String],
    fixed: &[&str],
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
            let valued = |name: &String| {
                let all = words::<C>(&value, name);
                let own = shown(&value[name]);
                let others = all.iter().filter(|word| **word != own);
                let words: Vec<&str> = std::iter::once(&own).chain(others).map(|w| &**w).collect();
                format!("{name} ({})", words.join(" | "))
            };
            let names = match known.is_empty() {
                true => "this model has no settings".to_string(),
                false => {
                    let all: Vec<String> = known.iter().map(valued).collect();
                    format!("this model has {}", all.join(", "))
                }
            };
            let meant = crate::zoo::closest(key, known.iter().map(String::as_str));
            let meant = meant.map_or_else(String::new, |name| format!("did you mean `{name}`? "));
            return Err(wrong(format!("unknown setting `{key}`: {meant}{names}")));
        }
        value[key] = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.into()));
        // Checked one by one, so that the message names the change that does not fit.
        serde_json::from_value::<C>(value.clone())
            .map_err(|why| wrong(format!("`{change}`: {why}")))?;
    }
    serde_json::from_value(value).map_err(|why| wrong(why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_a_person_types_them() {
        let narrow = serde_json::to_value(0.99_f32).unwrap();
        let all = [narrow, 0.1.into(), 3.into(), "small".into(), serde_json::json!([1, 2])];
        assert_eq!(all.each_ref().map(shown), ["0.99", "0.1", "3", "small", "[1,2]"]);
    }
}
