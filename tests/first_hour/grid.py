#!/usr/bin/env python3
"""How far the defaults for few images are from the best of twelve settings.

    pip install pillow; cargo build --release -p tenfold-classification
    tests/first_hour/grid.py ../shared/mirror target/release

Cuts five sets of 66 to 300 images out of the mirror, and for each some hundred others that no
training sees. Trains with no flag but --data, then with every combination of two batches, three
learning rates and two lengths, and measures all on the others: on the test split, a tenth of so few,
the best of twelve is the luckiest.
"""
import io
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import cuts

mirror, programs = Path(sys.argv[1]), Path(sys.argv[2]).resolve()
root = Path(tempfile.mkdtemp())
classification = programs / "tenfold-classification"


def cells():
    """Of BCCD: single cells, cut out along their boxes."""
    import xml.etree.ElementTree as tree
    from PIL import Image

    done, notes, images = {}, {}, {}
    with cuts.archive(mirror, "bccd") as tar:
        for member in tar:
            stem = Path(member.name).stem
            if member.name.endswith(".xml"):
                notes[stem] = tar.extractfile(member).read()
            elif member.name.endswith(".jpg"):
                images[stem] = tar.extractfile(member).read()
    for stem in sorted(notes.keys() & images.keys()):
        image = Image.open(io.BytesIO(images[stem]))
        for cell in tree.fromstring(notes[stem]).iter("object"):
            label = cell.findtext("name")
            box = [int(cell.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")]
            number = done.get(label, 0)
            if min(box[2] - box[0], box[3] - box[1]) < 12 or number >= 22 + 100:
                continue
            done[label] = number + 1
            place = root / ("cells" if number < 22 else "held/cells/test") / label / f"{number:03}.png"
            file = io.BytesIO()
            image.crop(box).save(file, "png")
            cuts.put(place, file.getvalue())


def accuracy(model, data, flags):
    """Of one training, on all the images held out."""
    run = Path(tempfile.mkdtemp()) / "run"
    call = lambda *words: json.loads(subprocess.run([classification, *words, "--json"], cwd=root, check=True, capture_output=True, text=True).stdout)
    call("train", model, "--data", data, "--out", run, *flags)
    return call("eval", run, "--data", f"held/{data}")["accuracy"]


SETS = [("digits", "lenet"), ("animals", "resnet20"), ("sea", "resnet20"), ("vehicles", "resnet20"), ("cells", "resnet18")]
wanted = sys.argv[3:]
cuts.photographs(mirror, root, held=True)
cuts.digits(mirror, root)
if not wanted or "cells" in wanted:
    cells()
# Beside a folder `test` stands a folder `train`, which nobody reads here.
for label in (root / "held").glob("*/test/*"):
    first = min(path for path in label.rglob("*") if path.is_file())
    cuts.put(label.parent.parent / "train" / label.name / first.name, first.read_bytes())
print(f"{'data':<10}{'images':>7} {'model':<10}{'defaults':>9}{'best of 12':>11}  with")
for data, model in SETS:
    if wanted and data not in wanted:
        continue
    count = sum(path.is_file() for path in (root / data).rglob("*"))
    value = accuracy(model, data, [])
    settings = []
    for batch, rate, epochs in itertools.product([8, 32], [0.0003, 0.001, 0.003], [10, 40]):
        flags = ["--batch-size", str(batch), "--lr", str(rate), "--epochs", str(epochs)]
        settings.append((accuracy(model, data, flags), " ".join(flags)))
        print(f"# {data} {settings[-1][0]:.3f} {settings[-1][1]}", file=sys.stderr, flush=True)
    best, flags = max(settings)
    print(f"{data:<10}{count:>7} {model:<10}{value:>9.3f}{best:>11.3f}  {flags}", flush=True)
