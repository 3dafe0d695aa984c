"""Which promoter width the paper used: measured class totals beside its published ones.

The width is not legible in the text of GeneZip (arXiv 2602.17739), but its Table 5 gives the
bases of each class on the held-out chromosomes 8, 9 and 10. The map is made for several
half-widths, and the one whose totals lie closest is named. The answer depends on the
annotation, so its name is in every row.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from genezip.config import Regions
from genezip.errors import GenezipError
from genezip.genome.gene_models import Annotation
from genezip.genome.names import match_chrom_style, say_on_stderr
from genezip.genome.region_rules import label_chromosomes
from genezip.region_classes import CLASSES

HELD_OUT = ("chr8", "chr9", "chr10")
HALF_WIDTHS = (500, 1000, 1500, 2000, 2500)
HELD_OUT_ROW = ("Held-out chr8+chr9+chr10", "test")
"""Data set and split of the published row."""

_UNITS = ("bp_M", "pct")


def read_table5(path: str | Path) -> pd.DataFrame:
    """Published class totals: GeneZip Table 5.

    Parameters
    ----------
    path : str or Path
        CSV with dataset, split, and for each class ``<class>_bp_M`` (Mb) and ``<class>_pct``.

    Returns
    -------
    DataFrame
        The rows, indexed by (dataset, split).

    Raises
    ------
    GenezipError
        If the file is missing or lacks a column.
    """
    try:
        table = pd.read_csv(path)
    except FileNotFoundError:
        raise GenezipError(
            f"{path} does not exist; give --paper the file resources/paper/table5_corpora.csv of "
            "the repository"
        ) from None
    except (ValueError, OSError) as error:
        raise GenezipError(f"{path} cannot be read as CSV: {error}") from None
    needed = ["dataset", "split", *(f"{name}_{unit}" for name in CLASSES for unit in _UNITS)]
    lacking = [name for name in needed if name not in table]
    if lacking:
        raise GenezipError(f"{path} lacks the column {lacking[0]}; give --paper the right file")
    return table.set_index(["dataset", "split"])


def published(table5: pd.DataFrame, row: tuple[str, str], unit: str) -> pd.Series:
    """One published row by class: ``bp_M`` in Mb or ``pct`` in percent."""
    if row not in table5.index:
        raise GenezipError(f"the table of published numbers has no row {row[0]}, {row[1]}")
    columns = [f"{name}_{unit}" for name in CLASSES]
    values = table5[columns].to_numpy(dtype=float)[list(table5.index).index(row)]
    return pd.Series(values, index=list(CLASSES))


def calibrate(
    annotation: Annotation,
    chrom_sizes: Mapping[str, int],
    settings: Regions,
    paper_mb: pd.Series,
    chromosomes: Sequence[str] = HELD_OUT,
    half_widths: Sequence[int] = HALF_WIDTHS,
    say: Callable[[str], None] = say_on_stderr,
) -> pd.DataFrame:
    """Class totals of some chromosomes for several promoter half-widths.

    Parameters
    ----------
    annotation : Annotation
    chrom_sizes : mapping
        Chromosome -> length (bp).
    settings : Regions
        Its promoter and its classes of the user are left out: the paper has none.
    paper_mb : Series
        Class -> published Mb.
    chromosomes : sequence of str
        Those that the published row is about, as ``chrom_sizes`` names them.
    half_widths : sequence of int
        bp.

    Returns
    -------
    DataFrame
        annotation, chromosomes, half_width_bp, class, measured_mb, paper_mb, difference_mb
        (measured - paper), closest_promoter, closest_total (0 or 1). After the classes of
        each half-width a row ``all``, whose difference is the sum of the absolute ones.
        ``closest_promoter`` marks the half-width with the smallest absolute difference of
        the class promoter, ``closest_total`` the one with the smallest sum.

    Raises
    ------
    GenezipError
        If a chromosome is unknown, or the annotation has no transcript on one.
    """
    absent = [chrom for chrom in chromosomes if chrom not in chrom_sizes]
    if absent:
        raise GenezipError(
            f"the chromosome lengths lack {', '.join(absent)}; name others with --chromosomes"
        )
    matched = match_chrom_style(annotation, chrom_sizes, say)
    bare = without_genes(matched, chromosomes)
    if bare:
        raise GenezipError(
            f"{annotation.name} has no transcript on {', '.join(bare)}; name other chromosomes "
            "with --chromosomes or give the annotation of the whole genome"
        )
    sizes = {chrom: chrom_sizes[chrom] for chrom in chromosomes}
    here = on_chromosomes(matched, sizes)
    frames = []
    for half_width in half_widths:
        changed: dict[str, Any] = {
            "promoter_half_width": half_width,
            "promoter_upstream": None,
            "promoter_downstream": None,
            "classes": [],
            "required": [],
        }
        chosen = settings.model_copy(update=changed)
        totals = label_chromosomes(here, sizes, chosen, say=lambda _: None).totals()
        measured = totals["bp"] / 1e6
        paper = paper_mb.loc[list(CLASSES)].to_numpy()
        frame = pd.DataFrame(
            {
                "annotation": annotation.name,
                "chromosomes": "+".join(chromosomes),
                "half_width_bp": half_width,
                "class": totals["class"],
                "measured_mb": measured,
                "paper_mb": paper,
                "difference_mb": measured - paper,
            }
        )
        whole = frame.iloc[:1].assign(
            **{"class": "all", "measured_mb": measured.sum(), "paper_mb": paper.sum()},
            difference_mb=frame["difference_mb"].abs().sum(),
        )
        frames.append(pd.concat([frame, whole]))
    table = pd.concat(frames, ignore_index=True)
    for column, name in (("closest_promoter", "promoter"), ("closest_total", "all")):
        table[column] = (table["half_width_bp"] == closest(table, name)).astype(int)
    return table


def without_genes(annotation: Annotation, chromosomes: Sequence[str]) -> list[str]:
    """The chromosomes on which the annotation has no transcript."""
    on = set(annotation.transcripts["chrom"].unique())
    return [chrom for chrom in chromosomes if chrom not in on]


def closest(table: pd.DataFrame, name: str) -> int:
    """Half-width (bp) whose row of a class, or ``all``, differs least from the paper."""
    rows = table[table["class"] == name]
    place = int(rows["difference_mb"].abs().to_numpy().argmin())
    return int(rows["half_width_bp"].to_numpy()[place])


def on_chromosomes(annotation: Annotation, chromosomes: Collection[str]) -> Annotation:
    """The gene models on some chromosomes."""
    tables = {
        key: table[table["chrom"].isin(list(chromosomes))]
        for key, table in annotation.tables().items()
    }
    return annotation.with_tables(**tables)
