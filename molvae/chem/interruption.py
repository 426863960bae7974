"""Ctrl-C during a substructure search, which RDKit keeps to itself."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rdkit import rdBase

_CUT_SHORT = "Substructure search was interrupted"


class _Ear(logging.Filter):
    """Hears that a search was cut short, and lets all other messages pass."""

    heard = False

    def filter(self, record: logging.LogRecord) -> bool:
        is_it = _CUT_SHORT in record.getMessage()
        self.heard = self.heard or is_it
        return not is_it


@contextmanager
def unbroken() -> Iterator[None]:
    """Run a block of which no substructure search was cut short when it has ended.

    While RDKit searches (for QED, filters, SMARTS) it takes SIGINT itself: it gives the matches
    found so far, warns, and Python hears of nothing. So values would be wrong, and Ctrl-C lost.

    Raises:
        KeyboardInterrupt: At the end, when a search was.
    """
    logger, ear = logging.getLogger("rdkit"), _Ear()
    rdBase.LogToPythonLogger()
    logger.addFilter(ear)
    try:
        yield
    finally:
        logger.removeFilter(ear)
        if "ipykernel" in sys.modules:  # where RDKit itself begins with that
            rdBase.LogToPythonStderr()
        else:
            rdBase.LogToCppStreams()
    if ear.heard:
        raise KeyboardInterrupt
