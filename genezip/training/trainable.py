"""Which parameters learn when a pretrained network meets a task.

``head_only`` is what the paper says of its frozen encoders, ``release`` what the authors'
release does under that name, ``lora`` trains adapters on every Mamba-2 projection, ``full``
trains everything. The head learns in all of them and is no part of the network.
"""

from typing import get_args

from torch import Tensor, nn

from genezip.config.tasks import FineTuning, Mode
from genezip.errors import GenezipError
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.layers.lora import add_adapters, is_adapter

MODES: tuple[Mode, ...] = tuple(mode for mode in get_args(Mode) if mode != "frozen")

FROZEN_IN_RELEASE = ("embedding", "encoders", "routers")


def decides_on_tokens(name: str, network: GeneZipNetwork) -> bool:
    """Whether a parameter of this name has a say in where tokens stand; ``release`` freezes it.

    Embedding, encoders, routers, and the vectors that widen the tokens of a stage for the next
    one, whose encoder and router read them. The last such vector, which widens tokens for the
    trunk, learns with the trunk, the residual maps and the decoders.
    """
    part, _, stage = name.partition(".")
    if part == "paddings":
        return int(stage) < network.shape.n_stages - 1
    return part in FROZEN_IN_RELEASE


def set_mode(network: GeneZipNetwork, mode: str, settings: FineTuning, seed: int) -> list[str]:
    """Freeze and thaw the parameters of a network.

    Parameters
    ----------
    network : changed in place; ``lora`` gives it adapters
    mode : ``head_only``, ``release``, ``lora`` or ``full``
    settings : rank, alpha and dropout of the adapters
    seed : of the adapters' initial values

    Returns
    -------
    Names of the parameters that learn, in the order of ``named_parameters``.

    Raises
    ------
    GenezipError
        If there is no such mode.
    """
    if mode not in MODES:
        raise GenezipError(f"there is no way to train {mode!r}; use {', '.join(MODES)}")
    if mode == "lora":
        add_adapters(network, settings.lora_rank, settings.lora_alpha, settings.lora_dropout, seed)
    learning = []
    for name, parameter in network.named_parameters():
        learns = {
            "head_only": False,
            "release": not decides_on_tokens(name, network),
            "lora": is_adapter(name),
            "full": True,
        }[mode]
        parameter.requires_grad_(learns)
        if learns:
            learning.append(name)
    return learning


def compressor_learns(network: GeneZipNetwork) -> bool:
    """Whether any parameter of the network receives gradients."""
    return any(parameter.requires_grad for parameter in network.parameters())


def learned_weights(module: nn.Module) -> dict[str, Tensor]:
    """The parameters that learn, and all buffers, by name; the tensors themselves, no copies."""
    fixed = {name for name, p in module.named_parameters() if not p.requires_grad}
    return {name: value for name, value in module.state_dict().items() if name not in fixed}
