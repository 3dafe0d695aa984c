"""A frozen model gives one vector per base, whatever way the bases went through it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from toolkit.dna import random_ids_and_n
from toolkit.networks import CAUSAL, FREE, save_toy, speaking_network, toy_card

from genezip.alphabet import N_ID
from genezip.errors import GenezipError
from genezip.inference.forward import base_vectors
from genezip.models import load
from genezip.models.genezip.compressor import ONE_WINDOW_BP, GeneZip
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.hnet.windows import run_batch

BOUNDS = {
    "none": FREE,
    "causal": CAUSAL,
    "sequence": {"bound": "sequence"},
    "blocks": {"bound": "none", "router": ("block", "block"), "stride": (4, 3)}
    | {"k_min": (), "k_max": ()},
}


def small(bound: str, **changes: object) -> GeneZipNetwork:
    return speaking_network(**BOUNDS[bound], **changes)


def compressor(bound: str, block_bp: int = 64, double: bool = True) -> GeneZip:
    network = small(bound)
    made = GeneZip(network.double() if double else network, toy_card(network.shape))
    made.block_bp = block_bp
    return made


def one_pass(model: GeneZip, ids: np.ndarray) -> np.ndarray:
    """The definition: the whole sequence through the network at once."""
    with torch.inference_mode():
        return model.network(torch.from_numpy(ids).unsqueeze(0)).states[0].float().numpy()


@pytest.mark.parametrize("bound", list(BOUNDS))
@pytest.mark.parametrize("block_bp", [1, 37, 1000])
def test_states_in_blocks_are_those_of_one_pass(bound: str, block_bp: int) -> None:
    length = 300 if block_bp > 1 else 60
    model, ids = compressor(bound, block_bp), random_ids_and_n(length)
    found = np.concatenate(list(base_vectors(model, ids)))
    assert found.shape == (length, 16) and found.dtype == np.float32
    np.testing.assert_allclose(found, one_pass(model, ids), rtol=0, atol=1e-6)


@pytest.mark.parametrize("bound", list(BOUNDS))
def test_tokens_are_those_of_one_window(bound: str) -> None:
    model, ids = compressor(bound, 50), random_ids_and_n(300)
    (found,) = model.embed([ids], "token")
    starts, vectors = found.starts, found.vectors
    window = run_batch(model.network, [ids])[0]
    assert starts.dtype == np.int64 and starts[0] == 0
    assert starts.tolist() == window.token_starts.tolist()
    assert vectors.dtype == np.float32 and vectors.shape == (len(starts), model.token_width)
    np.testing.assert_allclose(vectors, window.tokens, rtol=0, atol=1e-6)


@pytest.mark.parametrize("bound", list(BOUNDS))
def test_pieces_of_unequal_lengths_are_what_each_is_alone(bound: str) -> None:
    model = compressor(bound)
    model.batch_bp = 250  # batches of two or three
    sequences = [
        random_ids_and_n(length, seed) for seed, length in enumerate([100, 60, 130, 1, 5, 90, 90])
    ]
    found = [one.vectors for one in model.embed(sequences)]
    assert [len(states) for states in found] == [100, 60, 130, 1, 5, 90, 90]
    for ids, states in zip(sequences, found, strict=True):
        np.testing.assert_allclose(states, one_pass(model, ids), rtol=0, atol=1e-6)
    assert model.embed([]) == []


def test_a_causal_state_does_not_know_what_follows_and_one_under_the_bound_sequence_may() -> None:
    first = random_ids_and_n(200)
    second = np.append(first[:150], random_ids_and_n(50, seed=9))
    for bound in ("none", "causal"):
        model = compressor(bound, 50)
        one, two = (np.concatenate(list(base_vectors(model, ids))) for ids in (first, second))
        assert model.causal
        assert np.array_equal(one[:150], two[:150])
        assert not np.array_equal(one[150:], two[150:])
    assert not compressor("sequence").causal


def test_a_copied_stream_goes_on_as_if_it_had_read_everything_itself() -> None:
    model, ids = compressor("causal", 40), random_ids_and_n(260)
    whole = np.concatenate(list(base_vectors(model, ids)))
    stream = model.stream()
    assert stream.feed(ids[:100]).base_vectors is None
    other = stream.copy()
    found = stream.feed(ids[100:], vectors=True).base_vectors
    assert found is not None
    np.testing.assert_allclose(found, whole[100:], rtol=0, atol=1e-6)
    again = other.feed(ids[100:], vectors=True).base_vectors
    assert again is not None and np.array_equal(again, found)  # the first left the copy alone
    nothing = other.feed(ids[:0], vectors=True)
    assert nothing.base_vectors is not None and nothing.base_vectors.shape == (0, 16)


def test_a_flat_model_has_no_tokens_of_their_own() -> None:
    network = small(
        "none", d_model=(16,), encoder_layers=(), decoder_layers=(), router=(), stride=(),
        k_min=(), k_max=(),
    )  # fmt: skip
    model = GeneZip(network, toy_card(network.shape))
    assert model.token_width is None and model.width == 16 and model.causal
    assert not model.gives_prob and model.encode(["ACGT"])[0].boundary_prob is None
    with pytest.raises(GenezipError, match="a flat model, gives no vectors of tokens"):
        model.embed(["ACGT"], "token")
    assert np.concatenate(list(base_vectors(model, random_ids_and_n(30)))).shape == (30, 16)


def saved(folder: Path, bound: str, targets: dict[str, float]) -> Path:
    return save_toy(folder, small(bound), seed=4, name="tiny", targets=targets)


def test_a_model_of_the_bound_sequence_obeys_causal_only_where_it_is_to_be_streamed(
    tmp_path: Path,
) -> None:
    folder = saved(tmp_path / "m", "sequence", {"promoter": 8.0, "dig": 64.0})
    streamed, own = (load(folder, streams=streams) for streams in (True, False))
    assert streamed.facts["bound"] == "causal" and streamed.facts["own_bound"] == "sequence"
    assert streamed.streams and streamed.max_bp is None
    assert own.facts["bound"] == "sequence" and not own.streams
    assert own.max_bp == ONE_WINDOW_BP
    assert own.facts["name"] == "tiny" and own.facts["seed"] == 4
    assert len(own.facts["sha256"]) == 64 and own.facts["precision"] == "fp32"


def test_a_free_model_stays_free(tmp_path: Path) -> None:
    model = load(saved(tmp_path / "m", "none", {"dig": 8.0}), streams=True)
    assert model.facts["bound"] == "none"


def test_too_long_and_empty_sequences_are_refused() -> None:
    with pytest.raises(GenezipError, match=r"at most 1,048,576 bp, but 1,048,577 are given"):
        compressor("sequence").embed([np.full(ONE_WINDOW_BP + 1, N_ID, dtype=np.uint8)])
    with pytest.raises(GenezipError, match="sequence 0 of the list has no bases; leave it out"):
        compressor("none").embed([random_ids_and_n(0)])
