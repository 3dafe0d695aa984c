"""Low-rank adapters (LoRA, arXiv 2106.09685) on the projections of every Mamba-2 layer.

A projection W becomes W + (alpha / rank) B A, with A (rank, in) and B (out, rank). B starts at
zero, so an adapted network begins as the one it was made from. Mixers call their projections
as modules and the scan never sees a weight, so an adapter acts on input and output alike.
"""

import math
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.functional import dropout, linear

from genezip.errors import GenezipError
from genezip.models.mamba2 import Mamba2
from genezip.provenance import atomic_path

PROJECTIONS = ("in_proj", "out_proj")
_PARTS = ("lora_a", "lora_b")


class AdaptedLinear(nn.Linear):
    """A linear map with a low-rank addition; its own weight keeps its name.

    Attributes
    ----------
    lora_a : Parameter, shape (rank, in_features)
    lora_b : Parameter, shape (out_features, rank), zero at the start
    scale : alpha / rank
    dropout : share of the inputs of the addition that training sets to zero
    """

    def __init__(self, plain: nn.Linear, rank: int, alpha: float, dropout: float) -> None:
        bias = plain.bias is not None
        super().__init__(plain.in_features, plain.out_features, bias, device="meta")
        self.weight, self.bias = plain.weight, plain.bias
        self.scale = alpha / rank
        self.dropout = dropout
        like = plain.weight
        self.lora_a = nn.Parameter(like.new_empty(rank, plain.in_features))
        self.lora_b = nn.Parameter(like.new_zeros(plain.out_features, rank))

    def reset_adapter(self) -> None:
        """A uniform in +-1/sqrt(in_features), B zero: the addition is nothing."""
        bound = 1 / math.sqrt(self.in_features)
        with torch.no_grad():  # drawn on the CPU, so that a seed means the same on any device
            self.lora_a.copy_(torch.empty(self.lora_a.shape).uniform_(-bound, bound))
            self.lora_b.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        inner = linear(dropout(x, self.dropout, self.training), self.lora_a)
        return super().forward(x) + self.scale * linear(inner, self.lora_b)

    def merged(self) -> nn.Linear:
        """One plain linear map that does the same without dropout."""
        plain = nn.Linear(self.in_features, self.out_features, self.bias is not None, device="meta")
        with torch.no_grad():
            weight = self.weight + self.scale * (self.lora_b @ self.lora_a)
        plain.weight, plain.bias = nn.Parameter(weight), self.bias
        return plain


def is_adapter(name: str) -> bool:
    """Whether a parameter of this name belongs to an adapter."""
    return name.endswith(_PARTS)


def add_adapters(network: nn.Module, rank: int, alpha: float, dropout: float, seed: int) -> None:
    """Give every input and output projection of every Mamba-2 layer an adapter, in place.

    Raises
    ------
    GenezipError
        If the network has no Mamba-2 layer, or has adapters already.
    """
    mixers = [module for module in network.modules() if isinstance(module, Mamba2)]
    if not mixers:
        raise GenezipError("this network has no Mamba-2 layer, so there is nothing to adapt")
    if any(isinstance(module, AdaptedLinear) for module in network.modules()):
        raise GenezipError("this network has adapters already; merge them first")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for mixer in mixers:
            for name in PROJECTIONS:
                adapted = AdaptedLinear(getattr(mixer, name), rank, alpha, dropout)
                adapted.reset_adapter()
                adapted.train(mixer.training)
                setattr(mixer, name, adapted)


def merge_adapters(network: nn.Module) -> None:
    """Write every adapter into the weight it stands beside, in place (W + scale B A)."""
    for mixer in network.modules():
        if not isinstance(mixer, Mamba2):
            continue
        for name in PROJECTIONS:
            projection = getattr(mixer, name)
            if isinstance(projection, AdaptedLinear):
                setattr(mixer, name, projection.merged().train(mixer.training))


def save_adapters(path: str | Path, network: nn.Module) -> None:
    """Write the adapters, and nothing else, as safetensors (scale as metadata), atomically."""
    tensors, scale = {}, 1.0
    for name, module in network.named_modules():
        if isinstance(module, AdaptedLinear):
            scale = module.scale
            for part in _PARTS:
                tensors[f"{name}.{part}"] = getattr(module, part).detach().cpu().contiguous()
    if not tensors:
        raise GenezipError(f"this network has no adapters, so {path} would be empty")
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(tensors, {"scale": repr(scale)}))


def load_adapters(path: str | Path, network: nn.Module) -> None:
    """Give a network without adapters those of a file.

    Raises
    ------
    GenezipError
        If the file is missing or broken, or belongs to another layout.
    """
    try:
        with safe_open(path, framework="pt") as file:
            scale = float((file.metadata() or {})["scale"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        rank = next(t.shape[0] for name, t in tensors.items() if name.endswith("lora_a"))
    except FileNotFoundError:
        raise GenezipError(f"{path} does not exist; name a file of adapters") from None
    except (SafetensorError, KeyError, ValueError, StopIteration, OSError):
        raise GenezipError(f"{path} is no file of adapters; train them again") from None
    add_adapters(network, rank, scale * rank, 0.0, 0)
    expected = {name: p for name, p in network.named_parameters() if is_adapter(name)}
    for name in sorted({*expected, *tensors}):
        if name not in tensors or name not in expected:
            where = "missing from" if name not in tensors else "too many in"
            merge_adapters(network)
            raise GenezipError(f"{name} is {where} {path}; take adapters of this model")
        if tensors[name].shape != expected[name].shape:
            found, wanted = tuple(tensors[name].shape), tuple(expected[name].shape)
            merge_adapters(network)
            raise GenezipError(
                f"{name} in {path} has shape {found} where {wanted} is expected; take adapters "
                "of this model"
            )
    with torch.no_grad():
        for name, parameter in expected.items():
            parameter.copy_(tensors[name])
