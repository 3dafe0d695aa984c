"""Compressed windows: what any router made of a window, and all that a metric needs.

A learned model and a trivial router write the same Parquet, so every metric is computed by
the same code, without a GPU and without the model. One row is one window on one strand.
Positions are offsets in forward coordinates of the window, also for strand ``-``: a chunk
[a, b) of the reverse complement is the chunk [L - b, L - a) here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from genezip.artifacts.manifest import Kind
from genezip.artifacts.tables import open_parquet, parquet_writer, read_head
from genezip.metrics.compression import token_density

KIND = Kind(
    "file of compressed windows",
    1,
    "compress the held-out DNA first",
    "compress the held-out DNA again",
    keys=("name", "seed", "target_bpt", "info"),
)

SCHEMA = pa.schema(
    [
        ("chrom", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("strand", pa.string()),
        ("piece", pa.string()),
        ("split", pa.string()),
        ("length", pa.int32()),
        ("token_starts", pa.list_(pa.int32())),
        ("stage_tokens", pa.list_(pa.int32())),
        ("bound_bit", pa.list_(pa.bool_())),
        ("boundary_prob", pa.binary()),
        ("nll", pa.binary()),
    ]
)


@dataclass(frozen=True)
class CompressedWindow:
    """One window on one strand.

    Attributes
    ----------
    chrom, start, end : genome interval, 0-based, half-open
    strand : '+' or '-'
    piece, split : where the window belongs
    token_starts : int32 array, shape (M,)
        First base of the chunk of each final-stage token, increasing, first is 0; a chunk
        ends where the next begins, the last at ``length``.
    stage_tokens : int32 array, shape (S,)
        Tokens kept at each stage after bounded routing; the last equals M.
    bound_bit : bool array, shape (S,)
        Whether floor or ceiling changed the mask of that stage.
    boundary_prob : float16 array, shape (length,), or None
        Stage-0 boundary probability of every base (strand '+' only).
    nll : float32 array, shape (length,), or None
        Negative log likelihood of every base given those before it (nats); NaN where the
        base is not predicted (first base, N, padding). None for routers that are no language model.
    length : int
        Window length in bp; more than ``end - start`` where the window is padded with N.
    """

    chrom: str
    start: int
    end: int
    strand: str
    piece: str
    split: str
    length: int
    token_starts: np.ndarray
    stage_tokens: np.ndarray
    bound_bit: np.ndarray
    boundary_prob: np.ndarray | None = None
    nll: np.ndarray | None = None

    @property
    def chunk_bp(self) -> np.ndarray:
        """Chunk lengths in bp, int64 array of shape (M,), summing to ``length``."""
        return np.diff(np.append(self.token_starts.astype(np.int64), self.length))

    def token_density(self) -> np.ndarray:
        """Tokens per base, float64 array of shape (length,), summing to M (Eq. 15).

        A chunk of b bases spreads its one token evenly over them, so the sum over any set
        of bases is the fractional token count of that set.
        """
        return token_density(self.token_starts, self.length)


@dataclass(frozen=True)
class CompressedFile:
    """The windows of one router and what is known of it (file metadata)."""

    name: str
    seed: int | None
    target_bpt: dict[str, float] | None
    info: dict[str, Any]
    path: Path

    def windows(self, strand: str | None = None) -> Iterator[CompressedWindow]:
        """Windows in file order, of one strand or of both."""
        with open_parquet(self.path, KIND) as file:
            for batch in file.iter_batches(batch_size=64):
                for cells in batch.to_pylist():
                    if strand is None or cells["strand"] == strand:
                        yield _window(cells)


def _window(cells: dict[str, Any]) -> CompressedWindow:
    prob, nll = cells.pop("boundary_prob"), cells.pop("nll")
    return CompressedWindow(
        token_starts=np.array(cells.pop("token_starts"), dtype=np.int32),
        stage_tokens=np.array(cells.pop("stage_tokens"), dtype=np.int32),
        bound_bit=np.array(cells.pop("bound_bit"), dtype=bool),
        boundary_prob=None if prob is None else np.frombuffer(prob, dtype=np.float16),
        nll=None if nll is None else np.frombuffer(nll, dtype=np.float32),
        **cells,
    )


def _cells(window: CompressedWindow) -> dict[str, Any]:
    starts = window.token_starts
    if len(starts) == 0 or starts[0] != 0 or (np.diff(starts) <= 0).any():
        raise ValueError(f"token starts of {window.chrom}:{window.start} do not tile the window")
    cells = {name: getattr(window, name) for name in SCHEMA.names}
    for name in ("token_starts", "stage_tokens", "bound_bit"):
        cells[name] = cells[name].tolist()
    if window.boundary_prob is not None:
        cells["boundary_prob"] = window.boundary_prob.astype(np.float16).tobytes()
    if window.nll is not None:
        cells["nll"] = window.nll.astype(np.float32).tobytes()
    return cells


def write_compressed(
    path: str | Path,
    windows: Iterable[CompressedWindow],
    *,
    name: str,
    seed: int | None = None,
    target_bpt: dict[str, float] | None = None,
    **info: Any,
) -> int:
    """Write windows as they come (constant memory, atomically); return how many."""
    head = KIND.head(name=name, seed=seed, target_bpt=target_bpt, info=info)
    count = 0
    with parquet_writer(path, SCHEMA, head) as out:
        batch: list[dict[str, Any]] = []
        for window in windows:
            batch.append(_cells(window))
            count += 1
            if len(batch) == 64:
                out.write_table(pa.Table.from_pylist(batch, schema=SCHEMA))
                batch = []
        if batch:
            out.write_table(pa.Table.from_pylist(batch, schema=SCHEMA))
    return count


def read_compressed(path: str | Path) -> CompressedFile:
    """Open a file of compressed windows.

    Raises
    ------
    GenezipError
        If the file is missing, is no such Parquet, or has another schema version.
    """
    head = read_head(path, KIND)
    return CompressedFile(head["name"], head["seed"], head["target_bpt"], head["info"], Path(path))
