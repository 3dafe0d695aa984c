"""UCSC chain files: the blocks of one assembly that align to another.

Format: https://genome.ucsc.edu/goldenPath/help/chain.html. A chain is a list of blocks of equal
length in both assemblies; coordinates are 0-based and half-open, and those of a target on the
minus strand count from the end of the chromosome. UCSC's target and query are called source and
target here.
"""

import re

from pyliftover.chainfile import LiftOverChain

from genezip.errors import GenezipError
from genezip.formats.lines import Input, TextFile, opened

_NUMBERS = (2, 4, 6, 7, 9, 11, 12)  # numeric columns of the first line of a chain
_WHOLE = re.compile("[0-9]{1,18}")


def read_chains(given: Input) -> list[LiftOverChain]:
    """All chains of a file (plain or gzip; a file or a pipe), parsed one by one by pyliftover.

    pyliftover's reader of whole files ignores text between chains and builds unused trees.
    """
    chains: list[LiftOverChain] = []
    sizes: dict[tuple[str, str], int] = {}
    with opened(given, "name a chain file") as file:
        lines = _ChainLines(file)
        while head := lines.readline():
            begin = lines.number
            if not head.startswith(b"chain"):
                raise lines.damaged("it does not begin with the word chain (column 1)")
            try:
                chains.append(LiftOverChain(head, lines))
                _check_lengths(chains[-1], sizes)
            except GenezipError:
                raise
            except Exception as error:  # pyliftover raises plain Exception
                raise lines.damaged(str(error), begin) from None
        if not chains:
            raise GenezipError(f"{file} is not a chain file, or is cut short; fetch it again")
    return chains


class _ChainLines:
    """Rows of a file in the form that pyliftover reads, each checked before it is returned."""

    def __init__(self, file: TextFile) -> None:
        self._file = file
        self._rows = file.rows()
        self.number = 0

    def readline(self) -> bytes:
        """The next row; empty after the last."""
        self.number, line = next(self._rows, (self.number, ""))
        fields = line.split()
        begins = fields[:1] == ["chain"]
        if begins and len(fields) not in (12, 13):
            raise self.damaged(f"it has {len(fields)} columns instead of 12 or 13")
        for column in _NUMBERS if begins else range(1, len(fields) + 1):
            if not _WHOLE.fullmatch(fields[column - 1].removeprefix("-" if begins else "")):
                wrong = f"{fields[column - 1]!r} (column {column}) is not a whole number"
                raise self.damaged(wrong)
        return line.encode()

    def damaged(self, wrong: str, first: int | None = None) -> GenezipError:
        """The error for the current line, or for the lines from ``first`` to it."""
        where = f"lines {first}-{self.number}" if first else f"line {self.number}"
        return GenezipError(
            f"{self._file} is not a chain file, or is cut short ({where}: {wrong}); fetch it again"
        )


def _check_lengths(chain: LiftOverChain, sizes: dict[tuple[str, str], int]) -> None:
    """Check that a chain lies inside its chromosomes, and that all chains agree on lengths."""
    for side in ("source", "target"):
        name, size, start, end = (
            getattr(chain, f"{side}_{what}") for what in ("name", "size", "start", "end")
        )
        if sizes.setdefault((side, name), size) != size:
            raise ValueError(f"{name} has another length in an earlier chain")
        if not 0 <= start < end <= size:
            raise ValueError(f"it lies outside of {name}")
