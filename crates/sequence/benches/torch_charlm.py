"""Characters a second of the character language model, beside PyTorch's on the same cores.

torch_charlm.py PROGRAM TEXT [THREADS [LETTERS]] runs, in turn and three times, a training of one
epoch on the first LETTERS (200,000) of the text and a generation of 2,000 characters by PROGRAM
(target/release/tenfold-sequence), and the same by PyTorch: the same network, batches, optimiser and clipping. Prints the medians and their ratio.
Needs: pip install torch.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from torch import nn

EMBEDDING, HIDDEN, LAYERS, STEPS, BATCH = 64, 264, 2, 64, 32


class CharLm(nn.Module):
    def __init__(self, tokens):
        super().__init__()
        self.embedding = nn.Embedding(tokens, EMBEDDING)
        self.recurrent = nn.LSTM(EMBEDDING, HIDDEN, LAYERS, batch_first=True, dropout=0.2)
        self.output = nn.Linear(HIDDEN, tokens)
        self.dropout = nn.Dropout(0.2)

    def forward(self, tokens, state=None):
        states, state = self.recurrent(self.dropout(self.embedding(tokens)), state)
        return self.output(self.dropout(states)), state


def train(text):
    """Seconds for one epoch of the training nine tenths, as the program does it."""
    index = {letter: number for number, letter in enumerate(sorted(set(text)))}
    data = torch.tensor([index[letter] for letter in text[: len(text) * 9 // 10]])
    length = (len(data) - 1) // BATCH
    model = CharLm(len(index) + 4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    begun = time.perf_counter()
    state = None
    for start in range(0, length, STEPS):
        steps = min(STEPS, length - start)
        rows = [data[r * length + start : r * length + start + steps + 1] for r in range(BATCH)]
        rows = torch.stack(rows)
        logits, state = model(rows[:, :-1], state)
        state = tuple(part.detach() for part in state)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
    return time.perf_counter() - begun, model


def generate(model, count):
    """Seconds for so many characters, one after another."""
    model.eval()
    begun = time.perf_counter()
    token, state = torch.zeros(1, 1, dtype=torch.long), None
    with torch.inference_mode():
        for _ in range(count):
            logits, state = model(token, state)
            token = torch.multinomial(torch.softmax(logits[0, -1] / 0.8, 0), 1)[None]
    return time.perf_counter() - begun


def main():
    program, path = sys.argv[1], pathlib.Path(sys.argv[2])
    threads = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    torch.set_num_threads(threads)
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
    text = path.read_text()[: int(sys.argv[4]) if len(sys.argv) > 4 else 200_000]
    learnt, written = len(text) * 9 // 10, 2000
    times = {"train": ([], []), "generate": ([], [])}
    with tempfile.TemporaryDirectory() as folder:
        short, run = pathlib.Path(folder) / "text.txt", pathlib.Path(folder) / "run"
        short.write_text(text)
        for _ in range(3):
            command = [program, "train", "charlm", "--data", short, "--out", run, "--overwrite"]
            command += ["--epochs", "1"]
            subprocess.run(command, env=environment, check=True, capture_output=True)
            lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
            times["train"][0].append(lines[0]["seconds"])
            seconds, model = train(text)
            times["train"][1].append(seconds)

            def write(count):
                command = [program, "predict", run, "--length", str(count)]
                begun = time.perf_counter()
                subprocess.run(command, env=environment, check=True, capture_output=True)
                return time.perf_counter() - begun

            # Without the time in which the program starts.
            times["generate"][0].append(write(written + 1) - write(1))
            times["generate"][1].append(generate(model, written))
    for name, (ours, theirs) in times.items():
        count = learnt if name == "train" else written
        a, b = statistics.median(ours), statistics.median(theirs)
        print(f"{name}: {count / a:,.0f} characters a second, PyTorch {count / b:,.0f}; time ratio {a / b:.2f}")


if __name__ == "__main__":
    main()
