"""The rows of an annotation file, in the same tables for all formats.

Readers fill :class:`Rows` from the file alone; :mod:`genezip.genome.gene_models` infers what the
file leaves out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from genezip.errors import GenezipError

PART_COLUMNS = ["chrom", "start", "end", "strand", "transcript_id"]
TRANSCRIPT_COLUMNS = [*PART_COLUMNS, "gene_id", "gene_name", "gene_type"]

Transcripts = Literal["basic", "all", "canonical"]
"""Value of ``regions.transcripts``: transcripts with a tag of :data:`TAGS`, or all of them.

A GTF or GFF3 file without the tag is refused.
"""

TAGS: dict[str, tuple[str, ...]] = {
    "basic": ("basic", "gencode_basic"),
    "canonical": ("Ensembl_canonical", "MANE_Select", "MANE Select"),
}
"""Tags of a choice, as spelled by GENCODE, Ensembl (since release 113) and NCBI."""


@dataclass(frozen=True)
class Rows:
    """The rows of an annotation file."""

    # :data:`TRANSCRIPT_COLUMNS` and ``part`` (number of a trans-spliced part, else 0); ids may
    # repeat, a strand may be ``.``
    transcripts: pd.DataFrame
    # the same columns for genes without transcripts, which are transcripts themselves;
    # ``transcript_id`` is ``gene_id``
    genes: pd.DataFrame
    # :data:`PART_COLUMNS`, gene_id, kind (exon, cds, utr), number (of the exon, else -1), part.
    # ``transcript_id`` is empty where a part names only a gene. Stop codons are cds.
    parts: pd.DataFrame
    # transcript and gene ids that the file declares to be trans-spliced
    spliced: frozenset[str] = frozenset()
    circular: Mapping[str, int] = field(default_factory=dict)  # circular contig -> its length (bp)
    # gene -> its type, for transcripts whose rows have none
    types: Mapping[str, str] = field(default_factory=dict)


def lacks_tag(name: object, transcripts: str) -> GenezipError:
    """The error for a file without the requested tag."""
    tags = '"basic"' if transcripts == "basic" else '"Ensembl_canonical" or "MANE_Select"'
    return GenezipError(
        f"{name} has no row with tag {tags}; set regions.transcripts: all to use all transcripts"
    )


def among(ids: pd.Series, known: pd.Series) -> np.ndarray:
    """True where an id is one of the known ones.

    Arrow is used because ``isin`` of pandas converts strings to Python objects: 10 s per genome.
    """
    values = pc.unique(pa.array(known).cast(pa.large_string()))
    found = pc.is_in(pa.array(ids).cast(pa.large_string()), value_set=values)
    return np.asarray(found, dtype=bool)


def unique_names(names: Iterable[str]) -> list[str]:
    """Unique names: a second ``x`` becomes ``x_dup1``, or the next such name that is free."""
    names = list(names)
    taken, used = set(names), dict.fromkeys(names, 0)
    found = []
    for name in names:
        used[name] += 1
        found.append(name if used[name] == 1 else free_name(name, "_dup", used[name] - 1, taken))
    return found


def free_name(name: str, suffix: str, number: int, taken: set[str]) -> str:
    """The first free name of ``x_dup1``, ``x_dup2``, ... from a number on, added to ``taken``."""
    while f"{name}{suffix}{number}" in taken:
        number += 1
    taken.add(f"{name}{suffix}{number}")
    return f"{name}{suffix}{number}"
