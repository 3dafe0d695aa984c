"""Genomes small enough to know every base and every region class."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genezip.alphabet import encode
from genezip.genome.assembly import Assembly
from genezip.genome.intervals import run_lengths
from genezip.genome.region_rules import RegionMap
from genezip.genome.sources.source import Source
from genezip.region_classes import CLASS_IDS, GENE7, Taxonomy
from toolkit import gene_files
from toolkit.command_line import succeed

LETTERS = "pcueind"  # promoter, cds, utr, exon, intron, nig, dig
HEAD = "name chrom start end split annotation soft_masked rmsk trf"


@pytest.fixture
def make_assembly(tmp_path: Path) -> Callable[..., Assembly]:
    """Assembly of whole chromosomes, or of (chrom, start, end, split) pieces of them."""

    def make(
        chromosomes: dict[str, str],
        pieces: list[tuple[str, int, int, str]] | None = None,
        annotation: str = "genes",
    ) -> Assembly:
        chosen = pieces or [(name, 0, len(text), "train") for name, text in chromosomes.items()]
        rows = ["\t".join(HEAD.split())]
        records = []
        for chrom, start, end, split in chosen:
            name = f"{chrom}:{start}-{end}"
            rows.append(f"{name}\t{chrom}\t{start}\t{end}\t{split}\t{annotation}\t0\t0\t0")
            records.append(f">{name}\n{chromosomes[chrom][start:end]}\n")
        sizes = "".join(f"{name}\t{len(text)}\n" for name, text in chromosomes.items())
        (tmp_path / "pieces.fa").write_text("".join(records))
        (tmp_path / "pieces.tsv").write_text("\n".join(rows) + "\n")
        (tmp_path / "chrom.sizes").write_text(sizes)
        return Assembly.open(
            tmp_path / "pieces.fa", tmp_path / "pieces.tsv", tmp_path / "chrom.sizes", "tiny"
        )

    return make


@pytest.fixture
def drawn() -> Callable[[RegionMap, str, int, int], str]:
    """The map of a stretch as one letter per base."""

    def draw(region_map: RegionMap, chrom: str, start: int, end: int) -> str:
        return "".join(LETTERS[label] for label in region_map.ids(chrom, start, end))

    return draw


@pytest.fixture
def write_gtf(tmp_path: Path) -> Callable[..., Path]:
    """GTF of rows (chrom, feature, 0-based start, end, strand, attributes)."""

    def write(rows: list[tuple[str, str, int, int, str, str]], name: str = "genes.gtf") -> Path:
        lines = [
            f"{chrom}\ttest\t{feature}\t{start + 1}\t{end}\t.\t{strand}\t.\t{attributes}\n"
            for chrom, feature, start, end, strand, attributes in rows
        ]
        path = tmp_path / name
        path.write_text("##description: test\n" + "".join(lines))
        return path

    return write


@pytest.fixture
def gtf(tmp_path):
    """Read a GTF of rows ``feature start end attributes [strand [chrom]]``."""
    return partial(gene_files.read_rows, tmp_path, "gtf")


@pytest.fixture
def gff3(tmp_path):
    """Read a GFF3 of such rows."""
    return partial(gene_files.read_rows, tmp_path, "gff3")


@pytest.fixture
def bed12(tmp_path):
    """Write a BED12 file of lines; its path."""

    def write(*lines):
        (tmp_path / "genes.bed").write_text("".join(lines))
        return tmp_path / "genes.bed"

    return write


def simulate(folder: Path, *chromosome_bp: int) -> Source:
    """Simulate a genome with chromosomes of these lengths, with the real command."""
    lengths = [f"--chromosome-bp={bp}" for bp in chromosome_bp]
    succeed("simulate", "--out", folder, *lengths)
    return Source.load(folder / "source.json")


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
        return run_lengths(self.region_ids(chrom, start, end))
