"""A FASTA that any place can be read from: plain, with its index beside it."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from tqdm import tqdm

from genezip.alphabet import upper
from genezip.artifacts.destination import file_target
from genezip.artifacts.files import atomic_path
from genezip.errors import GenezipError
from genezip.formats.faidx import open_fasta
from genezip.formats.records import is_packed, read_records, write_records

_BLOCK_BP = 1 << 24


def unpack_fasta(path: str | Path, out: str | Path) -> None:
    """Plain FASTA ``out`` and its index ``out.fai`` from a FASTA of any packing.

    Deposits hold whole genomes as plain gzip, which has no random access. Letters keep their
    case. Memory is one chromosome.

    A FASTA that is plain already gets a symbolic link: no second copy of 3 GB, and a date of its
    own, which a workflow needs to see that ``out`` is newer than the list it was made from (a
    hard link shares the old date). Where links are not to be had it is copied.

    Parameters
    ----------
    path : FASTA: plain, gzip or bgzip
    out : path

    Raises
    ------
    GenezipError
        A missing, damaged or empty file, one that is no FASTA, a plain one with lines of unequal
        length, a packed one with a record without bases or a letter that is no base, no room, or
        an ``out`` that is a pipe, a device, or a link to another file that is there.
    """
    path, out = Path(path), Path(out)
    if not path.is_file():
        raise GenezipError(f"{path} does not exist; name an existing FASTA")
    file_target(out)
    if out.exists() and out.samefile(path) and not out.is_symlink():
        raise GenezipError(f"{out} is the FASTA itself; name another file to unpack to")
    linked = out.is_symlink() and out.exists()
    if linked and (is_packed(path) or not out.samefile(path)):
        # a link made here leads to a deposited file, which must not be written through it
        raise GenezipError(f"{out} is a link to {out.resolve()}; remove it, or name another file")
    index = out.with_name(out.name + ".fai")
    # the index takes its place last: one that is older than its FASTA is not believed
    place = _standing_link(out) if linked else atomic_path(out)
    with atomic_path(index) as new_index, place as new:
        made = new.with_name(new.name + ".fai")
        try:
            if is_packed(path):
                bar = tqdm(
                    read_records(path),
                    desc=out.name,
                    unit="record",
                    disable=not sys.stderr.isatty(),
                )
                write_records(new, _checked(path, bar))
            else:
                _link(path, new)
                try:
                    open_fasta(new)  # makes the index, and checks it
                except GenezipError as error:  # of the new name, which nobody knows
                    raise GenezipError(str(error).replace(str(new), str(path))) from None
            made.replace(new_index)
        finally:
            made.unlink(missing_ok=True)


@contextmanager
def _standing_link(out: Path) -> Iterator[Path]:
    """A second name beside a link that stays as it is, but for its date."""
    second = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        yield second
    finally:
        second.unlink(missing_ok=True)
    with suppress(OSError, NotImplementedError):  # not every system dates links
        os.utime(out, follow_symlinks=False)


def _checked(path: Path, records: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """The same records, each looked through before it is written."""
    for name, sequence in records:
        if not sequence:
            raise GenezipError(f"record {name} of {path} has no bases; remove it")
        for first in range(0, len(sequence), _BLOCK_BP):
            codes = np.frombuffer(sequence, np.uint8, min(_BLOCK_BP, len(sequence) - first), first)
            upper(codes, f"record {name} of {path}, from base {first:,} on,")
        yield name, sequence


def _link(path: Path, new: Path) -> None:
    new.unlink(missing_ok=True)
    try:
        # relative, so that it holds when the whole tree is moved
        new.symlink_to(os.path.relpath(path.resolve(), new.parent.resolve()))
    except OSError:
        shutil.copyfile(path, new)
