"""The record of a search: a file to which each evaluated molecule is added, never to be lost."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from molvae.errors import CheckpointError, OutputError
from molvae.files import reason_of
from molvae.guidance.evaluated import Evaluated


class Record:
    """Molecules evaluated so far, one a line of JSON, in the order of their evaluation.

    A line that a kill or a full disk cut short is no evaluation: it is taken away.

    Args:
        path: The file; made when there is something to write.
        terms: The columns of the terms.

    Attributes:
        found: What it held when it was opened.

    Raises:
        CheckpointError: When a line before the last can't be read, or is of other terms.
    """

    def __init__(self, path: Path, terms: Sequence[str]) -> None:
        self._path, self._terms = path, list(terms)
        self.found = self._read() if path.exists() else {}

    def add(self, part: Mapping[str, Evaluated]) -> None:
        """Write molecules at once; when it returns they have reached the disk.

        Raises:
            OutputError: When they can't.
        """
        lines = "".join(self._line(smiles, one) for smiles, one in part.items())
        try:
            with self._path.open("ab") as stream:
                stream.write(lines.encode())
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise OutputError(f"Can't write {self._path}: {reason_of(error)}.") from error

    def _line(self, smiles: str, one: Evaluated) -> str:
        content = {
            "smiles": smiles,
            "score": _plain(one.score),
            "values": dict(zip(self._terms, map(_plain, one.values), strict=True)),
            "desirabilities": dict(zip(self._terms, map(_plain, one.desirabilities), strict=True)),
            "reasons": dict(zip(self._terms, one.reasons, strict=True)),
            "strict": one.strict,
        }
        return json.dumps(content) + "\n"

    def _read(self) -> dict[str, Evaluated]:
        try:
            whole, _, torn = self._path.read_bytes().rpartition(b"\n")
        except OSError as error:
            raise CheckpointError(f"Can't read {self._path}: {reason_of(error)}.") from error
        lines, found = whole.split(b"\n") if whole else [], dict[str, Evaluated]()
        for number, line in enumerate(lines, 1):
            try:
                smiles, one = self._evaluated(json.loads(line))
            except (ValueError, LookupError, TypeError, AttributeError):
                raise CheckpointError(
                    f"{self._path}, line {number}: no evaluation of this objective. "
                    "Take the line away, or begin another run."
                ) from None
            found[smiles] = one
        if torn:
            with self._path.open("rb+") as stream:
                stream.truncate(len(whole) + bool(whole))
        return found

    def _evaluated(self, content: Any) -> tuple[str, Evaluated]:
        parts = [content[name] for name in ("values", "desirabilities", "reasons")]
        if any(list(part) != self._terms for part in parts):
            raise ValueError("other terms")
        values, desirabilities, reasons = (tuple(part.values()) for part in parts)
        score = content["score"]
        return str(content["smiles"]), Evaluated(
            tuple(map(_number, values)),
            tuple(map(_number, desirabilities)),
            -math.inf if score is None else float(score),
            tuple(map(str, reasons)),
            bool(content["strict"]),
        )


def _plain(number: float) -> float | None:
    """A number as JSON has it, every digit of it; what isn't finite has none there."""
    return number if math.isfinite(number) else None


def _number(given: float | None) -> float:
    return math.nan if given is None else float(given)
