"""Opening an indexed FASTA, and noticing an index that belongs to another file."""

from pathlib import Path
from typing import BinaryIO

import pyfaidx

from genezip.errors import GenezipError
from genezip.formats.input_file import need_regular

_HEADER_BYTES = 1 << 12  # read back at first; twice as much while a header line is longer


def open_fasta(path: str | Path) -> pyfaidx.Fasta:
    """Open a FASTA (plain, or bgzip) with its ``.fai``, which is made where it is missing or older.

    Raises
    ------
    GenezipError
        For a missing file, one that cannot be indexed (lines of unequal length), or an index
        whose records are not where it says.
    """
    path = Path(path)
    need_regular(path, "the FASTA", "name an existing one")
    try:
        opened = pyfaidx.Fasta(str(path), as_raw=True, sequence_always_upper=False)
    except Exception as error:  # pyfaidx raises a dozen kinds, all meaning the same here
        reason = " ".join(str(error).split()) or type(error).__name__
        raise GenezipError(
            f"{path} cannot be indexed ({reason}); give a FASTA whose lines within a record "
            "are equally long, and remove a stale .fai"
        ) from None
    if path.suffix not in (".gz", ".bgz"):
        _check(path, opened)
    return opened


def _check(path: Path, opened: pyfaidx.Fasta) -> None:
    """Every record's header line ends where its bases begin, and all bases are in the file.

    pyfaidx looks at the age of an index only; one that was copied from elsewhere would give
    other bases without a word.
    """
    size = path.stat().st_size
    with open(path, "rb") as handle:
        for name, record in opened.faidx.index.items():
            lines = -(-record.rlen // record.lenc) if record.lenc else 0
            end = record.offset + record.rlen + max(lines - 1, 0) * (record.lenb - record.lenc)
            if end > size or _header(handle, record.offset) != name:
                raise GenezipError(
                    f"{path} is cut short, or {path}.fai is stale: record {name} is not where the "
                    "index says; remove the .fai, or fetch the FASTA again"
                )


def _header(handle: BinaryIO, offset: int) -> str | None:
    """Name in the header line that ends just before an offset; None where there is none."""
    length = _HEADER_BYTES
    while True:
        begin = max(offset - length, 0)
        handle.seek(begin)
        before = handle.read(max(offset - begin, 0))
        if not before.endswith(b"\n"):
            return None
        _, newline, line = before[:-1].rpartition(b"\n")
        if newline or not begin:
            break
        length *= 2
    if not line.startswith(b">"):
        return None
    words = line[1:].split()
    return words[0].decode("utf-8", "replace") if words else None
