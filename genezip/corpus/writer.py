"""Write the shards of a plan: bases and region runs of windows, row group by row group."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from genezip import alphabet
from genezip.artifacts.destination import file_target
from genezip.artifacts.files import sha256_file
from genezip.artifacts.tables import parquet_writer
from genezip.corpus.plan import MANIFEST, Plan, ShardPlan
from genezip.corpus.shards import SHARD_SCHEMA, Head, open_shard, row_group_rows
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly, Segment
from genezip.genome.intervals import value_runs
from genezip.genome.region_map import RegionMap
from genezip.region_classes import CLASS_IDS

_N = ord("N")
_NO_RUN = np.zeros(0, dtype=np.int32)
_REPEATING = ["chrom", "strand", "piece", "split", "sampling_mode"]
_TALLY = b"genezip_tally"


class ShardWriter:
    """Write shards of a plan into the folder of a corpus; complete shards of it are kept."""

    def __init__(
        self, plan: Plan, assembly: Assembly, region_map: RegionMap, folder: str | Path
    ) -> None:
        self.plan = plan
        self.assembly = assembly
        self.region_map = region_map
        self.folder = Path(folder)
        self.segments = {segment.name: segment for segment in assembly.segments}
        self.regions = region_map.sha256()

    def write(self, shard: ShardPlan) -> dict[str, Any]:
        """Write a shard, unless it is already complete, and return its manifest entry.

        ``composition`` is in bp of every class.
        """
        path = self.folder / shard.path
        tally = self._finished(path, shard)
        if tally is None:
            tally = self._write(path, shard)
        return {
            "path": shard.path,
            "split": shard.split,
            "rows": len(shard.rows),
            "row_group_rows": row_group_rows(shard.window_bp),
            "bytes": path.stat().st_size,
            "sha256": sha256_file(path),
            **tally,
        }

    def _finished(self, path: Path, shard: ShardPlan) -> dict[str, Any] | None:
        """The tally of a complete shard of this plan from an interrupted run, or None."""
        with suppress(GenezipError, OSError, KeyError, ValueError), open_shard(path) as file:
            if file.head == self._head(shard) and file.rows == len(shard.rows):
                for group in range(file.groups):
                    file.read(group)  # checks page checksums, lengths and runs
                file.table()  # checks the other columns
                return dict(json.loads(pq.read_metadata(path).metadata[_TALLY]))
        return None

    def _head(self, shard: ShardPlan) -> Head:
        return Head(
            shard.split,
            shard.window_bp,
            row_group_rows(shard.window_bp),
            self.region_map.region_classes,
            self.plan.sha256,
            self.regions,
        )

    def _write(self, path: Path, shard: ShardPlan) -> dict[str, Any]:
        head = self._head(shard)
        # an older manifest would list the replaced shard
        file_target(self.folder / MANIFEST).unlink(missing_ok=True)
        tally = Tally(self.region_map.region_classes.names)
        with parquet_writer(
            path,
            SHARD_SCHEMA,
            head.to_json(),
            compression="lz4",
            use_dictionary=_REPEATING,
            write_statistics=False,
            write_page_checksum=True,
        ) as out:
            for begin in range(0, len(shard.rows), head.row_group_rows):
                rows = shard.rows.iloc[begin : begin + head.row_group_rows]
                out.write_table(self._row_group(rows, shard, tally))
            out.add_key_value_metadata({_TALLY: json.dumps(tally.summary()).encode()})
        return tally.summary()

    def _row_group(self, rows: pd.DataFrame, shard: ShardPlan, tally: "Tally") -> pa.Table:
        bases = np.full((len(rows), shard.window_bp), _N, dtype=np.uint8)
        segments = [self._segment(name) for name in rows["piece"]]
        spans = zip(segments, rows["start"].tolist(), rows["end"].tolist(), strict=True)
        for line, (segment, start, end) in zip(bases, spans, strict=True):
            codes = self.assembly.sequence(segment, start, end)
            line[: end - start] = alphabet.upper(codes, f"{segment.chrom}:{start}-{end}")
        lengths, classes = self._runs(rows, segments, shard.window_bp)
        n_bp = np.count_nonzero(bases == _N, axis=1)
        tally.add(rows, shard.window_bp, n_bp, np.concatenate(lengths), np.concatenate(classes))
        return _table(rows, segments, shard, bases, n_bp, lengths, classes)

    def _segment(self, name: str) -> Segment:
        if name not in self.segments:
            raise GenezipError(
                f"the plan has windows of {name}, which the genome lacks; make the plan again"
            )
        return self.segments[name]

    def _runs(
        self, rows: pd.DataFrame, segments: list[Segment], window_bp: int
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Region runs of every window; padding is a further run of class dig.

        The runs of a window across the origin of a circular contig are those before and behind it.
        """
        starts, ends = rows["start"].to_numpy(), rows["end"].to_numpy()
        over = ends - [segment.end for segment in segments]  # bases behind an origin
        ends = ends - np.maximum(over, 0)
        chroms = np.array([segment.chrom for segment in segments], dtype=object)
        lengths: list[np.ndarray] = [_NO_RUN] * len(rows)
        classes: list[np.ndarray] = [_NO_RUN] * len(rows)
        for chrom in dict.fromkeys(chroms):
            of_chrom = np.flatnonzero(chroms == chrom)
            counts, bp, ids = self.region_map.many_runs(chrom, starts[of_chrom], ends[of_chrom])
            edges = np.concatenate([[0], np.cumsum(counts)]).tolist()
            for row, begin, end in zip(of_chrom.tolist(), edges[:-1], edges[1:], strict=True):
                lengths[row], classes[row] = bp[begin:end], ids[begin:end]
        for row in np.flatnonzero(over > 0).tolist():
            bp, ids = self.region_map.runs(segments[row].chrom, 0, int(over[row]))
            bp, ids = np.append(lengths[row], bp), np.append(classes[row], ids)
            first, classes[row] = value_runs(ids)  # a run may continue across the origin
            lengths[row] = np.add.reduceat(bp, first)
        ends = ends + np.maximum(over, 0)
        for row in np.flatnonzero(ends - starts < window_bp).tolist():
            padding = window_bp - int(ends[row] - starts[row])
            lengths[row] = np.append(lengths[row], np.int32(padding))
            classes[row] = np.append(classes[row], np.uint8(CLASS_IDS["dig"]))
        return lengths, classes


def _table(
    rows: pd.DataFrame,
    segments: list[Segment],
    shard: ShardPlan,
    bases: np.ndarray,
    n_bp: np.ndarray,
    lengths: list[np.ndarray],
    classes: list[np.ndarray],
) -> pa.Table:
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in lengths])]).astype(np.int32)
    ends = np.arange(len(rows) + 1, dtype=np.int32) * np.int32(shard.window_bp)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(bases))]
    columns: Mapping[str, Any] = {
        "chrom": [segment.chrom for segment in segments],
        "start": rows["start"].to_numpy(),
        "end": rows["end"].to_numpy(),
        "strand": ["+"] * len(rows),
        "piece": [segment.name for segment in segments],
        "split": [shard.split] * len(rows),
        "sampling_mode": rows["sampling_mode"].tolist(),
        "n_fraction": (n_bp / shard.window_bp).astype(np.float32),
        "sequence": pa.Array.from_buffers(pa.binary(), len(rows), buffers),
        "region_lengths": pa.ListArray.from_arrays(
            offsets, pa.array(np.concatenate(lengths), pa.int32())
        ),
        "region_classes": pa.ListArray.from_arrays(
            offsets, pa.array(np.concatenate(classes), pa.uint8())
        ),
    }
    return pa.table([columns[name] for name in SHARD_SCHEMA.names], schema=SHARD_SCHEMA)


class Tally:
    """Counts of bases and windows of a shard; padding counts as N and dig."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.class_bp = np.zeros(len(names), dtype=np.int64)
        self.n_bp = self.padding_bp = 0
        self.modes: dict[str, int] = {}

    def add(
        self,
        rows: pd.DataFrame,
        window_bp: int,
        n_bp: np.ndarray,
        lengths: np.ndarray,
        classes: np.ndarray,
    ) -> None:
        """Count the windows of a row group."""
        self.n_bp += int(n_bp.sum())
        self.padding_bp += int((window_bp - (rows["end"] - rows["start"])).sum())
        counted = np.bincount(classes, weights=lengths, minlength=len(self.names))
        self.class_bp += counted.astype(np.int64)
        for mode, count in rows["sampling_mode"].value_counts().items():
            self.modes[str(mode)] = self.modes.get(str(mode), 0) + int(count)

    def summary(self) -> dict[str, Any]:
        """The tally as plain values."""
        return {
            "n_bp": self.n_bp,
            "padding_bp": self.padding_bp,
            "composition": dict(zip(self.names, self.class_bp.tolist(), strict=True)),
            "sampling_modes": dict(sorted(self.modes.items())),
        }


def sum_tallies(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """The tallies of several shards as one."""
    total: dict[str, Any] = {"n_bp": 0, "padding_bp": 0, "composition": {}, "sampling_modes": {}}
    for entry in entries:
        for key in ("n_bp", "padding_bp"):
            total[key] += entry[key]
        for key in ("composition", "sampling_modes"):
            for name, value in entry[key].items():
                total[key][name] = total[key].get(name, 0) + value
    total["sampling_modes"] = dict(sorted(total["sampling_modes"].items()))
    return total
