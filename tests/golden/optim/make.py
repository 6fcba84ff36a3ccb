"""Writes the numbers that the tests of crates/core/src/train/optim.rs compare with.

    python3 make.py OUTDIR        needs torch

Each optimiser takes 20 steps on f(p) = 1/2 sum a_i (p_i - t_i)^2 in double precision.
"""

import json
import pathlib
import sys

import torch

A = [1.0, 4.0, 0.25]
TARGET = [1.0, -2.0, 0.5]
START = [-0.3, 0.7, 2.0]
KEPT = [1, 2, 5, 20]

CASES = {
    "sgd": (torch.optim.SGD, dict(lr=0.1)),
    "sgd_momentum": (torch.optim.SGD, dict(lr=0.05, momentum=0.9)),
    "sgd_nesterov_decay": (
        torch.optim.SGD,
        dict(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    ),
    "adam": (torch.optim.Adam, dict(lr=0.1)),
    "adam_decay": (torch.optim.Adam, dict(lr=0.1, betas=(0.5, 0.9), weight_decay=0.02)),
    "adamw": (torch.optim.AdamW, dict(lr=0.1)),
    "adamw_decay": (torch.optim.AdamW, dict(lr=0.1, weight_decay=0.2)),
    "rmsprop": (torch.optim.RMSprop, dict(lr=0.05)),
    "rmsprop_momentum_decay": (
        torch.optim.RMSprop,
        dict(lr=0.02, momentum=0.9, weight_decay=0.02),
    ),
    "sgd_clip_norm": (torch.optim.SGD, dict(lr=0.1, momentum=0.9)),
    "sgd_clip_value": (torch.optim.SGD, dict(lr=0.1, momentum=0.9)),
}


def run(name, kind, options):
    # Two tensors, so that a norm over all of them differs from one norm for each.
    parts = [torch.tensor(START[:2]).double(), torch.tensor(START[2:]).double()]
    parts = [part.requires_grad_() for part in parts]
    a, target = torch.tensor(A).double(), torch.tensor(TARGET).double()
    optimizer = kind(parts, **options)
    kept = {}
    for step in range(1, KEPT[-1] + 1):
        optimizer.zero_grad()
        (0.5 * a * (torch.cat(parts) - target) ** 2).sum().backward()
        if name == "sgd_clip_norm":
            torch.nn.utils.clip_grad_norm_(parts, 2.0)
        if name == "sgd_clip_value":
            torch.nn.utils.clip_grad_value_(parts, 0.4)
        optimizer.step()
        if step in KEPT:
            kept[step] = torch.cat(parts).tolist()
    return kept


cases = {name: run(name, kind, options) for name, (kind, options) in CASES.items()}
# float32 constants such as 0.7 are inexact in torch.tensor(...).double(): say what was used.
start = torch.tensor(START).double().tolist()
with open(pathlib.Path(sys.argv[1]) / "expected.json", "w") as file:
    json.dump({"a": A, "target": TARGET, "start": start, "cases": cases}, file, indent=1)
    file.write("\n")
