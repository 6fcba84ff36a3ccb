"""Compares logistic regression, nearest neighbours, linear regression and trees with
scikit-learn's on the tables of the data set `tabular`, under the same splits.

    cargo build --release -p tenfold-classification
    python3 sklearn_tables.py PROGRAM [SEEDS]      needs numpy and scikit-learn

PROGRAM is target/release/tenfold-classification; the data is in $TENFOLD_DATA. For every seed
the split is drawn here by the same generator as in crates/core/src/data/split.rs, and that it
is the same shows in the training rows' means, which the run's config.json holds.
"""

import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, r2_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

MASK = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15

# As ours; where it ends is decided on a part of the training rows, for it is given no others.
BOOSTED = {
    "n_estimators": 300,
    "max_depth": 4,
    "min_samples_leaf": 5,
    "n_iter_no_change": 30,
    "random_state": 1,
}

CASES = [
    ("logistic", "pima-indians-diabetes", LogisticRegression(max_iter=1000)),
    ("logistic", "iris", LogisticRegression(max_iter=1000)),
    ("logistic", "ionosphere", LogisticRegression(max_iter=1000)),
    ("knn", "pima-indians-diabetes", KNeighborsClassifier(5, weights="distance")),
    ("knn", "iris", KNeighborsClassifier(5, weights="distance")),
    ("knn", "ionosphere", KNeighborsClassifier(5, weights="distance")),
    ("linear", "auto-insurance", LinearRegression()),
    ("linear", "abalone", LinearRegression()),
    ("knn", "abalone", KNeighborsRegressor(5, weights="distance")),
    ("random_forest", "pima-indians-diabetes", RandomForestClassifier(random_state=1)),
    ("random_forest", "iris", RandomForestClassifier(random_state=1)),
    ("random_forest", "ionosphere", RandomForestClassifier(random_state=1)),
    ("random_forest", "abalone", RandomForestRegressor(max_features=1 / 3, random_state=1)),
    ("gradient_boosting", "pima-indians-diabetes", GradientBoostingClassifier(**BOOSTED)),
    ("gradient_boosting", "iris", GradientBoostingClassifier(**BOOSTED)),
    ("gradient_boosting", "ionosphere", GradientBoostingClassifier(**BOOSTED)),
    ("gradient_boosting", "abalone", GradientBoostingRegressor(**BOOSTED)),
]
FILES = {"pima-indians-diabetes": "pima-indians-diabetes.data.csv"}


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class SplitMix64:
    def __init__(self, keys):
        self.state = 0
        for key in keys:
            self.state = mix(((self.state + GAMMA) & MASK) ^ mix((key + GAMMA) & MASK))

    def bits(self):
        self.state = (self.state + GAMMA) & MASK
        return mix(self.state)

    def shuffle(self, items):
        for last in range(len(items) - 1, 0, -1):
            other = (self.bits() * (last + 1)) >> 64
            items[last], items[other] = items[other], items[last]


def take(order, labels, share, spare):
    counts = {label: labels.count(label) for label in set(labels)}
    in_order = [labels[place] for place in order]
    wanted = {}
    for label in counts:
        count = in_order.count(label)
        wanted[label] = 0 if count <= spare else max((count + share // 2) // share, 1)
    rest, taken = [], []
    for place in order:
        if wanted[labels[place]] > 0:
            wanted[labels[place]] -= 1
            taken.append(place)
        else:
            rest.append(place)
    return rest, taken


def split(labels, seed):
    order = list(range(len(labels)))
    SplitMix64([seed, int.from_bytes(b"shuffled", "big")]).shuffle(order)
    rest, test = take(order, labels, 10, 2)
    train, _ = take(rest, labels, 9, 1)
    return train, test


def read(path, regression, target):
    rows = [row for row in csv.reader(open(path)) if row]
    y = [row.pop(target) for row in rows]
    columns = []
    for column in zip(*rows):
        try:
            columns.append([float(cell) for cell in column])
        except ValueError:
            for word in sorted(set(column)):
                columns.append([float(cell == word) for cell in column])
    x = np.array(columns).T
    return x, (np.array(y, float), [0] * len(y)) if regression else (np.array(y), y)


def ours(program, model, table, seed, folder):
    run = pathlib.Path(folder) / "run"
    command = [program, "train", model, "--data", f"tabular/{table}", "--seed", str(seed)]
    command += ["--out", run, "--overwrite", "--json"]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    return json.loads(done.stdout), json.loads((run / "config.json").read_text())


def main(program, seeds=10):
    data = pathlib.Path(os.environ["TENFOLD_DATA"]) / "tabular"
    print(f"{'model':17} {'table':22} {'metric':9} {'tenfold':>8} {'sklearn':>8} {'difference':>10}")
    for model, table, reference in CASES:
        regression = table in ("auto-insurance", "abalone")
        target = 1 if table == "auto-insurance" else -1
        path = data / FILES.get(table, f"{table}.csv")
        x, (y, labels) = read(path, regression, target)
        scores = []
        for seed in range(1, seeds + 1):
            train, test = split(labels, seed)
            mean, std = x[train].mean(0), x[train].std(0)
            std[std < 1e-7] = 1
            with tempfile.TemporaryDirectory() as folder:
                summary, config = ours(program, model, table, seed, folder)
            assert np.allclose(config["preprocess"]["mean"], mean, rtol=1e-4, atol=1e-5), "split"
            assert summary["count"] == len(test)
            scaled = (x - mean) / std
            reference.fit(scaled[train], y[train])
            predicted = reference.predict(scaled[test])
            metric = "r2" if regression else "accuracy"
            score = r2_score if regression else accuracy_score
            scores.append((summary[metric], score(y[test], predicted)))
        own, other = np.mean(scores, 0)
        print(f"{model:17} {table:22} {metric:9} {own:8.4f} {other:8.4f} {own - other:+10.4f}")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
