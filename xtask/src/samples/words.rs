//! Tables and texts.

use super::file::File;
use super::random::Random;
use anyhow::Result;

/// A file of lines.
fn file(name: &str, lines: impl IntoIterator<Item = String>) -> Result<Vec<File>> {
    let text: String = lines.into_iter().map(|line| line + "\n").collect();
    Ok(vec![(name.to_owned(), text.into_bytes())])
}

const CUSTOMERS: &str = "age,city,visits,spent,newsletter";

/// A row of [`CUSTOMERS`] and what kind of customer it is; some cells are missing.
fn customer(random: &mut Random) -> (String, &'static str) {
    let (kind, visits, spent, news) = *random.pick(&[
        ("regular", (8.0, 20.0), (80.0, 300.0), 0.7),
        ("occasional", (2.0, 8.0), (20.0, 140.0), 0.4),
        ("lost", (0.0, 3.0), (0.0, 60.0), 0.1),
    ]);
    let age = 18 + random.below(60);
    let age = if random.below(20) == 0 { String::new() } else { age.to_string() };
    let city = random.pick(&["Bern", "Lyon", "Oslo", "Porto"]);
    let visits = random.between(visits.0, visits.1).round();
    let spent = random.between(spent.0, spent.1);
    let news = if random.between(0.0, 1.0) < news { "yes" } else { "no" };
    (format!("{age},{city},{visits},{spent:.2},{news}"), kind)
}

/// 300 customers of three kinds.
pub fn customers(name: &str) -> Result<Vec<File>> {
    let mut random = Random(20);
    let rows = (0..300).map(|_| {
        let (row, kind) = customer(&mut random);
        format!("{row},{kind}")
    });
    file(name, [format!("{CUSTOMERS},kind")].into_iter().chain(rows))
}

/// Customers whose kind is not known.
pub fn new(name: &str) -> Result<Vec<File>> {
    let mut random = Random(21);
    let rows = (0..6).map(|_| customer(&mut random).0);
    file(name, [CUSTOMERS.to_owned()].into_iter().chain(rows))
}

/// 200 houses and what they cost.
pub fn prices(name: &str) -> Result<Vec<File>> {
    let mut random = Random(22);
    let rows = (0..200).map(|_| {
        let (area, year) = (random.between(40.0, 240.0).round(), 1900 + random.below(120));
        let (district, factor) = random.pick(&[("centre", 5.2), ("river", 4.1), ("hill", 3.4)]);
        let age = (2020 - year) as f32;
        let price = area * factor - 0.4 * age + random.between(-25.0, 25.0);
        format!("{area},{year},{district},{:.1}", price.max(50.0))
    });
    file(name, ["area,year,district,price".to_owned()].into_iter().chain(rows))
}

const GOOD: [&str; 6] = ["wonderful", "charming", "excellent", "gripping", "delightful", "superb"];
const BAD: [&str; 6] = ["dull", "awful", "tedious", "clumsy", "pointless", "terrible"];

/// 200 short reviews, the text first.
pub fn reviews(name: &str) -> Result<Vec<File>> {
    let mut random = Random(23);
    let rows = (0..200).map(|i| {
        let (words, label) = if i % 2 == 0 { (GOOD, "good") } else { (BAD, "bad") };
        let subject = random.pick(&["film", "plot", "music", "acting", "ending", "first half"]);
        let second = random.pick(&["cast", "camera", "story", "humour", "dialogue"]);
        let (word, other) = (random.pick(&words), random.pick(&words));
        let very = random.pick(&["quite ", "really ", "", "simply "]);
        format!("\"the {subject} is {very}{word}, and the {second} is {other}\",{label}")
    });
    file(name, ["text,label".to_owned()].into_iter().chain(rows))
}

/// One review.
pub fn review(name: &str) -> Result<Vec<File>> {
    file(name, ["the music is wonderful, and the story is gripping".to_owned()])
}

/// 400 sentences in English and in German, a tab between them.
pub fn pairs(name: &str) -> Result<Vec<File>> {
    // Who, whether many, and both verbs' forms follow from it.
    const WHO: [(&str, &str, bool); 6] = [
        ("the dog", "der Hund", false),
        ("a child", "ein Kind", false),
        ("the woman", "die Frau", false),
        ("two men", "zwei Männer", true),
        ("the girls", "die Mädchen", true),
        ("my friends", "meine Freunde", true),
    ];
    const DOES: [(&str, [&str; 2]); 6] = [
        ("sleep", ["schläft", "schlafen"]),
        ("sing", ["singt", "singen"]),
        ("run", ["läuft", "laufen"]),
        ("play", ["spielt", "spielen"]),
        ("wait", ["wartet", "warten"]),
        ("eat", ["isst", "essen"]),
    ];
    const WHERE: [(&str, &str); 12] = [
        ("in the garden", "im Garten"),
        ("on the beach", "am Strand"),
        ("at home", "zu Hause"),
        ("in the city", "in der Stadt"),
        ("under a tree", "unter einem Baum"),
        ("in the snow", "im Schnee"),
        ("behind the house", "hinter dem Haus"),
        ("at the station", "am Bahnhof"),
        ("in the kitchen", "in der Küche"),
        ("beside the river", "neben dem Fluss"),
        ("on the street", "auf der Straße"),
        ("in the forest", "im Wald"),
    ];
    let mut lines = Vec::new();
    for (who, wer, many) in WHO {
        for (verb, forms) in DOES {
            for (place, ort) in WHERE {
                let ending = if many { "" } else { "s" };
                let tut = forms[usize::from(many)];
                lines.push(format!("{who} {verb}{ending} {place} .\t{wer} {tut} {ort} ."));
            }
        }
    }
    let mut random = Random(24);
    for i in (1..lines.len()).rev() {
        lines.swap(i, random.below(i + 1));
    }
    lines.truncate(400);
    file(name, lines)
}

/// A text of 600 short sentences.
pub fn book(name: &str) -> Result<Vec<File>> {
    const WHO: [[&str; 2]; 6] = [
        ["king", "his"],
        ["queen", "her"],
        ["man", "his"],
        ["woman", "her"],
        ["prince", "his"],
        ["princess", "her"],
    ];
    let mut random = Random(25);
    let lines = (0..600).map(|_| {
        let [who, whose] = random.pick(&WHO);
        let royal = ["king", "queen", "prince", "princess"].contains(who);
        let place = random.pick(if royal { &["castle", "palace"] } else { &["village", "house"] });
        let what = random.pick(if royal { &["crown", "throne"] } else { &["bread", "garden"] });
        let when = random.pick(&["in the morning", "at noon", "every evening"]);
        match random.below(3) {
            0 => format!("{when} the {who} walks through the {place} ."),
            1 => format!("the {who} looks at {whose} {what} {when} ."),
            _ => format!("{when} the {who} of the {place} speaks of {whose} {what} ."),
        }
    });
    file(name, lines)
}
