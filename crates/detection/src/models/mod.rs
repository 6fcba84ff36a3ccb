//! The models, a file each, and what they have in common.

pub mod detector;
pub mod retinanet;
pub mod ssd;
pub mod yolov2_small;
