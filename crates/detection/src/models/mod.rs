//! The models, a file each, and what they have in common.

pub mod detector;
pub mod fasterrcnn;
pub mod retinanet;
pub mod yolov2_small;
