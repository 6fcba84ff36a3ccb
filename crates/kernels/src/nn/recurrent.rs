//! Recurrent layers.

use crate::Cache;
use crate::ops::{self, Gate};
use burn::module::{Module, Param};
use burn::nn::activation::Activation;
use burn::nn::{GateController, LstmState};
use burn::tensor::Tensor;

fn gate(controller: &GateController) -> Gate {
    let GateController { input_transform: input, hidden_transform: hidden } = controller;
    let bias = |bias: &Option<Param<Tensor<1>>>| bias.as_ref().map(Param::val);
    let biases = bias(&input.bias).zip(bias(&hidden.bias)).map(|(first, second)| [first, second]);
    Gate { input: input.weight.val(), hidden: hidden.weight.val(), biases }
}

/// Whether biases are there for both products or for none.
fn pairs(controller: &GateController) -> bool {
    controller.input_transform.bias.is_some() == controller.hidden_transform.bias.is_some()
}

/// Long short-term memory (Hochreiter and Schmidhuber, 1997); fields as in [`burn::nn::Lstm`].
#[derive(Module, Debug)]
pub struct Lstm {
    /// How much of the candidate enters the cell.
    pub input_gate: GateController,
    /// How much of the cell stays; without it, what the input gate leaves.
    pub forget_gate: Option<GateController>,
    /// How much of the cell is seen.
    pub output_gate: GateController,
    /// The candidate for the cell.
    pub cell_gate: GateController,
    /// Hidden units.
    pub d_hidden: usize,
    /// Whether sequences are `[batch, steps, features]`, or else `[steps, batch, features]`.
    pub batch_first: bool,
    /// Whether the last step comes first.
    pub reverse: bool,
    /// Cells stay between minus this and this.
    pub clip: Option<f64>,
    /// Whether the forget gate is what the input gate leaves.
    pub input_forget: bool,
    /// The function of the gates.
    pub gate_activation: Activation,
    /// The function of the candidate.
    pub cell_activation: Activation,
    /// The function of the cell that is seen.
    pub hidden_activation: Activation,
    #[module(skip)]
    cache: Cache,
}

impl From<burn::nn::Lstm> for Lstm {
    fn from(lstm: burn::nn::Lstm) -> Self {
        Self {
            input_gate: lstm.input_gate,
            forget_gate: lstm.forget_gate,
            output_gate: lstm.output_gate,
            cell_gate: lstm.cell_gate,
            d_hidden: lstm.d_hidden,
            batch_first: lstm.batch_first,
            reverse: lstm.reverse,
            clip: lstm.clip,
            input_forget: lstm.input_forget,
            gate_activation: lstm.gate_activation,
            cell_activation: lstm.cell_activation,
            hidden_activation: lstm.hidden_activation,
            cache: Cache::default(),
        }
    }
}

impl From<Lstm> for burn::nn::Lstm {
    fn from(lstm: Lstm) -> Self {
        Self {
            input_gate: lstm.input_gate,
            forget_gate: lstm.forget_gate,
            output_gate: lstm.output_gate,
            cell_gate: lstm.cell_gate,
            d_hidden: lstm.d_hidden,
            batch_first: lstm.batch_first,
            reverse: lstm.reverse,
            clip: lstm.clip,
            input_forget: lstm.input_forget,
            gate_activation: lstm.gate_activation,
            cell_activation: lstm.cell_activation,
            hidden_activation: lstm.hidden_activation,
        }
    }
}

impl Lstm {
    /// From a sequence, `[batch, steps, inputs]`, all hidden states, `[batch, steps, hidden]`,
    /// and the last states, `[batch, hidden]`, to go on from; batch and steps change places where
    /// [`batch_first`](Self::batch_first) is not set. It begins with `state`, or zeros; gradients
    /// reach it through all that is returned.
    pub fn forward(
        &self,
        batched_input: Tensor<3>,
        state: Option<LstmState<2>>,
    ) -> (Tensor<3>, LstmState<2>) {
        let usual = matches!(self.gate_activation, Activation::Sigmoid(_))
            && matches!(self.cell_activation, Activation::Tanh(_))
            && matches!(self.hidden_activation, Activation::Tanh(_))
            && !self.reverse
            && !self.input_forget
            && self.clip.is_none();
        let controllers = self
            .forget_gate
            .as_ref()
            .map(|forget| [&self.input_gate, forget, &self.cell_gate, &self.output_gate]);
        let steps = batched_input.dims()[usize::from(self.batch_first)];
        let Some(controllers) =
            controllers.filter(|all| usual && steps > 0 && all.iter().all(|gate| pairs(gate)))
        else {
            return burn::nn::Lstm::from(self.clone()).forward(batched_input, state);
        };
        let turn = |x: Tensor<3>| if self.batch_first { x } else { x.swap_dims(0, 1) };
        let x = turn(batched_input);
        let [batch, ..] = x.dims();
        let state =
            state.unwrap_or_else(|| LstmState::initial([batch, self.d_hidden], &x.device()));
        let gates = controllers.map(gate);
        let (states, hidden, cell) =
            ops::lstm_cached(x, gates, state.hidden, state.cell, &self.cache);
        (turn(states), LstmState::new(cell, hidden))
    }
}

/// Gated recurrent unit (Cho and others, 2014); fields as in [`burn::nn::Gru`].
#[derive(Module, Debug)]
pub struct Gru {
    /// How much of the state stays.
    pub update_gate: GateController,
    /// How much of the state the candidate sees.
    pub reset_gate: GateController,
    /// The candidate for the state.
    pub new_gate: GateController,
    /// Hidden units.
    pub d_hidden: usize,
    /// Whether the reset gate acts after the product with the state, or before.
    pub reset_after: bool,
    /// The function of the gates.
    pub gate_activation: Activation,
    /// The function of the candidate.
    pub hidden_activation: Activation,
    /// States stay between minus this and this.
    pub clip: Option<f64>,
    #[module(skip)]
    cache: Cache,
}

impl From<burn::nn::Gru> for Gru {
    fn from(gru: burn::nn::Gru) -> Self {
        Self {
            update_gate: gru.update_gate,
            reset_gate: gru.reset_gate,
            new_gate: gru.new_gate,
            d_hidden: gru.d_hidden,
            reset_after: gru.reset_after,
            gate_activation: gru.gate_activation,
            hidden_activation: gru.hidden_activation,
            clip: gru.clip,
            cache: Cache::default(),
        }
    }
}

impl From<Gru> for burn::nn::Gru {
    fn from(gru: Gru) -> Self {
        Self {
            update_gate: gru.update_gate,
            reset_gate: gru.reset_gate,
            new_gate: gru.new_gate,
            d_hidden: gru.d_hidden,
            reset_after: gru.reset_after,
            gate_activation: gru.gate_activation,
            hidden_activation: gru.hidden_activation,
            clip: gru.clip,
        }
    }
}

impl Gru {
    /// From a sequence, `[batch, steps, inputs]`, all hidden states, `[batch, steps, hidden]`. It
    /// begins with `state`, `[batch, hidden]`, or zeros.
    pub fn forward(&self, batched_input: Tensor<3>, state: Option<Tensor<2>>) -> Tensor<3> {
        let [batch, steps, _] = batched_input.dims();
        let controllers = [&self.update_gate, &self.reset_gate, &self.new_gate];
        let usual = matches!(self.gate_activation, Activation::Sigmoid(_))
            && matches!(self.hidden_activation, Activation::Tanh(_))
            && self.reset_after
            && self.clip.is_none()
            && controllers.iter().all(|gate| pairs(gate));
        if !usual || steps == 0 {
            return burn::nn::Gru::from(self.clone()).forward(batched_input, state);
        }
        let state =
            state.unwrap_or_else(|| Tensor::zeros([batch, self.d_hidden], &batched_input.device()));
        ops::gru_cached(batched_input, controllers.map(gate), state, &self.cache)
    }

    /// The same, and the last state, `[batch, hidden]`, to go on from; gradients reach the first
    /// state through it.
    ///
    /// # Panics
    /// Where there is no step.
    pub fn forward_with_state(
        &self,
        batched_input: Tensor<3>,
        state: Option<Tensor<2>>,
    ) -> (Tensor<3>, Tensor<2>) {
        let states = self.forward(batched_input, state);
        let [batch, steps, _] = states.dims();
        assert!(steps > 0, "a sequence without steps has no last state");
        let last = states.clone().slice([0..batch, steps - 1..steps]).squeeze_dim(1);
        (states, last)
    }
}
