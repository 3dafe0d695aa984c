"""One held-out locus: boundary probability and local BPT beside the gene models.

These are the data of a panel like the paper's Figure 4. The locus table has two kinds of rows
(column ``kind``): ``bin`` (64 bp of one model: mean stage-0 boundary probability, number of tokens
that start there, local BPT over the 1,024 bp around it) and ``region`` (a run of one region class,
model empty). The gene table has one transcript per gene: rows ``transcript``, ``exon`` and
``cds``, clipped to the locus.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genezip.errors import GenezipError
from genezip.formats.genes.rows import Transcripts
from genezip.genome.gene_models import Annotation
from genezip.genome.intervals import union
from genezip.genome.region_map import RegionMap
from genezip.genome.sources.source import Source
from genezip.genome.sources.splits import parse_interval
from genezip.inference.table import CompressedFile, CompressedWindow
from genezip.region_classes import CLASS_IDS

LOCUS_BP = 65_536
BIN_BP = 64
_SMOOTH_BINS = 16  # local BPT is taken over this many bins (1,024 bp)

BIN_COLUMNS = (
    "kind", "model", "seed", "chrom", "start", "end", "region", "boundary_prob", "tokens", "bpt",
)  # fmt: skip
GENE_COLUMNS = (
    "chrom", "start", "end", "feature", "strand", "gene_name", "transcript_id", "gene_type",
)  # fmt: skip


@dataclass(frozen=True)
class Locus:
    """An interval of one chromosome, 0-based, half-open (bp)."""

    chrom: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.chrom}:{self.start}-{self.end}"


def parse_locus(text: str, contigs: Collection[str] = ()) -> Locus:
    """Locus of ``chrom:start-end`` (0-based, half-open, commas allowed in numbers).

    A text that is the whole name of one of the ``contigs`` is no locus.
    """
    text = text.strip()
    interval = parse_interval(text, contigs)
    if interval and interval[1] < interval[2]:
        return Locus(*interval)
    example = f"{text}:120,000-185,536" if text in contigs else "chr9:120,000-185,536"
    raise GenezipError(f"report.locus is {text!r}; write it as {example}")


def choose_locus(covered: list[Locus], region_map: RegionMap, length: int = LOCUS_BP) -> Locus:
    """The ``length`` bp with most promoter bases inside the covered intervals.

    Starts are multiples of 64 bp from the start of an interval; the first of equals is taken.
    Where no interval is that long, the longest one is taken whole.
    """
    best, most = None, -1
    for stretch in covered:
        if stretch.end - stretch.start < length:
            continue
        ids = region_map.ids(stretch.chrom, stretch.start, stretch.end)
        before = np.concatenate([[0], np.cumsum(ids == CLASS_IDS["promoter"])])
        offsets = np.arange(0, stretch.end - stretch.start - length + 1, BIN_BP)
        promoter = before[offsets + length] - before[offsets]
        if promoter.max() > most:
            most = int(promoter.max())
            start = stretch.start + int(offsets[promoter.argmax()])
            best = Locus(stretch.chrom, start, start + length)
    return best or max(covered, key=lambda stretch: stretch.end - stretch.start)


def _binned(values: np.ndarray) -> np.ndarray:
    """Sums over bins of 64 bp; the last bin may be shorter."""
    return np.add.reduceat(values, np.arange(0, len(values), BIN_BP))


def bins(file: CompressedFile, windows: list[CompressedWindow], locus: Locus) -> pd.DataFrame:
    """Boundary probability, tokens and local BPT of one model in bins of 64 bp."""
    length = locus.end - locus.start
    density, begins, prob = np.zeros(length), np.zeros(length), np.full(length, np.nan)
    for window in windows:
        low, high = max(window.start, locus.start), min(window.end, locus.end)
        if low >= high:
            continue
        inside = slice(low - window.start, high - window.start)
        here = slice(low - locus.start, high - locus.start)
        first = np.zeros(window.length)
        first[window.token_starts] = 1
        density[here], begins[here] = window.token_density()[inside], first[inside]
        if window.boundary_prob is not None:
            prob[here] = window.boundary_prob[inside]
    size = _binned(np.ones(length))

    def around(values: np.ndarray) -> np.ndarray:
        return np.convolve(values, np.ones(min(_SMOOTH_BINS, len(values))), "same")

    starts = locus.start + np.arange(len(size)) * BIN_BP
    return pd.DataFrame(
        {
            "kind": "bin",
            "model": file.name,
            "seed": file.seed,
            "chrom": locus.chrom,
            "start": starts,
            "end": starts + size.astype(np.int64),
            "region": None,
            "boundary_prob": np.round(_binned(prob) / size, 5),
            "tokens": _binned(begins).astype(np.int64),
            "bpt": np.round(around(size) / around(_binned(density)), 3),
        }
    )


def region_rows(region_map: RegionMap, locus: Locus) -> pd.DataFrame:
    """Runs of region classes inside the locus."""
    lengths, classes = region_map.runs(locus.chrom, locus.start, locus.end)
    ends = locus.start + np.cumsum(lengths, dtype=np.int64)
    return pd.DataFrame(
        {
            "kind": "region",
            "chrom": locus.chrom,
            "start": ends - lengths,
            "end": ends,
            "region": [region_map.region_classes.names[number] for number in classes],
        }
    )


def locus_tables(
    files: list[CompressedFile],
    region_map: RegionMap,
    source: Source,
    wanted: str | None,
    transcripts: Transcripts = "basic",
    gene_types: Sequence[str] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Locus table and gene table of the wanted locus, or of :func:`choose_locus`.

    ``transcripts`` and ``gene_types`` are those that the region map was made of
    (``regions.transcripts`` and ``regions.gene_types``).
    """
    held = [
        {(each.chrom, each.start): each for each in file.windows("+") if each.split == "test"}
        for file in files
    ]
    shared = [key for key in held[0] if all(key in windows for windows in held)]
    if not shared:
        raise GenezipError("the compressed files share no held-out window; compress held-out DNA")
    segments = {segment.name: segment for segment in source.assembly().segments}
    spans = union((chrom, start, held[0][chrom, start].end) for chrom, start in shared)
    covered = [Locus(*span) for span in spans]
    if wanted is None:
        locus = choose_locus(covered, region_map)
    else:
        locus = parse_locus(wanted, {segment.chrom for segment in segments.values()})
        if not any(
            stretch.chrom == locus.chrom
            and stretch.start <= locus.start
            and locus.end <= stretch.end
            for stretch in covered
        ):
            raise GenezipError(
                f"report.locus {locus} is not covered by held-out windows; choose one inside "
                + ", ".join(str(stretch) for stretch in covered[:5])
            )
    here = [
        [
            window
            for window in windows.values()
            if window.chrom == locus.chrom and window.start < locus.end and locus.start < window.end
        ]
        for windows in held
    ]
    tables = [bins(file, windows, locus) for file, windows in zip(files, here, strict=True)]
    tables.append(region_rows(region_map, locus))
    table = pd.concat([part.astype(object) for part in tables], ignore_index=True)
    name = segments[here[0][0].segment].annotation
    annotation = source.annotation(name, transcripts, gene_types)
    return table[list(BIN_COLUMNS)], gene_models(annotation, locus)


def gene_models(annotation: Annotation, locus: Locus) -> pd.DataFrame:
    """One transcript per gene that overlaps the locus: the longest CDS, then the longest span."""

    def overlapping(table: pd.DataFrame) -> pd.DataFrame:
        inside = (table["start"] < locus.end) & (table["end"] > locus.start)
        return table[(table["chrom"] == locus.chrom) & inside]

    transcripts = overlapping(annotation.transcripts).copy()
    all_cds = annotation.cds[annotation.cds["transcript_id"].isin(transcripts["transcript_id"])]
    coding = (all_cds["end"] - all_cds["start"]).groupby(all_cds["transcript_id"]).sum()
    transcripts["cds_bp"] = transcripts["transcript_id"].map(coding).fillna(0)
    transcripts["span"] = transcripts["end"] - transcripts["start"]
    transcripts["label"] = transcripts["gene_name"].fillna(transcripts["gene_id"])
    best = transcripts.sort_values(
        ["cds_bp", "span", "transcript_id"], ascending=[False, False, True], kind="stable"
    ).drop_duplicates(["label", "strand"])
    best = best.set_index("transcript_id")
    parts = []
    for feature, rows in (
        ("transcript", overlapping(annotation.transcripts)),
        ("exon", overlapping(annotation.exons)),
        ("cds", overlapping(annotation.cds)),
    ):
        rows = rows[rows["transcript_id"].isin(best.index)][
            ["chrom", "start", "end", "strand", "transcript_id"]
        ].copy()
        rows["start"] = rows["start"].clip(locus.start)
        rows["end"] = rows["end"].clip(upper=locus.end)
        rows["feature"] = feature
        rows["gene_name"] = rows["transcript_id"].map(best["label"])
        rows["gene_type"] = rows["transcript_id"].map(best["gene_type"])
        parts.append(rows)
    table = pd.concat(parts, ignore_index=True)[list(GENE_COLUMNS)]
    order = {"transcript": 0, "exon": 1, "cds": 2}
    return table.sort_values(
        ["gene_name", "transcript_id", "feature", "start"],
        key=lambda column: column.map(order) if column.name == "feature" else column,
        kind="stable",
        ignore_index=True,
    )
