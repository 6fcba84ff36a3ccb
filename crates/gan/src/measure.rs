//! How good samples are: distances of features, precision and recall, what a classifier reads.

use crate::frechet::{Features, inside};
use crate::judge::Judge;
use image::DynamicImage;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use tenfold_core::Result;

/// Images by which precision and recall are measured, at most: their time grows with the square.
const MOST: usize = 2000;
/// A classifier is sure of an image from this probability on.
const SURE: f32 = 0.9;

/// The figures of samples against real images: the Fréchet distance by the judge's own name,
/// generative precision and recall, and diversity, the spread of the samples' features over that
/// of real ones.
pub fn compare(judge: &Judge, real: &Features, made: &Features) -> Map<String, Value> {
    let (of_real, of_made) = (real.moments(), made.moments());
    let (few_real, few_made) = (real.first(MOST), made.first(MOST));
    // One image has no spread.
    let spread = of_real.spread();
    let diversity = (real.count() > 1 && spread > 0.0).then(|| of_made.spread() / spread);
    Map::from_iter([
        (judge.figure.into(), json!(of_real.distance(&of_made))),
        ("precision".into(), json!(inside(&few_made, &few_real))),
        ("recall".into(), json!(inside(&few_real, &few_made))),
        ("diversity".into(), json!(diversity)),
        ("count".into(), json!(real.count())),
    ])
}

/// What the judge reads in samples, where it knows the classes of the data: of what part it is
/// sure, and how many classes these are.
///
/// # Errors
/// As [`Judge::read`].
pub fn read(judge: &Judge, made: &[DynamicImage]) -> Result<(Map<String, Value>, Vec<String>)> {
    let read = judge.read(made)?;
    let sure: Vec<&String> =
        read.iter().filter(|(_, score)| *score > SURE).map(|(label, _)| label).collect();
    let covered: BTreeSet<&String> = sure.iter().copied().collect();
    let share = sure.len() as f64 / made.len().max(1) as f64;
    let figures = Map::from_iter([
        ("sure".into(), json!(share)),
        ("classes_covered".into(), json!(covered.len())),
        ("classes".into(), json!(judge.classes().len())),
    ]);
    Ok((figures, read.into_iter().map(|(label, _)| label).collect()))
}

/// How often two lists agree where each category of the first stands for a class of its own of
/// the second: the best matching.
pub fn matching(categories: &[usize], labels: &[usize], count: usize) -> f64 {
    let mut table = vec![vec![0usize; count]; count];
    for (&category, &label) in categories.iter().zip(labels) {
        if category < count && label < count {
            table[category][label] += 1;
        }
    }
    let most = table.iter().flatten().max().copied().unwrap_or(0) as i64;
    let costs: Vec<Vec<i64>> =
        table.iter().map(|row| row.iter().map(|&n| most - n as i64).collect()).collect();
    let right: usize =
        assign(&costs).into_iter().enumerate().map(|(row, column)| table[row][column]).sum();
    right as f64 / categories.len().max(1) as f64
}

/// The columns of the rows with the least cost in all (Kuhn 1955, by shortest paths).
fn assign(costs: &[Vec<i64>]) -> Vec<usize> {
    let n = costs.len();
    // Row and column 0 are those of no one.
    let (mut of_rows, mut of_columns) = (vec![0i64; n + 1], vec![0i64; n + 1]);
    let mut row_of = vec![0usize; n + 1];
    for row in 1..=n {
        row_of[0] = row;
        let (mut least, mut before) = (vec![i64::MAX; n + 1], vec![0usize; n + 1]);
        let mut seen = vec![false; n + 1];
        let mut at = 0;
        while row_of[at] != 0 {
            seen[at] = true;
            let own = row_of[at];
            let (mut step, mut next) = (i64::MAX, 0);
            for column in (1..=n).filter(|&column| !seen[column]) {
                let cost = costs[own - 1][column - 1] - of_rows[own] - of_columns[column];
                if cost < least[column] {
                    (least[column], before[column]) = (cost, at);
                }
                if least[column] < step {
                    (step, next) = (least[column], column);
                }
            }
            for column in 0..=n {
                if seen[column] {
                    of_rows[row_of[column]] += step;
                    of_columns[column] -= step;
                } else if least[column] < i64::MAX {
                    least[column] -= step;
                }
            }
            at = next;
        }
        while at != 0 {
            row_of[at] = row_of[before[at]];
            at = before[at];
        }
    }
    let mut columns = vec![0; n];
    (1..=n).for_each(|column| columns[row_of[column] - 1] = column - 1);
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_are_matched_with_classes_as_well_as_can_be() {
        let categories = [0, 0, 0, 1, 1, 2, 2, 2];
        assert_eq!(matching(&categories, &[2, 2, 2, 0, 0, 1, 1, 1], 3), 1.0);
        // Category 0 is mostly class 1, but 1 and 2 have nothing better.
        assert_eq!(matching(&categories, &[1, 1, 0, 1, 1, 2, 2, 0], 3), 5.0 / 8.0);
        let greedy = [vec![0, 1, 9], vec![1, 9, 9], vec![2, 3, 9]];
        let own: i64 = assign(&greedy).iter().enumerate().map(|(i, &j)| greedy[i][j]).sum();
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let all = orders.map(|order| (0..3).map(|i| greedy[i][order[i]]).sum::<i64>());
        assert_eq!(Some(own), all.into_iter().min());
    }
}
