"""Reading a corpus: the manifest, its shards, and what region composition implies.

A corpus is a folder with ``manifest.json`` and one folder of Parquet shards per split. The
manifest names every file with its hash, so a corpus can be checked, and says what it holds.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip.corpus.shards import SCHEMA_VERSION, Shard, read_shard
from genezip.errors import GenezipError
from genezip.region_classes import Taxonomy

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Window:
    """One window of a corpus.

    Attributes
    ----------
    chrom, start, end : genome interval, 0-based, half-open
    piece, split : where it belongs
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
        """Raise a sentence where the manifest lacks one of some keys."""
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
