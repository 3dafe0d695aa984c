"""Tokens by encoders and routers alone are those of a whole pass."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from toolkit.crafted import Runs
from toolkit.dna import random_ids_and_n
from toolkit.guided import KINDS, control, learned_network
from toolkit.networks import CAUSAL, DNAHNET, FLAT, FREE, GRID, LDARNET, speaking_network, toy_card
from torch.utils.flop_counter import FlopCounterMode

from genezip.inference.forward import cut, routed, tokens_of
from genezip.models.genezip.compressor import GeneZip
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.hnet.windows import route, route_batch, run, run_batch
from genezip.models.layers.fused import plain_form
from genezip.models.ldarnet.compressor import LDARNet

NETWORKS: dict[str, Callable[[], GeneZipNetwork]] = {
    name: lambda of=of: speaking_network(**of)
    for name, of in {
        "none": FREE,
        "causal": CAUSAL,
        "sequence": {"bound": "sequence"},
        "blocks": {"bound": "none", "router": ("block", "block"), "stride": (4, 3), "k_min": ()}
        | {"k_max": ()},
        "flat": FLAT,
        "dnahnet": DNAHNET,
        "grid": GRID,
        "ldarnet": LDARNET,
    }.items()
} | {kind: lambda kind=kind: control(kind, learned_network()) for kind in KINDS}
WINDOWS = [random_ids_and_n(length, seed=length) for length in (90, 200, 37)]
FIELDS = ("token_starts", "boundary_prob", "start_prob", "kept_by", "stage_tokens", "bound_active")


def same_tokens(one: Any, whole: Any) -> None:
    assert one.length == whole.length
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(one, field), getattr(whole, field), err_msg=field)
    assert len(one.inner_prob) == len(whole.inner_prob)
    for found, wanted in zip(one.inner_prob, whole.inner_prob, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert one.tokens is one.log_prob is one.likelihood is one.base_vectors is None


@pytest.mark.parametrize("name", NETWORKS)
def test_tokens_are_those_of_a_whole_pass(name: str) -> None:
    network = NETWORKS[name]()
    for one, whole in zip(route_batch(network, WINDOWS), run_batch(network, WINDOWS), strict=True):
        same_tokens(one, whole)
        assert whole.tokens is not None and len(whole.tokens) == len(whole.token_starts)
    for one, whole in zip(route(network, WINDOWS, 2), run(network, WINDOWS, 2), strict=True):
        same_tokens(one, whole)


@pytest.mark.parametrize("name", ["none", "dnahnet", "ldarnet"])
def test_it_takes_less_than_two_thirds_of_the_operations(name: str) -> None:
    network = NETWORKS[name]()
    counted = []
    for read in (route_batch, run_batch):
        with plain_form(), FlopCounterMode(display=False) as counter:
            read(network, WINDOWS)
        counted.append(counter.get_total_flops())
    assert 0 < counted[0] < 2 / 3 * counted[1]


def test_a_sequence_of_any_length_has_the_tokens_of_encode(monkeypatch: pytest.MonkeyPatch) -> None:
    network = NETWORKS["causal"]()
    model = GeneZip(network, toy_card(network.shape))
    monkeypatch.setattr("genezip.models.genezip.compressor.ONE_WINDOW_BP", 150)  # one is streamed
    for one, whole in zip(model.encode_boundaries(WINDOWS), model.encode(WINDOWS), strict=True):
        np.testing.assert_array_equal(one.token_starts, whole.token_starts)
        np.testing.assert_array_equal(one.boundary_prob, whole.boundary_prob)


def test_who_needs_tokens_alone_reads_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    network = NETWORKS["ldarnet"]()
    model = LDARNet(network, toy_card(network.shape))
    wanted = [one.token_starts for one in model.encode(WINDOWS)]
    monkeypatch.setattr(GeneZip, "encode", lambda *given: pytest.fail("a whole pass was made"))
    for found in (routed(model, WINDOWS), cut(model, WINDOWS, routed)):
        for one, starts in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one.token_starts, starts)
    assert [len(one.token_starts) for one in tokens_of(Runs(), WINDOWS)] == [
        len(one.token_starts) for one in Runs().encode(WINDOWS)
    ]  # a system without such a pass
