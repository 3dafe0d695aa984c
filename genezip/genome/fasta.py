"""Stream a FASTA of any size: plain, gzip or bgzip, no index needed."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from genezip.errors import GenezipError
from genezip.vocab import encode

LINE_LIMIT = 1 << 20


class FastaStream:
    """Records of a FASTA, read twice: once for names and lengths, then as windows.

    The first pass checks the whole file, so nothing is written for a file that is broken
    at its end. A pipe goes through :func:`genezip.spool.rereadable` first.

    Parameters
    ----------
    path : file that can be opened twice
    name : what messages call it; the path when absent

    Raises
    ------
    GenezipError
        For a missing, empty, truncated or non-FASTA file, a name used twice, a record
        without bases, or a letter that is no base.
    """

    def __init__(self, path: str | Path, name: str | None = None) -> None:
        self.path = Path(path)
        self.name = name or str(path)
        self.lengths: dict[str, int] = {}
        for name, line in self._lines():
            if line is None:
                if name in self.lengths:
                    raise GenezipError(f"{self.name} has two records named {name!r}; rename one")
                self.lengths[name] = 0
            else:
                encode(line, f"record {name!r} of {self.name}, from base {self.lengths[name]},")
                self.lengths[name] += len(line)
        if not self.lengths:
            raise GenezipError(f"{self.name} holds no FASTA record; records begin with '>'")
        empty = [name for name, length in self.lengths.items() if length == 0]
        if empty:
            raise GenezipError(f"record {empty[0]!r} of {self.name} has no bases; remove it")

    def _open(self) -> BinaryIO | gzip.GzipFile:
        try:
            handle = open(self.path, "rb")  # noqa: SIM115  (closed by the caller)
        except FileNotFoundError:
            raise GenezipError(f"{self.name} does not exist; name an existing FASTA") from None
        except IsADirectoryError:
            raise GenezipError(f"{self.name} is a folder; name a FASTA file") from None
        except OSError as error:
            raise GenezipError(f"{self.name} cannot be read: {error.strerror}") from None
        magic = handle.read(2)
        handle.seek(0)
        return gzip.GzipFile(fileobj=handle) if magic == b"\x1f\x8b" else handle

    def _lines(self) -> Iterator[tuple[str, bytes | None]]:
        """(record name, None) at a header, (record name, bases) at a sequence line."""
        name = None
        with self._open() as handle:
            try:
                # a limit, so that a chromosome on one line does not fill the memory
                while raw := handle.readline(LINE_LIMIT):
                    line = raw.strip()
                    if line.startswith(b">"):
                        words = line[1:].split()
                        if not words:
                            raise GenezipError(f"{self.name} has a record without a name")
                        name = words[0].decode(errors="replace")
                        yield name, None
                    elif line:
                        if name is None:
                            raise GenezipError(
                                f"{self.name} does not begin with '>'; give a FASTA file"
                            )
                        yield name, line
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise GenezipError(
                    f"{self.name} is a truncated or broken gzip file ({error}); fetch it again"
                ) from None

    def windows(self, window_bp: int) -> Iterator[tuple[str, int, np.ndarray]]:
        """(record name, start, uint8 token ids) of consecutive windows.

        The last window of a record is as short as what is left. Memory is one window,
        whatever the length of the record.
        """
        parts: list[np.ndarray] = []
        name, start, held = "", 0, 0
        for record, line in self._lines():
            if line is None:
                if held:
                    yield name, start, np.concatenate(parts)
                name, start, parts, held = record, 0, [], 0
                continue
            parts.append(encode(line))
            held += len(line)
            if held >= window_bp:
                bases = np.concatenate(parts)
                whole = held // window_bp * window_bp
                for begin in range(0, whole, window_bp):
                    yield name, start + begin, bases[begin : begin + window_bp]
                start, parts, held = start + whole, [bases[whole:]], held - whole
        if held:
            yield name, start, np.concatenate(parts)
