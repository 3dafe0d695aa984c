"""Parameter names of the release: their names in this package, and the layout they imply.

In the release the stages are nested: ``backbone`` is stage 0, its ``main_network`` stage 1, and so
on; the innermost one holds only ``pad_dimension`` and the trunk, a last ``main_network``. Rows of
the input projection have the same order in both (gate, x, B, C, dt), so tensors are copied
unchanged; only the convolution loses its axis of length 1.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from genezip.errors import GenezipError
from genezip.models.hnet.architecture import Architecture, block_letters
from genezip.models.hnet.network import GeneZipNetwork

Shapes = dict[str, tuple[int, ...]]

EMBEDDING = "embeddings.weight"
HEAD = "lm_head.weight"  # in GeneZip the same values as the embedding

# below `layers.I.` in the release: below `blocks.I.` here
_LAYER = {
    "norm1.weight": "norm_weight",
    "mixer.in_proj.weight": "mixer.in_proj.weight",
    "mixer.conv1d.weight": "mixer.conv_weight",
    "mixer.conv1d.bias": "mixer.conv_bias",
    "mixer.dt_bias": "mixer.dt_bias",
    "mixer.A_log": "mixer.a_log",
    "mixer.D": "mixer.d",
    "mixer.norm.weight": "mixer.norm_weight",
    "mixer.out_proj.weight": "mixer.out_proj.weight",
}

Layers = Mapping[str, Mapping[str, str]]
"""Tensors of a block by its letter: name below ``layers.I.`` in a release, name here."""

LAYERS: Layers = {"m": _LAYER}

_TEXT = re.compile(r"\.(norm2|mlp|Wqkv)\b")  # parameters of blocks with attention or MLP


def _path(stage: int) -> str:
    return "backbone" + ".main_network" * stage


def pairs(shape: Architecture, layers: Layers = LAYERS) -> Iterator[tuple[str, str]]:
    """(name in the release, name here) of every tensor, in the order of the release.

    ``layers`` are the names of a release with other layers.
    """

    def stack(theirs: str, ours: str, layout: int | str) -> Iterator[tuple[str, str]]:
        for layer, letter in enumerate(block_letters(layout)):
            for name, here in layers[letter].items():
                yield f"{theirs}.layers.{layer}.{name}", f"{ours}.blocks.{layer}.{here}"
        yield f"{theirs}.rmsnorm.weight", f"{ours}.norm_weight"

    yield EMBEDDING, "embedding"
    if shape.head == "untied":
        yield HEAD, "head"
    widths = shape.d_model
    for s in range(shape.n_stages):
        path = _path(s)
        if s and widths[s] > widths[s - 1]:
            yield f"{path}.pad_dimension", f"paddings.{s - 1}"
        yield from stack(f"{path}.encoder", f"encoders.{s}", shape.encoder_layers[s])
        yield from stack(f"{path}.decoder", f"decoders.{s}", shape.decoder_layers[s])
        for side in "qk":
            name = f"{path}.routing_module.{side}_proj_layer.weight"
            yield name, f"routers.{s}.{side}_proj.weight"
        for part in ("weight", "bias"):
            yield f"{path}.residual_proj.{part}", f"residuals.{s}.{part}"
    inner = _path(shape.n_stages)
    if widths[-1] > widths[-2]:
        yield f"{inner}.pad_dimension", f"paddings.{shape.n_stages - 1}"
    yield from stack(f"{inner}.main_network", "trunk", shape.trunk_layers)


def expected_shapes(shape: Architecture, layers: Layers = LAYERS) -> Shapes:
    """Name in the release and shape of every tensor of a layout, without a tied head."""
    with torch.device("meta"):
        state = GeneZipNetwork(shape).state_dict()
    shapes = {}
    for theirs, ours in pairs(shape, layers):
        size = tuple(state[ours].shape)
        shapes[theirs] = (size[0], 1, size[1]) if ours.endswith("conv_weight") else size
    return shapes


def converted(
    state: dict[str, Tensor], shape: Architecture, layers: Layers = LAYERS
) -> dict[str, Tensor]:
    """State dict of this package, fp32, from a checked one of the release.

    Tensors are copied, since some may be views of one memory, and removed from ``state``, so that
    memory does not hold both.
    """
    found = {}
    for theirs, ours in pairs(shape, layers):
        value = state.pop(theirs).to(torch.float32, copy=True)
        found[ours] = value.squeeze(1) if ours.endswith("conv_weight") else value
    for s in range(shape.n_stages):  # equal widths need no padding, and have no tensor
        found.setdefault(f"paddings.{s}", torch.empty(0))
    return found


def layout(shapes: Mapping[str, tuple[int, ...]], where: str) -> dict[str, Any]:
    """Widths, layer counts and layer sizes of a state dict, keys as in :class:`Architecture`.

    Each is that of most tensors, so that a single wrong tensor does not change the layout and is
    found by its name when shapes are compared. ``where`` begins the error for other models.
    """
    text = next((name for name in shapes if _TEXT.search(name)), None)
    if text is not None:
        raise GenezipError(
            f"{where} is an H-Net text model (it has {text}), but GeneZip has only Mamba-2 layers; "
            "name another file"
        )
    stages = 0
    while any(name.startswith(f"{_path(stages)}.encoder.") for name in shapes):
        stages += 1
    stacks = [f"{_path(s)}.{side}" for s in range(stages) for side in ("encoder", "decoder")]
    trunk = f"{_path(stages)}.main_network"
    widths = [_width(shapes, stacks[2 * s : 2 * s + 2]) for s in range(stages)]
    widths.append(_width(shapes, [trunk]))
    layers = [_layers(shapes, stack) for stack in stacks]
    every = [*zip(stacks, layers, strict=True), (trunk, _layers(shapes, trunk))]
    sizes = Counter(
        size
        for stack, count in every
        for layer in range(count)
        if (size := _sizes(shapes, f"{stack}.layers.{layer}")) is not None
    )
    if not stages or 0 in widths or not sizes:
        raise GenezipError(
            f"{where} is no GeneZip of the release: its tensors do not have names such as "
            f"{EMBEDDING}, backbone.encoder.layers.0.mixer.A_log; name another file"
        )
    expand, headdim, d_state, d_conv = sizes.most_common(1)[0][0]
    return {
        "d_model": tuple(widths),
        "encoder_layers": tuple(layers[::2]),
        "trunk_layers": every[-1][1],
        "decoder_layers": tuple(layers[1::2]),
        "d_state": d_state,
        "headdim": headdim,
        "expand": expand,
        "d_conv": d_conv,
    }


def _layers(shapes: Iterable[str], stack: str) -> int:
    """Number of layers of a stack; a gap in their numbers is found later as a missing tensor."""
    numbers = (re.match(rf"{re.escape(stack)}\.layers\.(\d+)\.", name) for name in shapes)
    return len({match[1] for match in numbers if match})


def _width(shapes: Mapping[str, tuple[int, ...]], stacks: list[str]) -> int:
    """Most frequent length of norms over the residual stream; 0 if there is none."""
    names = "|".join(re.escape(stack) for stack in stacks)
    norm = re.compile(rf"({names})\.(layers\.\d+\.norm1|rmsnorm)\.weight")
    found = Counter(shape[0] for name, shape in shapes.items() if shape and norm.fullmatch(name))
    return found.most_common(1)[0][0] if found else 0


def _sizes(shapes: Mapping[str, tuple[int, ...]], layer: str) -> tuple[int, int, int, int] | None:
    """expand, headdim, d_state and d_conv of one layer; None if it is incomplete."""
    try:
        (width,) = shapes[f"{layer}.norm1.weight"]
        (inner,) = shapes[f"{layer}.mixer.norm.weight"]
        (heads,) = shapes[f"{layer}.mixer.A_log"]
        channels, _, taps = shapes[f"{layer}.mixer.conv1d.weight"]
        return inner // width, inner // heads, (channels - inner) // 2, taps
    except (KeyError, ValueError, ZeroDivisionError):
        return None
