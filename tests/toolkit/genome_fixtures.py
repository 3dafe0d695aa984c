"""A genome small enough to write its region map down by hand."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import gene_files
import pytest

from genezip.genome.assembly import Assembly
from genezip.genome.region_map import RegionMap

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
