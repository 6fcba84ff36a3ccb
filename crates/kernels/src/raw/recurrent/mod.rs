//! Recurrent layers over whole sequences, and their gradients by back-propagation through
//! time: the long short-term memory (Hochreiter and Schmidhuber, "Long Short-Term Memory",
//! 1997, with the forget gate of Gers and others, 2000) and the gated recurrent unit (Cho and
//! others, 2014, arXiv:1406.1078v1: the reset gate acts after the product).
//!
//! B: rows of the batch, T: steps, I: inputs, H: hidden units. Sequences are `[B, T, ...]`,
//! states `[B, H]`. The products with the input are made for all steps at once, as are the
//! gradients for weights and input; only `h * weight` goes step by step. No row of the batch
//! needs another one, so that each thread takes some rows through all steps.

mod gates;
mod gru;
mod lstm;
mod matrix;
mod sequence;
mod weights;

pub use gates::{Gate, GateGradient, Gradients};
pub use gru::{GruKept, gru, gru_backward, gru_with};
pub use lstm::{LstmKept, lstm, lstm_backward, lstm_with};
pub use sequence::{Sequence, Sizes};
pub use weights::Weights;
