"""The authors' weights of LDARNet: read by name, and computed by a model written out here.

The second model is numpy in fp64 with plain loops over positions; it shares nothing with the
package but the numbers of a checkpoint.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toolkit.command_line import succeed

import genezip as gz
from genezip.errors import GenezipError
from genezip.models.genezip.release_names import expected_shapes
from genezip.models.hnet.architecture import load_architecture
from genezip.models.ldarnet.compressor import LDARNet
from genezip.models.ldarnet.release import LAYERS, copies, import_release

State = dict[str, np.ndarray]

# A small model with every kind of layer of the release; keys of the authors' LDarConfig.
CONFIG: dict[str, Any] = {
    "arch_layout": ["m1t1", ["M2"], "m1"],
    "d_model": [8, 12],
    "d_intermediate": [0, 128],
    "vocab_size": 7,
    "ssm_cfg": {"d_conv": 4, "expand": 2, "d_state": 6, "chunk_size": 256},
    "attn_cfg": {"num_heads": [2, 2], "rotary_emb_dim": [4, 4], "window_size": [3, -1]},
    "tie_embeddings": False,
    "mode": "mlm",
    "pad_token_id": 6,
    "mask_token_id": 5,
}
HEADDIM, D_STATE, D_CONV = 4, 6, 4
WINDOW, HEADS = 3, 2


def layer(width: int, letter: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of one layer, as the authors' modules have them."""
    inner = 2 * width
    heads, channels = inner // HEADDIM, inner + 2 * D_STATE
    shapes: dict[str, tuple[int, ...]] = {"norm1.weight": (width,)}
    if letter == "t":
        shapes |= {"mixer.Wqkv.weight": (3 * width, width), "mixer.out_proj.weight": (width, width)}
    else:
        for side in ("fwd", "bwd"):
            shapes |= {
                f"mixer.{side}.dt_bias": (heads,),
                f"mixer.{side}.A_log": (heads,),
                f"mixer.{side}.D": (heads,),
                f"mixer.{side}.in_proj.weight": (2 * inner + 2 * D_STATE + heads, width),
                f"mixer.{side}.conv1d.weight": (channels, 1, D_CONV),
                f"mixer.{side}.conv1d.bias": (channels,),
                f"mixer.{side}.norm.weight": (inner,),
                f"mixer.{side}.out_proj.weight": (width, inner),
            }
    if letter == "M":
        shapes |= {
            "norm2.weight": (width,), "mlp.fc1.weight": (256, width), "mlp.fc2.weight": (width, 128)
        }  # fmt: skip
    return shapes


def checkpoint_shapes() -> dict[str, tuple[int, ...]]:
    stacks = {
        "backbone.encoder": (8, "mt"),
        "backbone.decoder": (8, "m"),
        "backbone.main_network.main_network": (12, "MM"),
    }
    shapes: dict[str, tuple[int, ...]] = {"embeddings.weight": (7, 8), "lm_head.weight": (7, 8)}
    for path, (width, letters) in stacks.items():
        for number, letter in enumerate(letters):
            for name, shape in layer(width, letter).items():
                shapes[f"{path}.layers.{number}.{name}"] = shape
        shapes[f"{path}.rmsnorm.weight"] = (width,)
    return shapes | {
        "backbone.routing_module.q_proj_layer.weight": (8, 8),
        "backbone.routing_module.k_proj_layer.weight": (8, 8),
        "backbone.residual_proj.weight": (8, 8),
        "backbone.residual_proj.bias": (8,),
        "backbone.main_network.pad_dimension": (4,),
    }


def checkpoint(seed: int = 0) -> State:
    """Random weights under the names of the release; shared projections are stored twice."""
    draw = np.random.default_rng(seed)
    state = {
        name: draw.normal(scale=0.5, size=shape).astype(np.float32)
        for name, shape in checkpoint_shapes().items()
    }
    for name in state:
        if ".bwd." in name and name.endswith(("in_proj.weight", "out_proj.weight")):
            state[name] = state[name.replace(".bwd.", ".fwd.")]
    return state


def tensors(state: State) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value.copy()) for name, value in state.items()}


# -- the model, written out ----------------------------------------------------------------


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def norm(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * weight


def mamba(x: np.ndarray, state: State, path: str) -> np.ndarray:
    """One direction of a mixer, position by position: (L, width) -> (L, width)."""
    inner = 2 * x.shape[1]
    heads = inner // HEADDIM
    rows = x @ state[f"{path}.in_proj.weight"].T
    gate, raw, dt = np.split(rows, [inner, 2 * inner + 2 * D_STATE], axis=1)
    taps, bias = state[f"{path}.conv1d.weight"][:, 0], state[f"{path}.conv1d.bias"]
    rate, skip = -np.exp(state[f"{path}.A_log"]), state[f"{path}.D"]
    memory = np.zeros((heads, HEADDIM, D_STATE))
    mixed = np.zeros((len(x), inner))
    for t in range(len(x)):
        seen = [raw[t - back] if t >= back else 0 * raw[0] for back in (3, 2, 1, 0)]
        current = silu(bias + sum(tap * one for tap, one in zip(taps.T, seen, strict=True)))
        value = current[:inner].reshape(heads, HEADDIM)
        b, c = current[inner : inner + D_STATE], current[inner + D_STATE :]
        for head in range(heads):
            step = np.log1p(np.exp(dt[t, head] + state[f"{path}.dt_bias"][head]))
            memory[head] *= np.exp(step * rate[head])
            memory[head] += step * np.outer(value[head], b)
            out = memory[head] @ c + skip[head] * value[head]
            mixed[t, head * HEADDIM : (head + 1) * HEADDIM] = out
    return norm(mixed * silu(gate), state[f"{path}.norm.weight"]) @ (
        state[f"{path}.out_proj.weight"].T
    )


def turned(vector: np.ndarray, position: int) -> np.ndarray:
    """Rotary positions of one head of 4 dimensions: pairs (0, 2) and (1, 3)."""
    found = vector.copy()
    for i in range(2):
        angle = position * 10_000 ** (-2 * i / 4)
        found[i] = vector[i] * np.cos(angle) - vector[i + 2] * np.sin(angle)
        found[i + 2] = vector[i] * np.sin(angle) + vector[i + 2] * np.cos(angle)
    return found


def attention(x: np.ndarray, state: State, path: str) -> np.ndarray:
    size = x.shape[1] // HEADS
    joined = (x @ state[f"{path}.Wqkv.weight"].T).reshape(len(x), 3, HEADS, size)
    mixed = np.zeros_like(x)
    for head in range(HEADS):
        query, key, value = joined[:, :, head].transpose(1, 0, 2)
        for t in range(len(x)):
            near = [s for s in range(len(x)) if abs(s - t) <= WINDOW]
            scores = [turned(query[t], t) @ turned(key[s], s) / np.sqrt(size) for s in near]
            weights = np.exp(scores) / np.exp(scores).sum()
            mixed[t, head * size : (head + 1) * size] = weights @ value[near]
    return mixed @ state[f"{path}.out_proj.weight"].T


def stack(x: np.ndarray, state: State, path: str, letters: str) -> np.ndarray:
    for number, letter in enumerate(letters):
        at = f"{path}.layers.{number}"
        normed = norm(x, state[f"{at}.norm1.weight"])
        if letter == "t":
            x = x + attention(normed, state, f"{at}.mixer")
        else:
            ahead = mamba(normed, state, f"{at}.mixer.fwd")
            back = mamba(normed[::-1], state, f"{at}.mixer.bwd")[::-1]
            x = x + (ahead + back) / 2
        if letter == "M":
            both = norm(x, state[f"{at}.norm2.weight"]) @ state[f"{at}.mlp.fc1.weight"].T
            values, gate = np.split(both, 2, axis=1)
            x = x + (values * silu(gate)) @ state[f"{at}.mlp.fc2.weight"].T
    return norm(x, state[f"{path}.rmsnorm.weight"])


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))


def written_out(letters: str, state: State) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits (L, 7), boundary probabilities and mask of letters, where M is the mask token."""
    state = {name: value.astype(np.float64) for name, value in state.items()}
    x = state["embeddings.weight"][["ACGTNM".index(letter) for letter in letters]]
    encoded = stack(x, state, "backbone.encoder", "mt")
    query = encoded @ state["backbone.routing_module.q_proj_layer.weight"].T
    key = encoded @ state["backbone.routing_module.k_proj_layer.weight"].T
    prob = np.ones(len(letters))
    for t in range(1, len(letters)):
        similarity = (cosine(query[t - 1], key[t]) + cosine(query[t], key[t - 1])) / 2
        prob[t] = (1 - similarity) / 2
    kept = np.flatnonzero(prob > 0.5)
    wide = np.tile(state["backbone.main_network.pad_dimension"], (len(kept), 1))
    tokens = np.concatenate([encoded[kept], wide], axis=1)
    tokens = stack(tokens, state, "backbone.main_network.main_network", "MM")[:, :8]
    share = prob[kept].clip(1e-4, 1 - 1e-4)
    ahead, back = tokens.copy(), tokens.copy()  # P = 1 at the first token of each pass
    for m in range(1, len(kept)):
        ahead[m] = share[m] * tokens[m] + (1 - share[m]) * ahead[m - 1]
    for m in range(len(kept) - 2, -1, -1):
        back[m] = share[m] * tokens[m] + (1 - share[m]) * back[m + 1]
    smooth = (ahead + back) / 2
    received = np.stack([smooth[(kept <= t).sum() - 1] for t in range(len(letters))])
    residual = encoded @ state["backbone.residual_proj.weight"].T
    residual = residual + state["backbone.residual_proj.bias"]
    decoded = stack(received + residual, state, "backbone.decoder", "m")
    return decoded @ state["lm_head.weight"].T, prob, prob > 0.5


# -- import --------------------------------------------------------------------------------


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A checkpoint as the authors' training writes it, with what lies beside the weights."""
    folder = tmp_path / "LDARNet-toy"
    folder.mkdir()
    content = {
        "model": tensors(checkpoint()), "opt": {"state": {}, "param_groups": [{"lr": 5e-4}]},
        "config": CONFIG, "step": 3, "args": {"lr": 5e-4, "max_steps": None},
    }  # fmt: skip
    torch.save(content, folder / "model_ckpt_110m.pt")
    return folder


LETTERS = "ACGTTGCANNMACGGATMMCATTACGATTTAGCCM"


def test_logits_and_boundaries_are_those_of_the_model_written_out(
    source: Path, tmp_path: Path
) -> None:
    card = import_release(source, tmp_path / "out")
    assert card.name == "LDARNet-toy" and card.compressor == "ldarnet"
    model = gz.load(tmp_path / "out")
    assert isinstance(model, LDARNet)
    ids = torch.tensor([["ACGTNM".index(letter) + 3 for letter in LETTERS]])
    with torch.no_grad():
        output = model.network.double()(ids)
    logits, prob, mask = written_out(LETTERS, checkpoint())
    assert 4 < mask.sum() < len(LETTERS) - 4
    np.testing.assert_array_equal(output.routings[0].boundary_mask[0].numpy(), mask)
    np.testing.assert_allclose(output.routings[0].boundary_prob[0].numpy(), prob, atol=1e-9)
    np.testing.assert_allclose(output.logits[0].numpy(), logits, atol=1e-8)


def test_every_tensor_of_the_release_has_a_place(source: Path, tmp_path: Path) -> None:
    """Names, shapes and numbers: all of the file are used, shared projections once."""
    card = import_release(source, tmp_path / "out", name="mine")
    assert card.name == "mine" and card.target_bpt["promoter"] == 4.0
    shape = card.architecture
    named = {**expected_shapes(shape, LAYERS)}
    twice = {copy: named[original] for copy, original in copies(shape)}
    assert {**named, **twice} == checkpoint_shapes()
    assert (shape.headdim, shape.attention_window) == (4, (3, None))
    network = gz.load(tmp_path / "out").network
    numbers = sum(v.size for name, v in checkpoint().items() if name not in twice)
    assert network.count_parameters() == numbers


@pytest.mark.parametrize(("name", "mixers"), [("ldarnet-110m", 17), ("ldarnet-2m", 12)])
def test_the_published_layouts_have_the_names_of_the_release(name: str, mixers: int) -> None:
    shape = load_architecture(name)
    shapes = expected_shapes(shape, LAYERS)
    inner, width = 2 * shape.d_model[0], shape.d_model[0]
    at = "backbone.encoder.layers.2.mixer"
    assert shapes[f"{at}.bwd.conv1d.weight"] == (inner + 256, 1, 4)
    assert shapes[f"{at}.fwd.in_proj.weight"] == (2 * inner + 256 + inner // 64, width)
    assert shapes["backbone.encoder.layers.3.mixer.Wqkv.weight"] == (3 * width, width)
    trunk = "backbone.main_network.main_network.layers.5"
    assert shapes[f"{trunk}.mlp.fc1.weight"][0] == 2 * {512: 2560, 64: 384}[width]
    assert len(list(copies(shape))) == 2 * mixers  # two projections each


def test_a_checkpoint_without_configuration_must_have_a_published_width(tmp_path: Path) -> None:
    torch.save(tensors(checkpoint()), tmp_path / "weights.pt")
    with pytest.raises(GenezipError, match=r"width 8 is of no published LDARNet .512, 64."):
        import_release(tmp_path / "weights.pt", tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("drop", r"backbone.main_network.main_network.layers.1.mlp.fc2.weight.*is missing"),
        ("shape", "lm_head.weight has shape .7, 9. where .7, 8. is expected"),
        ("extra", "backbone.more, of shape .1,., is not expected"),
        ("copy", "bwd.in_proj.weight differs from .*fwd.in_proj.weight, which both directions"),
        ("nan", "with values that are not finite"),
        ("config", "has a configuration that is no LDarConfig"),
        ("other", "is no LDARNet of the release: it has no embeddings.weight"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, change: str, message: str) -> None:
    state, config = tensors(checkpoint()), dict(CONFIG)
    if change == "drop":
        del state["backbone.main_network.main_network.layers.1.mlp.fc2.weight"]
    elif change == "shape":
        state["lm_head.weight"] = torch.zeros(7, 9)
    elif change == "extra":
        state["backbone.more"] = torch.zeros(1)
    elif change == "copy":
        state["backbone.encoder.layers.0.mixer.bwd.in_proj.weight"] += 1
    elif change == "nan":
        state["lm_head.weight"][0] = torch.nan
    elif change == "config":
        del config["ssm_cfg"]
    else:
        del state["embeddings.weight"]
    torch.save({"model": state, "config": config}, tmp_path / "weights.pt")
    with pytest.raises(GenezipError, match=message) as said:
        import_release(tmp_path / "weights.pt", tmp_path / "out")
    assert "\n" not in str(said.value) and not (tmp_path / "out").exists()


def test_the_command(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    succeed("weights", "import", source, "--out", tmp_path / "out", "--compressor", "ldarnet")
    assert "widths 8, 12; targets: 4 bp per token" in capsys.readouterr().out
    assert import_release(source, tmp_path / "out").name == "LDARNet-toy"  # replaced
