//! Five miniature Atari games on a grid of 10x10, after MinAtar.
//!
//! Young and Tian: "MinAtar: An Atari-Inspired Testbed for Thorough and Reproducible
//! Reinforcement Learning Experiments", 2019. The observation is `[planes, 10, 10]` of bytes 0
//! and 1, the actions are six in every game, and with probability 0.1 the last action is
//! repeated in the place of the chosen one.
//!
//! Differs from MinAtar: Freeway's end after 2,500 steps counts as cut off, not as an end by
//! the rules, because nothing shows the time that is left.

pub mod asterix;
pub mod breakout;
pub mod freeway;
pub mod seaquest;
pub mod space_invaders;

use crate::env::draw::Canvas;
use crate::env::game::{Game, Outcome, Random};
use crate::env::spec::{Cells, Spec};
use image::RgbImage;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Cells along each side.
pub const SIDE: usize = 10;

/// The names of the six actions, in order.
pub const ACTIONS: [&str; 6] = ["none", "left", "up", "right", "down", "fire"];

/// What a player may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Nothing.
    None,
    /// Go left.
    Left,
    /// Go up.
    Up,
    /// Go right.
    Right,
    /// Go down.
    Down,
    /// Shoot.
    Fire,
}

const BY_NUMBER: [Action; 6] =
    [Action::None, Action::Left, Action::Up, Action::Right, Action::Down, Action::Fire];

/// The planes of an observation, zero at first. Rows count from the top.
pub struct Planes<'a>(&'a mut [u8]);

impl Planes<'_> {
    /// Sets one cell; what lies beside the grid is not seen.
    #[inline]
    pub fn set(&mut self, plane: usize, row: i8, column: i8) {
        if (0..SIDE as i8).contains(&row) && (0..SIDE as i8).contains(&column) {
            self.0[plane * SIDE * SIDE + row as usize * SIDE + column as usize] = 1;
        }
    }

    /// Sets the cells of a row whose bits are set, bit 0 being the column on the left.
    #[inline]
    pub fn set_row(&mut self, plane: usize, row: usize, bits: u16) {
        let cells = &mut self.0[plane * SIDE * SIDE + row * SIDE..][..SIDE];
        for (column, cell) in cells.iter_mut().enumerate() {
            *cell = (bits >> column & 1) as u8;
        }
    }
}

/// The rules of one of the games.
pub trait Rules: Clone + Default + Send + Serialize + DeserializeOwned + 'static {
    /// The name on the command line.
    const NAME: &'static str;
    /// What each plane shows, and its colour in images; later ones lie above.
    const PLANES: &'static [(&'static str, [u8; 3])];
    /// After how many steps an episode is cut off.
    const TIME_LIMIT: Option<u32> = None;

    /// Begins a new episode.
    fn reset(&mut self, random: &mut Random);
    /// One step.
    fn step(&mut self, action: Action, random: &mut Random) -> Outcome;
    /// Sets what can be seen.
    fn observe(&self, planes: &mut Planes<'_>);
}

/// A game with sticky actions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mini<R> {
    /// The game below.
    pub rules: R,
    /// How often the last action is repeated in place of the chosen one.
    pub sticky: f32,
    last: Action,
}

impl<R: Rules> Default for Mini<R> {
    fn default() -> Self {
        Self { rules: R::default(), sticky: 0.1, last: Action::None }
    }
}

impl<R: Rules> Game for Mini<R> {
    type Cell = u8;

    fn spec(&self) -> Spec {
        Spec {
            time_limit: R::TIME_LIMIT,
            ..Spec::new(R::NAME, Cells::Bytes, &[R::PLANES.len(), SIDE, SIDE], &ACTIONS)
        }
    }

    #[inline]
    fn reset(&mut self, random: &mut Random) {
        self.last = Action::None;
        self.rules.reset(random);
    }

    #[inline]
    fn step(&mut self, action: usize, random: &mut Random) -> Outcome {
        if random.unit() >= self.sticky {
            self.last = BY_NUMBER[action];
        }
        self.rules.step(self.last, random)
    }

    #[inline]
    fn observe(&self, into: &mut [u8]) {
        into.fill(0);
        self.rules.observe(&mut Planes(into));
    }

    fn draw(&self) -> RgbImage {
        let mut cells = vec![0; R::PLANES.len() * SIDE * SIDE];
        self.observe(&mut cells);
        let mut canvas = Canvas::new(SIDE as u32 * 8, SIDE as u32 * 8, [20, 20, 30]);
        for (plane, (_, colour)) in cells.chunks(SIDE * SIDE).zip(R::PLANES) {
            for place in (0..SIDE * SIDE).filter(|place| plane[*place] == 1) {
                let (x, y) = ((place % SIDE * 8) as f64, (place / SIDE * 8) as f64);
                canvas.rectangle((x, y), (x + 7.0, y + 7.0), *colour);
            }
        }
        canvas.scaled(2)
    }
}

/// One step to the right or to the left.
const fn ahead(right: bool) -> i8 {
    if right { 1 } else { -1 }
}

/// Where something begins that will go right or left: at the edge behind it.
const fn edge(right: bool) -> i8 {
    if right { 0 } else { SIDE as i8 - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use breakout::Breakout;

    #[test]
    fn one_action_in_ten_is_the_last_one_again() {
        #[derive(Clone, Debug, Default, Serialize, Deserialize)]
        struct Watch {
            fired: u32,
        }
        impl Rules for Watch {
            const NAME: &'static str = "watch";
            const PLANES: &'static [(&'static str, [u8; 3])] = &[];
            fn reset(&mut self, _random: &mut Random) {}
            fn step(&mut self, action: Action, _random: &mut Random) -> Outcome {
                self.fired += u32::from(action == Action::Fire);
                Outcome::default()
            }
            fn observe(&self, _planes: &mut Planes<'_>) {}
        }
        let (mut game, mut random) = (Mini::<Watch>::default(), Random::new(1));
        for _ in 0..10_000 {
            game.step(5, &mut random);
            game.step(0, &mut random);
        }
        // Each is kept with 0.9; fire comes again in place of nothing with 0.1 * 0.9 and
        // more rarely after; the share in the long run is one half.
        assert!((9_700..10_300).contains(&game.rules.fired), "{}", game.rules.fired);
        game.sticky = 0.0;
        game.rules.fired = 0;
        for i in 0..100 {
            game.step(5 * (i % 2), &mut random);
        }
        assert_eq!(game.rules.fired, 50);
        game.sticky = 1.0;
        game.reset(&mut random);
        for _ in 0..100 {
            game.step(5, &mut random);
        }
        assert_eq!(game.rules.fired, 50, "nothing was done before the episode");
    }

    #[test]
    fn images_show_what_is_seen() {
        let mut game = Mini::<Breakout>::default();
        game.reset(&mut Random::new(1));
        let image = game.draw();
        assert_eq!(image.dimensions(), (160, 160));
        // The paddle stands at row 9, column 4, and bricks fill row 1.
        assert_eq!(image.get_pixel(4 * 16 + 8, 9 * 16 + 8).0, Breakout::PLANES[0].1);
        assert_eq!(image.get_pixel(8, 16 + 8).0, Breakout::PLANES[3].1);
        assert_eq!(image.get_pixel(8, 8).0, [20, 20, 30]);
    }

    /// Mean and standard error.
    fn mean(values: &[f64]) -> [f64; 2] {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        [mean, (variance / count).sqrt()]
    }

    /// Random play scores what it scores in MinAtar, and lasts as long.
    fn plays_like_minatar<R: Rules>() {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/rl/expected.json");
        let golden: serde_json::Value =
            serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
        let expected = |field: &str| golden["random_play"][R::NAME][field].as_f64().unwrap();
        let (mut game, mut random) = (Mini::<R>::default(), Random::new(11));
        let (mut scores, mut lengths) = (Vec::new(), Vec::new());
        for _ in 0..5000 {
            game.reset(&mut random);
            let (mut score, mut length) = (0.0, 0.0);
            loop {
                let action = random.below(6);
                let outcome = game.step(action, &mut random);
                score += f64::from(outcome.reward);
                length += 1.0;
                if outcome.terminated {
                    break;
                }
            }
            scores.push(score);
            lengths.push(length);
        }
        for (field, values) in [("score", scores), ("length", lengths)] {
            let [mean, error] = mean(&values);
            let error = error.hypot(expected(&format!("{field}_error")));
            let away = (mean - expected(field)).abs() / error;
            assert!(away < 4.0, "{} {field}: {mean}, {away} standard errors away", R::NAME);
        }
    }

    #[test]
    fn random_play_scores_as_in_minatar() {
        plays_like_minatar::<Breakout>();
        plays_like_minatar::<asterix::Asterix>();
        plays_like_minatar::<seaquest::Seaquest>();
        plays_like_minatar::<space_invaders::SpaceInvaders>();
    }
}
