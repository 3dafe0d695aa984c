"""Whole FASTA records in, FASTA with its index out."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from genezip.errors import GenezipError
from genezip.formats.input_file import GZIP, InputFile

LINE_BP = 60


def is_packed(path: str | Path) -> bool:
    """Whether a file is gzip or bgzip, known by its first bytes."""
    with open(path, "rb") as handle:
        return handle.read(2) == GZIP


@contextmanager
def open_bytes(given: str | Path | InputFile) -> Iterator[BinaryIO]:
    """A file or pipe as bytes, unpacked when it is gzip or bgzip.

    Raises
    ------
    GenezipError
        The file is missing, or its gzip stream is truncated or damaged.
    """
    with ExitStack() as stack:
        file = given if isinstance(given, InputFile) else stack.enter_context(InputFile(given))
        yield stack.enter_context(file.unpacked())


def read_records(path: str | Path | InputFile) -> Iterator[tuple[str, bytes]]:
    """Records of a FASTA file, one whole record at a time.

    Parameters
    ----------
    path : str, Path or InputFile
        Plain, gzip or bgzip; a file or a pipe.

    Yields
    ------
    name : str
        First word of the header.
    sequence : bytes
        ASCII letters as in the file (case kept), without line ends.

    Raises
    ------
    GenezipError
        Missing, damaged or empty file, text before the first header, or a name used twice.
    """
    seen: set[str] = set()
    name: str | None = None
    lines: list[bytes] = []
    with open_bytes(path) as handle:
        for line in handle:
            line = line.strip()
            if line.startswith(b">"):
                if name is not None:
                    yield name, b"".join(lines)
                words = line[1:].split()
                name = words[0].decode("utf-8", "replace") if words else ""
                if not name or name in seen:
                    problem = f"the record {name} twice" if name else "a record without a name"
                    raise GenezipError(f"{path} has {problem}; give every record its own name")
                seen.add(name)
                lines = []
            elif name is None and line:
                raise GenezipError(f"{path} is no FASTA: it does not begin with '>'")
            else:
                lines.append(line)
    if name is None:
        raise GenezipError(f"{path} has no record; name a FASTA file with sequence")
    yield name, b"".join(lines)


def write_records(path: str | Path, records: Iterable[tuple[str, bytes]]) -> None:
    """Write FASTA with 60 letters a line, and the faidx index ``<path>.fai`` beside it.

    The index is written on the way, because every offset is known then; a second reading
    of 3 Gb would only find the same numbers.
    """
    path = Path(path)
    index: list[str] = []
    offset = 0
    with open(path, "wb") as handle:
        for name, sequence in records:
            offset += handle.write(f">{name}\n".encode())
            width = min(LINE_BP, len(sequence))
            index.append(f"{name}\t{len(sequence)}\t{offset}\t{width}\t{width + 1}\n")
            for start in range(0, len(sequence), LINE_BP * 10_000):
                block = sequence[start : start + LINE_BP * 10_000]
                lines = [block[i : i + LINE_BP] for i in range(0, len(block), LINE_BP)]
                offset += handle.write(b"\n".join(lines) + b"\n")
    path.with_name(path.name + ".fai").write_text("".join(index), encoding="utf-8")
