//! Recurrent networks for text and for images with words.
//!
//! A library user takes a trained run and asks it:
//!
//! ```no_run
//! use tenfold_core::suggest::Suggest;
//! use tenfold_sequence::language_model::Writer;
//!
//! # fn main() -> tenfold_core::Result<()> {
//! let device = tenfold_core::device::open("cpu")?;
//! let writer = Writer::from_file("runs/charlm-tinyshakespeare".as_ref(), &device)?;
//! for next in writer.suggest(&["To be, or no"], 3)?.remove(0) {
//!     println!("{} {:.1} %", next.answer, next.score * 100.0);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! or a layer for a network of their own: [`recurrent::StackConfig`].

pub mod answering;
pub mod batch;
pub mod beam;
pub mod bleu;
pub mod bpe;
pub mod captioning;
pub mod checked;
pub mod cider;
pub mod config;
mod dispatch;
#[cfg(feature = "cli")]
#[cfg(feature = "cli")]
pub mod flags;
pub mod images;
mod kind;
pub mod language_model;
pub mod models;
#[cfg(feature = "cli")]
mod predict;
#[cfg(feature = "cli")]
mod program;
pub mod recurrent;
pub mod splits;
#[cfg(feature = "cli")]
mod task;
pub mod text;
pub mod text_classifier;
pub mod translate;
pub mod vocab;
pub mod word_vectors;
mod zoo;

pub use zoo::Zoo;
