"""The models that the latency figure compares, and how many operations each needs.

Every peer follows from the layout of GeneZip: flat Mamba-2 of the same depth at the trunk's
width (for the 70M preset this is Mamba2-84M), H-Net at 3 bp per token, the autoregressive
U-Net of strides 8 and 16, and flat Mamba-2 with the parameters of GeneZip. All are
architectures of one network and run through the same code in the same segments.

Presets ``dnahnet-...`` are compared with their fixed grid and their flat network of as many
operations per base instead.

An untrained router keeps a quarter or more of all positions, a trained one about one in
twelve per stage. Untrained models are therefore held to a token rate by the paper's own
projection (Eq. 10-11) with its floor and ceiling both at the target: the most probable
positions become tokens, so content decides where and the target decides how many.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from genezip.models.hnet.architecture import Architecture, load_architecture
from genezip.models.hnet.flops import flops
from genezip.models.hnet.network import GeneZipNetwork, build
from genezip.models.pretrained import load_network
from genezip.models.routing.learned import Router, SequenceBound

ROOT = Path(__file__).resolve().parents[1]
PRESETS = ("tiny", "70m", "636m", "dnahnet-tiny", "dnahnet-small")
GENEZIP_BPT = 137.6  # published for GeneZip-70M at 12.8 kb; sqrt(137.6) = 11.7 per stage
HNET_BPT = 3.0
UNET_STRIDES = (8, 16)


@dataclass(frozen=True)
class Contender:
    """One line of the figure.

    Attributes
    ----------
    role : ``genezip``, ``flat``, ``hnet``, ``unet`` or ``flat-equal``; of dnaHNet ``dnahnet``,
        ``fixed`` or ``flat``
    name : as the table and the figure call it
    shape : its architecture
    bpt : bases per token that its learned routers are held to; None leaves them free
    folder : trained weights; None is random weights
    """

    role: str
    name: str
    shape: Architecture
    bpt: float | None = None
    folder: str | None = None

    @property
    def tokens_by(self) -> str:
        """What decides on tokens, in words, for the table."""
        if self.shape.n_stages == 0:
            return "every base is a token"
        if not self.shape.learns_routing:
            return "blocks of " + " x ".join(str(stride) for stride in self.shape.stride)
        if self.folder:
            return f"trained weights, bound {self.shape.bound}"
        return f"projection, floor = ceiling = {self.bpt:g} bp per token"

    def load(self) -> GeneZipNetwork:
        """The network, ready for inference."""
        network = load_network(self.folder)[0] if self.folder else build(self.shape)
        return network.eval()


def preset(name: str) -> Architecture:
    """The layout of a preset, whose ``genezip-`` may be left out."""
    return load_architecture(name if name.startswith("dnahnet") else f"genezip-{name}")


def family(
    name: str, shape: Architecture, bpt: float = GENEZIP_BPT, folder: str | None = None
) -> list[Contender]:
    """GeneZip and its peers, in drawing order.

    Parameters
    ----------
    name : what GeneZip is called
    shape : its layout, two stages
    bpt : bases per token of untrained GeneZip
    folder : trained weights of GeneZip, which then routes by itself
    """
    equal = flat(shape, equal_layers(shape))
    same_depth = flat(shape, depth(shape))
    unet = replace(
        shape, router=("block", "block"), stride=UNET_STRIDES, k_min=(), k_max=(), bound="sequence",
        max_chunk=None, burst=None, rate=None,
    )  # fmt: skip
    learned = replace(shape, bound="sequence", max_chunk=None, burst=None, rate=None)
    genezip = Contender("genezip", name, shape, None if folder else bpt, folder)
    return [
        genezip if folder else replace(genezip, shape=learned),
        Contender("flat", _flat_name(same_depth), same_depth),
        Contender("hnet", "H-Net-3BPT", learned, HNET_BPT),
        Contender("unet", "U-Net", unet),
        Contender("flat-equal", f"{_flat_name(equal)}, equal size", equal),
    ]


def dnahnet_family(preset: str, folder: str | None = None) -> list[Contender]:
    """A dnaHNet preset, its fixed grid and its flat network, in drawing order."""
    learned, fixed, plain = (load_architecture(f"{preset}{end}") for end in ("", "-fixed", "-flat"))
    bpt = None if folder else math.prod(learned.stage_bpt)
    free = replace(learned, bound="sequence", max_chunk=None, burst=None, rate=None)
    return [
        Contender("dnahnet", preset, learned if folder else free, bpt, folder),
        Contender("fixed", f"{preset}-fixed", fixed),
        Contender("flat", f"{preset}-flat", plain),
    ]


def flat(shape: Architecture, layers: int) -> Architecture:
    """Mamba-2 without stages: ``layers`` layers at the trunk's width, one token per base."""
    return replace(
        shape, d_model=shape.d_model[-1:], trunk_layers=layers, encoder_layers=(),
        decoder_layers=(), router=(), stride=(), k_min=(), k_max=(), bound="sequence",
        max_chunk=None, burst=None, rate=None,
    )  # fmt: skip


def depth(shape: Architecture) -> int:
    """Mamba-2 layers from input to output."""
    return sum(len(shape.letters(level)) for level in range(shape.n_stages + 1))


def parameters(shape: Architecture) -> int:
    """Learned numbers of a layout; no memory is taken for them."""
    with torch.device("meta"):
        return GeneZipNetwork(shape).count_parameters()


def equal_layers(shape: Architecture) -> int:
    """Layers of the flat model at the trunk's width whose parameters come nearest."""
    one, two = (parameters(flat(shape, layers)) for layers in (1, 2))
    return max(1, 1 + round((parameters(shape) - one) / (two - one)))


def layout(shape: Architecture) -> str:
    """Layers x width from outside to inside, as ``2x512 [2x512 [15x768] 2x512] 2x512``.

    Layouts with letters stand in place of a number of Mamba-2 layers.
    """
    text = f"{shape.trunk_layers}x{shape.d_model[-1]}"
    for s in reversed(range(shape.n_stages)):
        width = shape.d_model[s]
        text = f"{shape.encoder_layers[s]}x{width} [{text}] {shape.decoder_layers[s]}x{width}"
    return text


def hold_to(network: GeneZipNetwork, length: int, bpt: float | None) -> None:
    """Let every learned router keep exactly its share of the target, at least one token."""
    if bpt is None:
        return
    kept = held_tokens(network.shape, length, bpt)
    for router, tokens in zip(network.routers, kept, strict=True):
        if isinstance(router, Router):
            router.bound = SequenceBound(tokens, tokens)


def held_tokens(shape: Architecture, length: int, bpt: float) -> list[int]:
    """Tokens of each stage at a target of bases per token, which the stages share."""
    shares = itertools.accumulate(shape.stage_shares)
    return [max(1, round(length / bpt**share)) for share in shares]


def operations(shape: Architecture, length: int, tokens: Sequence[int]) -> float:
    """Floating-point operations of one forward pass over one sequence, of matrix products only.

    They are those of :func:`genezip.models.hnet.flops.flops`. Convolutions, norms, gates, sorting
    and the traffic of memory are not counted, so a ratio of these numbers says what a speed-up
    cannot much exceed, not what it will be.

    Parameters
    ----------
    length : bases
    tokens : tokens kept by each stage, outermost first
    """
    return float(flops(shape, np.array([length]), np.array([tokens], dtype=np.int64))[0])


def expected_tokens(contender: Contender, length: int) -> list[int]:
    """Tokens per stage that a contender without trained weights will keep."""
    if contender.shape.marks_end:
        first, second = (int(stride or 1) for stride in contender.shape.stride)
        return [length // first, length // first // second]
    return held_tokens(contender.shape, length, contender.bpt or 1.0)


def _flat_name(shape: Architecture) -> str:
    count = parameters(shape)
    size = f"{count / 1e6:.0f}M" if count >= 1e6 else f"{count / 1e3:.0f}k"
    return f"Mamba2-{size}"
