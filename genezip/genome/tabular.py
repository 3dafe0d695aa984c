"""Large tab-separated text, plain or gzip: a fast reader and a slow one that explains.

The fast reader (Arrow) stops at anything odd without saying where. Then the slow reader
walks the lines in Python until it meets the same trouble, and names file and line.
"""

import gzip
import re
import threading
import weakref
import zlib
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv

from genezip.errors import GenezipError

RowCheck = Callable[[list[str]], str | None]
"""Takes the fields of a row; returns what is wrong with it, or None."""

NO_DATA = ("#", "track ", "browser ")
"""How lines begin that hold no row."""
_BLOCK_BYTES = 1 << 24
_RELEASE_SECONDS = 10.0
_RowHandler = Callable[[arrow_csv.InvalidRow], str]
_Options = tuple[arrow_csv.ReadOptions, arrow_csv.ParseOptions, arrow_csv.ConvertOptions]
_POSITION = re.compile(r"-?0*[0-9]{1,18}")  # as the fast reader: no sign +, no 1_000


def is_gzip(path: Path) -> bool:
    """True if the file begins like gzip, whatever its name."""
    with open(path, "rb") as handle:
        return handle.read(2) == b"\x1f\x8b"


def read_lines(path: str | Path) -> Generator[str, None, None]:
    """Lines without their line ends, unpacked on the way.

    Raises
    ------
    GenezipError
        For a missing file, a truncated or broken gzip file, or text that is not UTF-8.
    """
    path = Path(path)
    _must_exist(path)
    opener = gzip.open if is_gzip(path) else open
    try:
        with opener(path, "rt", encoding="utf-8") as handle:
            for line in handle:
                yield line.rstrip("\r\n")
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise GenezipError(f"{path} is a truncated or broken gzip file; fetch it again") from None
    except UnicodeDecodeError:
        raise GenezipError(f"{path} is not UTF-8 text; is it the right file?") from None


def first_line(path: str | Path) -> str:
    """The first line of a file without its line end; empty for an empty file."""
    lines = read_lines(path)
    try:
        return next(lines, "")
    finally:
        lines.close()


def read_table(
    path: str | Path,
    types: Mapping[str, pa.DataType | None],
    check: RowCheck,
    keep: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None,
    stop_at: str | None = None,
) -> pa.Table:
    """Read tab-separated rows of a fixed number of columns.

    Comments (``#``), ``track`` and ``browser`` lines and empty lines are skipped.

    Parameters
    ----------
    path : str or Path
        Plain or gzip.
    types : mapping
        Column name -> Arrow type, in file order; None for a column that is not needed.
    check : callable
        Names what is wrong with a row; used to explain a failure.
    keep : callable, optional
        Chooses rows of a batch, so that rows never needed are never held.
    stop_at : str, optional
        A line beginning so ends the table (``##FASTA`` in GFF3).

    Raises
    ------
    GenezipError
        For a missing or broken file, or at the first malformed row, with its line number.
    """
    path = Path(path)
    _must_exist(path)
    handler = _row_handler(stop_at)
    released = threading.Event()
    watch = weakref.ref(handler, lambda _: released.set())
    batches: list[pa.RecordBatch] = []
    trouble = ""
    try:
        _read_batches(path, _options(path, types, handler), keep, batches)
    except (pa.ArrowInvalid, OSError) as error:
        trouble = str(error)  # not the error itself, which holds the reader
    # A thread of the reader may hold the handler for a moment longer. Were the interpreter to end
    # just then, as it does soon after a sentence, that thread would abort it.
    del handler
    if watch() is not None:
        released.wait(_RELEASE_SECONDS)
    if trouble:
        explain(path, len(types), check, stop_at)
        if "Empty CSV file" not in trouble:
            raise GenezipError(f"{path} cannot be read: {trouble}")
    return pa.Table.from_batches(batches) if batches else _empty(types)


def _read_batches(
    path: Path,
    options: _Options,
    keep: Callable[[pa.RecordBatch], pa.RecordBatch] | None,
    batches: list[pa.RecordBatch],
) -> None:
    """Append what is kept of a file; the reader is closed on every way out."""
    with (
        pa.input_stream(str(path), compression="gzip" if is_gzip(path) else None) as stream,
        arrow_csv.open_csv(stream, *options) as reader,
    ):
        for batch in reader:
            batches.append(batch if keep is None else keep(batch))


def explain(path: Path, n_columns: int, check: RowCheck, stop_at: str | None = None) -> None:
    """Walk the rows and raise a sentence at the first that is malformed."""
    for number, line in enumerate(read_lines(path), 1):
        if stop_at is not None and line.startswith(stop_at):
            return
        if not line.strip() or line.startswith(NO_DATA):
            continue
        fields = line.split("\t")
        if len(fields) != n_columns:
            wrong = f"it has {len(fields)} tab-separated columns instead of {n_columns}"
        else:
            wrong = check(fields) or ""
        if wrong:
            raise GenezipError(f"line {number} of {path} is malformed: {wrong}; mend or remove it")


def wrong_interval(start: str, end: str, first: int) -> str | None:
    """What is wrong with the coordinates of a row whose bases count from ``first``."""
    if not (_POSITION.fullmatch(start.strip()) and _POSITION.fullmatch(end.strip())):
        return f"start {start!r} and end {end!r} are not both whole numbers of at most 18 digits"
    lo, hi = int(start), int(end)
    if lo < first:
        return f"start {lo} lies before the first base, {first}"
    if hi - lo < 1 - first:
        return f"end {hi} lies before start {lo}"
    return None


def _must_exist(path: Path) -> None:
    if not path.is_file():
        raise GenezipError(f"{path} does not exist; name an existing file")


def _row_handler(stop_at: str | None) -> _RowHandler:
    """What to do with a row of another number of columns."""
    stopped = False

    def invalid(row: arrow_csv.InvalidRow) -> str:
        nonlocal stopped
        if stop_at is not None and row.text.startswith(stop_at):
            stopped = True
        return "skip" if stopped or row.text.startswith(NO_DATA) else "error"

    return invalid


def _options(path: Path, types: Mapping[str, pa.DataType | None], handler: _RowHandler) -> _Options:
    needed = {name: kind for name, kind in types.items() if kind is not None}
    return (
        arrow_csv.ReadOptions(
            use_threads=False,
            block_size=_BLOCK_BYTES,
            column_names=list(types),
            skip_rows=_leading_comments(path),
        ),
        arrow_csv.ParseOptions(delimiter="\t", quote_char=False, invalid_row_handler=handler),
        arrow_csv.ConvertOptions(
            include_columns=list(needed), column_types=needed, null_values=[], check_utf8=True
        ),
    )


def _leading_comments(path: Path) -> int:
    """Comment lines at the top; they may hold as many tabs as a row."""
    count = 0
    try:
        for line in read_lines(path):
            if line.strip() and not line.startswith(NO_DATA):
                break
            count += 1
    except GenezipError:
        return 0  # the reader proper will say it
    return count


def _empty(types: Mapping[str, pa.DataType | None]) -> pa.Table:
    names: Sequence[str] = [name for name, kind in types.items() if kind is not None]
    return pa.table({name: pa.array([], type=types[name]) for name in names})
