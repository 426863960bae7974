"""The bytes of a file, gzipped or not, read in blocks: encoding, checksum, lines."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import hashlib
import io
import os
import shutil
import sys
import tempfile
import weakref
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO

from molvae import files
from molvae.errors import TableError

LONGEST_LINE = 16_000_000
"""Characters; a longer line isn't read, as it would have to be held in memory."""

_BLOCK = 1 << 20
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_GZIP = b"\x1f\x8b"


class Content:
    """A file that may be read several times.

    What can be read only once (standard input, a pipe) is copied to a temporary file first.

    Args:
        source: A path, or ``-`` for standard input.

    Attributes:
        name: The source, for messages.
        path: The file that is read.
        suffix: In small letters, ``.gz`` not counted; empty when there is none.
        head: The first bytes, unzipped.
        encoding: ``utf-16`` by its mark, else UTF-8 if it is that, else Latin-1.
        sha256: Of the bytes, unzipped.

    Raises:
        TableError: When there is no such file or it can't be read.
    """

    def __init__(self, source: str | Path) -> None:
        self.name = str(source)
        with self._translated():
            self.path = self._regular(source)
        self._as_it_was = self._state()
        name = self.name.lower().removesuffix(".gz")
        self.suffix = "" if self.name == "-" else Path(name).suffix
        with self._translated(), self.path.open("rb") as stream:
            self._zipped = stream.read(2) == _GZIP
        self._survey()

    def lines(self) -> Generator[str]:
        """The lines with their ends, be these of Unix, Windows or old Macs.

        Raises:
            TableError: When it is no text, or a line is too long to be held.
        """
        if self._binary:
            raise TableError(f"{self.name} is no table of text.")
        with (
            self._translated(),
            self._open() as stream,
            io.TextIOWrapper(stream, self.encoding, errors="replace", newline="") as text,
        ):
            number = 0
            while line := text.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE:
                    raise TableError(
                        f"{self.name}, line {number}: longer than {LONGEST_LINE:,} characters."
                    )
                yield line

    def is_unchanged(self) -> bool:
        """Whether the file is, as far as its size and date tell, what it was when it was opened."""
        return self._state() == self._as_it_was

    def _state(self) -> tuple[int, int]:
        with self._translated():
            facts = self.path.stat()
        return facts.st_size, facts.st_mtime_ns

    def _survey(self) -> None:
        """Read the bytes once: what they are, and their checksum."""
        digest, decoder = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")()
        self.head, utf8 = b"", True
        with self._translated(), self._open() as stream:
            while block := stream.read(_BLOCK):
                self.head = self.head or block[:4096]
                digest.update(block)
                utf8 = utf8 and _decodes(decoder, block)
        utf8 = utf8 and _decodes(decoder, b"", final=True)
        marked = self.head.startswith(_UTF16)
        self._binary = b"\0" in self.head[:1000] and not marked
        self.encoding = "utf-16" if marked else "utf-8-sig" if utf8 else "latin-1"
        self.sha256 = digest.hexdigest()

    def _open(self) -> IO[bytes]:
        opened: IO[bytes] = gzip.open(self.path) if self._zipped else self.path.open("rb")  # type: ignore[assignment]  # noqa: SIM115  # closed by who asked
        return opened

    def _regular(self, source: str | Path) -> Path:
        if self.name == "-":
            return self._spooled(sys.stdin.buffer)
        path = Path(source)
        if path.is_dir():
            raise TableError(f"{path} is a folder. Name a file in it.")
        if not path.exists():
            raise TableError(f"No file {path}.{files.near_file(path)}")
        if path.is_file():
            return path
        with path.open("rb") as stream:
            return self._spooled(stream)

    def _spooled(self, stream: IO[bytes]) -> Path:
        handle, name = tempfile.mkstemp(prefix="molvae-")
        self._finalizer = weakref.finalize(self, _remove, name)
        with os.fdopen(handle, "wb") as copy:
            shutil.copyfileobj(stream, copy, _BLOCK)
        return Path(name)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors of the system and of gzip, as errors in the table."""
        try:
            yield
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise TableError(f"{self.name} is a damaged gzip file ({error}).") from None
        except OSError as error:
            raise TableError(f"Can't read {self.name}: {files.reason_of(error)}.") from None


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True


def _remove(name: str) -> None:
    Path(name).unlink(missing_ok=True)
