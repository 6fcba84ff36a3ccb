#!/usr/bin/env python3
"""The first hour of ten people with their own data, from nothing and with no flag but --data.

    cargo build --release -p tenfold-classification -p tenfold-sequence
    tests/first_hour/run.py ../shared/mirror target/release

Cuts five folders of images, three tables and two sets of texts out of the mirror (datasets/README.md
says where they come from), trains a model on each with its defaults, and compares the figure of
`train --json` with a floor. Prints a table; exit status 1 where one falls short. The floors are well
below what was measured, because other processors round in another way.
"""
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cuts

mirror, programs = Path(sys.argv[1]), Path(sys.argv[2]).resolve()
root = Path(tempfile.mkdtemp())

# Program, model, data, figure, floor.
HOURS = [
    ("classification", "lenet", "animals", "accuracy", 0.5),
    ("classification", "lenet", "vehicles", "accuracy", 0.34),
    ("classification", "lenet", "sea", "accuracy", 0.6),
    ("classification", "lenet", "digits", "accuracy", 0.7),
    ("classification", "lenet", "zero-one", "accuracy", 0.9),
    ("classification", "mlp", "flowers.csv", "accuracy", 0.7),
    ("classification", "mlp", "people.csv", "accuracy", 0.6),
    ("classification", "linear", "claims.csv", "r2", 0.2),
    ("sequence", "bilstm", "captions.csv", "accuracy", 0.7),
    ("sequence", "bilstm", "stays.csv", "accuracy", 0.9),
]

for cut in [cuts.photographs, cuts.digits, cuts.tables, cuts.texts]:
    cut(mirror, root)
short = 0
print(f"{'data':<14}{'model':<10}{'figure':<10}{'value':>8}{'floor':>8}{'seconds':>9}")
for program, model, data, name, floor in HOURS:
    begun = time.monotonic()
    command = [programs / f"tenfold-{program}", "train", model, "--data", data, "--json"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode:
        print(f"{data:<14}{model:<10}{done.stderr.strip().splitlines()[-1]}")
        short += 1
        continue
    value = json.loads(done.stdout).get(name, math.nan)
    short += not value >= floor
    mark = "" if value >= floor else "  SHORT"
    print(f"{data:<14}{model:<10}{name:<10}{value:>8.3f}{floor:>8.2f}{time.monotonic() - begun:>9.1f}{mark}", flush=True)
sys.exit(1 if short else 0)
