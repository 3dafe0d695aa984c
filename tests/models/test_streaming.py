"""Streams: blocks of any length give what one pass over the whole gives."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from toolkit.dna import random_ids_and_n
from toolkit.networks import CAUSAL, FREE, speaking_network, toy_card

from genezip.alphabet import decode
from genezip.errors import GenezipError
from genezip.models.genezip.compressor import GeneZip
from genezip.models.hnet.losses import base_nll
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.hnet.output import Output
from genezip.models.hnet.streaming import Block, Stream


def whole(network: GeneZipNetwork, ids: np.ndarray, **kwargs: object) -> tuple[Output, np.ndarray]:
    """One pass, and the log-probability of every base."""
    batch = torch.from_numpy(ids).unsqueeze(0)
    with torch.inference_mode():
        output = network(batch, **kwargs)
    nll, informative = base_nll(output.logits, batch)
    log_prob = -nll.masked_fill(~informative, torch.nan)[0].numpy()
    return output, np.append(np.nan, log_prob)


def blocks(
    network: GeneZipNetwork, ids: np.ndarray, size: int, masks: list[np.ndarray] | None = None
) -> Iterator[Block]:
    """Feed in blocks; ``masks`` (of the whole, one per stage) are forced."""
    stream, inner = Stream(network), 0
    for start in range(0, len(ids), size):
        part = ids[start : start + size]
        forced = None
        if masks is not None:
            outer = masks[0][start : start + size]
            count = int(outer.sum())
            forced = [outer, masks[1][inner : inner + count]]
            inner += count
        tensors = None if forced is None else [torch.from_numpy(m).unsqueeze(0) for m in forced]
        yield stream.feed_ids(part, forced=tensors)


def joined(parts: list[Block], name: str) -> np.ndarray:
    return np.concatenate([getattr(part, name) for part in parts])


@pytest.mark.parametrize("bound", [FREE, CAUSAL], ids=["free", "causal"])
@pytest.mark.parametrize("size", [1, 7, 8192])
def test_fp64_masks_identical_and_log_probabilities_to_1e_9(bound: dict, size: int) -> None:
    network = speaking_network(**bound).double()
    ids = random_ids_and_n(20_000 if size == 8192 else 150)
    output, log_prob = whole(network, ids)
    parts = list(blocks(network, ids, size))
    positions, _ = output.token_positions()
    assert joined(parts, "token_positions").tolist() == positions[0].tolist()
    assert joined(parts, "kept_by").tolist() == output.kept_by()[0].tolist()
    np.testing.assert_allclose(joined(parts, "log_prob"), log_prob, atol=1e-9, rtol=0)
    np.testing.assert_allclose(joined(parts, "tokens"), output.tokens[0], atol=1e-9, rtol=0)
    for stage, routing in enumerate(output.routings):
        found = np.concatenate([(part.boundary_prob, *part.inner_prob)[stage] for part in parts])
        np.testing.assert_allclose(found, routing.boundary_prob[0], atol=1e-9, rtol=0)


@pytest.mark.parametrize("size", [1, 7, 8192])
def test_fp32_with_forced_masks(size: int) -> None:
    network = speaking_network(**FREE)
    ids = random_ids_and_n(20_000 if size == 8192 else 150)
    random = np.random.default_rng(1)
    outer = random.random(len(ids)) < 0.2
    outer[0] = True
    inner = random.random(int(outer.sum())) < 0.2
    inner[0] = True
    forced = [torch.from_numpy(mask).unsqueeze(0) for mask in (outer, inner)]
    output, log_prob = whole(network, ids, forced=forced)
    parts = list(blocks(network, ids, size, [outer, inner]))
    np.testing.assert_allclose(joined(parts, "log_prob"), log_prob, atol=1e-4, rtol=0)
    for stage, routing in enumerate(output.routings):
        found = np.concatenate([(part.boundary_prob, *part.inner_prob)[stage] for part in parts])
        np.testing.assert_allclose(found, routing.boundary_prob[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("stage", [0, 1])
def test_blocks_without_a_boundary_leave_the_inner_states_alone(stage: int) -> None:
    """Bases before a block's first boundary read the carried average."""
    network = speaking_network(**FREE).double()
    ids = random_ids_and_n(400)
    outer = np.zeros(400, dtype=bool)
    outer[[0, 5, 9, 350]] = True  # blocks of 50: none in the second to seventh
    if stage == 1:
        outer[100:300:3] = True  # tokens at stage 0, none of them kept at stage 1
    inner = np.zeros(int(outer.sum()), dtype=bool)
    inner[[0, -1]] = True
    forced = [torch.from_numpy(mask).unsqueeze(0) for mask in (outer, inner)]
    _, log_prob = whole(network, ids, forced=forced)
    stream = Stream(network)
    found, kept = [], 0
    for start in range(0, 400, 50):
        part = outer[start : start + 50]
        count = int(part.sum())
        masks = [part, inner[kept : kept + count]]
        kept += count
        trunk = [mixer.ssm for mixer in stream.state.trunk.mixers]
        block = stream.feed_ids(
            ids[start : start + 50],
            forced=[torch.from_numpy(mask).unsqueeze(0) for mask in masks],
        )
        found.append(block.log_prob)
        if not masks[1].any():
            assert len(block.tokens) == 0
            after = [mixer.ssm for mixer in stream.state.trunk.mixers]
            assert all(a is b for a, b in zip(trunk, after, strict=True))
    np.testing.assert_allclose(np.concatenate(found), log_prob, atol=1e-9, rtol=0)


def test_a_block_that_fails_leaves_the_stream_where_it_was() -> None:
    """Out of memory, then smaller blocks: the same as if nothing had happened."""
    network = speaking_network(**CAUSAL).double()
    ids = random_ids_and_n(300)
    _, log_prob = whole(network, ids)
    stream = Stream(network)

    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("for the test")

    hook = network.trunk.register_forward_pre_hook(fail)
    with pytest.raises(torch.OutOfMemoryError):
        stream.feed_ids(ids)
    hook.remove()
    found = [stream.feed_ids(ids[start : start + 100]).log_prob for start in (0, 100, 200)]
    np.testing.assert_allclose(np.concatenate(found), log_prob, atol=1e-9, rtol=0)


def test_a_forced_mask_would_leave_the_causal_bound_behind() -> None:
    masks = [torch.ones(1, 5, dtype=torch.bool)] * 2
    with pytest.raises(GenezipError, match="forced mask does not update the causal bound"):
        Stream(speaking_network(**CAUSAL)).feed_ids(random_ids_and_n(5), forced=masks)


def test_only_the_start_of_the_sequence_has_probability_one() -> None:
    parts = list(blocks(speaking_network(**FREE), random_ids_and_n(200), 20))
    assert parts[0].boundary_prob[0] == 1
    assert all(part.boundary_prob[0] < 1 for part in parts[1:])


@pytest.mark.parametrize("bound", [FREE, CAUSAL], ids=["free", "causal"])
def test_a_snapshot_equals_the_whole(bound: dict) -> None:
    """Reference and alternative share their prefix, and do not disturb each other."""
    network = speaking_network(**bound).double()
    prefix, reference = random_ids_and_n(300), random_ids_and_n(100, seed=5)
    alternative = np.append([reference[0] % 4 + 3], reference[1:]).astype(np.uint8)
    shared = Stream(network)
    shared.feed_ids(prefix)
    copies = [shared.copy(), shared.copy()]
    found = [
        copy.feed_ids(allele).log_prob
        for copy, allele in zip(copies, (reference, alternative), strict=True)
    ]
    again = shared.feed_ids(reference).log_prob
    np.testing.assert_array_equal(found[0], again)
    for allele, log_prob in zip((reference, alternative), found, strict=True):
        _, want = whole(network, np.concatenate([prefix, allele]))
        np.testing.assert_allclose(log_prob, want[300:], atol=1e-9, rtol=0)
    assert abs(np.nansum(found[0]) - np.nansum(found[1])) > 1e-3


@pytest.mark.parametrize("bound", [FREE, CAUSAL], ids=["free", "causal"])
def test_generation_equals_the_parallel_pass(bound: dict) -> None:
    """The most probable base at every step, found again in one pass over the result."""
    network = speaking_network(**bound).double()
    prompt = random_ids_and_n(40)
    stream = Stream(network)
    stream.feed_ids(prompt)
    made = stream.generate(60, temperature=0)
    ids = np.concatenate([prompt, np.frombuffer(made.encode(), dtype=np.uint8)])
    ids[40:] = [3 + "ACGT".index(base) for base in made]
    output, _ = whole(network, ids)
    best = output.logits[0, 39:-1, 3:7].argmax(-1) + 3
    assert best.tolist() == ids[40:].tolist()


def test_generation_follows_seed_and_temperature() -> None:
    def draw(seed: int, temperature: float = 1.0) -> str:
        stream = Stream(speaking_network(**FREE))
        stream.feed("ACGTACGT")
        return stream.generate(25, temperature, seed)

    first = draw(1)
    assert first == draw(1) != draw(2)
    assert set(first) <= set("ACGT")
    with pytest.raises(GenezipError, match="temperature"):
        draw(1, -1.0)
    with pytest.raises(GenezipError, match="-1 bases"):
        Stream(speaking_network(**FREE)).generate(-1)
    with pytest.raises(GenezipError, match="prompt"):
        Stream(speaking_network(**FREE)).generate(1)


def zipper(**changes: object) -> GeneZip:
    network = speaking_network(**changes)
    return GeneZip(network, toy_card(network.shape, seed=0))


def test_the_sequence_bound_refuses_to_stream() -> None:
    model = zipper()
    for call in (model.stream, lambda: model.generate("ACGT", 5)):
        with pytest.raises(GenezipError, match="sequence depends on the whole sequence"):
            call()
    model.network.set_bound("causal", [16.0] * 7)
    assert len(model.generate("ACGT", 5)) == 5


def test_long_sequences_under_the_sequence_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """One window, or an answer; window by window only when asked, and the output says so."""
    monkeypatch.setattr("genezip.models.genezip.compressor.ONE_WINDOW_BP", 500)
    model, text = zipper(), decode(random_ids_and_n(700))
    assert model.compress(text[:500]).mode == "one window"
    for call in (model.compress, model.log_likelihood):
        with pytest.raises(GenezipError, match="window_bp for independent windows"):
            call(text)
    windowed = model.compress(text, window_bp=200)
    assert windowed.mode == "windows of 200 bp"
    alone = model.compress(text[200:400])
    inside = (windowed.token_starts >= 200) & (windowed.token_starts < 400)
    assert (windowed.token_starts[inside] - 200).tolist() == alone.token_starts.tolist()
    np.testing.assert_allclose(windowed.tokens[inside], alone.tokens, atol=1e-5)
    found = model.log_likelihood(text, window_bp=200)
    assert np.isnan(found.log_prob[[0, 200, 400, 600]]).all()
    assert (found.mode, len(found.looked_ahead)) == ("windows of 200 bp", 4)
    bites = zipper(k_min=(150, 2)).log_likelihood(text[:200])
    assert (bites.mode, bites.looked_ahead.tolist()) == ("one window", [True])
    assert bites.kind == "looked_ahead"
    with pytest.raises(GenezipError, match="need an exact likelihood, but this one is looked_a"):
        _ = bites.bits_per_base


@pytest.mark.parametrize(
    "changes", [FREE, CAUSAL, {"router": ("block", "block"), "stride": (3, 4)}]
)
def test_compress_streams_to_the_same_result(changes: dict) -> None:
    model, ids = zipper(**changes), random_ids_and_n(333)
    model.block_bp = 64
    z = model.compress(decode(ids))
    output, log_prob = whole(model.network, ids)
    starts, _ = output.token_starts()
    assert z.mode == "stream"
    assert z.token_starts.tolist() == starts[0].tolist()
    assert z.chunk_bp.sum() == 333 and (z.chunk_bp > 0).all()
    assert len(z.boundary_prob) == 333
    assert len(z.inner_prob[0]) == int(output.routings[0].boundary_mask.sum())
    assert z.tokens.shape == (len(z.chunk_bp), model.network.shape.d_model[-1])
    found = model.log_likelihood(decode(ids))
    assert (found.kind, found.mode, len(found.looked_ahead)) == ("exact", "stream", 0)
    np.testing.assert_allclose(found.log_prob, log_prob, atol=1e-4)
    assert found.total == pytest.approx(np.nansum(log_prob), rel=1e-5)
    predicted = np.isfinite(log_prob).sum()
    assert found.bits_per_base == pytest.approx(-found.total / predicted / np.log(2))


def test_windows_of_a_unet_may_end_in_less_than_a_block() -> None:
    """Bases of the tail belong to the last token; a likelihood needs no token at all."""
    model = zipper(router=("block", "block"), stride=(3, 4))
    text = decode(random_ids_and_n(105))
    z = model.compress(text, window_bp=50)  # windows of 50, 50 and 5 bases, blocks of 12
    assert z.token_starts.tolist() == [0, 12, 24, 36, 50, 62, 74, 86]
    assert z.chunk_bp.tolist() == [12, 12, 12, 14, 12, 12, 12, 19]
    assert np.isfinite(model.log_likelihood(text[:9]).log_prob[1:]).any()
    with pytest.raises(GenezipError, match="shorter than the blocks"):
        model.compress(text[:9])
    with pytest.raises(GenezipError, match="whole number"):
        model.compress(text, window_bp=50.0)


def test_kept_by_names_the_bound() -> None:
    floor = zipper(k_min=(200, 3)).compress(decode(random_ids_and_n(300)))
    assert set(floor.kept_by.tolist()) <= {0, 1}
    assert 1 in floor.kept_by
    assert floor.bound_active[0]
    forced = zipper(**{**CAUSAL, "max_chunk": (2, 2)}).compress(decode(random_ids_and_n(300)))
    assert 2 in forced.kept_by
    assert forced.bound_active.all()


def test_shorter_than_one_convolution() -> None:
    for call in (zipper().compress, zipper().log_likelihood):
        with pytest.raises(GenezipError, match=r"3 bases, fewer than one convolution .* \(4\)"):
            call("ACG")


def test_a_state_is_for_one_sequence() -> None:
    network = speaking_network(**FREE)
    with pytest.raises(ValueError, match="one sequence"):
        network(torch.full((2, 5), 3), state=network.start())


def test_segments_do_not_change_the_result() -> None:
    network = speaking_network(k_min=(30, 8)).double()
    ids = random_ids_and_n(500)
    _, one = whole(network, ids)
    network.segment = {"cpu": 64}
    _, many = whole(network, ids)
    np.testing.assert_allclose(many, one, atol=1e-9, rtol=0)


def test_a_block_has_a_short_name() -> None:
    """As every result: a notebook would print all of its arrays."""
    block = Stream(speaking_network(**FREE)).feed("ACGT" * 2000)
    assert len(repr(block)) < 400 and repr(block).startswith("Compressed(bases: 8,000")
