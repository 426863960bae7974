"""What is measured, a line each: a new measure is a line in `ROWS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import exp, sqrt

import numpy as np

from molvae.chem.filters import FILTERS
from molvae.chem.fragments import RING_SIZES
from molvae.errors import MeasureError
from molvae.metrics import basic, guacamol
from molvae.metrics.distribution import Moments, cosine_similarity, frechet_distance, wasserstein
from molvae.metrics.evidence import CLOSE, Evidence
from molvae.metrics.reference import have
from molvae.metrics.requirements import need

TEST_SETS = {"Test": "test set", "TestSF": "scaffold test set"}


@dataclass(frozen=True)
class Row:
    """A measure.

    Attributes:
        name: As MOSES calls it, where it is one of MOSES.
        section: Of the table.
        meaning: In a few words, with its source.
        value: Computes it, or raises `MeasureError`.
        expected: What an honest, perfect generator would show, where that can be told.
        note: What stands beside it, such as a sample size.
    """

    name: str
    section: str
    meaning: str
    value: Callable[[Evidence], float]
    expected: Callable[[Evidence], float] | None = None
    note: Callable[[Evidence], str] | None = None


def _unique(evidence: Evidence, count: int) -> float:
    need(len(evidence.valid), count)
    return basic.uniqueness(evidence.valid[:count])


def _novelty(evidence: Evidence) -> float:
    known = have(evidence.train.known, "molecules")
    need(len(evidence.distinct), 1)
    return basic.novelty(evidence.distinct, known)


def _filters(evidence: Evidence) -> float:
    passing = np.array([not one for one in evidence.description.objections])
    return float(passing[evidence.places].mean())


def _internal_diversity(evidence: Evidence, power: int) -> float:
    need(len(evidence.valid), 1)
    means = evidence.mean_similarities[power - 1] ** (1 / power)
    return float(1 - np.average(means, weights=evidence.weights))


def _fcd(evidence: Evidence, name: str) -> float:
    moments = have(evidence.against(name).moments, "chemnet")
    return frechet_distance(evidence.moments, moments)


def _fcd_floor(evidence: Evidence, name: str) -> float:
    moments = have(evidence.against(name).moments, "chemnet")
    return frechet_distance(evidence.train_moments(len(evidence.valid)), moments)


def _fcd_note(evidence: Evidence) -> str:
    size = f"{len(evidence.valid):,} molecules"
    try:
        evidence.train_moments(len(evidence.valid))
    except MeasureError as reason:
        return f"{size}; no floor: {reason}"
    return f"{size}; expected: as many training molecules"


def _snn(evidence: Evidence, name: str) -> float:
    return float(evidence.neighbors(name).similarities[evidence.places].mean(dtype=np.float64))


def _frag(evidence: Evidence, name: str) -> float:
    counts = evidence.description.fragment_counts(evidence.weights.tolist())
    return cosine_similarity(have(evidence.against(name).fragments, "fragments"), counts)


def _scaf(evidence: Evidence, name: str) -> float:
    counts = evidence.description.scaffold_counts(evidence.weights.tolist())
    return cosine_similarity(have(evidence.against(name).scaffolds, "scaffolds"), counts)


def _wasserstein(evidence: Evidence, name: str) -> float:
    reference = have(evidence.reference.test.properties, "properties")[name]
    return wasserstein(reference, evidence.values(name))


def _kl_score(evidence: Evidence) -> float:
    return guacamol.score([_divergence(evidence, name) for name in evidence.divergences])


def _kl_note(evidence: Evidence) -> str:
    return f"{evidence.guacamol_size:,} distinct and as many training molecules"


def _divergence(evidence: Evidence, name: str) -> float:
    found = evidence.divergences[name]
    if isinstance(found, MeasureError):
        raise found
    return found


def _fcd_score(evidence: Evidence) -> float:
    """GuacaMol's exp(-0.2 FCD) of as many generated as training molecules, at most 10,000."""
    count = _guacamol_size(evidence)
    generated = Moments.of(evidence.features[:count])
    return exp(-0.2 * frechet_distance(generated, evidence.train_moments(count)))


def _fcd_score_floor(evidence: Evidence) -> float:
    count = _guacamol_size(evidence)
    others = evidence.train_moments(count, start=count)
    return exp(-0.2 * frechet_distance(others, evidence.train_moments(count)))


def _fcd_score_note(evidence: Evidence) -> str:
    return f"{_guacamol_size(evidence):,} and as many training molecules"


def _guacamol_size(evidence: Evidence) -> int:
    features = have(evidence.train.features, "chemnet")
    return min(len(evidence.valid), guacamol.SAMPLE, len(features))


def _mean(evidence: Evidence, name: str) -> float:
    return float(evidence.values(name).mean())


def _reference_mean(evidence: Evidence, name: str) -> float:
    return float(have(evidence.reference.test.properties, "properties")[name].mean())


def _aromatic_share(evidence: Evidence) -> float:
    return _share(_mean(evidence, "aromatic_rings"), _mean(evidence, "aliphatic_rings"))


def _reference_aromatic_share(evidence: Evidence) -> float:
    means = [_reference_mean(evidence, f"{kind}_rings") for kind in ("aromatic", "aliphatic")]
    return _share(*means)


def _share(one: float, other: float) -> float:
    if one + other == 0:
        raise MeasureError("no molecule has a ring")
    return one / (one + other)


def _ring_share(evidence: Evidence, place: int) -> float:
    rings = (evidence.description.ring_sizes * evidence.weights[:, None]).sum(axis=0)
    return _share(float(rings[place]), float(rings.sum() - rings[place]))


def _reference_ring_share(evidence: Evidence, place: int) -> float:
    rings = have(evidence.reference.test.ring_sizes, "rings")
    return _share(float(rings[place]), float(rings.sum() - rings[place]))


def _hits(evidence: Evidence, name: str) -> int:
    need(len(evidence.distinct), 1)
    return evidence.hits(name)


def _hit_ratio(evidence: Evidence) -> float:
    in_train, in_test = evidence.hits("Train"), evidence.hits("Test")
    need(in_train + in_test, 1, "hits")
    # Half a hit more on both sides: who only replays training molecules has none in test.
    return (in_train + 0.5) / (in_test + 0.5)


def _honest_hit_ratio(evidence: Evidence) -> float:
    known = have(evidence.train.known, "molecules")
    return len(known) / len(evidence.reference.test.known)


def _hit_note(evidence: Evidence) -> str:
    hits = [np.ones(evidence.hits(name)) for name in ("Train", "Test")]
    sizes = [len(have(evidence.train.known, "molecules")), len(evidence.reference.test.known)]
    return _verdict(_hit_ratio(evidence), hits, sizes, "are replayed")


def _close(evidence: Evidence, name: str) -> float:
    need(len(evidence.distinct), 1)
    return 1e6 * float(evidence.close(name).sum()) / evidence.pairs(name)


def _close_ratio(evidence: Evidence) -> float:
    need(int(evidence.close("Train").sum() + evidence.close("Test").sum()), 1, "near copies")
    per_pair = [
        (evidence.close(name).sum() + 0.5) / evidence.pairs(name) for name in ("Train", "Test")
    ]
    return float(per_pair[0] / per_pair[1])


def _close_note(evidence: Evidence) -> str:
    names = ("Train", "Test")
    near, pairs = [evidence.close(name) for name in names], [evidence.pairs(name) for name in names]
    return _verdict(_close_ratio(evidence), near, pairs, "are varied")


def _verdict(ratio: float, counts: Sequence[np.ndarray], chances: Sequence[int], what: str) -> str:
    """The standard error of a ratio of two sums of counts, and whether it is far above honest.

    A molecule's counts go together, as one may be near many, so squares are summed over molecules
    and not over pairs. Honest counts fall to either side as the chances are; what is more than
    three standard errors away from that is called so.
    """
    train, test = sums = [int(one.sum()) for one in counts]
    squares = [int((one**2).sum()) for one in counts]
    relative = [max(1, s) / (n + 0.5) ** 2 for s, n in zip(squares, sums, strict=True)]
    error = ratio * sqrt(sum(relative))
    honest = chances[0] / sum(chances)
    surplus = train - honest * (train + test)
    far = surplus > 3 * sqrt(sum(squares) * honest * (1 - honest))
    return f"± {error:.2g}" + (f"; training molecules {what}" if far else "")


def _against_test_sets() -> list[Row]:
    section = "distance"
    rows = []
    for name, called in TEST_SETS.items():
        fcd = Row(
            f"FCD/{name}",
            section,
            f"Fréchet ChemNet distance to the {called}, doi:10.1021/acs.jcim.8b00234",
            partial(_fcd, name=name),
            expected=partial(_fcd_floor, name=name),
            note=_fcd_note,
        )
        snn = f"mean similarity to the nearest molecule of the {called}"
        frag = f"cosine between the BRICS fragments and those of the {called}"
        scaf = f"cosine between the Murcko scaffolds and those of the {called}"
        rows += [
            fcd,
            Row(f"SNN/{name}", section, snn, partial(_snn, name=name)),
            Row(f"Frag/{name}", section, frag, partial(_frag, name=name)),
            Row(f"Scaf/{name}", section, scaf, partial(_scaf, name=name)),
        ]
    return rows


def _wasserstein_rows() -> list[Row]:
    names = {"logP": "logp", "SA": "sa_score", "QED": "qed", "weight": "mol_weight"}
    return [
        Row(
            called,
            "distance",
            f"1-Wasserstein distance of `{name}` to the test set",
            partial(_wasserstein, name=name),
        )
        for called, name in names.items()
    ]


def _guacamol_rows() -> list[Row]:
    section = "GuacaMol"
    parts = [
        Row(
            f"KL/{name}",
            section,
            f"KL divergence of `{name}` from training molecules, nats",
            partial(_divergence, name=name),
        )
        for name in (*guacamol.DESCRIPTORS, "internal_similarity")
    ]
    return [
        Row("KL score", section, "mean of exp(-KL) over the ten KL/..., "
            "doi:10.1021/acs.jcim.8b00839", _kl_score, note=_kl_note),
        Row("FCD score", section, "exp(-0.2 FCD) to training molecules", _fcd_score,
            expected=_fcd_score_floor, note=_fcd_score_note),
        *parts,
    ]  # fmt: skip


def _shift_rows() -> list[Row]:
    section = "shift"
    means = {
        "heavy atoms": ("heavy_atoms", "heavy atoms a molecule"),
        "aromatic rings": ("aromatic_rings", "aromatic rings a molecule"),
        "aliphatic rings": ("aliphatic_rings", "aliphatic rings a molecule"),
    }
    rows = [
        Row(called, section, f"{meaning}; expected: the test set", partial(_mean, name=name),
            expected=partial(_reference_mean, name=name))
        for called, (name, meaning) in means.items()
    ]  # fmt: skip
    rows.append(
        Row("aromatic share", section, "aromatic among all rings; expected: the test set",
            _aromatic_share, expected=_reference_aromatic_share)
    )  # fmt: skip
    rows += [
        Row(f"rings of {size}", section, f"rings of {size} atoms among all; expected: the test set",
            partial(_ring_share, place=place), expected=partial(_reference_ring_share, place=place))
        for place, size in enumerate(RING_SIZES)
    ]  # fmt: skip
    return rows


def _copying_rows() -> list[Row]:
    section = "copying"
    near = f"similarity of {CLOSE} and more, identical ones left out, per million pairs compared"
    return [
        Row("hits/Train", section, "distinct molecules that are in the training set",
            partial(_hits, name="Train")),
        Row("hits/Test", section, "distinct molecules that are in the test set",
            partial(_hits, name="Test")),
        Row("hit ratio", section, "hits in train to hits in test; expected: the ratio of the sizes "
            "of the sets, when they are random parts of one set",
            _hit_ratio, expected=_honest_hit_ratio, note=_hit_note),
        Row("near/Train", section, f"near copies of training molecules, {near}",
            partial(_close, name="Train")),
        Row("near/Test", section, f"near copies of test molecules, {near}",
            partial(_close, name="Test")),
        Row("near ratio", section, "near copies of training to those of test molecules, per pair; "
            "expected: 1, when they are random parts of one set",
            _close_ratio, expected=lambda _: 1.0, note=_close_note),
    ]  # fmt: skip


ROWS: tuple[Row, ...] = (
    Row("valid", "molecules", "share of the rows that are molecules",
        lambda evidence: basic.validity(evidence.smiles)),
    Row("unique@1000", "molecules", "distinct among the first 1,000 valid",
        partial(_unique, count=1000)),
    Row("unique@10000", "molecules", "distinct among the first 10,000 valid",
        partial(_unique, count=10_000)),
    Row("Novelty", "molecules", "distinct molecules that aren't in the training set", _novelty),
    Row("Filters", "molecules", "share of the valid that pass; refused: "
        + FILTERS["moses"][1], _filters),
    Row("IntDiv", "molecules", "1 - mean similarity of all pairs",
        partial(_internal_diversity, power=1)),
    Row("IntDiv2", "molecules", "the same with the root of the mean square of each molecule",
        partial(_internal_diversity, power=2)),
    *_against_test_sets(),
    *_wasserstein_rows(),
    *_guacamol_rows(),
    *_shift_rows(),
    *_copying_rows(),
)  # fmt: skip
"""All measures: those of MOSES (doi:10.3389/fphar.2020.565644) under its names, and others."""
