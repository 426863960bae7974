"""What a search leaves in its folder at the end."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from molvae.chem.drawing import draw_grid, drawer
from molvae.chem.fragments import scaffold_of
from molvae.errors import OutputError
from molvae.files import atomic_path, write_text
from molvae.guidance.search import Search
from molvae.guidance.standing import Account
from molvae.metrics.description import fingerprints_of
from molvae.metrics.similarity import mean_powers

TABLE, BEST, PICTURE = "molecules.csv", "best.csv", "best.svg"
CURVE, CURVE_PICTURE, SUMMARY = "curve.csv", "curve.png", "summary.json"
RESULTS = (TABLE, BEST, PICTURE, CURVE, CURVE_PICTURE, SUMMARY)
"""Names in the folder."""

TOP, SHOWN = 100, 20
"""The best molecules, and how many of them a picture shows."""


@dataclass(frozen=True)
class Diversity:
    """How different molecules are.

    Attributes:
        molecules: How many they are.
        internal_diversity: 1 less the mean Tanimoto similarity (Morgan 2, 1024 bits) over all
            pairs, that of each with itself included: IntDiv1 of MOSES (arXiv:1811.12823). NaN
            without molecules.
        scaffolds: Distinct Murcko scaffolds.
    """

    molecules: int
    internal_diversity: float
    scaffolds: int

    @classmethod
    def of(cls, smiles: Sequence[str]) -> Diversity:
        """Measure canonical SMILES."""
        if not smiles:
            return cls(0, math.nan, 0)
        (means,) = mean_powers(fingerprints_of(smiles, workers=1), np.ones(len(smiles)), (1,))
        scaffolds = {scaffold_of(one) for one in smiles} - {""}
        return cls(len(smiles), float(1 - means.mean()), len(scaffolds))

    def __str__(self) -> str:
        return (
            f"the best {self.molecules:,}: internal diversity {self.internal_diversity:.3f}, "
            f"{self.scaffolds:,} scaffolds"
        )


def best_of(found: Search) -> pd.DataFrame:
    """The best 100 rows of the good ones, or of all where none is good."""
    return (found.good if len(found.good) else found.table).head(TOP)


def curve(table: pd.DataFrame) -> pd.DataFrame:
    """How far a search had come after each evaluation.

    Args:
        table: Of a `Search`.

    Returns:
        ``evaluations``, ``best``, ``top10``, ``scaffolds``; see
        `molvae.guidance.standing.Standing`.
    """
    account, rows = Account(), []
    ordered = table.sort_values("evaluation")
    for smiles, score in zip(ordered["smiles"], ordered["score"], strict=True):
        account.add(smiles, score)
        rows.append(asdict(account.standing))
    return pd.DataFrame(rows, columns=["evaluations", "best", "top10", "scaffolds"])


def summary(found: Search, steps: pd.DataFrame) -> dict[str, Any]:
    """What a search came to, by its `curve`, as JSON values."""
    best = best_of(found)
    last = steps.iloc[-1].to_dict() if len(steps) else {}
    numbers = {name: last.get(name, math.nan) for name in ("best", "top10", "scaffolds")}
    top = asdict(Diversity.of(best["smiles"].tolist()))
    return {
        "ending": found.ending,
        "evaluations": found.evaluations,
        "good": len(found.good),
        **_plain(numbers),
        "top100": _plain(top),
        "notes": list(found.notes),
    }


def write(folder: Path, found: Search) -> Search:
    """Write all results; the summary, which says how the search ended, comes last.

    Returns:
        What was found; where molecules can't be drawn, with a note that says so.

    Raises:
        OutputError: When a file can't be written.
    """
    best, steps = best_of(found), curve(found.table)
    for name, table in ((TABLE, found.table), (BEST, best), (CURVE, steps)):
        text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        write_text(folder / name, text)
    try:
        drawer()
    except OutputError as error:
        found = replace(found, notes=(*found.notes, str(error)))
    else:
        draw_best(found, folder / PICTURE)
    _draw_curve(steps, folder / CURVE_PICTURE)
    text = json.dumps(summary(found, steps), indent=2, allow_nan=False)
    write_text(folder / SUMMARY, text + "\n")
    return found


def draw_best(found: Search, target: Path) -> None:
    """Draw the best molecules in a grid, in SVG or PNG; nothing where there are none.

    Raises:
        OutputError: When the picture can't be written.
    """
    shown = best_of(found).head(SHOWN)
    if len(shown):
        legends = [f"score {score:.3g}" for score in shown["score"]]
        draw_grid(shown["smiles"].tolist(), legends, target)


def _draw_curve(steps: pd.DataFrame, target: Path) -> None:
    """Draw evaluations against the best score and the mean of the ten best."""
    from matplotlib.figure import Figure  # no window, and nothing that other figures share

    figure = Figure(figsize=(7, 4.5), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.plot(steps["evaluations"], steps["best"], label="best", linewidth=1.5)
    axes.plot(steps["evaluations"], steps["top10"], label="mean of the ten best", linewidth=1.5)
    axes.set_xlabel("evaluations")
    axes.set_ylabel("score")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    with atomic_path(target) as temporary:
        figure.savefig(temporary)


def _plain(numbers: dict[str, float]) -> dict[str, float | None]:
    """Numbers as JSON has them; counts are whole ones."""
    return {
        name: None if not math.isfinite(one) else int(one) if float(one).is_integer() else one
        for name, one in numbers.items()
    }
