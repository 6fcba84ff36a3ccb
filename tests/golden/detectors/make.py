"""Writes what torchvision's detectors answer, for crates/detection/src/torchvision_tests.rs.

    python3 make.py OUTDIR        needs torch, torchvision, numpy and pillow

Weights and images come from the formulas of ../torchvision/make.py. The networks are built as for
torchvision's weights for COCO, whose batch normalisation has no epsilon. A detector's head is scaled and made to doubt, so that scores lie
between 0 and 1 and few boxes are found.
"""

import hashlib
import json
import os
import sys

import torch
from torchvision.models import detection
from torchvision.transforms.functional import to_tensor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "torchvision"))
from make import fill, picture  # noqa: E402

CLASSES = 4
# Outputs of the background; the scale of the head's weights; how much less is thought of each class; images.
MODELS = {
    "ssd300_vgg16": (1, 0.02, 14.5, [(500, 333), (300, 260), (900, 600)]),
    "retinanet_resnet50_fpn": (0, 0.22, 3.8, [(500, 333)]),
}


def build(name, classes):
    net = getattr(detection, name)(weights=None, weights_backbone=None, num_classes=classes)
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.eps = 0.0
    return net


def learnt(state):
    return {key: tensor for key, tensor in state.items() if not key.endswith("num_batches_tracked")}


def keys(name, background):
    """SHA-256 of a line `KEY SHAPE` for each weight of the network for COCO, sorted."""
    state = learnt(build(name, 90 + background).state_dict())
    lines = sorted(f"{key} {list(tensor.shape)}\n" for key, tensor in state.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def main(out):
    torch.set_num_threads(1)
    cases = []
    with torch.no_grad():
        for name, (background, gain, doubt, sizes) in MODELS.items():
            net = build(name, CLASSES + background).eval()
            for key, tensor in learnt(net.state_dict()).items():
                fill(key, tensor)
                if key.startswith("head.") and key.endswith("weight"):
                    tensor *= gain
                if "classification_head" in key and key.endswith("bias") and "conv." not in key:
                    outputs = CLASSES + background
                    tensor.view(-1, outputs)[:, background:] -= doubt
            images = []
            for size in sizes:
                [found] = net([to_tensor(picture(*size))])
                assert len(found["scores"]) < (200 if background else 300), "cut: others could be found as well"
                rows = zip(found["labels"].tolist(), found["scores"].tolist(), found["boxes"].tolist())
                # What was cut at the image's edge until nothing was left is no box of ours.
                objects = [
                    {"label": label - background, "score": score, "box": box}
                    for label, score, box in rows
                    if box[0] < box[2] and box[1] < box[3]
                ]
                print(name, size, len(objects), "boxes")
                images.append({"size": size, "objects": objects})
            digest = keys(name, background)
            cases.append({"model": name, "gain": gain, "doubt": doubt, "keys": digest, "images": images})
    with open(os.path.join(out, "expected.json"), "w") as file:
        json.dump({"classes": CLASSES, "cases": cases}, file)
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
