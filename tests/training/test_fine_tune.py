"""Fine-tuning: what learns, the loop, its best weights, and going on after a stop."""

import math
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toolkit.dna import random_batch
from toolkit.networks import small_network
from torch import Tensor, nn

from genezip.config.tasks import FineTuning
from genezip.errors import GenezipError
from genezip.models.hnet.losses import rar_stage_loop
from genezip.models.hnet.network import GeneZipNetwork
from genezip.training import fit
from genezip.training.checkpoint import STATE, TrainingState
from genezip.training.fit import fine_tune
from genezip.training.objectives import TaskObjective, ratio_term
from genezip.training.optimizer import FINE_TUNING_BETAS, build_adamw
from genezip.training.step import precision
from genezip.training.trainable import MODES, is_trainable, set_mode, trainable_weights

X = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
Y = X @ torch.tensor([1.0, -2.0, 0.5])


def network() -> GeneZipNetwork:
    return small_network()


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


RELEASE_FIXED = ("embedding", "encoders.", "routers.", "paddings.0")


def test_modes_choose_parameters_by_name() -> None:
    names = {name for name, _ in network().named_parameters()}
    assert set_mode(network(), "head_only", settings(), 0) == []
    assert set(set_mode(network(), "full", settings(), 0)) == names
    release = set(set_mode(network(), "release", settings(), 0))
    assert names - release == {name for name in names if name.startswith(RELEASE_FIXED)}
    assert {name.split(".")[0] for name in release} == {
        "trunk", "decoders", "residuals", "paddings",
    }  # fmt: skip
    adapters = set_mode(network(), "lora", settings(lora_rank=2), 0)
    assert len(adapters) == 2 * 2 * 5
    assert all(name.endswith((".lora_a", ".lora_b")) for name in adapters)
    with pytest.raises(GenezipError, match="no training mode 'frozen'"):
        set_mode(network(), "frozen", settings(), 0)


@pytest.mark.parametrize("mode", MODES)
def test_modes_choose_parameters_by_gradient(mode: str) -> None:
    """What is frozen has no gradient at all; everything else has one that is not zero."""
    found = network()
    learning = set(set_mode(found, mode, settings(lora_rank=2), 0))
    assert is_trainable(found) == bool(learning)
    with torch.no_grad():  # adapters begin at zero, where one of their halves has no gradient
        for name, parameter in found.named_parameters():
            if name.endswith("lora_b"):
                parameter.fill_(0.01)
    linear = nn.Linear(16, 2)
    ids = torch.randint(3, 8, (1, 300), generator=torch.Generator().manual_seed(0))
    output = found(ids)
    loss = linear(output.states.mean(1)).square().sum()
    (loss + ratio_term(found, output, settings())).backward()
    assert linear.weight.grad is not None and linear.weight.grad.abs().max() > 0
    for name, parameter in found.named_parameters():
        if name not in learning:
            assert parameter.grad is None, name
        elif parameter.numel():
            assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_vectors_are_not_decayed_and_what_is_fixed_is_in_no_group() -> None:
    found = network()
    learning = set_mode(found, "release", settings(), 0)
    chosen = settings(weight_decay=0.3, learning_rate=1e-3)
    optimizer = build_adamw(found, chosen, FINE_TUNING_BETAS)
    decay = {g["weight_decay"]: {p.dim() for p in g["params"]} for g in optimizer.param_groups}
    assert 1 not in decay[0.3] and decay[0.0] == {1}
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(learning)
    assert all(g["betas"] == (0.9, 0.95) and g["lr"] == 1e-3 for g in optimizer.param_groups)
    set_mode(found, "head_only", settings(), 0)
    with pytest.raises(GenezipError, match="this model has no trainable parameter"):
        build_adamw(found, settings())


def test_autocast_is_of_cuda_alone() -> None:
    with precision(torch.device("cpu"), settings(precision="bf16")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_the_ratio_term_is_the_uniform_loss_and_is_off_while_the_network_is_fixed() -> None:
    found = network()
    ids = random_batch(200, rows=2, seed=1)
    output = found(ids)
    chosen = settings(alpha=0.5, uniform_bpt=32)
    by_hand = torch.zeros(())
    for routing in output.routings:
        by_hand = by_hand + rar_stage_loop(
            routing,
            torch.zeros(routing.boundary_mask.shape, dtype=torch.int64),
            torch.tensor([math.sqrt(32)]),
            "post",
        )
    term = float(ratio_term(found, output, chosen).detach())
    assert term == pytest.approx(0.5 * float(by_hand.detach()), rel=1e-5) and term > 0.2
    assert float(ratio_term(found, output, settings(alpha=0))) == 0
    set_mode(found, "head_only", chosen, 0)
    assert float(ratio_term(found, output, chosen)) == 0


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


@pytest.mark.parametrize("mode", ["release", "full"])
def test_release_leaves_all_tokens_where_they_are_between_stages_of_other_widths(
    mode: str,
) -> None:
    """What learns must not reach a router; ``full`` shows that these steps could move tokens."""
    found = small_network(d_model=(16, 24, 32))
    assert [p.numel() for p in found.paddings] == [8, 8]
    learning = set_mode(found, mode, settings(), 0)
    assert "paddings.1" in learning and ("paddings.0" in learning) == (mode == "full")
    ids = random_batch(300)
    before = found(ids)
    optimizer = build_adamw(found, settings(learning_rate=0.1))
    for _ in range(4):
        optimizer.zero_grad()
        found(ids).states[..., 0].sub(1).square().mean().backward()
        optimizer.step()
    after = found(ids)
    assert not torch.equal(before.states, after.states)
    same = [
        torch.equal(one.boundary_prob, other.boundary_prob)
        and torch.equal(one.boundary_mask, other.boundary_mask)
        for one, other in zip(before.routings, after.routings, strict=True)
    ]
    assert same == [mode == "release"] * 2


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
