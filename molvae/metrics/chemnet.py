"""ChemNet, whose last layer the Fréchet ChemNet Distance looks at (doi:10.1021/acs.jcim.8b00234).

The weights are those that the package ``fcd_torch`` (MIT) carries. Only tensors and plain values
are read from its file: nothing in it is executed.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from molvae import files
from molvae.errors import MeasureError

FEATURES = 512
"""Numbers that ChemNet has for a molecule."""

LENGTH = 350
"""Places of ChemNet's input; a longer SMILES is cut."""

BATCH = 128

SYMBOLS = (
    "C", "N", "O", "H", "F", "Cl", "P", "B", "Br", "S", "I", "Si", "#", "(", ")", "+", "-", "1",
    "2", "3", "4", "5", "6", "7", "8", "=", "[", "]", "@", "c", "n", "o", "s", "X", ".",
)  # fmt: skip
"""What ChemNet reads, one a place: X is any other symbol, and a dot the end."""

_IDS = {symbol: place for place, symbol in enumerate(SYMBOLS)}
_PAD = len(SYMBOLS)
_SYMBOL = re.compile(r".[ril]|.", re.DOTALL)
_WEIGHTS = "ChemNet_v0.13_pretrained.pt"
_SHA256 = "a36658cc7c94d3c728eacd7ed2d2f104753bb2fde742c2817daefe9533a28080"


class ChemNet(nn.Module):
    """Two convolutions and two LSTMs that read a SMILES once backwards and once forwards."""

    def __init__(self) -> None:
        super().__init__()
        # (symbols, 350) -> (32, 175) -> (32, 88), padded as TensorFlow's "same" does
        self.first = nn.Conv1d(len(SYMBOLS), 32, kernel_size=4, stride=2, bias=False)
        self.second = nn.Conv1d(32, 32, kernel_size=4, stride=2, bias=False)
        self.backward_lstm = nn.LSTM(32, 128, batch_first=True)
        self.forward_lstm = nn.LSTM(128, FEATURES, batch_first=True)

    def forward(self, ids: Tensor) -> Tensor:
        """The features of molecules, (B, 512), from the ids of their symbols, (B, 350)."""
        one_hot = nn.functional.one_hot(ids, _PAD + 1)[:, :, :_PAD].float() / _PAD  # (B, 350, 35)
        hidden = one_hot.transpose(1, 2)
        hidden = nn.functional.selu(self.first(nn.functional.pad(hidden, (1, 1))))  # (B, 32, 175)
        hidden = nn.functional.selu(self.second(nn.functional.pad(hidden, (1, 2))))  # (B, 32, 88)
        backwards, _ = self.backward_lstm(hidden.transpose(1, 2).flip(1))  # (B, 88, 128)
        features, _ = self.forward_lstm(backwards.flip(1))
        return features[:, -1]  # type: ignore[no-any-return]


def activations(smiles: Sequence[str], device: str | torch.device = "cpu") -> np.ndarray:
    """The features of molecules, (N, 512) float32.

    Args:
        smiles: Canonical SMILES.
        device: Where they are computed.

    Raises:
        MeasureError: When the weights aren't installed.
    """
    network = _chemnet().to(device)
    # Filled in place: small results between large intermediates would tear holes in the memory.
    features = np.empty((len(smiles), FEATURES), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(smiles), BATCH):
            ids = np.stack([_ids(one) for one in smiles[start : start + BATCH]])
            features[start : start + BATCH] = network(torch.from_numpy(ids).to(device)).cpu()
    return features


def _ids(smiles: str) -> np.ndarray:
    """The ids of the symbols of a SMILES, the end, and padding: (350,) int64.

    As ``fcd_torch`` reads it: a molecule of several parts ends at its first dot.
    """
    symbols = _SYMBOL.findall(smiles.split(".", 1)[0])[: LENGTH - 1]
    ids = np.full(LENGTH, _PAD)
    ids[: len(symbols)] = [_IDS.get(symbol, _IDS["X"]) for symbol in symbols]
    ids[len(symbols)] = _IDS["."]
    return ids


@cache
def _chemnet() -> ChemNet:
    package = importlib.util.find_spec("fcd_torch")
    if package is None or not package.submodule_search_locations:
        raise MeasureError("ChemNet's weights aren't installed: pip install 'molvae[eval]'")
    path = Path(package.submodule_search_locations[0]) / _WEIGHTS
    if not path.is_file() or files.sha256(path) != _SHA256:
        raise MeasureError("another fcd_torch is installed: pip install fcd_torch==1.0.7")
    layers = torch.load(path, map_location="cpu", weights_only=True)
    network = ChemNet()
    for layer, (_, (weights, _, _)) in zip(network.children(), layers, strict=True):
        layer.load_state_dict(weights)
    return network.eval()
