//! What detectors are made of, each useful by itself: boxes that compete, anchors, who is
//! responsible for which object, and the numbers that stand for a box.

pub mod anchors;
pub mod coder;
pub mod matcher;
pub mod nms;
pub mod sampler;
