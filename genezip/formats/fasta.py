"""FASTA: streamed windows, whole records, random access through an index, and writing.

:class:`FastaStream` reads a file or pipe in windows, :func:`read_records` yields whole records.
:func:`open_fasta` gives random access through an index, and refuses an index of another file.
:func:`write_records` and :func:`unpack_fasta` write plain FASTA with its index.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyfaidx
import pysam

from genezip.alphabet import encode, upper
from genezip.artifacts.destination import file_target
from genezip.artifacts.files import atomic_path, part_name
from genezip.errors import GenezipError
from genezip.formats.input_file import InputFile, is_packed, need_regular, open_bytes
from genezip.formats.tabix import BgzipWriter
from genezip.log import progress

BLOCK_BYTES = 1 << 20
"""Bytes of text that are read at a time; a longer line is split."""

LINE_BP = 60
"""Bases per line of a written FASTA."""

_BLOCK_BP = 1 << 24  # checked at a time
_HEADER_BYTES = 1 << 12  # first guess for the length of a header line, doubled while too short


class FastaStream(InputFile):
    """Records of a FASTA, file or pipe, read twice: for names and lengths, then as windows.

    The first pass checks the whole file (names, bases, compression), so that nothing is written
    for a file that is broken at its end. ``lengths`` has the bases of each record, in the order of
    the file.
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
        for name, lines in self._parts():
            if lines is None:
                if name in lengths:
                    raise GenezipError(f"{self} has two records named {name!r}; rename one")
                lengths[name] = 0
                continue
            try:
                encode(b"".join(lines))
            except GenezipError:  # the message names the line
                for line in lines:
                    encode(line, f"record {name!r} of {self}, from base {lengths[name]},")
                    lengths[name] += len(line)
            lengths[name] += sum(map(len, lines))
        if not lengths:
            raise GenezipError(f"{self} holds no FASTA record; records begin with '>'")
        empty = [name for name, length in lengths.items() if length == 0]
        if empty:
            raise GenezipError(f"record {empty[0]!r} of {self} has no bases; remove it")
        return lengths

    def _parts(self) -> Iterator[tuple[str, list[bytes] | None]]:
        """As :func:`_walk`, after checking that every record has a name."""
        with self.unpacked() as handle:
            for name, lines in _walk(handle):
                if name is None:
                    raise GenezipError(f"{self} does not begin with '>'; give a FASTA file")
                if not name:
                    raise GenezipError(f"{self} has a record without a name; give it one")
                yield name, lines

    def copy(self, out: "BgzipFasta") -> Iterator[int]:
        """Write all records, case kept; yield the number of bases after each batch of lines."""
        for name, lines in self._parts():
            if lines is None:
                assert name is not None
                out.begin(name)
                continue
            bases = b"".join(lines)
            out.add(bases)
            yield len(bases)

    def windows(self, window_bp: int) -> Iterator[tuple[str, int, np.ndarray]]:
        """(record name, start, uint8 token ids) of consecutive windows.

        The last window of a record may be shorter. Memory is one window, whatever the length of
        the record.
        """
        parts: list[np.ndarray] = []
        name, start, held = "", 0, 0
        for record, lines in self._parts():
            if lines is None:
                if held:
                    yield name, start, np.concatenate(parts)
                name, start, parts, held = record, 0, [], 0
                continue
            parts.append(encode(b"".join(lines)))
            held += len(parts[-1])
            if held >= window_bp:
                bases = np.concatenate(parts)
                whole = held // window_bp * window_bp
                for begin in range(0, whole, window_bp):
                    yield name, start + begin, bases[begin : begin + window_bp]
                start, parts, held = start + whole, [bases[whole:]], held - whole
        if held:
            yield name, start, np.concatenate(parts)


@dataclass(frozen=True)
class FastaIndex:
    """A FASTA with the indexes of htslib: ``.fai``, and ``.gzi`` for bgzip.

    ``sizes`` has the bases of every record, in the order of the file.
    """

    path: Path
    fai: Path
    gzi: Path | None
    sizes: dict[str, int]

    def bases(self, chrom: str, start: int, end: int) -> str:
        """Bases of an interval, 0-based, half-open, case as in the file."""
        gzi = None if self.gzi is None else str(self.gzi)
        with pysam.FastaFile(str(self.path), str(self.fai), gzi) as file:
            return str(file.fetch(chrom, start, end))


def index_fasta(path: str | Path, folder: Path) -> FastaIndex:
    """Index a FASTA, plain or bgzip: by the files beside it, else in ``folder``.

    Nothing is written beside the FASTA. gzip that is not bgzip, and records with lines of unequal
    length, are refused.
    """
    path = Path(path)
    need_regular(path, "the FASTA", "name an existing one")
    packed = is_packed(path)
    beside = [Path(f"{path}{suffix}") for suffix in ((".fai", ".gzi") if packed else (".fai",))]
    date = path.stat().st_mtime
    if not all(index.is_file() and index.stat().st_mtime >= date for index in beside):
        beside = [folder / index.name for index in beside]
        options = zip(("--fai-idx", "--gzi-idx"), beside, strict=False)  # plain FASTA has no .gzi
        names = [str(word) for pair in options for word in pair]
        before = pysam.set_verbosity(0)  # the error below is reported once
        try:
            pysam.faidx(str(path), *names)
        except pysam.SamtoolsError:
            needed = "lines of equal length in every record"
            if packed:
                needed = f"bgzip in place of gzip, and {needed}"
            raise GenezipError(
                f"{path} cannot be indexed, which needs {needed}; rewrite it"
            ) from None
        finally:
            pysam.set_verbosity(before)
    rows = [line.split("\t") for line in beside[0].read_text(encoding="utf-8").splitlines()]
    sizes = {row[0]: int(row[1]) for row in rows}
    return FastaIndex(path, beside[0], beside[1] if packed else None, sizes)


class BgzipFasta:
    """Writer of a bgzip FASTA with 60 bases per line, record by record in batches of lines."""

    def __init__(self, path: Path) -> None:
        self._out = BgzipWriter(path)
        self._held = b""  # the unfinished last line of a record

    def begin(self, name: str) -> None:
        """Begin a record."""
        self._end()
        self._out.write(b">%b\n" % name.encode())

    def add(self, bases: bytes) -> None:
        """Add bases to the record, case kept."""
        bases = self._held + bases
        whole = len(bases) // LINE_BP * LINE_BP
        lines = [bases[at : at + LINE_BP] + b"\n" for at in range(0, whole, LINE_BP)]
        self._out.write(b"".join(lines))
        self._held = bases[whole:]

    def close(self) -> None:
        """End the last record and the file."""
        self._end()
        self._out.close()

    def abandon(self) -> None:
        """Close the unfinished file."""
        self._out.abandon()

    def _end(self) -> None:
        if self._held:
            self._out.write(self._held + b"\n")
        self._held = b""


@contextmanager
def atomic_bgzip_fasta(path: str | Path) -> Iterator[BgzipFasta]:
    """Yield a writer of a bgzip FASTA; it and its indexes appear when the block succeeds.

    The indexes ``.fai`` and ``.gzi`` are those of htslib, which genome browsers read.
    """
    path = Path(path)
    with ExitStack() as stack:
        # renamed in reverse order: the FASTA first, as an index must not be older
        gzi, fai, part = (
            stack.enter_context(atomic_path(f"{path}{suffix}")) for suffix in (".gzi", ".fai", "")
        )
        writer = BgzipFasta(part)
        try:
            yield writer
            writer.close()
        except BaseException:
            writer.abandon()
            raise
        try:
            pysam.faidx(str(part), "--fai-idx", str(fai), "--gzi-idx", str(gzi))
        except pysam.SamtoolsError as error:
            raise GenezipError(f"{path} cannot be indexed: {error}; free space") from None


def _walk(handle: BinaryIO) -> Iterator[tuple[str | None, list[bytes] | None]]:
    """(record name, None) at a header, (record name, lines of bases) below it.

    The name is empty if a header has none, and None before the first header. Lines are yielded in
    batches and stripped of spaces; a chromosome on one line is split to bound the memory.
    """
    name, held, inside = None, b"", False  # whether the text begins inside a line
    while text := held + (block := handle.read(BLOCK_BYTES)):
        cut = text.rfind(b"\n") + 1
        if not block or not (cut or (text.startswith(b">") and not inside)):
            cut = len(text)
        lines, held = list(map(bytes.strip, text[:cut].split(b"\n"))), text[cut:]
        heads = [n for n, line in enumerate(lines) if line.startswith(b">") and (n or not inside)]
        first = 0
        for head in [*heads, len(lines)]:
            if bases := [line for line in lines[first:head] if line]:
                yield name, bases
            if head < len(lines):
                words = lines[head][1:].split()
                name = words[0].decode(errors="replace") if words else ""
                yield name, None
            first = head + 1
        if cut:
            inside = text[cut - 1 : cut] != b"\n"


def read_records(path: str | Path | InputFile) -> Iterator[tuple[str, bytes]]:
    """(name, sequence) of a FASTA (plain, gzip or bgzip; file or pipe), one record at a time.

    The name is the first word of the header, the sequence ASCII letters as in the file (case kept).
    """
    seen: set[str] = set()
    name: str | None = None
    parts: list[bytes] = []
    with open_bytes(path) as handle:
        for found, lines in _walk(handle):
            if found is None:
                raise GenezipError(f"{path} is not a FASTA: it does not begin with '>'")
            if lines is not None:
                parts.append(b"".join(lines))
                continue
            if name is not None:
                yield name, b"".join(parts)
            if not found or found in seen:
                problem = f"the record {found} twice" if found else "a record without a name"
                raise GenezipError(f"{path} has {problem}; give every record its own name")
            seen.add(found)
            name, parts = found, []
    if name is None:
        raise GenezipError(f"{path} has no record; name a FASTA file with sequence")
    yield name, b"".join(parts)


def write_records(path: str | Path, records: Iterable[tuple[str, bytes]]) -> None:
    """Write FASTA with 60 bases per line, and its faidx index ``<path>.fai`` in the same pass."""
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


def open_fasta(path: str | Path) -> pyfaidx.Fasta:
    """Open a FASTA (plain or bgzip); its ``.fai`` is made if it is missing or older."""
    path = Path(path)
    need_regular(path, "the FASTA", "name an existing one")
    try:
        opened = pyfaidx.Fasta(str(path), as_raw=True, sequence_always_upper=False)
    except Exception as error:  # pyfaidx raises many types, all with the same meaning here
        if is_packed(path) and "BGZF" in str(error):
            raise GenezipError(
                f"{path} is packed with gzip, which allows no random access; unpack it, or pack it "
                "with bgzip"
            ) from None
        reason = " ".join(str(error).split()) or type(error).__name__
        raise GenezipError(
            f"{path} cannot be indexed ({reason}); give a FASTA whose lines within a record "
            "are equally long, and remove a stale .fai"
        ) from None
    if path.suffix not in (".gz", ".bgz"):
        _check_index(path, opened)
    return opened


def _check_index(path: Path, opened: pyfaidx.Fasta) -> None:
    """Check that each record has its header just before its bases, and its bases in the file.

    pyfaidx checks only the age of an index; a wrong one would return wrong bases.
    """
    size = path.stat().st_size
    with open(path, "rb") as handle:
        for name, record in opened.faidx.index.items():
            lines = -(-record.rlen // record.lenc) if record.lenc else 0
            end = record.offset + record.rlen + max(lines - 1, 0) * (record.lenb - record.lenc)
            if end > size or _header(handle, record.offset) != name:
                raise GenezipError(
                    f"{path} is cut short, or {path}.fai is stale: record {name} is not at its "
                    "indexed offset; remove the .fai, or fetch the FASTA again"
                )


def _header(handle: BinaryIO, offset: int) -> str | None:
    """Name in the header line that ends just before an offset, or None."""
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


def unpack_fasta(path: str | Path, out: str | Path) -> None:
    """Write plain FASTA ``out`` and its index ``out.fai`` from a plain, gzip or bgzip FASTA.

    Deposits contain whole genomes as gzip, which has no random access. Case is kept. Memory is one
    chromosome. A plain FASTA is not copied: ``out`` becomes a symbolic link, whose own date shows
    a workflow that it is newer than its inputs (a hard link shares the old date), or a copy where
    links are not supported. Lines of unequal length in a plain FASTA, an empty record or invalid
    letter in a compressed one, and an ``out`` that is a pipe, a device, or a link to another
    existing file raise.
    """
    path, out = Path(path), Path(out)
    if not path.is_file():
        raise GenezipError(f"{path} does not exist; name an existing FASTA")
    file_target(out)
    if out.exists() and out.samefile(path) and not out.is_symlink():
        raise GenezipError(f"{out} is the FASTA itself; name another file to unpack to")
    linked = out.is_symlink() and out.exists()
    if linked and (is_packed(path) or not out.samefile(path)):
        # the link of an earlier call points to the input, which must not be overwritten
        raise GenezipError(f"{out} is a link to {out.resolve()}; remove it, or name another file")
    index = out.with_name(out.name + ".fai")
    # the index is renamed last, because an index older than its FASTA is made again
    target = _standing_link(out) if linked else atomic_path(out)
    with atomic_path(index) as new_index, target as new:
        made = new.with_name(new.name + ".fai")
        try:
            if is_packed(path):
                records = progress(read_records(path), out.name, unit="record")
                write_records(new, _checked(path, records))
            else:
                new.unlink(missing_ok=True)
                try:
                    # relative, so that the link survives moving the whole tree
                    new.symlink_to(os.path.relpath(path.resolve(), new.parent.resolve()))
                except OSError:
                    shutil.copyfile(path, new)
                try:
                    open_fasta(new)  # makes and checks the index
                except GenezipError as error:  # its message has the temporary name
                    raise GenezipError(str(error).replace(str(new), str(path))) from None
            made.replace(new_index)
        finally:
            made.unlink(missing_ok=True)


@contextmanager
def _standing_link(out: Path) -> Iterator[Path]:
    """Yield a temporary name beside a link; the link is kept and gets a new date."""
    second = part_name(out)
    try:
        yield second
    finally:
        second.unlink(missing_ok=True)
    with suppress(OSError, NotImplementedError):  # some systems have no dates of links
        os.utime(out, follow_symlinks=False)


def _checked(path: Path, records: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Yield the records unchanged, after checking their letters."""
    for name, sequence in records:
        if not sequence:
            raise GenezipError(f"record {name} of {path} has no bases; remove it")
        for first in range(0, len(sequence), _BLOCK_BP):
            codes = np.frombuffer(sequence, np.uint8, min(_BLOCK_BP, len(sequence) - first), first)
            upper(codes, f"record {name} of {path}, from base {first:,} on,")
        yield name, sequence
