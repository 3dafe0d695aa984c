"""Genes of the simulated genome: structure, bases, and annotation as GTF.

Bases have the codes A, C, G, T = 0, 1, 2, 3, so that the complement of x is 3 - x.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

A, C, G, T, N = 0, 1, 2, 3, 4
_LETTERS = {"A": A, "C": C, "G": G, "T": T}

# Codons per thousand in human genes (Kazusa codon usage database, Homo sapiens), in the
# order T C A G of first, second and third base.
_HUMAN_CODONS = """
17.6 20.3 7.7 12.9  15.2 17.7 12.2 4.4  12.2 15.3 1.0 0.8  10.6 12.6 1.6 13.2
13.2 19.6 7.2 39.6  17.5 19.8 16.9 6.9  10.9 15.1 12.3 34.2  4.5 10.4 6.2 11.4
16.0 20.8 7.5 22.0  13.1 18.9 15.1 6.1  17.0 19.1 24.4 31.9  12.1 19.5 12.2 12.0
11.0 14.5 7.1 28.1  18.4 27.7 15.8 7.4  21.8 25.1 29.0 39.6  10.8 22.2 16.5 16.5
"""


def codes(letters: str) -> np.ndarray:
    """Codes of a DNA word (uint8)."""
    return np.array([_LETTERS[letter] for letter in letters], dtype=np.uint8)


_CODONS = np.array([codes(a + b + c) for a in "TCAG" for b in "TCAG" for c in "TCAG"])
_STOPS = [codes(word) for word in ("TAA", "TAG", "TGA")]
_STOP_SHARES = np.array([1.0, 0.8, 1.6])
_SHARES = np.array([float(word) for word in _HUMAN_CODONS.split()])
for _stop in _STOPS:
    _SHARES[(_stop == _CODONS).all(axis=1)] = 0.0
_SHARES /= _SHARES.sum()
_STOP_SHARES /= _STOP_SHARES.sum()


@dataclass(frozen=True)
class Gene:
    """One gene with one transcript."""

    number: int
    chrom: str
    start: int  # 0-based, half-open
    end: int
    strand: str
    # (start, end) in transcript order: the first holds the TSS, on either strand
    exons: tuple[tuple[int, int], ...]
    # (start, end) in transcript bases, stop codon included; None for a non-coding gene
    cds: tuple[int, int] | None
    cpg_island: bool  # whether the promoter is a CpG island

    @property
    def tss(self) -> int:
        """0-based transcription start: start on +, end - 1 on -."""
        return self.start if self.strand == "+" else self.end - 1

    def length(self) -> int:
        """Bases of the spliced transcript."""
        return sum(end - start for start, end in self.exons)

    def positions(self) -> np.ndarray:
        """Genome position of every transcript base, 5' to 3' (int64)."""
        if self.strand == "+":
            return np.concatenate([np.arange(start, end) for start, end in self.exons])
        return np.concatenate([np.arange(end - 1, start - 1, -1) for start, end in self.exons])

    def blocks(self, begin: int, stop: int) -> list[tuple[int, int, int]]:
        """Genome blocks of transcript bases [begin, stop): (exon number, start, end)."""
        found, done = [], 0
        for number, (start, end) in enumerate(self.exons, start=1):
            low, high = max(begin - done, 0), min(stop - done, end - start)
            if low < high and self.strand == "+":
                found.append((number, start + low, start + high))
            elif low < high:
                found.append((number, end - high, end - low))
            done += end - start
        return found

    def introns(self) -> list[tuple[int, int]]:
        """Genome intervals between the exons, in transcript order."""
        ordered = [tuple(sorted(pair)) for pair in zip(self.exons, self.exons[1:], strict=False)]
        return [(left[1], right[0]) for left, right in ordered]


def draw_gene(
    number: int, chrom: str, start: int, scale: float, coding: bool, rng: np.random.Generator
) -> Gene:
    """Draw a gene that begins at ``start``; introns and UTRs shrink with ``scale``."""
    if coding:
        n_codons = int(np.clip(rng.lognormal(5.7, 0.5), 60, 1200 * max(scale, 0.25)))
        utr5 = int(rng.integers(60, 260))
        utr3 = int(rng.integers(120, 160 + int(1400 * scale)))
        spliced = utr5 + 3 * n_codons + utr3
        cds = (utr5, utr5 + 3 * n_codons)
        cuts = rng.integers(40, cds[1] - 40, size=1 + rng.poisson(5))
    else:
        spliced = int(rng.integers(300, 600 + int(1500 * scale)))
        cds = None
        cuts = rng.integers(60, spliced - 60, size=rng.integers(0, 4))
    borders = [0]
    for cut in sorted(int(value) for value in cuts):
        if cut - borders[-1] >= 40:
            borders.append(cut)
    lengths = np.diff([*borders, spliced])
    gaps = np.clip(rng.lognormal(7.6, 1.1, size=lengths.size - 1) * scale, 80, 30_000 * scale + 80)
    steps = [value for pair in zip(lengths[:-1], gaps, strict=True) for value in pair]
    strand = "+" if rng.random() < 0.5 else "-"
    # in genome order; mirrored below for the minus strand
    edges = start + np.concatenate(
        [[0], np.cumsum(np.array([*steps, lengths[-1]], dtype=np.int64))]
    )
    end = int(edges[-1])
    forward = [(int(edges[i]), int(edges[i + 1])) for i in range(0, len(edges) - 1, 2)]
    if strand == "-":
        forward = [(start + end - high, start + end - low) for low, high in forward]
    island = bool(rng.random() < 0.7)
    return Gene(number, chrom, start, end, strand, tuple(forward), cds, island)


def promoter_span(gene: Gene, length: int, rng: np.random.Generator) -> tuple[int, int]:
    """Interval with the base composition of the promoter, around the TSS, inside [0, length)."""
    upstream, downstream = int(rng.integers(350, 900)), int(rng.integers(250, 700))
    if not gene.cpg_island:
        upstream, downstream = upstream // 3, downstream // 4
    if gene.strand == "-":
        upstream, downstream = downstream, upstream
    return max(0, gene.tss - upstream), min(length, gene.tss + downstream)


def paint_promoter(
    genome: np.ndarray, gene: Gene, span: tuple[int, int], rng: np.random.Generator
) -> None:
    """Draw in place a CpG island (GC 0.66, CpG kept) or a promoter with a TATA box."""
    gc = 0.66 if gene.cpg_island else 0.48
    width = span[1] - span[0]
    shares = [(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2]
    genome[span[0] : span[1]] = rng.choice(4, size=width, p=shares)
    if gene.cpg_island:
        for _ in range(3):  # Sp1 boxes
            _paint_upstream(genome, gene, int(rng.integers(40, 130)), codes("GGGGCGGGG"))
    else:
        _paint_upstream(genome, gene, 31, codes("TATAAAAG"))


def _paint_upstream(genome: np.ndarray, gene: Gene, distance: int, word: np.ndarray) -> None:
    if gene.strand == "+":
        begin = gene.tss - distance
    else:
        begin, word = gene.tss + distance - word.size + 1, 3 - word[::-1]
    if begin >= 0 and begin + word.size <= genome.size:
        genome[begin : begin + word.size] = word


def paint_gene(genome: np.ndarray, gene: Gene, rng: np.random.Generator) -> None:
    """Draw in place splice sites, coding sequence and polyadenylation signal."""
    for low, high in gene.introns():
        donor = codes("GTAAGT") if rng.random() < 0.7 else codes("GTGAGT")
        tract = np.where(rng.random(14) < 0.85, rng.choice([C, T], 14), rng.choice(4, 14))
        acceptor = np.concatenate([tract, codes("CAG")]).astype(np.uint8)
        if gene.strand == "+":
            genome[low : low + 6], genome[high - 17 : high] = donor, acceptor
        else:
            genome[high - 6 : high], genome[low : low + 17] = 3 - donor[::-1], 3 - acceptor[::-1]
    where = gene.positions()
    signal = where[-26:-20]
    _put(genome, signal, codes("AATAAA"), gene.strand)
    if gene.cds is not None:
        n_codons = (gene.cds[1] - gene.cds[0]) // 3
        body = _CODONS[rng.choice(64, size=n_codons - 2, p=_SHARES)].reshape(-1)
        stop = _STOPS[rng.choice(3, p=_STOP_SHARES)]
        sequence = np.concatenate([codes("ATG"), body, stop])
        _put(genome, where[gene.cds[0] : gene.cds[1]], sequence, gene.strand)


def _put(genome: np.ndarray, where: np.ndarray, sequence: np.ndarray, strand: str) -> None:
    genome[where] = sequence if strand == "+" else 3 - sequence


def gencode_rows(gene: Gene) -> Iterator[str]:
    """GTF rows of a gene in GENCODE style: the stop codon is in the 3' UTR, not in the CDS."""
    kind = "lncRNA" if gene.cds is None else "protein_coding"
    gene_id, name = f"SIMG{gene.number:06d}.1", f"SIM{gene.number}"
    base = f'gene_id "{gene_id}"; '
    more = f'gene_type "{kind}"; gene_name "{name}"; '
    transcript = (
        f'{base}transcript_id "SIMT{gene.number:06d}.1"; {more}transcript_type "{kind}"; '
        f'transcript_name "{name}-201"; '
    )
    tail = 'level 2; tag "basic";'

    def row(feature: str, start: int, end: int, attributes: str, frame: str = ".") -> str:
        return (
            f"{gene.chrom}\tgenezip\t{feature}\t{start + 1}\t{end}\t.\t{gene.strand}\t{frame}\t"
            f"{attributes}\n"
        )

    yield row("gene", gene.start, gene.end, f"{base}{more}level 2;")
    yield row("transcript", gene.start, gene.end, transcript + tail)
    parts: list[tuple[str, int, int]] = [("exon", 0, gene.length())]
    if gene.cds is not None:
        first, last = gene.cds
        parts += [
            ("CDS", first, last - 3),
            ("start_codon", first, first + 3),
            ("stop_codon", last - 3, last),
            ("UTR", 0, first),
            ("UTR", last - 3, gene.length()),
        ]
    for feature, begin, stop in parts:
        done = 0
        for number, start, end in gene.blocks(begin, stop):
            frame = str(-done % 3) if feature in ("CDS", "start_codon", "stop_codon") else "."
            done += end - start
            yield row(feature, start, end, f"{transcript}exon_number {number}; {tail}", frame)
