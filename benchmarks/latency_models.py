"""The models that the latency figure compares, and how many operations each needs.

Every peer follows from the layout of GeneZip: flat Mamba-2 of the same depth at the trunk's
width (for the 70M preset this is Mamba2-84M), H-Net at 3 bp per token, the autoregressive
U-Net of strides 8 and 16, and flat Mamba-2 with the parameters of GeneZip. All are
architectures of one network and run through the same code in the same segments.

An untrained router keeps a quarter or more of all positions, a trained one about one in
twelve per stage. Untrained models are therefore held to a token rate by the paper's own
projection (Eq. 10-11) with its floor and ceiling both at the target: the most probable
positions become tokens, so content decides where and the target decides how many.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from genezip.models.hnet.architecture import Architecture, load_architecture
from genezip.models.hnet.network import GeneZipNetwork, build
from genezip.models.pretrained import load_network
from genezip.models.routing.learned import Router, SequenceBound

ROOT = Path(__file__).resolve().parents[1]
PRESETS = ("tiny", "70m", "636m")
GENEZIP_BPT = 137.6  # published for GeneZip-70M at 12.8 kb; sqrt(137.6) = 11.7 per stage
HNET_BPT = 3.0
UNET_STRIDES = (8, 16)


@dataclass(frozen=True)
class Contender:
    """One line of the figure.

    Attributes
    ----------
    role : ``genezip``, ``flat``, ``hnet``, ``unet`` or ``flat-equal``
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
        if self.shape.marks_end:
            return "blocks of " + " x ".join(str(stride) for stride in self.shape.stride)
        if self.folder:
            return f"trained weights, bound {self.shape.bound}"
        return f"projection, floor = ceiling = {self.bpt:g} bp per token"

    def load(self) -> GeneZipNetwork:
        """The network, ready for inference."""
        network = load_network(self.folder)[0] if self.folder else build(self.shape)
        return network.eval()


def preset(name: str) -> Architecture:
    """The layout of the preset ``genezip-<name>``."""
    return load_architecture(f"genezip-{name}")


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
    """Layers x width from outside to inside, as ``2x512 [2x512 [15x768] 2x512] 2x512``."""
    text = f"{shape.trunk_layers}x{shape.d_model[-1]}"
    for s in reversed(range(shape.n_stages)):
        width = shape.d_model[s]
        text = f"{shape.encoder_layers[s]}x{width} [{text}] {shape.decoder_layers[s]}x{width}"
    return text


def hold_to(network: GeneZipNetwork, length: int, bpt: float | None) -> None:
    """Let every learned router keep exactly one position in bpt^(1/S), at least one."""
    if bpt is None:
        return
    stages = network.shape.n_stages
    for s, router in enumerate(network.routers):
        if isinstance(router, Router):
            tokens = max(1, round(length / bpt ** ((s + 1) / stages)))
            router.bound = SequenceBound(tokens, tokens)


def operations(shape: Architecture, length: int, tokens: Sequence[int]) -> float:
    """Floating-point operations of one forward pass over one sequence.

    A multiply-add is two. Counted are the matrix products and the convolution, per position
    and layer at width d, with di = expand d, h = di / headdim, n = d_state, and Q = ssd_chunk
    or all positions, if fewer:

    - in-projection 2 d (2 di + 2 n + h), out-projection 2 di d, convolution
      2 taps (di + 2 n);
    - scan: C B^T 2 Q n, its product with the inputs 2 Q di, states in and out 4 n di.

    A stage adds 4 d^2 for q and k of a learned router and 2 d^2 for the residual map; the
    head is 2 d vocab per base. A level of ``encoder + decoder`` (or trunk) layers runs them
    at each of its positions: all bases at stage 0, then the tokens of the stage before.
    Norms, gates, sorting and the traffic of memory are not counted, so a ratio of these
    numbers says what a speed-up cannot much exceed, not what it will be.

    Parameters
    ----------
    length : bases
    tokens : tokens kept by each stage, outermost first
    """
    positions = [length, *tokens]
    total = 2.0 * shape.d_model[0] * shape.vocab_size * length

    def layers(number: int, s: int) -> float:
        return positions[s] * number * _layer(shape, shape.d_model[s], positions[s])

    for s in range(shape.n_stages):
        width = shape.d_model[s]
        total += layers(len(shape.letters(s)), s)
        total += positions[s] * (6 if shape.router[s] == "learned" else 2) * width**2
    return total + layers(len(shape.letters(shape.n_stages)), shape.n_stages)


def expected_tokens(contender: Contender, length: int) -> list[int]:
    """Tokens per stage that a contender without trained weights will keep."""
    if contender.shape.marks_end:
        first, second = (int(stride or 1) for stride in contender.shape.stride)
        return [length // first, length // first // second]
    stages, bpt = contender.shape.n_stages, contender.bpt or 1.0
    return [max(1, round(length / bpt ** ((s + 1) / stages))) for s in range(stages)]


def _layer(shape: Architecture, width: int, positions: int) -> float:
    inner, state = shape.expand * width, shape.d_state
    chunk = min(shape.ssd_chunk, positions)
    projections = 2 * width * (2 * inner + 2 * state + inner // shape.headdim) + 2 * inner * width
    convolution = 2 * shape.d_conv * (inner + 2 * state)
    scan = 2 * chunk * state + 2 * chunk * inner + 4 * state * inner
    return float(projections + convolution + scan)


def _flat_name(shape: Architecture) -> str:
    count = parameters(shape)
    size = f"{count / 1e6:.0f}M" if count >= 1e6 else f"{count / 1e3:.0f}k"
    return f"Mamba2-{size}"
