"""Draws around one compound, judged one by one, and more of them where they are worth most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from molvae import settings as checks
from molvae.chem.filters import known_filter, objection
from molvae.chem.fingerprints import known_fingerprint
from molvae.chem.identity import KnownMolecules
from molvae.chem.likeness import Likeness, pattern
from molvae.chem.molecules import parse
from molvae.chem.strings import Decoded
from molvae.errors import SettingsError
from molvae.latent.allocation import Allocation
from molvae.latent.generation import refused

ROUND = 256
"""Draws after which it is decided anew where the next ones go."""

PROBES = 1
"""Rounds that are spread over all levels evenly, to learn what each yields."""

Draw = Callable[[np.ndarray, int], Sequence[Decoded]]
"""Draws molecules, given the level of each, (N,), and the number of the round."""


@dataclass(frozen=True)
class Sought:
    """Which molecules are taken.

    Attributes:
        similarity: Least and greatest Tanimoto similarity, both included.
        fingerprint: What similarity is measured by, a name in
            `molvae.chem.fingerprints.FINGERPRINTS`.
        keep: A substructure to keep, as SMARTS; empty for none.
        keep_scaffold: Whether the Murcko scaffold has to be the same.
        strict: Refuse strings that SELFIES had to repair.
        novel: Refuse training molecules.
        filters: Refuse what these filters object to.
    """

    similarity: tuple[float, float] = (0.5, 0.7)
    fingerprint: str = "morgan2"
    keep: str = ""
    keep_scaffold: bool = False
    strict: bool = True
    novel: bool = False
    filters: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            low, high = map(float, self.similarity)
        except (TypeError, ValueError):
            raise SettingsError(
                f"similarity is a range such as (0.5, 0.7), not {self.similarity!r}."
            ) from None
        checks.require(
            0 <= low <= high <= 1,
            f"similarity is a range from 0 to 1, the lower end first, not {low:g}:{high:g}.",
        )
        known_fingerprint(self.fingerprint)
        if self.keep:
            pattern(self.keep)
        for name in self.filters:
            known_filter(name)

    @property
    def range(self) -> str:
        """The range of similarity as the command line writes it."""
        return f"{self.similarity[0]:g}:{self.similarity[1]:g}"


@dataclass
class Tally:
    """What became of the strings drawn around one compound, each counted once.

    Attributes:
        drawn: Strings drawn, up to the last one taken.
        invalid: Held no molecule.
        repaired: Needed repair by SELFIES.
        itself: Are the compound.
        outside: Aren't in the range of similarity.
        lacking: Are in it, but lack what was to be kept.
        known: Are training molecules.
        filtered: Failed a filter.
        repeated: Were taken before.
        taken: The rest.
    """

    drawn: int = 0
    invalid: int = 0
    repaired: int = 0
    itself: int = 0
    outside: int = 0
    lacking: int = 0
    known: int = 0
    filtered: int = 0
    repeated: int = 0
    taken: int = 0

    @property
    def in_range(self) -> int:
        """Strings in the range of similarity, whatever became of them."""
        return self.lacking + self.known + self.filtered + self.repeated + self.taken

    def __str__(self) -> str:
        return (
            f"{self.taken:,} molecules from {self.drawn:,} strings, "
            f"{self.in_range:,} of them in the range{refused(self)}"
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A neighbour.

    Attributes:
        similarity: To the compound.
        level: Where it was drawn first.
        strict: Whether its string needed no repair.
        novel: Whether it is no training molecule.
    """

    similarity: float
    level: int
    strict: bool
    novel: bool


@dataclass(frozen=True, slots=True)
class _Verdict:
    similarity: float
    refusal: str
    novel: bool


@dataclass
class LevelCount:
    """What the draws of one level gave.

    Attributes:
        drawn: Strings drawn.
        in_range: Those in the range of similarity.
        taken: Those taken, which were never drawn before.
        molecules: Those that hold another molecule, by a strict string where that is asked for.
        similarity: The sum of the similarities of these.
    """

    drawn: int = 0
    in_range: int = 0
    taken: int = 0
    molecules: int = 0
    similarity: float = 0.0

    @property
    def mean_similarity(self) -> float:
        """Of its molecules to the compound; NaN when there is none."""
        return self.similarity / self.molecules if self.molecules else float("nan")


class Exploration:
    """Draws around one compound.

    Args:
        likeness: To the compound.
        sought: Which molecules are taken.
        known: The training molecules.
        levels: How many levels there are to draw from.
        seed: Of where draws go.

    Attributes:
        found: What was taken, by SMILES, in the order of the draws.
        tally: What became of all draws.
        counts: The same by level.
        nearest: The similarity seen that is nearest to the range; None before there is one.
    """

    def __init__(
        self, likeness: Likeness, sought: Sought, known: KnownMolecules, levels: int, seed: int
    ) -> None:
        self._likeness, self._sought, self._known = likeness, sought, known
        self._allocation = Allocation(levels, seed)
        self._verdicts: dict[str, _Verdict] = {}
        self.found: dict[str, Found] = {}
        self.tally = Tally()
        self.counts = [LevelCount() for _ in range(levels)]
        self.nearest: float | None = None

    def run(
        self, draw: Draw, count: int, budget: int, on_taken: Callable[[], object] = lambda: None
    ) -> None:
        """Draw until enough are taken or the budget is spent.

        Args:
            draw: What draws.
            count: Molecules asked for.
            budget: Strings that may be drawn.
            on_taken: Called for each molecule taken.
        """
        turn = 0
        while self.tally.drawn < budget:
            rows = min(ROUND, budget - self.tally.drawn)
            spreading = turn < PROBES
            levels = self._allocation.spread(rows) if spreading else self._allocation.ask(rows)
            for level, decoded in zip(levels.tolist(), draw(levels, turn), strict=True):
                if self._judge(level, decoded) == "taken":
                    on_taken()
                if len(self.found) == count:
                    return
            turn += 1

    def _judge(self, level: int, decoded: Decoded) -> str:
        """Count a draw; the field of the tally that it belongs to."""
        refusal = self._refusal(decoded)
        if refusal == "taken":
            verdict = self._verdicts[decoded.smiles]
            self.found[decoded.smiles] = Found(
                verdict.similarity, level, decoded.strict, verdict.novel
            )
        self.tally.drawn += 1
        setattr(self.tally, refusal, getattr(self.tally, refusal) + 1)
        self._count(self.counts[level], decoded.smiles, refusal)
        self._allocation.tell(level, decoded.smiles if refusal in ("taken", "repeated") else "")
        return refusal

    def _refusal(self, decoded: Decoded) -> str:
        if not decoded.smiles:
            return "invalid"
        if self._sought.strict and not decoded.strict:
            return "repaired"
        if decoded.smiles == self._likeness.smiles:
            return "itself"
        if decoded.smiles in self.found:
            return "repeated"
        return self._verdict(decoded.smiles).refusal

    def _count(self, count: LevelCount, smiles: str, refusal: str) -> None:
        count.drawn += 1
        if refusal in ("invalid", "repaired", "itself"):
            return
        similarity = self._verdicts[smiles].similarity
        count.molecules += 1
        count.similarity += similarity
        count.in_range += refusal != "outside"
        count.taken += refusal == "taken"
        if self.nearest is None or self._distance(similarity) < self._distance(self.nearest):
            self.nearest = similarity

    def _distance(self, similarity: float) -> float:
        """How far a similarity is from the range."""
        low, high = self._sought.similarity
        return max(low - similarity, similarity - high, 0.0)

    def _verdict(self, smiles: str) -> _Verdict:
        """What is to be said of a molecule, found once."""
        if smiles not in self._verdicts:
            self._verdicts[smiles] = self._examined(smiles)
        return self._verdicts[smiles]

    def _examined(self, smiles: str) -> _Verdict:
        molecule, novel = parse(smiles), smiles not in self._known
        similarity = self._likeness.similarity(molecule)
        if self._distance(similarity) > 0:
            refusal = "outside"
        elif self._likeness.lost(molecule):
            refusal = "lacking"
        elif self._sought.novel and not novel:
            refusal = "known"
        elif objection(molecule, self._sought.filters):
            refusal = "filtered"
        else:
            refusal = "taken"
        return _Verdict(similarity, refusal, novel)
