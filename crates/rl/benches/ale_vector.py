"""Emulator frames per second of ale-py's own vector environment, to compare `speed atari` with.

The preprocessing is the same: 84x84 grey, 4 pictures, 4 frames an action, the last two pooled.
Both on one core, in turn:

    pip install ale-py gymnasium opencv-python-headless
    taskset -c 0 python benches/ale_vector.py [GAMES [SECONDS]]
    taskset -c 0 tenfold-rl speed atari --games 8 --seconds 5 --python PYTHON
"""

import json
import sys
import time

import numpy as np
from ale_py.vector_env import AtariVectorEnv

games = int(sys.argv[1]) if len(sys.argv) > 1 else 8
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 5.0
env = AtariVectorEnv("pong", num_envs=games, num_threads=1)
env.reset(seed=1)
random = np.random.default_rng(1)
for _ in range(10):
    env.step(random.integers(0, 6, games))
steps, worked, begun = 0, time.process_time(), time.perf_counter()
while time.perf_counter() - begun < seconds:
    env.step(random.integers(0, 6, games))
    steps += games
frames = 4 * steps
print(
    json.dumps(
        {
            "games": games,
            "frames_per_second": frames / (time.perf_counter() - begun),
            "frames_per_cpu_second": frames / (time.process_time() - worked),
        }
    )
)
