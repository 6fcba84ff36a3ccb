"""Writes what the networks of pytorch-CycleGAN-and-pix2pix answer, for
crates/gan/src/translate_tests.rs.

    python3 make.py OUTDIR        needs torch and torchvision, numpy and pillow

The networks are stated anew here, after the papers, with the authors' key names. Weights and
inputs come from the formulas of ../torchvision/make.py.
"""

import json
import os
import sys

import torch
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "torchvision"))
from make import fill, noise  # noqa: E402

WIDTH = 4


def normalise(norm, channels):
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels, track_running_stats=norm == "tracked")


class Level(nn.Module):
    """What lies between an image and its half: down, what is inside, up; beside it the image."""

    def __init__(self, outer, inner, norm, inputs=None, inside=None, outermost=False, drop=False):
        super().__init__()
        self.outermost = outermost
        bias = norm != "batch"
        down = [nn.Conv2d(outer if inputs is None else inputs, inner, 4, 2, 1, bias=bias)]
        wide = inner if inside is None else 2 * inner
        up = [nn.ReLU(), nn.ConvTranspose2d(wide, outer, 4, 2, 1, bias=bias or outermost)]
        if outermost:
            up.append(nn.Tanh())
        else:
            down.insert(0, nn.LeakyReLU(0.2))
            if inside is not None:
                down.append(normalise(norm, inner))
            up.append(normalise(norm, outer))
            if drop:
                up.append(nn.Dropout(0.5))
        self.model = nn.Sequential(*down, *([] if inside is None else [inside]), *up)

    def forward(self, x):
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class Unet(nn.Module):
    def __init__(self, inputs, outputs, downs, norm):
        super().__init__()
        deep = 8 * WIDTH
        level = Level(deep, deep, norm)
        for _ in range(downs - 5):
            level = Level(deep, deep, norm, inside=level, drop=True)
        for times in (4, 2, 1):
            level = Level(times * WIDTH, 2 * times * WIDTH, norm, inside=level)
        self.model = Level(outputs, WIDTH, norm, inputs=inputs, inside=level, outermost=True)

    def forward(self, x):
        return self.model(x)


class Residual(nn.Module):
    def __init__(self, channels, norm):
        super().__init__()
        bias = norm != "batch"
        layer = lambda: [  # noqa: E731
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            normalise(norm, channels),
        ]
        self.conv_block = nn.Sequential(*layer(), nn.ReLU(), *layer())

    def forward(self, x):
        return x + self.conv_block(x)


class Resnet(nn.Module):
    def __init__(self, inputs, outputs, blocks, norm):
        super().__init__()
        bias, width = norm != "batch", WIDTH
        layers = [nn.ReflectionPad2d(3), nn.Conv2d(inputs, width, 7, bias=bias), normalise(norm, width), nn.ReLU()]
        for _ in range(2):
            layers += [nn.Conv2d(width, 2 * width, 3, 2, 1, bias=bias), normalise(norm, 2 * width), nn.ReLU()]
            width *= 2
        layers += [Residual(width, norm) for _ in range(blocks)]
        for _ in range(2):
            half = width // 2
            layers += [
                nn.ConvTranspose2d(width, half, 3, 2, 1, output_padding=1, bias=bias),
                normalise(norm, half),
                nn.ReLU(),
            ]
            width = half
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, outputs, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        return self.model(x)


class Patches(nn.Module):
    def __init__(self, inputs, norm):
        super().__init__()
        bias, width = norm != "batch", WIDTH
        layers = [nn.Conv2d(inputs, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for stride in (2, 2, 1):
            layers += [
                nn.Conv2d(width, 2 * width, 4, stride, 1, bias=bias),
                normalise(norm, 2 * width),
                nn.LeakyReLU(0.2),
            ]
            width *= 2
        self.model = nn.Sequential(*layers, nn.Conv2d(width, 1, 4, 1, 1))

    def forward(self, x):
        return self.model(x)


def main(out):
    torch.set_num_threads(1)
    cases = []
    with torch.no_grad():
        for name, norm, net, inputs, side in [
            ("unet", "batch", Unet(3, 1, 6, "batch"), 3, 64),
            ("unet", "instance", Unet(3, 3, 7, "instance"), 3, 256),
            ("resnet6", "tracked", Resnet(1, 3, 6, "tracked"), 1, 32),
            ("resnet9", "instance", Resnet(3, 3, 9, "instance"), 3, 32),
            ("resnet9", "batch", Resnet(3, 3, 9, "batch"), 3, 32),
            ("patches", "batch", Patches(6, "batch"), 6, 64),
            ("patches", "instance", Patches(3, "instance"), 3, 70),
        ]:
            # Old files hold statistics of instance normalisations, which the authors drop on loading.
            state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
            for key, tensor in state.items():
                fill(key, tensor)
            net.eval()
            if norm == "tracked":
                for layer in net.modules():
                    if isinstance(layer, nn.InstanceNorm2d):
                        layer.track_running_stats = False
                        layer.running_mean = layer.running_var = None
            x = torch.tensor(noise("input", 0, inputs * side * side), dtype=torch.float32)
            y = net(x.view(1, inputs, side, side))
            flat = y.flatten()
            step = max(1, flat.numel() // 40)
            cases.append({
                "net": name,
                "norm": norm,
                "input": [inputs, side, side],
                "output": list(y.shape[1:]),
                "keys": [[key, list(tensor.shape)] for key, tensor in state.items()],
                "mean": flat.double().mean().item(),
                "every": step,
                "values": [round(v, 7) for v in flat[::step].tolist()],
            })
    with open(os.path.join(out, "expected.json"), "w") as file:
        json.dump(cases, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
