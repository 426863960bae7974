"""Evaluate: from tables of molecules to measures, against a stored reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from molvae import display
from molvae.chem.molecules import canonical_many
from molvae.corpus.splits import TEST, TRAIN, VALID, split_from_column
from molvae.corpus.table import as_table, numbers, smiles_column
from molvae.errors import TableError
from molvae.metrics import reference as references
from molvae.metrics.evaluation import Evaluation
from molvae.metrics.evaluation import evaluate as take_measures
from molvae.metrics.reference import Reference, ReferenceSet, TrainingSet
from molvae.model import choose_device
from molvae.parallel import ordered

Molecules = str | Path | pd.DataFrame | Iterable[str]
"""A file, a table or SMILES."""

SUFFIX = ".safetensors"
"""What the name of a stored reference ends in."""

_TEMPERATURE = "temperature"


def reference(
    test: Molecules,
    *,
    scaffolds: Molecules | None = None,
    train: Molecules | None = None,
    split_column: str | None = None,
    name: str = "",
    column: str | None = None,
    device: str = "auto",
    workers: int | None = None,
) -> Reference:
    """Describe molecules that others will be compared with.

    Args:
        test: Held-out molecules, which no generator was trained on.
        scaffolds: Held-out molecules whose scaffolds aren't in the training set.
        train: The training molecules.
        split_column: A column of ``test`` that says which rows are test molecules; those for
            training and validation are the training molecules, unless ``train`` is given.
        name: Of the benchmark; published values are known for ``moses``.
        column: The column of SMILES, in each table; found when absent.
        device: Where ChemNet is computed.
        workers: Processes for chemistry.

    Raises:
        TableError: For a table that can't be read or has no molecule.
    """
    place = choose_device(device)

    def described(source: Molecules) -> ReferenceSet:
        smiles = _molecules(source, column, workers)
        return ReferenceSet.of(smiles, device=place, workers=workers)

    if split_column is not None:
        table = as_table(test)
        split = split_from_column(table, split_column)
        if not (split == TEST).any():
            raise TableError(f"No row is for testing: the column {split_column!r} never says test.")
        test = table[split == TEST]
        train = table[(split == TRAIN) | (split == VALID)] if train is None else train
    return Reference(
        name=name,
        test=described(test),
        scaffolds=None if scaffolds is None else described(scaffolds),
        train=None if train is None else _training_set(train, column, place, workers),
    )


def evaluate(
    generated: Molecules,
    reference: Molecules | Reference,
    *,
    train: Molecules | None = None,
    column: str | None = None,
    device: str = "auto",
    workers: int | None = None,
    on_measure: Callable[[], object] = lambda: None,
) -> Evaluation:
    """Take the measures of MOSES and GuacaMol, and checks against copying.

    Args:
        generated: Molecules in the order in which they were generated, the invalid ones too.
        reference: A `Reference`, a file of one, or held-out molecules.
        train: The training molecules, when the reference doesn't hold them.
        column: The column of SMILES in ``generated`` and ``train``; found when absent.
        device: Where ChemNet and similarities are computed.
        workers: Processes for chemistry.
        on_measure: Called after each measure.

    Raises:
        TableError: For a table or a reference that can't be read.
    """
    place = choose_device(device)
    table = as_table(generated)
    texts = table[smiles_column(table, column)]
    found = _reference(reference, device, workers)
    if train is not None:
        found = replace(found, train=_training_set(train, column, place, workers))
    here = version("rdkit")
    if found.versions["rdkit"] != here:
        display.note(
            f"The reference was built with RDKit {found.versions['rdkit']}, this is {here}: where "
            "they spell a molecule differently, Novelty, hits, Frag and Scaf miss it."
        )
    smiles = list(ordered(canonical_many, texts.tolist(), workers))
    evaluation = take_measures(smiles, found, device=place, workers=workers, on_measure=on_measure)
    molecules = evaluation.molecules
    molecules.insert(0, "smiles", texts.to_numpy())
    facts = {**evaluation.facts, _TEMPERATURE: _temperature(table)}
    return replace(evaluation, facts=facts)


def load_reference(path: str | Path) -> Reference:
    """Read a stored reference.

    Raises:
        TableError: When there is none, or it is damaged, foreign or too new.
    """
    return references.load(Path(path))


def _reference(source: Molecules | Reference, device: str, workers: int | None) -> Reference:
    if isinstance(source, Reference):
        return source
    if isinstance(source, str | Path) and str(source).endswith(SUFFIX):
        return load_reference(source)
    return reference(source, device=device, workers=workers)


def _training_set(
    source: Molecules, column: str | None, device: torch.device, workers: int | None
) -> TrainingSet:
    smiles = list(dict.fromkeys(_molecules(source, column, workers)))
    return TrainingSet.of(smiles, device=device, workers=workers)


def _molecules(source: Molecules, column: str | None, workers: int | None) -> list[str]:
    """The molecules of a table as canonical SMILES; what is none is left out and told."""
    table = as_table(source)
    texts = table[smiles_column(table, column)].tolist()
    smiles = [one for one in ordered(canonical_many, texts, workers) if one]
    if not smiles:
        raise TableError("There is no valid molecule to compare with.")
    if len(smiles) < len(texts):
        display.note(f"{len(texts) - len(smiles):,} of {len(texts):,} rows hold no molecule.")
    return smiles


def _temperature(table: pd.DataFrame) -> float | list[float] | None:
    """The decoding temperature that a table of generated molecules tells, or several."""
    if _TEMPERATURE not in table.columns or not table[_TEMPERATURE].str.strip().any():
        return None
    values = numbers(table, [_TEMPERATURE])
    found = sorted({float(one) for one in values[~np.isnan(values)]})
    return found[0] if len(found) == 1 else found
