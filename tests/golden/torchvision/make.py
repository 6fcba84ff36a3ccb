"""Writes what torchvision's networks answer, for crates/classification/src/tests/torchvision.rs.

    python3 make.py OUTDIR        needs torch, torchvision, numpy and pillow

Weights, inputs and the picture come from a formula of integers that both sides compute, so
that a few kilobytes stand for a gigabyte of weights.
"""

import hashlib
import json
import math
import os
import sys

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torchvision import transforms

CLASSES = 10
NAMES = (
    ["alexnet", "googlenet"]
    + [f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")]
    + [f"resnet{depth}" for depth in (18, 34, 50, 101, 152)]
    + [f"densenet{depth}" for depth in (121, 161, 169, 201)]
)
CIFAR = {f"resnet{6 * n + 2}": n for n in (3, 5, 7, 9)}


def noise(key, start, count):
    """Numbers in -1..1 from an integer hash of a key and of places."""
    h = np.uint32(2166136261)
    with np.errstate(over="ignore"):
        for byte in key.encode():
            h = (h ^ np.uint32(byte)) * np.uint32(16777619)
        x = np.arange(start, start + count, dtype=np.uint32) * np.uint32(0x9E3779B1) ^ h
        x = (x ^ (x >> np.uint32(15))) * np.uint32(0x2C1B3C6D)
        x = (x ^ (x >> np.uint32(12))) * np.uint32(0x297A2D39)
        x ^= x >> np.uint32(15)
    return (x >> np.uint32(8)).astype(np.float64) / 8388608.0 - 1.0


def fill(key, tensor):
    """Weights of a size that keeps activations in range in every network."""
    shape = list(tensor.shape)
    fan_in = math.prod(shape[1:])
    if key.endswith("running_var"):
        base, scale = 1.0, 0.5
    elif key.endswith("running_mean"):
        base, scale = 0.0, 0.2
    elif key.endswith("bias"):
        base, scale = 0.0, 0.05
    elif len(shape) == 1:
        base, scale = 0.9, 0.25
    elif len(shape) == 2:
        base, scale = 0.0, 0.5 * math.sqrt(3.0 / fan_in)
    else:
        base, scale = 0.0, math.sqrt(6.0 / fan_in)
    flat = tensor.view(-1).numpy()
    step = 1 << 22
    for start in range(0, flat.size, step):
        count = min(step, flat.size - start)
        flat[start : start + count] = base + scale * noise(key, start, count)


def filled(net):
    for key, tensor in net.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            fill(key, tensor)
    return net.eval()


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.more = stride, outputs - inputs

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        # Option A: every second pixel, zeros for the new channels, behind the old ones.
        return F.relu(y + F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more)))


class Cifar(nn.Module):
    """The networks of section 4.2 of the ResNet paper, which torchvision lacks."""

    def __init__(self, n, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        stage = lambda i, o, s: nn.Sequential(Block(i, o, s), *(Block(o, o, 1) for _ in range(n - 1)))
        self.layer1, self.layer2, self.layer3 = stage(16, 16, 1), stage(16, 32, 2), stage(32, 64, 2)
        self.fc = nn.Linear(64, classes)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.fc(x.mean((2, 3)))


def build(name, classes):
    if name in CIFAR:
        return Cifar(CIFAR[name], classes)
    options = {"init_weights": False} if name == "googlenet" else {}
    return torchvision.models.get_model(name, weights=None, num_classes=classes, **options)


def keys(name):
    """SHA-256 of a line `KEY SHAPE` for each weight of the network for ImageNet, sorted."""
    with torch.device("meta"):
        state = build(name, 1000).state_dict()
    lines = sorted(
        f"{key} {list(tensor.shape)}\n"
        for key, tensor in state.items()
        if not key.endswith("num_batches_tracked")
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def learnt(name):
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build(name, 1000).parameters())


def answer(net, name, size):
    shape = [2, 3, size, size]
    x = torch.from_numpy(noise("input", 0, math.prod(shape)).astype(np.float32)).reshape(shape)
    return {"model": name, "shape": shape, "logits": net(x).flatten().tolist()}


def picture(width=300, height=260):
    """Slopes that wrap around, with noise."""
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    grain = np.floor((noise("picture", 0, y.size) + 1.0) * 16.0).astype(np.int64).reshape(y.shape)
    return Image.fromarray(((x * (c + 2) + y * (5 - c) + grain) % 256).astype(np.uint8))


def main(out):
    os.makedirs(out, exist_ok=True)
    cases, pipeline = [], {}
    with torch.no_grad():
        for name in [*NAMES, *CIFAR]:
            net = filled(build(name, CLASSES))
            cases.append(answer(net, name, 32 if name in CIFAR else 64))
            if name in ("alexnet", "vgg11"):
                cases.append(answer(net, name, 224))
            if name == "googlenet":
                net.transform_input = True
                cases.append({**answer(net, name, 64), "transform_input": True})
            if name == "resnet18":
                look = transforms.Compose(
                    [
                        transforms.Resize(256),
                        transforms.CenterCrop(224),
                        transforms.ToTensor(),
                        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
                    ]
                )
                scores = net(look(picture()).unsqueeze(0)).softmax(1)
                pipeline = {"model": name, "probabilities": scores.flatten().tolist()}
            del net
    expected = {
        "cases": cases,
        "pipeline": pipeline,
        "keys": {name: keys(name) for name in [*NAMES, *CIFAR]},
        "parameters": {name: learnt(name) for name in [*NAMES, *CIFAR]},
    }
    with open(os.path.join(out, "expected.json"), "w") as file:
        json.dump(expected, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
