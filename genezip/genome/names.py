"""Map contig names between styles (``1``, ``chr1``); unknown names are left out or raise."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote

import numpy as np
import pandas as pd

from genezip.errors import GenezipError
from genezip.formats.lines import check_row_names
from genezip.genome.gene_models import Annotation

logger = logging.getLogger(__name__)


def match_chrom_style(annotation: Annotation, chrom_sizes: Mapping[str, int]) -> Annotation:
    """Give an annotation the contig names of an assembly, and check that the two fit.

    ``1`` becomes ``chr1`` or the other way round, ``MT`` and ``chrM`` likewise. Rows on
    contigs that the assembly lacks (alternative haplotypes, scaffolds) are dropped. Both
    are logged.

    Parameters
    ----------
    annotation : Annotation
    chrom_sizes : mapping
        Contig -> length (bp) of the assembly.

    Raises
    ------
    GenezipError
        If no contig is shared, or a row ends beyond its contig (another build).
    """
    if annotation.transcripts.empty:
        raise GenezipError(f"{annotation.name} has no transcript; check its transcript rows")
    tables = annotation.tables()
    found = pd.concat([table["chrom"] for table in tables.values()]).unique().tolist()
    names = _translations(annotation.name, found, chrom_sizes)
    missing = [chrom for chrom in found if chrom not in names]
    if missing:
        lost = {key: int(table["chrom"].isin(missing).sum()) for key, table in tables.items()}
        logger.warning(
            f"{annotation.name}: {lost.pop('transcripts'):,} transcripts with "
            f"{sum(lost.values()):,} parts on {len(missing)} contigs that the assembly "
            f"lacks are left out ({_some(missing)})"
        )
    if missing or any(old != new for old, new in names.items()):
        annotation = replace(
            annotation.with_tables(**{k: _renamed(table, names) for k, table in tables.items()}),
            circular={names[c]: bp for c, bp in annotation.circular.items() if c in names},
        )
    for chrom, bp in annotation.circular.items():
        if chrom_sizes.get(chrom, bp) != bp:
            raise GenezipError(
                f"{annotation.name} says that {chrom} is circular with {bp:,} bases, but it has "
                f"{chrom_sizes[chrom]:,}: wrong build?"
            )
    for table in annotation.tables().values():
        check_ends(annotation.name, table, chrom_sizes)
    return annotation


def match_intervals(name: str, table: pd.DataFrame, chrom_sizes: Mapping[str, int]) -> pd.DataFrame:
    """Convert names as :func:`match_chrom_style` does, for intervals that are no gene models.

    Parameters
    ----------
    name : str
        What the intervals are called in messages.
    table : DataFrame
        chrom, start, end and any other column; at least one row.

    Raises
    ------
    GenezipError
        If no contig is shared, or a row ends beyond its contig.
    """
    found = table["chrom"].unique().tolist()
    names = _translations(name, found, chrom_sizes)
    missing = [chrom for chrom in found if chrom not in names]
    if missing:
        lost = int(table["chrom"].isin(missing).sum())
        logger.warning(
            f"{name}: {lost:,} intervals on {len(missing)} contigs that the assembly lacks are "
            f"left out ({_some(missing)})"
        )
    matched = _renamed(table, names)
    check_ends(name, matched, chrom_sizes)
    return matched


def match_repeats(name: str, table: pd.DataFrame, chrom_sizes: Mapping[str, int]) -> pd.DataFrame:
    """Give a table of repeats the contig names of an assembly, and check that the two fit.

    Names are converted and rows on other contigs left out as those of annotation are
    (:func:`match_intervals`); both are logged, and that a table has no row.

    Parameters
    ----------
    name : str
        What the table is called in messages.
    table : DataFrame
        As the readers of :mod:`genezip.formats.repeatmasker` give it; it may have no row.
    chrom_sizes : mapping
        Contig -> length (bp) of the assembly.

    Returns
    -------
    DataFrame
        The same columns, sorted by chromosome and start.

    Raises
    ------
    GenezipError
        If no contig is shared, or a row ends beyond its contig (another build).
    """
    if table.empty:
        logger.warning("%s lists no repeat; results will have no base of its kind", name)
        return table
    matched = match_intervals(name, table, chrom_sizes)
    if matched is table:
        return table
    chrom = matched["chrom"].cat
    matched = matched.assign(chrom=chrom.reorder_categories(sorted(chrom.categories)))
    return matched.sort_values(["chrom", "start", "end"], kind="stable", ignore_index=True)


def check_ends(name: str, table: pd.DataFrame, chrom_sizes: Mapping[str, int]) -> None:
    """Refuse a table with a row that ends beyond its contig: it is of another build."""
    codes, chroms = pd.factorize(table["chrom"])
    beyond = table["end"].to_numpy() > _by_code([chrom_sizes[c] for c in chroms], codes, np.int64)
    if beyond.any():
        row = table[beyond].sort_values("end").iloc[-1]
        whose = f" of {row['transcript_id']}" if "transcript_id" in table else ""
        raise GenezipError(
            f"{name} has a row{whose} that ends at {row['chrom']}:{row['end']:,}, but "
            f"{row['chrom']} has {chrom_sizes[row['chrom']]:,} bases: wrong build?"
        )


def _translations(name: str, found: list[str], chrom_sizes: Mapping[str, int]) -> dict[str, str]:
    """Contig -> name in the assembly, of the contigs that it has; conversions are logged."""
    new = {chrom: translate(chrom, chrom_sizes) for chrom in found}
    names = {chrom: to for chrom, to in new.items() if to in chrom_sizes}
    if not names:
        raise GenezipError(
            f"{name} and the assembly have no contig in common (it has {_some(found)}; the "
            f"assembly {_some(chrom_sizes)}); give files of the same genome"
        )
    renamed = [(old, to) for old, to in names.items() if old != to]
    if renamed:
        old, to = renamed[0]
        logger.info(f"{name}: contig names converted ({old} -> {to}, {len(renamed)} in all)")
    return names


def _renamed(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Rows on the contigs that are named, under their new names.

    Each name is looked at once and not on every row, of which a genome has half a million.
    """
    codes, chroms = pd.factorize(table["chrom"])
    kept = _by_code([chrom in names for chrom in chroms], codes, bool)
    if not kept.all():
        table, codes = table[kept].reset_index(drop=True), codes[kept]
    if all(names.get(chrom, chrom) == chrom for chrom in chroms):
        return table
    kept_type = table["chrom"].dtype
    categories = isinstance(kept_type, pd.CategoricalDtype)  # they know the old names only
    new = pd.Index(
        [names.get(chrom, chrom) for chrom in chroms], dtype=object if categories else kept_type
    )
    column = pd.Series(new.take(codes), index=table.index)
    return table.assign(chrom=column.astype("category") if categories else column)


def _by_code(values: list, codes: np.ndarray, dtype: type) -> np.ndarray:
    """A value per row from a value per distinct name."""
    return np.array(values, dtype=dtype)[codes]


def translate(chrom: str, chrom_sizes: Mapping[str, int]) -> str:
    """The assembly's name of a contig, or the name itself if there is none.

    The name itself goes first, then the name without the escapes of GFF3 (``a%3Bb`` is ``a;b``),
    then the other style.
    """
    if chrom not in chrom_sizes and unquote(chrom) in chrom_sizes:
        return unquote(chrom)
    bare = chrom.removeprefix("chr")
    bare = {"M": "MT"}.get(bare, bare)
    short = {"MT": "M"}.get(bare, bare)
    for name in (chrom, f"chr{short}", bare, short, f"chr{bare}"):
        if name in chrom_sizes:
            return name
    return chrom


def check_contig_name(name: str, where: object) -> None:
    """Refuse the name of a contig of a source that its tables cannot carry.

    Raises
    ------
    GenezipError
        As :func:`genezip.formats.lines.check_row_names`, and for ``all``, which stands for all
        contigs together in tables of results.
    """
    if name == "all":
        raise GenezipError(
            f"{where} has a contig named all, which means all contigs in tables of results; rename "
            "the contig in all files"
        )
    check_row_names([name], where)


def _some(names: Mapping[str, int] | list[str]) -> str:
    shown = list(names)[:3]
    return ", ".join(shown) + (", ..." if len(names) > len(shown) else "")
