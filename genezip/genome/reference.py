"""A reference genome by coordinate: bases of any interval, N where the chromosome has none."""

from pathlib import Path

import numpy as np
import pyfaidx

from genezip.alphabet import N_ID, encode
from genezip.errors import GenezipError
from genezip.formats.chrom_sizes import hg19_sizes, hg38_sizes
from genezip.formats.fasta import open_fasta
from genezip.genome.names import translate
from genezip.genome.sources.source import Source


class ReferenceGenome:
    """An indexed FASTA that is asked by genome coordinate.

    Parameters
    ----------
    path : path
        A FASTA (plain with ``.fai``, or bgzip), or ``source.json`` of whole chromosomes.

    Attributes
    ----------
    path : Path, the FASTA
    sizes : dict, record name -> length (bp)
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        if path.suffix == ".json":
            source = Source.load(path)
            path = source.folder / source.raw["fasta"]
        self.path = path
        self._fasta: pyfaidx.Fasta = open_fasta(path)
        self.sizes = {name: len(self._fasta[name]) for name in self._fasta.keys()}  # noqa: SIM118

    def name_of(self, chrom: str) -> str:
        """The FASTA's own name of a chromosome (``8`` for ``chr8`` or the other way round).

        Raises
        ------
        GenezipError
            If the FASTA has no such chromosome.
        """
        found = translate(chrom, self.sizes)
        if found not in self.sizes:
            raise GenezipError(
                f"{self.path} has no chromosome {chrom}; give the FASTA of the whole genome "
                f"(this one looks like {self.build()})"
            )
        return found

    def length(self, chrom: str) -> int:
        """Length of a chromosome (bp)."""
        return self.sizes[self.name_of(chrom)]

    def ids(self, chrom: str, start: int, end: int) -> np.ndarray:
        """Token ids of an interval; N outside the chromosome.

        Parameters
        ----------
        chrom : str, with or without ``chr``
        start, end : int
            0-based, half-open; may lie outside the chromosome.

        Returns
        -------
        uint8 array, shape (end - start,), token ids (:mod:`genezip.alphabet`)
        """
        if end < start:
            raise ValueError(f"{chrom}:{start}-{end} ends before it starts")
        name = self.name_of(chrom)
        found = np.full(end - start, N_ID, dtype=np.uint8)
        lo, hi = max(start, 0), min(end, self.sizes[name])
        if lo < hi:
            # fetch counts from 1 and includes its end
            text = self._fasta.faidx.fetch(name, lo + 1, hi)
            found[lo - start : hi - start] = encode(text, f"{name} of {self.path}")
        return found

    def build(self) -> str:
        """What the chromosome lengths look like: ``hg38``, ``hg19`` or ``another genome``."""
        for build, sizes in (("hg38", hg38_sizes()), ("hg19", hg19_sizes())):
            known = [(translate(name, sizes), length) for name, length in self.sizes.items()]
            told = [sizes[name] == length for name, length in known if name in sizes]
            if told and all(told):
                return build
        return "another genome"
