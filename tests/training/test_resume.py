"""A run in parts equals the run at once, bit for bit, in all three uses of the loop."""

import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from toolkit.training import Batches, curve_of, run_of
from torch import nn

from genezip.config.tasks import FineTuning
from genezip.models.pretrained import BEST
from genezip.training import fit, objectives, setup
from genezip.training.checkpoint import STATE, Checkpoint
from genezip.training.curve import CURVE
from genezip.training.fit import fine_tune, fit_task, rows_of_step
from genezip.training.objectives import TaskObjective
from genezip.training.setup import pretrain

STEPS = 8
Event = Callable[[int], None]
"""Called with the step (0-based) whose batch is drawn."""


Use = Callable[[Path, Event], None]
"""Trains STEPS steps in a folder, or what is left of them.

Validations are due after steps 4 and 8.
"""


def nothing(step: int) -> None:
    """An event that does not happen."""


def at(step: int, happen: Callable[[], None]) -> Event:
    """An event of one step."""
    return lambda now: happen() if now == step else None


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def crash() -> None:
    raise RuntimeError("crashed")


def noise() -> float:
    """Drawn from both generators that training may use."""
    return 0.1 * float(torch.rand(())) + 0.1 * float(np.random.rand())


def pretraining(folder: Path, event: Event) -> None:
    class Watched(Batches):
        def next_batch(self) -> dict[str, np.ndarray]:
            event(self.count)
            return super().next_batch()

    lm_loss = objectives.lm_loss
    run = run_of(steps=STEPS, validate_every=4, checkpoint_every=1000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objectives, "lm_loss", lambda *given: lm_loss(*given) * (1 + noise()))
        patch.setattr(setup, "discard", lambda folder: None)
        pretrain(run, Watched(), folder / "model", folder)


X = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
Y = X @ torch.tensor([1.0, -2.0, 0.5])


def toy_module() -> nn.Module:
    """Dropout, so that random numbers matter; batch norm, so that buffers do."""
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))


def error(net: nn.Module, rows: Any) -> torch.Tensor:
    return (net(X[rows])[:, 0] - Y[rows]).square().mean()


def toy_objective(net: nn.Module, loss: Callable[[Any], torch.Tensor]) -> TaskObjective:
    settings = FineTuning(batch=4, learning_rate=0.05, evaluate_every=4, patience=100, warmup=0.3)
    score = lambda: -float(error(net, slice(None)))  # noqa: E731
    return TaskObjective("toy", net, settings, loss, score, "score")


def save_model(net: nn.Module, folder: Path) -> None:
    """What the module is left with: the best weights."""
    (folder / "model").mkdir(exist_ok=True)
    save_file(net.state_dict(), folder / "model" / "model.safetensors")


def head(folder: Path, event: Event) -> None:
    net = toy_module()

    def draw(step: int) -> list[np.ndarray]:
        event(step)
        rows = rows_of_step(20, 4, step, seed=1)
        return [rows[:2], rows[2:]]

    objective = toy_objective(net, lambda rows: error(net, rows) * (0.5 + noise()))
    fit_task(objective, draw, STEPS, 7, {"data": "abc"}, folder)
    save_model(net, folder)


def fine_tuning(folder: Path, event: Event) -> None:
    net = toy_module()

    def loss(rows: np.ndarray) -> torch.Tensor:
        if len(drawn) % 2 == 0:  # the first of two micro-batches
            event(begun + len(drawn) // 2)
        drawn.append(rows)
        return error(net, rows) * (0.5 + noise())

    begun, drawn = steps_done(folder), list[np.ndarray]()
    objective = toy_objective(net, loss)
    fine_tune(objective, 20, 4 * STEPS, 7, {"data": "abc"}, folder, micro_batch=2)
    save_model(net, folder)


def steps_done(folder: Path) -> int:
    """Steps of the checkpoint in a folder."""
    path = folder / STATE
    return torch.load(path, weights_only=True)["progress"]["step"] if path.exists() else 0


USES: dict[str, Use] = {
    "pretraining": pretraining, "head": head, "fine-tuning": fine_tuning,
}  # fmt: skip


def end_of(folder: Path) -> dict[str, Any]:
    """All that a run ended with: every tensor and number of its state, its output and curve."""
    state = torch.load(folder / STATE, weights_only=True)
    state["progress"].pop("seconds")
    model = folder / "model"
    written = [model / name for name in ("model.safetensors", BEST)]
    return {
        "state": state,
        "files": [path.read_bytes() for path in written if path.exists()],
        "curve": curve_of(model) if (model / CURVE).exists() else [],
    }


def assert_same(one: Any, other: Any, where: str = "") -> None:
    """Equal to the bit, whatever the values are."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key, value in one.items():
            assert_same(value, other[key], f"{where}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for place, (value, another) in enumerate(zip(one, other, strict=True)):
            assert_same(value, another, f"{where}[{place}]")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    else:
        assert one == other, where


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of runs without an interruption, by the use."""
    folders = {name: tmp_path_factory.mktemp("whole") for name in USES}
    for name, folder in folders.items():
        USES[name](folder, nothing)
    return folders


@pytest.fixture(params=sorted(USES))
def whole(request: pytest.FixtureRequest, finished: dict[str, Path]) -> tuple[Use, dict]:
    """A use, and how it ends without an interruption."""
    return USES[request.param], end_of(finished[request.param])


def another_process() -> None:
    """Its random numbers are others."""
    torch.manual_seed(99)
    np.random.seed(99)


@pytest.mark.parametrize("step", [0, 3, 5, STEPS - 1])
def test_a_stopped_run_goes_on_bit_for_bit(
    whole: tuple[Use, dict], tmp_path: Path, step: int, messages: Callable[[], list[str]]
) -> None:
    """After the first step, where a validation is due, between two, and after the last step.

    A validation that is due is left to the run that goes on.
    """
    use, expected = whole
    with pytest.raises(KeyboardInterrupt):
        use(tmp_path, at(step, ctrl_c))
    assert messages()[-1] == (f"toy: stopped at step {step + 1}; run the same command to resume")
    assert sum("validation" in message for message in messages()) == step // 4
    another_process()
    use(tmp_path, nothing)
    assert f"toy: resuming at step {step + 1} of {STEPS}" in messages()
    assert_same(end_of(tmp_path), expected)


def test_a_stop_inside_a_validation_goes_on_bit_for_bit(
    whole: tuple[Use, dict], tmp_path: Path
) -> None:
    """It is finished and in the checkpoint."""
    use, expected = whole
    validate = fit._validate

    def asked(*given: Any) -> Any:
        ctrl_c()
        return validate(*given)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fit, "_validate", asked)
        use(tmp_path, nothing)
    state = torch.load(tmp_path / STATE, weights_only=True)["progress"]
    assert state["step"] == state["validated"] == 4
    another_process()
    use(tmp_path, nothing)
    assert_same(end_of(tmp_path), expected)


@pytest.mark.parametrize("step", [2, 6])
def test_a_checkpoint_by_the_clock_goes_on_bit_for_bit(
    whole: tuple[Use, dict],
    tmp_path: Path,
    step: int,
    messages: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The run dies in a step; the state of the step before it is that of the clock.

    Before the first validation and after it. The curve of pretraining has no seam.
    """
    use, expected = whole
    monkeypatch.setattr(fit, "CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(RuntimeError, match="crashed"):
        use(tmp_path, at(step, crash))
    another_process()
    use(tmp_path, nothing)
    assert f"toy: resuming at step {step} of {STEPS}" in messages()
    assert_same(end_of(tmp_path), expected)


def test_without_the_clock_no_such_checkpoint_is_written(
    whole: tuple[Use, dict], tmp_path: Path
) -> None:
    use, _ = whole
    with pytest.raises(RuntimeError, match="crashed"):
        use(tmp_path, at(2, crash))
    assert not (tmp_path / STATE).exists()


@pytest.mark.parametrize("name", sorted(USES))
def test_a_finished_run_draws_no_batch(
    finished: dict[str, Path], tmp_path: Path, name: str
) -> None:
    folder = Path(shutil.copytree(finished[name], tmp_path / "copy"))
    another_process()
    USES[name](folder, lambda step: crash())
    ended, expected = end_of(folder), end_of(finished[name])
    for key in ("state", "files"):  # the first run took its curve along
        assert_same(ended[key], expected[key])


def test_a_crash_after_a_validation_shows_it_once(
    finished: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checkpoint is of the same step, but from before the validation."""
    monkeypatch.setattr(fit, "CHECKPOINT_SECONDS", 0.0)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError, match="crashed"):
        patch.setattr(Checkpoint, "keep_best", lambda *given: crash())
        pretraining(tmp_path / "parts", nothing)
    kept = curve_of(tmp_path / "parts")
    assert [line["step"] for line in kept if "valid" in line] == [4]
    pretraining(tmp_path / "parts", nothing)
    lines = curve_of(tmp_path / "parts" / "model")
    assert lines == curve_of(finished["pretraining"] / "model") and len(lines) == STEPS + 2
