"""Deep mutational scans and their coding sequences, which are checked residue by residue."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.alphabet import BASES, decode, encode
from genezip.config import VariantSet
from genezip.errors import GenezipError
from genezip.formats.fasta import read_records
from genezip.formats.lines import read_rows
from genezip.genome.coding import bases_of, coding_sequences
from genezip.genome.gene_models import read_gene_models
from genezip.genome.names import first_names
from genezip.tasks.base import NotMeasured
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.variants.codons import STOP, translate

_VARIANT = re.compile(r"^([ACDEFGHIKLMNPQRSTVWY*])([1-9][0-9]*)([ACDEFGHIKLMNPQRSTVWY*])$")
NO_SCORE = "without_score"


@dataclass(frozen=True)
class Scan:
    """One deep mutational scan.

    Attributes
    ----------
    table : DataFrame by position
        variant (as ``A24V``), position (of the residue, from 1), wild, mutant (residues), score
    cds : coding sequence, str of whole codons
    dropped : reason -> number of variants left out
    """

    table: pd.DataFrame
    cds: str
    dropped: dict[str, int]


def read_scan(files: TaskFiles, entry: VariantSet) -> Scan:
    """The variants of a set with its coding sequence.

    Raises GenezipError for a table of another form, a coding sequence that is out of frame or has
    an internal stop, and a variant whose wild-type residue is another one there.
    """
    path = _listed(files, entry.table)
    table = read_variants(path, entry)
    name, cds = _coding_sequence(files, entry)
    cds = _checked(name, cds, entry.genetic_code)
    protein = translate(cds, entry.genetic_code)
    for variant, position, wild in table[["variant", "position", "wild"]].itertuples(index=False):
        own = protein[position - 1] if position <= len(protein) else None
        if own != wild:
            held = f"has {own} there" if own else f"has {len(protein)} codons"
            raise GenezipError(
                f"the variant {variant} of {path} does not fit the coding sequence {name}, which "
                f"{held}; give the coding sequence, numbered from its first codon, of this protein"
            )
    lost = int(table["score"].isna().sum())
    table = table.dropna(subset=["score"]).sort_values(["position", "mutant"], ignore_index=True)
    return Scan(table, cds, {NO_SCORE: lost} if lost else {})


def read_variants(path: Path, entry: VariantSet) -> pd.DataFrame:
    """Read a table of variants: commas, semicolons or tabs, with comments (``#``) before it.

    Returns
    -------
    DataFrame in the order of the file: variant, position (int64), wild, mutant, score (float64,
    NaN where empty or ``NA``)
    """
    rows = read_rows(path)
    _, head = next(rows, (0, ""))
    mark = max("\t;,", key=head.count)
    columns = [name.strip() for name in head.split(mark)]
    for name in (entry.variant, entry.score):
        if name not in columns:
            raise GenezipError(
                f"{path} has no column {name!r} (it has {', '.join(columns)}); name the columns of "
                "variant and score"
            )
    odd = [name for name in columns if name not in {entry.variant, entry.score, *entry.unread}]
    if odd:
        raise GenezipError(
            f"{path} has the unknown column {', '.join(odd)}; name columns that are not read in "
            "`unread`"
        )
    variant, score = columns.index(entry.variant), columns.index(entry.score)
    found, seen = [], set[str]()
    for number, line in rows:
        cells = [cell.strip() for cell in line.split(mark)]
        known = _VARIANT.match(cells[variant]) if len(cells) == len(columns) else None
        value = _number(cells[score]) if known else None
        if known is None or value is None:
            raise GenezipError(
                f"line {number} of {path} is no substitution with a number ({line.strip()!r}); "
                "give variants such as A24V"
            )
        if known[0] in seen:
            raise GenezipError(f"{path} has the variant {known[0]} twice; keep one")
        seen.add(known[0])
        found.append((known[0], int(known[2]), known[1], known[3], value))
    if not found:
        raise GenezipError(f"{path} has no variant; give at least one")
    return pd.DataFrame(found, columns=["variant", "position", "wild", "mutant", "score"])


def _number(text: str) -> float | None:
    """A finite number, NaN for an empty cell, None for other text."""
    if text in ("", "NA", "NaN", "nan"):
        return np.nan
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _coding_sequence(files: TaskFiles, entry: VariantSet) -> tuple[str, str]:
    """Name and bases (upper case) of the coding sequence of a set."""
    if entry.cds is not None:
        path = _listed(files, entry.cds)
        records = list(read_records(path))
        if len(records) != 1:
            raise GenezipError(f"{path} has {len(records)} records; give one coding sequence")
        return path.name, decode(encode(records[0][1], path.name)).decode()
    assert entry.genome is not None and entry.annotation is not None and entry.gene is not None
    genome, annotation = _listed(files, entry.genome), _listed(files, entry.annotation)
    return gene_sequence(genome, annotation, entry.gene, entry.genetic_code)


def gene_sequence(
    genome: Path, annotation: Path, gene: str, genetic_code: int = 1
) -> tuple[str, str]:
    """Name and coding sequence of a gene without introns, from a FASTA and its annotation."""
    models = read_gene_models(annotation, transcripts="all")
    own = models.transcripts[models.transcripts["gene_name"] == gene]
    if own["gene_id"].nunique() != 1:
        raise GenezipError(
            f"{annotation} has {own['gene_id'].nunique()} genes of the name {gene}; name one gene"
        )
    ids, chrom = set(own["transcript_id"]), own["chrom"].iloc[0]
    alone = models.with_tables(
        transcripts=own.reset_index(drop=True),
        cds=models.cds[models.cds["transcript_id"].isin(ids)].reset_index(drop=True),
    )
    bases = next((bases for name, bases in read_records(genome) if name == chrom), None)
    if bases is None:
        raise GenezipError(f"{genome} has no record {chrom}, on which {annotation} has {gene}")
    contig = encode(bases, chrom)
    found = coding_sequences(alone, {chrom: contig}, genetic_code)
    if found.table.empty:
        reason = first_names(list(found.left_out))
        raise GenezipError(f"the gene {gene} of {annotation} has no coding sequence ({reason})")
    row = found.table.iloc[0]
    return gene, decode(bases_of(contig, row["start"], row["end"], row["strand"])).decode()


def _checked(name: str, cds: str, genetic_code: int) -> str:
    """A coding sequence, refused where it is not one."""
    protein = translate(cds, genetic_code) if len(cds) % 3 == 0 else ""
    wrong = None
    if set(cds) - set(BASES.decode()):
        wrong = "has letters other than A, C, G and T"
    elif len(cds) % 3:
        wrong = f"has {len(cds)} bases, which are no whole codons"
    elif STOP in protein[:-1]:
        wrong = f"has a stop codon inside, at residue {protein.index(STOP) + 1}"
    if wrong:
        raise GenezipError(f"the coding sequence {name} {wrong}; give it in frame")
    return cds


def _listed(files: TaskFiles, name: str) -> Path:
    """A listed file by its name; NotMeasured where it is not listed."""
    found = next((path for path in files.paths if path.name == name), None)
    if found is None:
        held: Sequence[str] = [path.name for path in files.paths]
        raise NotMeasured(
            f"{files.listing.name} lists no file {name} (it lists {first_names(held) or 'none'})"
        )
    return found
