"""The plan of a corpus: the windows of every shard, chosen before any shard is written.

Drawing windows takes seconds in one process; writing them takes hours, or many processes. With the
plan, shards can be written in any order by any number of processes, with the same bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from genezip.artifacts.files import sha256_file
from genezip.artifacts.manifest import Kind
from genezip.artifacts.tables import read_parquet, write_parquet
from genezip.config import Corpus
from genezip.corpus.homology import filter_homologous
from genezip.corpus.sampling import (
    PlannedWindow,
    Pool,
    legal_tiles,
    sample,
    strict_blocks,
    thinned,
    tile,
)
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly, Segment
from genezip.genome.gene_models import Annotation
from genezip.genome.intervals import Intervals
from genezip.genome.sources.splits import SPLITS
from genezip.log import progress

PLAN = "plan.parquet"
MANIFEST = "manifest.json"
PLAN_KIND = Kind(
    noun="corpus plan",
    version=1,
    first="run `genezip corpus plan` first",
    again="make it again",
    keys=("window_bp", "settings"),
)

PLAN_SCHEMA = pa.schema(
    [
        ("split", pa.string()),
        ("shard", pa.int32()),
        ("piece", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("sampling_mode", pa.string()),
    ]
)


@dataclass(frozen=True)
class ShardPlan:
    """One planned shard; ``rows`` are its windows (piece, start, end, sampling_mode) in order."""

    split: str
    number: int
    window_bp: int
    rows: pd.DataFrame = field(repr=False)

    @property
    def path(self) -> str:
        """Path of the shard inside the corpus folder."""
        return f"{self.split}/shard-{self.number:05d}.parquet"


@dataclass(frozen=True)
class Plan:
    """A plan, as read from its file."""

    # ``settings`` and ``window_bp`` (by split), ``source`` (kind), ``inputs`` (hashes), ``dropped``
    # (held-out windows left out)
    head: dict[str, Any]
    table: pa.Table  # Table of :data:`PLAN_SCHEMA`, shards one after the other
    sha256: str  # hash of the file, which every shard stores

    def counts(self) -> list[tuple[str, int, int]]:
        """(split, shard number, windows) of every shard, in order."""
        keys = self.table.select(["split", "shard"]).group_by(["split", "shard"], use_threads=False)
        rows = keys.aggregate([([], "count_all")]).to_pylist()
        return [(row["split"], row["shard"], row["count_all"]) for row in rows]

    def shards(self, part: int = 1, of: int = 1) -> list[ShardPlan]:
        """Shards of one of ``of`` contiguous parts, which are counted from 1."""
        counts = self.counts()
        ends = np.cumsum([count for _, _, count in counts])
        first, last = (len(counts) * number // of for number in (part - 1, part))
        shards = []
        for (split, number, count), end in list(zip(counts, ends, strict=True))[first:last]:
            rows = self.table.slice(int(end) - count, count).to_pandas()
            shards.append(ShardPlan(split, number, self.head["window_bp"][split], rows))
        return shards


def write_plan(
    path: str | Path,
    windows: Mapping[str, pd.DataFrame],
    settings: Corpus,
    head: Mapping[str, Any],
) -> Plan:
    """Assign windows to shards and write the plan (atomically); return it as read back.

    ``windows`` has a table of piece, start, end and sampling_mode for each split.
    """
    window_bp = {split: split_window_bp(split, settings) for split in SPLITS}
    frames = [
        windows[split].assign(
            split=split,
            shard=np.arange(len(windows[split])) // settings.shard_rows(window_bp[split]),
        )
        for split in SPLITS
    ]
    table = pa.Table.from_pandas(
        pd.concat(frames, ignore_index=True)[PLAN_SCHEMA.names],
        schema=PLAN_SCHEMA,
        preserve_index=False,
    )
    facts = {**head, "window_bp": window_bp, "settings": settings.model_dump()}
    write_parquet(path, table, PLAN_KIND.head(**facts))
    return read_plan(path)


def read_plan(path: str | Path) -> Plan:
    """Read a plan."""
    table, head = read_parquet(path, PLAN_KIND, PLAN_SCHEMA.names)
    return Plan(head, table, sha256_file(path))


def split_window_bp(split: str, settings: Corpus) -> int:
    """Window length (bp) of a split: that of drawn windows, or that of held-out tiles."""
    drawn = split == "train" or (split == "valid" and settings.valid_windows > 0)
    return settings.window_bp if drawn else settings.heldout_window_bp


def choose_windows(
    annotations: Mapping[str, Annotation],
    assembly: Assembly,
    settings: Corpus,
    excluded: pd.DataFrame,
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Windows of every split, and the shared k-mers of the held-out ones.

    Each split has its own random stream, so the number of validation windows does not affect the
    training windows. Only training windows continue across the origin of a circular contig.

    Parameters
    ----------
    annotations : set name -> gene models, at which windows are anchored
    excluded : DataFrame chrom, start, end
        No training or validation window touches them.

    Returns
    -------
    windows : split -> DataFrame piece, start, end, sampling_mode
    homology : DataFrame, see :func:`genezip.corpus.homology.filter_homologous`
    """
    train, valid, test = (list(assembly.segments_of(split)) for split in SPLITS)
    tiles = [
        window
        for segment in test
        for window in tile(segment, settings.heldout_window_bp, settings.keep_short)
    ]
    if not tiles:
        raise GenezipError(
            f"the corpus is left with no held-out window of {settings.heldout_window_bp} bp in "
            f"{len(test)} held-out segments; name chromosomes in genome.test or choose a shorter "
            "corpus.heldout_window_bp"
        )
    if settings.validation == "pieces" and not valid:
        raise GenezipError(
            "the corpus is left with no validation window: name chromosomes in genome.valid, or "
            "set corpus.validation to paper or strict to draw them from the training segments"
        )
    if settings.validation == "paper":
        valid = train
    if settings.validation == "strict":
        share = settings.strict_valid_fraction
        train, valid = strict_blocks(train, settings.strict_block_bp, share, settings.seed)
    names = {segment.name for segment in (*train, *valid)}
    scanned = [segment for segment in assembly.segments if segment.name in names]
    shown = progress(scanned, "looking for N", unit="segment")
    n_runs = {segment.name: assembly.n_runs(segment) for segment in shown}

    def drawn(
        segments: Sequence[Segment], count: int, stream: int, wraps: Callable[[Segment], bool]
    ) -> pd.DataFrame:
        pool = Pool(segments, settings.window_bp, annotations, n_runs, excluded, wraps=wraps)
        weights = settings.sampling.model_dump()
        rng = np.random.default_rng([settings.seed, stream])
        found = sample(pool, count, weights, settings.max_n_fraction, rng, distinct=True)
        return found.table()

    windows = {"train": drawn(train, settings.train_windows, 0, assembly.wraps)}
    if settings.valid_windows:
        # validation windows may become tables and tracks, whose intervals lie inside their contig
        windows["valid"] = drawn(valid, settings.valid_windows, 1, lambda segment: False)
    else:
        windows["valid"] = _tiled_validation(valid, settings, annotations, n_runs, excluded)
    kept, homology = filter_homologous(tiles, assembly, settings)
    windows["test"] = _table(thinned(kept, settings.heldout_windows))
    return windows, homology


def _tiled_validation(
    segments: Sequence[Segment],
    settings: Corpus,
    annotations: Mapping[str, Annotation],
    n_runs: Mapping[str, Intervals],
    excluded: pd.DataFrame,
) -> pd.DataFrame:
    key = "corpus.heldout_window_bp"
    pool = Pool(segments, settings.heldout_window_bp, annotations, n_runs, excluded, key)
    tiles = [window for segment in segments for window in tile(segment, settings.heldout_window_bp)]
    legal = legal_tiles(tiles, pool, settings.max_n_fraction)
    if not legal:
        raise GenezipError(
            f"the corpus is left with no validation window: all {len(tiles)} hold too much N "
            "or overlap excluded intervals (leakage); choose other validation chromosomes"
        )
    return _table(legal)


def _table(windows: Sequence[PlannedWindow]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "piece": [window.segment.name for window in windows],
            "start": np.array([window.start for window in windows], dtype=np.int64),
            "end": np.array([window.end for window in windows], dtype=np.int64),
            "sampling_mode": [window.mode for window in windows],
        }
    )
