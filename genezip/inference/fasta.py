"""``genezip compress``: a FASTA of any size to tokens and tracks, in constant memory.

With the bound ``causal`` or ``none`` every record is one stream; with ``sequence``, which
looks at all of what it is given, it goes window by window. Finished parts lie in a folder
beside the output until all are there, so an interrupted run goes on where it stopped.
"""

import logging
import math
import os
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

from genezip import log
from genezip.artifacts.destination import destination, folder_target
from genezip.artifacts.files import atomic_path, check_room, sha256_json
from genezip.artifacts.journal import StopRequest, stop_request
from genezip.artifacts.provenance import versions
from genezip.errors import GenezipError
from genezip.formats.fasta import FastaStream
from genezip.formats.input_file import is_packed
from genezip.formats.lines import check_row_names
from genezip.inference.join import Join, TokenTable, Totals
from genezip.inference.parts import Draft, PartFolder, Records
from genezip.inference.readers import Reader, StreamReader, WindowReader
from genezip.inference.tracks import BOUNDARY_PROB, CHUNK_BYTES, PROB_BYTES, TrackWriter
from genezip.models.genezip.compressor import GeneZip
from genezip.models.hnet.architecture import BoundKind
from genezip.models.pretrained import WEIGHTS

WINDOW_BP = 12_800
BLOCK_BP = 8192
LOCUS_BP = 100_000  # what the IGV session shows first

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Summary:
    """What came out, and how: the bound obeyed; ``stream`` or ``windows of N bp``."""

    totals: Totals
    bound: BoundKind
    mode: str

    def sentence(self) -> str:
        """For the terminal."""
        all_ = self.totals
        text = (
            f"{all_.records} records, {all_.bases:,} bp -> {all_.tokens:,} tokens "
            f"({all_.bases / all_.tokens:.1f} bp per token"
        )
        if all_.bits_per_base is not None:
            text += f", {all_.bits_per_base:.3f} bits per base"
        text += f"; {self.mode}, bound {self.bound}"
        if self.bound == "sequence":
            text += f", which bit in {all_.bound_bit} of {all_.spans} and looks ahead there"
        return text + ")"


def compress_fasta(
    fasta: Path,
    model: str | Path,
    out: Path,
    tracks: Path | None = None,
    bound: BoundKind | None = None,
    window_bp: int | None = None,
    block_bp: int = BLOCK_BP,
    device: str = "auto",
) -> Summary:
    """Compress every record of a FASTA.

    Ctrl-C or SIGTERM finishes the block at hand and writes what is done; the same call goes
    on from there, also after a crash. It is the same run if FASTA, weights, bound, window or
    block length and the wish for tracks are; device and threads may change.

    Parameters
    ----------
    fasta : plain, gzip or bgzip FASTA; any case, IUPAC codes count as N. A pipe, or ``-`` for
        standard input, takes room in the folder of ``out`` until the end
    model : model folder or hub id
    out : Parquet, one row per token: chrom, start, end (its chunk, 0-based, half-open),
        boundary_prob at its first base, kept_by (router, floor or forced) and ``token``, the
        float32 vector; the metadata say how it was made, as JSON under ``genezip``. A pipe or
        device receives the finished file; such a run cannot go on after a stop
    tracks : folder for boundary_prob.bw, tokens_per_kb.bw, bpt.bw, chunks.bed.gz with its index
        and igv_session.xml
    bound : ``sequence``, ``causal`` or ``none``; the model's own when absent
    window_bp : compress independent windows of this length; when absent, 12,800 under the
        bound ``sequence``, and otherwise none: each record is streamed as a whole
    block_bp : bases of a stream that pass through the network at a time

    Raises
    ------
    GenezipError
        For a missing or broken FASTA, a record that is too short, letters that are no bases,
        lengths below 1 bp, a folder that holds parts of another run, a full disk.
    KeyboardInterrupt
        After a stop was asked for.
    """
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
    zipper = GeneZip.from_pretrained(model, device, bound)
    zipper.block_bp = block_bp
    if window_bp is None and zipper.bound == "sequence":
        window_bp = WINDOW_BP
    reader: Reader = (
        StreamReader(zipper, block_bp) if window_bp is None else WindowReader(zipper, window_bp)
    )
    with ExitStack() as stack:
        beside = None if target.is_stream else target.path.parent  # nothing lies beside a pipe
        stream = stack.enter_context(FastaStream(fasta, beside))
        _refuse_short(zipper, stream, window_bp)
        if tracks is not None:
            check_row_names(stream.lengths, stream)
        run = _run(zipper, stream, window_bp, None if window_bp else block_bp)
        identity = {**run, "tracks": tracks is not None, "genezip": versions()["genezip"]}
        stop = stack.enter_context(stop_request())
        if beside is None:
            beside = Path(stack.enter_context(TemporaryDirectory(prefix="genezip-")))
        parts = PartFolder(beside / f"{target.path.name}.parts", identity)
        stack.enter_context(parts)
        if tracks is not None:
            # found out now, not after hours; parts keep 4 bytes per base until the tracks exist
            needed = (4 + PROB_BYTES + CHUNK_BYTES) * sum(stream.lengths.values())
            check_room(tracks / BOUNDARY_PROB, needed)
        finished = _compress(stream, reader, parts, Draft(prob=tracks is not None), stop)
        summary = _join(stream, zipper, parts, finished, run, out, tracks, stop)
        parts.remove()
    return summary


def _refuse_short(zipper: GeneZip, fasta: FastaStream, window_bp: int | None) -> None:
    """Nothing is begun that a short record would end."""
    shape = zipper.network.shape
    # a U-Net has its first token at the end of its first block
    block = math.prod(stride or 1 for stride in shape.stride) if shape.marks_end else 1
    for name, length in fasta.lengths.items():
        record = f"record {name!r} of {fasta}"
        if length < shape.d_conv:
            raise GenezipError(
                f"{record} has {length} bases, fewer than one convolution of the model "
                f"({shape.d_conv}); remove it"
            )
        last = length if window_bp is None else length % window_bp or window_bp
        if last < block:
            raise GenezipError(
                f"{record} has {last} bases for its last tokens, fewer than one block of the "
                f"model ({block}); remove it or give another --window-bp"
            )


def _run(
    zipper: GeneZip, fasta: FastaStream, window_bp: int | None, block_bp: int | None
) -> dict[str, Any]:
    """What decides the numbers, as plain values."""
    bounds: list[Any] = [router.bound for router in zipper.network.routers]
    return {
        "model": zipper.card.name,
        "weights_sha256": zipper.card.training["sha256"][WEIGHTS],
        "architecture_sha256": sha256_json(zipper.card.architecture.to_dict()),
        "bound": zipper.bound,
        "bound_settings": [None if bound is None else asdict(bound) for bound in bounds],
        "window_bp": window_bp,
        "block_bp": block_bp,
        "fasta_sha256": fasta.sha256(),
    }


def _compress(
    fasta: FastaStream, reader: Reader, parts: PartFolder, draft: Draft, stop: StopRequest
) -> list[tuple[int, int]]:
    """Write the parts that are missing; start and end of all, in order."""
    records, name = Records(fasta.lengths), fasta.name
    finished = parts.finished()
    ends = dict(finished)
    begins = {end: start for start, end in finished}
    done, total = sum(end - start for start, end in finished), records.bases
    if done:
        logger.info(f"{name}: going on, {done:,} of {total:,} bp are done")

    def write() -> None:
        state = None if draft.end in records.bounds else reader.state()
        parts.write(draft.part(state))
        finished.append((draft.start, draft.end))
        draft.clear()

    at, skip = -1, 0
    with log.Progress(name, total, "bp", done) as shown:
        for record, start, ids in fasta.windows(reader.step):
            first = records.start[record] + start
            if first in ends:  # a part of an earlier run begins
                if draft:
                    write()
                skip = ends[first]
            if first < skip:
                continue
            if start == 0:
                reader.begin()
            elif first != at:
                reader.begin(parts.read(begins[first], first).state)
            draft.add(first, reader.read(ids))
            at = first + len(ids)
            shown.advance(len(ids))
            if stop or draft.is_full():
                write()
            if stop:
                _stop(f"{name}: stopped at {shown.done:,} of {total:,} bp")
        if draft:
            write()
    return sorted(finished)


def _join(
    fasta: FastaStream,
    zipper: GeneZip,
    parts: PartFolder,
    finished: list[tuple[int, int]],
    run: dict[str, Any],
    out: Path,
    tracks: Path | None,
    stop: StopRequest,
) -> Summary:
    """Parts to the table and the tracks, which appear only when all are whole."""
    window_bp = run["window_bp"]
    mode = "stream" if window_bp is None else f"windows of {window_bp} bp"
    with ExitStack() as stack:
        # closed in reverse: the table is whole before any file gets its name
        temporary = stack.enter_context(atomic_path(out))
        writer = None
        if tracks is not None:
            name, length = next(iter(fasta.lengths.items()))
            locus = (name, 0, min(length, LOCUS_BP))
            genome = _beside(fasta, tracks)
            writer = stack.enter_context(TrackWriter(tracks, fasta.lengths, genome, locus=locus))
        width = zipper.card.architecture.d_model[-1]
        table = stack.enter_context(TokenTable(temporary, width))
        join = Join(Records(fasta.lengths), table, writer)
        for start, end in finished:
            join.add(parts.read(start, end))
            if stop:
                _stop(f"{fasta.name}: stopped before all parts were joined")
        totals = join.finish()
        table.finish({**run, "mode": mode, **totals.facts(), "versions": versions()})
    return Summary(totals, zipper.bound, mode)


def _stop(what: str) -> NoReturn:
    logger.info(f"{what}; the same command goes on from there")
    raise KeyboardInterrupt


def _beside(fasta: FastaStream, tracks: Path) -> str:
    """The FASTA as the genome of an IGV session: its path seen from there, if IGV reads it."""
    if not fasta.regular or is_packed(fasta.path):
        return ""
    return os.path.relpath(fasta.path, tracks)
