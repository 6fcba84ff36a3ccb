//! Recurrent layers, stacked and in both directions, with PyTorch's meaning of every option.
//!
//! The arithmetic is [`tenfold_kernels::nn`]'s for the GRU and the LSTM: a whole sequence in
//! one operator. The plain RNN goes step by step on Burn's own module.

use burn::module::{Initializer, Module, Param};
use burn::nn::{
    Dropout, DropoutConfig, GateController, GruConfig, LstmConfig, LstmState, Rnn, RnnConfig,
    RnnState,
};
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::path::Path;
use tenfold_core::{Error, Result, weights};
use tenfold_kernels::nn::{Gru, Lstm};

/// What is repeated along the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// `h = tanh(W x + U h + b)` (Elman, "Finding Structure in Time", 1990).
    Rnn,
    /// Gated recurrent unit (Cho et al., arXiv:1406.1078), the reset gate after the product.
    Gru,
    /// Long short-term memory (Hochreiter and Schmidhuber, 1997) with a forget gate.
    Lstm,
}

/// The options of PyTorch's `nn.RNN`, `nn.GRU` and `nn.LSTM`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StackConfig {
    /// The kind of cell.
    pub cell: Cell,
    /// Features of an input.
    pub inputs: usize,
    /// Hidden units of a layer and direction.
    pub hidden: usize,
    /// Layers, each on the outputs of the one below.
    pub layers: usize,
    /// Whether each layer also reads backwards; its outputs are then twice as wide.
    pub bidirectional: bool,
    /// Part of the values set to zero between layers, in training.
    pub dropout: f64,
}

impl StackConfig {
    /// One layer in one direction.
    pub fn new(cell: Cell, inputs: usize, hidden: usize) -> Self {
        Self { cell, inputs, hidden, layers: 1, bidirectional: false, dropout: 0.0 }
    }

    /// With so many layers, and dropout between them.
    pub fn with_layers(self, layers: usize, dropout: f64) -> Self {
        Self { layers, dropout, ..self }
    }

    /// In both directions.
    pub fn bidirectional(self) -> Self {
        Self { bidirectional: true, ..self }
    }

    /// Features of an output.
    pub fn outputs(&self) -> usize {
        self.hidden * if self.bidirectional { 2 } else { 1 }
    }

    /// Weights from a uniform distribution up to `1 / sqrt(hidden)`, as PyTorch's.
    pub fn init(&self, device: &Device) -> Stack {
        let inputs = |layer| if layer == 0 { self.inputs } else { self.outputs() };
        let direction = || (0..self.layers).map(|layer| self.layer(inputs(layer), device));
        Stack {
            forward: direction().collect(),
            backward: if self.bidirectional { direction().collect() } else { Vec::new() },
            dropout: DropoutConfig::new(self.dropout).init(),
        }
    }

    fn layer(&self, inputs: usize, device: &Device) -> Layer {
        let bound = 1.0 / (self.hidden as f64).sqrt();
        let weights = Initializer::Uniform { min: -bound, max: bound };
        let hidden = self.hidden;
        match self.cell {
            Cell::Rnn => {
                let config = RnnConfig::new(inputs, hidden, true).with_initializer(weights);
                Layer::Rnn(config.init(device))
            }
            Cell::Gru => {
                let config = GruConfig::new(inputs, hidden, true).with_initializer(weights);
                Layer::Gru(config.init(device).into())
            }
            Cell::Lstm => {
                let config = LstmConfig::new(inputs, hidden, true).with_initializer(weights);
                Layer::Lstm(config.init(device).into())
            }
        }
    }
}

/// What a layer carries from step to step in one direction.
#[derive(Clone, Debug)]
pub struct State {
    /// `[batch, hidden]`
    pub hidden: Tensor<2>,
    /// `[batch, hidden]`, of an LSTM.
    pub cell: Option<Tensor<2>>,
}

impl State {
    /// The same numbers without their history: where back-propagation through time is cut.
    pub fn detach(self) -> Self {
        Self { hidden: self.hidden.detach(), cell: self.cell.map(Tensor::detach) }
    }

    /// The states of some sequences, `[rows]` places in the batch.
    pub fn select(&self, rows: &Tensor<1, Int>) -> Self {
        let select = |state: &Tensor<2>| state.clone().select(0, rows.clone());
        Self { hidden: select(&self.hidden), cell: self.cell.as_ref().map(select) }
    }
}

/// Where the sequences of a padded batch end.
#[derive(Clone, Debug)]
pub struct Lengths {
    /// `[batch * steps]`: for each place of the batch laid flat the place with the same
    /// distance from the other end of its sequence; padding stays where it is.
    mirror: Tensor<1, Int>,
    /// `[batch]`: the last place of each sequence in the batch laid flat.
    last: Tensor<1, Int>,
    /// `[batch, steps, 1]`: 1 within each sequence, 0 in its padding.
    within: Tensor<3>,
}

impl Lengths {
    /// Of sequences of these lengths, each at least 1, padded to `steps`.
    pub fn new(lengths: &[usize], steps: usize, device: &Device) -> Self {
        let place = |row: usize, step: usize| (row * steps + step) as i64;
        let rows = || lengths.iter().enumerate();
        let mirror: Vec<i64> = rows()
            .flat_map(|(row, &length)| {
                let mirrored = move |t| if t < length { length - 1 - t } else { t };
                (0..steps).map(move |t| place(row, mirrored(t)))
            })
            .collect();
        let within: Vec<f32> = rows()
            .flat_map(|(_, &length)| (0..steps).map(move |t| if t < length { 1.0 } else { 0.0 }))
            .collect();
        let within = TensorData::new(within, [lengths.len(), steps, 1]);
        let last: Vec<i64> = rows().map(|(row, &length)| place(row, length - 1)).collect();
        let tensor = |values: Vec<i64>| {
            let count = values.len();
            Tensor::from_data(TensorData::new(values, [count]), device)
        };
        let within = Tensor::from_data(within, device);
        Self { mirror: tensor(mirror), last: tensor(last), within }
    }

    /// `x`, `[batch, steps, features]`, with each sequence the other way round.
    fn turned(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, steps, features] = x.dims();
        let rows = x.reshape([batch * steps, features]).select(0, self.mirror.clone());
        rows.reshape([batch, steps, features])
    }

    /// `x`, `[batch, steps, features]`, with zeros in the padding.
    pub fn masked(&self, x: Tensor<3>) -> Tensor<3> {
        x * self.within.clone()
    }

    /// Of `x`, `[batch, steps, features]`, what stands at the end of each sequence.
    pub fn last(&self, x: Tensor<3>) -> Tensor<2> {
        let [batch, steps, features] = x.dims();
        x.reshape([batch * steps, features]).select(0, self.last.clone())
    }
}

/// One layer in one direction.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a handful of them per network")]
pub enum Layer {
    /// Plain.
    Rnn(Rnn),
    /// Gated.
    Gru(Gru),
    /// With a memory.
    Lstm(Lstm),
}

impl Layer {
    /// `[batch, steps, inputs]` to `[batch, steps, hidden]`, and the last state.
    fn forward(&self, x: Tensor<3>, state: Option<State>) -> (Tensor<3>, State) {
        match self {
            Self::Rnn(rnn) => {
                let state = state.map(|state| RnnState::new(state.hidden));
                let (states, last) = rnn.forward(x, state);
                (states, State { hidden: last.hidden, cell: None })
            }
            Self::Gru(gru) => {
                let (states, hidden) = gru.forward_with_state(x, state.map(|state| state.hidden));
                (states, State { hidden, cell: None })
            }
            Self::Lstm(lstm) => {
                let state = state.map(|State { hidden, cell }| {
                    let cell = cell.unwrap_or_else(|| hidden.zeros_like());
                    LstmState::new(cell, hidden)
                });
                let (states, last) = lstm.forward(x, state);
                (states, State { hidden: last.hidden, cell: Some(last.cell) })
            }
        }
    }

    /// The gates in the order in which PyTorch packs them.
    fn gates(&mut self) -> Vec<&mut GateController> {
        match self {
            Self::Rnn(rnn) => vec![&mut rnn.gate],
            Self::Gru(gru) => vec![&mut gru.reset_gate, &mut gru.update_gate, &mut gru.new_gate],
            Self::Lstm(lstm) => {
                let Lstm { input_gate, forget_gate, cell_gate, output_gate, .. } = lstm;
                let mut gates = vec![input_gate];
                gates.extend(forget_gate.as_mut());
                gates.extend([cell_gate, output_gate]);
                gates
            }
        }
    }
}

/// Layers on top of one another.
#[derive(Module, Debug)]
pub struct Stack {
    /// From the first step to the last, the lowest layer first.
    pub forward: Vec<Layer>,
    /// From the last step to the first; none in one direction.
    pub backward: Vec<Layer>,
    /// Between layers.
    pub dropout: Dropout,
}

impl Stack {
    /// From `x`, `[batch, steps, inputs]`, the outputs of the highest layer,
    /// `[batch, steps, outputs]`, and the last state of each layer and direction in PyTorch's
    /// order: layer by layer, forward before backward. `states` are the first ones, in the
    /// same order; zeros where there are none.
    ///
    /// With `lengths` the backward direction begins at each sequence's own end, and the last
    /// states are those at its end, without an LSTM's cell.
    ///
    /// # Panics
    /// Where shapes do not fit.
    pub fn forward(
        &self,
        x: Tensor<3>,
        states: Option<Vec<State>>,
        lengths: Option<&Lengths>,
    ) -> (Tensor<3>, Vec<State>) {
        let mut states = states.unwrap_or_default().into_iter();
        let mut last = Vec::new();
        let mut x = x;
        for (index, layer) in self.forward.iter().enumerate() {
            if index > 0 {
                x = self.dropout.forward(x);
            }
            let run = |layer: &Layer, x: Tensor<3>, state: Option<State>| {
                let (y, end) = layer.forward(x, state);
                let end = match lengths {
                    None => end,
                    Some(lengths) => State { hidden: lengths.last(y.clone()), cell: None },
                };
                (y, end)
            };
            let turn = |x: Tensor<3>| match lengths {
                None => x.flip([1]),
                Some(lengths) => lengths.turned(x),
            };
            let (forward, end) = run(layer, x.clone(), states.next());
            last.push(end);
            x = match self.backward.get(index) {
                None => forward,
                Some(layer) => {
                    let (backward, end) = run(layer, turn(x), states.next());
                    last.push(end);
                    Tensor::cat(vec![forward, turn(backward)], 2)
                }
            };
        }
        (x, last)
    }

    /// The stack with the weights of a `nn.RNN`, `nn.GRU` or `nn.LSTM` that PyTorch saved:
    /// `PREFIXweight_ih_l0`, `PREFIXweight_hh_l0_reverse` and so on in a `.pth` or a
    /// safetensors file.
    ///
    /// # Errors
    /// A tensor that is missing or of another shape.
    pub fn with_torch_weights(mut self, path: &Path, prefix: &str) -> Result<Self> {
        let directions = [(&mut self.forward, ""), (&mut self.backward, "_reverse")];
        for (layers, direction) in directions {
            for (index, layer) in layers.iter_mut().enumerate() {
                let name = |part: &str| format!("{prefix}{part}_l{index}{direction}");
                let mut gates = layer.gates();
                for (part, bias, hidden) in
                    [("weight_ih", "bias_ih", false), ("weight_hh", "bias_hh", true)]
                {
                    let weight = weights::read(path, &name(part))?;
                    let bias = weights::read(path, &name(bias))?;
                    let of = |gate: &mut GateController| match hidden {
                        false => gate.input_transform.clone(),
                        true => gate.hidden_transform.clone(),
                    };
                    let [inputs, units] = of(gates[0]).weight.dims();
                    let rows = units * gates.len();
                    for (data, expected) in [(&weight, vec![rows, inputs]), (&bias, vec![rows])] {
                        if data.shape() != &expected[..].into() {
                            let shape = data.shape().to_vec();
                            let why = format!("{} is {shape:?}, expected {expected:?}", name(part));
                            return Err(Error::file(path, why));
                        }
                    }
                    for (place, gate) in gates.iter_mut().enumerate() {
                        let mut linear = of(gate);
                        let device = linear.weight.device();
                        let weight = Tensor::<2>::from_data(weight.clone(), &device);
                        let bias = Tensor::<1>::from_data(bias.clone(), &device);
                        let own = place * units..(place + 1) * units;
                        let weight = weight.slice([own.clone(), 0..inputs]).transpose();
                        linear.weight = Param::from_tensor(weight);
                        linear.bias = Some(Param::from_tensor(bias.slice([own])));
                        match hidden {
                            false => gate.input_transform = linear,
                            true => gate.hidden_transform = linear,
                        }
                    }
                }
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(name: &str) -> std::path::PathBuf {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/recurrent");
        folder.join(format!("{name}.safetensors"))
    }

    fn tensor<const D: usize>(path: &Path, name: &str, device: &Device) -> Tensor<D> {
        Tensor::from_data(weights::read(path, name).unwrap(), device)
    }

    fn close<const D: usize>(what: &str, a: Tensor<D>, b: Tensor<D>) {
        let error: f32 = (a - b).abs().max().into_scalar();
        assert!(error < 1e-5, "{what}: {error}");
    }

    #[test]
    fn pytorchs_weights_give_pytorchs_numbers() {
        let device = tenfold_core::device::open("cpu").unwrap();
        for (cell, name) in [(Cell::Rnn, "rnn"), (Cell::Gru, "gru"), (Cell::Lstm, "lstm")] {
            let path = golden(name);
            let config = StackConfig::new(cell, 5, 6).with_layers(2, 0.0).bidirectional();
            let stack = config.init(&device).with_torch_weights(&path, "rnn.").unwrap();
            let x: Tensor<3> = tensor(&path, "x", &device);
            let (hidden, cells): (Tensor<3>, Tensor<3>) =
                (tensor(&path, "hidden", &device), tensor(&path, "cell", &device));
            let state = |i: usize| State {
                hidden: hidden.clone().narrow(0, i, 1).squeeze_dim(0),
                cell: Some(cells.clone().narrow(0, i, 1).squeeze_dim(0)),
            };
            let (y, last) = stack.forward(x.clone(), Some((0..4).map(state).collect()), None);
            close(name, y, tensor(&path, "y", &device));
            let stacked = |states: Vec<State>| {
                Tensor::stack::<3>(states.into_iter().map(|state| state.hidden).collect(), 0)
            };
            close(name, stacked(last), tensor(&path, "last", &device));

            // Sequences of different lengths, as PyTorch's packed ones.
            let lengths = Lengths::new(&[11, 7, 4], 11, &device);
            let (y, ends) = stack.forward(x, None, Some(&lengths));
            let ragged: Tensor<3> = tensor(&path, "ragged", &device);
            for (row, length) in [11, 7, 4].into_iter().enumerate() {
                let own = |x: &Tensor<3>| x.clone().slice([row..row + 1, 0..length]);
                close(name, own(&y), own(&ragged));
            }
            close(name, stacked(ends), tensor(&path, "ends", &device));
        }
    }

    #[test]
    fn weights_of_other_sizes_are_refused() {
        let device = tenfold_core::device::open("cpu").unwrap();
        let stack = StackConfig::new(Cell::Gru, 5, 7).init(&device);
        let why = stack.with_torch_weights(&golden("gru"), "rnn.").unwrap_err().to_string();
        assert!(why.contains("weight_ih_l0 is [18, 5], expected [21, 5]"), "{why}");
        let stack = StackConfig::new(Cell::Gru, 5, 6).init(&device);
        let why = stack.with_torch_weights(&golden("gru"), "gru.").unwrap_err().to_string();
        assert!(why.contains("no tensor named `gru.weight_ih_l0`"), "{why}");
    }
}
