#!/usr/bin/env python3
"""The first hour of ten people with their own data, from nothing and with no flag but --data.

    cargo build --release -p tenfold-classification -p tenfold-sequence
    tests/first_hour/run.py ../shared/mirror target/release

Cuts five folders of images, three tables and two sets of texts out of the mirror (datasets/README.md
says where they come from), trains a model on each with its defaults, and compares the figure of
`train --json` with a floor. Prints a table; exit status 1 where one falls short. The floors are well
below what was measured, because other processors round in another way.
"""
import csv
import gzip
import json
import math
import random
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib
from pathlib import Path

mirror, programs = Path(sys.argv[1]), Path(sys.argv[2]).resolve()
root = Path(tempfile.mkdtemp())
pick = random.Random(1)


def archive(name):
    return tarfile.open(next((mirror / name).glob("*.tar.gz")))


def put(path, data):
    path = root / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def png(width, height, grey):
    """A grey PNG."""
    rows = b"".join(b"\0" + grey[y * width:][:width] for y in range(height))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def photographs():
    """Of CIFAR-10: three folders, one with other endings than the content has."""
    wanted = {
        "animals": (["cat", "frog", "horse"], 30, "jpg"),
        "vehicles": (["airplane", "automobile", "ship", "truck"], 75, "JPEG"),
        "sea": (["ship", "frog"], 50, "png"),  # JPEG inside
    }
    done = {}
    with archive("cifar10-images") as tar:
        for member in tar:
            parts = member.name.split("/")
            if not member.isfile() or parts[-3:-2] != ["train"]:
                continue
            data = tar.extractfile(member).read()
            for name, (labels, count, ending) in wanted.items():
                number = done.get((name, parts[-2]), 0)
                if parts[-2] in labels and number < count:
                    done[name, parts[-2]] = number + 1
                    put(f"{name}/{parts[-2]}/{number:03}.{ending}", data)
            if sum(done.values()) == 90 + 300 + 100:
                return


def digits():
    """Of MNIST's test digits: twenty of each, and the zeros and ones in nested folders."""
    read = lambda file, skip: gzip.open(mirror / "mnist" / file).read()[skip:]
    pixels, labels = read("t10k-images-idx3-ubyte.gz", 16), read("t10k-labels-idx1-ubyte.gz", 8)
    done = [0] * 10
    for place, label in enumerate(labels):
        if done[label] < 40:
            image = png(28, 28, pixels[place * 784:][:784])
            if done[label] < 20:
                put(f"digits/{label}/{done[label]:02}.png", image)
            if label < 2:
                put(f"zero-one/{'零一'[label]}/box{done[label] % 3}/{done[label]:02}.PNG", image)
            done[label] += 1


def tables():
    tabular = {file.name: file.read_text() for file in (mirror / "tabular").iterdir() if file.suffix == ".csv"}
    rows = lambda part: [row for row in csv.reader(next(text for name, text in tabular.items() if part in name).splitlines()) if row]
    # With a header, a number for each row, and gaps.
    flowers = [["id", "sepal length", "sepal width", "petal length", "petal width", "kind"]]
    for number, row in enumerate(rows("iris"), 1):
        flowers.append([number] + ["" if pick.random() < 0.05 else cell for cell in row[:4]] + row[4:])
    # As spreadsheets of many countries write it.
    claims = ["claims;payment"] + [";".join(cell.strip().replace(".", ",") for cell in row) for row in rows("auto-insurance")]
    # Words and gaps among the features.
    people = [["cabin", "sex", "age", "fare", "survived"]]
    for _ in range(300):
        sex, kind, age = pick.choice(["male", "female"]), pick.choice([1, 2, 3]), pick.randint(1, 80)
        chance = 1 / (1 + math.exp(-(3 * (sex == "female") - 1.2 * (kind - 2) - 0.02 * age - 0.5)))
        age = "" if pick.random() < 0.2 else age
        survived = "yes" if pick.random() < chance else "no"
        people.append([kind, sex, age, f"{60 / kind + pick.random():.2f}", survived])
    for name, table in [("flowers", flowers), ("people", people)]:
        with open(root / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(table)
    put("claims.csv", "\n".join(claims).encode())


def texts():
    """Captions of Multi30k in three languages, as a table with the text first; sentences in Chinese, drawn."""
    captions = []
    for ending, label in [("en", "English"), ("de", "German"), ("fr", "French")]:
        lines = gzip.open(mirror / "multi30k" / f"train.{ending}.gz", "rt", encoding="utf-8")
        captions += [[line.strip(), label] for line, _ in zip(lines, range(60))]
    pick.shuffle(captions)
    stays = []
    for _ in range(200):
        good = pick.random() < 0.5
        about = pick.choice(["房间", "早餐", "服务", "位置", "床", "浴室"])
        words = ["很干净", "非常好", "我很喜欢", "值得再来"] if good else ["太脏了", "非常差", "我不喜欢", "不会再来"]
        stays.append([pick.choice(["这次", "上周", "我们觉得", ""]) + about + pick.choice(words), "好评" if good else "差评"])
    for name, table in [("captions", [["text", "label"]] + captions), ("stays", [["评论", "标签"]] + stays)]:
        with open(root / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(table)


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

photographs()
digits()
tables()
texts()
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
