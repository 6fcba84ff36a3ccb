//! The embedded data set `houses`: a table whose last column is a number, for regression
//! without a download.
//!
//! The price of a house falls with the distance to the centre along a curve, so that a line
//! explains most of it and a network more; what neither can explain is noise.

use super::csv::Table;
use super::random::SplitMix64;

/// The name to open it by.
pub const NAME: &str = "houses";
/// How many houses.
pub const ROWS: usize = 2_000;
/// Standard deviation of the prices' noise, in thousands: no model can be better.
pub const NOISE: f32 = 12.0;

const COLUMNS: [&str; 4] = ["area", "rooms", "age", "distance"];

/// The table: area in square metres, rooms, age in years, distance in kilometres; the price
/// in thousands is the target.
pub fn table() -> Table {
    let mut random = SplitMix64::keyed(&[u64::from_be_bytes(*b"  houses")]);
    let (mut values, mut prices) = (Vec::new(), Vec::new());
    for _ in 0..ROWS {
        let area = random.between(30.0, 200.0).round();
        let rooms = (area / 30.0 + random.between(0.0, 2.0)).floor();
        let age = random.between(0.0, 90.0).round();
        let distance = random.between(0.2, 25.0);
        // Twelve uniform numbers less six: nearly normal, of deviation 1.
        let noise = (0..12).map(|_| random.unit()).sum::<f32>() - 6.0;
        let centre = 180.0 * (-distance / 5.0).exp();
        values.extend([area, rooms, age, distance].map(f64::from));
        let price = 60.0 + 2.1 * area + 9.0 * rooms - 0.7 * age + centre + NOISE * noise;
        prices.push(f64::from(price));
    }
    Table::of_numbers(&COLUMNS, values, "price", prices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_always_the_same_and_its_prices_are_plausible() {
        let (table, again) = (table(), table());
        assert_eq!(table.targets, again.targets);
        let prices = table.targets.unwrap();
        assert_eq!((prices.len(), table.columns.len()), (ROWS, 4));
        assert!(prices.iter().all(|price| (20.0..900.0).contains(price)));
    }
}
