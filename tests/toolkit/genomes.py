"""Genomes small enough to know every base and every region class."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from genezip.corpus.corpus import MANIFEST_KIND, CorpusReader, Window
from genezip.corpus.plan import Plan, ShardPlan
from genezip.corpus.writer import ShardWriter
from genezip.genome.assembly import SEGMENT_COLUMNS, Assembly, Segment
from genezip.genome.intervals import value_runs
from genezip.genome.region_map import RegionMap
from genezip.genome.sources.source import Source
from genezip.genome.sources.splits import SPLITS
from genezip.region_classes import GENE7
from toolkit import gene_files
from toolkit.command_line import succeed
from toolkit.dna import fasta

LETTERS = "pcueind"  # promoter, cds, utr, exon, intron, nig, dig


def write_segments(
    folder: Path, segments: Sequence[Segment], dna: Mapping[str, str], sizes: Mapping[str, int]
) -> dict[str, str]:
    """Write segments, their sequence by name and the lengths of chromosomes; names of the files."""
    rows = [[str(int(x) if isinstance(x, bool) else x) for x in astuple(s)] for s in segments]
    lines = ["\t".join(row) for row in (SEGMENT_COLUMNS, *rows)]
    (folder / "pieces.tsv").write_text("\n".join(lines) + "\n")
    (folder / "pieces.fa").write_text(fasta(dna))
    lengths = "".join(f"{name}\t{bp}\n" for name, bp in sizes.items())
    (folder / "chrom.sizes").write_text(lengths)
    return {"fasta": "pieces.fa", "pieces": "pieces.tsv", "chrom_sizes": "chrom.sizes"}


def write_assembly(
    folder: Path,
    segments: Sequence[tuple[str, int, str, str]],
    sizes: Mapping[str, int] | None = None,
    annotation: str = "genes",
) -> Assembly:
    """Write segments (chrom, start, split, sequence); chromosomes end with them unless told."""
    made, records, ends = [], {}, dict[str, int]()
    for chrom, start, split, text in segments:
        end = start + len(text)
        name = f"{chrom}:{start}-{end}"
        made.append(Segment(name, chrom, start, end, split, annotation, False, False, False))
        records[name] = text
        ends[chrom] = max(end, ends.get(chrom, 0))
    names = write_segments(folder, made, records, sizes or ends)
    return Assembly.open(*(folder / name for name in names.values()), "tiny")


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


class ToyGenome:
    """A genome, its region map and a corpus that grow by hand; what is opened lies on disk.

    Every segment is a chromosome of its own name, which may begin at any base.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.region_classes = GENE7
        self.segments: list[Segment] = []
        self.tiles: list[tuple[Segment, int, int, int]] = []  # segment, start, end, window_bp
        self.dna: dict[str, str] = {}
        self.sizes: dict[str, int] = {}  # of chromosomes that are longer than their segment
        self.classes: dict[str, np.ndarray] = {}
        self._opened = 0

    def add_segment(
        self,
        name: str,
        sequence: str,
        regions: str | Sequence[int] | np.ndarray,
        split: str = "test",
        start: int = 0,
        **marks: int,
    ) -> Segment:
        """A segment; ``regions`` is the class of all its bases, or the id of each."""
        flags = {mark: bool(marks.get(mark)) for mark in ("soft_masked", "rmsk", "trf")}
        end = start + len(sequence)
        segment = Segment(name, name, start, end, split, "toy", **flags)
        self.segments.append(segment)
        self.dna[name] = sequence
        if isinstance(regions, str):
            regions = [self.region_classes.ids[regions]] * len(sequence)
        self.classes[name] = np.asarray(regions, dtype=np.uint8)
        return segment

    def tile(self, segment: Segment, window_bp: int, pad_last: bool = False) -> None:
        """Corpus windows of a segment; the short last one is dropped or padded with N."""
        for start in range(segment.start, segment.end, window_bp):
            end = min(start + window_bp, segment.end)
            if end - start == window_bp or pad_last:
                self.tiles.append((segment, start, end, window_bp))

    def source(self) -> Source:
        """The genome as a source; its annotation set ``toy`` is ``genes.gtf`` of the folder."""
        self._opened += 1
        folder = self.folder / f"genome{self._opened}"
        folder.mkdir()
        annotations = {"toy": {"path": "../genes.gtf", "format": "gtf"}}
        sizes = {segment.chrom: segment.end for segment in self.segments} | self.sizes
        raw = write_segments(folder, self.segments, self.dna, sizes)
        none = {"rmsk": None, "trf": None}
        raw = {**raw, "annotations": annotations, "repeats": none}
        return Source("simulated", "", "toy", folder, raw)

    def assembly(self) -> Assembly:
        """The segments with their bases."""
        return self.source().assembly()

    def region_map(self) -> RegionMap:
        """The classes of the bases of every segment."""
        runs = {}
        for segment in self.segments:
            first, classes = value_runs(self.classes[segment.name])
            starts = segment.start + first.astype(np.int64)
            runs[segment.chrom] = (starts, np.append(starts[1:], segment.end), classes)
        return RegionMap(runs, self.region_classes)

    def reader(self) -> CorpusReader:
        """The corpus of the tiles, one shard per tiled segment."""
        entries: list[dict[str, Any]] = []
        folder = self.folder / f"corpus{self._opened + 1}"
        if self.tiles:
            plan = Plan({}, pa.table({}), "0" * 64)
            writer = ShardWriter(plan, self.assembly(), self.region_map(), folder)
            for (segment, window_bp), group in groupby(self.tiles, itemgetter(0, 3)):
                rows = [(segment.name, start, end, "tile") for _, start, end, _ in group]
                columns = ["piece", "start", "end", "sampling_mode"]
                table = pd.DataFrame(rows, columns=columns)
                number = sum(entry["split"] == segment.split for entry in entries)
                entries.append(writer.write(ShardPlan(segment.split, number, window_bp, table)))
        folder.mkdir(exist_ok=True)
        facts = {"source": "simulated", "classes": self.region_classes.to_json(), "files": entries}
        (folder / "manifest.json").write_text(json.dumps(MANIFEST_KIND.head(**facts)))
        return CorpusReader(folder / "manifest.json")

    def mapped(self) -> tuple[Assembly, RegionMap]:
        """Assembly and region map."""
        return self.assembly(), self.region_map()

    def opened(self) -> tuple[Assembly, RegionMap, CorpusReader]:
        """Assembly, region map and corpus."""
        return *self.mapped(), self.reader()

    def windows(self, split: str) -> Iterator[Window]:
        """Windows of a split of the corpus."""
        return self.reader().windows(split)

    @property
    def corpus(self) -> list[Window]:
        """Windows of every split of the corpus."""
        reader = self.reader()
        return [window for split in SPLITS for window in reader.windows(split)]


@pytest.fixture
def toy(tmp_path: Path) -> ToyGenome:
    """A genome without segments, which a test adds."""
    folder = tmp_path / "toy"
    folder.mkdir()
    return ToyGenome(folder)
