"""Evaluate: from tables of molecules to measures, against a stored reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from molvae import display
from molvae.chem.molecules import canonical_many
from molvae.corpus.reading import Source
from molvae.corpus.splits import TEST, TRAIN, VALID, split_of
from molvae.corpus.table import as_table, smiles_column
from molvae.errors import TableError
from molvae.metrics import reference as references
from molvae.metrics.evaluation import Evaluation
from molvae.metrics.evaluation import evaluate as take_measures
from molvae.metrics.reference import Reference, ReferenceSet, TrainingSet
from molvae.model import choose_device
from molvae.parallel import ordered

SUFFIX = ".safetensors"
"""What the name of a stored reference ends in."""

_TOLD = ("temperature", "strict", "novel")


def reference(
    test: Source,
    *,
    scaffolds: Source | None = None,
    train: Source | None = None,
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

    def described(source: Source) -> ReferenceSet:
        smiles = _molecules(source, column, workers)
        return ReferenceSet.of(smiles, device=place, workers=workers)

    if split_column is not None:
        table = as_table(test, workers=workers)
        split = split_of(table, split_column)
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
    generated: Source,
    reference: Source | Reference,
    *,
    train: Source | None = None,
    column: str | None = None,
    device: str = "auto",
    workers: int | None = None,
    on_measure: Callable[[], object] = lambda: None,
) -> Evaluation:
    """Take the measures of MOSES and GuacaMol, and checks against copying.

    The columns ``temperature``, ``strict`` and ``novel`` of a table, as `MolVAE.generate` writes
    them, are told in the facts.

    Args:
        generated: Molecules in the order in which they were generated, the invalid ones too.
        reference: A `Reference`, a file of one, or held-out molecules.
        train: The training molecules, in place of those of the reference.
        column: The column of SMILES in ``generated`` and ``train``; found when absent.
        device: Where ChemNet and similarities are computed.
        workers: Processes for chemistry.
        on_measure: Called after each measure.

    Raises:
        TableError: For a table or a reference that can't be read.
    """
    place = choose_device(device)
    table = as_table(generated, workers=workers)
    texts = table[smiles_column(table, column)]
    told = _told(table)
    found = load_reference(reference, train=train, column=column, device=device, workers=workers)
    smiles = list(ordered(canonical_many, texts.tolist(), workers, given_up=""))
    evaluation = take_measures(smiles, found, device=place, workers=workers, on_measure=on_measure)
    molecules = evaluation.molecules
    molecules.insert(0, "smiles", texts.to_numpy())
    return replace(evaluation, facts={**evaluation.facts, **told})


def load_reference(
    source: Source | Reference,
    *,
    train: Source | None = None,
    column: str | None = None,
    device: str = "auto",
    workers: int | None = None,
) -> Reference:
    """A reference from a file that `molvae reference` wrote, or made of held-out molecules.

    Args:
        source: The file, held-out molecules, or a reference.
        train: The training molecules, in place of those of the reference.
        column: The column of SMILES in ``train`` and in a table of held-out molecules.
        device: Where ChemNet is computed.
        workers: Processes for chemistry.

    Raises:
        TableError: When there is none, or it is damaged, foreign or too new.
    """
    if isinstance(source, Reference):
        found = source
    elif isinstance(source, str | Path) and str(source).lower().endswith(SUFFIX):
        found = references.load(Path(source))
        _tell_of_another_rdkit(found)
    else:
        found = reference(source, column=column, device=device, workers=workers)
    if train is None:
        return found
    return replace(found, train=_training_set(train, column, choose_device(device), workers))


def _tell_of_another_rdkit(found: Reference) -> None:
    here, built = version("rdkit"), found.versions["rdkit"]
    if built != here:
        display.note(
            f"The reference was built with RDKit {built}, this is {here}: where they spell a "
            "molecule differently, Novelty, hits, Frag and Scaf miss it."
        )


def _training_set(
    source: Source, column: str | None, device: torch.device, workers: int | None
) -> TrainingSet:
    smiles = list(dict.fromkeys(_molecules(source, column, workers)))
    return TrainingSet.of(smiles, device=device, workers=workers)


def _molecules(source: Source, column: str | None, workers: int | None) -> list[str]:
    """The molecules of a table as canonical SMILES; what is none is left out and told."""
    table = as_table(source, workers=workers)
    texts = table[smiles_column(table, column)].tolist()
    smiles = [one for one in ordered(canonical_many, texts, workers, given_up="") if one]
    if not smiles:
        raise TableError(f"{_called(source)} has no valid molecule to compare with.")
    if len(smiles) < len(texts):
        lost = f"{len(texts) - len(smiles):,} of {len(texts):,} rows"
        display.note(f"{_called(source)}: {lost} hold no molecule and are left out.")
    return smiles


def _called(source: Source) -> str:
    return str(source) if isinstance(source, str | Path) else "The table"


def _told(table: pd.DataFrame) -> dict[str, Any]:
    """What a table of generated molecules tells of how they came about.

    ``temperature``: of the decoder, a list when there were several; ``strict_share``, of the rows;
    ``all_novel``: whether every row is. None where the table doesn't tell.
    """
    columns = {name: table[name].str.strip().str.lower() for name in _TOLD if name in table.columns}
    shares = {
        name: float((column == "true").mean())
        for name, column in columns.items()
        if column.isin(["true", "false"]).all()
    }
    temperatures = pd.to_numeric(columns.get("temperature", pd.Series(dtype=str)), errors="coerce")
    finite = temperatures[np.isfinite(temperatures)]
    found = sorted(finite.unique().tolist())
    return {
        "temperature": found[0] if len(found) == 1 else found or None,
        "strict_share": shares.get("strict"),
        "all_novel": None if "novel" not in shares else shares["novel"] == 1,
    }
