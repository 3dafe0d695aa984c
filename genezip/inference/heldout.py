"""Compress windows with a model: the file that every metric starts from."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import tee
from pathlib import Path
from typing import Any

import numpy as np

from genezip.alphabet import reverse_complement
from genezip.artifacts.scores import under_bound
from genezip.config import Compress
from genezip.corpus.corpus import CorpusReader
from genezip.errors import GenezipError
from genezip.inference.table import CompressedWindow, write_compressed
from genezip.log import progress
from genezip.models.base import Compressed, choose_device
from genezip.models.hnet.architecture import BoundKind
from genezip.models.hnet.network import GeneZipNetwork, build
from genezip.models.hnet.windows import run
from genezip.models.pretrained import ModelCard, load_card, load_network

MAX_REPEAT_WINDOWS = 2000  # a whole genome has RepeatMasker rows; this many tell enough


@dataclass(frozen=True)
class Place:
    """A window and where it lies; ``ids`` may be longer than the interval (padding)."""

    chrom: str
    start: int
    end: int
    piece: str
    split: str
    ids: np.ndarray


@dataclass(frozen=True)
class Places:
    """Windows that are read when they are needed, and again the next time.

    ``read`` starts over; a genome of ids is never in memory.
    """

    count: int
    read: Callable[[], Iterator[Place]]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Place]:
        return self.read()


def corpus_places(manifest: Path, split: str = "test") -> Places:
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

    def read() -> Iterator[Place]:
        for w in reader.windows(split):
            yield Place(w.chrom, w.start, w.end, w.piece, w.split, w.ids)

    return Places(count, read)


def repeat_places(assembly: Any, window_bp: int, max_windows: int = MAX_REPEAT_WINDOWS) -> Places:
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

    def read() -> Iterator[Place]:
        for number in chosen:
            at = int(np.searchsorted(first, number, side="right")) - 1
            segment, starts = tiles[at]
            start = starts[int(number - first[at])]
            ids = assembly.ids(segment, start, start + window_bp)
            yield Place(segment.chrom, start, start + window_bp, segment.name, segment.split, ids)

    return Places(count, read)


def open_model(folder: Path, untrained: bool) -> tuple[GeneZipNetwork, ModelCard]:
    """A trained model, or the same architecture and seed before its first step."""
    if untrained:
        card = load_card(folder)
        shape = card.architecture.resolved(list(card.target_bpt.values()))
        return build(shape, card.seed).eval(), card
    return load_network(folder)


def compress_places(
    network: GeneZipNetwork, places: Places | Sequence[Place], settings: Compress
) -> Iterator[CompressedWindow]:
    """Compress every window, on one strand or on both."""
    ahead, behind = tee(places)
    results = run(network, (place.ids for place in ahead), settings.batch)
    for place, result in zip(behind, results, strict=True):
        yield forward_window(place, result)
    if settings.both_strands:
        ahead, behind = tee(places)
        reverse = (reverse_complement(place.ids) for place in ahead)
        for place, result in zip(behind, run(network, reverse, settings.batch), strict=True):
            yield reverse_window(place, result)


def forward_window(place: Place, result: Compressed) -> CompressedWindow:
    """The forward strand as it is."""
    return CompressedWindow(
        chrom=place.chrom,
        start=place.start,
        end=place.end,
        strand="+",
        piece=place.piece,
        split=place.split,
        length=len(place.ids),
        token_starts=result.token_starts.astype(np.int32),
        stage_tokens=result.stage_tokens.astype(np.int32),
        bound_bit=result.bound_active,
        boundary_prob=result.boundary_prob,
        nll=None if result.log_prob is None else -result.log_prob,
    )


def reverse_window(place: Place, result: Compressed) -> CompressedWindow:
    """The reverse complement, mapped back: chunk [a, b) there is [L - b, L - a) here."""
    forward = forward_window(place, result)
    ends = np.append(result.token_starts[1:], forward.length)
    return replace(
        forward,
        strand="-",
        token_starts=(forward.length - ends[::-1]).astype(np.int32),
        boundary_prob=None,
        nll=None if forward.nll is None else forward.nll[::-1],
    )


def compress_heldout(
    model: Path,
    places: Places | Sequence[Place],
    settings: Compress,
    out: Path,
    untrained: bool = False,
    bound: BoundKind | None = None,
) -> int:
    """Write the compressed windows of a model; return how many (none is a valid file).

    ``bound`` replaces the model's own bound on tokens; the name of the file's model then
    says so (:func:`genezip.artifacts.scores.under_bound`).
    """
    network, card = open_model(model, untrained)
    network = network.to(choose_device(settings.device))
    name = "untrained" if untrained else card.name
    if bound is not None:
        network.set_bound(bound, list(card.target_bpt.values()))
        name = under_bound(name, bound)
    strands = 2 if settings.both_strands else 1
    compressed = compress_places(network, places, settings)
    windows = progress(compressed, name, strands * len(places), "window")
    return write_compressed(
        out,
        windows,
        name=name,
        seed=card.seed,
        target_bpt=card.target_bpt,
        scale=card.training["scale"],
        source=card.training["source"],
        parameters=network.count_parameters(),
        bound=network.bound,
    )
