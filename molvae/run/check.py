"""What training would make of a table, and what a model that exists can read of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from molvae.chem.standard import Standard
from molvae.chem.strings import AUTO, named
from molvae.corpus.corpus import MAX_TOKENS, prepare
from molvae.corpus.reading import Source
from molvae.corpus.survey import Survey, admission
from molvae.errors import SettingsError
from molvae.settings import from_mapping

if TYPE_CHECKING:
    from molvae.model import MolVAE  # torch is needed only where there is a model


def check(
    source: Source,
    model: MolVAE | None = None,
    *,
    smiles_column: str | None = None,
    properties: str | Iterable[str] = (),
    duplicates: str = "mean",
    split_column: str | None = None,
    max_tokens: int = MAX_TOKENS,
    min_token_count: int = 1,
    constraints: str = AUTO,
    rejects: str | Path | None = None,
    workers: int | None = None,
    **standard: Any,
) -> Survey:
    """Account for each row of a table, as `train` would.

    Args:
        source: A file (see `molvae.corpus.reading.open_table`), a DataFrame, or SMILES.
        model: Tell how much of the table this one could encode, too; the table is then treated as
            the model's own was, so that no setting of that may be given.
        smiles_column: The column of SMILES; found when absent.
        properties: Numeric columns.
        duplicates: ``mean`` or ``first``; see `molvae.train`.
        split_column: A column that says train, valid or test.
        max_tokens: Molecules of more SELFIES symbols are rejected.
        min_token_count: A SELFIES symbol that fewer molecules have is rejected with them.
        constraints: What SELFIES may bond; see `molvae.train`.
        rejects: A CSV to write: row, text and reason of each row that brings no molecule.
        workers: Processes for chemistry; by default one a core.
        standard: Fields of `molvae.chem.standard.Standard`.

    Raises:
        UserError: For a table or setting that can't be used.
    """
    treated = from_mapping(Standard, standard)
    if model is not None:
        if standard or constraints != AUTO or max_tokens != MAX_TOKENS:
            raise SettingsError("A model brings its own standard, limits and constraints.")
        treated = model.checkpoint.standard
        max_tokens = model.checkpoint.network.config.max_tokens
        constraints = named(model.checkpoint.constraints)
    preparation = prepare(
        source,
        column=smiles_column,
        property_names=(properties,) if isinstance(properties, str) else tuple(properties),
        duplicates=duplicates,
        split_column=split_column,
        held_out=0,
        max_tokens=max_tokens,
        min_token_count=min_token_count,
        constraints=constraints,
        standard=treated,
        required=False,
        workers=workers,
    )
    if rejects is not None:
        preparation.rejects.write(Path(rejects))
    admitted = None if model is None else admission(preparation, model.checkpoint.vocabulary)
    return Survey.of(preparation, admitted)
