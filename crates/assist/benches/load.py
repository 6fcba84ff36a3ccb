#!/usr/bin/env python3
"""Honest clients at four fifths of what the server does for them, first alone, then with an attacker beside them.

    cargo classification train lenet
    python3 crates/assist/benches/load.py target/release/tenfold-classification runs/lenet-glyphs [SECONDS]

Half of the time (an hour, unless told otherwise) without the attacker, half with. Of ten honest requests six ask for a
suggestion, one leases and decides, one asks for an item's image, two for the state. The attacker, at another address
(127.0.0.2), sends one after the other what takes memory, and holds 1,000 connections that ask and never read. Every
honest request must be answered; the 99th percentile may be three times as long, and 1 GiB of memory be taken.
"""
import json
import multiprocessing
import sys
import threading
import time
from pathlib import Path

from confirming import Server, allow_files, attacks, deaf, enlarge, lay_queue, png, queue, quietly

program, run = (Path(word).resolve() for word in sys.argv[1:3])
seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 3600.0
CLIENTS, ITEMS, ATTACKER = 8, 400, "127.0.0.2"
IMAGE = png(28, 28)


def requests(server, client):
    """What a client does, for ever; each ends with the answer's status."""
    # An address of its own: the ports of one would not last.
    call = lambda *words: server.call(*words, source=f"127.0.1.{client + 1}")
    person, number, post = f"person {client}", 0, lambda path, body: call("POST", path, json.dumps(body))
    while True:
        for turn in range(10):
            number += 1
            if turn < 6:
                yield lambda: call("POST", "/v1/suggest", IMAGE, "image/png")[0]
            elif turn == 6:
                one = {"item": 4 + client + CLIENTS * (number // 10 % (ITEMS // CLIENTS)), "action": "label", "label": "A"}
                yield lambda: post("/v1/decisions", {"person": person, "decisions": [one]})[0]
            elif turn == 7:
                yield lambda: call("GET", f"/v1/items/{4 + number % ITEMS}/image")[0]
            else:
                yield lambda: call("GET", "/v1/status")[0]


def work(server, until, pause=0.0):
    """Seconds of each request of all clients; one begins every `pause` seconds at most, for each client."""
    times, failed = [], []

    def client(number):
        due = time.time() + pause * number / CLIENTS
        for request in requests(server, number):
            time.sleep(max(0.0, due - time.time()))
            due = max(due + pause, time.time())
            if time.time() >= until:
                return
            began = time.time()
            try:
                status = request()
            except OSError as why:
                status = why
            times.append(time.time() - began)
            if status != 200:
                failed.append(status)

    threads = [threading.Thread(target=client, args=[number]) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(times), failed


def quiet(server, until):
    pass


def attack(server, until):
    held = deaf(server.port, 1000, ATTACKER)
    while time.time() < until:
        for call in calls:
            if time.time() < until:
                quietly(call)
        for one in held:
            one.close()
        held = deaf(server.port, 1000, ATTACKER)


lay_queue()
for number in range(ITEMS):
    (queue / f"d{number:03}.png").write_bytes(IMAGE)
allow_files(4096)
with Server(program, run) as server:
    enlarge()
    calls = sum(attacks(server, ATTACKER).values(), [])
    times, failed = work(server, time.time() + 10)
    pause = CLIENTS * 10 / len(times) / 0.8
    print(f"{len(times) / 10:.0f} requests a second at most: from now on {CLIENTS / pause:.0f}", flush=True)
    nineties = []
    for beside in (None, attack):
        until = time.time() + seconds / 2
        server.forget_most()
        idle = server.memory()[0]
        # A process of its own: beside the honest clients, it would take their time.
        attacker = multiprocessing.Process(target=beside or quiet, args=[server, until])
        attacker.start()
        times, failed = work(server, until, pause)
        attacker.join()
        at = lambda part: 1000 * times[int(part * (len(times) - 1))]
        taken = server.memory()[1] - idle
        nineties.append(at(0.99))
        name = "with an attacker" if beside else "alone"
        print(f"{name}: {len(times)} requests, {len(failed)} not answered with 200; p50 {at(0.5):.1f} ms, p99 {at(0.99):.1f} ms, "
              f"longest {at(1):.0f} ms; {taken:.0f} MiB above rest", flush=True)
        assert not failed, failed[:5]
        assert taken < 1024, taken
print(f"p99 is {nineties[1] / nineties[0]:.1f} times that without the attacker")
sys.exit(int(nineties[1] > 3 * nineties[0]))
