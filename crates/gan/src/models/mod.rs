//! The models, one file each, and what they have in common.

pub mod cgan;
pub mod config;
pub mod cyclegan;
pub mod dcgan;
pub mod gan;
pub mod infogan;
pub mod network;
pub mod noise;
pub mod norm;
pub mod patchgan;
pub mod pix2pix;
pub mod spectral;
pub mod translate;
pub mod translators;
pub mod wgan;
pub mod wgan_gp;
