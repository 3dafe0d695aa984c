"""A toy genome whose every base is known, and writers of compressed windows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genezip.alphabet import encode
from genezip.config import Evaluation
from genezip.data.compressed import (
    CompressedFile,
    CompressedWindow,
    read_compressed,
    write_compressed,
)
from genezip.region_classes import CLASS_IDS, GENE7, Taxonomy, UserClass


@dataclass
class ToyGenome:
    """Stands in for CorpusReader, Assembly and RegionMap at once."""

    pieces: list[Any] = field(default_factory=list)
    corpus: list[Any] = field(default_factory=list)
    dna: dict[str, np.ndarray] = field(default_factory=dict)
    classes: dict[str, np.ndarray] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=lambda: {"source": "simulated"})
    taxonomy: Taxonomy = GENE7

    def add_piece(
        self,
        name: str,
        sequence: str,
        regions: Any,
        split: str = "test",
        start: int = 0,
        **marks: int,
    ) -> Any:
        flags = {"soft_masked": 0, "rmsk": 0, "trf": 0, **marks}
        end = start + len(sequence)
        piece = SimpleNamespace(
            name=name, chrom=name, start=start, end=end, split=split, annotation="toy", **flags
        )
        self.pieces.append(piece)
        self.dna[name] = np.frombuffer(sequence.encode(), dtype=np.uint8)
        if isinstance(regions, str):
            regions = [self.taxonomy.ids[regions]] * len(sequence)
        self.classes[name] = np.asarray(regions, dtype=np.uint8)
        return piece

    def tile(self, piece: Any, window_bp: int, pad_last: bool = False) -> None:
        """Corpus windows of a piece; the short last one is dropped or padded with N."""
        for start in range(piece.start, piece.end, window_bp):
            end = min(start + window_bp, piece.end)
            missing = window_bp - (end - start)
            if missing and not pad_last:
                continue
            ids = np.concatenate([self.read_ids(piece, start, end), encode("N" * missing)])
            dig = np.full(missing, CLASS_IDS["dig"], dtype=np.uint8)
            regions = np.concatenate([self.region_ids(piece.chrom, start, end), dig])
            self.corpus.append(
                SimpleNamespace(
                    chrom=piece.chrom, start=start, end=end, piece=piece.name, split=piece.split,
                    n_fraction=0.0, ids=ids, regions=regions,
                )
            )  # fmt: skip

    def windows(self, split: str) -> Iterator[Any]:
        return (window for window in self.corpus if window.split == split)

    def pieces_of(self, split: str) -> list[Any]:
        return [piece for piece in self.pieces if piece.split == split]

    def sequence(self, piece: Any, start: int, end: int) -> np.ndarray:
        return self.dna[piece.name][start - piece.start : end - piece.start]

    def read_ids(self, piece: Any, start: int, end: int) -> np.ndarray:
        return encode(self.sequence(piece, start, end))

    def region_ids(self, chrom: str, start: int, end: int) -> np.ndarray:
        piece = next(piece for piece in self.pieces if piece.chrom == chrom)
        return self.classes[piece.name][start - piece.start : end - piece.start]

    def ids(self, first: Any, start: int, end: int) -> np.ndarray:
        """Token ids of a piece (as Assembly), region classes of a chromosome (as RegionMap)."""
        read = self.region_ids if isinstance(first, str) else self.read_ids
        return read(first, start, end)

    def runs(self, chrom: str, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        ids = self.region_ids(chrom, start, end)
        edges = np.flatnonzero(np.diff(ids)) + 1
        bounds = np.concatenate([[0], edges, [len(ids)]])
        return np.diff(bounds).astype(np.int32), ids[bounds[:-1]]


def make_window(place: Any, starts: Any, strand: str = "+", **more: Any) -> CompressedWindow:
    """Compressed form of a corpus window, cut at the given bases."""
    starts = np.asarray(starts, dtype=np.int32)
    stages = np.array([len(starts)], dtype=np.int32)
    return CompressedWindow(
        place.chrom, place.start, place.end, strand, place.piece, place.split, len(place.ids),
        starts, stages, **{"bound_bit": np.array([False]), **more},
    )  # fmt: skip


@pytest.fixture
def toy() -> ToyGenome:
    return ToyGenome()


EIGHT = Taxonomy(
    (UserClass("enhancer", before="intron", label="enhancer", colour="#CC79A7", group="genic"),)
)
"""The seven classes and one of the user, id 7."""


@pytest.fixture
def eight(toy: ToyGenome) -> ToyGenome:
    """An empty genome whose bases may also be enhancers."""
    toy.taxonomy = EIGHT
    return toy


@pytest.fixture
def settings() -> Evaluation:
    return Evaluation(
        bootstrap=200,
        block_bp=64,
        shifts=20,
        composition_windows=[8, 16],
        composition_sharpness=[1, 2],
    )


@pytest.fixture
def compressed_window() -> Callable[..., CompressedWindow]:
    return make_window


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., CompressedFile]:
    """Write compressed windows and open the file."""

    def write(name: str, windows: list[CompressedWindow], **head: Any) -> CompressedFile:
        path = tmp_path / f"{name}.{head.get('seed')}.parquet"
        write_compressed(path, windows, name=name, **head)
        return read_compressed(path)

    return write


def random_starts(rng: np.random.Generator, length: int, tokens: int) -> np.ndarray:
    inner = rng.choice(np.arange(1, length), tokens - 1, replace=False)
    return np.append(0, np.sort(inner)).astype(np.int32)


@pytest.fixture
def random_cuts() -> Callable[..., np.ndarray]:
    return random_starts
