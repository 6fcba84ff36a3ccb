"""Words a second of the translator, beside PyTorch's on the same cores.

torch_translate.py PROGRAM FOLDER [THREADS [PAIRS]] runs, in turn and three times, a training of
one epoch on the first PAIRS (3,000) of FOLDER's train.de and train.en (fetched multi30k) and the
greedy translation of 400 other sentences by PROGRAM (target/release/tenfold-sequence), and the
same by PyTorch: the same network, pieces of words, batches of like length, optimiser, smoothing
and clipping. Prints the medians in words of both languages that are learnt from, in pieces that
are written, and their ratio. Needs: pip install torch.
"""

import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

EMBEDDING, HIDDEN, BATCH, LONGEST = 256, 256, 64, 80
PAD, UNKNOWN, BEGIN, END = range(4)


class Pieces:
    """Splits as the run's own vocabulary does."""

    def __init__(self, language):
        self.ranks = {tuple(pair): rank for rank, pair in enumerate(language["bpe"]["merges"])}
        self.numbers = {token: number for number, token in enumerate(language["tokens"])}
        self.known = {}

    def word(self, word):
        parts = list(word)
        while len(parts) > 1:
            pairs = list(zip(parts, parts[1:]))
            best = min(pairs, key=lambda pair: self.ranks.get(pair, len(self.ranks)))
            if best not in self.ranks:
                break
            at = pairs.index(best)
            parts[at : at + 2] = ["".join(best)]
        return [self.numbers.get(part, UNKNOWN) for part in parts]

    def encode(self, text):
        found = []
        for space, word in re.findall(r"(\s*)([\w'\u2019]+|[^\w\s])", text):
            word = ("\u2581" if space or not found else "") + word
            if word not in self.known:
                self.known[word] = self.word(word)
            found += self.known[word]
        return found[:LONGEST]


class Translator(nn.Module):
    def __init__(self, tokens, dropout):
        super().__init__()
        self.source = nn.Embedding(tokens, EMBEDDING)
        self.target = nn.Embedding(tokens, EMBEDDING)
        for table in (self.source, self.target):
            nn.init.normal_(table.weight, std=EMBEDDING**-0.5)
        self.encoder = nn.GRU(EMBEDDING, HIDDEN, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * HIDDEN, 2 * HIDDEN)
        self.decoder = nn.GRU(EMBEDDING, 2 * HIDDEN, batch_first=True)
        self.keys = nn.Linear(2 * HIDDEN, 2 * HIDDEN)
        self.readout = nn.Linear(4 * HIDDEN, EMBEDDING)
        self.dropout = nn.Dropout(dropout)

    def encode(self, sources):
        lengths = torch.tensor([len(source) for source in sources])
        padded = pad_sequence(sources, batch_first=True)
        packed = pack_padded_sequence(
            self.dropout(self.source(padded)), lengths, batch_first=True, enforce_sorted=False
        )
        outputs, last = self.encoder(packed)
        outputs, _ = pad_packed_sequence(outputs, batch_first=True)
        state = torch.tanh(self.bridge(torch.cat([last[0], last[1]], 1)))[None]
        return outputs, self.keys(outputs), (padded == PAD)[:, None], state

    def decode(self, encoded, tokens):
        outputs, keys, padding, state = encoded
        states, state = self.decoder(self.dropout(self.target(tokens)), state)
        fit = (states @ keys.transpose(1, 2)).masked_fill(padding, -1e9)
        seen = self.dropout(torch.cat([fit.softmax(2) @ outputs, states], 2))
        return torch.tanh(self.readout(seen)), (outputs, keys, padding, state)

    def logits(self, features):
        return self.dropout(features) @ self.target.weight.T


def train(pairs, tokens, dropout):
    """Seconds for one epoch, and the model."""
    model = Translator(tokens, dropout)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
    order = sorted(pairs, key=lambda pair: (len(pair[1]), len(pair[0])))
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    random.shuffle(batches)
    begun = time.perf_counter()
    for batch in batches:
        sources = [torch.tensor(source) for source, _ in batch]
        read = [torch.tensor([BEGIN] + target) for _, target in batch]
        write = torch.cat([torch.tensor(target + [END]) for _, target in batch])
        real = pad_sequence([torch.ones(len(row), dtype=torch.bool) for row in read], batch_first=True)
        features, _ = model.decode(model.encode(sources), pad_sequence(read, batch_first=True))
        logits = model.logits(features[real])
        loss = nn.functional.cross_entropy(logits, write, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
    return time.perf_counter() - begun, model


def translate(model, sources):
    """Seconds for greedy translations, and how many pieces were written."""
    model.eval()
    begun, written = time.perf_counter(), 0
    order = sorted(sources, key=len)
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            batch = [torch.tensor(source) for source in order[start : start + BATCH]]
            encoded = model.encode(batch)
            last = torch.full((len(batch), 1), BEGIN)
            going = torch.ones(len(batch), dtype=torch.bool)
            for _ in range(LONGEST):
                features, encoded = model.decode(encoded, last)
                last = model.logits(features).argmax(2)
                going &= last[:, 0] != END
                if not going.any():
                    break
                written += int(going.sum())
    return time.perf_counter() - begun, written


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    threads = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 3000
    torch.set_num_threads(threads)
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
    lines = {side: (folder / f"train.{side}").read_text().splitlines() for side in ("de", "en")}
    parts = {"train": (0, count), "val": (count, count + 64), "test": (count, count + 400)}
    learnt = sum(len(line.split()) for side in lines.values() for line in side[:count])
    rates = {"train": ([], []), "translate": ([], [])}
    with tempfile.TemporaryDirectory() as scratch:
        data, run = pathlib.Path(scratch) / "data", pathlib.Path(scratch) / "run"
        data.mkdir()
        for part, (first, end) in parts.items():
            for side, all in lines.items():
                (data / f"{part}.{side}").write_text("\n".join(all[first:end]) + "\n")
        for _ in range(3):
            command = [program, "train", "translate", "--data", data, "--pair", "de-en"]
            command += ["--out", run, "--overwrite", "--epochs", "1"]
            subprocess.run(command, env=environment, check=True, capture_output=True)
            metrics = (run / "metrics.jsonl").read_text().splitlines()
            rates["train"][0].append(learnt / json.loads(metrics[0])["seconds"])
            config = json.loads((run / "config.json").read_text())
            pieces = Pieces(config["language"])
            sides = [map(pieces.encode, lines[side][:count]) for side in ("de", "en")]
            tokens, dropout = len(config["language"]["tokens"]), config["config"]["dropout"]
            seconds, model = train(list(zip(*sides)), tokens, dropout)
            rates["train"][1].append(learnt / seconds)

            def ours(file):
                command = [program, "predict", run, file, "--beam", "1", "--top-k", "1", "--json"]
                begun = time.perf_counter()
                done = subprocess.run(command, env=environment, check=True, capture_output=True)
                seconds = time.perf_counter() - begun
                texts = [answer["suggestions"][0]["label"] for answer in json.loads(done.stdout)]
                return seconds, sum(len(pieces.encode(text)) for text in texts)

            one = data / "one.de"
            one.write_text(lines["de"][count] + "\n")
            (seconds, written), (start, first) = ours(data / "test.de"), ours(one)
            # Without the time in which the program starts.
            rates["translate"][0].append((written - first) / (seconds - start))
            sources = [pieces.encode(line) for line in lines["de"][count : count + 400]]
            seconds, written = translate(model, sources)
            rates["translate"][1].append(written / seconds)
    for name, (ours, theirs) in rates.items():
        a, b = statistics.median(ours), statistics.median(theirs)
        what = "words" if name == "train" else "pieces"
        print(f"{name}: {a:,.0f} {what} a second, PyTorch {b:,.0f}; time ratio {b / a:.2f}")


if __name__ == "__main__":
    main()
