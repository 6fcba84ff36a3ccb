//! Names of files from what people typed: none leads elsewhere, and no two are the same.

use std::collections::HashSet;

/// The most bytes of a name, with what may be put behind it; file systems take 255.
const LONGEST: usize = 200;

/// A name of a file or folder for each of some different texts, in their order. A text that is
/// a good name keeps it; the others give way.
pub fn apart<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let texts: Vec<&str> = texts.collect();
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|&place| safe(texts[place]) != texts[place]);
    // Some systems take `A` and `a` for the same name.
    let mut taken = HashSet::new();
    let mut names = vec![String::new(); texts.len()];
    for place in order {
        let name = safe(texts[place]);
        let (stem, ending) = match name.rsplit_once('.') {
            Some((stem, ending)) if ending.len() <= 5 => (stem, format!(".{ending}")),
            _ => (&name[..], String::new()),
        };
        let numbered = (2..).map(|number| format!("{stem}~{number}{ending}"));
        let mut offers = std::iter::once(name.clone()).chain(numbered);
        let free = offers.find(|offer| taken.insert(offer.to_lowercase()));
        names[place] = free.unwrap_or_default();
    }
    names
}

/// One name below a folder, much like the text; a name's ending is kept.
fn safe(text: &str) -> String {
    let apart = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    let plain: String = text.chars().map(|c| if apart(c) { '_' } else { c }).collect();
    // `.` and `..` are other folders, and names that begin so are hidden.
    let plain = match plain.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => plain,
    };
    if plain.len() <= LONGEST {
        return plain;
    }
    let ending = plain.rsplit_once('.').filter(|(_, ending)| ending.len() <= 5);
    let ending = ending.map_or(String::new(), |(_, ending)| format!(".{ending}"));
    let mut end = LONGEST - ending.len();
    while !plain.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{ending}", &plain[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_elsewhere_and_no_two_are_the_same() {
        let long = [
            "😀".repeat(100),
            format!("{}!", "😀".repeat(100)),
            format!("{}.png", "y".repeat(300)),
        ];
        let texts = ["a/b", "a_b", "A_b", "../../evil", "..", ".", "cat", "a/1.png", "a_1.png"];
        let names = apart(texts.iter().copied().chain(long.iter().map(String::as_str)));
        let expected = ["a_b~3", "a_b", "A_b~2", "_._.._evil", "_.", "_", "cat", "a_1~2.png"];
        assert_eq!(names[..8], expected);
        assert_eq!(names[8], "a_1.png");
        let apart: HashSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
        assert_eq!(apart.len(), names.len());
        assert!(names.iter().all(|name| !name.is_empty() && name.len() < 255), "{names:?}");
        assert!(names[11].ends_with("y.png"));
    }
}
