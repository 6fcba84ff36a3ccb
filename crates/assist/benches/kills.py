#!/usr/bin/env python3
"""Kills a confirming server while four clients decide, and looks whether its store has each decision that was
acknowledged: once, with its label, under its person's name, and in the person's order.

    cargo classification train lenet
    python3 crates/assist/benches/kills.py target/release/tenfold-classification runs/lenet-glyphs [KILLS [DECISIONS]]

20 kills (SIGKILL), each after about 1,000 decisions, unless told otherwise.
"""
import json
import sqlite3
import sys
import threading
from pathlib import Path

from confirming import Server, png, queue, root

program, run = (Path(word).resolve() for word in sys.argv[1:3])
kills, decisions = (int(word) for word in (sys.argv[3:] + ["20", "1000"][len(sys.argv) - 3 :])[:2])
ITEMS, CLIENTS = 40, 4
store = root / "decisions.sqlite"
queue.mkdir()
for number in range(ITEMS):
    (queue / f"{number:02}.png").write_bytes(png(28, 28))


def label(client, number):
    """What a client answers: no two in a row are the same."""
    return "ABCDEFGHIJ"[(3 * client + 7 * number) % 10]


def decide(server, client, first, acknowledged, enough):
    number = first
    while True:
        one = {"item": 1 + client + CLIENTS * (number % (ITEMS // CLIENTS)), "key": f"{client} {number}"}
        one |= {"action": "label", "label": label(client, number)}
        body = json.dumps({"person": f"person {client}", "decisions": [one]})
        try:
            status, answer = server.call("POST", "/v1/decisions", body)
        except OSError:
            return
        except Exception:  # cut off in the middle of an answer
            return
        assert status == 200 and json.loads(answer)["saved"] == 1, answer
        acknowledged.append(number)
        if len(acknowledged) >= decisions // CLIENTS:
            enough.set()
        number += 1


def kept():
    """The decisions in the order in which they were saved: client, number."""
    rows = sqlite3.connect(store).execute("SELECT key, person, label, verdicts FROM decisions ORDER BY id").fetchall()
    all = []
    for key, person, own, verdicts in rows:
        client, number = map(int, key.split())
        own = own or json.loads(verdicts)[0]["label"]
        assert person == f"person {client}" and own == label(client, number), (key, person, own)
        all.append((client, number))
    return all


acknowledged = [[] for _ in range(CLIENTS)]
first = [0] * CLIENTS
for kill in range(kills):
    with Server(program, run, store) as server:
        enough, here = threading.Event(), [[] for _ in range(CLIENTS)]
        threads = [threading.Thread(target=decide, args=[server, client, first[client], here[client], enough]) for client in range(CLIENTS)]
        for thread in threads:
            thread.start()
        enough.wait(600)
        server.process.kill()
        for thread in threads:
            thread.join()
    there = kept()
    assert len(there) == len(set(there)), "a decision was saved twice"
    for client in range(CLIENTS):
        acknowledged[client] += here[client]
        own = [number for other, number in there if other == client]
        assert own == sorted(own), f"person {client}: out of order"
        lost = set(acknowledged[client]) - set(own)
        assert not lost, f"person {client}: acknowledged and lost: {sorted(lost)}"
        # One that was saved, but not acknowledged, is not sent again.
        first[client] = own[-1] + 1
    print(f"kill {kill + 1}: {sum(map(len, acknowledged))} acknowledged, {len(there)} saved", flush=True)
print(f"{kills} kills, {sum(map(len, acknowledged))} decisions acknowledged: each is there once, with its label, person and order")
