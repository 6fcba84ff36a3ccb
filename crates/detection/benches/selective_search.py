#!/usr/bin/env python3
"""Selective search beside OpenCV's fast mode, image by image in turn: recall of the objects at
IoU 0.5 by at most 2,000 boxes, and time, both on two threads.

    pip install opencv-contrib-python-headless
    cargo build --release --example proposals
    python3 crates/detection/benches/selective_search.py target/release/examples/proposals COCO128 [COUNT]

COCO128 is the folder that `cargo xtask fetch coco128` made.
"""
import json, os, subprocess, sys, time
from pathlib import Path

import cv2

MOST = 2000


def objects(labels, width, height):
    for line in labels.read_text().splitlines():
        _, x, y, w, h = map(float, line.split())
        yield (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height


def iou(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(w, 0) * max(h, 0)
    area = lambda own: (own[2] - own[0]) * (own[3] - own[1])
    return shared / (area(a) + area(b) - shared)


def main(program, folder, count=128):
    folder = Path(folder)
    cv2.setNumThreads(2)
    images = sorted((folder / "images/train2017").glob("*.jpg"))[: int(count)]
    found, seconds, total = {"tenfold": 0, "opencv": 0}, {"tenfold": 0.0, "opencv": 0.0}, 0
    boxes_of = {"tenfold": 0, "opencv": 0}
    for path in images:
        image = cv2.imread(str(path))
        height, width = image.shape[:2]
        labels = folder / "object_detection/labels/train2017" / (path.stem + ".txt")
        truth = list(objects(labels, width, height)) if labels.exists() else []
        total += len(truth)

        environment = {**os.environ, "RAYON_NUM_THREADS": "2"}
        printed = subprocess.run([program, path], capture_output=True, check=True, env=environment)
        own = json.loads(printed.stdout)
        seconds["tenfold"] += own["seconds"]

        search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
        start = time.perf_counter()
        search.setBaseImage(image)
        search.switchToSelectiveSearchFast()
        rectangles = search.process()[:MOST]
        seconds["opencv"] += time.perf_counter() - start
        other = [(x, y, x + w, y + h) for x, y, w, h in rectangles.tolist()]

        for name, boxes in [("tenfold", own["boxes"][:MOST]), ("opencv", other)]:
            boxes_of[name] += len(boxes)
            found[name] += sum(any(iou(box, one) >= 0.5 for box in boxes) for one in truth)
    for name in found:
        recall = 100 * found[name] / total
        print(f"{name}: recall {recall:.1f} % of {total} objects, {boxes_of[name] / len(images):.0f} "
              f"boxes and {seconds[name] / len(images):.2f} s an image")
    print(f"time of tenfold / opencv: {seconds['tenfold'] / seconds['opencv']:.2f}")


main(*sys.argv[1:])
