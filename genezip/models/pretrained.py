"""Model folders of networks: ``config.json`` and ``model.safetensors``, complete or refused.

The configuration holds the resolved architecture and the target BPT, so weights do not need this
repository's ``config/`` folder. A folder may also be the id of a repository on the hub.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import nn

from genezip import models
from genezip.artifacts.files import atomic_path, sha256_file, write_json
from genezip.config import NETWORKS
from genezip.errors import GenezipError
from genezip.models import CARD, CONFIG
from genezip.models.hnet.architecture import Architecture, architecture
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.hub import HubId, local_folder, snapshot

WEIGHTS = "model.safetensors"
BEST = "best.safetensors"
KIND = replace(
    models.KIND, keys=("name", "seed", "architecture", "target_bpt", "sha256", "training")
)


@dataclass(frozen=True)
class ModelCard:
    """The content of ``config.json`` of a model folder.

    ``seed`` is that of the training, ``architecture`` the resolved layout and ``target_bpt`` the
    target of every region class, bp per token. ``training`` has settings and results of the
    training, and the hashes of the weights. ``compressor`` is the kind of network; it chooses the
    class that opens the folder.
    """

    name: str
    seed: int
    architecture: Architecture
    target_bpt: dict[str, float]
    training: dict[str, Any]
    compressor: str = NETWORKS[0]
    text: str = ""


def save_weights(path: str | Path, network: nn.Module) -> None:
    """Write the weights as safetensors, atomically."""
    tensors = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(tensors))


def save_pretrained(folder: str | Path, network: GeneZipNetwork, card: ModelCard) -> None:
    """Write a model folder; ``config.json`` is written last and holds the hashes of all weights.

    Other weights of the same run in the folder (:data:`BEST`) are hashed as well.
    """
    folder = Path(folder)
    save_weights(folder / WEIGHTS, network)
    weights = [name for name in (WEIGHTS, BEST) if (folder / name).exists()]
    # a folder without the key is of the first kind
    kind = {} if card.compressor == NETWORKS[0] else {"compressor": card.compressor}
    write_json(
        folder / CONFIG,
        KIND.head(
            name=card.name,
            seed=card.seed,
            parameters=network.count_parameters(),
            architecture=card.architecture.to_dict(),
            target_bpt=card.target_bpt,
            sha256={name: sha256_file(folder / name) for name in weights},
            training=card.training,
            **kind,
        ),
    )


def load_card(folder: str | Path) -> ModelCard:
    """Read ``config.json`` of the model folder of a network."""
    path = Path(folder) / CONFIG
    config = models.KIND.read(path)
    if (system := config.get("compressor", NETWORKS[0])) not in NETWORKS:
        raise GenezipError(
            f"{path} is of the compressor {system}, which is no network; open it with "
            "genezip.load, or name a network"
        )
    config = KIND.checked(path, config)
    if not all(isinstance(config[key], dict) for key in ("target_bpt", "sha256", "training")):
        raise KIND.foreign(path)
    return ModelCard(
        config["name"],
        config["seed"],
        architecture(config["architecture"], str(path)),
        config["target_bpt"],
        {**config["training"], "sha256": config["sha256"]},
        system,
        _text(path.parent / CARD),
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def load_network(
    folder: str | Path, weights: str = WEIGHTS, revision: str | None = None
) -> tuple[GeneZipNetwork, ModelCard]:
    """Load a model folder, or a model on the hub, for inference.

    ``folder`` is a path, the name of a model that comes with the package, or a hub id
    ``owner/name`` (text); an existing path is preferred.
    ``weights`` are :data:`WEIGHTS` or :data:`BEST`, and ``revision`` is a branch, tag or commit of
    a hub id, whose commit is recorded in the card (``training["hub"]``).
    """
    hub_id = HubId.parse(folder, revision)
    if hub_id is None:
        return _load_folder(local_folder(folder), weights)
    found = snapshot(hub_id, [CONFIG, weights, CARD])
    if not (found / CONFIG).is_file():
        raise GenezipError(
            f"{hub_id} on the hub has no {CONFIG}; if it holds weights of the GeneZip release, "
            f"run genezip weights import {hub_id} --out FOLDER"
        )
    network, card = _load_folder(found, weights)
    hub = {"id": hub_id.name, "commit": found.name}
    return network, replace(card, training={**card.training, "hub": hub})


def _load_folder(folder: Path, weights: str) -> tuple[GeneZipNetwork, ModelCard]:
    card = load_card(folder)
    path = folder / weights
    if not path.is_file():
        raise GenezipError(f"{path} is missing; copy the whole model folder or train again")
    # a causal bound without integers takes those computed from the targets
    network = GeneZipNetwork(card.architecture.resolved(list(card.target_bpt.values())))
    # a network that learned with tokens around masks predicts masked bases in the same way
    network.protect_masked = bool(card.training.get("settings", {}).get("protect_masked"))
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    try:
        # the layout first: its error is clearer than that of a wrong hash
        problem = mismatch(_shapes(path), expected)
        if problem is not None:
            raise GenezipError(
                f"{path} does not hold the weights of {CONFIG}: {problem}; "
                "copy both from the same model"
            )
        if sha256_file(path) != card.training["sha256"].get(weights):
            raise _broken(path)
        network.load_state_dict(load_file(path))
    except SafetensorError:
        raise _broken(path) from None
    return network.eval(), card


def _broken(path: Path) -> GenezipError:
    return GenezipError(
        f"{path} is broken: its sha256 differs from {CONFIG}; copy it again or train again"
    )


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors of a safetensors file, from its header."""
    with safe_open(path, framework="pt") as file:
        names = file.keys()
        return {name: tuple(file.get_slice(name).get_shape()) for name in names}


def mismatch(
    found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]
) -> str | None:
    """Describe the first tensor that is missing, has another shape, or is extra; None if none is.

    The order is that of ``expected``; extra names come last, sorted.
    """
    for name, shape in expected.items():
        if name not in found:
            return f"{name}, of shape {shape}, is missing"
        if found[name] != shape:
            return f"{name} has shape {found[name]} where {shape} is expected"
    extra = min((name for name in found if name not in expected), default=None)
    return None if extra is None else f"{extra}, of shape {found[extra]}, is not expected"
