"""The region map of the whole human genome, and gene models from GTF, beside their peers.

A fresh process makes the map of the 24 nuclear chromosomes from RefSeq: time and memory from
the file to runs in memory, then to a packed BED9. The classes are then made a second time by
pybedtools (sort, merge, subtract) from the same intervals, in the same process, in turn with
ours; both must give the same bases. Files of intervals are written before the peer's time
begins, and its result is not read back in it. The GTF reader runs in turn with pyranges, which
must see the same rows.

    python benchmarks/region_map.py [folder of the real data]
"""

import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from peers import MISSING, Outcome

from genezip.peak import peak_bytes

PAIRS = 3
REFSEQ = "annotation/refseq_refGene.hg38.bed12.gz"
GENCODE = "annotation/gencode.v38.annotation.chr17.gtf.gz"


class Goals(Outcome):
    """Prints a row for each figure and remembers whether one was missed."""

    def __init__(self) -> None:
        super().__init__()
        print("| what | figure | goal | |\n| --- | --- | --- | --- |")

    def row(self, what: str, figure: float, goal: float, unit: str, least: bool) -> None:
        """A figure that is to be at least, or at most, its goal."""
        missed = figure < goal if least else figure > goal
        self.count(not missed)
        bound = "at least" if least else "at most"
        remark = "MISSED" if missed else ""
        print(f"| {what} | {figure:.2f} {unit} | {bound} {goal:g} {unit} | {remark} |", flush=True)

    def same(self, what: str, equal: bool) -> None:
        """A comparison that must hold."""
        self.count(equal)
        print(f"| {what} | {'equal' if equal else 'DIFFERENT'} | equal | |", flush=True)


def nuclear_sizes() -> dict[str, int]:
    """The 24 nuclear chromosomes of GRCh38."""
    from genezip.formats.chrom_sizes import hg38_sizes

    return {chrom: size for chrom, size in hg38_sizes().items() if chrom != "chrM"}


def make_once(path: str) -> None:
    """In a fresh process: print seconds to the map, peak GB, seconds to the BED9."""
    from genezip.config import Regions
    from genezip.genome.gene_models import read_gene_models
    from genezip.genome.region_rules import build_region_map

    sizes = nuclear_sizes()
    began = time.perf_counter()
    region_map = build_region_map(read_gene_models(path, "bed12"), sizes, Regions())
    made = time.perf_counter()
    peak = peak_bytes() / 1e9
    with tempfile.TemporaryDirectory() as folder:
        region_map.write_bed9(Path(folder) / "map.bed.gz")
    print(made - began, peak, time.perf_counter() - made)


def whole_genome(goals: Goals, path: Path) -> None:
    """Time and memory of a fresh process on one core."""
    one_core = None
    if hasattr(os, "sched_setaffinity"):  # elsewhere the system chooses
        core = {min(os.sched_getaffinity(0))}
        one_core = partial(os.sched_setaffinity, 0, core)
    runs = []
    for _ in range(PAIRS):
        out = subprocess.run(
            [sys.executable, __file__, "--once", str(path)],
            check=True,
            capture_output=True,
            text=True,
            preexec_fn=one_core,
        ).stdout
        runs.append([float(number) for number in out.split()])
    seconds, peak, writing = (statistics.median(column) for column in zip(*runs, strict=True))
    goals.row("RefSeq file to region map, 24 chromosomes", seconds, 5, "s", least=False)
    goals.row("peak memory of that process", peak, 1, "GB", least=False)
    goals.row("region map to BED9, gzip", writing, 5, "s", least=False)


def against_bedtools(goals: Goals, path: Path) -> None:
    """The same class intervals, flattened by us and by pybedtools, compared base by base."""
    import pybedtools

    from genezip.config import Regions
    from genezip.genome.gene_models import read_gene_models
    from genezip.genome.intervals import clip
    from genezip.genome.names import match_chrom_style
    from genezip.genome.region_rules import class_layers, classify_layers
    from genezip.region_classes import CLASSES, GENE7

    sizes = nuclear_sizes()
    matched = match_chrom_style(read_gene_models(path, "bed12"), sizes)
    layers = class_layers(matched, Regions())
    with tempfile.TemporaryDirectory() as folder:
        pybedtools.set_tempdir(folder)
        claims = []
        for index, name in enumerate(CLASSES):
            rows = []
            for chrom, size in sizes.items():
                whole = (np.array([0]), np.array([size]))
                starts, ends = clip(*(layers[chrom][index] if name != "dig" else whole), 0, size)
                rows.append(pd.DataFrame({"chrom": chrom, "start": starts, "end": ends}))
            target = Path(folder) / f"{name}.in.bed"
            pd.concat(rows).to_csv(target, sep="\t", header=False, index=False)
            claims.append(str(target))

        def ours():  # type: ignore[no-untyped-def]
            return classify_layers(layers, sizes, GENE7)

        def peer():  # type: ignore[no-untyped-def]
            # what is owned is merged as it grows: subtracting each higher class in turn is slower
            owned, classes = None, []
            for claim in claims:
                mine = pybedtools.BedTool(claim).sort().merge()
                classes.append(mine if owned is None else mine.subtract(owned))
                owned = mine if owned is None else owned.cat(mine, postmerge=True)
            return classes

        found, wanted, times = in_turn(ours, peer)
        goals.row(
            f"classes from intervals, pybedtools {times[1]:.2f} s / ours {times[0]:.2f} s",
            times[2],
            8,
            "times",
            least=True,
        )
        table = found.table()
        equal = True
        for name, tool in zip(CLASSES, wanted, strict=True):
            theirs = pd.read_csv(tool.fn, sep="\t", names=["chrom", "start", "end"])
            mine = table.loc[table["name"] == name, ["chrom", "start", "end"]]
            equal &= joined(mine) == joined(theirs)
        goals.same("every base of every class, as bedtools has it", equal)
        pybedtools.cleanup()


def joined(table: pd.DataFrame) -> list[tuple[str, int, int]]:
    """Sorted maximal intervals: the same bases give the same list."""
    rows: list[tuple[str, int, int]] = []
    for chrom, start, end in sorted(table.itertuples(index=False, name=None)):
        if rows and rows[-1][0] == chrom and rows[-1][2] == start:
            rows[-1] = (chrom, rows[-1][1], end)
        else:
            rows.append((chrom, start, end))
    return rows


def against_pyranges(goals: Goals, path: Path) -> None:
    """Gene models of a GTF; pyranges must see the same rows with the same ids."""
    import pyranges

    from genezip.formats.genes.gff import role
    from genezip.formats.genes.gtf import gtf_rows
    from genezip.genome.gene_models import read_gene_models

    _, theirs, times = in_turn(
        lambda: read_gene_models(path, "gtf", "all"), lambda: pyranges.read_gtf(str(path))
    )
    what = f"gene models of GENCODE 38 chr17, pyranges {times[1]:.2f} s / ours {times[0]:.2f} s"
    goals.row(what, times[2], 3, "times", least=True)
    mine = gtf_rows(path).to_pandas()
    frame = theirs.df
    frame = frame[[role(name) != "" for name in frame["Feature"]]]
    columns = {
        "chrom": "Chromosome",
        "feature": "Feature",
        "start": "Start",
        "end": "End",
        "strand": "Strand",
        "gene_id": "gene_id",
        "transcript_id": "transcript_id",
    }
    other = pd.DataFrame(
        {own: frame[name].astype(object).fillna("") for own, name in columns.items()}
    )
    order = list(columns)
    first, second = (
        sorted(map(tuple, table[order].astype(object).to_numpy().tolist()))
        for table in (mine, other)
    )
    goals.same(f"chrom, start, end, strand, feature, ids of {len(mine):,} rows", first == second)


def in_turn(ours: Callable, peer: Callable) -> tuple:
    """Run both A B A B ...; results, and median seconds of ours, of the peer, and of the ratio."""
    ours(), peer()  # warm up
    times = []
    for _ in range(PAIRS):
        began = time.perf_counter()
        found = ours()
        middle = time.perf_counter()
        wanted = peer()
        times.append((middle - began, time.perf_counter() - middle))
    own, other = (statistics.median(column) for column in zip(*times, strict=True))
    return found, wanted, (own, other, statistics.median(b / a for a, b in times))


def main(argv: list[str] | None = None) -> int:
    """Print every figure beside its goal."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["--once"]:
        make_once(arguments[1])
        return 0
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    given = arguments[0] if arguments else os.environ.get("GENEZIP_MIRROR")
    folder = Path(given or default)
    if not (folder / REFSEQ).exists():
        print(
            f"nothing was compared: {folder / REFSEQ} is missing; name the folder of the real data",
            file=sys.stderr,
        )
        return MISSING
    goals = Goals()
    whole_genome(goals, folder / REFSEQ)
    if shutil.which("bedtools") and importlib.util.find_spec("pybedtools"):
        against_bedtools(goals, folder / REFSEQ)
    else:
        goals.leave_out("bedtools or pybedtools is not installed")
    against_pyranges(goals, folder / GENCODE)
    return goals.exit_status()


if __name__ == "__main__":
    sys.exit(main())
