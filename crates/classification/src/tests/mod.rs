//! What must hold for every model of the zoo.

mod backbones;
mod explain;
mod fields;
mod layerwise;
#[cfg(feature = "cli")]
mod predicting;
mod pretrained;
#[cfg(feature = "cli")]
mod retraining;
#[cfg(feature = "cli")]
mod starting;
mod torchvision;
