"""A corpus on disk: opening its manifest, reading its windows, and checking them.

A corpus is a folder with ``manifest.json`` and one folder of Parquet shards per split. The
manifest lists every file with its hash, so a corpus can be checked, and counts what it holds.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip import alphabet
from genezip.artifacts.files import sha256_file
from genezip.corpus.plan import PLAN, Progress
from genezip.corpus.shards import SCHEMA_VERSION, Shard, ShardFile, read_shard
from genezip.errors import GenezipError
from genezip.genome.assembly import SPLITS, Assembly
from genezip.genome.region_map import RegionMap
from genezip.region_classes import CLASS_IDS, Taxonomy


@dataclass(frozen=True)
class Window:
    """One window of a corpus.

    Attributes
    ----------
    chrom, start, end : genome interval, 0-based, half-open
    piece, split : names of the segment and the split that it belongs to
    n_fraction : share of N, padding included
    ids : uint8 array, shape (L,)
        Token ids; L is more than ``end - start`` where the window is padded with N.
    regions : uint8 array, shape (L,)
        Region class ids; padding is dig.
    """

    chrom: str
    start: int
    end: int
    piece: str
    split: str
    n_fraction: float
    ids: np.ndarray
    regions: np.ndarray


class CorpusReader:
    """A corpus on disk.

    Parameters
    ----------
    manifest_path : path of ``manifest.json``

    Raises
    ------
    GenezipError
        If the manifest is missing, no JSON, or of another schema version.
    """

    def __init__(self, manifest_path: str | Path) -> None:
        self.path = Path(manifest_path)
        try:
            self.manifest: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise GenezipError(f"{self.path} does not exist; build the corpus first") from None
        except (json.JSONDecodeError, UnicodeDecodeError, OSError) as error:
            raise GenezipError(
                f"{self.path} is no corpus manifest ({error}); build the corpus again"
            ) from None
        found = self.manifest.get("schema_version") if isinstance(self.manifest, dict) else None
        if found != SCHEMA_VERSION:
            raise GenezipError(
                f"{self.path} has schema version {found}, this genezip reads {SCHEMA_VERSION}; "
                "build the corpus again"
            )

    def need(self, *keys: str) -> None:
        """Raise an error if the manifest lacks one of the keys."""
        lacking = [key for key in keys if key not in self.manifest]
        if lacking:
            raise GenezipError(f"{self.path} lacks {lacking[0]}; build the corpus again")

    @property
    def taxonomy(self) -> Taxonomy:
        """The region classes of the labels."""
        return Taxonomy.from_json(self.manifest["classes"])

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
        """Decode the shard of one manifest entry; its row count must be as the manifest says."""
        path = self.path.parent / entry["path"]
        shard = read_shard(path)
        if len(shard.ids) != entry["rows"]:
            raise GenezipError(
                f"{path} has {len(shard.ids)} rows, the manifest says {entry['rows']}; "
                "build the corpus again"
            )
        return shard

    def windows(self, split: str) -> Iterator[Window]:
        """Windows of a split in file order (one shard in memory)."""
        for shard in self.shards(split):
            names = ["chrom", "start", "end", "piece", "split", "n_fraction"]
            cells = shard.table[names].itertuples(index=False, name=None)
            for (chrom, start, end, piece, own, n_fraction), ids, regions in zip(
                cells, shard.ids, shard.regions, strict=True
            ):
                yield Window(chrom, start, end, piece, own, n_fraction, ids, regions)

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


def expected_bpt(composition: Mapping[str, int], target_bpt: Mapping[str, float]) -> float:
    """Overall bp per token when every region meets its target: L / sum over r of l_r / B_r.

    Parameters
    ----------
    composition : bp of every region class (a manifest's ``composition``)
    target_bpt : target bp per token of every region class

    Raises
    ------
    ValueError
        If there is no base.
    """
    total = sum(composition.values())
    if not total:
        raise ValueError("a composition without bases has no expected BPT")
    return total / sum(bp / target_bpt[name] for name, bp in composition.items() if bp)


def check_corpus(
    reader: CorpusReader,
    progress: Progress,
    assembly: Assembly | None = None,
    region_map: RegionMap | None = None,
) -> int:
    """Verify a corpus; return how many windows it has.

    Every file must be there with its hash, belong to the plan, and hold as many windows as
    announced, each of full length with region runs that tile it. With an assembly every window
    must hold the bases of its interval, with a region map the classes.

    Raises
    ------
    GenezipError
        At the first thing that is wrong.
    """
    reader.need("classes", "tables", "splits", "plan", "regions")
    if region_map is not None and region_map.taxonomy.names != reader.taxonomy.names:
        raise GenezipError(
            f"{reader.path} has the region classes {', '.join(reader.taxonomy.names)}, the region "
            f"map {', '.join(region_map.taxonomy.names)}; give the map that it was built with"
        )
    files = _check_files(reader, progress)
    total = sum(entry["rows"] for split in SPLITS for entry in reader.files(split))
    segments = {segment.name: segment for segment in assembly.pieces} if assembly else {}
    done = 0
    for split in SPLITS:
        count = 0
        for window in reader.windows(split):
            if done % 1024 == 0:
                progress("checking windows", done, total)
            _check_window(reader, window)
            if assembly is not None:
                segment = segments.get(window.piece)
                if segment is None or not segment.start <= window.start < window.end <= segment.end:
                    raise _wrong(reader, window, f"lies in no segment {window.piece} of the source")
                real = assembly.ids(segment, window.start, window.end)
                _check_equal(reader, window, window.ids, real, "base", "the FASTA")
            if region_map is not None:
                labels = region_map.ids(window.chrom, window.start, window.end)
                _check_equal(reader, window, window.regions, labels, "class", "the region map")
            count += 1
            done += 1
        announced = reader.manifest["splits"][split]["windows"]
        if count != announced:
            raise GenezipError(
                f"{reader.path} announces {announced} {split} windows, its shards hold {count}; "
                "build the corpus again"
            )
    progress("checking windows", done, total)
    known = {path.relative_to(reader.path.parent).as_posix() for path in files}
    for split in SPLITS:
        for path in (reader.path.parent / split).glob("*.parquet"):
            if f"{split}/{path.name}" not in known:
                raise GenezipError(
                    f"{path} is not in the manifest; remove it, or build the corpus again"
                )
    return done


def _check_files(reader: CorpusReader, progress: Progress) -> list[Path]:
    folder = reader.path.parent
    entries = [*reader.manifest["files"], *reader.manifest["tables"]]
    if (folder / PLAN).exists():
        entries.append({"path": PLAN, "sha256": reader.manifest["plan"]})
    for done, entry in enumerate(entries):
        progress("checking files", done, len(entries))
        path = folder / entry["path"]
        if not path.exists():
            raise GenezipError(f"{path} is missing; build the corpus again")
        if sha256_file(path) != entry["sha256"]:
            raise GenezipError(
                f"{path} was altered (its sha256 is not that of the manifest); "
                "build the corpus again"
            )
    progress("checking files", len(entries), len(entries))
    for entry in reader.manifest["files"]:
        with ShardFile(folder / entry["path"]) as shard:
            head = shard.head
            found = (head.plan, head.regions, head.split, head.taxonomy)
            expected = [reader.manifest["plan"], reader.manifest["regions"], entry["split"]]
            if found != (*expected, reader.taxonomy):
                raise GenezipError(
                    f"{shard.path} belongs to another plan, split or region map; build the corpus "
                    "again"
                )
    return [folder / entry["path"] for entry in reader.manifest["files"]]


def _check_window(reader: CorpusReader, window: Window) -> None:
    """Padding is N and dig, and the stored share of N is that of the bases."""
    real = window.end - window.start
    if not 0 < real <= len(window.ids):
        raise _wrong(reader, window, f"has {len(window.ids)} bases for {real}")
    padded = (window.ids[real:] == alphabet.N_ID) & (window.regions[real:] == CLASS_IDS["dig"])
    if not padded.all():
        raise _wrong(reader, window, "has padding that is not N and dig")
    share = float((~alphabet.is_base(window.ids)).mean())
    if abs(share - window.n_fraction) > 1e-6:
        raise _wrong(reader, window, f"has {share:.6f} of N, n_fraction says {window.n_fraction:g}")


def _check_equal(
    reader: CorpusReader,
    window: Window,
    found: np.ndarray,
    truth: np.ndarray,
    what: str,
    where: str,
) -> None:
    differ = np.flatnonzero(found[: len(truth)] != truth)
    if len(differ):
        position = window.start + int(differ[0])
        raise _wrong(
            reader,
            window,
            f"has {len(differ)} {what}{'es' if what == 'class' else 's'} that are not those of "
            f"{where}, the first at {window.chrom}:{position:,}",
        )


def _wrong(reader: CorpusReader, window: Window, what: str) -> GenezipError:
    return GenezipError(
        f"the {window.split} window {window.chrom}:{window.start:,}-{window.end:,} of "
        f"{reader.path} {what}; build the corpus again"
    )
