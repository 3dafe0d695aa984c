"""The organisms of a source of several genomes, and where the DNA of each lies."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

STANDARD_CODE = 1
"""NCBI number of the standard genetic code."""


@dataclass(frozen=True)
class Organism:
    """One genome of a source.

    Attributes
    ----------
    name : name of the genome in the configuration, in tables and before its contig names
    contigs : names of its contigs in the source
    circular : those of them that are circular
    annotation : name of its annotation set in the source; None without one
    genetic_code : NCBI number of the genetic code of its genes (1, 4, 11, ...)
    seen : whether any of its DNA is for training
    """

    name: str
    contigs: tuple[str, ...]
    circular: frozenset[str] = frozenset()
    annotation: str | None = None
    genetic_code: int = STANDARD_CODE
    seen: bool = True

    def to_dict(self) -> dict[str, Any]:
        """JSON values for ``source.json``."""
        return {
            "name": self.name,
            "contigs": list(self.contigs),
            "circular": sorted(self.circular),
            "annotation": self.annotation,
            "genetic_code": self.genetic_code,
            "seen": self.seen,
        }

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> "Organism":
        """The organism of JSON values."""
        return cls(
            raw["name"],
            tuple(raw["contigs"]),
            frozenset(raw["circular"]),
            raw["annotation"],
            raw["genetic_code"],
            raw["seen"],
        )


def organism_of_contig(organisms: Iterable[Organism]) -> dict[str, Organism]:
    """Contig -> its organism."""
    return {contig: organism for organism in organisms for contig in organism.contigs}
