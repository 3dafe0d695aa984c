"""Building a corpus: choose windows, drop leaking ones, write shards and manifest.

Everything is written into a temporary folder that takes its place only when it is complete,
so a failed build leaves an older corpus as it was. Equal inputs, settings and seed give equal
bytes: nothing in a corpus knows the time or the place.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip import provenance, vocab
from genezip.config import Corpus
from genezip.data.corpus import SPLITS
from genezip.data.homology import filter_homologous, write_tables
from genezip.data.shards import SCHEMA_VERSION, Row, write_shards
from genezip.errors import GenezipError
from genezip.folder import replaced_folder
from genezip.genome.annotation import Annotation
from genezip.genome.assembly import Assembly, Piece
from genezip.genome.regions import RegionMap
from genezip.genome.source import Source
from genezip.genome.windows import (
    Placement,
    Pool,
    legal_tiles,
    read_intervals,
    sample,
    tile,
)
from genezip.taxonomy import CLASS_IDS, CLASSES

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many units are done, and of how many."""

_OWN = {*SPLITS, "manifest.json", "dropped.tsv", "heldout_homology.tsv"}


def build_corpus(
    source: Source,
    region_map: RegionMap,
    settings: Corpus,
    out_dir: str | Path,
    progress: Progress = lambda stage, done, total: None,
    root: str | Path = ".",
    inputs: Mapping[str, str | Path] | None = None,
    basic_only: bool = True,
) -> dict[str, Any]:
    """Build the corpus of a source into a folder, replacing an older one.

    Parameters
    ----------
    source : Source
        Pieces with their splits, sequence and annotation.
    region_map : RegionMap
        Class of every base of every piece.
    settings : config.Corpus
    out_dir : folder
        Gets ``manifest.json``, the shards of train, valid and test, ``dropped.tsv`` and, with
        the homology filter on, ``heldout_homology.tsv``.
    progress : callable
    root : folder
        Paths of ``settings.exclude`` are relative to it.
    inputs : name to path
        Input files whose hashes the manifest records.
    basic_only : bool
        Windows are anchored at transcripts tagged "basic"; False where the region map was
        made of all transcripts (``regions.basic_only``).

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    GenezipError
        If a split is left with no window, an input is wrong, the folder is no corpus, or the
        disk is full. ``out_dir`` is then unchanged.
    """
    assembly = source.assembly()
    with replaced_folder(out_dir, _OWN) as folder:
        annotations = source.annotations(basic_only)
        windows = _choose(annotations, assembly, settings, Path(root), progress)
        heldout, homology = filter_homologous(windows["test"], assembly, settings, progress)
        windows["test"] = heldout
        tables = write_tables(folder, homology, settings)
        files: list[dict[str, Any]] = []
        splits: dict[str, Any] = {}
        for split in SPLITS:
            window_bp = _window_bp(split, settings)
            tally = Tally(window_bp, Counter(placed.mode for placed in windows[split]))
            rows = _rows(windows[split], split, assembly, region_map, tally, progress)
            files += write_shards(rows, folder, split, window_bp, settings.shard_rows)
            splits[split] = tally.summary()
        record = provenance.record(settings.model_dump(), inputs or {})
        manifest: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "source": source.kind,
            "window_bp": settings.window_bp,
            "files": files,
            "tables": tables,
            "splits": splits,
            "dropped": {
                "windows": int(homology["dropped"].sum()),
                "of": len(homology),
                "threshold": settings.homology_max_shared,
                "k": settings.homology_k,
            },
            "settings": record["settings"],
            "provenance": record,
        }
        text = json.dumps(manifest, indent=2) + "\n"
        (folder / "manifest.json").write_text(text, encoding="utf-8")
    return manifest


def _window_bp(split: str, settings: Corpus) -> int:
    drawn = split == "train" or (split == "valid" and settings.valid_windows > 0)
    return settings.window_bp if drawn else settings.heldout_window_bp


def _choose(
    annotations: dict[str, Annotation],
    assembly: Assembly,
    settings: Corpus,
    root: Path,
    progress: Progress,
) -> dict[str, list[Placement]]:
    """Windows of every split; each split has its own random stream."""
    train, valid, test = (list(assembly.pieces_of(split)) for split in SPLITS)
    tiles = [
        placed
        for piece in test
        for placed in tile(piece, settings.heldout_window_bp, settings.keep_short)
    ]
    if not tiles:
        raise GenezipError(
            f"the corpus is left with no held-out window of {settings.heldout_window_bp} bp in "
            f"{len(test)} held-out pieces; name chromosomes in genome.test or choose a shorter "
            "corpus.heldout_window_bp"
        )
    frames = [read_intervals(root / path, assembly.chrom_sizes) for path in settings.exclude]
    nothing = pd.DataFrame({"chrom": ["-"], "start": [0], "end": [0]})  # concat needs one frame
    excluded = pd.concat([nothing, *frames])
    scanned = [*train, *valid]
    n_runs = {}
    for done, piece in enumerate(scanned):
        progress("looking for N", done, len(scanned))
        n_runs[piece.name] = assembly.n_runs(piece)
    progress("looking for N", len(scanned), len(scanned))

    def drawn(pieces: list[Piece], count: int, stream: int) -> list[Placement]:
        pool = Pool(pieces, settings.window_bp, annotations, n_runs, excluded)
        weights = settings.sampling.model_dump()
        rng = np.random.default_rng([settings.seed, stream])
        return sample(pool, count, weights, settings.max_n_fraction, rng)

    windows = {"train": drawn(train, settings.train_windows, 0), "test": tiles}
    if settings.valid_windows:
        # Without validation pieces, as published: drawn from the training pieces.
        windows["valid"] = drawn(valid or train, settings.valid_windows, 1)
        return windows
    if not valid:
        raise GenezipError(
            "the corpus is left with no validation window: name chromosomes in genome.valid or "
            "set corpus.valid_windows to draw them from the training pieces"
        )
    pool = Pool(valid, settings.heldout_window_bp, annotations, n_runs, excluded)
    all_tiles = [placed for piece in valid for placed in tile(piece, settings.heldout_window_bp)]
    windows["valid"] = legal_tiles(all_tiles, pool, settings.max_n_fraction)
    if not windows["valid"]:
        raise GenezipError(
            f"the corpus is left with no validation window: all {len(all_tiles)} hold too much N "
            "or overlap corpus.exclude; choose other validation chromosomes"
        )
    return windows


@dataclass
class Tally:
    """What a split holds, counted while its windows pass by."""

    window_bp: int
    modes: Counter[str]
    windows: int = 0
    n_bp: int = 0
    padding_bp: int = 0

    def __post_init__(self) -> None:
        self._class_bp = np.zeros(len(CLASSES), dtype=np.int64)

    def add(self, row: Row) -> None:
        """Count one window."""
        self.windows += 1
        self.n_bp += row.n_bp
        self.padding_bp += self.window_bp - (row.end - row.start)
        self._class_bp += np.bincount(
            row.region_classes, weights=row.region_lengths, minlength=len(CLASSES)
        ).astype(np.int64)

    def summary(self) -> dict[str, Any]:
        """The split's entry in the manifest; padding counts as N and as dig."""
        return {
            "windows": self.windows,
            "window_bp": self.window_bp,
            "bp": self.windows * self.window_bp,
            "n_bp": self.n_bp,
            "padding_bp": self.padding_bp,
            "sampling_modes": dict(sorted(self.modes.items())),
            "composition": dict(zip(CLASSES, self._class_bp.tolist(), strict=True)),
        }


def _rows(
    windows: list[Placement],
    split: str,
    assembly: Assembly,
    region_map: RegionMap,
    tally: Tally,
    progress: Progress,
) -> Iterator[Row]:
    for done, placed in enumerate(windows):
        progress(f"writing {split} windows", done, len(windows))
        row = _row(placed, split, assembly, region_map, tally.window_bp)
        tally.add(row)
        yield row
    progress(f"writing {split} windows", len(windows), len(windows))


def _row(
    placed: Placement, split: str, assembly: Assembly, region_map: RegionMap, window_bp: int
) -> Row:
    """Sequence and labels of a window, padded with N (label dig) to full length."""
    piece = placed.piece
    ids = assembly.ids(piece, placed.start, placed.end)
    lengths, classes = region_map.runs(piece.chrom, placed.start, placed.end)
    padding = window_bp - len(ids)
    if padding:
        ids = np.concatenate([ids, np.full(padding, vocab.N_ID, dtype=np.uint8)])
        lengths = np.append(lengths, padding)
        classes = np.append(classes, CLASS_IDS["dig"])
    return Row(
        chrom=piece.chrom,
        start=placed.start,
        end=placed.end,
        piece=piece.name,
        split=split,
        sampling_mode=placed.mode,
        ids=ids,
        region_lengths=lengths,
        region_classes=classes.astype(np.uint8),
    )
