"""Pictures of molecules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from rdkit.Chem import rdDepictor
from rdkit.Chem.Draw import rdMolDraw2D

from molvae.chem.molecules import parse
from molvae.errors import OutputError
from molvae.files import atomic_path

PANEL = (260, 220)
"""Width and height of one molecule, in pixels."""


def draw_grid(
    smiles: Sequence[str], legends: Sequence[str], target: Path, *, columns: int = 5
) -> None:
    """Draw molecules in a grid, in SVG or PNG by the suffix of the file.

    Raises:
        OutputError: For another suffix, or a place that can't be written to.
    """
    columns = min(columns, len(smiles))
    rows = math.ceil(len(smiles) / columns)
    size = (PANEL[0] * columns, PANEL[1] * rows, *PANEL)
    suffix = target.suffix.lower()
    if suffix == ".svg":
        canvas = rdMolDraw2D.MolDraw2DSVG(*size)
    elif suffix == ".png":
        canvas = rdMolDraw2D.MolDraw2DCairo(*size)
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
