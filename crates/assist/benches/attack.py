#!/usr/bin/env python3
"""What attackers cost a confirming server: memory above what it has at rest, and how long honest callers wait.

    cargo classification train lenet
    python3 crates/assist/benches/attack.py target/release/tenfold-classification runs/lenet-glyphs

Starts the server on files of its own making, attacks it over loopback in each of the ways below,
and beside each asks for a suggestion every 50 ms, which must be answered. Linux only: memory is
read from /proc. Needs 6 GB of disk, of which 3 are holes.
"""
import sys
import threading
from pathlib import Path

from confirming import Server, allow_files, attacks, deaf, enlarge, honest, lay_queue, quietly

program, run = (Path(word).resolve() for word in sys.argv[1:3])
lay_queue()
print(f"{'attack':<40}{'MiB above rest':>15}{'honest, worst':>15}")
with Server(program, run) as server:
    enlarge()
    for name, calls in attacks(server).items():
        server.forget_most()
        idle = server.memory()[0]
        threads = [threading.Thread(target=quietly, args=[call]) for call in calls]
        for thread in threads:
            thread.start()
        times = honest(server, lambda: not any(thread.is_alive() for thread in threads))
        print(f"{name:<40}{server.memory()[1] - idle:>15.0f}{max(times, default=0):>13.2f} s", flush=True)

allow_files(6000)
with Server(program, run) as server:
    idle = server.memory()[0]
    sockets = deaf(server.port, 4150)
    asked = iter(range(20))
    times = honest(server, lambda: next(asked, None) is None)
    print(f"{'4,150 connections that never read':<40}{server.memory()[1] - idle:>15.0f}{max(times):>13.2f} s")
