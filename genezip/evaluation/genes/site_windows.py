"""Windows around sites along genes, and around the positions that they are compared with.

They are what :mod:`genezip.evaluation.genes.alignment` reads, from held-out segments alone. Every
window is read in the direction of its site. The site lies near the middle, at a distance from the
ends that has every remainder equally often, so that a grid of tokens cannot meet it by design.

Each kind of site has three controls. Decoys have the dinucleotide of the sites and matched k-mers
the composition of their bases, both at other places of the same sort of sequence
(:func:`~genezip.evaluation.genes.sites.stretches`), neither at a site or at another copy of the
motif. In shuffled windows the bases of the site stay at their place, and the rest keeps only its
dinucleotide counts.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from genezip.alphabet import is_base, reverse_complement
from genezip.errors import GenezipError
from genezip.evaluation.boundaries import decoys, dinucleotide_shuffle
from genezip.evaluation.genes.sites import (
    MINUS,
    PLUS,
    SiteKind,
    find_sites,
    motif_starts,
    stretches,
)
from genezip.formats.genes.rows import Transcripts, among
from genezip.genome.assembly import Assembly, Segment
from genezip.genome.gene_models import Annotation
from genezip.genome.sources.source import Source
from genezip.region_classes import UNANNOTATED

SITES, DECOYS, KMERS, SHUFFLED_WINDOWS = "sites", "decoys", "kmers", "shuffled"
SETS = (SITES, DECOYS, KMERS, SHUFFLED_WINDOWS)
"""What is read of a kind: its sites and the three controls."""

APART = 6  # bp between a control and any site; bases within 2 of either do not meet
_JITTER = 60  # distances of sites from the middle of windows: a grid of 2 to 6 has every phase
_FLANK_BP = 1_000  # around a segment; genes that begin there reach into it with their promoter

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SiteSettings:
    """How much is read around sites.

    Attributes
    ----------
    sites : sites of a kind (all, if there are fewer)
    controls : decoys and matched k-mers for each site
    window_bp : length of a window
    reach : bases on either side of a site that are compared, by the anchor of its kind
    block_bp : length of the blocks of DNA that are resampled
    seed : seed of the samples
    """

    sites: int = 500
    controls: int = 1
    window_bp: int = 512
    reach: Mapping[str, int] = field(
        default_factory=lambda: {
            "tss": 40,
            "start_codon": 40,
            "stop_codon": 40,
            "transcript_end": 40,
            "intron": 120,
            "island": 120,
        }
    )
    block_bp: int = 131_072
    seed: int = 0

    def reach_of(self, kind: SiteKind) -> int:
        """Bases on either side of a site of a kind that are compared."""
        return self.reach[kind.anchor]


@dataclass(frozen=True)
class ReadWindow:
    """A window in the direction of a site: token ids, position of the site, block of DNA."""

    ids: np.ndarray
    offset: int
    block: str


@dataclass(frozen=True)
class KindWindows:
    """All windows of one kind of site.

    Attributes
    ----------
    kind, reach : the kind, and the bases on either side of a site that are compared
    windows : windows of each of :data:`SETS`
    found : number of sites in the split, of which ``windows`` may be a sample
    without : sites, among those read, that have no decoy, and those that have no matched k-mer
    """

    kind: SiteKind
    reach: int
    windows: Mapping[str, list[ReadWindow]]
    found: int
    without: Mapping[str, int]


@dataclass(frozen=True)
class _Stretch:
    """A segment with its bases and gene models."""

    segment: Segment
    ids: np.ndarray
    annotation: Annotation

    def open(self, positions: np.ndarray, reach: int) -> np.ndarray:
        """Whether positions of the chromosome have ``reach`` known bases on either side.

        The ends of a segment do not count: a token begins at the first base of every window.
        """
        until = np.concatenate([[0], np.cumsum(is_base(self.ids))])
        at = positions - self.segment.start
        inside = (at - reach > 0) & (at + reach + 1 < len(self.ids))
        at = np.where(inside, at, reach)
        high = np.minimum(at + reach + 1, len(self.ids))
        return inside & (until[high] - until[at - reach] == 2 * reach + 1)


def read_kinds(
    source: Source,
    kinds: Sequence[SiteKind],
    settings: SiteSettings,
    split: str = "test",
    transcripts: Transcripts = "basic",
    gene_types: Sequence[str] | None = None,
    needed: bool = True,
) -> list[KindWindows]:
    """Windows of every kind in the segments of a split.

    ``transcripts`` and ``gene_types`` are those of the region map. A source without annotation is
    refused, and so is one without any site in the split, unless none is ``needed``.
    """
    for kind in kinds:
        least = 2 * settings.reach_of(kind) + _JITTER + 2
        if settings.window_bp < least:
            raise GenezipError(
                f"windows of {settings.window_bp} bases are too short for the "
                f"{settings.reach_of(kind)} bases on either side of a {kind.title}; set "
                f"alignment.window_bp to at least {least}"
            )
    assembly = source.assembly()
    places = list(_annotated(source, assembly, split, transcripts, gene_types))
    found = [_of_kind(kind, places, settings) for kind in kinds]
    if not any(one.found for one in found):
        names = ", ".join(kind.name for kind in kinds)
        if not needed:
            logger.warning(f"{split} DNA has no site ({names}), so none is measured")
            return []
        raise GenezipError(
            f"no site is left in {split} DNA ({names}): its segments hold no gene with one; fetch "
            "held-out DNA with genes, or name other kinds of sites"
        )
    return found


def _annotated(
    source: Source,
    assembly: Assembly,
    split: str,
    transcripts: Transcripts,
    gene_types: Sequence[str] | None,
) -> Iterator[_Stretch]:
    """The segments of a split with gene models."""
    segments = [one for one in assembly.segments_of(split) if one.annotation != UNANNOTATED]
    if not source.raw["annotations"] or (not segments and assembly.segments_of(split)):
        raise GenezipError(
            f"the source has no annotation of its {split} DNA, so no site is known; give the gene "
            "models of this genome"
        )
    known: dict[str, Annotation] = {}
    for segment in segments:
        name = segment.annotation
        if name not in known:
            known[name] = source.annotation(name, transcripts, gene_types)
        yield _Stretch(segment, assembly.ids(segment), _near(known[name], segment))


def _near(annotation: Annotation, segment: Segment) -> Annotation:
    """The whole gene models that reach into a segment or lie close to it."""
    table = annotation.transcripts
    own = table[
        (table["chrom"] == segment.chrom)
        & (table["start"] < segment.end + _FLANK_BP)
        & (table["end"] > segment.start - _FLANK_BP)
    ]
    parts = {
        name: rows[
            (rows["chrom"] == segment.chrom) & among(rows["transcript_id"], own["transcript_id"])
        ]
        for name, rows in annotation.tables().items()
        if name != "transcripts"
    }
    return annotation.with_tables(transcripts=own, **parts)


def _of_kind(kind: SiteKind, places: Sequence[_Stretch], settings: SiteSettings) -> KindWindows:
    """Sites of a kind and its controls; all draws depend on the seed and the kind alone."""
    rng = np.random.default_rng([settings.seed, *kind.name.encode()])
    reach = settings.reach_of(kind)
    tables = []
    for number, place in enumerate(places):
        segment = place.segment
        table = find_sites(place.annotation, segment.chrom, segment.start, place.ids, kind)
        table = table[place.open(table["position"].to_numpy(), reach)]
        tables.append(table.assign(place=number))
    sites = _joined(tables)
    found = len(sites)
    if found > settings.sites:
        chosen = rng.choice(found, settings.sites, replace=False)
        sites = sites.iloc[np.sort(chosen)].reset_index(drop=True)
    controls: dict[str, list[pd.DataFrame]] = {DECOYS: [], KMERS: []}
    without = dict.fromkeys(controls, 0)
    for number, (place, every) in enumerate(zip(places, tables, strict=True)):
        own = sites[sites["place"] == number]
        if own.empty:
            continue
        for name, parts in controls.items():
            table, missed = _controls(kind, place, every, own, name, settings, rng)
            parts.append(table.assign(place=number))
            without[name] += missed
    windows = {SITES: _windows(sites, places, settings, rng)}
    for name, parts in controls.items():
        windows[name] = _windows(_joined(parts), places, settings, rng)
    windows[SHUFFLED_WINDOWS] = [_shuffled(one, kind, rng) for one in windows[SITES]]
    logger.info(f"{kind.name}: {len(windows[SITES]):,} of {found:,} sites are read")
    return KindWindows(kind, reach, windows, found, without)


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Rows of tables of position, strand and place; of none, a table without rows."""
    empty = pd.DataFrame({"position": [], "strand": [], "place": []}, dtype=np.int64)
    return pd.concat([empty, *tables], ignore_index=True)


def _controls(
    kind: SiteKind,
    place: _Stretch,
    every: pd.DataFrame,
    sites: pd.DataFrame,
    name: str,
    settings: SiteSettings,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, int]:
    """Decoys or matched k-mers of the sites of a segment, and how many sites have none."""
    segment, ids = place.segment, place.ids
    inside = stretches(place.annotation, segment.chrom, segment.start, len(ids), kind)
    everywhere = np.arange(segment.start, segment.end)
    fits = place.open(everywhere, settings.reach_of(kind))
    for step in range(-APART + 1, APART):
        near = every["position"].to_numpy() - segment.start + step
        fits[near[(near >= 0) & (near < len(ids))]] = False
    parts, without = [], 0
    for strand, bit in ((1, PLUS), (-1, MINUS)):
        own = sites.loc[sites["strand"] == strand, "position"].to_numpy() - segment.start
        home = np.arange(len(ids)) + strand * kind.home
        here = (home >= 0) & (home < len(ids))
        sort = here & ((inside[np.clip(home, 0, len(ids) - 1)] & bit) > 0)
        avoid = ~fits | ~sort | motif_starts(ids, kind, strand)
        found = decoys(
            ids,
            own,
            np.full(len(own), strand),
            sort,
            settings.controls,
            rng,
            offset=kind.dinucleotide,
            avoid=avoid,
            span=kind.span if name == KMERS else None,
        )
        parts.append(
            pd.DataFrame({"position": found.positions + segment.start, "strand": found.strands})
        )
        without += found.sites_without
    return pd.concat(parts, ignore_index=True), without


def _windows(
    table: pd.DataFrame,
    places: Sequence[_Stretch],
    settings: SiteSettings,
    rng: np.random.Generator,
) -> list[ReadWindow]:
    """A window around every position of a table of position, strand and place."""
    jitter = rng.permutation(np.arange(len(table)) % _JITTER)
    found = []
    for row, more in zip(table.to_dict("records"), jitter.tolist(), strict=True):
        place, position = places[row["place"]], int(row["position"])
        segment, size = place.segment, settings.window_bp
        at = position - segment.start
        low = at - size // 2 + more - _JITTER // 2
        low = max(min(low, len(place.ids) - size), 0)
        ids = place.ids[low : low + size]
        offset = at - low
        if row["strand"] == -1:
            ids, offset = reverse_complement(ids), len(ids) - 1 - offset
        block = f"{segment.chrom}:{position // settings.block_bp:05d}"
        found.append(ReadWindow(ids, offset, block))
    return found


def _shuffled(window: ReadWindow, kind: SiteKind, rng: np.random.Generator) -> ReadWindow:
    """The window with shuffled dinucleotides around the bases of its site."""
    ids = dinucleotide_shuffle(window.ids, rng)
    first, last = (window.offset + end for end in kind.span)
    ids[first:last] = window.ids[first:last]
    return ReadWindow(ids, window.offset, window.block)
