"""Stream a FASTA of any size: plain, gzip or bgzip, no index needed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from genezip.alphabet import encode
from genezip.errors import GenezipError
from genezip.formats.input_file import InputFile

LINE_LIMIT = 1 << 20


class FastaStream(InputFile):
    """Records of a FASTA, file or pipe, walked twice: for names and lengths, then as windows.

    The first walk checks the whole file, so nothing is written for a file that is broken
    at its end.

    Parameters
    ----------
    path, folder : as of :class:`genezip.formats.input_file.InputFile`

    Attributes
    ----------
    lengths : record name -> bases, in the order of the file

    Raises
    ------
    GenezipError
        For a missing, empty, truncated or non-FASTA file, a name used twice, a record
        without bases, or a letter that is no base.
    """

    def __init__(self, path: str | Path, folder: Path | None = None) -> None:
        super().__init__(path, "name an existing FASTA", folder)
        try:
            self.lengths = self._measured()
        except BaseException:
            self.close()
            raise

    def _measured(self) -> dict[str, int]:
        lengths: dict[str, int] = {}
        for name, line in self._lines():
            if line is None:
                if name in lengths:
                    raise GenezipError(f"{self} has two records named {name!r}; rename one")
                lengths[name] = 0
            else:
                encode(line, f"record {name!r} of {self}, from base {lengths[name]},")
                lengths[name] += len(line)
        if not lengths:
            raise GenezipError(f"{self} holds no FASTA record; records begin with '>'")
        empty = [name for name, length in lengths.items() if length == 0]
        if empty:
            raise GenezipError(f"record {empty[0]!r} of {self} has no bases; remove it")
        return lengths

    def _lines(self) -> Iterator[tuple[str, bytes | None]]:
        """(record name, None) at a header, (record name, bases) at a sequence line."""
        name = None
        with self.unpacked() as handle:
            # a limit, so that a chromosome on one line does not fill the memory
            while raw := handle.readline(LINE_LIMIT):
                line = raw.strip()
                if line.startswith(b">"):
                    words = line[1:].split()
                    if not words:
                        raise GenezipError(f"{self} has a record without a name; give it one")
                    name = words[0].decode(errors="replace")
                    yield name, None
                elif line:
                    if name is None:
                        raise GenezipError(f"{self} does not begin with '>'; give a FASTA file")
                    yield name, line

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
