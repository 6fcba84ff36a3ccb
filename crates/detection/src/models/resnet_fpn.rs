//! What torchvision's detectors on ResNet-50 have in common: the backbone with its pyramid, and the
//! way from an image to their input.

use super::detector::Seen;
use crate::parts::pyramid::{Coarsest, Pyramid};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use tenfold_classification::models::layers::MapLayer;
use tenfold_classification::models::resnet::{ResNet, ResNetConfig};
use tenfold_classification::models::{Backbone, BackboneConfig, ModelConfig};
use tenfold_core::data::{Preprocess, Resize};
use tenfold_kernels::nn::BatchNorm;

/// ResNet-50 with a pyramid over its last maps.
#[derive(Module, Debug)]
pub struct ResNetFpn {
    body: ResNet,
    fpn: Pyramid,
}

/// The pyramid halves maps so far.
const MULTIPLE: usize = 32;
/// The longest side that images get when nothing is said.
const MOST_SIDE: usize = 512;

impl ResNetFpn {
    /// Over the levels of the backbone from this one on; the rest as [`Pyramid::new`]. With
    /// `frozen` the backbone's normalisation stays as it is, without an epsilon, as torchvision's
    /// weights for COCO want it.
    pub fn new(first: usize, convolved: Option<Coarsest>, freeze: bool, device: &Device) -> Self {
        let config = ResNetConfig::resnet50(0).without_head();
        let levels = config.levels();
        let channels: Vec<usize> = levels[first..].iter().map(|level| level.channels).collect();
        let body = config.init(device);
        Self {
            body: if freeze { frozen(body) } else { body },
            fpn: Pyramid::new(&channels, convolved, device),
        }
    }

    /// Images `[batch, 3, height, width]` to the levels, from fine to coarse.
    pub fn forward(&self, images: Tensor<4>, further: Coarsest) -> Vec<Tensor<4>> {
        let stages = self.body.stages(images);
        let first = stages.len() - self.fpn.inputs();
        self.fpn.forward(stages.into_iter().skip(first).map(|(_, map)| map).collect(), further)
    }

    /// The backbone.
    #[cfg(test)]
    pub fn body(&self) -> &ResNet {
        &self.body
    }
}

/// The side of the input, and that of the smallest anchors in strides of the finest level, which
/// suit the data: as large as the small boxes, `most` at the most.
pub fn suited(seen: &Seen, stride: usize, most: f32) -> (usize, f32) {
    let longest = seen.image[0].max(seen.image[1]);
    let side = longest.next_multiple_of(MULTIPLE).clamp(2 * MULTIPLE, MOST_SIDE);
    let mut sides: Vec<f32> = seen.sides.iter().map(|[w, h]| (w * h).sqrt()).collect();
    sides.sort_by(f32::total_cmp);
    let small = sides.get(sides.len() / 10).copied().unwrap_or(1.0) * side as f32;
    (side, (small / stride as f32).round().clamp(1.0, most))
}

/// Refuses a side and a scale of anchors that cannot work.
///
/// # Errors
/// Which of them, and what is expected.
pub fn check(side: usize, scale: f32) -> Result<(), String> {
    if side == 0 || !side.is_multiple_of(MULTIPLE) || side > 4096 {
        return Err(format!("side={side}: expected a multiple of {MULTIPLE}, 4096 at most"));
    }
    match (0.5..=16.0).contains(&scale) {
        true => Ok(()),
        false => Err(format!("scale={scale}: expected 0.5 to 16")),
    }
}

/// Letterboxed to a square, in ImageNet's numbers, as the backbone's weights of others want them.
pub fn square(side: usize) -> Preprocess {
    let (mean, std) = (vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225]);
    let resize = Resize::Letterbox;
    Preprocess::Image { channels: 3, height: side, width: side, resize, mean, std }
}

/// The same numbers in the sizes that torchvision's weights for COCO want.
pub fn torchvision() -> Preprocess {
    let mut own = square(1344);
    if let Preprocess::Image { resize, .. } = &mut own {
        *resize = Resize::Sides { shorter: 800, longer: 1333, multiple: MULTIPLE };
    }
    own
}

/// A backbone whose normalisation stays as it is, without an epsilon.
fn frozen(mut body: ResNet) -> ResNet {
    let freeze = |norm: &mut BatchNorm| {
        *norm = BatchNorm { epsilon: 0.0, ..norm.clone().freeze() };
    };
    freeze(&mut body.bn1);
    let stages = [&mut body.layer1, &mut body.layer2, &mut body.layer3, &mut body.layer4];
    for block in stages.into_iter().flatten() {
        [&mut block.bn1, &mut block.bn2].into_iter().chain(&mut block.bn3).for_each(freeze);
        for layer in &mut block.downsample {
            if let MapLayer::Norm(norm) = layer {
                freeze(norm);
            }
        }
    }
    body
}
