"""Imported weights compute what the release computes.

The names, the shapes and the model are written out here once more, in NumPy and float64, one
position at a time, straight from the tensors by their published names; no layer of the
package is used for the expectation.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from genezip.models.genezip.release import import_release
from genezip.models.genezip.release_names import expected_shapes
from genezip.models.hnet.architecture import load_architecture
from genezip.models.pretrained import load_network
from genezip.region_classes import CLASSES

Shapes = dict[str, tuple[int, ...]]
State = dict[str, np.ndarray]

# -- names and shapes ---------------------------------------------------------------------


def layer(path: str, d: int, n: int, p: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    inner, heads = 2 * d, 2 * d // p
    yield f"{path}.norm1.weight", (d,)
    yield f"{path}.mixer.in_proj.weight", (2 * inner + 2 * n + heads, d)
    yield f"{path}.mixer.conv1d.weight", (inner + 2 * n, 1, 4)
    yield f"{path}.mixer.conv1d.bias", (inner + 2 * n,)
    yield f"{path}.mixer.dt_bias", (heads,)
    yield f"{path}.mixer.A_log", (heads,)
    yield f"{path}.mixer.D", (heads,)
    yield f"{path}.mixer.norm.weight", (inner,)
    yield f"{path}.mixer.out_proj.weight", (d, inner)


def published(
    width: int,
    inner_width: int,
    trunk: int,
    n: int = 64,
    p: int = 64,
    outer: tuple[int, ...] = (2,) * 4,
) -> Shapes:
    """Names and shapes of a two-stage checkpoint.

    ``outer`` counts the layers of encoder 0, decoder 0, encoder 1 and decoder 1.
    """
    shapes: Shapes = {"embeddings.weight": (12, width), "lm_head.weight": (12, width)}
    zero, one = "backbone", "backbone.main_network"
    stacks = [f"{zero}.encoder", f"{zero}.decoder", f"{one}.encoder", f"{one}.decoder"]
    for stack, layers in zip(stacks, outer, strict=True):
        for i in range(layers):
            shapes.update(layer(f"{stack}.layers.{i}", width, n, p))
        shapes[f"{stack}.rmsnorm.weight"] = (width,)
    for stage in (zero, one):
        shapes[f"{stage}.routing_module.q_proj_layer.weight"] = (width, width)
        shapes[f"{stage}.routing_module.k_proj_layer.weight"] = (width, width)
        shapes[f"{stage}.residual_proj.weight"] = (width, width)
        shapes[f"{stage}.residual_proj.bias"] = (width,)
    two = "backbone.main_network.main_network"
    shapes[f"{two}.pad_dimension"] = (inner_width - width,)
    for i in range(trunk):
        shapes.update(layer(f"{two}.main_network.layers.{i}", inner_width, n, p))
    shapes[f"{two}.main_network.rmsnorm.weight"] = (inner_width,)
    return shapes


def filled(shapes: Shapes, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random values without any symmetry; every part changes the result."""
    random = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        value = torch.randn(shape, generator=random)
        if name.endswith((".norm.weight", "norm1.weight", "rmsnorm.weight")):
            value = 1 + 0.3 * value
        elif name.endswith("dt_bias"):
            value = value - 1
        elif len(shape) > 1 and "embeddings" not in name:
            value = value / shape[-1] ** 0.5
        state[name] = value
    state["lm_head.weight"] = state["embeddings.weight"].clone()
    return state


@pytest.mark.parametrize(
    ("preset", "sizes", "entries", "parameters"),
    [
        ("genezip-70m", (512, 768, 15), 223, 69_810_232),
        ("genezip-636m", (1024, 1536, 40), 448, 635_941_248),
    ],
)
def test_names_and_shapes_of_the_published_sizes(
    repo: Path, preset: str, sizes: tuple[int, int, int], entries: int, parameters: int
) -> None:
    shapes = published(*sizes)
    assert len(shapes) == entries
    del shapes["lm_head.weight"]
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == parameters
    assert expected_shapes(load_architecture(f"{preset}")) == shapes


# -- the model, written out ---------------------------------------------------------------


def array(state: State, name: str) -> np.ndarray:
    return state[name].astype(np.float64)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def rms(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return x / np.sqrt(np.mean(x * x) + 1e-5) * weight


def mamba(state: State, path: str, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """One mixer; rows of the projection: gate, x, B, C, dt."""
    project, out = (array(state, f"{path}.{part}_proj.weight") for part in ("in", "out"))
    taps, bias = (array(state, f"{path}.conv1d.{part}") for part in ("weight", "bias"))
    decay = -np.exp(array(state, f"{path}.A_log"))
    dt_bias, skip = array(state, f"{path}.dt_bias"), array(state, f"{path}.D")
    norm = array(state, f"{path}.norm.weight")
    inner, heads = len(norm), len(decay)
    n, p = (len(bias) - inner) // 2, inner // heads
    memory = np.zeros((heads, p, n))
    before = [np.zeros(len(bias))] * 3  # convolution inputs 3, 2 and 1 positions back
    results = []
    for u in inputs:
        row = project @ u
        gate, mixed, dt = np.split(row, [inner, inner + len(bias)])
        before.append(mixed)
        mixed = bias + sum(taps[:, 0, k] * before[-4 + k] for k in range(4))
        mixed = mixed * sigmoid(mixed)
        x, b, c = np.split(mixed, [inner, inner + n])
        dt = np.log1p(np.exp(dt + dt_bias))
        y = np.zeros(inner)
        for head in range(heads):
            own = slice(head * p, (head + 1) * p)
            memory[head] *= np.exp(dt[head] * decay[head])
            memory[head] += dt[head] * np.outer(x[own], b)
            y[own] = memory[head] @ c + skip[head] * x[own]
        results.append(out @ rms(y * gate * sigmoid(gate), norm))
    return results


def stack(state: State, path: str, xs: list[np.ndarray]) -> list[np.ndarray]:
    i = 0
    while f"{path}.layers.{i}.norm1.weight" in state:
        weight = array(state, f"{path}.layers.{i}.norm1.weight")
        mixed = mamba(state, f"{path}.layers.{i}.mixer", [rms(x, weight) for x in xs])
        xs = [x + y for x, y in zip(xs, mixed, strict=True)]
        i += 1
    return [rms(x, array(state, f"{path}.rmsnorm.weight")) for x in xs]


def boundary_prob(state: State, path: str, xs: list[np.ndarray]) -> list[float]:
    """Query from the position before, key from the position itself."""
    query = array(state, f"{path}.routing_module.q_proj_layer.weight")
    key = array(state, f"{path}.routing_module.k_proj_layer.weight")
    probs = [1.0]
    for t in range(1, len(xs)):
        q, k = query @ xs[t - 1], key @ xs[t]
        cosine = q @ k / np.sqrt(q @ q) / np.sqrt(k @ k)
        probs.append(min(1.0, max(0.0, (1 - cosine) / 2)))
    return probs


def kept_positions(probs: list[float], floor: int, ceiling: int) -> list[int]:
    """Above one half, then the floor, then the ceiling (0: none); the first always stays."""
    kept = {0} | {t for t, p in enumerate(probs) if p > 0.5}
    by_prob = sorted(range(len(probs)), key=lambda t: (-probs[t], t))
    for t in by_prob:
        if len(kept) < min(floor, len(probs)):
            kept.add(t)
    for t in reversed(by_prob):
        if ceiling and len(kept) > max(1, ceiling) and t > 0:
            kept.discard(t)
    return sorted(kept)


class WrittenOut:
    """The whole forward pass; keeps probabilities and masks of both stages."""

    def __init__(self, state: State, floors: list[int], ceilings: list[int]) -> None:
        self.state, self.floors, self.ceilings = state, floors, ceilings
        self.probs: list[list[float]] = []
        self.kept: list[list[int]] = []

    def log_probs(self, ids: list[int]) -> np.ndarray:
        table = array(self.state, "embeddings.weight")
        xs = self.level("backbone", 0, [table[i] for i in ids])
        logits = np.stack([table @ x for x in xs])
        logits -= logits.max(1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(1, keepdims=True))

    def level(self, path: str, stage: int, xs: list[np.ndarray]) -> list[np.ndarray]:
        state, width = self.state, len(xs[0])
        if f"{path}.encoder.rmsnorm.weight" not in state:
            extra = array(state, f"{path}.pad_dimension")
            xs = [np.concatenate([x, extra]) for x in xs]
            return [x[:width] for x in stack(state, f"{path}.main_network", xs)]
        encoded = stack(state, f"{path}.encoder", xs)
        probs = boundary_prob(state, path, encoded)
        kept = kept_positions(probs, self.floors[stage], self.ceilings[stage])
        self.probs.append(probs)
        self.kept.append(kept)
        tokens = self.level(f"{path}.main_network", stage + 1, [encoded[t] for t in kept])
        weight, bias = (array(state, f"{path}.residual_proj.{w}") for w in ("weight", "bias"))
        smooth, joined, number = np.zeros(width), [], 0
        for t, vector in enumerate(encoded):
            if number < len(kept) and kept[number] == t:
                p = min(1 - 1e-4, max(1e-4, probs[t]))
                smooth = p * tokens[number] + (1 - p) * smooth
                number += 1
            joined.append(smooth + weight @ vector + bias)
        return stack(state, f"{path}.decoder", joined)


# -- equality -----------------------------------------------------------------------------


def equal(
    shapes: Shapes, folder: Path, length: int, floors: list[int], ceilings: list[int]
) -> None:
    state = filled(shapes)
    folder.mkdir()
    torch.save(state, folder / "pytorch_model.bin")
    settings = {"k_min_list": floors, "k_max_list": ceilings}
    (folder / "hydra_cfg.yaml").write_text(yaml.safe_dump(settings))
    import_release(folder, folder.with_name("imported"))
    network = load_network(folder.with_name("imported"))[0].double()
    ids = np.random.default_rng(1).integers(3, 8, length).tolist()  # A, C, G, T and N
    with torch.no_grad():
        output = network(torch.tensor([ids]))
    written = WrittenOut({name: value.numpy() for name, value in state.items()}, floors, ceilings)
    want = written.log_probs(ids)
    got = output.logits[0].log_softmax(-1).numpy()
    assert np.abs(want - want[:1]).max() > 0.1  # positions differ, so there is much to compare
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-9)
    for stage in range(2):
        routing = output.routings[stage]
        probs = routing.boundary_prob[0].numpy()
        np.testing.assert_allclose(probs, written.probs[stage], rtol=0, atol=1e-9)
        assert routing.boundary_mask[0].nonzero().flatten().tolist() == written.kept[stage]


@pytest.mark.parametrize(
    ("floors", "ceilings"),
    [([8, 8], [0, 0]), ([40, 36], [0, 0]), ([8, 4], [11, 5]), ([60, 60], [0, 0])],
    ids=["threshold", "floor", "ceiling", "floor beyond the length"],
)
def test_forward_equals_the_written_out_model(
    tmp_path: Path, floors: list[int], ceilings: list[int]
) -> None:
    """A narrow layout in which no two sizes are equal, 48 bases."""
    narrow = published(16, 24, trunk=3, n=5, p=8, outer=(2, 1, 1, 2))
    equal(narrow, tmp_path / "narrow", 48, floors, ceilings)


@pytest.mark.slow
def test_forward_at_the_70m_layout(tmp_path: Path) -> None:
    equal(published(512, 768, 15), tmp_path / "70m", 16, [8, 8], [0, 0])


@pytest.mark.parametrize(
    ("sizes", "state", "head"),
    [((16, 24, 15), 5, 8), pytest.param((512, 768, 15), 64, 64, marks=pytest.mark.slow)],
    ids=["narrow", "70m"],
)
def test_every_value_arrives(
    tmp_path: Path, sizes: tuple[int, int, int], state: int, head: int
) -> None:
    """Half precision comes in, fp32 goes out; targets and bounds are the published ones."""
    shapes = published(*sizes, n=state, p=head)
    values = {name: value.bfloat16() for name, value in filled(shapes).items()}
    torch.save(
        {"state_dict": {f"module._orig_mod.{k}": v for k, v in values.items()}},
        tmp_path / "model.bin",
    )
    card = import_release(tmp_path / "model.bin", tmp_path / "imported")
    network, again = load_network(tmp_path / "imported")
    assert again.architecture == card.architecture
    del shapes["lm_head.weight"]
    assert network.count_parameters() == sum(int(np.prod(shape)) for shape in shapes.values())
    width, inner_width, _ = sizes
    widths = {"d_model": (width, width, inner_width), "d_state": state, "headdim": head}
    assert card.architecture == replace(load_architecture("genezip-70m"), **widths)
    assert [card.target_bpt[name] for name in CLASSES] == [32, 32, 64, 64, 256, 256, 512]
    inner = "backbone.main_network.main_network"
    for theirs, ours in {
        "embeddings.weight": "embedding",
        "backbone.encoder.layers.1.mixer.D": "encoders.0.blocks.1.mixer.d",
        "backbone.main_network.decoder.layers.0.mixer.A_log": "decoders.1.blocks.0.mixer.a_log",
        "backbone.residual_proj.bias": "residuals.0.bias",
        f"{inner}.pad_dimension": "paddings.1",
        f"{inner}.main_network.layers.14.norm1.weight": "trunk.blocks.14.norm_weight",
    }.items():
        value = network.state_dict()[ours]
        assert value.dtype == torch.float32
        assert value.equal(values[theirs].float()), theirs
