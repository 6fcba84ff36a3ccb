"""The networks of crates/kernels/examples/bench/networks.rs in PyTorch.

torch_networks.py NETWORK MODE THREADS SECONDS prints the median and the mean of milliseconds per
step and the peak memory in MiB.
"""

import resource
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

SYMBOLS, STEPS = 100, 64


def conv(inputs, outputs, kernel=3, stride=1, bias=False):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=bias)


def mlp():
    return nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))


def dqn():
    return nn.Sequential(
        nn.Conv2d(4, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 8 * 8, 128), nn.ReLU(), nn.Linear(128, 6),
    )


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * 12 * 12, 128), nn.ReLU(), nn.Linear(128, 10),
    )


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.norm1 = conv(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.norm2 = conv(outputs, outputs), nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if inputs != outputs:
            self.shortcut = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x), inplace=True)


def resnet18():
    blocks = []
    for inputs, outputs, stride in [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]:
        blocks += [Block(inputs, outputs, stride), Block(outputs, outputs, 1)]
    return nn.Sequential(
        conv(3, 64), nn.BatchNorm2d(64), nn.ReLU(inplace=True), *blocks,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10),
    )


def vgg11():
    layers, inputs = [], 3
    for outputs in [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]:
        if outputs == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [conv(inputs, outputs, bias=True), nn.ReLU(inplace=True)]
            inputs = outputs
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 10))


def double(inputs, outputs):
    layers = []
    for inputs in (inputs, outputs):
        layers += [conv(inputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.ModuleList(double(*sizes) for sizes in [(3, 32), (32, 64), (64, 128), (128, 256)])
        self.up = nn.ModuleList(nn.ConvTranspose2d(size, size // 2, 2, 2) for size in (256, 128, 64))
        self.merge = nn.ModuleList(double(size, size // 2) for size in (256, 128, 64))
        self.head = conv(32, 2, 1, bias=True)

    def forward(self, x):
        x, kept = self.down[0](x), []
        for down in self.down[1:]:
            kept.append(x)
            x = down(F.max_pool2d(x, 2))
        for up, merge in zip(self.up, self.merge):
            x = merge(torch.cat([kept.pop(), up(x)], 1))
        return self.head(x).permute(0, 2, 3, 1).flatten(0, 2)


class Recurrent(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, 128)
        self.layer = layer(128, 256, batch_first=True)
        self.head = nn.Linear(256, SYMBOLS)

    def forward(self, x):
        return self.head(self.layer(self.embedding(x))[0].flatten(0, 1))


def generator():
    layers = []
    for inputs, outputs, stride, pad in [(100, 256, 1, 0), (256, 128, 2, 1), (128, 64, 2, 1)]:
        layers += [nn.ConvTranspose2d(inputs, outputs, 4, stride, pad, bias=False)]
        layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh())


def discriminator():
    return nn.Sequential(
        nn.Conv2d(3, 64, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(64, 128, 4, 2, 1, bias=False), nn.BatchNorm2d(128), nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(128, 256, 4, 2, 1, bias=False), nn.BatchNorm2d(256), nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(256, 1, 4, 1, 0, bias=False),
    )


def classes(rows, count):
    return torch.arange(rows) * 7 % count


NETWORKS = {
    "mlp": (mlp, 64, lambda n: torch.randn(n, 4), lambda n: classes(n, 2)),
    "dqn": (dqn, 32, lambda n: torch.randn(n, 4, 10, 10), lambda n: classes(n, 6)),
    "lenet": (lenet, 64, lambda n: torch.randn(n, 1, 28, 28), lambda n: classes(n, 10)),
    "resnet18": (resnet18, 32, lambda n: torch.randn(n, 3, 32, 32), lambda n: classes(n, 10)),
    "vgg11": (vgg11, 32, lambda n: torch.randn(n, 3, 32, 32), lambda n: classes(n, 10)),
    "unet": (UNet, 16, lambda n: torch.randn(n, 3, 64, 64), lambda n: classes(n * 64 * 64, 2)),
}
for name, layer in {"lstm": nn.LSTM, "gru": nn.GRU}.items():
    NETWORKS[name] = (
        lambda layer=layer: Recurrent(layer), 32,
        lambda n: classes(n * STEPS, SYMBOLS).reshape(n, STEPS), lambda n: classes(n * STEPS, SYMBOLS),
    )


def inference(network, x):
    network.eval()

    def step():
        with torch.inference_mode():
            network(x)

    return step


def supervised(name, mode):
    make, batch, inputs, targets = NETWORKS[name]
    network, batch = make(), 1 if mode == "infer1" else batch
    x, y = inputs(batch), targets(batch)
    if mode != "train":
        return inference(network, x)
    if name in ("resnet18", "vgg11"):
        optimizer = torch.optim.SGD(network.parameters(), 1e-3, momentum=0.9)
    else:
        optimizer = torch.optim.Adam(network.parameters(), 1e-3)

    def step():
        optimizer.zero_grad()
        F.cross_entropy(network(x), y).backward()
        optimizer.step()

    return step


def dcgan(mode):
    batch = 1 if mode == "infer1" else 64
    g, noise = generator(), torch.randn(batch, 100, 1, 1)
    if mode != "train":
        return inference(g, noise)
    d, real = discriminator(), torch.randn(batch, 3, 32, 32)
    d_optimizer, g_optimizer = (torch.optim.Adam(n.parameters(), 2e-4, betas=(0.5, 0.999)) for n in (d, g))

    def step():
        fake = g(noise)
        d_optimizer.zero_grad()
        (F.softplus(-d(real)).mean() + F.softplus(d(fake.detach())).mean()).backward()
        d_optimizer.step()
        g_optimizer.zero_grad()
        F.softplus(-d(fake)).mean().backward()
        g_optimizer.step()

    return step


def main():
    name, mode, threads, seconds = sys.argv[1:]
    torch.set_num_threads(int(threads))
    step = dcgan(mode) if name == "dcgan" else supervised(name, mode)
    start, times, warming = time.perf_counter(), [], 3
    while len(times) < 5 or time.perf_counter() - start < float(seconds):
        before = time.perf_counter()
        step()
        if warming:
            warming -= 1
        else:
            times.append((time.perf_counter() - before) * 1e3)
    print(statistics.median(times), statistics.mean(times), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


main()
