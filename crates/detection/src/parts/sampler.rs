//! Which anchors a batch learns from, where nearly all of them are background.

use super::matcher::Match;
use tenfold_core::data::random::SplitMix64;

/// So many of each image, of which a part should be objects (Faster R-CNN).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Balanced {
    /// Anchors in all.
    pub count: usize,
    /// The part of them that are objects, where there are as many.
    pub objects: f32,
}

impl Balanced {
    /// Places of objects and places of background, each drawn without repetition, in order.
    pub fn draw(&self, matches: &[Match], random: &mut SplitMix64) -> (Vec<usize>, Vec<usize>) {
        let of = |wanted: fn(&Match) -> bool| -> Vec<usize> {
            (0..matches.len()).filter(|&place| wanted(&matches[place])).collect()
        };
        let mut take = |mut places: Vec<usize>, most: usize| {
            random.shuffle(&mut places);
            places.truncate(most);
            places.sort_unstable();
            places
        };
        let most = (self.count as f32 * self.objects) as usize;
        let objects = take(of(|one| matches!(one, Match::Object(_))), most);
        let rest = self.count - objects.len();
        (objects, take(of(|one| *one == Match::Background), rest))
    }
}

/// SSD's hard negatives: of the background the `ratio` times as many as there are objects whose
/// loss is highest, in order.
pub fn hardest(matches: &[Match], losses: &[f32], ratio: usize) -> Vec<usize> {
    let objects = matches.iter().filter(|one| matches!(one, Match::Object(_))).count();
    let mut background: Vec<usize> =
        (0..matches.len()).filter(|&place| matches[place] == Match::Background).collect();
    background.sort_by(|&a, &b| losses[b].total_cmp(&losses[a]));
    background.truncate(objects * ratio);
    background.sort_unstable();
    background
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_kept_and_nothing_is_drawn_twice() {
        let mut matches = vec![Match::Background; 100];
        matches[3] = Match::Object(0);
        matches[50] = Match::Object(1);
        matches[60] = Match::Ignored;
        let balanced = Balanced { count: 20, objects: 0.5 };
        let (objects, background) = balanced.draw(&matches, &mut SplitMix64::new(1));
        assert_eq!((objects, background.len()), (vec![3, 50], 18));
        assert!(background.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(!background.contains(&60));
        let all = [Match::Object(0); 40];
        let (objects, background) = balanced.draw(&all, &mut SplitMix64::new(1));
        assert_eq!((objects.len(), background.len()), (10, 0));
    }

    #[test]
    fn the_hardest_negatives() {
        let matches = [
            Match::Background,
            Match::Object(0),
            Match::Background,
            Match::Background,
            Match::Ignored,
        ];
        assert_eq!(hardest(&matches, &[0.5, 9.0, 0.1, 0.7, 9.0], 2), [0, 3]);
        assert!(hardest(&[Match::Background], &[1.0], 3).is_empty());
    }
}
