"""The codons of an amino acid, and how a codon becomes one."""

from functools import lru_cache

from Bio.Data.CodonTable import unambiguous_dna_by_id
from Bio.Seq import Seq

STOP = "*"


@lru_cache
def codons_of(residue: str, genetic_code: int) -> tuple[str, ...]:
    """Codons of a residue (``*`` for stops), in alphabetical order; empty for no amino acid."""
    table = unambiguous_dna_by_id[genetic_code]
    if residue == STOP:
        return tuple(sorted(table.stop_codons))
    return tuple(sorted(codon for codon, one in table.forward_table.items() if one == residue))


def changes(codon: str, other: str) -> int:
    """Number of nucleotides in which two codons differ."""
    return sum(a != b for a, b in zip(codon, other, strict=True))


def nearest(codon: str, residue: str, genetic_code: int) -> str:
    """The codon of a residue with the fewest changed nucleotides; ties go to the alphabet."""
    return min(codons_of(residue, genetic_code), key=lambda one: (changes(codon, one), one))


def translate(cds: str, genetic_code: int) -> str:
    """Residues of a coding sequence; a first codon that may start it is M."""
    protein = str(Seq(cds).translate(genetic_code))
    if cds[:3] in unambiguous_dna_by_id[genetic_code].start_codons:
        return "M" + protein[1:]
    return protein
