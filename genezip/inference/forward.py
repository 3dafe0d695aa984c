"""Any compressor over more DNA than one pass takes: held-out windows, and the bases of a record."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from genezip.alphabet import reverse_complement
from genezip.artifacts.scores import under_bound
from genezip.config import Compress
from genezip.corpus.corpus import CorpusReader
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly
from genezip.inference.table import CompressedWindow, write_compressed
from genezip.log import progress
from genezip.models import load
from genezip.models.base import Compressor, vector_width
from genezip.models.compressed import Compressed, check_tokens, joined
from genezip.models.token_counts import TokenCounts

MAX_REPEAT_WINDOWS = 2000  # a whole genome has RepeatMasker rows; this many tell enough
VECTORS_BP = 65_536  # bases whose vectors are in memory together,
WIDEST = 1_024  # if a vector is no longer than this


def vectors_bp(compressor: Compressor) -> int:
    """Bases whose vectors are in memory together: fewer of a system with long vectors.

    Raises
    ------
    GenezipError
        If bases of this system have no vectors.
    """
    return max(1, min(VECTORS_BP, VECTORS_BP * WIDEST // vector_width(compressor)))


@dataclass(frozen=True)
class HeldoutWindow:
    """A window and where it lies; ``ids`` may be longer than the interval (padding)."""

    chrom: str
    start: int
    end: int
    piece: str
    split: str
    ids: np.ndarray


@dataclass(frozen=True)
class HeldoutWindows:
    """Lazy sequence of windows: bases are read on each pass and never kept.

    Attributes
    ----------
    count : how many there are
    read : starts over from the first window
    """

    count: int
    read: Callable[[], Iterator[HeldoutWindow]]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[HeldoutWindow]:
        return self.read()


def corpus_windows(manifest: Path, split: str = "test") -> HeldoutWindows:
    """The windows of one split of a corpus.

    Raises
    ------
    GenezipError
        If there is none.
    """
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

    Held-out segments are left out: the windows of the corpus cover them, without those that
    were dropped because they share sequence with training. Of more than ``max_windows``,
    that many are taken, evenly spread over the segments.
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
    compressor: Compressor, windows: HeldoutWindows | Sequence[HeldoutWindow], settings: Compress
) -> Iterator[CompressedWindow]:
    """Compress every window, ``settings.batch`` in one call, on one strand or on both."""
    for strand in "+-" if settings.both_strands else "+":
        waiting = iter(windows)
        while batch := list(islice(waiting, settings.batch)):
            forward = strand == "+"
            ids = [window.ids if forward else reverse_complement(window.ids) for window in batch]
            for window, found in zip(batch, tokens_of(compressor, ids), strict=True):
                yield forward_row(window, found) if forward else reverse_row(window, found)


def tokens_of(compressor: Compressor, sequences: Sequence[np.ndarray]) -> list[Compressed]:
    """Tokens of independent sequences, with the likelihood of a system that gives it apart.

    A sequence longer than ``max_bp`` goes through in consecutive independent windows.

    Raises
    ------
    GenezipError
        If what the system gives cannot be tokens (:func:`check_tokens`).
    """
    longest, multiple = compressor.max_bp, compressor.window_multiple
    if longest is not None and max(map(len, sequences), default=0) > longest:
        window_bp = max(longest // multiple, 1) * multiple
        found = []
        for ids in sequences:
            starts = range(0, len(ids), window_bp)
            parts = [compressor.encode([ids[at : at + window_bp]])[0] for at in starts]
            found.append(joined(parts, f"windows of {window_bp} bp"))
    else:
        found = compressor.encode(list(sequences))
    for ids, one in zip(sequences, found, strict=True):
        check_tokens(one, compressor.name, len(ids))
    if compressor.likelihood is None or any(one.log_prob is not None for one in found):
        return found
    apart = compressor.log_likelihood(list(sequences))
    return [
        replace(one, log_prob=likely.log_prob, likelihood=likely.kind)
        for one, likely in zip(found, apart, strict=True)
    ]


def forward_row(window: HeldoutWindow, found: Compressed) -> CompressedWindow:
    """Row of the window table, of the forward strand."""
    return CompressedWindow(
        chrom=window.chrom,
        start=window.start,
        end=window.end,
        strand="+",
        piece=window.piece,
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
    """Row of the reverse complement, mapped back: chunk [a, b) there is [L - b, L - a) here."""
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
    """Write the window table of a model; return how many rows (none is a valid file).

    Parameters
    ----------
    model : whatever :func:`genezip.models.load` opens
    untrained : the same network before its first training step
    bound : in place of the model's own bound on tokens; the name of the model in the file then
        says so (:func:`genezip.artifacts.scores.under_bound`)
    """
    compressor = load(model, settings.device, bound=bound, untrained=untrained or None)
    name = compressor.name if bound is None else under_bound(compressor.name, bound)
    strands = 2 if settings.both_strands else 1
    rows = compress_windows(compressor, windows, settings)
    facts = compressor.metadata
    return write_compressed(
        out,
        progress(rows, name, strands * len(windows), "window"),
        name=name,
        seed=facts.get("seed"),
        target_bpt=facts.get("target_bpt"),
        **{key: facts.get(key) for key in ("scale", "source", "parameters", "bound")},
    )


def base_vectors(compressor: Compressor, ids: np.ndarray) -> Iterator[np.ndarray]:
    """Vectors of all bases of a sequence, in blocks in order.

    A system that streams reads it as one sequence; another in consecutive independent windows
    of the longest length that it takes.

    Parameters
    ----------
    ids : uint8 array of token ids, shape (L,)

    Yields
    ------
    float32 arrays, shape (n, width)
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
    """Vectors of the bases of independent sequences, in order.

    Parameters
    ----------
    sequences : uint8 arrays of token ids
    at_a_time : sequences whose vectors are in memory together; fewer where vectors are long

    Yields
    ------
    float32 arrays, shape (L, width), one per sequence
    """
    step = max(1, at_a_time * vectors_bp(compressor) // VECTORS_BP)
    for first in range(0, len(sequences), step):
        for found in compressor.embed(list(sequences[first : first + step])):
            yield found.vectors
