"""What every compressor must keep to, checked from outside (:mod:`genezip.models.base`)."""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from genezip.alphabet import encode
from genezip.errors import GenezipError
from genezip.models.base import Compressor, Level, Stream, on_request
from genezip.models.compressed import Compressed, Likelihood, joined
from genezip.models.genezip.compressor import GeneZip
from toolkit.dna import random_dna

TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}  # a batch, a stream and one window sum in another order


def check_protocol(compressor: Compressor, longest: int = 300, seed: int = 0) -> None:
    """Assert all that the protocol promises, on random sequences with N of up to ``longest`` bp."""
    rng = np.random.default_rng(seed)
    least = compressor.shortest_bp
    lengths = [longest, least, least + 1, *rng.integers(least, longest, size=3).tolist()]
    sequences = [random_dna(length, rng) for length in lengths]
    run = longest // 5
    sequences[0] = sequences[0][:run] + "N" * run + sequences[0][2 * run :]
    check_description(compressor)
    check_tokens(compressor, sequences)
    check_forms(compressor, sequences[0])
    check_alone(compressor, sequences[0])
    check_wrong_input(compressor)
    check_vectors(compressor, sequences)
    check_likelihood(compressor, sequences)
    check_flops(compressor, sequences)
    check_stream(compressor, sequences[0], rng)
    check_pictures(compressor, sequences[:2])


def check_description(compressor: Compressor) -> None:
    """What is recorded is JSON; numbers are positive or absent."""
    assert compressor.name
    for values in (compressor.facts, compressor.metadata):
        assert json.loads(json.dumps(dict(values))).keys() == values.keys()
    for number in (compressor.width, compressor.token_width, compressor.vocabulary):
        assert number is None or number > 0
    assert compressor.window_multiple >= 1
    assert compressor.max_bp is None or compressor.max_bp >= compressor.shortest_bp >= 1


def check_tokens(compressor: Compressor, sequences: list[str]) -> None:
    """Chunks tile each sequence, and neither neighbours nor order nor repetition change it."""
    found = compressor.encode(sequences)
    assert len(found) == len(sequences)
    for one, sequence in zip(found, sequences, strict=True):
        assert one.length == len(sequence)
        check_tiling(compressor, one)
    backwards = compressor.encode(sequences[::-1])[::-1]
    for one, other, sequence in zip(found, backwards, sequences, strict=True):
        (alone,) = compressor.encode([sequence])
        assert_same(one, alone)
        assert_same(one, other)
    for starts, one in zip(compressor.boundaries(sequences), found, strict=True):
        assert starts.dtype == np.int64
        np.testing.assert_array_equal(starts, one.token_starts)


def check_tiling(compressor: Compressor, one: Compressed) -> None:
    """Types and shapes of one result."""
    starts, count = one.token_starts, len(one.token_starts)
    assert starts.dtype == np.int64 and starts.shape == (count,)
    assert starts[0] == 0 and (np.diff(starts) > 0).all() and starts[-1] < one.length
    assert one.chunk_bp.sum() == one.length and one.bpt == one.length / count
    assert len(one.bound_active) == len(one.stage_tokens)
    assert count == (one.stage_tokens[-1] if len(one.stage_tokens) else one.length)
    if compressor.vocabulary is None:
        assert one.token_ids is None
    else:
        assert one.token_ids is not None and one.token_ids.dtype == np.int64
        assert one.token_ids.shape == (count,)
        assert ((one.token_ids >= 0) & (one.token_ids < compressor.vocabulary)).all()
    assert (one.boundary_prob is not None) == compressor.gives_prob
    for prob, length in ((one.boundary_prob, one.length), (one.start_prob, count)):
        if prob is not None:
            assert prob.dtype == np.float32 and prob.shape == (length,)
            assert ((prob >= 0) & (prob <= 1)).all()
    if one.kept_by is not None:
        assert one.kept_by.dtype == np.uint8 and one.kept_by.shape == (count,)
    if one.tokens is not None:
        assert one.tokens.shape[0] == count
    assert (one.log_prob is None) == (one.likelihood is None)
    if one.log_prob is not None:
        assert one.log_prob.dtype == np.float32 and one.log_prob.shape == (one.length,)


def assert_same(one: Compressed, other: Compressed) -> None:
    """Two results are equal: numbers of tokens exactly, probabilities and vectors nearly."""
    assert one.length == other.length and one.likelihood == other.likelihood
    for name in ("token_starts", "token_ids", "kept_by", "stage_tokens"):
        assert_equal(getattr(one, name), getattr(other, name), exactly=True)
    for name in ("tokens", "boundary_prob", "start_prob", "log_prob"):
        assert_equal(getattr(one, name), getattr(other, name))
    for inner, its in zip(one.inner_prob, other.inner_prob, strict=True):
        assert_equal(inner, its)


def assert_equal(one: Any, other: Any, exactly: bool = False) -> None:
    """Two arrays are equal, or both are absent."""
    assert (one is None) == (other is None)
    if one is None:
        return
    if exactly:
        np.testing.assert_array_equal(one, other)
    else:
        np.testing.assert_allclose(one, other, **TOLERANCE)


def check_forms(compressor: Compressor, sequence: str) -> None:
    """Text, bytes, arrays and token ids of one sequence are one sequence; case is folded."""
    (expected,) = compressor.encode([sequence])
    codes = np.frombuffer(sequence.encode(), dtype=np.uint8)
    letters = np.array(list(sequence))
    forms = (
        sequence.lower(), sequence.encode(), bytearray(sequence, "ascii"), codes, letters,
        encode(sequence),
    )  # fmt: skip
    for form in forms:
        assert_same(expected, compressor.encode([form])[0])
    assert_same(expected, compressor.encode((sequence,))[0])


def check_alone(compressor: Compressor, sequence: str) -> None:
    """A sequence that is in no list is refused, but by a GeneZip, which returns its one result."""
    if not isinstance(compressor, GeneZip):
        for call in (compressor.encode, compressor.boundaries):
            refused(lambda call=call: call(sequence), r"give \[sequence\]")
        return
    (expected,) = compressor.encode([sequence])
    assert_same(expected, compressor.encode(sequence))
    np.testing.assert_array_equal(compressor.boundaries(sequence), expected.token_starts)
    whole = compressor.encode_with_vectors(sequence)
    assert_same(expected, whole)
    levels: list[Level] = ["base"] if compressor.token_width is None else ["base", "token"]
    for level in levels:
        (listed,) = compressor.embed([sequence], level)
        found = compressor.embed(sequence, level)
        np.testing.assert_array_equal(found.vectors, listed.vectors)
        np.testing.assert_array_equal(found.starts, listed.starts)
    np.testing.assert_allclose(whole.base_vectors, compressor.embed(sequence).vectors, **TOLERANCE)
    assert compressor.encode(()) == compressor.embed([]) == compressor.embed((), "base") == []


def check_wrong_input(compressor: Compressor) -> None:
    """What is no list of DNA is one sentence."""
    assert compressor.encode([]) == [] and compressor.boundaries([]) == []
    for wrong in (["ACGT" * 20, ""], ["ACGT" * 20 + "J"], [1], "", 1, "ACGT" * 20 + "J"):
        refused(lambda wrong=wrong: compressor.encode(wrong))


def check_vectors(compressor: Compressor, sequences: list[str]) -> None:
    """Vectors of the stated width, or a refusal."""
    if compressor.width is None:
        refused(lambda: compressor.embed(sequences), "gives no vectors")
    else:
        for one, sequence in zip(compressor.embed(sequences), sequences, strict=True):
            assert one.vectors.shape == (len(sequence), compressor.width)
            np.testing.assert_array_equal(one.starts, np.arange(len(sequence)))
            (alone,) = compressor.embed([sequence])
            np.testing.assert_allclose(one.vectors, alone.vectors, **TOLERANCE)
    if compressor.token_width is None:
        refused(lambda: compressor.embed(sequences, "token"), "gives no vectors")
        return
    found = compressor.embed(sequences, "token")
    for one, starts in zip(found, compressor.boundaries(sequences), strict=True):
        assert one.vectors.dtype == np.float32
        assert one.vectors.shape == (len(starts), compressor.token_width)
        np.testing.assert_array_equal(one.starts, starts)
    for one, sequence in zip(found, sequences, strict=True):
        (alone,) = compressor.embed([sequence], "token")
        np.testing.assert_array_equal(one.starts, alone.starts)
        np.testing.assert_allclose(one.vectors, alone.vectors, **TOLERANCE)


def check_likelihood(compressor: Compressor, sequences: list[str]) -> None:
    """A likelihood of a stated kind, of which only an exact one has bits per base; or a refusal."""
    ask: dict[str, Any] = {}
    if on_request(compressor):
        refused(lambda: compressor.log_likelihood(sequences), "pseudo=True")
        ask = {"pseudo": True}
        sequences = [sequence[:40] for sequence in sequences]  # a pass for every base
    try:
        found: list[Likelihood] = compressor.log_likelihood(sequences, **ask)
    except GenezipError:
        refused(lambda: compressor.log_likelihood(sequences), "gives no likelihood")
        assert compressor.likelihood is None
        assert all(one.log_prob is None for one in compressor.encode(sequences))
        return
    for one, sequence in zip(found, sequences, strict=True):
        assert one.kind in (compressor.likelihood, "exact")
        assert one.log_prob.shape == (len(sequence),) and one.log_prob.dtype == np.float32
        known = np.isfinite(one.log_prob)
        assert (one.log_prob[known] <= 0).all()
        assert not known[[base == "N" for base in sequence]].any()
        (alone,) = compressor.log_likelihood([sequence], **ask)
        assert alone.kind == one.kind
        np.testing.assert_allclose(one.log_prob, alone.log_prob, **TOLERANCE)
        if one.kind == "exact":
            assert one.bits_per_base == pytest.approx(-one.total / np.log(2) / max(known.sum(), 1))
        else:
            refused(lambda one=one: one.bits_per_base, f"this one is {one.kind}")


def check_flops(compressor: Compressor, sequences: list[str]) -> None:
    """One number per sequence, none negative; or a refusal."""
    found = compressor.encode(sequences)
    lengths = np.array([one.length for one in found])
    tokens = np.array([one.stage_tokens for one in found]).reshape(len(found), -1)
    try:
        flops = compressor.flops(lengths, tokens)
    except GenezipError:
        refused(lambda: compressor.flops(lengths, tokens), "gives no count of operations")
        return
    assert flops.dtype == np.float64 and flops.shape == (len(found),) and (flops >= 0).all()


def check_stream(compressor: Compressor, sequence: str, rng: np.random.Generator) -> None:
    """Blocks give in turn what the whole gives; a copy and a stored state go on alike."""
    if not compressor.streams:
        refused(compressor.stream)
        return
    (whole,) = compressor.encode([sequence])
    for cuts in (3, 10):
        inner = np.sort(rng.integers(0, len(sequence) + 1, size=cuts))  # some blocks may be empty
        edges = [0, *inner.tolist(), len(sequence)]
        blocks = [sequence[a:b] for a, b in pairwise(edges)]
        stream = compressor.stream()
        read = [stream.feed(block) for block in blocks]
        assert_same(whole, joined(read))

        half = len(blocks) // 2
        stream = compressor.stream()
        for block in blocks[:half]:
            stream.feed(block)
        twin, restored = stream.copy(), compressor.stream()
        restored.load_state_dict(stream.state_dict())
        for other in (stream, twin, restored):  # each reads the rest on its own
            for block, expected in zip(blocks[half:], read[half:], strict=True):
                assert_same(expected, other.feed(block))
    check_stream_vectors(compressor, compressor.stream(), sequence)


def check_stream_vectors(compressor: Compressor, stream: Stream, sequence: str) -> None:
    """A stream brings the vectors of the bases where it is asked for them, or refuses."""
    if compressor.width is None:
        refused(lambda: stream.feed(sequence, vectors=True), "gives no vectors")
        return
    half = len(sequence) // 2
    parts = [stream.feed(part, vectors=True) for part in (sequence[:half], sequence[half:])]
    (expected,) = compressor.embed([sequence])
    found = joined(parts).base_vectors
    assert found is not None
    np.testing.assert_allclose(found, expected.vectors, **TOLERANCE)


def check_pictures(compressor: Compressor, sequences: list[str]) -> None:
    """A sequence has a picture, a list one of each; mutations need boundary probabilities."""
    pictures = compressor.plot(sequences)
    assert len(pictures) == 2
    assert all(compressor.name in picture.title for picture in pictures)
    assert "tokens begin here" in compressor.plot(sequences[0], name="mine").title
    if not compressor.gives_prob:
        refused(lambda: compressor.plot(sequences[0], mutate=True), "gives no boundary probability")


def refused(call: Callable[[], Any], words: str | None = None) -> None:
    """Assert that a call ends with one sentence."""
    with pytest.raises(GenezipError, match=words) as caught:
        call()
    sentence = str(caught.value)
    assert "\n" not in sentence and ";" in sentence, sentence
