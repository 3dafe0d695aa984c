"""Held-out loci: boundary probability and local BPT beside gene models and repeats.

These are the data of panels like the paper's Figure 4. A locus is an interval, or a gene with 5 kb
on either side. The locus table has these kinds of rows (column ``kind``): ``bin`` (64 bp of one
model, or a multiple in a locus of more than 65,536 bp: mean stage-0 boundary probability, number of
tokens that start there, local BPT over the 1,024 bp around it, or over the bin if that is wider),
``chunk`` (a token of a model), ``region`` (a run of one region class), ``tss`` (a transcription
start, whose strand is in the column region), ``repeat`` (a repeat, whose class is there: that of
RepeatMasker, ``tandem`` of TRF, or ``soft-masked`` where the classes are unknown) and ``dna`` (the
bases). The gene table has one transcript per gene: rows ``transcript``, ``exon`` and ``cds``,
clipped to the locus.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd

from genezip.errors import GenezipError
from genezip.formats.genes.rows import Transcripts
from genezip.genome.assembly import Assembly, Segment
from genezip.genome.gene_models import Annotation
from genezip.genome.intervals import true_runs, union
from genezip.genome.region_map import RegionMap
from genezip.genome.sources.source import Source
from genezip.genome.sources.splits import parse_interval
from genezip.inference.table import CompressedFile, CompressedWindow
from genezip.region_classes import CLASS_IDS

LOCUS_BP = 65_536
BIN_BP = 64
MOST_BINS = 1024  # of a locus: as many as a figure can show
_SMOOTH_BP = 1024  # local BPT is taken over the bins of this length

GENE_FLANK_BP = 5_000  # drawn on either side of a gene

BIN_COLUMNS = (
    "locus", "kind", "model", "seed", "chrom", "start", "end", "region",
    "boundary_prob", "tokens", "bpt",
)  # fmt: skip
GENE_COLUMNS = (
    "locus", "chrom", "start", "end", "feature", "strand",
    "gene_name", "transcript_id", "gene_type",
)  # fmt: skip


@dataclass(frozen=True)
class Locus:
    """An interval of one chromosome, 0-based, half-open (bp)."""

    chrom: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.chrom}:{self.start}-{self.end}"

    def inside(self, other: "Locus") -> bool:
        """Whether it lies in another interval."""
        same = self.chrom == other.chrom
        return same and other.start <= self.start and self.end <= other.end


def parse_locus(text: str, contigs: Collection[str] = ()) -> Locus:
    """Locus of ``chrom:start-end`` (0-based, half-open, commas allowed in numbers).

    A text that is the whole name of one of the ``contigs`` is no locus.
    """
    text = text.strip()
    interval = parse_interval(text, contigs)
    if interval and interval[1] < interval[2]:
        return Locus(*interval)
    example = f"{text}:120,000-185,536" if text in contigs else "chr9:120,000-185,536"
    raise GenezipError(f"a locus (report.locus, report.loci) is {text!r}; write it as {example}")


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


def bin_width(length: int) -> int:
    """Width of the bins of a locus of so many bp: the multiple of 64 that gives at most 1,024."""
    return BIN_BP * max(1, -(-length // (BIN_BP * MOST_BINS)))


def _binned(values: np.ndarray) -> np.ndarray:
    """Sums over the bins of a locus; the last bin may be shorter."""
    return np.add.reduceat(values, np.arange(0, len(values), bin_width(len(values))))


def bins(file: CompressedFile, windows: list[CompressedWindow], locus: Locus) -> pd.DataFrame:
    """Boundary probability, tokens and local BPT of one model in bins (:func:`bin_width`)."""
    length = locus.end - locus.start
    width = bin_width(length)
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
        return np.convolve(values, np.ones(min(max(_SMOOTH_BP // width, 1), len(values))), "same")

    starts = locus.start + np.arange(len(size)) * width
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


def gene_locus(name: str, transcripts: pd.DataFrame, covered: list[Locus]) -> Locus:
    """The gene of a name with its flanks, as far as these are covered.

    A name that no gene has, or genes at several places, is refused.
    """
    named = transcripts[transcripts["gene_name"].fillna(transcripts["gene_id"]) == name]
    if named.empty:
        known = transcripts["gene_name"].dropna().unique().tolist()
        close = get_close_matches(name, known, 1)
        advice = f"did you mean {close[0]}?" if close else "write chrom:start-end, or another gene"
        raise GenezipError(
            f"report.loci names {name!r}, which is neither an interval nor a gene of the "
            f"annotation; {advice}"
        )
    spans = named.groupby(["chrom", "gene_id"], observed=True).agg(
        start=("start", "min"), end=("end", "max")
    )
    places = [Locus(str(chrom), *map(int, row)) for (chrom, _), row in zip(
        spans.index, spans.to_numpy(), strict=True
    )]  # fmt: skip
    if len(places) > 1:
        raise GenezipError(
            f"report.loci names the gene {name}, which the annotation has {len(places)} times, at "
            f"{' and '.join(map(str, places[:3]))}; write one as chrom:start-end"
        )
    (place,) = places
    for stretch in covered:
        if place.inside(stretch):
            low, high = place.start - GENE_FLANK_BP, place.end + GENE_FLANK_BP
            return Locus(place.chrom, max(low, stretch.start), min(high, stretch.end))
    return place


def find_locus(
    text: str, covered: list[Locus], contigs: Collection[str], genes: Callable[[], pd.DataFrame]
) -> Locus:
    """The covered locus that a text means: ``chrom:start-end``, or a gene of ``genes()``."""
    interval = parse_interval(text.strip(), contigs)
    if interval or text.strip() in contigs or ":" in text:
        locus = parse_locus(text, contigs)
    else:
        locus = gene_locus(text.strip(), genes(), covered)
    if not any(map(locus.inside, covered)):
        raise GenezipError(
            f"{locus} is not covered by held-out windows (report.locus, report.loci); choose one "
            "inside " + ", ".join(str(stretch) for stretch in covered[:5])
        )
    return locus


def locus_tables(
    files: list[CompressedFile],
    region_map: RegionMap,
    source: Source,
    wanted: Sequence[str | None],
    transcripts: Transcripts = "basic",
    gene_types: Sequence[str] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Locus table and gene table of the wanted loci; None means :func:`choose_locus`.

    ``transcripts`` and ``gene_types`` are those that the region map was made of
    (``regions.transcripts`` and ``regions.gene_types``).
    """
    # places first, then the windows of the loci alone: all of them take gigabytes at full size
    held = [
        {(one["chrom"], one["start"]): one for one in file.places("+") if one["split"] == "test"}
        for file in files
    ]
    shared = [key for key in held[0] if all(key in windows for windows in held)]
    if not shared:
        raise GenezipError("the compressed files share no held-out window; compress held-out DNA")
    assembly = source.assembly()
    segments = {segment.name: segment for segment in assembly.segments}
    spans = union((chrom, start, held[0][chrom, start]["end"]) for chrom, start in shared)
    covered = [Locus(*span) for span in spans]
    annotations: dict[str, Annotation] = {}

    def annotation(name: str) -> Annotation:
        if name not in annotations:
            annotations[name] = source.annotation(name, transcripts, gene_types)
        return annotations[name]

    def genes() -> pd.DataFrame:
        names = dict.fromkeys(segments[held[0][key]["piece"]].annotation for key in shared)
        return pd.concat([annotation(name).transcripts for name in names if name])

    contigs = {segment.chrom for segment in segments.values()}
    repeats = {"rmsk": source.rmsk(), "trf": source.trf()}
    tables, models = [], []
    for text in wanted:
        if text is None:
            locus = choose_locus(covered, region_map)
        else:
            locus = find_locus(text, covered, contigs, genes)
        named = str(locus) if text is None or ":" in text else text.strip()
        span = [(locus.chrom, locus.start, locus.end)]
        here = [
            [each for each in file.windows("+", span) if each.split == "test"] for file in files
        ]
        segment = segments[here[0][0].segment]
        gene_models_here = annotation(segment.annotation)
        parts = [bins(file, windows, locus) for file, windows in zip(files, here, strict=True)]
        parts += [chunk_rows(f, windows, locus) for f, windows in zip(files, here, strict=True)]
        parts += [
            dna_row(assembly, segment, locus),
            region_rows(region_map, locus),
            tss_rows(gene_models_here, locus),
            repeat_rows(assembly, segment, repeats, locus),
        ]
        table = pd.concat([part.astype(object) for part in parts], ignore_index=True)
        tables.append(table.assign(locus=named))
        models.append(gene_models(gene_models_here, locus).assign(locus=named))
    found = pd.concat(tables, ignore_index=True)
    return found[list(BIN_COLUMNS)], pd.concat(models, ignore_index=True)[list(GENE_COLUMNS)]


def chunk_rows(file: CompressedFile, windows: list[CompressedWindow], locus: Locus) -> pd.DataFrame:
    """Chunks of one model that overlap the locus, clipped to it."""
    starts, ends = [], []
    for window in windows:
        edges = np.append(window.token_starts, window.length).astype(np.int64) + window.start
        starts.append(edges[:-1])
        ends.append(np.minimum(edges[1:], window.end))  # without padding
    low = np.maximum(np.concatenate(starts), locus.start)
    high = np.minimum(np.concatenate(ends), locus.end)
    table = pd.DataFrame({"start": low, "end": high})[low < high].sort_values("start")
    cells = {"kind": "chunk", "model": file.name, "seed": file.seed, "chrom": locus.chrom}
    return table.assign(**cells)


def dna_row(assembly: Assembly, segment: Segment, locus: Locus) -> pd.DataFrame:
    """The bases of the locus, in the column region."""
    text = assembly.sequence(segment, locus.start, locus.end).tobytes().decode("ascii")
    cells = {"chrom": locus.chrom, "start": locus.start, "end": locus.end, "region": text.upper()}
    return pd.DataFrame([{"kind": "dna", **cells}])


def tss_rows(annotation: Annotation, locus: Locus) -> pd.DataFrame:
    """Transcription starts inside the locus, each once; their strand is in the column region."""
    table = annotation.tss()
    inside = (table["position"] >= locus.start) & (table["position"] < locus.end)
    table = table[(table["chrom"] == locus.chrom) & inside]
    table = table[["chrom", "position", "strand"]].drop_duplicates()
    return pd.DataFrame(
        {
            "kind": "tss",
            "chrom": locus.chrom,
            "start": table["position"].to_numpy(),
            "end": table["position"].to_numpy() + 1,
            "region": table["strand"].to_numpy(),
        }
    ).sort_values("start", ignore_index=True)


def repeat_rows(
    assembly: Assembly, segment: Segment, repeats: dict[str, pd.DataFrame | None], locus: Locus
) -> pd.DataFrame:
    """Repeats inside the locus, clipped, with their class in the column region."""
    parts = []
    for kind, known in (("rmsk", segment.rmsk), ("trf", segment.trf)):
        table = repeats[kind]
        if table is None or not known:
            continue
        inside = (table["start"] < locus.end) & (table["end"] > locus.start)
        table = table[(table["chrom"] == locus.chrom) & inside]
        names = table["repeat_class"].astype(str) if kind == "rmsk" else "tandem"
        parts.append(table[["start", "end"]].assign(region=names))
    if segment.soft_masked and not (segment.rmsk and repeats["rmsk"] is not None):
        lower = assembly.lower_case(segment, locus.start, locus.end)
        starts, ends = true_runs(lower, locus.start)
        frame = pd.DataFrame({"start": starts, "end": ends})
        parts.insert(0, frame.assign(region="soft-masked"))
    if not parts:
        return pd.DataFrame(columns=["kind", "chrom", "start", "end", "region"])
    table = pd.concat(parts, ignore_index=True)
    table["start"] = table["start"].clip(locus.start)
    table["end"] = table["end"].clip(upper=locus.end)
    return table.assign(kind="repeat", chrom=locus.chrom)


def _apart(transcripts: pd.DataFrame) -> pd.Series:
    """Number of each transcript among the groups of one name and strand that do not overlap."""
    ordered = transcripts.sort_values(["start", "end"])
    keys = [ordered["label"], ordered["strand"]]
    reached = ordered["end"].groupby(keys).cummax().groupby(keys).shift(fill_value=0)
    return (ordered["start"] >= reached).groupby(keys).cumsum()


def gene_models(annotation: Annotation, locus: Locus) -> pd.DataFrame:
    """One transcript per gene that overlaps the locus: the longest CDS, then the longest span.

    Transcripts of one name and strand that lie apart are of several genes (as Y_RNA).
    """

    def overlapping(table: pd.DataFrame) -> pd.DataFrame:
        inside = (table["start"] < locus.end) & (table["end"] > locus.start)
        return table[(table["chrom"] == locus.chrom) & inside]

    transcripts = overlapping(annotation.transcripts).copy()
    all_cds = annotation.cds[annotation.cds["transcript_id"].isin(transcripts["transcript_id"])]
    coding = (all_cds["end"] - all_cds["start"]).groupby(all_cds["transcript_id"]).sum()
    transcripts["cds_bp"] = transcripts["transcript_id"].map(coding).fillna(0)
    transcripts["span"] = transcripts["end"] - transcripts["start"]
    transcripts["label"] = transcripts["gene_name"].fillna(transcripts["gene_id"])
    transcripts["gene"] = _apart(transcripts)
    best = transcripts.sort_values(
        ["cds_bp", "span", "transcript_id"], ascending=[False, False, True], kind="stable"
    ).drop_duplicates(["label", "strand", "gene"])
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
    table = pd.concat(parts, ignore_index=True)[list(GENE_COLUMNS[1:])]
    order = {"transcript": 0, "exon": 1, "cds": 2}
    return table.sort_values(
        ["gene_name", "transcript_id", "feature", "start"],
        key=lambda column: column.map(order) if column.name == "feature" else column,
        kind="stable",
        ignore_index=True,
    )
