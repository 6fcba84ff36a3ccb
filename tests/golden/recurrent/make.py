"""Writes KIND.safetensors: weights of PyTorch's recurrent modules, an input, and what they make
of it. Needs: pip install torch safetensors."""

import pathlib

import torch
from safetensors.torch import save_file

torch.manual_seed(7)
here = pathlib.Path(__file__).parent
SIZES = dict(input_size=5, hidden_size=6, num_layers=2, bidirectional=True, batch_first=True)
for name, kind in [("rnn", torch.nn.RNN), ("gru", torch.nn.GRU), ("lstm", torch.nn.LSTM)]:
    module = kind(**SIZES).eval()
    x = torch.randn(3, 11, 5)
    hidden = torch.randn(4, 3, 6)
    cell = torch.randn(4, 3, 6)
    lengths = torch.tensor([11, 7, 4])
    with torch.no_grad():
        state = (hidden, cell) if name == "lstm" else hidden
        y, last = module(x, state)
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
        ragged, ends = module(packed)
        ragged, _ = torch.nn.utils.rnn.pad_packed_sequence(ragged, batch_first=True)
    last, ends = (last[0], ends[0]) if name == "lstm" else (last, ends)
    tensors = {f"rnn.{key}": value for key, value in module.state_dict().items()}
    tensors |= {"x": x, "hidden": hidden, "cell": cell, "y": y, "last": last}
    tensors |= {"ragged": ragged, "ends": ends}
    save_file({key: value.contiguous() for key, value in tensors.items()}, here / f"{name}.safetensors")
