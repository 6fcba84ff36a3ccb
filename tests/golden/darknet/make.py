"""Writes what Darknet's YOLO networks answer, for crates/detection/src/darknet_tests.rs.

    python3 make.py OUTDIR        needs torch and numpy

A small reference program: yolov1-tiny.cfg and yolov2-voc.cfg as PyTorch computes them, reading a
`.weights` file as Darknet's parser does. The numbers of the file come from the formula of
../torchvision/make.py, so that both sides write it; expected are the raw outputs.
"""

import json
import math
import os
import struct
import sys

import numpy as np
import torch
from torch.nn import functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "torchvision"))
from make import noise  # noqa: E402

CLASSES = 20
# (filters, size) of each convolution with batch normalisation, "max" for a pool of 2.
TINY = [(16, 3), "max", (32, 3), "max", (64, 3), "max", (128, 3), "max", (256, 3), "max", (512, 3), "max", (1024, 3), (256, 3)]
DARKNET19 = [(32, 3), "max", (64, 3), "max", (128, 3), (64, 1), (128, 3), "max", (256, 3), (128, 1), (256, 3), "max"]
DARKNET19 += [(512, 3), (256, 1), (512, 3), (256, 1), (512, 3), "past", "max"]
DARKNET19 += [(1024, 3), (512, 1), (1024, 3), (512, 1), (1024, 3), (1024, 3), (1024, 3)]


class File:
    """A `.weights` file: written, part by part, and read again."""

    def __init__(self):
        self.bytes, self.count = [], 0

    def numbers(self, count, base, scale):
        values = (base + scale * noise("darknet", self.count, count)).astype("<f4")
        self.count += count
        self.bytes.append(values.tobytes())

    def conv(self, inputs, outputs, size, normalised):
        self.numbers(outputs, 0.0, 0.05)  # biases
        if normalised:
            self.numbers(outputs, 0.9, 0.25)  # scales
            self.numbers(outputs, 0.0, 0.2)  # means
            self.numbers(outputs, 1.0, 0.5)  # variances
        fan_in = inputs * size * size
        self.numbers(outputs * fan_in, 0.0, math.sqrt(6.0 / fan_in))

    def whole(self):
        return struct.pack("<iiiQ", 0, 2, 0, 64) + b"".join(self.bytes)


class Reader:
    """load_weights of parser.c."""

    def __init__(self, data):
        major, minor, _ = struct.unpack_from("<iii", data)
        header = 20 if major * 10 + minor >= 2 else 16
        self.values, self.at = torch.from_numpy(np.frombuffer(data, "<f4", offset=header).copy()), 0

    def take(self, *shape):
        count = math.prod(shape)
        self.at += count
        return self.values[self.at - count : self.at].reshape(shape)

    def conv(self, x, outputs, size):
        """Convolution, normalize_cpu, leaky_activate."""
        biases, scales, means, variances = (self.take(outputs) for _ in range(4))
        x = F.conv2d(x, self.take(outputs, x.shape[1], size, size), padding=size // 2)
        by = lambda numbers: numbers[None, :, None, None]
        x = (x - by(means)) / (by(variances).sqrt() + 0.000001)
        return F.leaky_relu(x * by(scales) + by(biases), 0.1)


def reorg(x, stride=2):
    """reorg_cpu of blas.c, forward = 0, loop by loop."""
    c, h, w = x.shape[1:]
    flat, out = x.reshape(-1).numpy(), np.empty(x.numel(), np.float32)
    out_c = c // (stride * stride)
    for k in range(c):
        for j in range(h):
            for i in range(w):
                c2, offset = k % out_c, k // out_c
                w2, h2 = i * stride + offset % stride, j * stride + offset // stride
                out[i + w * (j + h * k)] = flat[w2 + w * stride * (h2 + h * stride * c2)]
    return torch.from_numpy(out).reshape(1, c * stride * stride, h // stride, w // stride)


def image(side):
    return torch.from_numpy(noise("input", 0, 3 * side * side).astype(np.float32) / 2 + 0.5).reshape(1, 3, side, side)


def write(layers, inputs=3):
    file = File()
    for layer in layers:
        if layer in ("max", "past"):
            continue
        file.conv(inputs, *layer, True)
        inputs = layer[0]
    return file


def body(reader, layers, x):
    past = None
    for layer in layers:
        if layer == "max":
            x = F.max_pool2d(x, 2)
        elif layer == "past":
            past = x
        else:
            x = reader.conv(x, *layer)
    return x, past


def yolov1(side):
    file = write(TINY)
    cells, boxes = (side // 64) ** 2, 2
    outputs = cells * (CLASSES + 5 * boxes)
    file.conv(256 * cells, outputs, 1, False)
    reader = Reader(file.whole())
    x, _ = body(reader, TINY, image(side))
    biases = reader.take(outputs)
    return F.linear(x.flatten(1), reader.take(outputs, 256 * cells), biases), file, reader


def yolov2(side):
    file = write(DARKNET19)
    outputs = 5 * (5 + CLASSES)
    file.conv(512, 64, 1, True)
    file.conv(1024 + 256, 1024, 3, True)
    file.conv(1024, outputs, 1, False)
    reader = Reader(file.whole())
    x, past = body(reader, DARKNET19, image(side))
    x = torch.cat([reorg(reader.conv(past, 64, 1)), x], 1)
    x = reader.conv(x, 1024, 3)
    biases = reader.take(outputs)
    return F.conv2d(x, reader.take(outputs, 1024, 1, 1), biases), file, reader


def main(out):
    torch.set_num_threads(1)
    cases = {}
    with torch.no_grad():
        for name, network, side in [("yolov1", yolov1, 128), ("yolov2", yolov2, 96)]:
            answer, file, reader = network(side)
            assert reader.at == file.count == reader.values.numel()
            cases[name] = {"side": side, "numbers": file.count, "output": answer.flatten().tolist()}
            print(name, file.count, answer.abs().max())
    with open(os.path.join(out, "expected.json"), "w") as file:
        json.dump({"classes": CLASSES, "cases": cases}, file)
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
