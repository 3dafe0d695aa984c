"""A made-up bacterium whose codons end in G, and compressors that do or do not notice."""

import json
from pathlib import Path

import numpy as np

from genezip.alphabet import G_ID
from genezip.genome.assembly import Segment
from genezip.genome.organisms import Organism
from genezip.genome.sources.source import SOURCE, Source
from genezip.models.base import PlainCompressor, ids_of
from genezip.models.compressed import Compressed
from toolkit.dna import random_dna, reverse_complement
from toolkit.genomes import write_segments

CODONS = [a + b + "G" for a in "ACT" for b in "ACT" if a + b != "TA"]


def gene(codons, rng):
    """ATG, codons that end in G and have no other G, and TAA."""
    return "ATG" + "".join(rng.choice(CODONS, codons - 2)) + "TAA"


def bacterium(folder: Path, genes: int = 60, seed: int = 0, organisms: bool = True) -> Source:
    """A source of one contig of genes on both strands, the last of them across the origin.

    The first half is training DNA. A second organism has no annotation.
    """
    rng = np.random.default_rng(seed)
    rows, text = [], random_dna(150, rng)
    for number in range(genes):
        strand = "+-"[number % 2]
        made = gene(int(rng.integers(40, 90)), rng)
        rows.append((len(text) + 1, len(text) + len(made), f"g{number}", strand))
        text += made if strand == "+" else reverse_complement(made)
        text += random_dna(int(rng.integers(50, 200)), rng)
    last = gene(50, rng)  # 90 bases before the origin and 60 behind it
    text = last[90:] + text[60:] + last[:90]
    rows.append((len(text) - 89, len(text) + 60, "origin", "+"))
    half = rows[genes // 2][0] - 20
    segments = [
        Segment("b.1", "b", 0, half, "train", "toy", False, False, False),
        Segment("b.2", "b", half, len(text), "test", "toy", False, False, False),
        Segment("d.1", "d", 0, 900, "train", "", False, False, False),
    ]
    dna = {"b.1": text[:half], "b.2": text[half:], "d.1": random_dna(900, rng)}
    folder.mkdir()
    lines = [f"b\tx\tregion\t1\t{len(text)}\t.\t.\t.\tID=b;Is_circular=true"]
    for first, end, name, sign in rows:
        lines.append(f"b\tx\tgene\t{first}\t{end}\t.\t{sign}\t.\tID={name}")
        lines.append(f"b\tx\tCDS\t{first}\t{end}\t.\t{sign}\t0\tID=c{name};Parent={name}")
    (folder / "genes.gff3").write_text("\n".join(lines) + "\n")
    raw = write_segments(folder, segments, dna, {"b": len(text), "d": 900})
    raw["annotations"] = {"toy": {"path": "genes.gff3", "format": "gff3"}}
    if organisms:
        known = Organism("bug", ("b",), frozenset({"b"}), "toy", 11)
        unknown = Organism("dark", ("d",), frozenset(), None, 11)
        raw["organisms"] = [known.to_dict(), unknown.to_dict()]
    raw |= {"source": "simulated", "description": "made up", "build": "bug1", "repeats": {}}
    (folder / "source.json").write_text(json.dumps(SOURCE.head(**raw, files=[])))
    return Source.load(folder / "source.json")


class AfterG(PlainCompressor):
    """A token begins after every G, and each second of these a token of the second stage."""

    name = "after-g"
    gives_prob = True

    def encode(self, sequences):
        found = []
        for ids in ids_of(sequences):
            begins = np.append(True, ids[:-1] == G_ID)
            starts = np.flatnonzero(begins)
            second = np.arange(len(starts)) % 2 == 0
            found.append(
                Compressed(
                    length=len(ids),
                    token_starts=starts[second],
                    boundary_prob=np.where(begins, 0.9, 0.1).astype(np.float32),
                    inner_prob=(second.astype(np.float32),),
                    stage_tokens=np.array([len(starts), second.sum()]),
                    bound_active=np.zeros(2, dtype=bool),
                )
            )
        return found


class EveryBase(PlainCompressor):
    """No token is longer than a base."""

    name = "flat"

    def encode(self, sequences):
        return [
            Compressed(
                length=len(ids),
                token_starts=np.arange(len(ids)),
                stage_tokens=np.zeros(0, dtype=np.int64),
                bound_active=np.zeros(0, dtype=bool),
            )
            for ids in ids_of(sequences)
        ]
