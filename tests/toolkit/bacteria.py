"""Made-up bacteria: random contigs with genes in frame, their annotation, as a source on disk."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from genezip.genome.assembly import Segment
from genezip.genome.sources.layout import staged
from toolkit.dna import random_dna, reverse_complement

CODONS = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"]
SENSE = [codon for codon in CODONS if codon not in ("TAA", "TAG", "TGA")]


@dataclass(frozen=True)
class MadeGene:
    """A gene by its place on the plus strand; ``end`` may lie beyond a circular contig."""

    name: str
    start: int
    end: int
    strand: str


@dataclass
class MadeOrganism:
    """One circular contig; ``text`` is its sequence with the genes written into it."""

    name: str
    text: str
    genes: list[MadeGene] = field(default_factory=list)
    seen: bool = True
    genetic_code: int = 11
    circular: bool = True

    @property
    def contig(self) -> str:
        return f"{self.name}.c"

    def sense(self, gene: MadeGene, before: int = 0, after: int = 0) -> str:
        """Bases of a gene in its direction with some around it, wrapping."""
        low, high = (before, after) if gene.strand == "+" else (after, before)
        n = len(self.text)
        bases = "".join(self.text[at % n] for at in range(gene.start - low, gene.end + high))
        return bases if gene.strand == "+" else reverse_complement(bases)


def made_organism(
    name: str,
    seed: int = 0,
    genes: int = 30,
    gaps: Sequence[int] = (20, 80),
    codons: tuple[int, int] = (12, 40),
    seen: bool = True,
) -> MadeOrganism:
    """Genes on both strands with gaps that repeat; the last gene crosses the origin."""
    rng = np.random.default_rng(seed)
    placed, at = [], 30
    texts: dict[int, str] = {}
    for number in range(genes):
        count = int(rng.integers(*codons))
        text = "ATG" + "".join(rng.choice(SENSE, count)) + "TAA"
        strand = "+-"[int(rng.random() < 0.4)]
        placed.append(MadeGene(f"{name[:3]}_{number:03d}", at, at + len(text), strand))
        texts[at] = text if strand == "+" else reverse_complement(text)
        at += len(text) + gaps[number % len(gaps)]
    length = placed[-1].end - 20  # 20 bases of the last gene lie behind the origin
    bases = list(random_dna(length, rng))
    for start, text in texts.items():
        for offset, base in enumerate(text):
            bases[(start + offset) % length] = base
    return MadeOrganism(name, "".join(bases), placed, seen)


def write_bacteria(folder: Path, organisms: Sequence[MadeOrganism]) -> Path:
    """Write a source of organisms; a seen one is training DNA but for its last fifth. Its path."""
    given = ("made", "1", "none")
    with staged(folder) as draft:
        segments = []
        for one in organisms:
            cut = len(one.text) * 4 // 5 if one.seen else len(one.text)
            parts = [(0, cut, "train" if one.seen else "test"), (cut, len(one.text), "valid")]
            for start, end, split in parts:
                if start < end:
                    name = f"{one.contig}:{start}-{end}"
                    marks = (split, one.name, False, False, False)
                    segment = Segment(name, one.contig, start, end, *marks)
                    segments.append((segment, one.text[start:end].encode()))
        sizes = {one.contig: len(one.text) for one in organisms}
        draft.write_segments(segments, sizes, *given)
        for one in organisms:
            file = f"{one.name}.gff3"
            (draft.folder / file).write_text(_gff(one))
            draft.record(file, *given)
            draft.annotate(one.name, file, "gff3")
        draft.finish("made", "made-up bacteria", "made")
    path = folder / "source.json"
    raw = json.loads(path.read_text())
    raw["organisms"] = [
        {
            "name": one.name,
            "contigs": [one.contig],
            "circular": [one.contig] if one.circular else [],
            "annotation": one.name,
            "genetic_code": one.genetic_code,
            "seen": one.seen,
        }
        for one in organisms
    ]
    path.write_text(json.dumps(raw))
    return path


def _gff(one: MadeOrganism) -> str:
    circle = ";Is_circular=true" if one.circular else ""
    rows = [f"{one.contig}\tmade\tregion\t1\t{len(one.text)}\t.\t+\t.\tID={one.contig}{circle}"]
    for gene in one.genes:
        place = f"{gene.start + 1}\t{gene.end}\t.\t{gene.strand}"
        about = f"ID=gene-{gene.name};Name=n{gene.name}"
        rows.append(f"{one.contig}\tmade\tgene\t{place}\t.\t{about}")
        about = f"ID=cds-{gene.name};Parent=gene-{gene.name}"
        rows.append(f"{one.contig}\tmade\tCDS\t{place}\t0\t{about}")
    return "##gff-version 3\n" + "\n".join(rows) + "\n"
