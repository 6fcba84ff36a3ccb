//! Numbers as people write them.

use serde::{Deserialize, Serialize};

/// What stands between a number's whole part and its fraction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Decimal {
    /// `1,234.5`
    #[default]
    #[cfg_attr(feature = "cli", value(alias = "."))]
    Point,
    /// `1.234,5`
    #[cfg_attr(feature = "cli", value(alias = ","))]
    Comma,
}

/// The number in a cell: with thousands set apart, a typographic minus, and a percent sign
/// where the column has it.
pub(super) fn number(cell: &str, decimal: Decimal, percent: bool) -> Option<f64> {
    let cell = match cell.strip_suffix('%') {
        Some(rest) if percent => rest.trim_end(),
        Some(_) => return None,
        None => cell,
    };
    if decimal == Decimal::Point
        && let Ok(number) = cell.parse()
    {
        return Some(number);
    }
    let (sign, digits) = match cell.strip_prefix(['-', '\u{2212}']) {
        Some(rest) => ("-", rest),
        None => ("", cell.strip_prefix('+').unwrap_or(cell)),
    };
    let (digits, exponent) = match digits.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (own, other) = match decimal {
        Decimal::Point => ('.', ','),
        Decimal::Comma => (',', '.'),
    };
    let (whole, fraction) = digits.split_once(own).unwrap_or((digits, ""));
    let whole = without_groups(whole, other)?;
    if whole.is_empty() && fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    format!("{sign}{whole}.{fraction}0e{exponent}").parse().ok()
}

/// The digits of a whole number whose thousands may be set apart by `mark`, an apostrophe or a
/// blank; India's `1,00,000` too.
fn without_groups(whole: &str, mark: char) -> Option<String> {
    let marks = [mark, ' ', '\u{A0}', '\u{202F}', '\u{2009}', '\'', '\u{2019}'];
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let Some(mark) = whole.chars().find(|c| marks.contains(c)) else {
        return all_digits(whole).then(|| whole.to_owned());
    };
    let parts: Vec<&str> = whole.split(mark).collect();
    let (first, last, between) = (parts[0], parts[parts.len() - 1], &parts[1..parts.len() - 1]);
    let grouped = (1..=3).contains(&first.len())
        && !first.starts_with('0')
        && last.len() == 3
        && between.iter().all(|part| part.len() == 3 || part.len() == 2)
        && parts.iter().all(|part| all_digits(part));
    grouped.then(|| parts.concat())
}

/// How most of the cells that are numbers are written; `usual` where both ways read as many.
pub(super) fn decimal<'a>(cells: impl Iterator<Item = &'a str>, usual: Decimal) -> Decimal {
    let (mut points, mut commas) = (0usize, 0usize);
    for cell in cells.filter(|cell| cell.contains(['.', ','])) {
        points += usize::from(number(cell, Decimal::Point, true).is_some());
        commas += usize::from(number(cell, Decimal::Comma, true).is_some());
    }
    match points.cmp(&commas) {
        std::cmp::Ordering::Greater => Decimal::Point,
        std::cmp::Ordering::Less => Decimal::Comma,
        std::cmp::Ordering::Equal => usual,
    }
}

/// Whether a cell of words says that its value is not known.
pub(super) fn is_missing(cell: &str) -> bool {
    ["", "na", "n/a", "#n/a", "nan", "null", "?"].iter().any(|no| cell.eq_ignore_ascii_case(no))
}

/// The same of a cell among numbers, where more can be no value.
pub(super) fn is_missing_number(cell: &str) -> bool {
    is_missing(cell) || ["none", "-", "--", "."].iter().any(|no| cell.eq_ignore_ascii_case(no))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        let point = |cell: &str| number(cell, Decimal::Point, false);
        let comma = |cell: &str| number(cell, Decimal::Comma, false);
        assert_eq!(point("1,100"), Some(1100.0));
        assert_eq!(point("\u{2212}2.5"), Some(-2.5));
        assert_eq!(point("1 234 567.5"), Some(1_234_567.5));
        assert_eq!(point("1\u{202F}234"), Some(1234.0));
        assert_eq!(point("-1'234"), Some(-1234.0));
        assert_eq!(point("1,00,000"), Some(100_000.0));
        assert_eq!(point("-3e2"), Some(-300.0));
        assert_eq!(comma("3,5"), Some(3.5));
        assert_eq!(comma("1.234,5"), Some(1234.5));
        assert_eq!(comma("-0,5e1"), Some(-5.0));
        assert_eq!(comma("7"), Some(7.0));
        for no in ["5,5", "1,1000", "0,123", "1,2.5", "1.2.3", "", "-", "x", "12 05 2021", "5%"] {
            assert_eq!(point(no), None, "{no}");
        }
        for no in ["3.5", "2021-05-01", "e5", ","] {
            assert_eq!(comma(no), None, "{no}");
        }
        assert_eq!(number("5.5%", Decimal::Point, true), Some(5.5));
        assert_eq!(number("5,5 %", Decimal::Comma, true), Some(5.5));
    }

    #[test]
    fn the_decimal_sign_is_the_one_that_reads_more() {
        let of = |cells: &[&str], usual| decimal(cells.iter().copied(), usual);
        assert_eq!(of(&["3,5", "x", "1,250"], Decimal::Point), Decimal::Comma);
        assert_eq!(of(&["3.5", "1,250"], Decimal::Comma), Decimal::Point);
        assert_eq!(of(&["1,250"], Decimal::Comma), Decimal::Comma);
        assert_eq!(of(&["1,250"], Decimal::Point), Decimal::Point);
    }
}
