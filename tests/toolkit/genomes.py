"""Genomes small enough to know every base and every region class."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genezip.alphabet import encode
from genezip.genome.assembly import Assembly
from genezip.genome.region_map import RegionMap
from genezip.genome.sources.source import Source
from genezip.region_classes import CLASS_IDS, GENE7, RegionClasses
from toolkit import gene_files
from toolkit.command_line import succeed
from toolkit.dna import fasta

LETTERS = "pcueind"  # promoter, cds, utr, exon, intron, nig, dig
HEAD = "name chrom start end split annotation soft_masked rmsk trf"


def write_assembly(
    folder: Path,
    segments: Sequence[tuple[str, int, str, str]],
    sizes: Mapping[str, int] | None = None,
    annotation: str = "genes",
) -> Assembly:
    """Write segments (chrom, start, split, sequence); chromosomes end with them unless told."""
    rows, records, ends = ["\t".join(HEAD.split())], {}, dict[str, int]()
    for chrom, start, split, text in segments:
        end = start + len(text)
        name = f"{chrom}:{start}-{end}"
        rows.append(f"{name}\t{chrom}\t{start}\t{end}\t{split}\t{annotation}\t0\t0\t0")
        records[name] = text
        ends[chrom] = max(end, ends.get(chrom, 0))
    (folder / "pieces.fa").write_text(fasta(records))
    (folder / "pieces.tsv").write_text("\n".join(rows) + "\n")
    lengths = (sizes or ends).items()
    (folder / "chrom.sizes").write_text("".join(f"{name}\t{bp}\n" for name, bp in lengths))
    names = ("pieces.fa", "pieces.tsv", "chrom.sizes")
    return Assembly.open(*(folder / name for name in names), "tiny")


@pytest.fixture
def make_assembly(tmp_path: Path) -> Callable[..., Assembly]:
    """Assembly of whole chromosomes, or of (chrom, start, end, split) segments of them."""

    def make(
        chromosomes: dict[str, str],
        segments: list[tuple[str, int, int, str]] | None = None,
        annotation: str = "genes",
    ) -> Assembly:
        chosen = segments or [(name, 0, len(text), "train") for name, text in chromosomes.items()]
        cut = [(chrom, a, split, chromosomes[chrom][a:b]) for chrom, a, b, split in chosen]
        sizes = {name: len(text) for name, text in chromosomes.items()}
        return write_assembly(tmp_path, cut, sizes, annotation)

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

    segments: list[Any] = field(default_factory=list)
    corpus: list[Any] = field(default_factory=list)
    dna: dict[str, np.ndarray] = field(default_factory=dict)
    classes: dict[str, np.ndarray] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=lambda: {"source": "simulated"})
    region_classes: RegionClasses = GENE7

    def add_segment(
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
        segment = SimpleNamespace(
            name=name, chrom=name, start=start, end=end, split=split, annotation="toy", **flags
        )
        self.segments.append(segment)
        self.dna[name] = np.frombuffer(sequence.encode(), dtype=np.uint8)
        if isinstance(regions, str):
            regions = [self.region_classes.ids[regions]] * len(sequence)
        self.classes[name] = np.asarray(regions, dtype=np.uint8)
        return segment

    def tile(self, segment: Any, window_bp: int, pad_last: bool = False) -> None:
        """Corpus windows of a segment; the short last one is dropped or padded with N."""
        for start in range(segment.start, segment.end, window_bp):
            end = min(start + window_bp, segment.end)
            missing = window_bp - (end - start)
            if missing and not pad_last:
                continue
            ids = np.concatenate([self.read_ids(segment, start, end), encode("N" * missing)])
            dig = np.full(missing, CLASS_IDS["dig"], dtype=np.uint8)
            regions = np.concatenate([self.region_ids(segment.chrom, start, end), dig])
            self.corpus.append(
                SimpleNamespace(
                    chrom=segment.chrom, start=start, end=end, piece=segment.name,
                    split=segment.split, n_fraction=0.0, ids=ids, regions=regions,
                )
            )  # fmt: skip

    def windows(self, split: str) -> Iterator[Any]:
        return (window for window in self.corpus if window.split == split)

    def segments_of(self, split: str) -> list[Any]:
        return [segment for segment in self.segments if segment.split == split]

    def sequence(self, segment: Any, start: int, end: int) -> np.ndarray:
        return self.dna[segment.name][start - segment.start : end - segment.start]

    def read_ids(self, segment: Any, start: int, end: int) -> np.ndarray:
        return encode(self.sequence(segment, start, end))

    def region_ids(self, chrom: str, start: int, end: int) -> np.ndarray:
        segment = next(segment for segment in self.segments if segment.chrom == chrom)
        return self.classes[segment.name][start - segment.start : end - segment.start]

    def ids(self, first: Any, start: int, end: int) -> np.ndarray:
        """Token ids of a segment (as Assembly), region classes of a chromosome (as RegionMap)."""
        read = self.region_ids if isinstance(first, str) else self.read_ids
        return read(first, start, end)

    def runs(self, chrom: str, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        ids = self.region_ids(chrom, start, end)
        edges = np.flatnonzero(np.diff(ids)) + 1
        bounds = np.concatenate([[0], edges, [len(ids)]])
        return np.diff(bounds).astype(np.int32), ids[bounds[:-1]]


@pytest.fixture
def toy() -> ToyGenome:
    """A genome without segments, which a test adds."""
    return ToyGenome()
