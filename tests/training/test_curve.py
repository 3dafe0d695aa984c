"""The learning curve: JSON lines and TensorBoard, without a seam and without duplicates."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from toolkit.training import Batches, StopsAt, curve_of, run_of

from genezip.errors import GenezipError
from genezip.region_classes import CLASSES
from genezip.training.curve import CURVE, Curve, open_curve
from genezip.training.setup import pretrain

LINE = {
    "lm_loss": 1.0, "rar_loss": 2.0, "bpt": 8.0, "lr": 1e-3, "grad_norm": 0.5, "bound_bit": 0.0,
    "F": [[0.5, None, 0, 0, 0, 0, 0]], "G": [[0.25, None, 0, 0, 0, 0, 0]],
}  # fmt: skip


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Tag to (step, value) as TensorBoard shows them."""
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_tensorboard_shows_what_the_curve_holds(tmp_path: Path) -> None:
    """Also after a stop between two checkpoints: every step once."""
    with pytest.raises(KeyboardInterrupt):
        pretrain(run_of(), StopsAt(6), tmp_path / "model", tmp_path / "c")
    # steps 8 and 9 of a part that crashed before its next checkpoint
    crashed = Curve(tmp_path / "c", 7, 4, CLASSES)
    for step in (8, 9):
        crashed.step(step, {**LINE, "lm_loss": 99.0})
    crashed.close()
    pretrain(run_of(), Batches(), tmp_path / "model", tmp_path / "c")
    lines = curve_of(tmp_path / "model", drop=())
    steps = [line for line in lines if "lm_loss" in line]
    assert [line["step"] for line in steps] == list(range(1, 13))
    shown = scalars(tmp_path / "c")
    for key in ("lm_loss", "rar_loss", "bpt", "lr", "grad_norm"):
        wanted = [(line["step"], pytest.approx(line[key], rel=1e-5)) for line in steps]
        assert shown[f"train/{key}"] == wanted, key
    assert [step for step, _ in shown["F_stage1/cds"]] == [
        line["step"] for line in steps if line["F"][1][1] is not None
    ]
    valid = [(line["step"], line["valid"]["ppl"]) for line in lines if "valid" in line]
    assert [step for step, _ in valid] == [4, 8, 12]
    assert shown["valid/ppl"] == [(step, pytest.approx(ppl, rel=1e-5)) for step, ppl in valid]


def test_a_new_run_begins_with_an_empty_curve(tmp_path: Path) -> None:
    for value in (1.0, 3.0):
        with open_curve(tmp_path, 0, 0, CLASSES) as curve:
            curve.step(1, {**LINE, "lm_loss": value})
    assert scalars(tmp_path)["train/lm_loss"] == [(1, 3.0)]
    assert "F_stage0/cds" not in scalars(tmp_path)  # an absent class
    assert len((tmp_path / CURVE).read_text().splitlines()) == 1


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(GenezipError, match=r"cannot write .*curve\.jsonl: no room; free space"),
        open_curve(tmp_path, 0, 0, CLASSES) as curve,
    ):
        curve.step(1, LINE)
        raise OSError(28, "no room")
