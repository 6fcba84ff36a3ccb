#!/usr/bin/env python3
"""Writes what torchvision.ops makes of regions of interest, for crates/kernels/tests/roi.rs.

    python3 make.py OUTDIR        needs torch, torchvision and numpy

Maps and the gradients that come back come from a formula of integers that both sides compute.
torchvision's ps_roi_pool leaves out the last row and column of the map, its gradient does not (0.29):
no gradient comes back from regions that reach them.
"""

import json
import os
import struct
import sys

import numpy as np
import torch
from torchvision import ops

SHAPE, OUTPUT, SCALE = [2, 12, 9, 11], (2, 3), 0.5
# Image, x1, y1, x2, y2 in pixels of images of 22 x 18.
ROIS = [
    [0, 2.0, 3.0, 14.0, 11.0],
    [1, 1.3, 0.7, 20.9, 17.2],
    [0, -6.0, -3.5, 9.1, 8.2],  # beyond the upper left corner
    [1, 15.0, 12.0, 40.0, 33.0],  # beyond the lower right one
    [1, 7.0, 7.0, 7.0, 7.0],  # empty
    [0, 12.5, 10.5, 6.5, 4.5],  # swapped corners
    [0, 100.0, 100.0, 130.0, 140.0],  # outside
    [1, 0.0, 0.0, 22.0, 18.0],  # all of it
    [0, 5.1, 6.2, 5.9, 6.6],  # less than a pixel
]


def noise(key, count):
    """Numbers in -1..1 from an integer hash of a key and of places."""
    x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1) ^ np.uint32(key)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x2C1B3C6D)
    x = (x ^ (x >> np.uint32(12))) * np.uint32(0x297A2D39)
    x ^= x >> np.uint32(15)
    return ((x >> np.uint32(8)).astype(np.float64) / 8388608.0 - 1.0).astype(np.float32)


def main(out):
    torch.set_num_threads(1)
    rois = torch.tensor(ROIS)
    cases = {
        f"align_{samples}_{aligned}": lambda x, s=samples, a=aligned: ops.roi_align(
            x, rois, OUTPUT, SCALE, sampling_ratio=s, aligned=bool(a)
        )
        for samples in (0, 3)
        for aligned in (0, 1)
    }
    cases["pool"] = lambda x: ops.roi_pool(x, rois, OUTPUT, SCALE)
    cases["sensitive"] = lambda x: ops.ps_roi_pool(x, rois, OUTPUT, SCALE)
    tensors = {"rois": rois.numpy()}
    for name, case in cases.items():
        x = torch.from_numpy(noise(1, int(np.prod(SHAPE))).reshape(SHAPE)).requires_grad_()
        y = case(x)
        back = torch.from_numpy(noise(2, y.numel())).reshape(y.shape)
        if name == "sensitive":
            back[(rois[:, 3] >= 20) | (rois[:, 4] >= 16)] = 0
        y.backward(back)
        tensors[f"{name}.y"], tensors[f"{name}.dx"] = y.detach().numpy(), x.grad.numpy()
    header, at = {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [at, at + tensor.nbytes]}
        at += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(out, "expected.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(np.ascontiguousarray(tensor).tobytes() for tensor in tensors.values())


main(sys.argv[1])
