"""Lines and rows of every text that a user gives, plain or gzip, file or pipe.

This module defines lines and rows for all formats:

- A line ends with LF, CRLF or a lone CR, which the last line may lack. All lines are counted,
  from 1, whether or not they are rows.
- Blank lines, comments (``#``, also after spaces) and genome browser lines (``track`` or
  ``browser`` as a whole word) are not rows, wherever they occur.
- In GTF and GFF3 the rows end at ``##FASTA``, or at a line that begins with ``>``.
- A byte order mark at the beginning of a line is dropped. Text is UTF-8; other lines are read as
  Latin-1, with a warning. UTF-16, compression other than gzip, and NUL bytes are refused.
- gzip may have several members (bgzip) and zeros after the last (tar); a truncated one is refused.

:meth:`TextFile.lines` reads line by line in Python; :meth:`TextFile.blocks` returns the rows of
large tables as blocks of bytes, many times faster. Both give the same rows.
"""

import codecs
import io
import logging
import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genezip.errors import GenezipError
from genezip.formats import input_file
from genezip.formats.input_file import GZIP, InputFile

logger = logging.getLogger(__name__)

BLOCK_BYTES = 1 << 22
"""Bytes of text that :meth:`TextFile.blocks` reads at a time."""

_NAME_ONE = "name a file with rows"
_UTF8_MARK = codecs.BOM_UTF8
_NO_TEXT = {
    codecs.BOM_UTF16_LE: "is UTF-16 text; save it as UTF-8",
    codecs.BOM_UTF16_BE: "is UTF-16 text; save it as UTF-8",
    GZIP: "is packed with gzip twice; unpack it once",
    b"\xfd7zXZ\0": "is packed with xz; unpack it, or pack it with gzip",
    b"\x28\xb5\x2f\xfd": "is packed with zstd; unpack it, or pack it with gzip",
    b"PK\x03\x04": "is a zip archive; unpack it, or pack its file with gzip",
    **{
        b"BZh%d1AY" % level: "is packed with bzip2; unpack it, or pack it with gzip"
        for level in range(1, 10)
    },
}
"""First bytes of files that are not text -> what is wrong and what to do."""

_SPACE = " \t\x0b\x0c"  # ASCII characters of a blank line
_BROWSER_WORDS = ("track", "browser")
_NO_ROW = re.compile(rf"[{_SPACE}]*(#|$)|({'|'.join(_BROWSER_WORDS)})([{_SPACE}]|$)")
_FASTA = re.compile(rf">|##FASTA[{_SPACE}]*$", re.IGNORECASE)
_LF = 10
_ODD = np.zeros(256, dtype=bool)  # first bytes of lines that may not be rows
_ODD[list(f"\n{_SPACE}#>tb".encode())] = True
_SPACES = np.zeros(256, dtype=bool)
_SPACES[list(f"\n{_SPACE}".encode())] = True


@dataclass(frozen=True)
class Block:
    """Consecutive rows of a file."""

    data: bytes  # UTF-8 text of the rows alone, each ending with LF
    numbers: np.ndarray  # number of each row's line in the file, from 1; int64, shape (rows,)

    def rows(self) -> Iterator[tuple[int, str]]:
        """Number and text of each row."""
        return zip(self.numbers.tolist(), self.data.decode().split("\n"), strict=False)


class TextFile(InputFile):
    """Lines and rows of a text (file or pipe, plain or gzip); otherwise like its base class."""

    def __init__(self, path: str | Path, todo: str = _NAME_ONE, folder: Path | None = None) -> None:
        super().__init__(path, todo, folder)
        self._warned = False

    def lines(self) -> Generator[tuple[int, str], None, None]:
        """Number and text of every line, without its line end."""
        number, empty = 0, True
        with self.unpacked() as handle:
            self._check_head(handle)
            for raw in handle:
                for line in raw.removesuffix(b"\n").rstrip(b"\r").split(b"\r"):
                    number += 1
                    text = self._text(line.removeprefix(_UTF8_MARK), number)
                    empty = empty and not text.strip(_SPACE)
                    yield number, text
        if empty:
            raise self._empty()

    def rows(self, fasta: bool = False) -> Generator[tuple[int, str], None, None]:
        """Number and text of every row; with ``fasta`` until a FASTA begins (GTF, GFF3)."""
        lines = self.lines()
        for number, line in lines:
            if fasta and _FASTA.match(line):
                lines.close()
                with self.unpacked() as handle:  # to detect truncation after the rows
                    while handle.read(BLOCK_BYTES):
                        pass
                return
            if is_row(line):
                yield number, line

    def blocks(self, fasta: bool = False, size: int | None = None) -> Generator[Block, None, None]:
        """The rows in blocks, each of about ``size`` bytes of text and at least one row."""
        size = size or BLOCK_BYTES
        first, empty = 1, True  # number of the next line
        with self.unpacked() as handle:
            self._check_head(handle)
            for data in _whole_lines(handle, size):
                kept, n_lines, ended = self._kept(data, first, fasta)
                if len(kept.numbers):
                    empty = False
                    yield kept
                empty = empty and not data.replace(_UTF8_MARK, b"").strip()
                first += n_lines
                if ended:
                    while handle.read(size):  # to detect truncation after the rows
                        pass
                    return
        if empty:
            raise self._empty()

    def _kept(self, data: bytes, first: int, fasta: bool) -> tuple[Block, int, bool]:
        """Rows among complete lines, the number of lines, and whether a FASTA begins there."""
        if not data.isascii() and _UTF8_MARK in data:
            data = data.removeprefix(_UTF8_MARK).replace(b"\n" + _UTF8_MARK, b"\n")
        codes, starts, ends = _line_edges(data)
        odd = np.flatnonzero(_ODD[codes[starts]])
        ended = False
        if fasta and len(odd):
            marked = _first_of_fasta(data, codes, starts, ends, odd)
            if marked is not None:
                ended = True
                data = data[: starts[marked]]
                codes, starts, ends = _line_edges(data)
                odd = odd[odd < marked]
        if b"\0" in data:
            line = first + data.count(b"\n", 0, data.index(b"\0"))
            raise self._no_text(line)
        if not data.isascii():
            data, codes, starts, ends = self._as_utf8(data, first, codes, starts, ends)
        numbers = np.arange(first, first + len(starts), dtype=np.int64)
        without = _without_row(data, codes, starts, ends, odd)
        if len(without):
            keep = np.ones(len(starts), dtype=bool)
            keep[without] = False
            data = codes[np.repeat(keep, ends - starts)].tobytes()
            return Block(data, numbers[keep]), len(starts), ended
        return Block(data, numbers), len(starts), ended

    def _as_utf8(
        self, data: bytes, first: int, *edges: np.ndarray
    ) -> tuple[bytes, np.ndarray, np.ndarray, np.ndarray]:
        """The same lines in UTF-8, and their edges."""
        try:
            data.decode()
        except UnicodeDecodeError:
            lines = data.removesuffix(b"\n").split(b"\n")
            texts = [self._text(line, number) for number, line in enumerate(lines, first)]
            data = "".join(f"{text}\n" for text in texts).encode()
            return data, *_line_edges(data)
        return data, edges[0], edges[1], edges[2]

    def _text(self, line: bytes, number: int) -> str:
        """A line as text."""
        if b"\0" in line:
            raise self._no_text(number)
        try:
            return line.decode()
        except UnicodeDecodeError:
            if not self._warned:
                self._warned = True
                logger.warning(
                    "line %d of %s is not UTF-8; such lines are read as Latin-1", number, self
                )
            return line.decode("latin-1")

    def _check_head(self, handle: io.BufferedReader) -> None:
        head = handle.peek(8)
        for magic, wrong in _NO_TEXT.items():
            if head.startswith(magic):
                raise GenezipError(f"{self} {wrong}")

    def _no_text(self, number: int) -> GenezipError:
        return GenezipError(
            f"line {number} of {self} has a NUL byte, so it is not text (or UTF-16); save it as "
            "UTF-8"
        )

    def _empty(self) -> GenezipError:
        return GenezipError(f"{self} is empty; {self.todo}")


Input = str | Path | TextFile
"""Argument of readers: the path of a text, or an open text."""


@contextmanager
def opened(given: Input, todo: str = _NAME_ONE) -> Iterator[TextFile]:
    """Yield an open text; it is closed at the end if this call opened it."""
    if isinstance(given, TextFile):
        yield given
        return
    with TextFile(given, todo) as file:
        yield file


def read_rows(given: Input) -> Generator[tuple[int, str], None, None]:
    """Number and text of every row; see :meth:`TextFile.rows`."""
    with opened(given) as file:
        yield from file.rows()


def first_line(given: Input) -> str:
    """The first line of a text without its line end; empty if there is none."""
    with opened(given) as file, closing(file.lines()) as lines:
        return next(lines, (0, ""))[1]


def is_row(line: str) -> bool:
    """Whether a line is a row: not blank, not a comment, and not for genome browsers."""
    return _NO_ROW.match(line) is None


def check_row_names(names: Iterable[str], where: object) -> None:
    """Raise for contig names that GTF, GFF3 and BED cannot carry.

    A row that begins with ``#`` or ``>``, or with the word ``track`` or ``browser``, is not read
    as a feature, so the contig would vanish from every table. htslib cannot index control
    characters.
    """
    for name in names:
        if name.startswith(("#", ">")) or name in ("track", "browser"):
            wrong = "and in GTF, GFF3 and BED a row that begins so is not a feature"
        elif any(letter < " " for letter in name):
            wrong = "which holds a control character"
        else:
            continue
        shown = name if name.isprintable() else repr(name)
        raise GenezipError(
            f"{where} has a contig named {shown}, {wrong}; rename the contig in all files"
        )


def shown(given: Input) -> str:
    """Name of a text in messages: its path, or ``standard input``."""
    return input_file.shown_path(given) if isinstance(given, (str, Path)) else str(given)


def name_of(given: Input) -> str:
    """Name of a text in messages about its content, as :attr:`TextFile.name`."""
    if isinstance(given, TextFile):
        return given.name
    path = Path(given)
    regular = path.is_file() and not input_file.is_pipe(path)
    return path.name if regular else input_file.shown_path(path)


def _whole_lines(handle: io.BufferedReader, size: int) -> Iterator[bytes]:
    """Blocks of complete lines, each ending with LF alone."""
    held: list[bytes] = []  # parts of a line that has not ended
    while chunk := handle.read(size):
        if b"\r" in chunk or any(b"\r" in part for part in held):
            every = b"".join([*held, chunk])
            body = every.rstrip(b"\r")  # a CR at the end may precede an LF in the next chunk
            data = _with_lf(body)
            cut = data.rfind(b"\n") + 1
            held = [data[cut:], every[len(body) :]]
            if cut:
                yield data[:cut]
        elif cut := chunk.rfind(b"\n") + 1:
            yield b"".join([*held, memoryview(chunk)[:cut]])
            held = [chunk[cut:]]
        else:
            held.append(chunk)
    if last := b"".join(held):
        yield _with_lf(last if last.endswith(b"\n") else last + b"\n")


def _with_lf(data: bytes) -> bytes:
    if b"\r" not in data:
        return data
    while b"\r\n" in data:
        data = data.replace(b"\r\n", b"\n")
    return data.replace(b"\r", b"\n")


def _line_edges(data: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The bytes as an array, the start of each line, and the start of the next line."""
    codes = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(codes == _LF) + 1
    return codes, np.concatenate([[0], ends])[:-1].astype(np.int64), ends


def _first_of_fasta(
    data: bytes, codes: np.ndarray, starts: np.ndarray, ends: np.ndarray, odd: np.ndarray
) -> int | None:
    """Index of the first line, among the odd ones, that begins a FASTA, or None."""
    first = codes[starts[odd]]
    hashes = odd[first == ord("#")]
    hashes = hashes[np.isin(codes[np.minimum(starts[hashes] + 2, len(codes) - 1)], [70, 102])]  # Ff
    for line in sorted({*odd[first == ord(">")][:1].tolist(), *hashes.tolist()}):
        if _FASTA.match(data[starts[line] : ends[line] - 1].decode("latin-1")):
            return int(line)
    return None


def _without_row(
    data: bytes, codes: np.ndarray, starts: np.ndarray, ends: np.ndarray, odd: np.ndarray
) -> np.ndarray:
    """Indices of the odd lines that are not rows."""
    first = codes[starts[odd]]
    spaced = odd[_SPACES[first] & (first != _LF)]
    blank = [
        line
        for line in spaced.tolist()
        if not is_row(data[starts[line] : ends[line] - 1].decode("latin-1"))
    ]
    found = [odd[(first == ord("#")) | (first == _LF)], np.array(blank, dtype=np.int64)]
    for word in _BROWSER_WORDS:
        lines = odd[first == ord(word[0])]
        for offset, letter in enumerate(word):
            at = np.minimum(starts[lines] + offset, ends[lines] - 1)
            lines = lines[codes[at] == ord(letter)]
        at = np.minimum(starts[lines] + len(word), ends[lines] - 1)
        found.append(lines[_SPACES[codes[at]]])
    return np.concatenate(found)
