//! An agent's actions for observations, for a person to confirm.

use crate::agents::Player;
use crate::env::{Cells, Observations, Spec};
use crate::evaluate::probabilities;
use tenfold_core::data::{Input, Kind};
use tenfold_core::suggest::{Proposal, Propose, rank};
use tenfold_core::{Error, Result};

/// Proposes the action of a step: a row holds the numbers of one observation, as `predict
/// --observations` writes them.
pub struct Advisor {
    player: Box<dyn Player>,
    spec: Spec,
}

impl Advisor {
    /// A player in the environment that it was trained for.
    pub fn new(player: Box<dyn Player>, spec: Spec) -> Self {
        Self { player, spec }
    }
}

/// The names of an observation's numbers in a table.
pub fn columns(spec: &Spec) -> Vec<String> {
    (1..=spec.cells_per_observation()).map(|number| format!("x{number}")).collect()
}

impl Propose for Advisor {
    fn kind(&self) -> Kind {
        Kind::rows(columns(&self.spec))
    }

    fn labels(&self) -> &[String] {
        &self.spec.actions
    }

    fn propose(&self, inputs: &[&Input], top: usize) -> Result<Vec<Proposal>> {
        let (width, names) = (self.spec.cells_per_observation(), &self.spec.actions);
        let mut cells = Vec::with_capacity(inputs.len() * width);
        for input in inputs {
            match input {
                Input::Row(row) if row.len() == width => {
                    cells.extend(row.iter().map(|&cell| cell as f32))
                }
                _ => {
                    let why = format!("expected the {width} numbers of {}", self.spec.name);
                    return Err(Error::argument("INPUT", why));
                }
            }
        }
        let scores = match self.spec.cells {
            Cells::Floats => self.player.scores(Observations::Floats(&cells), inputs.len())?,
            Cells::Bytes => {
                let bytes: Vec<u8> = cells.iter().map(|&cell| cell as u8).collect();
                self.player.scores(Observations::Bytes(&bytes), inputs.len())?
            }
        };
        let meaning = self.player.meaning();
        let rows = scores.chunks_exact(names.len());
        let ranked = |row: &[f32]| rank(&probabilities(row.to_vec(), meaning), names, top);
        Ok(rows.map(|row| Proposal::alternatives(ranked(row))).collect())
    }
}
