#!/usr/bin/env python3
"""Writes what torchvision's fasterrcnn_resnet50_fpn finds, for crates/detection/src/fasterrcnn_tests.rs.

    python3 make.py OUTDIR        needs torch, torchvision, numpy and pillow

Weights and images come from the formula of ../torchvision/make.py. The network is built as for
torchvision's weights for COCO: frozen batch normalisation whose epsilon is 0.
"""

import hashlib
import json
import os
import sys

import numpy as np
import torch
from torchvision.models import resnet50
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection._utils import overwrite_eps
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.ops.misc import FrozenBatchNorm2d

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "torchvision"))
from make import fill, noise

CLASSES = 21
# So that boxes are neither all the same nor all of the image, and some are sure.
SCALES = {
    "backbone.fpn.inner_blocks.": 0.01,
    "backbone.fpn.layer_blocks.": 0.5,
    "rpn.head.cls_logits.": 2.0,
    "rpn.head.bbox_pred.": 0.1,
    "roi_heads.box_head.": 2.0,
    "roi_heads.box_predictor.cls_score.": 6.0,
    "roi_heads.box_predictor.bbox_pred.": 3.0,
}
# Height, width, the lengths of shorter and longer sides, and what is added to the logit of the
# background, so that fewer boxes are above 0.05 than the 100 that are kept.
CASES = [
    (333, 500, 256, 427, 6.0),
    (333, 500, 800, 1333, 12.0),
    (600, 900, 800, 1333, 12.0),
]


def build(classes, sizes):
    backbone = _resnet_fpn_extractor(resnet50(weights=None, norm_layer=FrozenBatchNorm2d), 3)
    net = FasterRCNN(backbone, num_classes=classes, min_size=sizes[0], max_size=sizes[1])
    overwrite_eps(net, 0.0)
    return net.eval()


def image(height, width):
    """Slopes that wrap around, with noise, and a few plain rectangles."""
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    grain = np.floor((noise("picture", 0, y.size) + 1.0) * 16.0).astype(np.int64).reshape(y.shape)
    pixels = (x * (c + 2) + y * (5 - c) + grain) % 256
    for i in range(12):
        a, b, h, w = [int((noise("rectangles", 4 * i + k, 1)[0] + 1) * 512) for k in range(4)]
        top, left = a % height, b % width
        pixels[top : top + 20 + h % 120, left : left + 20 + w % 160] = [i * 20, 255 - i * 20, i * 7]
    return torch.from_numpy(pixels.astype(np.uint8)).permute(2, 0, 1)


def keys(classes):
    """SHA-256 of a line `KEY SHAPE` for each weight, sorted."""
    state = build(classes, (800, 1333)).state_dict()
    lines = sorted(f"{key} {list(tensor.shape)}\n" for key, tensor in state.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def main(out):
    torch.set_num_threads(1)
    net = build(CLASSES, (800, 1333))
    for key, tensor in net.state_dict().items():
        fill(key, tensor)
        tensor.mul_(next((scale for start, scale in SCALES.items() if key.startswith(start)), 1.0))
    cases, start = [], net.roi_heads.box_predictor.cls_score.bias[0].item()
    for height, width, shorter, longest, background in CASES:
        net.transform.min_size, net.transform.max_size = (shorter,), longest
        net.roi_heads.box_predictor.cls_score.bias.data[0] = start + background
        pixels = image(height, width)
        with torch.no_grad():
            found = net.float()([pixels.float() / 255])[0]
            # In double precision nothing else is found: the fixture hangs on no rounding.
            exact = net.double()([pixels.double() / 255])[0]
            net.float()
        far = max(float((found[key] - exact[key]).abs().max()) for key in ("boxes", "scores"))
        assert len(found["labels"]) < 100, (height, width, shorter, len(found["labels"]))
        assert far < 0.01 and found["labels"].equal(exact["labels"]), (height, width, shorter, far)
        cases.append(
            {
                "size": [height, width],
                "frame": [shorter, longest],
                "background": background,
                **{key: found[key].flatten().tolist() for key in ("boxes", "labels", "scores")},
            }
        )
    expected = {"classes": CLASSES, "keys": keys(91), "cases": cases}
    with open(os.path.join(out, "expected.json"), "w") as file:
        json.dump(expected, file)
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
