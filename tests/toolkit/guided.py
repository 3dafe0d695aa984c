"""A small network of both directions that cuts DNA, and controls that rearrange its tokens."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from genezip.models.hnet.architecture import GUIDED, Architecture
from genezip.models.hnet.network import GeneZipNetwork, build
from genezip.models.pretrained import load_card, save_pretrained
from toolkit.networks import toy_card

LEARNED = Architecture(
    d_model=(8, 16), encoder_layers=("m1t1",), trunk_layers="m1", decoder_layers=("m1",),
    attention_heads=(2, None), attention_window=(5, None), d_state=4, headdim=4, ssd_chunk=16,
    bound="none", vocab_size=7, direction="both", head="untied",
)  # fmt: skip
KINDS = GUIDED


def guided(kind: str, **changes: object) -> Architecture:
    """The layout of :data:`LEARNED` with a guided router."""
    return replace(LEARNED, router=(kind,), **changes)  # type: ignore[arg-type]


def learned_network(seed: int = 1, shape: Architecture = LEARNED) -> GeneZipNetwork:
    """A network whose layers speak up, so that its tokens depend on the bases."""
    network = build(shape, seed).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("out_proj.weight"):
                parameter.mul_(30)
    return network


def control(kind: str, trained: GeneZipNetwork, seed: int = 2) -> GeneZipNetwork:
    """A control as it begins its training."""
    network = build(replace(trained.shape, router=(kind,)), seed).eval()
    network.take_guide(trained)
    return network


def save_learned(folder: Path, seed: int = 0, shape: Architecture = LEARNED) -> Path:
    """Write the model folder of :func:`learned_network`."""
    card = toy_card(shape, seed, "learned")
    save_pretrained(folder, learned_network(shape=shape), replace(card, compressor="ldarnet"))
    return folder


def save_control(folder: Path, kind: str, guide: Path, network: GeneZipNetwork) -> Path:
    """Write the model folder of a control, which names its guide as a training does."""
    card = load_card(guide)
    named = {"name": card.name, "seed": card.seed, "sha256": card.training["sha256"]}
    named["sha256"] = named["sha256"]["model.safetensors"]
    made = toy_card(network.shape, card.seed, kind, facts={"guide": named})
    save_pretrained(folder, network, replace(made, compressor="ldarnet"))
    return folder


def gaps(starts: np.ndarray, length: int) -> list[int]:
    """Lengths of the chunks of a sequence."""
    return np.diff(np.append(starts, length)).tolist()
