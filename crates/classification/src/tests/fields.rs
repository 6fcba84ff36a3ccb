//! The fields of every model's Config.

use crate::models::{FROM_DATA, ModelConfig};
use crate::zoo::{Zoo, with_config};
use std::collections::BTreeSet;
use tenfold_core::zoo::Zoo as _;

#[test]
fn every_field_that_can_be_set_has_a_meaning() {
    for (model, _) in Zoo::ALL {
        with_config!(*model, Config, new => {
            let config = serde_json::to_value(new([1, 28, 28], 4)).unwrap();
            let fields = config.as_object().unwrap().keys().map(String::as_str);
            let fields: BTreeSet<&str> = fields.filter(|name| !FROM_DATA.contains(name)).collect();
            let told: BTreeSet<&str> = Config::FIELDS.iter().map(|(name, _)| *name).collect();
            assert_eq!(fields, told, "{}", model.name());
            assert_eq!(told.len(), Config::FIELDS.len(), "{}: a field twice", model.name());
            for (name, meaning) in Config::FIELDS {
                assert!(meaning.len() > 10 && !meaning.ends_with('.'), "{name}: {meaning}");
            }
        });
    }
}
