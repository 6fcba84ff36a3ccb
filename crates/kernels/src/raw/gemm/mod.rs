//! Matrix products whose left rows lie anywhere: the heart of convolution, linear layers and
//! recurrence.
//!
//! A product sums over `taps * depth` terms. Row `i` of the left matrix is found at
//! `rows[i] + taps[t]`, `depth` floats for each tap `t`: for a plain matrix there is one tap,
//! for a convolution one for each place of the kernel, so that no patch is ever copied
//! ("indirect" convolution, Dukhan 2019, arXiv:1907.02129). The right matrix is packed in
//! panels of columns ([`Packed`]).

mod outer;
mod packed;
mod rows;

pub(crate) use outer::{Outer, accumulate, outer_rows};
pub(crate) use packed::panel_width;
pub use packed::{Aligned, Packed};
pub use rows::Epilogue;
pub(crate) use rows::{Rows, multiply, multiply_part};
