"""G-grams of training DNA: their number by threshold and by chance, repeats in them, what they are.

The training segments are read once each, without excluded intervals and, where the settings of the
mining say so, without repeats. Found by chance is what the same mining finds where the words of
each block are permuted: their share is an estimate of the false discoveries.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.alphabet import N_ID, is_base
from genezip.config import MaskedWords, Mining
from genezip.corpus.exclusions import read_exclusions
from genezip.errors import GenezipError
from genezip.evaluation.baselines import stretches
from genezip.genome.assembly import Assembly, Segment
from genezip.genome.intervals import covered_mask
from genezip.genome.kmers import KmerSet, canonical_kmers
from genezip.genome.region_map import RegionMap
from genezip.genome.sources.source import Source
from genezip.log import progress
from genezip.models.bpe.compressor import BPE
from genezip.models.compressed import Compressed
from genezip.models.dnazen.ggrams import GGrams
from genezip.models.dnazen.mining import draw_random, mine, permuted, tokenised

logger = logging.getLogger(__name__)

VOCABULARY_COLUMNS = (
    *("model", "threshold", "min_count", "ggrams", "by_chance", "false_share"),
    *("covered_share", "repeat_share", "repeat_share_3", "repeat_share_all", "words"),
    *("shared_bp", "scale"),
)
FREQUENT_COLUMNS = (
    *("model", "dna", "tokens", "count", "pmi", "repeat", "repeat_share"),
    *("region", "region_share", "region_enrichment", "scale"),
)
LONG = 3
"""Tokens of a long G-gram."""
SHARED_BP = 32
"""Bases in a row that make training DNA evaluation DNA, as in the split scheme `unseen`."""
OUTSIDE, UNKNOWN = -1, -2
"""A base in no repeat, and one of DNA without annotated repeats."""


@dataclass(frozen=True)
class TrainingWords:
    """Words of the training DNA in stretches of its segments.

    ``found`` are the words of each stretch, and ``ids`` all of them with a break after each block,
    int64 (n,). ``shared_bp`` are the bases that were left out because they are evaluation DNA.
    """

    stretches: tuple[tuple[Segment, int, int], ...]
    found: tuple[Compressed, ...]
    ids: np.ndarray
    shared_bp: int = 0

    @cached_property
    def offsets(self) -> np.ndarray:
        """First base of every stretch where stretches stand one behind the other, int64."""
        sizes = [end - start for _, start, end in self.stretches]
        return np.cumsum([0, *sizes])[:-1]

    @cached_property
    def spans(self) -> tuple[np.ndarray, np.ndarray]:
        """First base and end of the word of every entry of ``ids``, counted so; -1 at breaks."""
        first, end = np.full((2, len(self.ids)), -1)
        words = self.ids >= 0
        starts = zip(self.found, self.offsets, strict=True)
        first[words] = np.concatenate([one.token_starts + offset for one, offset in starts])
        lengths = np.concatenate([one.chunk_bp for one in self.found])
        end[words] = first[words] + lengths
        return first, end


class RepeatMask:
    """Repeats of the bases of a segment: RepeatMasker's calls, else soft-masked bases.

    ``rmsk`` has the columns chrom, start, end, family and repeat_class, or is None.
    """

    def __init__(self, assembly: Assembly, rmsk: pd.DataFrame | None) -> None:
        self.assembly, self._rmsk = assembly, rmsk

    def known(self, segment: Segment) -> bool:
        """Whether repeats of a segment are known."""
        return segment.soft_masked or (segment.rmsk and self._rmsk is not None)

    def mask(self, segment: Segment, start: int, end: int) -> np.ndarray:
        """Whether each base of an interval is in a repeat, bool (end - start,)."""
        if segment.soft_masked:
            return self.assembly.lower_case(segment, start, end)
        rows = self.rows(segment, start, end)
        assert rows is not None, "repeats that are not known"
        return covered_mask(rows["start"].to_numpy(), rows["end"].to_numpy(), start, end)

    def rows(self, segment: Segment, start: int, end: int) -> pd.DataFrame | None:
        """RepeatMasker's calls in an interval; None where the segment has none."""
        if not segment.rmsk or self._rmsk is None:
            return None
        table = self._rmsk
        inside = (table["chrom"] == segment.chrom) & (table["start"] < end) & (table["end"] > start)
        return table[inside]


def training_words(
    assembly: Assembly,
    tokenizer: BPE,
    most_bp: int,
    excluded: pd.DataFrame | None = None,
    repeats: RepeatMask | None = None,
    unseen: KmerSet | None = None,
) -> TrainingWords:
    """Words of the training segments; what is left out of the mining is N.

    Left out are ``excluded`` intervals (columns chrom, start, end), ``repeats`` if they are given,
    and every stretch of :data:`SHARED_BP` bases that is in ``unseen``, the k-mers of DNA on which
    models are evaluated.
    """
    parts = tuple(stretches(assembly.segments_of("train"), most_bp))
    _refuse_held_out(assembly, parts)
    sequences, shared_bp = [], 0
    for segment, start, end in parts:
        ids = assembly.ids(segment, start, end)
        if excluded is not None:
            rows = excluded[excluded["chrom"] == segment.chrom]
            gone = covered_mask(rows["start"].to_numpy(), rows["end"].to_numpy(), start, end)
            ids = np.where(gone, N_ID, ids).astype(np.uint8)
        if repeats is not None:
            if not repeats.known(segment):
                raise GenezipError(
                    f"repeats of the segment {segment.name} are not known, so they cannot be left "
                    "out; give a source with RepeatMasker calls or soft-masked bases, or unset "
                    "without_repeats"
                )
            ids = np.where(repeats.mask(segment, start, end), N_ID, ids).astype(np.uint8)
        if unseen is not None:
            shared = shared_bases(ids, unseen)
            shared_bp += int(shared.sum())
            ids = np.where(shared, N_ID, ids).astype(np.uint8)
        sequences.append(ids)
    if not any(is_base(one).any() for one in sequences):
        raise GenezipError(
            "the source has no training DNA outside the excluded intervals, in which G-grams could "
            "be mined; exclude less"
        )
    found = tuple(tokenizer.encode(sequences))
    ids = np.concatenate([tokenised(one, tokenizer.block_bp) for one in found])
    return TrainingWords(parts, found, ids, shared_bp)


def evaluation_kmers(sequences: Sequence[np.ndarray]) -> KmerSet:
    """The k-mers of :data:`SHARED_BP` bases of sequences on which models are evaluated."""
    none = np.zeros(0, dtype=np.uint64)
    return KmerSet(np.concatenate([none, *(canonical_kmers(ids, SHARED_BP) for ids in sequences)]))


def shared_bases(ids: np.ndarray, kmers: KmerSet) -> np.ndarray:
    """Whether each base is in a k-mer of a set, on either strand: bool (L,)."""
    known = np.append(0, np.cumsum(~is_base(ids)))
    starts = np.flatnonzero(known[SHARED_BP:] == known[:-SHARED_BP])
    _, found = kmers.positions(canonical_kmers(ids, SHARED_BP))
    edges = np.zeros(len(ids) + 1, dtype=np.int64)
    np.add.at(edges, starts[found], 1)
    np.add.at(edges, starts[found] + SHARED_BP, -1)
    return np.asarray(np.cumsum(edges)[:-1] > 0)


def mining_words(
    source: Source,
    tokenizer: BPE,
    mining: Mining,
    most_bp: int,
    exclusions: Path | None,
    evaluated: Sequence[np.ndarray] = (),
) -> TrainingWords:
    """The words of a source in which G-grams are mined.

    ``exclusions`` is a table of :func:`genezip.corpus.exclusions.write_exclusions`, or None;
    ``evaluated`` are sequences on which models are evaluated, uint8 token ids.
    """
    assembly = source.assembly()
    excluded = None if exclusions is None else read_exclusions(exclusions, source.chrom_sizes())
    repeats = RepeatMask(assembly, source.rmsk()) if mining.without_repeats else None
    unseen = evaluation_kmers(evaluated) if len(evaluated) else None
    found = training_words(assembly, tokenizer, most_bp, excluded, repeats, unseen)
    if unseen is not None:
        logger.info(
            f"{found.shared_bp:,} bases of the training DNA share {SHARED_BP} bases with one of "
            f"{len(evaluated):,} sequences of labelled sets, and are not mined"
        )
    return found


def _refuse_held_out(assembly: Assembly, parts: Sequence[tuple[Segment, int, int]]) -> None:
    """Refuse training DNA that shares bases with validation or held-out segments."""
    others = [one for split in ("valid", "test") for one in assembly.segments_of(split)]
    for segment, start, end in parts:
        for other in others:
            if other.chrom == segment.chrom and other.start < end and start < other.end:
                raise GenezipError(
                    f"the training segment {segment.name} shares bases with {other.name}, which "
                    f"is {other.split} DNA; G-grams are mined on training DNA alone, so correct "
                    "the splits"
                )


def mine_words(words: TrainingWords, tokenizer: BPE, settings: Mining, seed: int) -> GGrams:
    """G-grams of training words, or random ones in their place; none at all are refused."""
    found = mine(words.ids, tokenizer.vocabulary, settings)
    if not len(found):
        raise GenezipError(
            f"no G-gram of the training DNA reaches the threshold {settings.threshold:g} and "
            f"{settings.min_count} occurrences; lower them, or mine more DNA"
        )
    return draw_random(words.ids, found, seed) if settings.random else found


def vocabulary_rows(
    words: TrainingWords,
    tokenizer: BPE,
    mining: Mining,
    settings: MaskedWords,
    repeats: RepeatMask,
    name: str,
    scale: str,
) -> pd.DataFrame:
    """Table of the numbers of G-grams by threshold, of :data:`VOCABULARY_COLUMNS`.

    ``false_share`` is the number found by chance over the number found. ``covered_share`` is that
    of the words that any G-gram covers; ``repeat_share`` and ``repeat_share_3`` are those of the
    bases in G-grams (of at least 3 words) that lie in repeats, beside ``repeat_share_all`` of all
    bases; they are empty where repeats are not known. ``shared_bp`` are the bases that were left
    out because they are evaluation DNA.
    """
    chance = permuted(words.ids, settings.seed)
    masked = _repeat_sums(words, repeats)
    rows = []
    for threshold in progress(sorted({*settings.thresholds, mining.threshold}), "thresholds"):
        own = mining.model_copy(update={"threshold": threshold, "random": False})
        found = mine(words.ids, tokenizer.vocabulary, own)
        by_chance = len(mine(chance, tokenizer.vocabulary, own))
        every, long = _covered(words, found, 2), _covered(words, found, LONG)
        rows.append(
            {
                "model": name,
                "threshold": threshold,
                "min_count": own.min_count,
                "ggrams": len(found),
                "by_chance": by_chance,
                "false_share": by_chance / len(found) if len(found) else None,
                "covered_share": float(every[words.ids >= 0].mean()),
                "repeat_share": _repeat_share(words, masked, every),
                "repeat_share_3": _repeat_share(words, masked, long),
                "repeat_share_all": _repeat_share(words, masked, words.ids >= 0),
                "words": int((words.ids >= 0).sum()),
                "shared_bp": words.shared_bp,
                "scale": scale,
            }
        )
    return pd.DataFrame(rows, columns=[*VOCABULARY_COLUMNS])


def _repeat_sums(words: TrainingWords, repeats: RepeatMask) -> tuple[np.ndarray, np.ndarray]:
    """Running sums of the bases of all stretches: those whose repeats are known, those in one."""
    known, inside = [], []
    for segment, start, end in words.stretches:
        there = repeats.known(segment)
        known.append(np.full(end - start, there))
        inside.append(repeats.mask(segment, start, end) if there else np.zeros(end - start, bool))
    sums = [np.append(0, np.cumsum(np.concatenate(one))) for one in (known, inside)]
    return sums[0], sums[1]


def _covered(words: TrainingWords, table: GGrams, least: int) -> np.ndarray:
    """Whether each entry of the words is in a G-gram of at least so many words, bool (n,)."""
    found = table.find(words.ids)
    long = found[found.length >= least]
    edges = np.zeros(len(words.ids) + 1, dtype=np.int64)
    np.add.at(edges, long.start, 1)
    np.add.at(edges, long.start + long.length, -1)
    return np.asarray(np.cumsum(edges)[:-1] > 0)


def _repeat_share(
    words: TrainingWords, sums: tuple[np.ndarray, np.ndarray], chosen: np.ndarray
) -> float | None:
    """Share of the bases of the chosen words that lie in repeats; None where none are known."""
    first, end = (one[chosen] for one in words.spans)
    known, inside = (int((before[end] - before[first]).sum()) for before in sums)
    return inside / known if known else None


def frequent_rows(
    words: TrainingWords,
    table: GGrams,
    tokenizer: BPE,
    repeats: RepeatMask,
    region_map: RegionMap,
    most: int,
    name: str,
    scale: str,
) -> pd.DataFrame:
    """Table of the most frequent G-grams with what they are, of :data:`FREQUENT_COLUMNS`.

    ``repeat`` is the class of repeats in which most of its bases lie, with their share among its
    bases in annotated DNA; empty outside annotated DNA. ``region`` is the class of regions in which
    it is enriched most, by the share of its bases there over that of all training bases.
    """
    top = np.argsort(-table.counts, kind="stable")[:most]
    found = table.find(words.ids)
    classes = region_map.region_classes
    region_of = np.concatenate(
        [region_map.ids(segment.chrom, start, end) for segment, start, end in words.stretches]
    )
    everywhere = np.bincount(region_of, minlength=len(classes)) / len(region_of)
    kind_of, kinds = _repeat_classes(words, repeats)
    spelled = {number: word for word, number in tokenizer.tokenizer.get_vocab().items()}
    rows = []
    for ggram in top.tolist():
        own = found[found.ggram == ggram]
        dna = "".join(spelled[one] for one in table.tokens[ggram].tolist() if one >= 0)
        bases = (words.spans[0][own.start][:, None] + np.arange(len(dna))).ravel()
        regions = np.bincount(region_of[bases], minlength=len(classes)) / max(len(bases), 1)
        enriched = np.divide(regions, everywhere, out=np.zeros_like(regions), where=everywhere > 0)
        region = int(np.argmax(enriched))
        here = kind_of[bases]
        annotated = int((here != UNKNOWN).sum())
        counts = np.bincount(here[here > OUTSIDE], minlength=len(kinds))
        kind = int(np.argmax(counts)) if counts.any() else None
        rows.append(
            {
                "model": name,
                "dna": dna,
                "tokens": int(table.lengths[ggram]),
                "count": int(table.counts[ggram]),
                "pmi": None if np.isnan(table.pmi[ggram]) else float(table.pmi[ggram]),
                "repeat": None if kind is None else kinds[kind],
                "repeat_share": None if kind is None else counts[kind] / annotated,
                "region": classes.names[region],
                "region_share": float(regions[region]),
                "region_enrichment": float(enriched[region]),
                "scale": scale,
            }
        )
    return pd.DataFrame(rows, columns=[*FREQUENT_COLUMNS])


def _repeat_classes(words: TrainingWords, repeats: RepeatMask) -> tuple[np.ndarray, list[str]]:
    """Class of the repeat at each base of all stretches, int16, and the names of the classes.

    Bases in no repeat are :data:`OUTSIDE`, those of segments without annotation :data:`UNKNOWN`.
    """
    numbers: dict[str, int] = {}
    parts = []
    for segment, start, end in words.stretches:
        rows = repeats.rows(segment, start, end)
        part = np.full(end - start, UNKNOWN if rows is None else OUTSIDE, dtype=np.int16)
        if rows is not None:
            columns = (rows[name].tolist() for name in ("start", "end", "repeat_class"))
            for first, last, name in zip(*columns, strict=True):
                number = numbers.setdefault(str(name), len(numbers))
                part[max(first - start, 0) : last - start] = number
        parts.append(part)
    return np.concatenate(parts), [*numbers]
