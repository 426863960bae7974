"""The measures of a set of molecules, and what is known of each molecule."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import resources
from typing import Any

import pandas as pd
import torch

from molvae.errors import MeasureError
from molvae.metrics.evidence import Evidence
from molvae.metrics.reference import Reference, have
from molvae.metrics.rows import ROWS, Row


@dataclass(frozen=True)
class Measure:
    """A measure that was taken, or why it wasn't.

    Attributes:
        name: Of the row.
        section: Of the row.
        value: None when it couldn't be computed.
        expected: What an honest, perfect generator would show; None when nobody can tell.
        note: What stands beside it; the reason when there is no value.
    """

    name: str
    section: str
    value: float | None
    expected: float | None
    note: str


@dataclass(frozen=True)
class Evaluation:
    """All measures of a set of molecules.

    Attributes:
        measures: In the order of `ROWS`.
        molecules: A row each, in the order given: ``canonical``, ``valid``, ``repeated``,
            ``novel``, ``nearest_reference``, ``similarity``, ``nearest_train``,
            ``train_similarity``, ``objection``; blank where it couldn't be found.
        facts: Counts, and what it was compared with; JSON values.
    """

    measures: tuple[Measure, ...]
    molecules: pd.DataFrame
    facts: dict[str, Any]

    def __getitem__(self, name: str) -> float | None:
        """The value of a measure by its name; None when it couldn't be computed.

        Raises:
            KeyError: When there is none of that name.
        """
        return {one.name: one.value for one in self.measures}[name]

    def as_dict(self) -> dict[str, Any]:
        """The evaluation as JSON values, without the molecules."""
        measures = {one.name: asdict(one) for one in self.measures}
        for one in measures.values():
            del one["name"]
        return {**self.facts, "measures": measures}


def evaluate(
    smiles: Sequence[str],
    reference: Reference,
    *,
    device: str | torch.device = "cpu",
    workers: int | None = None,
    on_measure: Callable[[], object] = lambda: None,
) -> Evaluation:
    """Take all measures of generated molecules.

    Args:
        smiles: Canonical SMILES as generated; an empty string for what is no molecule.
        reference: What they are compared with.
        device: Where ChemNet and the similarities are computed.
        workers: Processes for chemistry.
        on_measure: Called after each measure.
    """
    evidence = Evidence(smiles, reference, device=device, workers=workers)
    measures = []
    for row in ROWS:
        measures.append(_take(row, evidence))
        on_measure()
    facts = {
        "rows": len(evidence.smiles),
        "valid": len(evidence.valid),
        "distinct": len(evidence.distinct),
        "reference": reference.name,
        "reference_versions": reference.versions,
    }
    return Evaluation(tuple(measures), _molecules(evidence), facts)


def published(benchmark: str) -> list[dict[str, str]]:
    """The published rows of a benchmark: ``model``, measures by their names, ``source``."""
    source = resources.files("molvae.metrics").joinpath("published.csv")
    with source.open(encoding="utf-8") as stream:
        return [row for row in csv.DictReader(stream) if row["benchmark"] == benchmark]


def _take(row: Row, evidence: Evidence) -> Measure:
    try:
        value = row.value(evidence)
        note = "" if row.note is None else row.note(evidence)
    except MeasureError as reason:
        return Measure(row.name, row.section, None, None, str(reason))
    return Measure(row.name, row.section, value, _expected(row, evidence), note)


def _expected(row: Row, evidence: Evidence) -> float | None:
    if row.expected is None:
        return None
    try:
        return row.expected(evidence)
    except MeasureError:
        return None


def _molecules(evidence: Evidence) -> pd.DataFrame:
    """What is known of each generated molecule, a row each."""
    table = pd.DataFrame({"canonical": evidence.smiles})
    table["valid"] = table["canonical"] != ""
    table["repeated"] = table["valid"] & table["canonical"].duplicated()
    facts = pd.DataFrame(index=pd.Index(evidence.distinct, name="canonical"))
    for columns, find in (
        (["novel"], _novel_column),
        (["nearest_reference", "similarity"], partial(_nearest_columns, name="Test")),
        (["nearest_train", "train_similarity"], partial(_nearest_columns, name="Train")),
        (["objection"], lambda one: [one.description.objections]),
    ):
        try:
            for column, values in zip(columns, find(evidence), strict=True):
                facts[column] = values
        except MeasureError:
            facts[columns] = None
    return table.join(facts, on="canonical")


def _novel_column(evidence: Evidence) -> list[list[bool]]:
    known = have(evidence.train.known, "molecules")
    return [[one not in known for one in evidence.distinct]]


def _nearest_columns(evidence: Evidence, name: str) -> list[Sequence[Any]]:
    there = evidence.compared(name)
    found = evidence.neighbors(name)
    return [[there[place] for place in found.places], found.similarities.tolist()]
