"""LDARNet as a compressor: what it predicts, what it refuses, and its published sizes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from toolkit.dna import random_dna, random_ids_and_n
from toolkit.networks import LDARNET, speaking_network, toy_card

import genezip as gz
from genezip.alphabet import A_ID, MASK_ID, N_ID, encode, reverse_complement
from genezip.config import Pretrain
from genezip.errors import GenezipError
from genezip.models.genezip.compressor import GeneZip
from genezip.models.hnet.architecture import load_architecture
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.ldarnet import compressor
from genezip.models.ldarnet.compressor import LDARNet
from genezip.models.pretrained import save_pretrained
from genezip.training.optimizer import level_rates, parameter_groups


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    network = speaking_network(**LDARNET)
    card = replace(toy_card(network.shape), compressor="ldarnet")
    save_pretrained(tmp_path / "toy", network, card)
    return tmp_path / "toy"


@pytest.fixture
def model(folder: Path) -> LDARNet:
    found = gz.load(folder)
    assert isinstance(found, LDARNet)
    return found


# -- the published sizes -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "d", "inner", "swiglu", "trunk", "decoder", "wanted"),
    [
        ("ldarnet-110m", 512, 768, 2560, 10, 4, 110_687_296),
        ("ldarnet-2m", 64, 128, 384, 6, 3, 2_011_288),
    ],
)
def test_published_sizes_by_hand(
    name: str, d: int, inner: int, swiglu: int, trunk: int, decoder: int, wanted: int
) -> None:
    """m3t1 at width d, M at width ``inner`` with a SwiGLU, m at width d; 110.69 and 2.01 M."""
    state, taps, head = 128, 4, 64

    def mamba(width: int) -> int:
        channels, heads = 2 * width + 2 * state, 2 * width // head
        shared = width * (4 * width + 2 * state + heads) + 2 * width * width
        # convolution with bias; dt bias, A and D; gated norm: for each direction
        own = channels * taps + channels + 3 * heads + 2 * width
        return shared + 2 * own + width  # and one norm before the mixer

    attention = 4 * d * d + d
    gated = 3 * inner * swiglu + inner
    encoder = 3 * mamba(d) + attention + d  # every stack ends with a norm
    middle = trunk * (mamba(inner) + gated) + inner
    router, residual, padding = 2 * d * d, d * d + d, inner - d
    vocabulary = 2 * 7 * d  # embedding and head
    total = encoder + middle + decoder * mamba(d) + d + router + residual + padding + vocabulary
    with torch.device("meta"):
        network = GeneZipNetwork(load_architecture(name))
    assert network.count_parameters() == total == wanted
    published = {"ldarnet-110m": "110.69", "ldarnet-2m": "2.01"}[name]
    assert f"{total / 1e6:.2f}" == published


def test_rates_of_the_levels_are_the_published_ones() -> None:
    """sqrt(4) d_backbone / d_outer: 3.0 and 4.0; the head learns as the embedding does."""
    settings = Pretrain(level_rates="width_and_length")
    for name, wanted in (("ldarnet-110m", 3.0), ("ldarnet-2m", 4.0)):
        assert level_rates(load_architecture(name), settings, [4.0]) == [wanted]
    with torch.device("meta"):
        network = GeneZipNetwork(load_architecture("ldarnet-tiny"))
    groups = parameter_groups(network, settings, [4.0])
    (head,) = [g for g in groups if any(p is network.head for p in g["params"])]
    assert any(p is network.embedding for p in head["params"])
    assert head["multiplier"] == 4.0 and head["weight_decay"] == settings.weight_decay
    norm = network.encoders[0].blocks[0].mixer.back.norm_weight
    (spared,) = [g for g in groups if any(p is norm for p in g["params"])]
    assert spared["weight_decay"] == 0


def test_initial_values() -> None:
    network = GeneZipNetwork(load_architecture("ldarnet-tiny"))
    network.reset_parameters(0)
    for weights in (network.embedding, network.head):
        assert weights.std().item() == pytest.approx(0.02, rel=0.15)
    ids = torch.from_numpy(random_ids_and_n(400)[None])
    loss = torch.nn.functional.cross_entropy(network(ids).logits[0], ids[0].long() - A_ID)
    assert loss.item() == pytest.approx(np.log(7), abs=0.1)


# -- the model folder ----------------------------------------------------------------------


def test_a_folder_opens_as_what_it_is(folder: Path, model: LDARNet, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["compressor"] == "ldarnet"
    assert config["architecture"]["direction"] == "both"
    assert not (model.causal or model.streams)
    assert model.likelihood == "pseudo" and model.gives_prob and model.max_bp == 1_048_576
    text = random_dna(150)
    (one,) = model.encode([text])
    assert one.log_prob is None and one.likelihood is None and one.tokens is not None
    model.save(tmp_path / "copy")
    (again,) = gz.load(tmp_path / "copy").encode([text])
    assert np.array_equal(one.tokens, again.tokens)
    assert np.array_equal(one.boundary_prob, again.boundary_prob)
    assert gz.load(folder, untrained=True).name == "untrained"


def test_directions_and_kinds_must_fit(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match="direction both, but GeneZip takes forward; open it"):
        GeneZip.from_pretrained(folder)
    network = speaking_network()
    card = replace(toy_card(network.shape), compressor="ldarnet")
    save_pretrained(tmp_path / "x", network, card)
    with pytest.raises(GenezipError, match="direction forward, but LDARNet takes both; open it"):
        gz.load(tmp_path / "x")


def test_a_fasta_is_compressed_in_windows(folder: Path, tmp_path: Path) -> None:
    """It does not stream, so windows are taken, and no likelihood is computed unasked."""
    text = random_dna(500)
    (tmp_path / "a.fa").write_text(f">one\n{text}\n")
    gz.compress_fasta(tmp_path / "a.fa", folder, tmp_path / "out.parquet", window_bp=120)
    found = pd.read_parquet(tmp_path / "out.parquet")
    windows = [text[at : at + 120] for at in range(0, 500, 120)]
    starts = gz.load(folder).boundaries(windows)
    wanted = np.concatenate([one + 120 * k for k, one in enumerate(starts)])
    assert found["start"].tolist() == wanted.tolist() and found["end"].iloc[-1] == 500


# -- masked bases --------------------------------------------------------------------------


def by_hand(model: LDARNet, ids: np.ndarray, at: int) -> np.ndarray:
    """Log-probabilities of A, C, G, T at one position, alone in its batch."""
    masked = ids.copy()
    masked[at] = MASK_ID
    with torch.inference_mode():
        logits = model.network(torch.from_numpy(masked[None])).logits[0, at]
    shares = logits.double().exp() / logits.double().exp().sum()
    return shares[:4].log().numpy()


def test_each_position_is_masked_on_its_own(model: LDARNet) -> None:
    sequences = [random_ids_and_n(60, 1), random_ids_and_n(7, 2), random_ids_and_n(31, 3)]
    sequences[0][5] = N_ID
    positions = [[0, 59, 5, 30, 30], [], np.arange(31)]
    for batch_bp in (model.batch_bp, 70):
        model.batch_bp = batch_bp
        found = model.masked_log_prob(sequences, positions)
        assert [one.shape for one in found] == [(5, 4), (0, 4), (31, 4)]
        assert all(one.dtype == np.float32 for one in found)
        for ids, where, table in zip(sequences, positions, found, strict=True):
            for at, row in zip(where, table, strict=True):
                if ids[at] == N_ID:
                    assert np.isnan(row).all()
                else:
                    np.testing.assert_allclose(row, by_hand(model, ids, at), atol=1e-5, rtol=0)


def test_positions_are_masked_together_on_request(model: LDARNet) -> None:
    ids = random_ids_and_n(40)
    ids[[11, 12, 13]] = [A_ID, N_ID, A_ID + 1]
    (found,) = model.masked_log_prob([ids], [[11, 12, 13]], together=True)
    masked = ids.copy()
    masked[[11, 13]] = MASK_ID  # N is never masked
    for row, at in zip(found[[0, 2]], (11, 13), strict=True):
        np.testing.assert_allclose(row, by_hand(model, masked, at), atol=1e-5, rtol=0)
    assert np.isnan(found[1]).all()


def test_the_masked_base_itself_is_not_read(model: LDARNet) -> None:
    ids = random_ids_and_n(40)
    ids[12] = A_ID
    other = ids.copy()
    other[12] = A_ID + 2
    one, two = model.masked_log_prob([ids, other], [[12], [12]])
    np.testing.assert_allclose(one, two, atol=1e-6)


def test_the_pseudo_likelihood_must_be_asked_for(model: LDARNet) -> None:
    text = random_dna(30)[:20] + "N" + random_dna(9)
    with pytest.raises(GenezipError, match="no likelihood of a sequence; give pseudo=True") as said:
        model.log_likelihood(text)
    assert "\n" not in str(said.value)
    found = model.log_likelihood(text, pseudo=True)
    assert found.kind == "pseudo" and np.isnan(found.log_prob[20])
    ids = encode(text)
    for at in (0, 11, 29):
        wanted = by_hand(model, ids, at)[ids[at] - A_ID]
        assert found.log_prob[at] == pytest.approx(wanted, abs=1e-5)
    with pytest.raises(GenezipError, match="this one is pseudo"):
        _ = found.bits_per_base
    windows = model.log_likelihood([text], 16, pseudo=True)[0]
    assert windows.mode == "windows of 16 bp" and len(windows.looked_ahead) == 2
    alone = model.log_likelihood(text[:16], pseudo=True).log_prob
    np.testing.assert_allclose(windows.log_prob[:16], alone, atol=1e-5)


@pytest.mark.parametrize(
    ("positions", "message"),
    [([], "positions for 0 sequences, but 1 sequences"), ([[9]], "position 9 is outside seq")],
)
def test_positions_must_fit(model: LDARNet, positions: list, message: str) -> None:
    with pytest.raises(GenezipError, match=message):
        model.masked_log_prob(["ACGTACGTA"], positions)


def test_long_sequences_are_told_the_limit(model: LDARNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressor, "ONE_WINDOW_BP", 100)
    long = random_dna(250)
    for call in (
        lambda: model.encode([long]),
        lambda: model.compress(long),
        lambda: model.compress(long, window_bp=101),
        lambda: model.embed([long]),
        lambda: model.log_likelihood(long, pseudo=True),
        lambda: model.masked_log_prob([long], [[0]]),
    ):
        with pytest.raises(GenezipError, match=r"at most 100 bp at a time.*give window_bp") as said:
            call()
        assert "\n" not in str(said.value)
    found = model.compress(long, window_bp=100)
    assert found.length == 250 and found.mode == "windows of 100 bp"


def test_it_neither_streams_nor_generates(model: LDARNet) -> None:
    for call in (model.stream, lambda: model.generate("ACGT", 5)):
        with pytest.raises(GenezipError, match="neither streams nor generates; give windows"):
            call()


# -- both strands --------------------------------------------------------------------------


def test_both_strands_are_averaged(folder: Path, model: LDARNet) -> None:
    """The other strand gives the same, and a log-ratio is the mean of those of the strands."""
    both = gz.load(folder, both_strands=True)
    ids = random_ids_and_n(50)
    at = np.flatnonzero(ids != N_ID)[:6]
    turned, mirrored = reverse_complement(ids), 49 - at
    (found,) = both.masked_log_prob([ids], [at])
    (other,) = both.masked_log_prob([turned], [mirrored])
    np.testing.assert_allclose(found, other[:, ::-1], atol=1e-5)
    (plus,) = model.masked_log_prob([ids], [at])
    (minus,) = model.masked_log_prob([turned], [mirrored])
    ratios = ((plus[:, 0] - plus[:, 1]) + (minus[:, 3] - minus[:, 2])) / 2
    np.testing.assert_allclose(found[:, 0] - found[:, 1], ratios, atol=1e-5)
    assert np.abs(plus - minus[:, ::-1]).max() > 1e-3
    (one,), (two,) = both.embed([ids]), both.embed([turned])
    np.testing.assert_allclose(one.vectors, two.vectors[::-1], atol=1e-5)
    assert np.array_equal(both.boundaries([ids])[0], model.boundaries([ids])[0])
