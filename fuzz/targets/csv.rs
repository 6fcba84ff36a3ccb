//! Tables: read to learn from, and read again by what was learnt of their columns.
#![no_main]

use tenfold_core::data::csv::{Names, Table, TableOptions};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let options = TableOptions::default();
    let read = Table::parse("input.csv", bytes, Names::Detect, None, None, &options);
    if let Ok(table) = read {
        let _ = Table::parse_rows("input.csv", bytes, &table.schema);
    }
});
