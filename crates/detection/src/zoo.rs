//! The closed list of this crate's models: names, cards, and the one macro that goes from a name
//! to a type.

use crate::models::detector::{DetectorConfig, Seen};
use tenfold_classification::models::parameters;
use tenfold_core::data::scenes;
use tenfold_core::device;
use tenfold_core::zoo::{self, Card};

/// The models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zoo {
    /// Parts of one's choice.
    Composed,
    /// Fast R-CNN.
    FastRcnn,
    /// Faster R-CNN, ResNet-50 with a feature pyramid.
    FasterRcnn,
    /// Faster R-CNN, VGG16.
    FasterRcnnVgg16,
    /// Oriented gradients under support vector machines.
    Hog,
    /// R-CNN.
    Rcnn,
    /// RetinaNet, ResNet-50 with a feature pyramid.
    RetinaNet,
    /// SSD, 300 x 300 pixels.
    Ssd300,
    /// SSD, 512 x 512 pixels.
    Ssd512,
    /// YOLO, small.
    YoloV1,
    /// YOLO v2.
    YoloV2,
    /// YOLO v2, small.
    YoloV2Small,
    /// YOLO9000.
    Yolo9000,
}

impl zoo::Zoo for Zoo {
    const TASK: &'static str = "detection";
    const ALL: &'static [(Self, &'static str)] = &[
        (Self::Composed, "composed"),
        (Self::FastRcnn, "fast_rcnn"),
        (Self::FasterRcnn, "fasterrcnn_resnet50_fpn"),
        (Self::FasterRcnnVgg16, "fasterrcnn_vgg16"),
        (Self::Hog, "hog"),
        (Self::Rcnn, "rcnn"),
        (Self::RetinaNet, "retinanet_resnet50_fpn"),
        (Self::Ssd300, "ssd300_vgg16"),
        (Self::Ssd512, "ssd512_vgg16"),
        (Self::YoloV1, "yolov1"),
        (Self::YoloV2, "yolov2"),
        (Self::YoloV2Small, "yolov2_small"),
        (Self::Yolo9000, "yolo9000"),
    ];
}

/// Runs `$body` with `$Config` as the Config type of a model.
macro_rules! with_config {
    ($zoo:expr, $Config:ident => $body:expr) => {
        match $zoo {
            $crate::zoo::Zoo::Composed
            | $crate::zoo::Zoo::FastRcnn
            | $crate::zoo::Zoo::FasterRcnnVgg16 => {
                type $Config = $crate::models::composed::ComposedConfig;
                $body
            }
            $crate::zoo::Zoo::FasterRcnn => {
                type $Config = $crate::models::fasterrcnn::FasterRcnnConfig;
                $body
            }
            $crate::zoo::Zoo::Hog => {
                type $Config = $crate::models::hog::HogConfig;
                $body
            }
            $crate::zoo::Zoo::Rcnn => {
                type $Config = $crate::models::rcnn::RcnnConfig;
                $body
            }
            $crate::zoo::Zoo::RetinaNet => {
                type $Config = $crate::models::retinanet::RetinaNetConfig;
                $body
            }
            $crate::zoo::Zoo::Ssd300 => {
                type $Config = $crate::models::ssd::SsdConfig<300>;
                $body
            }
            $crate::zoo::Zoo::Ssd512 => {
                type $Config = $crate::models::ssd::SsdConfig<512>;
                $body
            }
            $crate::zoo::Zoo::YoloV1 => {
                type $Config = $crate::models::yolov1::YoloV1Config;
                $body
            }
            $crate::zoo::Zoo::YoloV2 => {
                type $Config = $crate::models::yolov2::YoloV2Config;
                $body
            }
            $crate::zoo::Zoo::YoloV2Small => {
                type $Config = $crate::models::yolov2_small::YoloV2SmallConfig;
                $body
            }
            $crate::zoo::Zoo::Yolo9000 => {
                type $Config = $crate::models::yolo9000::Yolo9000Config;
                $body
            }
        }
    };
}
pub(crate) use with_config;

impl Zoo {
    /// The line of `models`.
    pub fn card(self) -> Card {
        let (title, paper, year) = match self {
            Self::Composed => (
                "parts of one's choice",
                "Lin et al., Feature Pyramid Networks for Object Detection",
                2017,
            ),
            Self::FastRcnn => ("Fast R-CNN", "Girshick, Fast R-CNN", 2015),
            Self::FasterRcnnVgg16 => (
                "Faster R-CNN, VGG16",
                "Ren et al., Faster R-CNN: Towards Real-Time Object Detection",
                2015,
            ),
            Self::FasterRcnn => (
                "Faster R-CNN, ResNet-50-FPN",
                "Ren et al., Faster R-CNN: Towards Real-Time Object Detection",
                2015,
            ),
            Self::Hog => (
                "HOG windows, linear SVM",
                "Dalal and Triggs, Histograms of Oriented Gradients for Human Detection",
                2005,
            ),
            Self::Rcnn => (
                "R-CNN",
                "Girshick et al., Rich Feature Hierarchies for Accurate Object Detection",
                2014,
            ),
            Self::RetinaNet => (
                "RetinaNet, ResNet-50-FPN",
                "Lin et al., Focal Loss for Dense Object Detection",
                2017,
            ),
            Self::Ssd300 => {
                ("SSD300, VGG16", "Liu et al., SSD: Single Shot MultiBox Detector", 2016)
            }
            Self::Ssd512 => {
                ("SSD512, VGG16", "Liu et al., SSD: Single Shot MultiBox Detector", 2016)
            }
            Self::YoloV1 => ("YOLO, tiny", "Redmon et al., You Only Look Once", 2016),
            Self::YoloV2 => {
                ("YOLO v2", "Redmon and Farhadi, YOLO9000: Better, Faster, Stronger", 2017)
            }
            Self::Yolo9000 => {
                ("YOLO9000, small", "Redmon and Farhadi, YOLO9000: Better, Faster, Stronger", 2017)
            }
            Self::YoloV2Small => {
                ("YOLO v2, small", "Redmon and Farhadi, YOLO9000: Better, Faster, Stronger", 2017)
            }
        };
        let name = zoo::Zoo::name(self);
        let seen = Seen { model: name, ..Seen::example(scenes::classes().len(), 1) };
        let parameters = with_config!(self, Config => {
            device::open("cpu").map_or(0, |cpu| parameters(&Config::new(&seen).init(&cpu)))
        });
        Card { name, title, paper, year, parameters, data: scenes::NAME }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::zoo::Zoo as _;

    #[test]
    fn every_model_has_a_card_and_a_network() {
        for &(model, name) in Zoo::ALL {
            let card = model.card();
            assert!(card.parameters > 0 && card.year > 2000, "{card:?}");
            assert_eq!((card.name, Zoo::named(name)), (name, Some(model)));
        }
    }
}
