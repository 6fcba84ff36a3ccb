"""Writes the numbers that a test of crates/classification/src/models/hog_svm.rs compares with.

    python3 make.py OUTDIR        needs numpy and scikit-learn

LIBLINEAR's dual coordinate descent, through scikit-learn, on examples from a formula.
"""

import json
import pathlib
import sys

import numpy as np
from sklearn.svm import LinearSVC

EXAMPLES, WIDTH, CLASSES, C = 60, 5, 3, 0.5


def main(folder):
    i, j = np.meshgrid(np.arange(EXAMPLES), np.arange(WIDTH), indexing="ij")
    x = np.sin(1.0 + 0.7 * i + 1.3 * j + 0.11 * i * j)
    # The largest of the first three numbers, so that no line tells all examples apart.
    y = (x[:, :CLASSES] ** 2).argmax(1)
    machine = LinearSVC(C=C, tol=1e-10, max_iter=1_000_000).fit(x, y)
    rows = np.hstack([machine.coef_, machine.intercept_[:, None]])
    expected = {"c": C, "machines": [[float(f"{w:.9g}") for w in row] for row in rows]}
    text = json.dumps(expected, indent=1)
    (pathlib.Path(folder) / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
