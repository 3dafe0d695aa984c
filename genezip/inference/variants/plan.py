"""The records of a VCF, checked against the FASTA, as distinct alleles in its order."""

import difflib
import logging
from array import array
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genezip import log
from genezip.artifacts.journal import StopRequest, stop_now
from genezip.errors import GenezipError
from genezip.genome.names import first_names, translate
from genezip.inference.variants.alleles import (
    REASONS,
    Allele,
    Reference,
    allele_of,
    check_letters,
    disagreement,
)
from genezip.inference.variants.vcf import VcfFile

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What a VCF asks for.

    ``alleles`` are distinct and sorted, ``where`` has the index of that of every ALT in the order
    of the file, or minus the place of its reason in REASONS, minus 1.
    """

    records: int
    alleles: list[Allele]
    where: np.ndarray

    def reason(self, alt: int) -> str:
        """Why an ALT has no allele; empty if it has one."""
        index = int(self.where[alt])
        return "" if index >= 0 else list(REASONS)[-1 - index]


def make_plan(file: VcfFile, reference: Reference, fasta: Path, stop: StopRequest) -> Plan:
    """Check every record against the FASTA, and collect the alleles."""
    names: dict[str, str] = {}
    lacking = Counter[str]()
    reasons = list(REASONS)
    index: dict[Allele, int] = {}
    where = array("q")
    first_lacking = first_wrong = ""
    wrong = records = 0
    for record in log.progress(file.records(), f"{file.name}: REF", unit="record"):
        if stop:
            stop_now(f"{file.name}: stopped while REF was compared")
        records += 1
        if record.chrom not in names:
            names[record.chrom] = translate(record.chrom, reference.sizes)
        chrom = names[record.chrom]
        if chrom not in reference.sizes:
            first_lacking = first_lacking or f"line {record.number}"
            lacking[record.chrom] += 1
            continue
        check_letters(record, file)
        fault = disagreement(record, chrom, reference)
        if fault is not None:
            first_wrong = first_wrong or f"line {record.number}: {fault}"
            wrong += 1
            continue
        for number in range(len(record.alts)):
            found = allele_of(record, number, chrom, reference)
            if isinstance(found, str):
                where.append(-1 - reasons.index(found))
            else:
                where.append(index.setdefault(found, len(index)))
    if lacking:
        raise _lacks(file, fasta, lacking, first_lacking, reference)
    if wrong:
        raise GenezipError(
            f"{wrong:,} of {records:,} records of {file} disagree with {fasta}, the first in "
            f"{first_wrong}; give the FASTA of the build of the VCF{_build(reference)}"
        )
    renamed = [(old, new) for old, new in names.items() if old != new]
    if renamed:
        old, new = renamed[0]
        logger.info(f"{file.name}: contigs are named otherwise in the FASTA ({old} -> {new})")
    return _sorted(records, list(index), np.array(where, dtype=np.int64), reference)


def _build(reference: Reference) -> str:
    """The build of the FASTA in brackets, if its lengths are those of a known one."""
    build = reference.genome.build()
    return f" (this one looks like {build})" if build in ("hg38", "hg19") else ""


def _sorted(records: int, alleles: list[Allele], where: np.ndarray, reference: Reference) -> Plan:
    """A plan whose alleles are in the order of the FASTA, so that neighbours are read together."""
    order_of = {name: number for number, name in enumerate(reference.sizes)}
    order = sorted(
        range(len(alleles)),
        key=lambda k: (
            order_of[alleles[k].chrom],
            alleles[k].start,
            alleles[k].end,
            alleles[k].alt,
        ),
    )
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    known = where >= 0
    where[known] = rank[where[known]]
    return Plan(records, [alleles[k] for k in order], where)


def _lacks(
    file: VcfFile, fasta: Path, lacking: Counter[str], first: str, reference: Reference
) -> GenezipError:
    name = next(iter(lacking))
    near = difflib.get_close_matches(name, reference.sizes, 3, 0.5) or reference.sizes
    return GenezipError(
        f"{sum(lacking.values()):,} records of {file} are on contigs that {fasta} lacks, the first "
        f"in {first} on {name}; the nearest names there are {first_names(near)}: rename the "
        "contigs, leave those records out, or give the FASTA of the VCF"
    )
