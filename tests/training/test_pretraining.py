"""Training: the loss falls, gradients do not depend on the micro-batch, NaN stops the run."""

import json
from pathlib import Path

import pytest
import torch
from toolkit.networks import DNAHNET, SMALL, small_network, small_shape
from toolkit.training import Batches, curve_of, next_base, run_of
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

import genezip as gz
from genezip.config import Pretrain
from genezip.errors import GenezipError
from genezip.models.device import choose_device
from genezip.models.dnahnet.compressor import DnaHNet
from genezip.models.hnet.architecture import Architecture, architecture
from genezip.models.pretrained import load_network
from genezip.region_classes import CLASSES
from genezip.training import objectives
from genezip.training.checkpoint import STATE
from genezip.training.fit import read_step
from genezip.training.objectives import figures
from genezip.training.optimizer import build_optimizer
from genezip.training.ranks import ALONE
from genezip.training.setup import initial_network, pretrain

FLAT = Architecture(d_model=(16,), trunk_layers=2, d_state=8, headdim=8)


def test_loss_falls_and_the_folder_is_whole(tmp_path: Path) -> None:
    run = run_of(steps=16, learning_rate=1e-2)
    pretrain(run, Batches(), tmp_path / "model", tmp_path / "checkpoints")
    lines = curve_of(tmp_path / "model")
    steps = [line for line in lines if "lm_loss" in line]
    assert [line["step"] for line in steps] == list(range(1, 17))
    assert steps[-1]["lm_loss"] < 0.5 * steps[0]["lm_loss"]
    assert sum("valid" in line for line in lines) == 4
    network, card = load_network(tmp_path / "model")
    assert card.name == "toy"
    assert card.training["best_valid_ppl"] < 4
    load_network(tmp_path / "model", "best.safetensors")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert network.count_parameters() == config["parameters"]
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["tensorboard"]


def test_the_card_tells_data_metrics_and_hashes(tmp_path: Path) -> None:
    facts = {"scale": "test", "source": "simulated", "windows": {"train": 9000, "window_bp": 128}}
    pretrain(run_of(steps=4, facts=facts), Batches(), tmp_path / "model", tmp_path / "c")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    text = (tmp_path / "model" / "README.md").read_text()
    for name in ("model.safetensors", "best.safetensors"):
        assert f"| `{name}` | `{config['sha256'][name]}` |" in text
    assert f"| perplexity | {config['training']['valid']['ppl']:.4f} |" in text
    assert "9,000 windows of 128 bp from the source `simulated`" in text
    assert "manifest\n`hash`" in text


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_flat_model_trains(tmp_path: Path, precision: str) -> None:
    """No stage: nothing to steer, one token per base."""
    run = run_of(architecture=FLAT, precision=precision, valid_ids=[], steps=10, learning_rate=2e-2)
    pretrain(run, Batches(), tmp_path / "model", tmp_path / "c")
    lines = curve_of(tmp_path / "model")
    assert lines[-1]["lm_loss"] < 0.7 * lines[0]["lm_loss"]
    assert {line["bpt"] for line in lines} == {1.0}
    assert lines[0]["F"] == lines[0]["stage_tokens"] == []


def test_a_causal_bound_without_integers_takes_those_of_the_targets(tmp_path: Path) -> None:
    """Target 16 everywhere: N = 4 at both stages, so the longest chunk is 4 N = 16."""
    shape = architecture({**SMALL.to_dict(), "bound": "causal"})
    run = run_of(architecture=shape, steps=3, valid_ids=[])
    network = initial_network(run, torch.device("cpu"))
    assert network.bound == "causal"
    assert [router.bound.max_chunk for router in network.routers] == [16, 16]
    pretrain(run, Batches(), tmp_path / "model", tmp_path / "c")
    assert [line["step"] for line in curve_of(tmp_path / "model")] == [1, 2, 3]


def test_a_dnahnet_trains_and_its_folder_says_so(tmp_path: Path) -> None:
    """Its own kind in ``config.json`` and in the card, and targets of 3 and 2 in the loss."""
    run = run_of(
        architecture=small_shape(**DNAHNET), compressor="dnahnet", steps=12, learning_rate=2e-3,
        level_rates="width_and_length", decay="cosine", target_bpt=dict.fromkeys(CLASSES, 6.0),
    )  # fmt: skip
    pretrain(run, Batches(), tmp_path / "model", tmp_path / "c")
    steps = [line for line in curve_of(tmp_path / "model") if "lm_loss" in line]
    assert steps[-1]["lm_loss"] < 0.8 * steps[0]["lm_loss"]
    model = gz.load(tmp_path / "model")
    assert type(model) is DnaHNet
    assert model.card.architecture.stage_bpt == (3, 2)
    text = (tmp_path / "model" / "README.md").read_text()
    assert "of dnaHNet (arXiv 2602.10603)" in text and "model = gz.load(" in text
    assert "proportions of 3 x 2 positions per token" in text


def test_nan_stops_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count, lm_loss = iter(range(100)), objectives.lm_loss

    def breaks(logits: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        return lm_loss(logits, *rest) * (float("nan") if next(count) == 8 else 1)

    monkeypatch.setattr(objectives, "lm_loss", breaks)  # two calls are the memory estimate's
    with pytest.raises(GenezipError, match=r"toy is no longer finite \(loss nan, .* at step 6"):
        pretrain(run_of(), Batches(), tmp_path / "model", tmp_path / "c")
    assert not (tmp_path / "model").exists()
    state = torch.load(tmp_path / "c" / STATE, weights_only=True)
    assert state["progress"]["step"] == 5
    assert len([line for line in curve_of(tmp_path / "c") if "lm_loss" in line]) == 6


def test_micro_batches_give_the_same_gradient_and_log() -> None:
    found = []
    for micro in (4, 2, 1):
        network = small_network(0).double().train()
        objective = next_base(network, run_of(batch=4, micro_batch=micro))
        loss, sums = objective.minimise(Batches(windows=4, unknown=True).next_batch())
        log = objective.figures(float(loss), sums.tolist())
        assert float(loss) == pytest.approx(log["lm_loss"] + 0.1 * log["rar_loss"], rel=1e-12)
        found.append(([p.grad for p in network.parameters()], log))
    for grads, log in found[1:]:
        for one, other in zip(grads, found[0][0], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
        for key in ("stage_tokens", "kept", "bpt", "F", "bound_bit"):
            assert log[key] == found[0][1][key], key
        assert log["lm_loss"] == pytest.approx(found[0][1]["lm_loss"], rel=1e-12)


def test_figures_by_hand() -> None:
    """Two windows of 5 bases seen, two stages, two classes; one class absent at stage 1."""
    values = [1.25, 2.0, 1, 6, 3, 4, 2, 1.5, 6, 4, 3.3, 6, 3, 1.2, 0, 0, 0]
    log = figures(values, 2, 10, 2, 2)
    assert (log["lm_loss"], log["rar_loss"], log["bound_bit"]) == (1.25, 2.0, 0.5)
    assert log["stage_tokens"] == [6, 3]
    assert log["kept"] == [0.6, 0.5]
    assert log["bpt"] == pytest.approx(10 / 3)
    assert log["F"] == [[0.5, 0.66667], [0.5, None]]
    assert log["G"] == [[0.375, 0.55], [0.2, None]]


def test_a_step_is_read_from_the_device_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but chunking (one token count per stage) and the log reads a number."""
    reads = {"item": 0, "tolist": 0}
    for name in reads:
        original = getattr(torch.Tensor, name)

        def counted(tensor: torch.Tensor, name: str = name, original=original) -> object:
            reads[name] += 1
            return original(tensor)

        monkeypatch.setattr(torch.Tensor, name, counted)
    network = small_network(0).train()
    objective = next_base(network, run_of(batch=4, micro_batch=2))
    loss, sums = objective.minimise(Batches(windows=4).next_batch())
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
    assert reads == {"item": 0, "tolist": 0}
    numbers = read_step(ALONE, loss, sums, norm, asked=True, late=False)
    assert reads == {"item": 0, "tolist": 1}
    assert numbers == (float(loss), sums.tolist(), pytest.approx(float(norm)), True, False)


def test_bf16_keeps_fp32_masters() -> None:
    """Autocast computes in bf16; weights, gradients and moments are fp32 (section d)."""
    network = small_network(0).train()
    seen = set()
    network.trunk.blocks[0].mixer.in_proj.register_forward_hook(
        lambda module, given, made: seen.add(made.dtype)
    )
    run = run_of(precision="bf16")
    optimizer = build_optimizer(network, run.settings)
    next_base(network, run).minimise(Batches().next_batch())
    assert seen == {torch.bfloat16}
    assert {p.grad.dtype for p in network.parameters() if p.grad is not None} == {torch.float32}
    optimizer.step()
    moments = [
        state[key] for state in optimizer.state.values() for key in ("exp_avg", "exp_avg_sq")
    ]
    assert {tensor.dtype for tensor in [*moments, *network.parameters()]} == {torch.float32}


def test_gradients_are_clipped_to_two() -> None:
    assert Pretrain().clip_norm == 2.0
    assert Pretrain().precision == "bf16"


def test_the_loop_clips(tmp_path: Path) -> None:
    """What reaches the optimiser has at most the norm asked for; the log has the norm before."""
    norms: list[float] = []

    def watch(optimizer: Optimizer, *_: object) -> None:
        grads = [p.grad for group in optimizer.param_groups for p in group["params"]]
        norms.append(float(torch.stack([g.norm() for g in grads if g is not None]).norm()))

    run = run_of(steps=4, clip_norm=0.01, valid_ids=[])
    hook = register_optimizer_step_pre_hook(watch)
    try:
        pretrain(run, Batches(), tmp_path / "model", tmp_path / "c")
    finally:
        hook.remove()
    assert norms == pytest.approx([0.01] * 4, rel=1e-3)
    assert min(line["grad_norm"] for line in curve_of(tmp_path / "model")) > 0.01


def test_cuda_asked_for_but_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)  # also where there is one
    with pytest.raises(GenezipError, match="device cuda is not available"):
        choose_device("cuda")
    assert choose_device("auto").type == "cpu"


def test_a_gpu_without_memory_is_told_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(objectives, "next_base_loss", full)  # a GPU that is full
    with pytest.raises(GenezipError) as said:
        pretrain(
            run_of(checkpoint_activations=False), Batches(), tmp_path / "model", tmp_path / "c"
        )
    assert str(said.value) == (
        "a training batch of toy does not fit into the memory of the GPU; lower "
        "pretrain.micro_batch, or set pretrain.checkpoint_activations, or train on shorter windows "
        "(corpus.window_bp)"
    )
