"""``genezip embed``: a BED and a FASTA to a file of vectors, in batches and resumable."""

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genezip import log
from genezip.artifacts.destination import file_target
from genezip.artifacts.files import atomic_path, check_room, sha256_file
from genezip.artifacts.journal import StopRequest, stop_now, stop_request
from genezip.artifacts.provenance import versions
from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.inference.embedding.files import NPZ, check_suffix, vector_file
from genezip.inference.embedding.regions import Context, Regions, Stretch, steps
from genezip.inference.embedding.vectors import (
    POOLS,
    POSITIONS,
    Pool,
    PoolKind,
    RegionLevel,
    RegionReader,
    Rows,
    token_rows,
)
from genezip.inference.fasta import opened_compressor
from genezip.inference.forward import vectors_bp, window_length
from genezip.inference.parts import Draft, Part, PartFolder
from genezip.models.base import Compressor, lacks, vector_width

FLANK_BP = 6_400
"""Bases of context on each side by default, half a training window of 12,800 bp."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Summary:
    """Totals of a file of vectors.

    Attributes
    ----------
    regions, bases : rows of the BED, and their bases
    vectors, width : vectors that were written, and numbers in each
    without : regions without a vector, in which no token begins
    """

    regions: int
    bases: int
    vectors: int
    width: int
    without: int
    level: RegionLevel

    def sentence(self) -> str:
        """The totals as one line for the terminal."""
        each = {
            "base": "one per base",
            "token": "one per token that begins in a region",
            "region": "one per region",
        }[self.level]
        text = (
            f"{self.regions:,} regions, {self.bases:,} bp -> {self.vectors:,} vectors of "
            f"{self.width} numbers, {each}"
        )
        return f"{text} (no token begins in {self.without:,} of them)" if self.without else text


def embed_regions(
    bed: str | Path,
    fasta: str | Path,
    model: str | Path | Compressor,
    out: str | Path,
    level: RegionLevel = "base",
    pool: PoolKind = "mean",
    flank_bp: int = FLANK_BP,
    bound: str | None = None,
    window_bp: int | None = None,
    device: str = "auto",
) -> Summary:
    """Write vectors of a frozen model for the regions of a BED.

    Ctrl-C or SIGTERM finishes the current batch, writes what is done and raises KeyboardInterrupt;
    the same call resumes from there, also after a crash, and its file has the bytes of a run that
    was not interrupted. A run is the same if BED, FASTA, weights and all arguments but the device
    are equal.

    Parameters
    ----------
    bed : intervals of 3 to 12 columns, file or pipe, plain or gzip, in any order; they may overlap.
        A region on strand ``-`` is read as its reverse complement
    fasta : the genome, plain or bgzip with random access; its ``.fai`` is made if it is missing
    model : a model that :func:`genezip.models.load` opens, or a compressor, whose bound and device
        are used
    out : ``.parquet``, one row per vector: row (of the BED, from 0), chrom, start, end, name,
        strand; ``position`` of a base, or ``token_start`` and ``token_end`` of the token's chunk
        (0-based, half-open, on the forward strand); ``vector``, float32. The metadata record the
        run as JSON under ``genezip``. Or ``.npz`` with ``vectors``, float32 (n, width), ``row`` and
        the positions, int64 (n,), the columns of the BED once per region, and ``genezip``
    level : ``base``; ``token``, tokens whose first base lies in the region, of which the last may
        end after it; or ``region``, one vector of all its bases. Vectors are in the order of the
        rows, and within a row in the direction of reading: on ``-`` from the last base on
    pool : of the level region: ``mean`` or ``max`` over its bases, or ``last``, the vector of the
        base that is read last
    flank_bp : bases of context that are read before and after each region, fewer at the ends of
        a contig. Where later bases cannot matter (a causal system, but not its level token, whose
        chunks end later) only those before it are read
    bound : ``sequence``, ``causal`` or ``none``; None for that of the model
    window_bp : longest part of a region that is read at once, each with its context; None for
        streams of whole regions, and for systems that do not stream 12,800
    """
    out = Path(out)
    check_suffix(out)
    file_target(out)
    if level not in POSITIONS or pool not in POOLS:
        raise GenezipError(
            f"the level is {level!r} and the pool {pool!r}; give base, token or region, and "
            f"{', '.join(POOLS)}"
        )
    for name, length, least in (("--flank-bp", flank_bp, 0), ("--window-bp", window_bp, 1)):
        if length is not None and length < least:
            raise GenezipError(f"{name} is {length}; give a length of at least {least}")
    regions = Regions(bed, ReferenceGenome(fasta))
    compressor = opened_compressor(model, device, bound)
    width = _width(compressor, level)
    context = context_of(compressor, level, flank_bp)
    window_bp = _window_bp(compressor, context, window_bp)
    _refuse_short(compressor, regions, context, window_bp)
    run = {
        "level": level,
        "pool": pool if level == "region" else None,
        "flank_bp": flank_bp,
        "window_bp": window_bp,
        "bed_sha256": regions.sha256,
        "fasta_sha256": sha256_file(regions.genome.path),
        **compressor.metadata,
    }
    identity = {**run, "facts": dict(compressor.facts), "genezip": versions()["genezip"]}
    if level != "token":  # the number of tokens is not known before they are made
        expected = regions.bases if level == "base" else len(regions)
        check_room(out, 2 * 4 * width * expected)  # the file, and the parts it is made of
    target = file_target(out)
    folder = target.parent / f"{target.name}.parts"
    with stop_request() as stop, PartFolder(folder, identity, Part) as parts:
        reader = RegionReader(compressor, regions.genome, level, pool)
        finished = _read(regions, reader, context, window_bp, parts, stop)
        found = _join(regions, parts, finished, run, out, width, stop)
        parts.remove()
    return found


def region_alone(
    compressor: Compressor,
    stretch: Stretch,
    genome: ReferenceGenome,
    level: RegionLevel,
    pool: PoolKind = "mean",
) -> Rows:
    """Rows of one stretch that is a whole region, read with its context in one pass.

    It is the slow version of what :func:`embed_regions` does in batches, streams and parts.
    """
    ids = stretch.ids(genome, 0, stretch.read_bp)
    (found,) = compressor.embed([ids], "token" if level == "token" else "base")
    if level == "token":
        ends = np.append(found.starts[1:], len(ids))
        return token_rows(stretch, found.starts, ends, found.vectors)
    vectors = found.vectors[stretch.before : stretch.before + stretch.length]
    if level == "region":
        one = Pool(pool)
        one.add(vectors)
        return {"row": np.array([stretch.row]), "vector": one.take()}
    order = np.arange(stretch.start, stretch.end)
    if stretch.reverse:
        order = order[::-1]
    return {"row": np.full(len(order), stretch.row), "position": order, "vector": vectors}


def context_of(compressor: Compressor, level: RegionLevel, flank_bp: int) -> Context:
    """The context of a region: none after it where later bases cannot matter."""
    matters = level == "token" or not compressor.causal
    return Context(flank_bp, flank_bp if matters else 0)


def _width(compressor: Compressor, level: RegionLevel) -> int:
    if level != "token":
        return vector_width(compressor)
    if compressor.token_width is None:
        lacks(compressor.name, "vectors of tokens")
    return compressor.token_width


def _window_bp(compressor: Compressor, context: Context, asked: int | None) -> int | None:
    """Longest part of a region that is read at once; None where regions are streamed."""
    found = window_length(compressor, asked)
    if found is None or compressor.max_bp is None:
        return found
    room = compressor.max_bp - context.before - context.after
    if room < 1 or (asked is not None and asked > room):
        raise GenezipError(
            f"{compressor.name} reads at most {compressor.max_bp:,} bp at once, and the context "
            f"leaves {max(room, 0):,} of them; give a smaller --flank-bp or --window-bp"
        )
    return min(found, room)


def _refuse_short(
    compressor: Compressor, regions: Regions, context: Context, window_bp: int | None
) -> None:
    """Refuse regions that are too short before the work begins."""
    for one in regions.stretches(context, window_bp):
        if one.read_bp < compressor.shortest_bp:
            raise GenezipError(
                f"{regions.line_of(one)} is read as {one.read_bp} bases, fewer than the shortest "
                f"sequence of {compressor.name} ({compressor.shortest_bp} bp); give a larger "
                "--flank-bp or remove it"
            )


def _read(
    regions: Regions,
    reader: RegionReader,
    context: Context,
    window_bp: int | None,
    parts: PartFolder[Part],
    stop: StopRequest,
) -> list[tuple[int, int]]:
    """Write the missing parts; return start and end of all parts, in order."""
    name, total = regions.name, regions.bases
    borders = set(regions.bounds.tolist())
    finished = parts.finished()
    ends = dict(finished)
    begins = {end: start for start, end in finished}
    done = sum(end - start for start, end in finished)
    if done:
        logger.info(f"{name}: resuming, {done:,} of {total:,} bp are done")
    draft = Draft()

    def write() -> None:
        parts.write(draft.part(None if draft.end in borders else reader.state()))
        finished.append((draft.start, draft.end))
        draft.clear()

    at, skip = 0, 0
    planned = steps(
        regions.stretches(context, window_bp), vectors_bp(reader.compressor), window_bp is None
    )
    with log.Progress(name, total, "bp", done) as shown:
        for step in planned:
            if step.at in ends:  # a part of an earlier run begins
                if draft:
                    write()
                skip = ends[step.at]
            if step.at < skip:
                continue
            if step.at != at:
                known = step.at not in borders
                reader.restore(parts.read(begins[step.at], step.at).state if known else None)
            draft.append(step.at, step.end, reader.read(step))
            at = step.end
            shown.advance(step.end - step.at)
            if stop or draft.is_full():
                write()
            if stop:
                stop_now(f"{name}: stopped at {shown.done:,} of {total:,} bp")
        if draft:
            write()
    return sorted(finished)


def _join(
    regions: Regions,
    parts: PartFolder[Part],
    finished: list[tuple[int, int]],
    run: dict[str, Any],
    out: Path,
    width: int,
    stop: StopRequest,
) -> Summary:
    """Join the parts into the file, which appears only when it is complete."""
    level: RegionLevel = run["level"]
    count = regions.bases if level == "base" else len(regions)
    if level == "token" and out.suffix.lower() == NPZ:  # the shape of its array comes first
        count = sum(len(parts.read(*one).arrays["row"]) for one in finished)
    seen = np.zeros(len(regions), dtype=bool)
    vectors = 0
    with ExitStack() as stack:
        temporary = stack.enter_context(atomic_path(out))
        columns, shape = regions.columns(), (count, width)
        file = stack.enter_context(vector_file(out, temporary, columns, level, shape))
        for start, end in finished:
            rows = parts.read(start, end).arrays
            file.add(rows)
            seen[rows["row"]] = True
            vectors += len(rows["row"])
            if stop:
                stop_now(f"{regions.name}: stopped before all parts were joined")
        without = int((~seen).sum())
        found = Summary(len(regions), regions.bases, vectors, width, without, level)
        file.finish({**run, **vars(found), "versions": versions()})
    return found
