"""DQN on CartPole with PyTorch and Gymnasium, to compare learning speed with.

The algorithm and its settings are those of CleanRL's single-file dqn.py: one environment, a
perceptron of 120 and 84 units, batches of 128 drawn uniformly from 10,000 steps, one step of
Adam for every ten steps of the environment after the first 10,000. PyTorch runs on one thread.

    python benches/torch_dqn.py [STEPS]            steps per second while learning, as JSON
    python benches/torch_dqn.py --a2c [STEPS]      Stable-Baselines3's A2C, 8 and 16 games

The same of ours:

    tenfold-rl train dqn --env cartpole --steps 60000 --json \
        --set learning_starts=10000 --set train_every=10 --set batch_size=128 \
        --set replay=10000 --set target_every=50 --set tau=1 --set n_step=1 \
        --set anneal=false --lr 0.00025
"""

import json
import random
import sys
import time

import gymnasium
import numpy as np
import torch
from torch import nn

torch.set_num_threads(1)


def dqn(steps, begin=10_000, batch=128, capacity=10_000, every=10, target_every=500):
    env = gymnasium.make("CartPole-v1")

    def network():
        return nn.Sequential(
            nn.Linear(4, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 2)
        )

    online, target = network(), network()
    target.load_state_dict(online.state_dict())
    adam = torch.optim.Adam(online.parameters(), lr=2.5e-4)
    seen = np.zeros((capacity, 4), np.float32)
    following = np.zeros((capacity, 4), np.float32)
    actions = np.zeros((capacity, 1), np.int64)
    rewards, ends = np.zeros(capacity, np.float32), np.zeros(capacity, np.float32)
    now, _ = env.reset(seed=1)
    start = None
    for step in range(begin + steps):
        if step == begin:
            start = time.perf_counter()
        epsilon = max(0.05, 1 - 0.95 * step / (0.5 * (begin + steps)))
        if random.random() < epsilon:
            action = env.action_space.sample()
        else:
            with torch.no_grad():
                action = int(online(torch.from_numpy(now[None])).argmax())
        after, reward, terminated, truncated, _ = env.step(action)
        place = step % capacity
        seen[place], following[place] = now, after
        actions[place], rewards[place], ends[place] = action, reward, terminated
        now = env.reset()[0] if terminated or truncated else after
        if step < begin:
            continue
        if step % every == 0:
            pick = np.random.randint(0, min(step + 1, capacity), batch)
            with torch.no_grad():
                best = target(torch.from_numpy(following[pick])).max(1).values
                wanted = torch.from_numpy(rewards[pick]) + 0.99 * best * (
                    1 - torch.from_numpy(ends[pick])
                )
            values = online(torch.from_numpy(seen[pick]))
            values = values.gather(1, torch.from_numpy(actions[pick])).squeeze()
            loss = nn.functional.mse_loss(wanted, values)
            adam.zero_grad()
            loss.backward()
            adam.step()
        if step % target_every == 0:
            target.load_state_dict(online.state_dict())
    seconds = time.perf_counter() - start
    print(json.dumps({"steps_per_second": steps / seconds, "seconds": seconds}))


def a2c(steps):
    from stable_baselines3 import A2C
    from stable_baselines3.common.env_util import make_vec_env

    for games in (8, 16):
        model = A2C("MlpPolicy", make_vec_env("CartPole-v1", n_envs=games), device="cpu")
        start = time.perf_counter()
        model.learn(steps)
        seconds = time.perf_counter() - start
        print(json.dumps({"games": games, "steps_per_second": steps / seconds}))


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    if "--a2c" in sys.argv:
        a2c(numbers[0] if numbers else 40_000)
    else:
        dqn(numbers[0] if numbers else 20_000)
