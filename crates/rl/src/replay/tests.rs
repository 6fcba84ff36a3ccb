//! The memory against a plain list of all that ever happened.

use super::*;
use crate::env::{Episode, Outcome};
use image::RgbImage;
use proptest::prelude::*;

/// Environments that follow a script: every step pays the number of the step, and an observation is
/// made of the numbers of the last frames, so that each can be told from all others.
struct Scripted {
    spec: Spec,
    /// For each step: 0 goes on, 1 terminates, 2 is cut off.
    script: Vec<u8>,
    at: usize,
    begun: usize,
    rewards: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    seen: Vec<u8>,
    last: Vec<u8>,
}

impl Scripted {
    fn new(stack: usize, script: Vec<u8>) -> Self {
        let mut spec = Spec::new("scripted", Cells::Bytes, &[stack, 1, 2], &["a", "b"]);
        spec.scale = 255.0;
        let (rewards, terminated, truncated) = (vec![0.0], vec![false], vec![false]);
        let mut envs = Self {
            spec,
            script,
            at: 0,
            begun: 0,
            rewards,
            terminated,
            truncated,
            seen: Vec::new(),
            last: Vec::new(),
        };
        envs.seen = envs.look(0, 0);
        envs
    }

    /// Frames of the observation `now`, of an episode that began at `begun`; frames from before
    /// it are the first one.
    fn look(&self, now: usize, begun: usize) -> Vec<u8> {
        let stack = self.spec.observation[0];
        (0..stack)
            .flat_map(|back| {
                let frame = (now + back + 1).saturating_sub(stack).max(begun);
                [(frame % 251) as u8, (begun % 249) as u8]
            })
            .collect()
    }
}

impl VectorEnv for Scripted {
    fn spec(&self) -> &Spec {
        &self.spec
    }
    fn rows(&self) -> usize {
        1
    }
    fn reset(&mut self, _seed: u64) -> Result<()> {
        Ok(())
    }
    fn step(&mut self, _actions: &[usize]) -> Result<()> {
        let Outcome { reward, .. } = Outcome { reward: self.at as f32, terminated: false };
        let end = self.script[self.at % self.script.len()];
        self.rewards[0] = reward;
        (self.terminated[0], self.truncated[0]) = (end == 1, end == 2);
        self.at += 1;
        if end != 0 {
            self.last = self.look(self.at, self.begun);
            self.begun = self.at;
        }
        self.seen = self.look(self.at, self.begun);
        Ok(())
    }
    fn observations(&self) -> Observations<'_> {
        Observations::Bytes(&self.seen)
    }
    fn rewards(&self) -> &[f32] {
        &self.rewards
    }
    fn terminated(&self) -> &[bool] {
        &self.terminated
    }
    fn truncated(&self) -> &[bool] {
        &self.truncated
    }
    fn last_observation(&self, _row: usize) -> Observations<'_> {
        Observations::Bytes(&self.last)
    }
    fn episodes(&self) -> &[Episode] {
        &[]
    }
    fn save(&mut self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }
    fn restore(&mut self, _state: &[u8]) -> Result<()> {
        Ok(())
    }
    fn draw(&self, _row: usize) -> RgbImage {
        RgbImage::new(1, 1)
    }
}

/// A step as a plain list keeps it.
struct Plain {
    seen: Vec<u8>,
    reward: f32,
    end: u8,
    /// What the step led to, before any new episode.
    next: Vec<u8>,
}

fn made(
    envs: &Scripted,
    rows: usize,
    capacity: usize,
    (n_step, gamma): (usize, f32),
    priority: Option<Priority>,
) -> Result<Replay> {
    let stack = envs.spec.observation[0];
    Replay::new(&envs.spec, Memory { rows, capacity, stack, n_step, gamma, priority })
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Observations, n-step returns, discounts and what follows, each as a plain loop finds it.
    #[test]
    fn what_is_drawn_is_what_a_plain_loop_finds(
        stack in 1usize..4,
        n_step in 1usize..5,
        script in prop::collection::vec(prop_oneof![6 => Just(0u8), 1 => Just(1), 1 => Just(2)], 1..40),
        prioritised: bool,
        seed: u64,
    ) {
        let gamma = 0.5;
        let mut envs = Scripted::new(stack, script);
        let priority = prioritised.then_some(Priority { alpha: 1.0 });
        let mut replay =
            made(&envs, 1, 50, (n_step, gamma), priority).unwrap();
        replay.begin(&envs);
        let mut all: Vec<Plain> = Vec::new();
        for _ in 0..120 {
            let seen = envs.seen.clone();
            envs.step(&[0]).unwrap();
            let end = if envs.terminated[0] { 1 } else { 2 * u8::from(envs.truncated[0]) };
            let next = if end == 0 { envs.seen.clone() } else { envs.last.clone() };
            all.push(Plain { seen, reward: envs.rewards[0], end, next });
            replay.record(&[1], &envs);
        }
        // Scripts of ends alone leave no room in memory for a run of n steps, nor need any.
        let mut random = Random::new(seed);
        let Ok(batch) = replay.sample(4, 0.5, &mut random) else {
            return Ok(());
        };
        let cells = 2 * stack;
        for at in 0..4 {
            let seen = &batch.observations[at * cells..][..cells];
            let found = all.iter().position(|step| floats(&step.seen) == seen);
            let first = found.expect("an observation that was seen");
            let (mut sum, mut discount, mut now) = (0.0, 1.0, first);
            loop {
                sum += discount * all[now].reward;
                discount *= gamma;
                if all[now].end != 0 || now + 1 == first + n_step {
                    break;
                }
                now += 1;
            }
            prop_assert_eq!(batch.returns[at], sum);
            prop_assert_eq!(batch.actions[at], 1);
            if all[now].end == 1 {
                prop_assert_eq!(batch.discounts[at], 0.0);
            } else {
                prop_assert_eq!(batch.discounts[at], discount);
                prop_assert_eq!(&batch.next[at * cells..][..cells], &floats(&all[now].next)[..]);
            }
        }
        // Saved and taken back it gives the same.
        let bytes = replay.save().unwrap();
        let mut again = made(&envs, 1, 50, (n_step, gamma), priority).unwrap();
        again.restore(&bytes).unwrap();
        let batches = [&replay, &again].map(|r| r.sample(4, 0.5, &mut Random::new(9)).unwrap());
        prop_assert_eq!(&batches[0].places, &batches[1].places);
        prop_assert_eq!(&batches[0].next, &batches[1].next);
        prop_assert!(again.restore(&bytes[..bytes.len() - 1]).is_err());
    }
}

#[test]
fn frames_are_kept_once() {
    let envs = Scripted::new(4, vec![0]);
    let replay = made(&envs, 1, 1000, (1, 0.9), None).unwrap();
    let Frames::Bytes(frames) = &replay.frames else { panic!("bytes stay bytes") };
    assert_eq!(frames.len(), 1000 * 2, "one frame of two cells for each step, not four");
}

#[test]
fn errors_decide_how_often_a_step_is_drawn() {
    let mut envs = Scripted::new(1, vec![0]);
    let priority = Some(Priority { alpha: 1.0 });
    let mut replay = made(&envs, 1, 40, (1, 0.9), priority).unwrap();
    replay.begin(&envs);
    for _ in 0..20 {
        envs.step(&[0]).unwrap();
        replay.record(&[0], &envs);
    }
    let places: Vec<usize> = (0..20).collect();
    let errors: Vec<f32> =
        places.iter().map(|&place| if place == 7 { 19.0 } else { 1.0 }).collect();
    replay.update(&places, &errors);
    let mut random = Random::new(1);
    let (mut drawn, mut weight) = (0, 0.0);
    for _ in 0..200 {
        let batch = replay.sample(10, 1.0, &mut random).unwrap();
        for (place, found) in batch.places.iter().zip(&batch.weights) {
            if *place == 7 {
                drawn += 1;
                weight = *found;
            }
        }
    }
    // Half of the priority is there; with beta 1 the weight makes up for all of it.
    assert!((900..1100).contains(&drawn), "{drawn}");
    assert!((weight - 1.0 / 19.0).abs() < 1e-3, "{weight}");
}

#[test]
fn too_little_is_refused() {
    let envs = Scripted::new(1, vec![0]);
    let mut replay = made(&envs, 1, 40, (1, 0.9), None).unwrap();
    replay.begin(&envs);
    let why = replay.sample(8, 0.4, &mut Random::new(1)).err().unwrap().to_string();
    assert!(why.contains("holds 0 steps, and a batch 8"), "{why}");
    assert!(made(&envs, 8, 15, (1, 0.9), None).is_err());
}
