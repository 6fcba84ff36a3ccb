//! The control environments against Gymnasium's own trajectories: tests/golden/rl/make.py.

use super::acrobot::Acrobot;
use super::cartpole::CartPole;
use super::game::{Game, Random};
use super::mountain_car::MountainCar;
use serde::Deserialize;

#[derive(Deserialize)]
struct Trajectory<const N: usize> {
    #[serde(bound(deserialize = "[f64; N]: Deserialize<'de>"))]
    states: Vec<[f64; N]>,
    actions: Vec<usize>,
    rewards: Vec<f32>,
    terminated: bool,
}

#[derive(Deserialize)]
struct Golden {
    cartpole: Vec<Trajectory<4>>,
    mountain_car: Vec<Trajectory<2>>,
    acrobot: Vec<Trajectory<4>>,
}

fn golden() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/rl/expected.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Follows a whole trajectory from its first state, and each of its steps by itself.
fn follow<G: Game, const N: usize>(
    trajectory: &Trajectory<N>,
    tolerance: [f64; 2],
    from: impl Fn([f64; N]) -> G,
    state: impl Fn(&G) -> [f64; N],
) {
    let [step_tolerance, way_tolerance] = tolerance;
    let mut random = Random::new(0);
    let mut way = from(trajectory.states[0]);
    let last = trajectory.actions.len() - 1;
    for (i, &action) in trajectory.actions.iter().enumerate() {
        let mut step = from(trajectory.states[i]);
        let outcome = step.step(action, &mut random);
        assert_eq!(way.step(action, &mut random), outcome, "step {i}");
        assert_eq!(outcome.reward, trajectory.rewards[i], "step {i}");
        assert_eq!(outcome.terminated, trajectory.terminated && i == last, "step {i}");
        for (game, tolerance) in [(&step, step_tolerance), (&way, way_tolerance)] {
            for (ours, theirs) in state(game).into_iter().zip(trajectory.states[i + 1]) {
                assert!((ours - theirs).abs() < tolerance, "step {i}: {ours} is not {theirs}");
            }
        }
    }
}

#[test]
fn cart_pole_follows_gymnasium() {
    for trajectory in golden().cartpole {
        assert!(trajectory.terminated);
        follow(
            &trajectory,
            [1e-12, 1e-10],
            |[x, x_speed, theta, theta_speed]| CartPole {
                x: [x, x_speed],
                theta: [theta, theta_speed],
            },
            |game| [game.x[0], game.x[1], game.theta[0], game.theta[1]],
        );
    }
}

#[test]
fn mountain_car_follows_gymnasium() {
    let trajectories = golden().mountain_car;
    assert!(trajectories.iter().any(|trajectory| trajectory.terminated));
    for trajectory in trajectories {
        follow(&trajectory, [1e-12, 1e-10], |x| MountainCar { x }, |game| game.x);
    }
}

#[test]
fn acrobot_follows_gymnasium() {
    for trajectory in golden().acrobot {
        // Two links are chaotic: differences in the last bit grow.
        follow(&trajectory, [1e-10, 1e-6], |state| Acrobot { state }, |game| game.state);
    }
}
