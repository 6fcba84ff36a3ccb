"""Writes captions.json: what NLTK and the COCO evaluation say of some captions.

Needs: pip install nltk numpy, and pip install --no-deps pycocoevalcap.
"""

import json
import pathlib
from importlib.metadata import version

from nltk.translate.bleu_score import corpus_bleu
from pycocoevalcap.cider.cider import Cider

# Each caption with its references, lower case and without marks; of four words or more, because
# NLTK counts one n-gram in a caption that has none.
CAPTIONS = [
    ("a red circle left of a blue square", ["a red circle left of a blue square", "a blue square right of a red circle", "a red circle and a blue square"]),
    ("a large green star in the middle", ["there is a large green star", "a large green star in the middle of it"]),
    ("a dog runs over the grass", ["a brown dog is running over the green grass", "the dog runs", "a dog on grass"]),
    ("two men on a bench", ["two men are sitting on a bench and they are talking", "a pair of men on a bench"]),
    ("a a a a dog dog", ["a dog with a dog", "a dog"]),
    ("nothing that was said", ["an old house by the sea", "a house near water"]),
]

candidates = [caption.split() for caption, _ in CAPTIONS]
references = [[reference.split() for reference in all] for _, all in CAPTIONS]
weights = {n: [1 / n] * n for n in (1, 2, 3, 4)}
cider, each = Cider().compute_score(
    {i: all for i, (_, all) in enumerate(CAPTIONS)},
    {i: [caption] for i, (caption, _) in enumerate(CAPTIONS)},
)
golden = {
    "made_with": f"nltk {version('nltk')}, pycocoevalcap {version('pycocoevalcap')}",
    "captions": [caption for caption, _ in CAPTIONS],
    "references": [all for _, all in CAPTIONS],
    "bleu": [corpus_bleu(references, candidates, weights=weights[n]) for n in (1, 2, 3, 4)],
    "cider": float(cider),
}
path = pathlib.Path(__file__).with_name("captions.json")
path.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")
