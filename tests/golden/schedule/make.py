"""Writes the numbers that the tests of crates/core/src/train/schedule.rs compare with.

    python3 make.py OUTDIR        needs torch

The learning rate of each of 40 steps, by PyTorch's own schedulers.
"""

import json
import pathlib
import sys
import warnings

import torch
from torch.optim import lr_scheduler as lr

warnings.simplefilter("ignore")
STEPS, BASE = 40, 0.3


def rates(make):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=BASE)
    scheduler = make(optimizer)
    values = []
    for _ in range(STEPS):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step() if len(values) < STEPS else None
    return values


def warm(optimizer, after):
    """Four steps of linear warm-up from a quarter of the rate, then `after`."""
    first = lr.LinearLR(optimizer, start_factor=0.25, end_factor=1.0, total_iters=3)
    return lr.SequentialLR(optimizer, [first, after], milestones=[4])


cases = {
    "constant": rates(lambda o: lr.ConstantLR(o, factor=1.0)),
    "step": rates(lambda o: lr.StepLR(o, step_size=15, gamma=0.1)),
    "cosine": rates(lambda o: lr.CosineAnnealingLR(o, T_max=STEPS)),
    "cosine_min": rates(lambda o: lr.CosineAnnealingLR(o, T_max=STEPS, eta_min=0.01)),
    "one_cycle": rates(lambda o: lr.OneCycleLR(o, max_lr=BASE, total_steps=STEPS)),
    "warm_cosine": rates(lambda o: warm(o, lr.CosineAnnealingLR(o, T_max=STEPS - 4))),
    "warm_step": rates(lambda o: warm(o, lr.StepLR(o, step_size=15, gamma=0.1))),
}
with open(pathlib.Path(sys.argv[1]) / "expected.json", "w") as file:
    json.dump({"steps": STEPS, "base": BASE, "cases": cases}, file, indent=1)
    file.write("\n")
