//! Learning by intervals of steps, between which the agent is measured.

use crate::agents::{Agent, Log, Player};
use crate::config::RunConfig;
use crate::env::{Random, VectorEnv};
use std::collections::BTreeMap;
use std::path::Path;
use tenfold_core::Result;
use tenfold_core::train::{Figures, Learner, Model, Parts, Watch};

/// What a training hands over: a player, and by which episodes it is to be measured.
pub struct Policy {
    /// What plays.
    pub player: Box<dyn Player>,
    /// The number of the measurement, from which its episodes are drawn.
    pub evaluation: u64,
}

impl Model for Policy {
    fn save(&self, path: &Path, metadata: &BTreeMap<String, String>) -> Result<()> {
        self.player.save(path, metadata)
    }

    fn load(&mut self, path: &Path) -> Result<()> {
        self.player.load(path)
    }
}

/// An agent and its environments, which learn until a step.
pub struct Interval {
    agent: Box<dyn Agent>,
    envs: Vec<Box<dyn VectorEnv>>,
    log: Log,
    intervals: u64,
    evaluation: u64,
}

impl Interval {
    /// An agent in the first observations of its environments.
    ///
    /// # Errors
    /// Environments that cannot be opened.
    pub fn new(config: &RunConfig, agent: Box<dyn Agent>) -> Result<Self> {
        let mut envs = config.envs()?;
        for (group, envs) in envs.iter_mut().enumerate() {
            envs.reset(Random::keyed(&[config.seed, 5, group as u64]).bits())?;
        }
        let log = Log { steps: config.steps, ..Log::default() };
        Ok(Self { agent, envs, log, intervals: config.evaluations.into(), evaluation: 0 })
    }
}

impl Learner for Interval {
    type Model = Policy;

    fn round(&mut self, round: usize, watch: &mut Watch) -> Result<Option<Figures>> {
        // As it was counted when the first figures were published: in lines of metrics.
        self.evaluation = 2 * round as u64 - 1;
        let (begun, steps) = (self.log.step, self.log.steps);
        let end = (round as u64 * steps / self.intervals).min(steps);
        let total = end.saturating_sub(begun) as usize;
        watch.expect(total);
        let mut reported = 0;
        loop {
            self.agent.turn(&mut self.envs, &mut self.log)?;
            let done = (self.log.step - begun) as usize;
            if done >= total || done > reported + total / 100 {
                watch.advance(done)?;
                reported = done;
            }
            if self.log.step >= end {
                return Ok(Some(self.log.figures()));
            }
            if watch.interrupted() {
                return Ok(None);
            }
        }
    }

    fn model(&self) -> Policy {
        Policy { player: self.agent.player(), evaluation: self.evaluation }
    }

    fn parts(&mut self, parts: &mut Parts) -> Result<()> {
        self.agent.parts(parts)?;
        parts.value("log", &mut self.log)?;
        for (group, envs) in self.envs.iter_mut().enumerate() {
            let saved = envs.save();
            parts.raw(&format!("worlds-{group}"), || saved, |state| envs.restore(&state))?;
        }
        Ok(())
    }

    fn at(&self, _round: usize) -> usize {
        self.log.step as usize
    }

    fn finished(&self) -> bool {
        self.log.step >= self.log.steps
    }
}
