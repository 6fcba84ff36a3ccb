"""Writes coco.json beside it: random boxes and what pycocotools 2.0 says of them.

python -m pip install pycocotools; python coco.py
"""
import contextlib, io, json, os, random
import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def quarter(x):  # exact in 32 bits
    return round(x * 4) / 4


def case(seed, images, classes, most):
    r = random.Random(seed)
    sides = [(4, 30), (34, 90), (98, 200)]
    out, annotations, results = [], [], []
    for i in range(images):
        objects, found = [], []
        for _ in range(r.randint(0, most)):
            c = r.randrange(classes)
            low, high = r.choice(sides)
            box = [quarter(r.uniform(0, 300)), quarter(r.uniform(0, 300)), quarter(r.uniform(low, high)), quarter(r.uniform(low, high))]
            objects.append([c, box])
            for _ in range(r.choice([0, 1, 1, 2])):
                moved = [quarter(v + r.gauss(0, 0.12) * box[2 + k % 2]) for k, v in enumerate(box)]
                moved[2:] = [max(v, 1.0) for v in moved[2:]]
                wrong = r.random() < 0.1
                found.append([r.randrange(classes) if wrong else c, r.randint(1, 32) / 32, moved])
        for _ in range(r.randint(0, 3)):
            found.append([r.randrange(classes), r.randint(1, 24) / 32, [quarter(r.uniform(0, 300)), quarter(r.uniform(0, 300)), quarter(r.uniform(4, 150)), quarter(r.uniform(4, 150))]])
        out.append({"objects": objects, "found": found})
        for c, b in objects:
            annotations.append({"id": len(annotations) + 1, "image_id": i, "category_id": c, "bbox": b, "area": b[2] * b[3], "iscrowd": 0})
        results += [{"image_id": i, "category_id": c, "score": s, "bbox": b} for c, s, b in found]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {"info": {}, "images": [{"id": i} for i in range(images)], "annotations": annotations, "categories": [{"id": c, "name": str(c)} for c in range(classes)]}
        coco.createIndex()
        e = COCOeval(coco, coco.loadRes(results), "bbox")
        e.evaluate(); e.accumulate(); e.summarize()
    p = e.eval["precision"]
    ap = []
    for c in range(classes):
        own = p[:, :, c, 0, 2]
        own = own[own > -1]
        ap.append(float(np.mean(own)) if own.size else -1.0)
    return {"classes": classes, "images": out, "stats": [float(s) for s in e.stats], "class_ap": ap}


cases = [case(1, 12, 3, 6), case(2, 5, 1, 12), case(3, 20, 4, 3)]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "coco.json"), "w") as f:
    json.dump(cases, f, separators=(",", ":"))
