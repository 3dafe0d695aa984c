"""Map contig names between styles (``1``, ``chr1``); unknown names are left out or raise."""

import logging
from collections.abc import Collection, Mapping
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

    ``1`` becomes ``chr1`` or vice versa, ``MT`` and ``chrM`` likewise. Rows on contigs that the
    assembly lacks (alternative haplotypes, scaffolds) are dropped. Both are logged.

    It raises if no contig is shared, or a row ends beyond its contig (another build).

    Parameters
    ----------
    chrom_sizes : contig -> length (bp) of the assembly
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
            f"lacks are left out ({first_names(missing)})"
        )
    if missing or any(old != new for old, new in names.items()):
        annotation = rename_contigs(annotation, names)
    for chrom, bp in annotation.circular.items():
        if chrom_sizes.get(chrom, bp) != bp:
            raise GenezipError(
                f"{annotation.name} marks {chrom} as circular with {bp:,} bases, but it has "
                f"{chrom_sizes[chrom]:,}: wrong build?"
            )
    for table in annotation.tables().values():
        check_ends(annotation.name, table, chrom_sizes)
    return annotation


def rename_contigs(annotation: Annotation, names: Mapping[str, str]) -> Annotation:
    """The annotation with other contig names; rows on contigs without a new name are dropped."""
    tables = {key: _renamed(table, names) for key, table in annotation.tables().items()}
    circular = {names[chrom]: bp for chrom, bp in annotation.circular.items() if chrom in names}
    return replace(annotation.with_tables(**tables), circular=circular)


def match_intervals(name: str, table: pd.DataFrame, chrom_sizes: Mapping[str, int]) -> pd.DataFrame:
    """As :func:`match_chrom_style`, for any intervals, which messages call ``name``.

    ``table`` has chrom, start, end and any other column, and at least one row.
    """
    found = table["chrom"].unique().tolist()
    names = _translations(name, found, chrom_sizes)
    missing = [chrom for chrom in found if chrom not in names]
    if missing:
        lost = int(table["chrom"].isin(missing).sum())
        logger.warning(
            f"{name}: {lost:,} intervals on {len(missing)} contigs that the assembly lacks are "
            f"left out ({first_names(missing)})"
        )
    matched = _renamed(table, names)
    check_ends(name, matched, chrom_sizes)
    return matched


def match_repeats(name: str, table: pd.DataFrame, chrom_sizes: Mapping[str, int]) -> pd.DataFrame:
    """As :func:`match_intervals`, for a table of :mod:`genezip.formats.repeatmasker`.

    The table may have no row, which is logged. The result is sorted by chromosome and start.
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
    """Raise if a row ends beyond its contig, which shows that the table is of another build."""
    codes, chroms = pd.factorize(table["chrom"])
    sizes = np.array([chrom_sizes[chrom] for chrom in chroms], dtype=np.int64)
    beyond = table["end"].to_numpy() > sizes[codes]
    if beyond.any():
        row = table[beyond].sort_values("end").iloc[-1]
        whose = f" of {row['transcript_id']}" if "transcript_id" in table else ""
        raise GenezipError(
            f"{name} has a row{whose} that ends at {row['chrom']}:{row['end']:,}, but "
            f"{row['chrom']} has {chrom_sizes[row['chrom']]:,} bases: wrong build?"
        )


def _translations(name: str, found: list[str], chrom_sizes: Mapping[str, int]) -> dict[str, str]:
    """Contig -> name in the assembly, for contigs that it has; conversions are logged."""
    new = {chrom: translate(chrom, chrom_sizes) for chrom in found}
    names = {chrom: to for chrom, to in new.items() if to in chrom_sizes}
    if not names:
        raise GenezipError(
            f"{name} and the assembly have no contig in common (it has {first_names(found)}; the "
            f"assembly {first_names(chrom_sizes)}); give files of the same genome"
        )
    renamed = [(old, to) for old, to in names.items() if old != to]
    if renamed:
        old, to = renamed[0]
        logger.info(f"{name}: contig names converted ({old} -> {to}, {len(renamed)} in all)")
    return names


def _renamed(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Rows on contigs in ``names``, with the new names; each distinct name is converted once."""
    codes, chroms = pd.factorize(table["chrom"])
    kept = np.array([chrom in names for chrom in chroms], dtype=bool)[codes]
    if not kept.all():
        table, codes = table[kept].reset_index(drop=True), codes[kept]
    if all(names.get(chrom, chrom) == chrom for chrom in chroms):
        return table
    kept_type = table["chrom"].dtype
    categories = isinstance(kept_type, pd.CategoricalDtype)  # with the old names
    new = pd.Index(
        [names.get(chrom, chrom) for chrom in chroms], dtype=object if categories else kept_type
    )
    column = pd.Series(new.take(codes), index=table.index)
    return table.assign(chrom=column.astype("category") if categories else column)


def translate(chrom: str, chrom_sizes: Mapping[str, int]) -> str:
    """The assembly's name of a contig, or the given name if there is none.

    The given name is tried first, then without the escapes of GFF3 (``a%3Bb`` is ``a;b``), then
    in the other style.
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
    """Raise for a contig name that tables cannot carry: ``all``, or as `check_row_names`."""
    if name == "all":
        raise GenezipError(
            f"{where} has a contig named all, which means all contigs in tables of results; rename "
            "the contig in all files"
        )
    check_row_names([name], where)


def first_names(names: Collection[str]) -> str:
    """The first three names as text for a message."""
    shown = list(names)[:3]
    return ", ".join(shown) + (", ..." if len(names) > len(shown) else "")
