"""Training of heads: order, rates, selection, resuming."""

import math
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from genezip.config.tasks import HeadTraining
from genezip.errors import GenezipError
from genezip.training.checkpoint import STATE, TrainingState, discard
from genezip.training.fit import fit_task, rows_of_step
from genezip.training.objectives import TaskObjective
from genezip.training.optimizer import build_adamw, task_rate

X = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
Y = X @ torch.tensor([1.0, -2.0, 0.5])


def module(dropout: float = 0.5) -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(3, 8), nn.GELU(), nn.Dropout(dropout), nn.Linear(8, 1))


def loss(net: nn.Module, part: tuple[Tensor, Tensor, int]) -> Tensor:
    x, y, count = part
    return (net(x)[:, 0] - y).square().sum() / count


def batches(step: int) -> list[tuple[Tensor, Tensor, int]]:
    rows = torch.from_numpy(rows_of_step(20, 4, step, seed=1))
    return [(X[part], Y[part], 4) for part in rows.split(2)]


def error(net: nn.Module) -> float:
    return -float((net(X)[:, 0] - Y).square().mean().detach())


def objective(
    net: nn.Module,
    validate: Callable[[nn.Module], float] | None = error,
    lossy: Callable[[nn.Module, Any], Tensor] = loss,
    **keys: Any,
) -> TaskObjective:
    settings = HeadTraining(**{"batch": 4, "learning_rate": 0.05, "evaluate_every": 4, **keys})
    score = None if validate is None else partial(validate, net)
    return TaskObjective("toy", net, settings, partial(lossy, net), score, "score")


def train(
    net: nn.Module,
    folder: Path,
    validate: Callable[[nn.Module], float] | None = error,
    *,
    steps: int = 12,
    select: Literal["best", "last"] = "best",
    draw: Callable[[int], Any] = batches,
    identity: dict[str, Any] | None = None,
    **keys: Any,
) -> TrainingState:
    toy = objective(net, validate, **keys)
    return fit_task(toy, draw, steps, 7, identity or {"data": "abc"}, folder, select)


def weights(net: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in net.parameters()]


def test_every_pass_holds_every_row_once_in_another_order() -> None:
    rows = np.concatenate([rows_of_step(10, 4, step, seed=3) for step in range(5)])
    passes = rows.reshape(2, 10)
    assert [sorted(one) for one in passes.tolist()] == [list(range(10))] * 2
    assert passes[0].tolist() != passes[1].tolist()
    assert rows_of_step(10, 4, 2, seed=3).tolist() == rows[8:12].tolist()
    assert rows_of_step(10, 4, 2, seed=4).tolist() != rows[8:12].tolist()


def test_a_batch_may_be_larger_than_the_data() -> None:
    assert sorted(rows_of_step(2, 6, 0, seed=0).tolist()) == [0, 0, 0, 1, 1, 1]


def test_rates_rise_then_fall_to_zero_or_stay() -> None:
    shares = [task_rate(step, 10, 0.2) for step in range(10)]
    assert shares == pytest.approx([0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])
    assert {task_rate(step, 10, 0.0) for step in range(10)} == {1.0}


def test_vectors_are_not_decayed() -> None:
    groups = build_adamw(module(), HeadTraining(weight_decay=0.3)).param_groups
    decay = {group["weight_decay"]: {p.dim() for p in group["params"]} for group in groups}
    assert decay == {0.3: {2}, 0.0: {1}}


def test_micro_batches_give_the_gradient_of_the_whole_batch() -> None:
    whole, parts = module(dropout=0.0), module(dropout=0.0)
    at_once, _ = objective(whole).minimise([(X, Y, 20)])
    pieces = [(X[i : i + 7], Y[i : i + 7], 20) for i in (0, 7, 14)]
    in_parts, _ = objective(parts).minimise(pieces)
    assert float(in_parts) == pytest.approx(float(at_once), rel=1e-6)
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert a.grad is not None and b.grad is not None
        assert torch.allclose(a.grad, b.grad, atol=1e-6)
        assert a.grad.abs().max() > 0


def test_training_lowers_the_loss_and_repeats_itself(tmp_path: Path) -> None:
    first, second = module(), module()
    before = error(first)
    done = train(first, tmp_path / "a", steps=40)
    train(second, tmp_path / "b", steps=40)
    assert done.best > before / 2
    assert all(torch.equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))
    assert not first.training


def by_hand(net: nn.Module, steps: int, weight_decay: float, clip: float) -> None:
    """The same training without the loop."""
    torch.manual_seed(7)
    matrices = [p for p in net.parameters() if p.dim() > 1]
    vectors = [p for p in net.parameters() if p.dim() == 1]
    groups = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.05)
    net.train()
    for step in range(steps):
        optimizer.zero_grad()
        for part in batches(step):
            loss(net, part).backward()
        nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()


def test_the_last_weights_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    net, plain = module(), module()
    keys = {"weight_decay": 0.2, "clip_norm": 0.5}
    done = train(net, tmp_path, select="last", **keys)
    by_hand(plain, 12, 0.2, 0.5)
    assert done.step == 12
    assert all(torch.equal(a, b) for a, b in zip(weights(net), weights(plain), strict=True))


def scripted(values: list[float], seen: list[list[Tensor]]) -> Callable[[nn.Module], float]:
    """A validation that returns the values in turn and notes the weights it saw."""

    def validate(net: nn.Module) -> float:
        assert not net.training and not torch.is_grad_enabled()
        seen.append(weights(net))
        return values[len(seen) - 1]

    return validate


def test_the_best_weights_are_kept_and_a_tie_keeps_the_earlier(tmp_path: Path) -> None:
    net, seen = module(), []
    validate = scripted([0.2, 0.9, 0.9], seen)
    done = train(net, tmp_path, validate)
    assert (done.best, done.best_step) == (0.9, 8)
    scores = [(entry["step"], entry["score"]) for entry in done.history]
    assert scores == [(4, 0.2), (8, 0.9), (12, 0.9)]
    assert all(torch.equal(a, b) for a, b in zip(weights(net), seen[1], strict=True))
    assert not torch.equal(seen[1][0], seen[2][0])


def test_the_last_weights_stay_where_nothing_is_selected(tmp_path: Path) -> None:
    net, seen = module(), []
    done = train(net, tmp_path, scripted([0.9, 0.1, 0.1], seen), select="last", patience=1)
    assert done.step == 12 and done.best_step == 4
    assert torch.load(tmp_path / STATE, weights_only=True)["best_weights"] is None
    assert all(torch.equal(a, b) for a, b in zip(weights(net), seen[2], strict=True))


def test_training_stops_when_patience_is_over(tmp_path: Path) -> None:
    net, seen = module(), []
    values = [0.5, 0.4, 0.6, 0.1, math.nan, 0.9]
    done = train(net, tmp_path, scripted(values, seen), steps=100, patience=2)
    assert done.step == 20 and done.best_step == 12
    assert all(torch.equal(a, b) for a, b in zip(weights(net), seen[2], strict=True))


def test_validations_without_a_value_leave_the_last_weights(tmp_path: Path) -> None:
    net, seen = module(), []
    done = train(net, tmp_path, scripted([math.nan] * 3, seen))
    assert done.best_step == 0 and done.best == -math.inf
    assert all(torch.equal(a, b) for a, b in zip(weights(net), seen[2], strict=True))


@pytest.mark.parametrize("at", [3, 4, 9])
@pytest.mark.parametrize("select", ["best", "last"])
def test_an_interrupted_run_ends_as_one_that_was_not(
    tmp_path: Path,
    at: int,
    select: Literal["best", "last"],
    messages: Callable[[], list[str]],
) -> None:
    whole = module()
    expected = train(whole, tmp_path / "whole", select=select)

    def stopping(step: int) -> list[tuple[Tensor, Tensor, int]]:
        if step == at - 1:
            os.kill(os.getpid(), signal.SIGINT)
        return batches(step)

    with pytest.raises(KeyboardInterrupt):
        train(module(), tmp_path / "parts", select=select, draw=stopping)
    assert messages()[-1] == f"toy: stopped at step {at}; run the same command to resume"

    torch.manual_seed(99)  # another process has other random numbers
    rest = nn.Sequential(nn.Linear(3, 8), nn.GELU(), nn.Dropout(0.5), nn.Linear(8, 1))
    found = train(rest, tmp_path / "parts", select=select)
    assert f"toy: resuming at step {at} of 12" in messages()
    assert found == expected
    assert all(torch.equal(a, b) for a, b in zip(weights(rest), weights(whole), strict=True))


def test_a_finished_run_trains_no_more_until_it_is_discarded(tmp_path: Path) -> None:
    net = module()
    expected = train(net, tmp_path / "w")

    def never(step: int) -> list[Any]:
        raise AssertionError("trained again")

    other = module()
    assert train(other, tmp_path / "w", draw=never) == expected
    assert all(torch.equal(a, b) for a, b in zip(weights(net), weights(other), strict=True))
    (tmp_path / "w" / STATE).with_suffix(".damaged.pt").touch()
    discard(tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_a_failure_between_checkpoints_costs_the_time_since_the_last_only(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    def failing(step: int) -> list[tuple[Tensor, Tensor, int]]:
        if step == 6:
            raise OSError("disk gone")
        return batches(step)

    with pytest.raises(OSError):
        train(module(), tmp_path, draw=failing)
    whole, rest = module(), module()
    train(rest, tmp_path)
    train(whole, tmp_path / "whole")
    assert "toy: resuming at step 4 of 12" in messages()
    assert all(torch.equal(a, b) for a, b in zip(weights(rest), weights(whole), strict=True))


def test_a_checkpoint_of_other_settings_is_refused_and_stays(tmp_path: Path) -> None:
    train(module(), tmp_path)
    before = (tmp_path / STATE).read_bytes()
    with pytest.raises(GenezipError, match=r"settings\.weight_decay 0\.0, not 0\.1; restore it"):
        train(module(), tmp_path, weight_decay=0.1)
    with pytest.raises(GenezipError, match='data "abc", not "xyz"'):
        train(module(), tmp_path, identity={"data": "xyz"})
    assert (tmp_path / STATE).read_bytes() == before


def test_the_device_may_change_between_the_parts_of_a_run(tmp_path: Path) -> None:
    done = train(module(), tmp_path, device="cpu")
    assert train(module(), tmp_path, device="auto") == done


def test_a_damaged_checkpoint_means_training_from_the_start(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    expected = train(module(), tmp_path)
    data = (tmp_path / STATE).read_bytes()
    (tmp_path / STATE).write_bytes(data[: len(data) // 2])
    assert train(module(), tmp_path) == expected
    assert f"{tmp_path / STATE} is damaged; training from the start" in messages()


def test_a_loss_that_is_not_finite_stops_with_one_sentence(tmp_path: Path) -> None:
    def broken(step: int) -> list[tuple[Tensor, Tensor, int]]:
        return [(X * (math.nan if step == 2 else 1), Y, 20)]

    with pytest.raises(
        GenezipError, match=r"toy is no longer finite \(loss nan.*at step 2"
    ) as said:
        train(module(), tmp_path, draw=broken)
    assert str(said.value).endswith("lower its learning_rate and train again")


def test_where_a_checkpoint_of_the_old_rate_lies_the_sentence_says_to_delete_it(
    tmp_path: Path,
) -> None:
    def broken(step: int) -> list[tuple[Tensor, Tensor, int]]:
        return [(X * (math.nan if step == 6 else 1), Y, 20)]

    with pytest.raises(GenezipError) as said:
        train(module(), tmp_path, draw=broken)
    assert str(said.value).endswith(f"its learning_rate and delete {tmp_path} to train anew")


def test_a_gpu_without_memory_ends_in_one_sentence(tmp_path: Path) -> None:
    def full(net: nn.Module, part: Any) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(GenezipError, match="a training batch of toy does not fit into the memory"):
        train(module(), tmp_path, lossy=full)


def test_a_run_without_validation_keeps_its_last_weights(tmp_path: Path) -> None:
    net, plain = module(), module()
    done = train(net, tmp_path, None)
    by_hand(plain, 12, 0.0, 1.0)
    assert done == TrainingState(step=12)
    assert all(torch.equal(a, b) for a, b in zip(weights(net), weights(plain), strict=True))


def test_a_kill_inside_a_validation_costs_no_step(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    def killed(net: nn.Module) -> float:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        train(module(), tmp_path, killed)
    whole, rest = module(), module()
    assert train(rest, tmp_path) == train(whole, tmp_path / "whole")
    assert "toy: resuming at step 4 of 12" in messages()
    assert all(torch.equal(a, b) for a, b in zip(weights(rest), weights(whole), strict=True))


def test_validations_and_the_best_are_told(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    train(module(), tmp_path / "a", scripted([0.25, math.nan, 0.125], []))
    assert messages() == [
        "toy: step 4/12, validation score 0.2500",
        "toy: step 8/12, validation score nan",
        "toy: step 12/12, validation score 0.1250",
        "toy: all steps done; best validation score 0.2500 at step 4",
    ]
    train(module(), tmp_path / "b", scripted([0.25] * 3, []), select="last")
    assert messages()[-1] == "toy: step 12/12, validation score 0.2500"
