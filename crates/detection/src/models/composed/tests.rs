//! What goes together and what does not.

use super::*;
use tenfold_core::device;
use tenfold_core::train::random_stream;

fn seen(model: &'static str, side: usize) -> Seen {
    Seen { model, image: [side; 2], sides: vec![[0.25, 0.3]; 9], ..Seen::example(2, 1) }
}

#[test]
fn every_neck_and_head_has_a_loss_and_finds_boxes() {
    let device = device::autodiff_device(&device::open("cpu").unwrap(), 1);
    let _stream = random_stream();
    let own = Object { label: 1, bounding_box: BoundingBox::new(8.0, 8.0, 30.0, 24.0), mask: None };
    use HeadKind::{FastRcnn, FasterRcnn, Retinanet, Ssd, Yolov2};
    for head in [Retinanet, Ssd, Yolov2, FasterRcnn, FastRcnn] {
        for neck in [Neck::Fpn, Neck::None] {
            let config = ComposedConfig::new(&seen("composed", 64));
            let config = ComposedConfig { head, neck, units: 16, ..config };
            if (head, neck) == (Retinanet, Neck::None) {
                assert!(config.check().unwrap_err().starts_with("head=retinanet"));
                continue;
            }
            config.check().unwrap();
            let network = config.init(&device);
            let images = || Tensor::ones([2, 3, 64, 64], &device);
            for truth in [vec![vec![], vec![]], vec![vec![own.clone()], vec![]]] {
                let loss = config.loss(&network, images(), &truth);
                let value = loss.total.clone().into_scalar::<f32>();
                assert!(value.is_finite(), "{head:?} {neck:?}");
                let _ = loss.total.backward();
            }
            let found = config.detect(&network, images(), &[[64, 64], [40, 64]]);
            assert_eq!(found.len(), 2);
        }
    }
}

#[test]
fn what_cannot_be_put_together_is_refused() {
    let config = || ComposedConfig::new(&seen("composed", 64));
    let refused = |config: ComposedConfig, why: &str| {
        let said = config.check().unwrap_err();
        assert!(said.starts_with(why), "{said}");
    };
    refused(
        ComposedConfig { backbone: "resnet19".into(), ..config() },
        "backbone=resnet19 (did you mean",
    );
    refused(ComposedConfig { side: 50, ..config() }, "side=50: expected a multiple of 32");
    refused(ComposedConfig { finest: 3, ..config() }, "finest=3: resnet20 has maps of 1, 2, 4");
    refused(ComposedConfig { scale: f32::NAN, ..config() }, "scale=NaN");
    refused(ComposedConfig { units: 0, ..config() }, "units=0: expected 1 to 16384");
    refused(ComposedConfig { backbone: "alexnet".into(), finest: 16, ..config() }, "");
}

#[test]
fn names_stand_for_the_papers_parts() {
    let faster = ComposedConfig::new(&seen(FASTER_RCNN_VGG16, 600));
    assert_eq!((&faster.backbone[..], faster.finest, faster.neck), ("vgg16", 16, Neck::None));
    assert_eq!((faster.units, faster.pooling, faster.sizes().len()), (4096, Pooling::Max, 3));
    let levels = faster.levels();
    assert_eq!((levels.len(), levels[0].channels), (1, 512));
    let fast = ComposedConfig::new(&seen(FAST_RCNN, 600));
    assert_eq!((fast.head, fast.proposals, fast.samples), (HeadKind::FastRcnn, 2000, 128));
    for preset in [faster.check(), fast.check()] {
        preset.unwrap();
    }
}
