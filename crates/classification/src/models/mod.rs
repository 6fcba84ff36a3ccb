//! The models, one file each, and what they have in common.

pub mod alexnet;
mod checks;
pub mod densenet;
pub mod googlenet;
pub mod gradient_boosting;
pub mod hog_svm;
mod infer;
mod input;
pub mod knn;
pub mod layers;
pub mod lenet;
pub mod linear;
pub mod logistic;
pub mod mlp;
mod network;
mod pretrained;
pub mod random_forest;
pub mod resnet;
pub mod resnet_cifar;
mod sequential;
pub mod trees;
pub mod vgg;

pub use input::{Sizes, Stem, Takes};
pub use network::{
    Backbone, BackboneConfig, FROM_DATA, Fields, Fit, Level, Matrix, ModelConfig, Network,
    parameters,
};
pub(crate) use pretrained::infer;
pub use pretrained::{CONFIG_KEY, Pretrain, Pretrained};
