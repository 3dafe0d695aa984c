"""Compress more DNA than one forward pass takes: held-out windows, and all bases of a record."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from genezip.alphabet import reverse_complement
from genezip.artifacts.scores import under_bound
from genezip.config import Compress
from genezip.corpus.corpus import CorpusReader
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly
from genezip.inference.table import CompressedWindow, write_resumable
from genezip.log import progress
from genezip.models import load
from genezip.models.base import Compressor, Sequences, on_request, vector_width
from genezip.models.compressed import Compressed, check_tokens, joined
from genezip.models.token_counts import TokenCounts

MAX_REPEAT_WINDOWS = 2000  # enough windows where a whole genome has RepeatMasker rows
WINDOW_BP = 12_800  # of independent windows of a record
BLOCK_BP = 8192  # of a stream that are read at a time
VECTORS_BP = 65_536  # bases whose vectors are in memory together
WIDEST = 1_024  # vectors longer than this are in memory for fewer bases


def vectors_bp(compressor: Compressor) -> int:
    """Bases whose vectors are in memory together: fewer for a system with long vectors."""
    return max(1, min(VECTORS_BP, VECTORS_BP * WIDEST // vector_width(compressor)))


@dataclass(frozen=True)
class HeldoutWindow:
    """A window and its interval; ``ids`` may be longer than the interval (padding)."""

    chrom: str
    start: int
    end: int
    segment: str
    split: str
    ids: np.ndarray


@dataclass(frozen=True)
class HeldoutWindows:
    """Lazy sequence of ``count`` windows: ``read`` reads the bases again on each pass."""

    count: int
    read: Callable[[], Iterator[HeldoutWindow]]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[HeldoutWindow]:
        return self.read()


def corpus_windows(manifest: Path, split: str = "test") -> HeldoutWindows:
    """The windows of one split of a corpus; a split without windows is refused."""
    reader = CorpusReader(manifest)
    count = reader.manifest["splits"].get(split, {}).get("windows", 0)
    if not count:
        raise GenezipError(f"{manifest} has no {split} windows; build the corpus again")

    def read() -> Iterator[HeldoutWindow]:
        for w in reader.windows(split):
            yield HeldoutWindow(w.chrom, w.start, w.end, w.piece, w.split, w.ids)

    return HeldoutWindows(count, read)


def repeat_windows(
    assembly: Assembly, window_bp: int, max_windows: int = MAX_REPEAT_WINDOWS
) -> HeldoutWindows:
    """Whole windows of the segments with RepeatMasker annotation, tiled from each start.

    Held-out segments are left out, because the windows of the corpus cover them (except windows
    that share sequence with training). At most ``max_windows`` are taken, evenly spread.
    """
    tiles = [
        (segment, range(segment.start, segment.end - window_bp + 1, window_bp))
        for segment in assembly.segments
        if segment.rmsk and segment.split != "test"
    ]
    first = np.cumsum([0, *(len(starts) for _, starts in tiles)])
    total = int(first[-1])
    count = min(total, max_windows)
    chosen = np.arange(count) * total // max(count, 1)

    def read() -> Iterator[HeldoutWindow]:
        for number in chosen:
            at = int(np.searchsorted(first, number, side="right")) - 1
            segment, starts = tiles[at]
            start = starts[int(number - first[at])]
            end = start + window_bp
            ids = assembly.ids(segment, start, end)
            yield HeldoutWindow(segment.chrom, start, end, segment.name, segment.split, ids)

    return HeldoutWindows(count, read)


def compress_windows(
    compressor: Compressor,
    windows: HeldoutWindows | Sequence[HeldoutWindow],
    settings: Compress,
    skip: int = 0,
) -> Iterator[CompressedWindow]:
    """Compress windows in batches of ``settings.batch``, on one strand or on both.

    The first ``skip`` rows are left out; batches are those of a call without it.
    """
    for strand in "+-" if settings.both_strands else "+":
        left_out = min(skip, len(windows))
        skip -= left_out
        first = left_out - left_out % settings.batch
        waiting = islice(windows, first, None)
        while batch := list(islice(waiting, settings.batch)):
            first += len(batch)
            if first <= left_out:
                continue
            forward = strand == "+"
            ids = [window.ids if forward else reverse_complement(window.ids) for window in batch]
            rows = zip(batch, tokens_of(compressor, ids), strict=True)
            for window, found in islice(rows, max(left_out - (first - len(batch)), 0), None):
                yield forward_row(window, found) if forward else reverse_row(window, found)


def tokens_of(compressor: Compressor, sequences: Sequence[np.ndarray]) -> list[Compressed]:
    """Tokens as by :func:`cut`, with likelihoods also where ``encode`` gives none.

    A pseudo-likelihood that must be requested is left out.
    """
    if compressor.likelihood is None or on_request(compressor):
        return cut(compressor, sequences, routed)
    found = cut(compressor, sequences)
    if any(one.log_prob is not None for one in found):
        return found
    likelihoods = compressor.log_likelihood(list(sequences))
    return [
        replace(one, log_prob=likelihood.log_prob, likelihood=likelihood.kind)
        for one, likelihood in zip(found, likelihoods, strict=True)
    ]


@runtime_checkable
class FindsBoundaries(Protocol):
    """A system that finds boundaries without the rest of a pass, as GeneZip."""

    def encode_boundaries(self, sequences: Sequences) -> list[Compressed]:
        """Tokens of the sequences without vectors and log-probabilities."""


def encoded(compressor: Compressor, sequences: Sequences) -> list[Compressed]:
    """Tokens of each sequence, as ``encode`` gives them."""
    return compressor.encode(sequences)


def routed(compressor: Compressor, sequences: Sequences) -> list[Compressed]:
    """Tokens of each sequence for those who need nothing else of them, in the least time.

    Vectors and log-probabilities may be missing.
    """
    if isinstance(compressor, FindsBoundaries):
        return compressor.encode_boundaries(sequences)
    return compressor.encode(sequences)


def cut(
    compressor: Compressor,
    sequences: Sequence[np.ndarray],
    read: Callable[[Compressor, Sequences], list[Compressed]] = encoded,
) -> list[Compressed]:
    """Tokens of independent sequences, checked by :func:`check_tokens`.

    A sequence longer than ``max_bp`` is encoded in consecutive independent windows. ``read`` is
    :func:`encoded` or :func:`routed`.
    """
    longest = compressor.max_bp
    if longest is not None and max(map(len, sequences), default=0) > longest:
        window_bp = longest_window(compressor, longest)
        found = []
        for ids in sequences:
            starts = range(0, len(ids), window_bp)
            parts = [read(compressor, [ids[at : at + window_bp]])[0] for at in starts]
            found.append(joined(parts, f"windows of {window_bp} bp"))
    else:
        found = read(compressor, list(sequences))
    for ids, one in zip(sequences, found, strict=True):
        check_tokens(one, compressor.name, len(ids))
    return found


def longest_window(compressor: Compressor, most: int) -> int:
    """Longest window of at most ``most`` bases that is a multiple of ``window_multiple``."""
    multiple = compressor.window_multiple
    return max(most // multiple, 1) * multiple


def window_length(compressor: Compressor, asked: int | None = None) -> int | None:
    """Length of independent windows; None where every record is one stream."""
    if asked is None:
        if compressor.streams:
            return None
        return longest_window(compressor, min(WINDOW_BP, compressor.max_bp or WINDOW_BP))
    if compressor.max_bp is not None and asked > compressor.max_bp:
        raise GenezipError(
            f"--window-bp is {asked}, but {compressor.name} takes at most {compressor.max_bp:,} "
            "bp; give a smaller value"
        )
    return asked


def forward_row(window: HeldoutWindow, found: Compressed) -> CompressedWindow:
    """Row of the window table for the forward strand."""
    return CompressedWindow(
        chrom=window.chrom,
        start=window.start,
        end=window.end,
        strand="+",
        segment=window.segment,
        split=window.split,
        length=len(window.ids),
        token_starts=found.token_starts.astype(np.int32),
        stage_tokens=found.stage_tokens.astype(np.int32),
        bound_active=found.bound_active,
        boundary_prob=found.boundary_prob,
        nll=None if found.log_prob is None else -found.log_prob,
        **({} if found.likelihood is None else {"nll_kind": found.likelihood}),
    )


def reverse_row(window: HeldoutWindow, found: Compressed) -> CompressedWindow:
    """Row of the reverse complement in forward coordinates: chunk [a, b) is [L - b, L - a)."""
    forward = forward_row(window, found)
    ends = np.append(found.token_starts[1:], forward.length)
    return replace(
        forward,
        strand="-",
        token_starts=(forward.length - ends[::-1]).astype(np.int32),
        boundary_prob=None,
        nll=None if forward.nll is None else forward.nll[::-1],
    )


def compress_heldout(
    model: str | Path,
    windows: HeldoutWindows | Sequence[HeldoutWindow],
    settings: Compress,
    out: Path,
    untrained: bool = False,
    bound: str | None = None,
) -> int:
    """Write the window table of a model; return the number of rows (0 gives a valid file).

    A call that is stopped or killed keeps finished windows in ``.NAME.parts`` beside the file, from
    which the same call goes on.

    ``model`` is any that :func:`genezip.models.load` opens; ``untrained`` uses the same network
    before its first training step. ``bound`` replaces the model's bound on tokens and becomes part
    of the name in the file (:func:`genezip.artifacts.scores.under_bound`).
    """
    compressor = load(model, settings.device, bound=bound, untrained=untrained or None)
    name = compressor.name if bound is None else under_bound(compressor.name, bound)
    strands = 2 if settings.both_strands else 1
    facts = compressor.metadata
    identity = {
        "model": dict(compressor.facts),
        "name": name,
        "untrained": untrained,
        "strands": strands,
        "windows": _sha256(windows),
    }

    def rows(skip: int) -> Iterator[CompressedWindow]:
        found = compress_windows(compressor, windows, settings, skip)
        return progress(found, name, strands * len(windows) - skip, "window")

    return write_resumable(
        out,
        rows,
        identity,
        name=name,
        seed=facts.get("seed"),
        target_bpt=facts.get("target_bpt"),
        **{key: facts.get(key) for key in ("scale", "source", "parameters", "bound")},
    )


def _sha256(windows: Iterable[HeldoutWindow]) -> str:
    """Hash of the places and the bases of windows, which are read for it."""
    found = sha256()
    for one in windows:
        place = (one.chrom, one.start, one.end, one.segment, one.split)
        found.update(repr(place).encode())
        found.update(one.ids.tobytes())
    return found.hexdigest()


def base_vectors(compressor: Compressor, ids: np.ndarray) -> Iterator[np.ndarray]:
    """Vectors of all bases of a sequence, float32 blocks (n, width) in order.

    ``ids`` are uint8 token ids, shape (L,). A streaming system reads them as one sequence, others
    read consecutive independent windows of at most ``max_bp``.
    """
    block_bp = vectors_bp(compressor)
    if compressor.streams:
        stream = compressor.stream()
        for start in range(0, len(ids), block_bp):
            block = stream.feed(ids[start : start + block_bp], vectors=True)
            assert block.base_vectors is not None
            yield block.base_vectors
        return
    window_bp = compressor.max_bp or max(len(ids), 1)
    for start in range(0, max(len(ids), 1), window_bp):
        window = ids[start : start + window_bp]
        if isinstance(compressor, TokenCounts):
            yield from compressor.blocks(window, block_bp)
        else:
            yield compressor.embed([window])[0].vectors


def sequence_vectors(
    compressor: Compressor, sequences: Sequence[np.ndarray], at_a_time: int
) -> Iterator[np.ndarray]:
    """Vectors of the bases of independent sequences of token ids, float32 (L, width) for each.

    At most ``at_a_time`` sequences have their vectors in memory together, fewer if vectors are
    long.
    """
    step = max(1, at_a_time * vectors_bp(compressor) // VECTORS_BP)
    for first in range(0, len(sequences), step):
        for found in compressor.embed(list(sequences[first : first + step])):
            yield found.vectors


@runtime_checkable
class ReadsOnce(Protocol):
    """A system that gives tokens and vectors of sequences in one pass, as GeneZip."""

    def encode_with_vectors(self, sequences: Sequences) -> list[Compressed]:
        """Tokens of the sequences, with ``base_vectors``."""


def tokens_and_vectors(
    compressor: Compressor, sequences: Sequence[np.ndarray], at_a_time: int
) -> Iterator[tuple[Compressed, np.ndarray]]:
    """Tokens of independent sequences, and the vectors of :func:`sequence_vectors`."""
    step = max(1, at_a_time * vectors_bp(compressor) // VECTORS_BP)
    for first in range(0, len(sequences), step):
        part = list(sequences[first : first + step])
        if isinstance(compressor, ReadsOnce):
            for one in compressor.encode_with_vectors(part):
                assert one.base_vectors is not None
                yield one, one.base_vectors
        else:
            embedded = compressor.embed(part)
            for one, vectors in zip(compressor.encode(part), embedded, strict=True):
                yield one, vectors.vectors
