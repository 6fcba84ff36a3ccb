//! Environments of cells for tables: a small grid, and the cliff walk.
//!
//! Sutton and Barto: "Reinforcement Learning: An Introduction", 2nd edition, 2018: the 4x4 grid
//! of example 4.1 (both opposite corners end the game, every step costs 1) and the 4x12 cliff
//! of example 6.6 (a step off the cliff costs 100 and leads back to the start).
//!
//! The observation is one-hot, `[height * width]`, so that networks can learn them too.

use super::draw::Canvas;
use super::game::{Game, Outcome, Random};
use super::spec::{Cells, Spec};
use image::RgbImage;
use serde::{Deserialize, Serialize};

/// What one action may lead to, with its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transition {
    /// How probable it is.
    pub probability: f64,
    /// The state it leads to.
    pub next: usize,
    /// What it pays.
    pub reward: f64,
    /// Whether the episode ends there.
    pub terminated: bool,
}

/// An environment of few states whose rules can be asked, for planning.
pub trait Table: Game {
    /// How many states there are.
    fn states(&self) -> usize;

    /// The state the game is in, below [`Table::states`].
    fn state(&self) -> usize;

    /// What `action` in `state` may lead to.
    fn transitions(&self, state: usize, action: usize) -> Vec<Transition>;
}

/// What a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Free,
    Start,
    Goal,
    Cliff,
}

/// Which map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Map {
    Grid,
    Cliff,
}

impl Map {
    /// The rows of the map: `S` start, `G` goal, `C` cliff. Without a start any free cell is
    /// one.
    const fn rows(self) -> &'static [&'static str] {
        match self {
            Map::Grid => &["G...", "....", "....", "...G"],
            Map::Cliff => &["............", "............", "............", "SCCCCCCCCCCG"],
        }
    }
}

/// A grid: walk up, right, down or left; against the edge nothing happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    map: Map,
    state: usize,
}

impl Grid {
    /// The 4x4 grid with goals in two corners.
    #[allow(clippy::self_named_constructors)] // As on the command line, like `cliff`.
    pub fn grid() -> Self {
        Self { map: Map::Grid, state: 1 }
    }

    /// The cliff walk, 4x12.
    pub fn cliff() -> Self {
        Self { map: Map::Cliff, state: 36 }
    }

    /// Cells from top to bottom, and from left to right.
    pub fn size(&self) -> (usize, usize) {
        let rows = self.map.rows();
        (rows.len(), rows[0].len())
    }

    fn place(&self, state: usize) -> Place {
        let width = self.size().1;
        match self.map.rows()[state / width].as_bytes()[state % width] {
            b'S' => Place::Start,
            b'G' => Place::Goal,
            b'C' => Place::Cliff,
            _ => Place::Free,
        }
    }

    /// Where `action` leads from `state`, what it pays, and whether that ends the episode.
    fn walk(&self, state: usize, action: usize) -> (usize, f32, bool) {
        let (height, width) = self.size();
        let (row, column) = (state / width, state % width);
        let (row, column) = match action {
            0 => (row.saturating_sub(1), column),
            1 => (row, (column + 1).min(width - 1)),
            2 => ((row + 1).min(height - 1), column),
            _ => (row, column.saturating_sub(1)),
        };
        let next = row * width + column;
        match self.place(next) {
            Place::Cliff => ((height - 1) * width, -100.0, false),
            place => (next, -1.0, place == Place::Goal),
        }
    }
}

impl Game for Grid {
    type Cell = f32;

    fn spec(&self) -> Spec {
        let (height, width) = self.size();
        let name = if self.map == Map::Grid { "grid" } else { "cliff" };
        let actions = ["up", "right", "down", "left"];
        // Long enough for any path worth having: an untrained greedy agent may walk for ever.
        let time_limit = Some(if self.map == Map::Grid { 100 } else { 1000 });
        Spec { time_limit, ..Spec::new(name, Cells::Floats, &[height * width], &actions) }
    }

    fn reset(&mut self, random: &mut Random) {
        self.state = match self.map {
            // Every state between the two goals in the corners.
            Map::Grid => 1 + random.below(14),
            Map::Cliff => 36,
        };
    }

    fn step(&mut self, action: usize, _random: &mut Random) -> Outcome {
        let (next, reward, terminated) = self.walk(self.state, action);
        self.state = next;
        Outcome { reward, terminated }
    }

    fn observe(&self, into: &mut [f32]) {
        into.fill(0.0);
        into[self.state] = 1.0;
    }

    fn draw(&self) -> RgbImage {
        let (height, width) = self.size();
        let mut canvas = Canvas::new(width as u32 * 8, height as u32 * 8, [200, 200, 200]);
        for state in 0..height * width {
            let (x, y) = ((state % width * 8) as f64, (state / width * 8) as f64);
            let colour = match self.place(state) {
                Place::Free => [245, 245, 245],
                Place::Start => [220, 230, 245],
                Place::Goal => [120, 190, 120],
                Place::Cliff => [90, 70, 60],
            };
            canvas.rectangle((x + 1.0, y + 1.0), (x + 8.0, y + 8.0), colour);
            if state == self.state {
                canvas.disc((x + 4.5, y + 4.5), 2.8, [200, 120, 40]);
            }
        }
        canvas.scaled(4)
    }
}

impl Table for Grid {
    fn states(&self) -> usize {
        let (height, width) = self.size();
        height * width
    }

    fn state(&self) -> usize {
        self.state
    }

    fn transitions(&self, state: usize, action: usize) -> Vec<Transition> {
        if self.place(state) == Place::Goal {
            return vec![Transition {
                probability: 1.0,
                next: state,
                reward: 0.0,
                terminated: true,
            }];
        }
        let (next, reward, terminated) = self.walk(state, action);
        vec![Transition { probability: 1.0, next, reward: reward.into(), terminated }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps through `actions` (`u`, `r`, `d`, `l`); the sum of rewards and whether it ended.
    fn walk(game: &mut Grid, actions: &str) -> (f32, bool) {
        let mut random = Random::new(0);
        let mut sum = 0.0;
        for (i, action) in actions.bytes().enumerate() {
            let action = "urdl".find(action as char).unwrap();
            let outcome = game.step(action, &mut random);
            sum += outcome.reward;
            assert!(!outcome.terminated || i + 1 == actions.len());
            if outcome.terminated {
                return (sum, true);
            }
        }
        (sum, false)
    }

    #[test]
    fn the_shortest_path_along_the_cliff_costs_thirteen() {
        let mut game = Grid::cliff();
        assert_eq!(walk(&mut game, "urrrrrrrrrrrd"), (-13.0, true));
        // The safe one, along the upper edge.
        let mut game = Grid::cliff();
        assert_eq!(walk(&mut game, "uuurrrrrrrrrrrddd"), (-17.0, true));
    }

    #[test]
    fn the_cliff_costs_a_hundred_and_leads_back() {
        let mut game = Grid::cliff();
        assert_eq!(walk(&mut game, "urrd"), (-103.0, false));
        assert_eq!(game.state(), 36);
        assert_eq!(walk(&mut game, "r"), (-100.0, false));
        assert_eq!(game.state(), 36);
    }

    #[test]
    fn edges_hold_and_corners_end() {
        let mut game = Grid { map: Map::Grid, state: 4 };
        assert_eq!(walk(&mut game, "ldd"), (-3.0, false));
        assert_eq!(game.state(), 12);
        assert_eq!(walk(&mut game, "drrr"), (-4.0, true));
        let mut game = Grid { map: Map::Grid, state: 1 };
        assert_eq!(walk(&mut game, "l"), (-1.0, true));
    }

    #[test]
    fn what_is_told_of_the_rules_is_what_happens() {
        for mut game in [Grid::grid(), Grid::cliff()] {
            for state in 0..game.states() {
                for action in 0..4 {
                    if game.place(state) == Place::Goal || game.place(state) == Place::Cliff {
                        continue;
                    }
                    game.state = state;
                    let told = game.transitions(state, action);
                    let outcome = game.step(action, &mut Random::new(0));
                    let reward = f64::from(outcome.reward);
                    let Outcome { terminated, .. } = outcome;
                    let next = game.state();
                    assert_eq!(told, [Transition { probability: 1.0, next, reward, terminated }]);
                }
            }
        }
    }
}
