"""Scaling: operations of training, the runs that are best for them, exponents."""

import math
from pathlib import Path

import numpy as np
import pytest
from toolkit.command_line import call, succeed
from toolkit.compressed import make_window

from genezip.artifacts.scores import DNA_SCORES
from genezip.corpus.corpus import Window
from genezip.errors import GenezipError
from genezip.evaluation.scaling import (
    ScalingRun,
    exponent,
    family,
    frontier,
    scaling_rows,
    scaling_run,
)
from genezip.inference.table import read_compressed, write_compressed
from genezip.models.hnet.architecture import Architecture, load_architecture
from genezip.models.hnet.flops import flops
from genezip.models.hnet.network import build
from genezip.models.pretrained import ModelCard, save_pretrained

FLAT = Architecture(d_model=(16,), trunk_layers=1, d_state=8, headdim=8)
TRAINING = {"settings": {"steps": 10, "batch": 4}, "windows": {"train": 9, "window_bp": 256}}
NO_STAGE = {"stage_tokens": np.zeros(0, dtype=np.int32), "bound_active": np.zeros(0, dtype=bool)}


def window(start: int, strand: str = "+") -> object:
    ids = np.full(100, 3, dtype=np.uint8)
    place = Window("c", start, start + 100, "c:0", "test", 0.0, ids, np.zeros_like(ids))
    every = make_window(place, np.arange(100), strand)
    return type(every)(**{**every.__dict__, **NO_STAGE})


def card(name: str = "flat", shape: Architecture = FLAT) -> ModelCard:
    return ModelCard(name, 0, shape, {"cds": 1.0}, TRAINING)


def test_a_run_counts_the_operations_of_its_windows(tmp_path: Path) -> None:
    windows = [window(0), window(100), window(0, "-")]  # the last is the first again
    path = tmp_path / "flat.parquet"
    write_compressed(path, windows, name="flat", seed=0, parameters=123)
    run = scaling_run(card(), read_compressed(path))
    one = float(flops(FLAT, np.array([100]), np.zeros((1, 0), dtype=np.int64))[0])
    assert (run.family, run.parameters, run.windows) == ("flat", 123, 2)
    assert run.bases == 10 * 4 * 256
    assert run.operations == pytest.approx(one / 100)
    assert run.training == pytest.approx(3 * one / 100 * 10_240)


def test_a_model_of_unknown_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flat.parquet"
    write_compressed(path, [window(0)], name="flat", seed=0, parameters=1)
    unknown = ModelCard("old", 0, FLAT, {"cds": 1.0}, {})
    with pytest.raises(GenezipError, match="old does not tell its settings"):
        scaling_run(unknown, read_compressed(path))


@pytest.mark.parametrize(
    ("preset", "name"),
    [
        ("dnahnet-tiny", "learned 3, 2"),
        ("dnahnet-tiny-fixed", "stride 3, 2"),
        ("dnahnet-tiny-flat", "flat"),
        ("genezip-tiny", "learned"),
    ],
)
def test_networks_of_one_family_differ_in_size_only(preset: str, name: str) -> None:
    assert family(load_architecture(preset)) == name


def test_the_frontier_is_that_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        cost, loss = rng.integers(1, 6, 12).astype(float), rng.integers(1, 6, 12).astype(float)
        kept = {(cost[i], loss[i]) for i in np.flatnonzero(frontier(cost, loss))}
        for i in range(12):
            beaten = any(
                (cost[j] <= cost[i] and loss[j] < loss[i])
                or (cost[j] < cost[i] and loss[j] <= loss[i])
                for j in range(12)
            )
            assert ((cost[i], loss[i]) in kept) == (not beaten)


def test_the_exponent_of_a_power_law() -> None:
    cost = [1e12, 3e12, 1e13, 5e13]
    value, margin = exponent(cost, [4 * one**-0.06 for one in cost])
    assert value == pytest.approx(0.06)
    assert margin == pytest.approx(0, abs=1e-9)
    assert all(map(math.isnan, exponent(cost[:2], [4, 3])))


def run_of(name: str, bases: int) -> ScalingRun:
    return ScalingRun(name, 0, "flat", 1000, bases, 100.0, 7)


def ppl(model: str, value: float) -> dict[str, object]:
    return {
        "model": model, "task": "compression", "subset": "all", "region": "all", "split": "test",
        "strand": "+", "metric": "ppl", "value": value, "ci_low": value - 0.1,
        "ci_high": value + 0.1, "n": 7, "unit": "windows", "seed": 0, "source": "mirror",
    }  # fmt: skip


def test_rows_name_the_runs_that_are_best_for_their_operations() -> None:
    bases = {"a": 10, "b": 100, "c": 200, "d": 1000}
    values = {name: 4 * (300.0 * count) ** -0.05 for name, count in bases.items()} | {"c": 3.9}
    scores = DNA_SCORES.frame([ppl(name, value) for name, value in values.items()])
    runs = [run_of(name, count) for name, count in bases.items()]
    table = DNA_SCORES.frame(scaling_rows(runs, scores, "test", "mirror"))
    notes = table[table["metric"] == "ppl"].set_index("model")["note"]
    assert [notes[name] == "flat; best for its operations" for name in bases] == [
        True, True, False, True,
    ]  # fmt: skip
    own = table[(table["metric"] == "ppl_exponent") & (table["source"] == "mirror")]
    assert own["value"].tolist() == [pytest.approx(0.05)] and own["n"].tolist() == [3]
    paper = table[table["source"] == "paper"].set_index("model")["value"]
    assert paper.to_dict() == {"dnaHNet": 0.06, "StripedHyena2": 0.04, "Transformer": 0.01}
    assert table[table["metric"] == "training_operations"]["value"].max() == 300_000


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = build(FLAT)
    options: list[object] = []
    for name in ("a", "b"):
        save_pretrained(tmp_path / name, network, card(name))
        path = tmp_path / f"{name}.parquet"
        write_compressed(path, [window(0)], name=name, seed=0, parameters=1)
        options += ["--compressed", path, "--model", tmp_path / name]
    DNA_SCORES.write(tmp_path / "scores.tsv", [ppl("a", 3.9), ppl("b", 3.8)])
    common = ["--scores", tmp_path / "scores.tsv", "--scale", "test", "--out", tmp_path / "s.tsv"]
    succeed("evaluate", "scaling", *options, *common)
    table = DNA_SCORES.read(tmp_path / "s.tsv")
    few = table[(table["metric"] == "ppl_exponent") & (table["model"] == "flat")]
    assert few["value"].isna().all() and few["note"].str.contains("fewer than 3").all()
    assert call("evaluate", "scaling", *options[:2], "--model", tmp_path / "b", *common) == 1
    assert "no --compressed file is of b, seed 0" in capsys.readouterr().err
