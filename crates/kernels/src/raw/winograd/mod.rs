//! Convolution by 3 x 3 with stride 1 in fewer multiplications: F(2x2, 3x3) of A. Lavin and
//! S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR (2016),
//! arXiv:1509.09308, section 4.1.
//!
//! A tile of 4 x 4 inputs gives 2 x 2 outputs by 16 multiplications for each pair of channels
//! where there were 36. Each of the 16 is a matrix product of tiles by channels.

mod forward;
mod tiles;
mod weight_gradient;

pub(crate) use tiles::Winograd;
