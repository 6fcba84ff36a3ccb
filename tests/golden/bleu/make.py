"""Writes sacrebleu.json: what sacrebleu says of some sentences. Needs: pip install sacrebleu."""

import json
import pathlib

import sacrebleu
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

PAIRS = [
    ("Two young men are working on a roof.", "Two young men are working on a roof."),
    ("A man in a blue shirt stands on a ladder, cleaning windows!", "A man in a blue shirt is standing on a ladder cleaning a window."),
    ("The price was 1,234.56 dollars (about 10-15 % more).", "The price was 1,234.56 dollars, 10-15% more."),
    ("dogs", "Three dogs run."),
    ("It's 3.5km; she said: \"no\" -- & left.", "It's 3.5 km; she said \"no\" & left."),
    ("Ein Mädchen spielt im Garten .", "Ein Mädchen spielt in dem Garten."),
    ("a b c d e f g", "h i j k l m n"),
    ("&quot;Yes&quot;, 4.th of 5. and $3.", "\"Yes\", 4th of 5 and $3."),
]

texts, references = [list(side) for side in zip(*PAIRS)]
bleu = sacrebleu.corpus_bleu(texts, [references])
metric = sacrebleu.BLEU()
metric.corpus_score(texts, [references])
golden = {
    "made_with": f"sacrebleu {sacrebleu.__version__}",
    "signature": str(metric.get_signature()),
    "texts": texts,
    "references": references,
    "tokens": [Tokenizer13a()(text) for text in texts],
    "bleu": bleu.score,
    "precisions": bleu.precisions,
    "brevity": bleu.bp,
    "sentences": [sacrebleu.corpus_bleu([t], [[r]]).score for t, r in PAIRS],
}
path = pathlib.Path(__file__).with_name("sacrebleu.json")
path.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
