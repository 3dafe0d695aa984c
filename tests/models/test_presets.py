"""Presets: exact sizes by count and by formula, budgets of the paper, one line each."""

import csv
import math
import os
import re
from pathlib import Path

import pytest
import torch
from toolkit.networks import CAUSAL, SMALL

from genezip import config
from genezip.errors import GenezipError
from genezip.models.hnet.architecture import Architecture, architecture, load_architecture
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.presets import (
    bound,
    count_parameters,
    layout,
    model_presets,
    region_presets,
    routers,
)
from genezip.region_classes import CLASSES

SIZES = {
    "genezip-70m": 69_810_232,
    "hnet-70m": 69_810_232,
    "genezip-636m": 635_941_248,
    "genezip-636m-128k": 635_941_248,
    "mamba2-84m": 84_336_632,
    "unet-70m": 68_762_680,
    "stride-70m": 68_761_656,
    "random-70m": 68_761_656,
    "cpg-70m": 68_761_656,
    "genezip-small": 1_460_232,
    "genezip-tiny": 258_132,
    "mamba2-tiny": 363_468,
    "unet-tiny": 241_876,
    "stride-tiny": 241_748,
    "random-tiny": 241_748,
    "cpg-tiny": 241_748,
    "dnahnet-tiny": 1_079_196,
    "dnahnet-tiny-fixed": 1_052_572,
    "dnahnet-tiny-flat": 251_788,
    "dnahnet-tiny-random": 1_052_572,
    "dnahnet-small": 30_258_560,
    "dnahnet-small-fixed": 29_996_416,
    "dnahnet-small-flat": 8_211_784,
    "dnahnet-base": 449_083_904,
    "ldarnet-tiny": 322_268,
    **dict.fromkeys((f"ldarnet-tiny-{kind}" for kind in ("even", "random", "shuffled")), 322_268),
    "ldarnet-2m": 2_011_288,
    "ldarnet-110m": 110_687_296,
}
# Names of the paper's budgets, as the published table writes them.
BUDGETS = {
    "transcript_balanced": "Transcript-balanced",
    "cis_regulatory": "Cis-regulatory-focused",
    "promoter_distal": "Promoter-distal-regulatory",
    "intergenic": "Intergenic-focused",
    "uniform": "Uniform-resolution (H-Net control)",
}


def layer_size(d: int, shape: Architecture) -> int:
    """One Mamba-2 layer with its pre-norm, as the paper's layout has it."""
    di, n, taps = shape.expand * d, shape.d_state, shape.d_conv
    h = di // shape.headdim
    in_proj, conv = d * (2 * di + 2 * n + h), (di + 2 * n) * (taps + 1)
    directions = 2 if shape.direction == "both" else 1  # which share the projections
    return in_proj + directions * (conv + 3 * h + di) + di * d + d


def stack_size(layers: int | str, d: int, shape: Architecture) -> int:
    """A stack: Mamba-2 by :func:`layer_size`, attention 4 d^2 + d, SwiGLU 3 d f + d, one norm."""
    letters = "m" * layers if isinstance(layers, int) else layers
    text = re.sub(r"(\D)(\d+)", lambda found: found[1] * int(found[2]), letters)
    given = dict(zip(shape.d_model, shape.d_intermediate, strict=False)).get(d)
    gated = math.ceil((given or 8 * d / 3) / 128) * 128
    sizes = {"m": layer_size(d, shape), "t": 4 * d * d + d}
    return d + sum(sizes[one.lower()] + (3 * d * gated + d if one.isupper() else 0) for one in text)


def size_by_formula(shape: Architecture) -> int:
    """Embedding, stacks, routers, residual maps, paddings, start vectors."""
    total = shape.vocab_size * shape.d_model[0] * (1 if shape.head == "tied" else 2)
    total += stack_size(shape.trunk_layers, shape.d_model[-1], shape)
    for stage in range(shape.n_stages):
        d, inner = shape.d_model[stage : stage + 2]
        for layers in (shape.encoder_layers[stage], shape.decoder_layers[stage]):
            total += stack_size(layers, d, shape)
        # a guided router has the weights of a learned one, too
        kind = shape.router[stage].replace("guided_", "learned ").split()[0]
        total += {"learned": 2 * d * d, "block": d}.get(kind, 0)
        total += d * d + d + (inner - d)
    return total


def test_the_formula_gives_the_parts_of_the_70m_layout(repo: Path) -> None:
    shape = load_architecture("genezip-70m")
    assert layer_size(512, shape) == 1_653_936
    assert layer_size(768, shape) == 3_666_376
    assert 15 * layer_size(768, shape) + 768 == 54_996_408


def test_every_preset_has_a_size_here(repo: Path) -> None:
    assert {path.stem for path in (repo / "genezip/config/models").iterdir()} == set(SIZES)


@pytest.mark.parametrize("name", SIZES)
def test_sizes(repo: Path, name: str) -> None:
    """By count, by formula, and in the first line of the file."""
    path = repo / f"genezip/config/models/{name}.yaml"
    shape = load_architecture(path)
    with torch.device("meta"):
        network = GeneZipNetwork(shape)
    assert network.count_parameters() == size_by_formula(shape) == SIZES[name]
    assert f": {SIZES[name]:,} parameters" in path.read_text().splitlines()[0]


def test_peers_share_the_layout(repo: Path) -> None:
    """A control differs in what decides on tokens; a flat peer has as many layers."""
    for size in ("70m", "tiny"):
        reference = load_architecture(f"genezip-{size}")
        for name in ("unet", "stride", "random", "cpg"):
            peer = load_architecture(f"{name}-{size}")
            assert layout(peer) == layout(reference)
            assert (peer.d_state, peer.logit_scale) == (reference.d_state, reference.logit_scale)
        flat = load_architecture(f"mamba2-{'84m' if size == '70m' else size}")
        layers = (*reference.encoder_layers, reference.trunk_layers, *reference.decoder_layers)
        assert (flat.d_model, flat.trunk_layers) == (reference.d_model[-1:], sum(layers))


def test_the_636m_ceilings(repo: Path) -> None:
    short, long = (load_architecture(f"genezip-636m{name}") for name in ("", "-128k"))
    assert (short.k_min, short.k_max) == ((8, 8), (3000, 3000))
    assert (long.k_min, long.k_max) == ((8, 8), (30_000, 10_000))


# -- region budgets ------------------------------------------------------------------------


def test_budgets_are_those_of_the_paper(repo: Path) -> None:
    """Against the published table, where there is one beside the real data."""
    data = Path(os.environ.get("GENEZIP_MIRROR") or repo.parent / "shared" / "data")
    table = data.parent / "reference" / "tables" / "mu_r_presets.csv"
    if not table.exists():
        pytest.skip(f"no published table at {table}")
    with open(table, newline="") as handle:
        rows = {row["alias"]: row for row in csv.DictReader(handle)}
    presets = region_presets(repo / "genezip/config/regions")
    assert set(presets) == set(BUDGETS) and set(rows) == set(BUDGETS.values())
    for name, alias in BUDGETS.items():
        row = rows[alias]
        assert presets[name].multipliers == {c: float(row[c]) for c in CLASSES}, name
        base = row["base_bpt_release_template"]
        assert presets[name].base_bpt == float(base or 32)
        published = row["base_bpt_published_checkpoint"]
        text = (repo / f"genezip/config/regions/{name}.yaml").read_text()
        assert (published not in ("", base)) == (
            f"base_bpt {published}" in text.replace("\n# ", " ")
        )


def test_targets_of_a_budget(repo: Path) -> None:
    targets = region_presets(repo / "genezip/config/regions")["intergenic"].target_bpt()
    assert list(targets.values()) == [1024, 512, 256, 128, 64, 128, 32]


# -- the models of the paper's comparison ----------------------------------------------------


def test_the_comparison_overlays_the_paper_run(repo: Path) -> None:
    names = [repo / "config" / name for name in ("config.yaml", "comparison.yaml")]
    models = config.load(*names).chosen_models()
    assert list(models) == [
        "genezip-70m", "hnet-128bpt-70m", "hnet-3bpt-70m", "unet-70m", "mamba2-84m",
    ]  # fmt: skip
    assert models["hnet-3bpt-70m"].architecture == "hnet-70m"
    assert models["hnet-3bpt-70m"].uniform_bpt == 3
    for entry in models.values():
        shape = load_architecture(f"{entry.architecture}")
        if not shape.learns_routing:  # nothing is steered: the target is what it gives
            assert entry.uniform_bpt == math.prod(stride or 1 for stride in shape.stride)


# -- one line each -------------------------------------------------------------------------


def test_a_causal_preset_may_leave_its_integers_to_the_targets(repo: Path, tmp_path: Path) -> None:
    text = (repo / "genezip/config/models/genezip-tiny.yaml").read_text()
    (tmp_path / "waits.yaml").write_text(text + "bound: causal\n")
    (preset,) = model_presets(tmp_path)
    assert (preset.bound, preset.parameters) == ("causal from the targets", 258_132)


def test_one_line_of_a_preset(repo: Path) -> None:
    presets = {preset.name: preset for preset in model_presets(repo / "genezip/config/models")}
    assert set(presets) == set(SIZES)
    sizes = [preset.parameters for preset in presets.values()]
    assert sizes == sorted(sizes)
    assert presets["genezip-70m"].layout == "m2 512 | m2 512 | m15 768 | m2 512 | m2 512"
    assert presets["mamba2-84m"].layout == "m23 768"
    found = {name: (preset.routers, preset.bound) for name, preset in presets.items()}
    assert found["genezip-70m"] == ("learned, learned", "sequence 8+, 8+")
    assert found["genezip-636m-128k"] == ("learned, learned", "sequence 8-30000, 8-10000")
    assert found["hnet-70m"] == ("learned, learned", "none")
    assert found["unet-70m"] == ("block 8, block 16", "none")
    assert found["cpg-tiny"] == ("cpg, stride 1", "none")
    assert found["mamba2-tiny"] == ("none", "none")
    assert presets["dnahnet-tiny"].layout == "m1 64 | T1m1 96 | T3 128 | m1T1 96 | m1 64"
    assert found["dnahnet-tiny"] == ("learned, learned", "none")
    assert found["dnahnet-tiny-fixed"] == ("stride 3, stride 2", "none")
    assert presets["ldarnet-110m"].layout == "m3t1 512 | M10 768 | m4 512"
    assert found["ldarnet-110m"] == ("learned", "none")
    assert found["ldarnet-tiny-even"] == ("guided_even", "none")


def test_lines_of_other_architectures() -> None:
    small = SMALL.to_dict()
    uneven = architecture({**small, "encoder_layers": (1, 2), "decoder_layers": (3, 4)})
    assert layout(uneven) == "m1 16 | m2 16 | m1 24 | m4 16 | m3 16"
    assert routers(uneven) == "learned, learned"
    for changes, text in (
        ({"k_min": (None, None)}, "sequence free, free"),
        ({"k_min": (None, 2), "k_max": (9, None)}, "sequence 1-9, 2+"),
        ({"bound": "none"}, "none"),
        ({"bound": "causal"}, "causal from the targets"),
        (CAUSAL, "causal G 9 burst 4 rate 1/3, G 5 burst 2 rate 1/2"),
    ):
        assert bound(architecture({**small, **changes})) == text
    assert count_parameters(uneven) == size_by_formula(uneven)


def test_a_folder_without_presets(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match="holds no preset"):
        model_presets(tmp_path)
