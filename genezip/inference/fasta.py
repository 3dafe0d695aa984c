"""``genezip compress``: a FASTA of any size to tokens and tracks, in constant memory.

A streaming system reads every record as one sequence; other systems, and GeneZip under the bound
``sequence`` (which depends on the whole input), compress independent windows. Finished parts are
kept in a folder beside the output until all exist, so an interrupted run resumes where it stopped.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from genezip import log
from genezip.artifacts.destination import destination, folder_target
from genezip.artifacts.files import atomic_path, check_room
from genezip.artifacts.journal import StopRequest, stop_now, stop_request
from genezip.artifacts.provenance import versions
from genezip.errors import GenezipError
from genezip.formats.fasta import FastaStream, atomic_bgzip_fasta
from genezip.formats.input_file import is_packed
from genezip.formats.lines import check_row_names
from genezip.inference.forward import BLOCK_BP, window_length
from genezip.inference.parts import (
    Join,
    PartFolder,
    Records,
    TokenDraft,
    TokenPart,
    Totals,
    of_tokens,
)
from genezip.inference.processes import Opening, Processes
from genezip.inference.stretches import Reading, divided, missing
from genezip.inference.table import TokenTable
from genezip.inference.tracks import BOUNDARY_PROB, TrackWriter, room
from genezip.models import load
from genezip.models.base import Compressor
from genezip.models.device import choose_device

LOCUS_BP = 100_000  # length of the interval at which the IGV session opens
GENOME = "genome.fa.gz"
GENOME_BYTES = 1  # per base, for the check of free space; bgzip takes about 0.3

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Summary:
    """Totals of a compressed FASTA, the bound on tokens (None for a system without) and the mode.

    The mode is ``stream`` or ``windows of N bp``. Bits per base are given where every likelihood
    is exact.
    """

    totals: Totals
    bound: str | None
    mode: str

    def sentence(self) -> str:
        """The summary as one line for the terminal."""
        all_ = self.totals
        text = (
            f"{all_.records} records, {all_.bases:,} bp -> {all_.tokens:,} tokens "
            f"({all_.bases / all_.tokens:.1f} bp per token"
        )
        if all_.bits_per_base is not None:
            text += f", {all_.bits_per_base:.3f} bits per base"
        text += f"; {self.mode}"
        if self.bound is not None:
            text += f", bound {self.bound}"
        if all_.looked_ahead:
            text += (
                f", which looked ahead in {all_.looked_ahead} of {all_.spans} windows: "
                "--bound causal gives bits per base"
            )
        return text + ")"


def compress_fasta(
    fasta: str | Path,
    model: str | Path | Compressor,
    out: str | Path,
    tracks: str | Path | None = None,
    bound: str | None = None,
    window_bp: int | None = None,
    block_bp: int = BLOCK_BP,
    device: str = "auto",
    jobs: int = 1,
) -> Summary:
    """Compress every record of a FASTA.

    Ctrl-C or SIGTERM finishes the current block, writes what is done and raises KeyboardInterrupt;
    the same call resumes from there, also after a crash. A run is the same if FASTA, weights,
    bound, window or block length and the choice of tracks are equal; device, threads and ``jobs``
    may change.

    Parameters
    ----------
    fasta : plain, gzip or bgzip FASTA; any case, IUPAC codes count as N. A pipe, or ``-`` for
        standard input, is copied to the folder of ``out`` until the end
    model : a model that :func:`genezip.models.load` opens, or a compressor, whose bound and device
        are used
    out : Parquet, one row per token: chrom, start, end (its chunk, 0-based, half-open), and those
        of these that the system has: boundary_prob at its first base; kept_by (router, floor or
        forced); token_id; ``token``, the float32 vector. The metadata record the run as JSON under
        ``genezip``. A pipe or device receives the finished file; such a run cannot be resumed
    tracks : folder for boundary_prob.bw (if the system has probabilities), surprisal.bw (where
        its likelihood is exact), tokens_per_kb.bw, bpt.bw, chunks.bed.gz with its index,
        igv_session.xml, and for a gzip or a pipe genome.fa.gz with its indexes
    bound : ``sequence``, ``causal`` or ``none``; None for that of the model
    window_bp : length of independent windows; None for streams, and for systems that do not stream
        12,800 (at most ``max_bp``, a multiple of ``window_multiple``)
    block_bp : bases of a stream that are read at a time
    jobs : processes, on a CPU, with a model that is named. Each compresses other records, or
        windows, and takes the memory that one alone takes, and as many threads as torch has here
        (:func:`torch.set_num_threads`), best 1. The results are the same for any number of
        processes, to the bit for equal threads
    """
    fasta, out = Path(fasta), Path(out)
    tracks = None if tracks is None else Path(tracks)
    for name, length in (("--window-bp", window_bp), ("--block-bp", block_bp)):
        if length is not None and length < 1:
            raise GenezipError(f"{name} is {length}; give a length of at least 1")
    if out.is_dir():
        raise GenezipError(f"{out} is a folder; name a Parquet file for the tokens")
    if tracks is not None and tracks.is_file():
        raise GenezipError(f"{tracks} is a file; name a folder for the tracks")
    target = destination(out)
    if tracks is not None:
        folder_target(tracks)
    if jobs != 1:
        _refuse_jobs(jobs, model, device)
    compressor = opened_compressor(model, device, bound)
    window_bp = window_length(compressor, window_bp)
    with ExitStack() as stack:
        beside = None if target.is_stream else target.path.parent  # a pipe has no folder
        stream = stack.enter_context(FastaStream(fasta, beside))
        _refuse_short(compressor, stream, window_bp)
        if tracks is not None:
            check_row_names(stream.lengths, stream)
        run = {
            "window_bp": window_bp,
            "block_bp": None if window_bp else block_bp,
            "fasta_sha256": stream.sha256(),
            **compressor.metadata,
        }
        identity = {**run, "tracks": tracks is not None, "genezip": versions()["genezip"]}
        stop = stack.enter_context(stop_request())
        if beside is None:
            beside = Path(stack.enter_context(TemporaryDirectory(prefix="genezip-")))
        parts = PartFolder(beside / f"{target.path.name}.parts", identity, TokenPart)
        stack.enter_context(parts)
        opening = None
        if jobs > 1:
            metadata = dict(compressor.metadata)
            opening = Opening(str(model), bound, metadata, torch.get_num_threads())
        draft = TokenDraft(
            prob=tracks is not None and compressor.gives_prob,
            surprisal=tracks is not None and _may_be_exact(compressor),
        )
        if tracks is not None:
            # checked now, not after hours; parts take 4 bytes per base and value until the tracks
            # exist
            bases, values = sum(stream.lengths.values()), draft.prob + draft.surprisal
            copied = 0 if _readable_by_igv(stream) else GENOME_BYTES * bases
            check_room(tracks / BOUNDARY_PROB, room(bases, values) + 4 * bases * values + copied)
        step = window_bp or block_bp
        reading = Reading(stream, window_bp is None, step, parts, draft)
        finished = _compress(reading, compressor, opening, jobs, stop)
        summary = _join(stream, compressor, parts, finished, run, out, tracks, stop)
        parts.remove()
    return summary


def _refuse_jobs(jobs: int, model: str | Path | Compressor, device: str) -> None:
    """Refuse what several processes cannot do."""
    if jobs < 1:
        raise GenezipError(f"--jobs is {jobs}; give at least 1")
    if not isinstance(model, str | Path):
        raise GenezipError(
            f"--jobs is {jobs}, but the model {model.name} is open in one process; name the model, "
            "so that each process opens it"
        )
    if choose_device(device).type != "cpu":
        raise GenezipError(
            f"--jobs is {jobs}, but a GPU is used by one process; give --device cpu, or --jobs 1"
        )


def opened_compressor(
    model: str | Path | Compressor, device: str, bound: str | None, streams: bool = False
) -> Compressor:
    """A model that is named, opened, or the compressor itself, whose bound cannot be changed."""
    if isinstance(model, str | Path):
        return load(model, device, bound=bound, streams=streams)
    if bound is not None:
        raise GenezipError(
            f"the bound {bound} cannot be set on the loaded model {model.name}; give the bound "
            "to genezip.load"
        )
    return model


def _refuse_short(compressor: Compressor, fasta: FastaStream, window_bp: int | None) -> None:
    """Refuse records that are too short before the work begins."""
    shortest, name = compressor.shortest_bp, compressor.name
    for record, length in fasta.lengths.items():
        if length < shortest:
            raise GenezipError(
                f"record {record!r} of {fasta} has {length} bases, fewer than the shortest "
                f"sequence of {name} ({shortest} bp); remove it"
            )
        last = 0 if window_bp is None else length % window_bp or window_bp
        # the last window of a record may be shorter, as long as it has a token
        if 0 < last < shortest and not len(compressor.boundaries(["N" * last])[0]):
            raise GenezipError(
                f"record {record!r} of {fasta} has {last} bases in its last window, fewer than "
                f"the shortest sequence of {name} ({shortest} bp); remove it or give another "
                "--window-bp"
            )


def _compress(
    reading: Reading, compressor: Compressor, opening: Opening | None, jobs: int, stop: StopRequest
) -> list[tuple[int, int]]:
    """Write the missing parts; return start and end of all parts, in order.

    ``opening`` is how further processes open the model, None for one process.
    """
    fasta, name = reading.fasta, reading.fasta.name
    records = Records(fasta.lengths)
    finished = reading.parts.finished()
    done, total = sum(end - start for start, end in finished), records.bases
    if done:
        logger.info(f"{name}: resuming, {done:,} of {total:,} bp are done")
    stretches = missing(records, finished)
    if opening is not None:
        window_bp = None if reading.streamed else reading.step
        stretches = divided(stretches, records, window_bp, jobs)
        if 0 < len(stretches) < jobs:
            why = "there are no more windows"
            if reading.streamed:
                why = "a record is one stream; --window-bp divides records"
            count = f"{len(stretches)} of {jobs} processes"
            have = "has" if len(stretches) == 1 else "have"
            logger.info(f"{name}: {count} {have} work, because {why}")
    with (
        log.Progress(name, total, "bp", done) as shown,
        Processes(reading, stretches, stop, shown) as processes,
    ):
        if opening is not None:
            processes.start(opening, min(jobs, len(stretches)) - 1)
        processes.run(compressor)
    if stop:
        stop_now(f"{name}: stopped at {shown.done:,} of {total:,} bp")
    return sorted([*finished, *processes.finished])


def _join(
    fasta: FastaStream,
    compressor: Compressor,
    parts: PartFolder[TokenPart],
    finished: list[tuple[int, int]],
    run: dict[str, Any],
    out: Path,
    tracks: Path | None,
    stop: StopRequest,
) -> Summary:
    """Join the parts into the table and the tracks, which appear only when all are complete."""
    window_bp = run["window_bp"]
    mode = "stream" if window_bp is None else f"windows of {window_bp} bp"
    with ExitStack() as stack:
        # closed in reverse order: the table is complete before any file gets its name
        temporary = stack.enter_context(atomic_path(out))
        writer = None
        if tracks is not None:
            name, length = next(iter(fasta.lengths.items()))
            locus = (name, 0, min(length, LOCUS_BP))
            genome = stack.enter_context(_genome(fasta, tracks, stop))
            exact = _may_be_exact(compressor) and any(
                "exact" in parts.read(*part).kinds for part in finished
            )
            writer = stack.enter_context(
                TrackWriter(
                    tracks, fasta.lengths, genome, locus=locus, prob=compressor.gives_prob,
                    surprisal=exact, model=compressor.name,
                )
            )  # fmt: skip
        columns = of_tokens(parts.read(*finished[0]))
        table = stack.enter_context(TokenTable(temporary, columns))
        join = Join(Records(fasta.lengths), table, writer)
        for start, end in finished:
            join.add(parts.read(start, end))
            if stop:
                stop_now(f"{fasta.name}: stopped before all parts were joined")
        totals = join.finish()
        table.finish({**run, "mode": mode, **totals.facts(), "versions": versions()})
    return Summary(totals, run.get("bound"), mode)


def _may_be_exact(compressor: Compressor) -> bool:
    """Whether spans may have an exact likelihood; where a bound looked ahead, others still do."""
    return compressor.likelihood in ("exact", "looked_ahead")


def _readable_by_igv(fasta: FastaStream) -> bool:
    """Whether the session can name the FASTA itself: a plain file, which needs no index beside."""
    return fasta.regular and not is_packed(fasta.path)


@contextmanager
def _genome(fasta: FastaStream, tracks: Path, stop: StopRequest) -> Iterator[str]:
    """Yield the path of the genome of the IGV session, relative to the tracks.

    It is the FASTA, or for one that IGV cannot read (gzip, a pipe) a bgzip copy with its indexes
    beside the tracks, which appears when the block succeeds.
    """
    if _readable_by_igv(fasta):
        yield os.path.relpath(fasta.path, tracks)
        return
    total = sum(fasta.lengths.values())
    with atomic_bgzip_fasta(tracks / GENOME) as out:
        with log.Progress(GENOME, total, "bp") as shown:
            for bases in fasta.copy(out):
                shown.advance(bases)
                if stop:
                    stop_now(f"{GENOME}: stopped before all of the genome was copied")
        yield GENOME
