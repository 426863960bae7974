"""Property heads fitted anew, when the encoder has come to rest.

In the loop the heads follow latents that move, and see a labelled molecule no more often than any
other. Afterwards the latents of all labelled molecules are a small table, and many passes over it
cost seconds.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from molvae.corpus.batches import Batches
from molvae.network.vae import SequenceVAE
from molvae.training.forward import generator
from molvae.training.loop import SCARCEST
from molvae.training.posteriors import FEWEST_JUDGES, Posteriors, posteriors_of

ROWS = 100_000
"""No more labelled molecules are encoded, so that a fit costs less than a short training."""

STEPS, EPOCHS = 6_000, 100
"""A fit ends with whichever comes first."""

EPOCHS_UNJUDGED = 20
"""Passes when no held-out molecule tells when to stop."""

LOOKS = 50
"""Looks at the held-out molecules during a fit."""

LARGEST_BATCH = 256

LEARNING_RATE, WEIGHT_DECAY = 3e-3, 1e-2

FLOOR = 0.01
"""Added to squared errors before they are compared: beyond an R2 of 0.99 heads are equally good."""

_ORDER, _NOISE = 2, 3
"""What tells the random numbers of a fit from those of training under the same seed."""


@dataclass(frozen=True)
class HeadsFit:
    """What a fit of the heads came to.

    Attributes:
        molecules: Labelled training molecules that it saw.
        labels: Of these, how many had a value, one number a property.
        held_out: Held-out molecules with a value, by which weights were chosen, likewise.
        steps: Steps taken.
        best_step: The step whose weights were kept; 0 for the heads as they were.
    """

    molecules: int
    labels: tuple[int, ...]
    held_out: tuple[int, ...]
    steps: int
    best_step: int


def refit(network: SequenceVAE, training: Batches, held_out: Batches | None, seed: int) -> HeadsFit:
    """Fit the heads of a trained network in place, all other weights at rest.

    They go on from the weights they have and learn from one draw of each posterior a pass, so that
    they hold for drawn latents too. What is kept are the weights that predict best from the means
    of the held-out molecules, those at the start among them; when too few of these have a value,
    the last weights after fewer passes.

    Args:
        network: The fp32 network.
        training: The labelled molecules; their properties are in standard units.
        held_out: Molecules to choose weights by.
        seed: Of the order of the molecules and of the draws; with the network and the molecules it
            decides the result.
    """
    heads = network.heads
    assert heads is not None
    known = posteriors_of(network, training)
    judge = _Judge(network, None if held_out is None else posteriors_of(network, held_out))
    size = min(LARGEST_BATCH, -(-len(known) // 10))
    epochs = EPOCHS if judge.judges else EPOCHS_UNJUDGED
    steps = min(STEPS, epochs * -(-len(known) // size))
    optimiser = torch.optim.AdamW(heads.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    weight = 1 / (known.counts() / len(known)).clamp(min=SCARCEST)  # (P,)
    taken = epoch = 0
    while taken < steps:
        order = torch.randperm(len(known), generator=generator(seed, _ORDER, epoch))
        latents = known.draw(generator(seed, _NOISE, epoch))
        for rows in torch.split(order.to(network.device), size)[: steps - taken]:
            for group in optimiser.param_groups:
                group["lr"] = LEARNING_RATE * _share(taken, steps)
            error = heads(latents[rows]) - known.values[rows]
            (0.5 * weight * error.nan_to_num().square()).sum(dim=-1).mean().backward()
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            taken += 1
            if taken % max(1, steps // LOOKS) == 0 or taken == steps:
                judge.look(taken)
        epoch += 1
    best = judge.finish(taken)
    counts = judge.counts.tolist()
    return HeadsFit(len(known), tuple(known.counts().tolist()), tuple(counts), taken, best)


class _Judge:
    """Keeps the heads that do best on held-out molecules, or the last ones when these are few.

    Args:
        network: Whose heads are fitted.
        held_out: The molecules, if there are any.
    """

    def __init__(self, network: SequenceVAE, held_out: Posteriors | None) -> None:
        assert network.heads is not None
        self._heads: nn.Module = network.heads
        self._held_out = held_out
        properties = network.config.properties
        self.counts = (
            held_out.counts() if held_out is not None else torch.zeros(properties, dtype=torch.long)
        )
        self._judged = self.counts >= FEWEST_JUDGES  # (P,)
        self.judges = bool(self._judged.any())
        self._step, self._weights = 0, copy.deepcopy(self._heads.state_dict())
        self._first = self._errors()
        self._best = 1.0

    def look(self, step: int) -> None:
        """Compare the present heads with the best so far."""
        if not self.judges:
            return
        # Errors are compared by their ratio, so that a good head isn't spoiled for a poor one.
        ratio = float(((self._errors() + FLOOR) / (self._first + FLOOR)).mean())
        if ratio < self._best:
            self._best, self._step = ratio, step
            self._weights = copy.deepcopy(self._heads.state_dict())

    def finish(self, step: int) -> int:
        """Leave the network with the heads to keep; the step that they are of."""
        if not self.judges:
            return step
        self._heads.load_state_dict(self._weights)
        return self._step

    @torch.no_grad()
    def _errors(self) -> Tensor:
        """Mean squared error of each property that is judged, in standard units, (J,) float64."""
        if self._held_out is None:
            return torch.zeros(0)
        error = self._heads(self._held_out.mean) - self._held_out.values
        means: Tensor = error.double().square().nanmean(dim=0)
        return means[self._judged]


def _share(step: int, steps: int) -> float:
    """Of the learning rate, falling from 1 to 0 as a cosine."""
    return 0.5 * (1 + math.cos(math.pi * step / steps))
