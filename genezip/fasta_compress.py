"""``genezip compress``: a FASTA of any size to tokens and tracks, window by window."""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from genezip.compress import Compressed, GeneZip
from genezip.errors import GenezipError
from genezip.genome.fasta import FastaStream
from genezip.genome.track_writer import TrackWriter
from genezip.provenance import atomic_path

ROW_GROUP = 16_384


@dataclass(frozen=True)
class Summary:
    """What was compressed: records, bases and tokens."""

    records: int
    bases: int
    tokens: int


def compress_fasta(
    fasta: Path,
    model: Path,
    out: Path,
    tracks: Path | None,
    window_bp: int,
    batch: int = 1,
    device: str = "auto",
) -> Summary:
    """Compress every record of a FASTA.

    Parameters
    ----------
    fasta : plain, gzip or bgzip FASTA; any case, IUPAC codes count as N
    out : Parquet, one row per token: chrom, start, end (its chunk, 0-based, half-open),
        boundary_prob at its first base, and ``token``, the float32 vector
    tracks : folder for boundary_prob.bw, bpt.bw, chunks.bed.gz and igv_session.xml

    Raises
    ------
    GenezipError
        For a missing or broken FASTA, letters that are no bases, a window below 1 bp.
        Nothing is left behind.
    """
    if window_bp < 1:
        raise GenezipError(f"--window-bp is {window_bp}; give a length of at least 1")
    zipper = GeneZip.from_pretrained(model, device)
    width = zipper.card.architecture.d_model[-1]
    bases = tokens = 0
    records = FastaStream(fasta)
    with ExitStack() as stack:
        # closed in reverse: the table is whole before any file gets its name
        part = stack.enter_context(atomic_path(out))
        track = None
        if tracks is not None:
            genome = _beside(fasta, tracks)
            track = stack.enter_context(TrackWriter(tracks, records.lengths, genome))
        table = stack.enter_context(_TokenTable(part, width))
        places: deque[tuple[str, int]] = deque()

        def ids() -> Iterator[np.ndarray]:
            for name, start, window in records.windows(window_bp):
                places.append((name, start))
                yield window

        total = sum(-(-length // window_bp) for length in records.lengths.values())
        results = zipper.compress_windows(ids(), batch)
        for result in tqdm(results, total=total, desc=fasta.name, unit="window", disable=None):
            name, start = places.popleft()
            table.add(name, start, result)
            if track is not None:
                track.add(name, start, result.boundary_prob, result.chunk_bp)
            bases += int(result.chunk_bp.sum())
            tokens += len(result.chunk_bp)
    return Summary(len(records.lengths), bases, tokens)


def _beside(fasta: Path, tracks: Path) -> str:
    """The FASTA as the genome of an IGV session: its path seen from there, if IGV reads it."""
    with open(fasta, "rb") as handle:
        packed = handle.read(2) == b"\x1f\x8b"
    return "" if packed else os.path.relpath(fasta, tracks)


class _TokenTable:
    """Token rows, written in groups of a size that reads well."""

    def __init__(self, path: Path, width: int) -> None:
        self.width = width
        self.schema = pa.schema(
            [
                ("chrom", pa.string()),
                ("start", pa.int64()),
                ("end", pa.int64()),
                ("boundary_prob", pa.float32()),
                ("token", pa.list_(pa.float32(), width)),
            ]
        )
        self.writer = pq.ParquetWriter(path, self.schema, compression="zstd")
        self.waiting: list[pa.RecordBatch] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._flush()
        finally:
            self.writer.close()

    def add(self, chrom: str, start: int, result: Compressed) -> None:
        """Add the tokens of one window."""
        ends = np.cumsum(result.chunk_bp)
        columns = [
            pa.array([chrom] * len(ends)),
            pa.array(start + ends - result.chunk_bp),
            pa.array(start + ends),
            pa.array(result.boundary_prob[result.token_starts]),
            pa.FixedSizeListArray.from_arrays(pa.array(result.tokens.ravel()), self.width),
        ]
        self.waiting.append(pa.RecordBatch.from_arrays(columns, schema=self.schema))
        if sum(batch.num_rows for batch in self.waiting) >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self.waiting:
            self.writer.write_table(pa.Table.from_batches(self.waiting).combine_chunks())
            self.waiting = []
