//! What clap says of a wrong command line, without its riddles: ranges as a programming language
//! writes them, and advice to give a flag that does not exist as a value.

use clap::error::{ContextKind, ErrorKind};

/// The message of a refused command line, or the help that was asked for.
pub fn worded(mut refused: clap::Error) -> String {
    if refused.kind() == ErrorKind::UnknownArgument {
        // The only advice of this kind is `to pass '--dropuot' as a value, use '-- --dropuot'`.
        refused.remove(ContextKind::Suggested);
    }
    let text = refused.render().to_string();
    match refused.kind() {
        ErrorKind::ValueValidation => text.lines().map(|line| ranged(line) + "\n").collect(),
        _ => text,
    }
}

/// `-1 is not in 1..=65536` as `expected a whole number from 1 to 65536`, and the same for what
/// is no whole number.
fn ranged(line: &str) -> String {
    let unreadable = ["invalid digit found in string", "cannot parse integer from empty string"];
    if let Some(start) = unreadable.iter().find_map(|end| line.strip_suffix(end)) {
        return format!("{start}expected a whole number that is not negative");
    }
    let range = line.rsplit_once(" is not in ").and_then(|(start, range)| {
        let (low, high) = range.split_once("..")?;
        let high = high.trim_start_matches('=').parse::<u64>().ok();
        // What the type takes is no limit that means something.
        let limit = high.filter(|&high| high < u64::from(u32::MAX));
        let (start, _) = start.rsplit_once(": ")?;
        let limit = limit.map_or(" up".to_owned(), |high| format!(" to {high}"));
        Some(format!("{start}: expected a whole number from {low}{limit}"))
    });
    range.unwrap_or_else(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, Command, value_parser};

    fn refused(line: &[&str]) -> String {
        let number = |name| Arg::new(name).long(name).allow_negative_numbers(true);
        let command = Command::new("x")
            .arg(number("epochs").value_parser(value_parser!(u32).range(1..)))
            .arg(number("size").value_parser(value_parser!(u32).range(8..=1024)))
            .arg(number("seed").value_parser(value_parser!(u64)));
        let line = ["x"].iter().chain(line);
        worded(command.try_get_matches_from(line).unwrap_err())
    }

    #[test]
    fn numbers_are_asked_for_in_words() {
        for (line, expected) in [
            (
                ["--epochs", "-1"],
                "'-1' for '--epochs <epochs>': expected a whole number from 1 up\n",
            ),
            (["--epochs", "two"], "expected a whole number that is not negative\n"),
            (["--size", "4"], "'4' for '--size <size>': expected a whole number from 8 to 1024\n"),
            (["--seed", "-1"], "'-1' for '--seed <seed>': expected a whole number that is not"),
        ] {
            let text = refused(&line);
            assert!(text.starts_with("error: ") && text.contains(expected), "{line:?}: {text}");
        }
    }

    #[test]
    fn an_unknown_flag_is_not_advised_to_be_a_value() {
        let text = refused(&["--dropuot", "3"]);
        assert!(text.contains("'--dropuot'") && !text.contains("as a value"), "{text}");
        assert!(refused(&["--epoch", "3"]).contains("'--epochs'"));
    }
}
