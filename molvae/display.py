"""What a person sees while molvae works: notes and bars, on stderr only."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


def note(text: str) -> None:
    """Write a line to stderr, above a bar if there is one."""
    tqdm.write(text, file=sys.stderr)


def bar(total: int | None, unit: str, what: str) -> tqdm[Any]:
    """A progress bar on stderr, absent when stderr is no terminal and gone when done."""
    return tqdm(
        total=total,
        unit=f" {unit}",
        desc=what,
        leave=False,
        file=sys.stderr,
        disable=not sys.stderr.isatty(),
        dynamic_ncols=True,
    )
