"""Fine-tuning: the loop, its best weights, and going on after a stop."""

import math
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from genezip.config.tasks import FineTuning
from genezip.errors import GenezipError
from genezip.training import fit
from genezip.training.checkpoint import STATE, TrainingState
from genezip.training.fit import fine_tune
from genezip.training.objectives import TaskObjective
from genezip.training.trainable import trainable_weights

X = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
Y = X @ torch.tensor([1.0, -2.0, 0.5])


def head() -> nn.Module:
    """Dropout, so that random numbers matter; batch norm, so that buffers do."""
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))


def plain() -> nn.Module:
    torch.manual_seed(5)
    return nn.Linear(3, 1)


def settings(**changes: Any) -> FineTuning:
    values = {"batch": 4, "learning_rate": 0.05, "evaluate_every": 3, "patience": 100}
    return FineTuning(**{**values, **changes})  # type: ignore[arg-type]


def error(net: nn.Module, rows: np.ndarray) -> Tensor:
    return (net(X[rows])[:, 0] - Y[rows]).square().mean()


def train(
    net: nn.Module,
    folder: Path,
    *,
    loss: Callable[[np.ndarray], Tensor] | None = None,
    score: Callable[[], float] | None = None,
    examples: int = 10,
    draws: int = 30,
    seed: int = 1,
    identity: dict[str, Any] | None = None,
    micro_batch: int = 2,
    **changes: Any,
) -> TrainingState:
    loss, score = loss or partial(error, net), score or partial(fitness, net)
    objective = TaskObjective("toy", net, settings(**changes), loss, score, "score")
    given = examples, draws, seed, identity or {"data": "abc"}, folder, micro_batch
    return fine_tune(objective, *given)


def fitness(net: nn.Module) -> float:
    return -float(error(net, np.arange(10)))


def test_every_pass_draws_every_example_once(tmp_path: Path) -> None:
    drawn: list[int] = []
    net = plain()

    def loss(rows: np.ndarray) -> Tensor:
        drawn.extend(rows.tolist())
        return error(net, rows)

    state = train(net, tmp_path, loss=loss)
    assert state.step == 8  # 30 draws in steps of 4; the last step has 2
    passes = np.array(drawn).reshape(3, 10)
    assert [sorted(one) for one in passes.tolist()] == [list(range(10))] * 3
    assert passes[0].tolist() != passes[1].tolist()


def by_hand(net: nn.Module, chosen: FineTuning, draws: np.ndarray) -> None:
    """The same training, written out."""
    weight, bias = net.weight, net.bias  # type: ignore[union-attr]
    optimizer = torch.optim.AdamW(
        [
            {"params": [weight], "weight_decay": chosen.weight_decay},
            {"params": [bias], "weight_decay": 0.0},
        ],
        lr=1.0,
        betas=(0.9, 0.95),
    )
    # of 8 steps, ceil(0.25 x 8) = 2 rise, then 6 fall: 6/6, 5/6, ...
    shares = [1 / 2, 2 / 2, 6 / 6, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
    for step, share in enumerate(shares):
        optimizer.zero_grad()
        error(net, draws[4 * step : 4 * step + 4]).backward()
        nn.utils.clip_grad_norm_(net.parameters(), chosen.clip_norm)
        for group in optimizer.param_groups:
            group["lr"] = chosen.learning_rate * share
        optimizer.step()


@pytest.mark.parametrize("micro_batch", [1, 3, 4])
def test_the_loop_equals_the_same_training_written_out(tmp_path: Path, micro_batch: int) -> None:
    """Rates, clipping and decay; and the gradient does not depend on the micro-batch."""
    changes = {"warmup": 0.25, "weight_decay": 0.1, "clip_norm": 0.7}
    parts: list[np.ndarray] = []
    net, other = plain(), plain()

    def loss(rows: np.ndarray) -> Tensor:
        parts.append(rows)
        return error(net, rows)

    train(net, tmp_path, loss=loss, micro_batch=micro_batch, score=lambda: math.nan, **changes)
    assert max(len(part) for part in parts) == micro_batch
    by_hand(other, settings(**changes), np.concatenate(parts))
    for name, value in net.state_dict().items():
        assert torch.allclose(value, other.state_dict()[name], atol=1e-6)
        assert not torch.allclose(value, plain().state_dict()[name], atol=1e-2)


def test_the_best_weights_are_kept_and_patience_ends_the_training(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    net = plain()
    seen: list[Tensor] = []
    values = iter([0.5, 0.7, 0.6, math.nan, 0.7, 0.65, 0.9])

    def score() -> float:
        seen.append(net.weight.detach().clone())  # type: ignore[operator, union-attr]
        assert not net.training
        return next(values)

    state = train(net, tmp_path, score=score, evaluate_every=1, patience=3)
    # 0.6, the tie and 0.65 are not better; an undefined score does not count
    assert state.step == 6 and state.best == 0.7 and state.best_step == 2
    assert torch.equal(net.weight, seen[1]) and not torch.equal(net.weight, seen[-1])  # type: ignore[arg-type]
    assert [entry["step"] for entry in state.history] == [1, 2, 3, 4, 5, 6]
    assert messages()[-1] == "toy: patience ran out; best validation score 0.7000 at step 2"


def test_the_rate_is_halved_after_stale_validations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores by hand: two stale ones halve the rate, and five end the training."""
    scores = iter([1.0, 0.5, 0.9, 2.0, 1.0, math.nan, 1.9, 1.8, 1.7, 1.6, 0.0])
    rates: list[float] = []
    set_rate = fit.set_rate

    def seen(optimizer: torch.optim.Optimizer, rate: float) -> None:
        rates.append(rate / 0.08)
        set_rate(optimizer, rate)

    monkeypatch.setattr(fit, "set_rate", seen)
    state = train(
        plain(), tmp_path, score=lambda: next(scores), draws=400, learning_rate=0.08,
        evaluate_every=1, patience=5, halve_after=2,
    )  # fmt: skip
    #  best at 1; stale 2, 3: half; best at 4; stale 5, (6 undefined), 7: half; 8, 9: half; 10: end
    assert rates == [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]
    assert (state.step, state.best_step, state.halved) == (10, 4, 3)


def test_without_a_defined_score_the_last_weights_are_used(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    net = plain()
    last: list[Tensor] = []

    def score() -> float:
        last.append(net.weight.detach().clone())  # type: ignore[operator, union-attr]
        return math.nan

    train(net, tmp_path, score=score, patience=1)
    assert torch.equal(net.weight, last[-1])  # type: ignore[arg-type]
    assert "was never defined, so the weights of the last step, 8, are used" in messages()[-1]


def stopping(function: Callable, at: int) -> Callable:
    """A real SIGINT during the call number ``at`` (from 0)."""
    calls = iter(range(1000))

    def called(*given: Any) -> Any:
        if next(calls) == at:
            signal.raise_signal(signal.SIGINT)
        return function(*given)

    return called


@pytest.mark.parametrize(("what", "at"), [("loss", 0), ("loss", 9), ("score", 0), ("score", 1)])
def test_an_interrupted_run_goes_on_to_the_very_same_weights(
    tmp_path: Path, what: str, at: int, messages: Callable[[], list[str]]
) -> None:
    whole, parts = head(), head()
    one = train(whole, tmp_path / "a", warmup=0.3)
    given = {"loss": partial(error, parts), "score": partial(fitness, parts)}
    with pytest.raises(KeyboardInterrupt):
        train(parts, tmp_path / "b", warmup=0.3, **{what: stopping(given[what], at)})
    assert "stopped at step" in messages()[-1]
    parts = head()
    torch.rand(3)  # another process would have another state
    two = train(parts, tmp_path / "b", warmup=0.3)
    assert any("resuming at step" in text for text in messages())
    assert one.history == two.history and one.best_step == two.best_step
    weights, others = whole.state_dict(), parts.state_dict()
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[name], others[name]) for name in weights)


def test_a_kill_costs_no_more_than_the_steps_since_the_last_checkpoint(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    """Also inside a validation: a checkpoint is written before it."""
    whole, parts = head(), head()
    train(whole, tmp_path / "a")

    def killed() -> float:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        train(parts, tmp_path / "b", score=killed)
    parts = head()
    train(parts, tmp_path / "b")
    assert "toy: resuming at step 3 of 8" in messages()
    others = parts.state_dict()
    assert all(torch.equal(value, others[name]) for name, value in whole.state_dict().items())


def test_checkpoints_are_also_written_by_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "CHECKPOINT_SECONDS", 0.0)
    net = plain()
    calls = iter(range(100))

    def loss(rows: np.ndarray) -> Tensor:
        if next(calls) == 4:
            raise RuntimeError("killed")  # in step 2, before any validation
        return error(net, rows)

    with pytest.raises(RuntimeError):
        train(net, tmp_path, loss=loss, evaluate_every=8)
    assert torch.load(tmp_path / STATE, weights_only=True)["progress"]["step"] == 2


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first, second = head(), head()
    train(first, tmp_path)

    def never(rows: np.ndarray) -> Tensor:
        raise AssertionError("trained again")

    train(second, tmp_path, loss=never)
    assert all(torch.equal(v, second.state_dict()[n]) for n, v in first.state_dict().items())


def test_a_checkpoint_holds_only_what_learns(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(3, 500), nn.Linear(500, 1))
    net[0].requires_grad_(False)
    assert set(trainable_weights(net)) == {"1.weight", "1.bias"}
    train(net, tmp_path)
    held = torch.load(tmp_path / STATE, weights_only=True)
    assert set(held["weights"]) == set(held["best_weights"]) == {"1.weight", "1.bias"}


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    train(plain(), tmp_path)
    with pytest.raises(GenezipError, match=r"with settings\.learning_rate 0\.05, not 0\.1"):
        train(plain(), tmp_path, learning_rate=0.1)
    with pytest.raises(GenezipError, match='with data "abc", not "xyz"'):
        train(plain(), tmp_path, identity={"data": "xyz"})
    with pytest.raises(GenezipError, match="with seed 1, not 2"):
        train(plain(), tmp_path, seed=2)


@pytest.mark.parametrize("damage", ["half", "a flipped byte", "nothing", "another file"])
def test_a_damaged_checkpoint_means_training_from_the_start(
    tmp_path: Path, damage: str, messages: Callable[[], list[str]]
) -> None:
    whole, again, path = head(), head(), tmp_path / STATE
    one = train(whole, tmp_path)
    data = bytearray(path.read_bytes())
    place = len(data) // 2
    data[place] ^= 255
    contents = {"half": data[:place], "a flipped byte": data, "nothing": b""}
    if damage in contents:
        path.write_bytes(contents[damage])
    else:
        torch.save({"weights": {}}, path)
    two = train(again, tmp_path)
    assert f"{path} is damaged; training from the start" in messages()
    assert one.history == two.history
    assert all(torch.equal(v, again.state_dict()[n]) for n, v in whole.state_dict().items())
    assert torch.load(path, weights_only=True)["progress"]["step"] == 8


def test_a_gpu_without_memory_ends_in_one_sentence_that_names_the_example(tmp_path: Path) -> None:
    net, drawn = plain(), []

    def loss(rows: np.ndarray) -> Tensor:
        drawn.append(rows)
        if len(drawn) == 8:  # the second half of step 3, after a checkpoint
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 78 GiB")
        return error(net, rows)

    with pytest.raises(GenezipError) as raised:
        train(net, tmp_path, loss=loss)
    names = ", ".join(str(row) for row in drawn[-1])
    assert str(raised.value) == (
        f"toy: training on training example {names} does not fit into the memory of the GPU; take "
        "a smaller input or a GPU with more memory"
    )
    assert torch.load(tmp_path / STATE, weights_only=True)["progress"]["step"] == 3


def test_a_loss_that_is_not_finite_stops_with_a_sentence(tmp_path: Path) -> None:
    net, calls = plain(), iter(range(100))

    def loss(rows: np.ndarray) -> Tensor:
        return error(net, rows) * (math.inf if next(calls) == 8 else 1)

    with pytest.raises(GenezipError, match=r"toy is no longer finite .* at step 4; lower its"):
        train(net, tmp_path, loss=loss)
    assert torch.load(tmp_path / STATE, weights_only=True)["progress"]["step"] == 3


def test_no_training_example_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match="toy has no training example"):
        train(plain(), tmp_path, examples=0, draws=0)
