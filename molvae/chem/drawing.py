"""Pictures of molecules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rdkit.Chem import rdDepictor

from molvae.chem.molecules import parse
from molvae.errors import OutputError
from molvae.files import atomic_path

PANEL = (260, 220)
"""Width and height of one molecule, in pixels."""


def drawer() -> Any:
    """RDKit's module that draws, which needs libraries of the system that slim images lack.

    Raises:
        OutputError: Where they are missing, with the remedy.
    """
    try:
        from rdkit.Chem.Draw import rdMolDraw2D
    except ImportError as error:
        raise OutputError(
            f"RDKit can't draw molecules here: {error}. Install what it needs (on Debian and "
            "Ubuntu: apt-get install libxrender1 libxext6), or do without pictures."
        ) from None
    return rdMolDraw2D


def draw_grid(
    smiles: Sequence[str], legends: Sequence[str], target: Path, *, columns: int = 5
) -> None:
    """Draw molecules in a grid, in SVG or PNG by the suffix of the file.

    Raises:
        OutputError: For another suffix, a place that can't be written to, or where RDKit can't
            draw.
    """
    draw = drawer()
    columns = min(columns, len(smiles))
    rows = math.ceil(len(smiles) / columns)
    size = (PANEL[0] * columns, PANEL[1] * rows, *PANEL)
    suffix = target.suffix.lower()
    if suffix == ".svg":
        canvas = draw.MolDraw2DSVG(*size)
    elif suffix == ".png":
        canvas = draw.MolDraw2DCairo(*size)
    else:
        raise OutputError(f"Can't draw {target}: pictures end in .svg or .png.")
    canvas.drawOptions().legendFontSize = 15
    molecules = [parse(one) for one in smiles]
    for molecule in molecules:
        rdDepictor.Compute2DCoords(molecule)
        rdDepictor.StraightenDepiction(molecule)
    canvas.DrawMolecules(molecules, legends=list(legends))
    canvas.FinishDrawing()
    content = canvas.GetDrawingText()
    with atomic_path(target) as temporary:
        temporary.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
