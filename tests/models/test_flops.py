"""The closed form counts what the matrix products of a pass really take."""

from pathlib import Path

import numpy as np
import pytest
from toolkit.dna import random_ids
from toolkit.networks import DNAHNET, FLAT_ATTENTION, GRID, LDARNET, speaking_network
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from genezip.errors import GenezipError
from genezip.models.hnet.architecture import load_architecture
from genezip.models.hnet.flops import flops
from genezip.models.hnet.network import GeneZipNetwork, build
from genezip.models.hnet.windows import run_batch
from genezip.models.layers.fused import plain_form
from genezip.models.routing import learned

MODELS = Path(__file__).resolve().parents[2] / "genezip" / "config" / "models"


def preset(name: str) -> GeneZipNetwork:
    return build(load_architecture(MODELS / f"{name}.yaml").resolved([32.0])).eval()


SMALL = {"dnahnet": DNAHNET, "grid": GRID, "attention": FLAT_ATTENTION, "ldarnet": LDARNET}
PRESETS = [
    "genezip-tiny", "stride-tiny", "cpg-tiny", "unet-tiny", "mamba2-tiny", "dnahnet-tiny",
    "dnahnet-tiny-fixed", "dnahnet-tiny-flat", "ldarnet-tiny",
]  # fmt: skip


@pytest.fixture(autouse=True)
def whole_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    """The router reads the last position of a segment once more, which is not counted."""
    monkeypatch.setattr(learned, "SEGMENT", {})


@pytest.mark.parametrize("name", [*PRESETS, *SMALL])
@pytest.mark.parametrize("length", [40, 3001])
def test_closed_form_and_counter_agree(name: str, length: int) -> None:
    network = speaking_network(**SMALL[name]).eval() if name in SMALL else preset(name)
    # the counter does not know the CPU kernel of attention, but the products it stands for
    with plain_form(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        (made,) = run_batch(network, [random_ids(length)])
    found = flops(network.shape, np.array([length]), made.stage_tokens[None])
    assert found.dtype == np.float64
    assert found.tolist() == [counter.get_total_flops()]


@pytest.mark.parametrize("length", [1, 1100])
def test_closed_form_of_the_published_micro_ldarnet(length: int) -> None:
    """Its windows of 1,023 on each side reach over three blocks of queries."""
    test_closed_form_and_counter_agree("ldarnet-2m", length)


def test_more_tokens_cost_more_and_sequences_are_counted_one_by_one() -> None:
    shape = preset("genezip-tiny").shape
    found = flops(shape, np.array([1000, 1000, 500]), np.array([[100, 10], [200, 50], [100, 10]]))
    assert found[0] < found[1] and found[2] < found[0]
    assert found[2] == flops(shape, np.array([500]), np.array([[100, 10]]))[0]
    with pytest.raises(GenezipError, match="tokens of 1 stages are given for a network of 2"):
        flops(shape, np.array([1000]), np.array([[10]]))
