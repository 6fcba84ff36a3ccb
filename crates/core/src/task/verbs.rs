//! The verbs of every task.

use super::contract::Task;
use super::opened::{config, loaded};
use super::program::{Asked, Flags, Program, Verbs};
use super::{eval, export, train};
use crate::cli::args::{EvalArgs, RunFlags};
use crate::data::Input;
use crate::suggest::{Propose, RetrainPlan};
use crate::trained::Trained;
use crate::{Result, device};
use burn::tensor::Device;
use std::io::Write;
use std::path::Path;

impl<T: Task> Verbs<T::Zoo> for T {
    fn train(&self, flags: &Flags<T::Zoo>, out: &mut dyn Write) -> anyhow::Result<()> {
        train::run(self, flags, out)
    }

    fn eval(
        &self,
        trained: &Trained,
        args: &EvalArgs,
        own: &<T::Zoo as Program>::Eval,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        eval::run(self, trained, args, own, out)
    }

    fn answer(
        &self,
        trained: &Trained,
        asked: &Asked<'_, T::Zoo>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let device = device::open(&asked.args.device)?;
        let config = config(self, trained)?;
        let model = loaded(self, trained, &config, &device)?;
        self.predict(model, config, &device, asked, out)
    }

    fn ready(&self, trained: &Trained, device: &Device) -> Result<Box<dyn Propose>> {
        let config = config(self, trained)?;
        let model = loaded(self, trained, &config, device)?;
        self.answerer(model, config, device)
    }

    fn retrain(&self, trained: &Trained, plan: &RetrainPlan) -> anyhow::Result<()> {
        let config = config(self, trained)?;
        let own = self.retraining(&config, trained, plan)?;
        let run = RunFlags {
            out: Some(plan.out.clone()),
            seed: Some(plan.seed),
            set: self.set(&config),
            json: true,
            device: plan.device.clone(),
            ..RunFlags::default()
        };
        train::run(self, &Flags { run, own, named: true, steers: true }, &mut std::io::sink())
    }

    fn own_examples(&self, trained: &Trained, most: usize) -> Result<Vec<(Input, String)>> {
        self.own_examples(&config(self, trained)?, most)
    }

    fn export(&self, trained: &Trained, file: &Path) -> Result<()> {
        export::run(self, trained, file)
    }
}
