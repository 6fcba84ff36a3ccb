//! The models, a file each, and what they have in common.

pub mod composed;
pub mod darknet;
pub mod detector;
pub mod fasterrcnn;
pub mod hog;
pub mod rcnn;
pub mod region;
pub mod resnet_fpn;
pub mod retinanet;
pub mod ssd;
pub mod yolo9000;
pub mod yolov1;
pub mod yolov2;
pub mod yolov2_small;
