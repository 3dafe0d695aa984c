"""Features of a pair: vectors of a frozen model on both alleles of its sequence.

The full sequence of a pair is read with the variant (or element) inside, on both strands. Both
alleles have the same bases up to the variant, so a streaming model reads these once and continues
with either allele from a snapshot. ``last`` is the vector of the last base, ``mean`` the mean over
all bases from the variant on; those of earlier bases are equal in a causal model.

The input ``authors`` is the release input (arXiv 2602.17739): the first 12,800 bp of the forward
strand, mean over all of them, N included.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from genezip.config.tasks import Input
from genezip.errors import GenezipError
from genezip.inference.forward import base_vectors, sequence_vectors, vectors_bp
from genezip.models.base import Compressor, Stream, vector_width
from genezip.tasks.features import Extraction, StorePlan
from genezip.tasks.pairs.examples import PairExamples
from genezip.tasks.pairs.sequences import ALLELES, STRANDS, SUMMARIES, PairSequences, release_input

FULL_BLOCKS = tuple(f"{s}.{m}.{a}" for s in STRANDS for m in SUMMARIES for a in ALLELES)
RELEASE_BLOCKS = tuple(f"forward.mean.{allele}" for allele in ALLELES)
ROWS_PER_PART = 64
SEQUENCES_AT_A_TIME = 16  # of 12,800 bp, whose vectors are in memory together


def full_features(compressor: Compressor, pair: PairSequences) -> np.ndarray:
    """Features of one pair from its whole sequence: float32 (8, width), as :data:`FULL_BLOCKS`."""
    found = {}
    for strand, oriented in zip(STRANDS, (pair, pair.reverse_complement()), strict=True):
        for allele, (last, mean) in zip(ALLELES, _alleles(compressor, oriented), strict=True):
            found[f"{strand}.last.{allele}"] = last
            found[f"{strand}.mean.{allele}"] = mean
    return np.stack([found[name] for name in FULL_BLOCKS])


def full_features_slow(compressor: Compressor, pair: PairSequences) -> np.ndarray:
    """The same features by one whole pass per allele and strand (slow; the definition)."""
    found = {}
    for strand, oriented in zip(STRANDS, (pair, pair.reverse_complement()), strict=True):
        for allele, ids in zip(ALLELES, (oriented.reference, oriented.alternative), strict=True):
            states = np.concatenate(list(base_vectors(compressor, ids)))
            found[f"{strand}.last.{allele}"] = states[-1]
            tail = states[oriented.focus_start :]
            found[f"{strand}.mean.{allele}"] = tail.mean(0, dtype=np.float64).astype(np.float32)
    return np.stack([found[name] for name in FULL_BLOCKS])


def _alleles(
    compressor: Compressor, pair: PairSequences
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Last vector and mean of the reference, then of the alternative."""
    focus = pair.focus_start
    sequences = (pair.reference, pair.alternative)
    if focus >= min(len(ids) for ids in sequences):
        raise GenezipError(
            f"a pair has no base at or after its variant at {focus}; prepare the task again"
        )
    if not compressor.streams:
        start, stop = window(focus, max(len(ids) for ids in sequences), compressor.max_bp)
        for ids in sequences:
            yield _summary(_from(base_vectors(compressor, ids[start:stop]), focus - start))
        return
    shared, step = compressor.stream(), vectors_bp(compressor)
    for part in _parts(sequences[0][:focus], step):
        shared.feed(part)
    for ids in sequences:
        yield _summary(_vectors(shared.copy(), ids[focus:], step))


def _vectors(stream: Stream, ids: np.ndarray, step: int) -> Iterator[np.ndarray]:
    for part in _parts(ids, step):
        block = stream.feed(part, vectors=True)
        assert block.base_vectors is not None
        yield block.base_vectors


def window(focus: int, length: int, max_bp: int | None) -> tuple[int, int]:
    """Window of both alleles, start and stop, for a model that reads at most ``max_bp`` bases.

    The window is the end of the sequence (``length`` of the longer allele) where that holds the
    variant's first base ``focus``; else it has the variant in its middle. Both alleles share it, so
    they still begin with equal bases.
    """
    if max_bp is None or length <= max_bp:
        return 0, length
    start = length - max_bp
    if focus < start:
        start = max(0, focus - max_bp // 2)
    return start, start + max_bp


def _parts(ids: np.ndarray, step: int) -> Iterator[np.ndarray]:
    """Consecutive parts of ``step`` bases; the last one may be shorter."""
    for start in range(0, len(ids), step):
        yield ids[start : start + step]


def _from(blocks: Iterable[np.ndarray], first: int) -> Iterator[np.ndarray]:
    """Blocks without the first ``first`` bases."""
    for block in blocks:
        if first < len(block):
            yield block[first:]
        first = max(0, first - len(block))


def _summary(blocks: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Last vector and mean, summed in float64; float32 arrays, shape (width,)."""
    total, count, last = 0.0, 0, np.zeros(0)
    for block in blocks:
        total = total + block.sum(0, dtype=np.float64)
        count += len(block)
        last = block[-1]
    return np.array(last, dtype=np.float32), np.asarray(total / count, dtype=np.float32)


def release_features(
    compressor: Compressor, pairs: Sequence[PairSequences]
) -> tuple[np.ndarray, int]:
    """Mean vectors of the first 12,800 bp of pairs, and the number of bases that the model read.

    The model reads equal sequences once: most variants lie beyond the cut, so both alleles of a
    pair, and pairs of one gene, often have the same bases. Float32, shape (len(pairs), 2, width),
    as :data:`RELEASE_BLOCKS`.
    """
    distinct: dict[bytes, int] = {}
    sequences: list[np.ndarray] = []
    indices = []
    for pair in pairs:
        for ids in release_input(pair):
            key = ids.tobytes()
            if key not in distinct:
                distinct[key] = len(sequences)
                sequences.append(ids)
            indices.append(distinct[key])
    means = [
        vectors.mean(0, dtype=np.float64).astype(np.float32)
        for vectors in sequence_vectors(compressor, sequences, SEQUENCES_AT_A_TIME)
    ]
    features = np.stack([means[index] for index in indices])
    return features.reshape(len(pairs), 2, -1), sum(len(ids) for ids in sequences)


def pair_features(compressor: Compressor, examples: PairExamples, input: Input) -> Extraction:
    """How the features of all pairs of a prepared folder are computed.

    The compressor streams where it can for the input ``full``, and has its own bound for
    ``authors``; ``contrast`` reads the store of ``full``.
    """
    names = RELEASE_BLOCKS if input == "authors" else FULL_BLOCKS
    blocks = dict.fromkeys(names, vector_width(compressor))
    plan = StorePlan.of(examples.prepared, examples.table, input, compressor.facts, blocks)

    def release(rows: range) -> tuple[np.ndarray, int]:
        features, bases = release_features(compressor, [examples.sequences(row) for row in rows])
        return features.reshape(len(rows), -1), bases

    def full(rows: range) -> tuple[np.ndarray, int]:
        found, bases = [], 0
        for row in rows:
            pair = examples.sequences(row)
            found.append(full_features(compressor, pair).reshape(-1))
            bases += bases_read(compressor, pair)
        return np.stack(found), bases

    # an interruption may lose one part; whole sequences take far longer
    if input == "authors":
        return Extraction(plan, release, ROWS_PER_PART)
    return Extraction(plan, full, ROWS_PER_PART // 8)


def bases_read(compressor: Compressor, pair: PairSequences) -> int:
    """Number of bases that the model reads for :func:`full_features` of a pair."""
    total = 0
    for oriented in (pair, pair.reverse_complement()):
        lengths = len(oriented.reference), len(oriented.alternative)
        if compressor.streams:
            total += sum(lengths) - oriented.focus_start
        else:
            start, stop = window(oriented.focus_start, max(lengths), compressor.max_bp)
            total += sum(min(stop, length) - start for length in lengths)
    return total
