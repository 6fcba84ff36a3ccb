"""Writes the weights files that the tests of crates/core/src/weights read.

    python3 make.py OUTDIR        needs torch, numpy and safetensors

Every number comes from a formula, so the files can be made again and compared.
"""

import io
import json
import os
import re
import struct
import sys
from collections import OrderedDict

import torch
from safetensors.torch import save_file
from torch import nn


def fill(tensor, phase, scale=0.5, shift=0.0):
    """A smooth pattern without symmetries, so that a transposed matrix gives another output."""
    n = torch.arange(tensor.numel(), dtype=torch.float64)
    values = shift + scale * torch.sin(1.3 * n + phase)
    return values.reshape(tensor.shape).to(torch.float32)


def model():
    net = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(1, 2, 3),
            bn=nn.BatchNorm2d(2),
            flatten=nn.Flatten(),
            fc=nn.Linear(8, 3),
        )
    )
    state = net.state_dict()
    for phase, (key, tensor) in enumerate(state.items()):
        if key == "bn.running_var":
            state[key] = fill(tensor, phase, 0.5, 1.5)
        elif key != "bn.num_batches_tracked":
            state[key] = fill(tensor, phase)
    net.load_state_dict(state)
    return net.eval()


def without_addresses(data):
    """A legacy file names its storages by memory address: number them instead."""
    keys = {}

    def numbered(match):
        key = str(keys.setdefault(match[1], len(keys))).encode()
        return b"X" + struct.pack("<I", len(key)) + key

    return re.sub(rb"X[\x08-\x14]\0\0\0(\d{8,20})", numbered, data)


class Malicious:
    """Unpickling this with Python would run a command that leaves a marker file."""

    def __reduce__(self):
        return os.system, ("touch tenfold-malicious-pickle-ran",)


# Storages stand in the order of their addresses as text: in that of the weights instead.
torch.serialization.sorted = list


def main(out):
    os.makedirs(out, exist_ok=True)
    net = model()
    state = net.state_dict()

    def save(name, value, **options):
        # The name inside the archive follows the file's: saving to memory keeps it fixed.
        buffer = io.BytesIO()
        torch.save(value, buffer, **options)
        data = buffer.getvalue()
        if "legacy" in name:
            data = without_addresses(data)
        with open(os.path.join(out, name), "wb") as file:
            file.write(data)

    save("small.pth", state)
    save("small_legacy.pth", state, _use_new_zipfile_serialization=False)
    save("small_protocol4.pth", state, pickle_protocol=4)
    save("small_half.pth", {k: v.half() if v.is_floating_point() else v for k, v in state.items()})
    wrapped = {"module." + k: v for k, v in state.items()}
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9).state_dict()
    save("checkpoint.pth", {"epoch": 3, "state_dict": wrapped, "optimizer": optimizer})
    other = dict(state)
    other["fc.weight"], other["fc.bias"] = torch.zeros(5, 8), torch.zeros(5)
    save("other_shapes.pth", other)
    save("malicious.pth", {**state, "extra": Malicious()})
    save("malicious_legacy.pth", {**state, "extra": Malicious()}, _use_new_zipfile_serialization=False)
    save("malicious_protocol4.pth", {**state, "extra": Malicious()}, pickle_protocol=4)
    # The folder inside is called as the file: this name's length makes a second beginning of the
    # archive's list of entries likely.
    torch.save(state, os.path.join(out, "a" * 21 + ".pth"))
    save_file(dict(state), os.path.join(out, "small.safetensors"))

    image = fill(torch.empty(2, 1, 4, 4), 0.7, 1.0)
    with torch.no_grad():
        output = net(image)
    expected = {
        "input": image.flatten().tolist(),
        "output": output.flatten().tolist(),
        "state": {
            key: {"shape": list(tensor.shape), "values": tensor.flatten().tolist()}
            for key, tensor in state.items()
            if key != "bn.num_batches_tracked"
        },
    }
    with open(os.path.join(out, "expected.json"), "w") as file:
        json.dump(expected, file, indent=1)
        file.write("\n")


main(sys.argv[1])
