"""Contig names: the same chromosome is `1`, `chr1` or nothing that we know."""

import sys
from collections.abc import Callable, Mapping

from genezip.errors import GenezipError
from genezip.genome.genemodel import Annotation


def say_on_stderr(message: str) -> None:
    """Tell the user something on standard error."""
    sys.stderr.write(f"genezip: {message}\n")


def match_chrom_style(
    annotation: Annotation,
    chrom_sizes: Mapping[str, int],
    say: Callable[[str], None] = say_on_stderr,
) -> Annotation:
    """Give an annotation the contig names of an assembly, and check that the two fit.

    ``1`` becomes ``chr1`` or the other way round, ``MT`` and ``chrM`` likewise. Rows on
    contigs that the assembly lacks (alternative haplotypes, scaffolds) are dropped. Both
    are said aloud.

    Parameters
    ----------
    annotation : Annotation
    chrom_sizes : mapping
        Contig -> length (bp) of the assembly.
    say : callable
        Receives one sentence for each thing done.

    Raises
    ------
    GenezipError
        If no contig is shared, or a row ends beyond its contig (another build).
    """
    found = list(dict.fromkeys(annotation.transcripts["chrom"]))
    renamed = {chrom: new for chrom in found if (new := _translate(chrom, chrom_sizes)) != chrom}
    missing = [c for c in found if renamed.get(c, c) not in chrom_sizes]
    if len(missing) == len(found):
        raise GenezipError(
            f"{annotation.name} and the assembly have no contig in common (annotation: "
            f"{_some(found)}; assembly: {_some(chrom_sizes)}); give files of the same genome"
        )
    if renamed:
        old, new = next(iter(renamed.items()))
        say(f"{annotation.name}: contig names converted ({old} -> {new}, {len(renamed)} in all)")
    if missing:
        lost = int(annotation.transcripts["chrom"].isin(missing).sum())
        say(
            f"{annotation.name}: {lost:,} transcripts on {len(missing)} contigs that the assembly "
            f"lacks are left out ({_some(missing)})"
        )
    if not renamed and not missing:
        matched = annotation
    else:
        tables = {}
        for key, table in annotation.tables().items():
            chrom = table["chrom"].replace(renamed)
            shared = chrom.isin(list(chrom_sizes))
            tables[key] = table.assign(chrom=chrom)[shared].reset_index(drop=True)
        matched = Annotation(**tables, name=annotation.name)
    _check_ends(matched, chrom_sizes)
    return matched


def _translate(chrom: str, chrom_sizes: Mapping[str, int]) -> str:
    """The assembly's name of a contig, or the name itself if there is none."""
    bare = chrom.removeprefix("chr")
    bare = {"M": "MT"}.get(bare, bare)
    short = {"MT": "M"}.get(bare, bare)
    for name in (chrom, f"chr{short}", bare, short, f"chr{bare}"):
        if name in chrom_sizes:
            return name
    return chrom


def _check_ends(annotation: Annotation, chrom_sizes: Mapping[str, int]) -> None:
    for table in annotation.tables().values():
        if table.empty:
            continue
        beyond = table["end"] > table["chrom"].map(chrom_sizes)
        if beyond.any():
            row = table[beyond].sort_values("end").iloc[-1]
            raise GenezipError(
                f"{annotation.name} has a row of {row['transcript_id']} that ends at "
                f"{row['chrom']}:{row['end']:,}, but {row['chrom']} has "
                f"{chrom_sizes[row['chrom']]:,} bases: wrong build?"
            )


def _some(names: "Mapping[str, int] | list[str]") -> str:
    shown = list(names)[:3]
    return ", ".join(shown) + (", ..." if len(names) > len(shown) else "")
