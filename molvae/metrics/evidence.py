"""Generated molecules and all that the measures ask of them, each found once, when first asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache, cached_property

import numpy as np
import torch

from molvae.errors import MeasureError
from molvae.metrics import guacamol
from molvae.metrics.chemnet import activations
from molvae.metrics.description import Description, describe
from molvae.metrics.distribution import Moments
from molvae.metrics.reference import Reference, ReferenceSet, TrainingSet, have
from molvae.metrics.requirements import need
from molvae.metrics.similarity import Neighbors, mean_powers, nearest

FILTERS = ("moses",)
"""The filters whose pass rate is told: MCF and PAINS as MOSES defines them."""

CLOSE = 0.8
"""Tanimoto similarity from which on two molecules are near copies."""


class Evidence:
    """What is known of generated molecules, against a reference.

    Attributes:
        smiles: Canonical SMILES as generated; an empty string for what is no molecule.
        valid: Those that are molecules.
        distinct: Those, each once, in the order of their first occurrence.
        places: Where each valid one stands among the distinct, (V,) int64.
        weights: How often each distinct one occurs, (D,) int64.
        reference: What they are compared with.
    """

    def __init__(
        self,
        smiles: Sequence[str],
        reference: Reference,
        *,
        device: str | torch.device = "cpu",
        workers: int | None = None,
    ) -> None:
        self.smiles = list(smiles)
        self.valid = [one for one in self.smiles if one]
        self.distinct = list(dict.fromkeys(self.valid))
        place_of = {one: place for place, one in enumerate(self.distinct)}
        self.places = np.array([place_of[one] for one in self.valid], dtype=np.int64)
        self.weights = np.bincount(self.places, minlength=len(self.distinct))
        self.reference = reference
        self._device, self._workers = device, workers
        self.neighbors = cache(self._neighbors)
        self.close = cache(self._close)
        self.train_moments = cache(self._train_moments)

    def against(self, name: str) -> ReferenceSet:
        """The reference set of a name that MOSES uses: ``Test`` or ``TestSF``."""
        found = {"Test": self.reference.test, "TestSF": self.reference.scaffolds}[name]
        if found is None:
            raise MeasureError("the reference has no scaffold test set")
        return found

    @property
    def train(self) -> TrainingSet:
        """What is known of the training molecules."""
        if self.reference.train is None:
            raise MeasureError("no training molecules are given: name them with --train")
        return self.reference.train

    @cached_property
    def description(self) -> Description:
        """Of the distinct molecules."""
        need(len(self.distinct), 1)
        return describe(self.distinct, filters=FILTERS, workers=self._workers)

    def values(self, name: str) -> np.ndarray:
        """A property of each valid molecule, (V,) float64."""
        return self.description.properties[name][self.places]

    @cached_property
    def features(self) -> np.ndarray:
        """ChemNet's, of each valid molecule, (V, 512) float32."""
        return activations(self.distinct, self._device)[self.places]

    @cached_property
    def moments(self) -> Moments:
        """Of the features."""
        need(len(self.valid), 2)
        return Moments.of(self.features)

    def compared(self, name: str) -> list[str]:
        """The molecules whose similarity is looked at: of Test, TestSF or Train."""
        found = self.train.sample if name == "Train" else self.against(name).smiles
        return have(found, "molecules")

    def _train_moments(self, count: int, start: int = 0) -> Moments:
        return self.train.moments(count, start)

    def _neighbors(self, name: str) -> Neighbors:
        """The most similar molecule in a set, of each distinct one: Test, TestSF or Train."""
        owner = self.train if name == "Train" else self.against(name)
        references = have(owner.fingerprints, "fingerprints")
        queries = self.description.fingerprints
        return nearest(queries, references, close=CLOSE, device=self._device)

    @cached_property
    def mean_similarities(self) -> np.ndarray:
        """Mean similarity and mean squared similarity of each distinct to all valid, (2, D)."""
        fingerprints = self.description.fingerprints
        return mean_powers(fingerprints, self.weights, (1, 2), device=self._device)

    def hits(self, name: str) -> int:
        """How many distinct molecules are in the test or in the training set."""
        whole = self.train.known if name == "Train" else self.against(name).known
        known = have(whole, "molecules")
        return sum(one in known for one in self.distinct)

    def _close(self, name: str) -> np.ndarray:
        """How many molecules of a set each distinct one is a near copy of, (D,) int64."""
        copies = Counter(self.compared(name))
        same = np.array([copies[one] for one in self.distinct], dtype=np.int64)
        return self.neighbors(name).close - same

    def pairs(self, name: str) -> int:
        """Pairs of a distinct molecule and one of a set."""
        return len(self.compared(name)) * len(self.distinct)

    @property
    def guacamol_size(self) -> int:
        """How many molecules of either side GuacaMol's divergences compare: 10,000 if there are."""
        sampled = have(self.train.sample, "molecules")
        return min(len(self.distinct), len(sampled), guacamol.SAMPLE)

    @cached_property
    def divergences(self) -> dict[str, float | MeasureError]:
        """GuacaMol's KL divergences of the first distinct molecules from training molecules."""
        count = self.guacamol_size
        baseline = have(self.train.baseline, "descriptors")
        values = have(self.train.descriptors, "descriptors")
        flat = guacamol.flat_and_distinct(self.distinct[:count], self._workers)
        return guacamol.divergences(
            flat, baseline[:count], values[:count], device=self._device, workers=self._workers
        )
