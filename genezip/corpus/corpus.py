"""A corpus on disk: open its manifest, read its windows, check them.

A corpus is a folder with ``manifest.json`` and one folder of Parquet shards per split. The
manifest lists every file with its hash, and counts windows and bases.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip import alphabet
from genezip.artifacts.files import sha256_file
from genezip.artifacts.manifest import Kind
from genezip.corpus.plan import PLAN
from genezip.corpus.shards import SCHEMA_VERSION, SHARD_KIND, Shard, open_shard, read_shard
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly
from genezip.genome.intervals import laps
from genezip.genome.region_map import RegionMap
from genezip.genome.sources.splits import SPLITS
from genezip.log import Progress, progress
from genezip.region_classes import CLASS_IDS, RegionClasses

MANIFEST_KIND = Kind(
    noun="corpus manifest",
    version=SCHEMA_VERSION,
    first="build the corpus first",
    again="build the corpus again",
)


@dataclass(frozen=True)
class Window:
    """One window of a corpus."""

    chrom: str  # genome interval, 0-based, half-open
    start: int
    end: int
    piece: str  # name of the segment
    split: str
    n_fraction: float  # share of N, padding included
    # token ids, uint8, shape (L,); L exceeds ``end - start`` if the window is padded with N
    ids: np.ndarray
    regions: np.ndarray  # region class ids, uint8, shape (L,); padding is dig


class CorpusReader:
    """A corpus on disk.

    Parameters
    ----------
    manifest_path : path of ``manifest.json``
    """

    def __init__(self, manifest_path: str | Path) -> None:
        self.path = Path(manifest_path)
        self.manifest = MANIFEST_KIND.read(self.path)

    def need(self, *keys: str) -> None:
        """Raise an error if the manifest lacks one of the keys."""
        replace(MANIFEST_KIND, keys=keys).checked(self.path, self.manifest)

    @property
    def region_classes(self) -> RegionClasses:
        """The region classes of the windows."""
        return RegionClasses.from_json(self.manifest["classes"])

    def files(self, split: str) -> list[dict[str, Any]]:
        """Manifest entries of the shards of a split, in order."""
        if split not in SPLITS:
            raise ValueError(f"split must be one of {SPLITS}, not {split!r}")
        self.need("files")
        return [entry for entry in self.manifest["files"] if entry["split"] == split]

    def shards(self, split: str) -> Iterator[Shard]:
        """Decoded shards of a split, one in memory at a time."""
        for entry in self.files(split):
            yield self.shard(entry)

    def shard(self, entry: Mapping[str, Any]) -> Shard:
        """Decode the shard of a manifest entry, after checking its number of rows."""
        path = self.path.parent / entry["path"]
        shard = read_shard(path)
        if len(shard.ids) != entry["rows"]:
            raise GenezipError(
                f"{path} has {len(shard.ids)} rows, the manifest lists {entry['rows']}; "
                "build the corpus again"
            )
        return shard

    def windows(self, split: str) -> Iterator[Window]:
        """Windows of a split in file order, with one shard in memory at a time."""
        for shard in self.shards(split):
            names = ["chrom", "start", "end", "piece", "split", "n_fraction"]
            cells = shard.table[names].itertuples(index=False, name=None)
            for row, ids, regions in zip(cells, shard.ids, shard.regions, strict=True):
                chrom, start, end, piece, name, n_fraction = row
                yield Window(chrom, start, end, piece, name, n_fraction, ids, regions)

    def load(self, split: str) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
        """All windows of a split at once.

        Returns
        -------
        ids : uint8 array, shape (n, L)
        regions : uint8 array, shape (n, L)
        table : DataFrame, n rows
            chrom, start, end, strand, piece, split, sampling_mode, n_fraction.
        """
        shards = list(self.shards(split))
        if not shards:
            raise GenezipError(f"{self.path} has no {split} windows")
        return (
            np.concatenate([shard.ids for shard in shards]),
            np.concatenate([shard.regions for shard in shards]),
            pd.concat([shard.table for shard in shards], ignore_index=True),
        )


def check_corpus(
    reader: CorpusReader,
    assembly: Assembly | None = None,
    region_map: RegionMap | None = None,
) -> int:
    """Verify a corpus; return its number of windows. The first error raises.

    Every file must have its hash, belong to the plan, and contain the listed number of windows,
    each of full length with region runs that tile it. With an assembly the bases of every window
    are compared, with a region map the classes.
    """
    reader.need("classes", "tables", "splits", "plan", "regions")
    if region_map is not None and region_map.region_classes.names != reader.region_classes.names:
        raise GenezipError(
            f"{reader.path} has the region classes {', '.join(reader.region_classes.names)}, the "
            f"region map {', '.join(region_map.region_classes.names)}; give the map that it was "
            "built with"
        )
    known = _check_files(reader)
    segments = {segment.name: segment for segment in assembly.segments} if assembly else {}
    circular = reader.manifest.get("circular", {})
    total = sum(entry["rows"] for split in SPLITS for entry in reader.files(split))
    with Progress("checking windows", total, "window") as shown:
        for split in SPLITS:
            before = shown.done
            for window in reader.windows(split):
                _check_window(reader, window)
                if assembly is not None:
                    segment = segments.get(window.piece)
                    room = circular.get(window.chrom, 0) if split == "train" else 0
                    if (
                        not segment
                        or not segment.start <= window.start < segment.end
                        or not window.start < window.end <= segment.end + room
                    ):
                        wrong = f"lies in no segment {window.piece} of the source"
                        raise _wrong(reader, window, wrong)
                    real = assembly.ids(segment, window.start, window.end)
                    what = "bases that are not those of the FASTA"
                    _check_equal(reader, window, window.ids, real, what)
                if region_map is not None:
                    around = circular.get(window.chrom, window.end)
                    parts = laps(window.start, window.end, around)
                    classes = np.concatenate([region_map.ids(window.chrom, *p) for p in parts])
                    what = "classes that are not those of the region map"
                    _check_equal(reader, window, window.regions, classes, what)
                shown.advance()
            announced, count = reader.manifest["splits"][split]["windows"], shown.done - before
            if count != announced:
                raise GenezipError(
                    f"{reader.path} lists {announced} {split} windows, its shards hold "
                    f"{count}; build the corpus again"
                )
    for split in SPLITS:
        for path in (reader.path.parent / split).glob("*.parquet"):
            if path not in known:
                raise GenezipError(
                    f"{path} is not in the manifest; remove it, or build the corpus again"
                )
    return shown.done


def _check_files(reader: CorpusReader) -> set[Path]:
    """Compare all files with the manifest; return the paths of the shards."""
    folder = reader.path.parent
    entries = [*reader.manifest["files"], *reader.manifest["tables"]]
    if (folder / PLAN).exists():
        entries.append({"path": PLAN, "sha256": reader.manifest["plan"]})
    for entry in progress(entries, "checking files", unit="file"):
        path = folder / entry["path"]
        if not path.exists():
            raise SHARD_KIND.missing(path)
        if sha256_file(path) != entry["sha256"]:
            raise GenezipError(
                f"{path} was altered (its sha256 is not that of the manifest); "
                f"{MANIFEST_KIND.again}"
            )
    for entry in reader.manifest["files"]:
        with open_shard(folder / entry["path"]) as shard:
            head = shard.head
            found = (head.plan, head.regions, head.split, head.region_classes)
            expected = [reader.manifest["plan"], reader.manifest["regions"], entry["split"]]
            if found != (*expected, reader.region_classes):
                raise GenezipError(
                    f"{shard.path} belongs to another plan, split or region map; "
                    f"{MANIFEST_KIND.again}"
                )
    return {folder / entry["path"] for entry in reader.manifest["files"]}


def _check_window(reader: CorpusReader, window: Window) -> None:
    """Check that padding is N and dig, and that ``n_fraction`` matches the bases."""
    real = window.end - window.start
    if not 0 < real <= len(window.ids):
        raise _wrong(reader, window, f"has {len(window.ids)} bases for {real}")
    padded = (window.ids[real:] == alphabet.N_ID) & (window.regions[real:] == CLASS_IDS["dig"])
    if not padded.all():
        raise _wrong(reader, window, "has padding that is not N and dig")
    share = float((~alphabet.is_base(window.ids)).mean())
    if abs(share - window.n_fraction) > 1e-6:
        wrong = f"has {share:.6f} of N, but n_fraction is {window.n_fraction:g}"
        raise _wrong(reader, window, wrong)


def _check_equal(
    reader: CorpusReader, window: Window, found: np.ndarray, truth: np.ndarray, what: str
) -> None:
    differ = np.flatnonzero(found[: len(truth)] != truth)
    if len(differ):
        first = f"the first at {window.chrom}:{window.start + int(differ[0]):,}"
        raise _wrong(reader, window, f"has {len(differ)} {what}, {first}")


def _wrong(reader: CorpusReader, window: Window, what: str) -> GenezipError:
    return GenezipError(
        f"the {window.split} window {window.chrom}:{window.start:,}-{window.end:,} of "
        f"{reader.path} {what}; build the corpus again"
    )
