"""A network made larger: for more symbols, longer strings or other heads, what it knows is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F  # noqa: N812  (the name that torch's own documentation uses)
from torch import Tensor

from molvae.network.vae import SequenceVAE

NEW = -1
"""Stands for an id or a head that the trained network doesn't have."""


def grown(
    network: SequenceVAE,
    *,
    ids: Sequence[int],
    max_tokens: int,
    heads: Sequence[int],
    knows_noise: bool,
) -> SequenceVAE:
    """A copy of a network in which rows for new symbols and heads have been added.

    What it says of strings of the old symbols stays as it was, but for the little that the new
    symbols take: to begin with, each is read as the mean of the old ones, and written as
    seldom as the rarest of them.

    Args:
        network: The trained network.
        ids: The old id of each new id, `NEW` where there is none, (V,).
        max_tokens: The longest string that it shall write.
        heads: The old place of each head, `NEW` where there is none, (P,).
        knows_noise: Whether its decoder shall be told of noise; one that was stays so.
    """
    config = replace(
        network.config,
        vocabulary_size=len(ids),
        max_tokens=max_tokens,
        properties=len(heads),
        knows_noise=knows_noise or network.config.knows_noise,
    )
    larger = SequenceVAE(config).to(network.device)
    weights, old = larger.state_dict(), network.state_dict()
    for name, values in old.items():
        if name in weights and weights[name].shape == values.shape:
            weights[name] = values.clone()
    embedded, written = "embedding.weight", "decoder.to_logits"
    weights[embedded] = _rows(old[embedded], ids, old[embedded].mean(dim=0))
    weight, bias = old[f"{written}.weight"], old[f"{written}.bias"]
    weights[f"{written}.weight"] = _rows(weight, ids, weight.mean(dim=0))
    weights[f"{written}.bias"] = _rows(bias, ids, bias.min())
    if config.knows_noise and not network.config.knows_noise:
        for name in ("decoder.to_state.weight", "decoder.gru.weight_ih_l0"):
            weights[name] = F.pad(old[name], (0, 1))  # of the level it takes no notice yet
    last = "heads.2"
    if f"{last}.weight" in weights and f"{last}.weight" in old:
        for name in (f"{last}.weight", f"{last}.bias"):
            kept = torch.tensor([one != NEW for one in heads])
            weights[name][kept] = old[name][[one for one in heads if one != NEW]]
    larger.load_state_dict(weights)
    return larger


def _rows(values: Tensor, places: Sequence[int], new: Tensor) -> Tensor:
    """The rows of those places, ``new`` where there is none."""
    return torch.stack([new if place == NEW else values[place] for place in places])
