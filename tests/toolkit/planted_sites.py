"""A made-up genome whose genes have planted sites, and compressors that see some of them."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genezip.alphabet import decode
from genezip.genome.assembly import Segment
from genezip.genome.sources.source import SOURCE, Source
from genezip.models.base import PlainCompressor, ids_of
from genezip.models.compressed import tokens_at
from toolkit.dna import random_dna, reverse_complement
from toolkit.genomes import write_segments

UPSTREAM, EXON1, INTRON, EXON2 = 260, 100, 200, 80
GENE_BP = UPSTREAM + EXON1 + INTRON + EXON2
DONOR, ACCEPTOR = "GTAAGTCC", "TTCTTTCAG"
START = 36  # of the start codon in the first exon


@dataclass(frozen=True)
class Planted:
    """Genome text, and the planted positions by kind: (position, strand) in order."""

    text: str
    sites: dict[str, list[tuple[int, int]]]
    rows: list[str]  # GFF3
    half: int  # first base of the held-out half


def gene(rng) -> tuple[str, dict[str, int]]:
    """Bases of a gene with its upstream part, and where its sites begin."""
    up = random_dna(UPSTREAM, rng)
    up = up[:-31] + "TATAAA" + up[-25:]
    first = random_dna(START - 6, rng) + "GCCACCATGG"
    first += random_dna(EXON1 - len(first), rng)
    intron = DONOR + random_dna(INTRON - len(DONOR) - len(ACCEPTOR), rng) + ACCEPTOR
    at = {
        "tata": UPSTREAM - 31,
        "kozak": UPSTREAM + START - 6,
        "donor": UPSTREAM + EXON1,
        "acceptor": UPSTREAM + EXON1 + INTRON,
    }
    return up + first + intron + random_dna(EXON2, rng), at


def planted(genes: int = 24, seed: int = 0, turned: bool = False) -> Planted:
    """Genes on alternating strands; ``turned`` gives the reverse complement of it all."""
    rng = np.random.default_rng(seed)
    text, found, features = random_dna(300, rng), [], []
    for number in range(genes):
        made, at = gene(rng)
        strand, first = 1 - 2 * (number % 2), len(text)
        text += made if strand == 1 else reverse_complement(made)
        last = first + GENE_BP - 1
        for kind, place in at.items():
            found.append((kind, first + place if strand == 1 else last - place, strand))
        parts = {
            "mRNA": (UPSTREAM, GENE_BP),
            "exon": (UPSTREAM, UPSTREAM + EXON1),
            "exon ": (UPSTREAM + EXON1 + INTRON, GENE_BP),
            "CDS": (UPSTREAM + START, UPSTREAM + EXON1),
        }
        for name, (low, high) in parts.items():
            span = (first + low, first + high) if strand == 1 else (last + 1 - high, last + 1 - low)
            features.append((name.strip(), *span, strand, number))
        text += random_dna(int(rng.integers(200, 300)), rng)
    half = sorted(place for kind, place, _ in found if kind == "tata")[genes // 2] - 400
    length = len(text)
    if turned:
        text, half = reverse_complement(text), length - half
        found = [(kind, length - 1 - place, -strand) for kind, place, strand in found]
        features = [(n, length - b, length - a, -s, i) for n, a, b, s, i in features]
    sites: dict[str, list[tuple[int, int]]] = {}
    for kind, place, strand in sorted(found):
        sites.setdefault(kind, []).append((place, strand))
    rows = []
    for name, start, end, strand, number in features:
        sign, tag = "+-"[strand < 0], f"ID=m{number}" if name == "mRNA" else f"Parent=m{number}"
        rows.append(f"c\tx\t{name}\t{start + 1}\t{end}\t.\t{sign}\t.\t{tag}")
    return Planted(text, sites, rows, half)


def planted_source(folder: Path, made: Planted, annotated: bool = True) -> Source:
    """A source of one contig; its first half is training DNA, the second held out."""
    half, length = made.half, len(made.text)
    segments = [
        Segment("c.1", "c", 0, half, "train", "toy", False, False, False),
        Segment("c.2", "c", half, length, "test", "toy", False, False, False),
    ]
    folder.mkdir()
    (folder / "genes.gff3").write_text("##gff-version 3\n" + "\n".join(made.rows) + "\n")
    dna = {"c.1": made.text[:half], "c.2": made.text[half:]}
    raw = write_segments(folder, segments, dna, {"c": length})
    listed = {"toy": {"path": "genes.gff3", "format": "gff3"}} if annotated else {}
    raw |= {"annotations": listed, "repeats": {}, "build": "toy1"}
    raw |= {"source": "simulated", "description": "made up"}
    (folder / "source.json").write_text(json.dumps(SOURCE.head(**raw, files=[])))
    return Source.load(folder / "source.json")


class AtWord(PlainCompressor):
    """A token begins where a word does: probability 0.9 there, 0.1 elsewhere."""

    gives_prob = True

    def __init__(self, word: str) -> None:
        self.word, self.name = word, f"at-{word.lower()}"

    def encode(self, sequences):
        found = []
        for ids in ids_of(sequences):
            text = decode(ids).decode()
            begins = np.zeros(len(ids), dtype=bool)
            begins[[match.start() for match in re.finditer(f"(?={self.word})", text)]] = True
            prob = np.where(begins, 0.9, 0.1).astype(np.float32)
            begins[0] = True
            columns = {"boundary_prob": prob} if self.gives_prob else {}
            found.append(tokens_at(len(ids), np.flatnonzero(begins), **columns))
        return found


class AtGT(AtWord):
    """It knows the dinucleotide GT and nothing of donors."""

    def __init__(self) -> None:
        super().__init__("GT")


class HardAtDonors(AtWord):
    """Tokens at donors, without probabilities."""

    gives_prob = False

    def __init__(self) -> None:
        super().__init__(DONOR)
