//! What detectors are made of, each useful by itself: boxes that compete, anchors, who is
//! responsible for which object, the numbers that stand for a box, a pyramid of maps, and the two
//! stages of R-CNNs.

pub mod anchors;
pub mod backbone;
pub mod coder;
pub mod focal;
pub mod images;
pub mod losses;
pub mod matcher;
pub mod multibox;
pub mod nms;
pub mod proposals;
pub mod pyramid;
pub mod regions;
pub mod sampler;
pub mod search;
pub mod two_stage;
pub mod word_tree;
