"""Which parameters of a pretrained network are trained on a task.

``head_only`` freezes the encoder as the paper describes, ``release`` as the release does it,
``lora`` trains adapters on every Mamba-2 projection, ``full`` trains everything, or everything but
the routers. The head, which is no part of the network, is trained in all modes.
"""

from typing import get_args

from torch import Tensor, nn

from genezip.config.tasks import FineTuning, Mode
from genezip.errors import GenezipError
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.layers.lora import add_adapters, is_adapter

MODES: tuple[Mode, ...] = tuple(
    mode for mode in get_args(Mode) if mode not in ("frozen", "zero_shot")
)

FROZEN_IN_RELEASE = ("embedding", "encoders", "routers")


def decides_on_tokens(name: str, network: GeneZipNetwork) -> bool:
    """Whether token boundaries depend on a parameter of this name, which ``release`` freezes.

    They depend on the embedding, encoders, routers, and the vectors that widen the tokens of a
    stage for the encoder and router of the next. The vector that widens tokens for the trunk is
    trained, like the trunk, the residual maps and the decoders.
    """
    part, _, stage = name.partition(".")
    if part == "paddings":
        return int(stage) < network.shape.n_stages - 1
    return part in FROZEN_IN_RELEASE


def set_mode(network: GeneZipNetwork, mode: str, settings: FineTuning, seed: int) -> list[str]:
    """Freeze or unfreeze the parameters of a network in place; return names of the trainable ones.

    Their order is that of ``named_parameters``. The mode is ``head_only``, ``release``, ``lora`` or
    ``full``; ``lora`` adds adapters with the rank, alpha and dropout of ``settings``, whose initial
    values are drawn from ``seed``. Under the setting ``router: frozen`` no weight of a router is
    trained.
    """
    if mode not in MODES:
        raise GenezipError(f"there is no training mode {mode!r}; use {', '.join(MODES)}")
    if mode == "lora":
        add_adapters(network, settings.lora_rank, settings.lora_alpha, settings.lora_dropout, seed)
    trainable = []
    for name, parameter in network.named_parameters():
        is_trained = {
            "head_only": False,
            "release": not decides_on_tokens(name, network),
            "lora": is_adapter(name),
            "full": True,
        }[mode] and not (settings.router == "frozen" and name.startswith("routers."))
        parameter.requires_grad_(is_trained)
        if is_trained:
            trainable.append(name)
    return trainable


def is_trainable(network: GeneZipNetwork) -> bool:
    """Whether any parameter of the network is trainable."""
    return any(parameter.requires_grad for parameter in network.parameters())


def trainable_weights(module: nn.Module) -> dict[str, Tensor]:
    """Trainable parameters and all buffers by name, not copied."""
    frozen = {name for name, p in module.named_parameters() if not p.requires_grad}
    return {name: value for name, value in module.state_dict().items() if name not in frozen}
