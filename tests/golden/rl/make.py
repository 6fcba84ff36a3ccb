"""Writes what the tests of crates/rl/src/env compare with.

    python3 make.py OUTDIR        needs gymnasium and MinAtar

Trajectories of Gymnasium's CartPole-v1, MountainCar-v0 and Acrobot-v1 with uniformly random
actions, as full states in double precision; and what uniformly random play scores in MinAtar.
"""

import json
import pathlib
import sys

import gymnasium
import numpy as np
from minatar import Environment


def trajectory(name, seed, limit):
    env = gymnasium.make(name).unwrapped
    env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    states, actions, rewards, terminated = [], [], [], False
    states.append([float(x) for x in env.state])
    while len(actions) < limit and not terminated:
        action = int(rng.integers(env.action_space.n))
        _, reward, terminated, _, _ = env.step(action)
        states.append([float(x) for x in env.state])
        actions.append(action)
        rewards.append(float(reward))
    return dict(states=states, actions=actions, rewards=rewards, terminated=bool(terminated))


def swinging(seed, limit):
    """MountainCar driven by its own speed, which reaches the goal."""
    env = gymnasium.make("MountainCar-v0").unwrapped
    env.reset(seed=seed)
    states, actions, rewards, terminated = [[float(x) for x in env.state]], [], [], False
    while len(actions) < limit and not terminated:
        action = 2 if env.state[1] >= 0 else 0
        _, reward, terminated, _, _ = env.step(action)
        states.append([float(x) for x in env.state])
        actions.append(action)
        rewards.append(float(reward))
    return dict(states=states, actions=actions, rewards=rewards, terminated=bool(terminated))


def random_play(name, episodes):
    rng = np.random.default_rng(1)
    env = Environment(name)
    env.seed(1)
    scores, lengths = [], []
    for _ in range(episodes):
        env.reset()
        score, length, done = 0, 0, False
        while not done:
            reward, done = env.act(int(rng.integers(6)))
            score, length = score + reward, length + 1
        scores.append(score)
        lengths.append(length)
    error = lambda values: float(np.std(values) / len(values) ** 0.5)
    return dict(
        score=float(np.mean(scores)),
        score_error=error(scores),
        length=float(np.mean(lengths)),
        length_error=error(lengths),
    )


expected = dict(
    cartpole=[trajectory("CartPole-v1", seed, 200) for seed in range(3)],
    mountain_car=[trajectory("MountainCar-v0", 0, 60), swinging(1, 200)],
    acrobot=[trajectory("Acrobot-v1", 0, 150)],
    random_play={
        "breakout": random_play("breakout", 2000),
        "asterix": random_play("asterix", 1000),
        "seaquest": random_play("seaquest", 1000),
        "space-invaders": random_play("space_invaders", 1000),
    },
)
text = json.dumps(expected)
(pathlib.Path(sys.argv[1]) / "expected.json").write_text(text + "\n")
