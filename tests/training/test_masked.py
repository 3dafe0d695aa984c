"""The objective of masked bases: its loss, what it does not depend on, and its folder."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from toolkit.masked import felt_network, masked_run
from toolkit.training import Batches, StopsAt, curve_of

from genezip.alphabet import A_ID, MASK_ID
from genezip.models.hnet.losses import rar_loss
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.masking import VALIDATION, mask_rows
from genezip.models.pretrained import load_network
from genezip.training.masked import MaskedBase, MaskedWindows, validate_masked
from genezip.training.setup import Run, pretrain

RATE = 0.15


def objective_of(network: GeneZipNetwork, run: Run) -> MaskedBase:
    return MaskedBase(
        run.name, "toy", network, network, run.settings, run.target_bpt, run.window_bp,
        run.valid_ids, run.valid_regions, run.region_classes,
    )  # fmt: skip


def test_the_loss_is_that_of_a_written_out_loop() -> None:
    """Chosen bases of both windows alike; the ratio loss; figures at MASK alone; N is left out."""
    network = felt_network().double()
    batch = MaskedWindows(Batches(windows=3, unknown=True), RATE, 4).next_batch()
    run = masked_run(batch=3, micro_batch=3)
    objective = objective_of(network, run)
    loss, sums = objective.minimise(batch)
    found = objective.figures(float(loss), sums.tolist())

    with torch.no_grad():
        output = network(torch.from_numpy(batch["given"]))
    regions = torch.from_numpy(batch["regions"])
    rar, _ = rar_loss(output, regions, torch.full((7,), 4.0), "pre")
    chosen, at_mask, right = [], [], []
    for row, column in zip(*np.nonzero(batch["chosen"]), strict=True):
        logits = output.logits[row, column].numpy()  # A, C, G, T, N, MASK, padding
        base = int(batch["ids"][row, column]) - A_ID
        chosen.append(math.log(np.exp(logits).sum()) - logits[base])
        if batch["given"][row, column] == MASK_ID:
            at_mask.append(chosen[-1])
            right.append(logits[:4].argmax() == base)
    assert len(chosen) > 30 and len(at_mask) < len(chosen)
    assert found["masked_loss"] == pytest.approx(np.mean(chosen), rel=1e-9)
    assert found["mask_loss"] == pytest.approx(np.mean(at_mask), rel=1e-9)
    assert found["mask_accuracy"] == pytest.approx(np.mean(right))
    assert float(loss) == pytest.approx(np.mean(chosen) + 0.1 * float(rar), rel=1e-6)
    tokens = int(output.routings[0].boundary_mask.sum())
    assert found["stage_tokens"] == [tokens] and found["bpt"] == 3 * 128 / tokens


def test_micro_batches_give_the_same_gradient_and_log() -> None:
    found = []
    for micro in (4, 2, 1):
        network = felt_network().double().train()
        objective = objective_of(network, masked_run(batch=4, micro_batch=micro))
        batch = MaskedWindows(Batches(windows=4, unknown=True), RATE, 0).next_batch()
        loss, sums = objective.minimise(batch)
        found.append(([p.grad for p in network.parameters()], float(loss), sums))
    for gradients, loss, sums in found[1:]:
        assert loss == pytest.approx(found[0][1], rel=1e-9)
        torch.testing.assert_close(sums, found[0][2], rtol=1e-6, atol=1e-9)
        for one, other in zip(gradients, found[0][0], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-10)
    norms = [float(p.norm()) for p in found[0][0]]
    assert min(norms) > 0, "a parameter without a gradient"


def test_processes_and_steps_have_the_masks_of_the_whole_batch() -> None:
    whole = MaskedWindows(Batches(windows=4), RATE, 9)
    second = MaskedWindows(Batches(windows=4, rows=slice(2, 4)), RATE, 9, first_row=2)
    later = MaskedWindows(Batches(windows=4), RATE, 9)
    steps = [(whole.next_batch(), second.next_batch()) for _ in range(3)]
    for all_rows, own in steps:
        for key in ("ids", "given", "chosen"):
            assert np.array_equal(all_rows[key][2:], own[key])
    assert not np.array_equal(steps[0][0]["chosen"], steps[1][0]["chosen"])
    whole.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    later.load_state_dict({"step": 3, "windows": {"count": 3}})
    assert np.array_equal(whole.next_batch()["given"], later.next_batch()["given"])


def test_validation_has_fixed_masks_and_tokens_with_and_without() -> None:
    network = felt_network()
    ids = Batches(3, windows=3, unknown=True).next_batch()["ids"]
    found = validate_masked(network, ids, RATE)
    masked = mask_rows(ids, RATE, [(VALIDATION, row) for row in range(3)])
    with torch.inference_mode():
        output = network(torch.from_numpy(masked.ids))
    log_prob = output.logits.log_softmax(-1)[..., :4].numpy()
    rows, columns = np.nonzero(masked.hidden)
    bases = ids[rows, columns] - A_ID
    nats = -log_prob[rows, columns, bases].mean()
    assert found["mask_bits"] == pytest.approx(nats / np.log(2), rel=1e-5)
    best = log_prob[rows, columns].argmax(-1) == bases
    assert found["mask_accuracy"] == pytest.approx(best.mean())
    assert found["masked_bpt"] == ids.size / int(output.routings[0].boundary_mask.sum())
    run = masked_run(valid_ids=ids, valid_regions=np.zeros_like(ids))
    whole = objective_of(network, run).validate()
    assert whole.score == -found["mask_bits"] and "ppl" not in whole.metrics
    with torch.inference_mode():
        plain = network(torch.from_numpy(ids)).routings[0].boundary_mask
    assert whole.metrics["bpt"] == pytest.approx(ids.size / int(plain.sum()))
    assert abs(whole.metrics["bpt"] - found["masked_bpt"]) > 0.01
    assert "with masks and" in whole.message


def test_a_run_that_was_stopped_goes_on_bit_for_bit(tmp_path: Path) -> None:
    """Masks, weights, the best validation and the curve; the folder says what was learned."""
    run = masked_run(steps=10, learning_rate=1e-2)
    result = pretrain(run, Batches(), tmp_path / "whole", tmp_path / "a")
    with pytest.raises(KeyboardInterrupt):
        pretrain(run, StopsAt(6), tmp_path / "parts", tmp_path / "b")
    again = pretrain(run, Batches(), tmp_path / "parts", tmp_path / "b")
    for name in ("model.safetensors", "best.safetensors"):
        one, other = (tmp_path / folder / name for folder in ("whole", "parts"))
        assert one.read_bytes() == other.read_bytes()
    lines = curve_of(tmp_path / "whole")
    assert lines == curve_of(tmp_path / "parts")
    key = "best_valid_mask_bits"
    scores = [line["valid"]["mask_bits"] for line in lines if "valid" in line]
    assert result[key] == again[key] == min(scores) and len(scores) == 3
    steps = [line for line in lines if "mask_loss" in line]
    assert len(steps) == 10 and "lm_loss" not in steps[0]
    assert steps[-1]["masked_loss"] < steps[0]["masked_loss"]
    training = json.loads((tmp_path / "whole" / "config.json").read_text())["training"]
    assert training[key] == min(scores) and "best_valid_ppl" not in training
    text = (tmp_path / "whole" / "README.md").read_text()
    assert f"| bits per masked base | {scores[-1]:.4f} |" in text
    assert f"lowest loss in bits per masked base on the way was {min(scores):.4f}" in text


def test_protected_masks_are_trained_and_remembered(tmp_path: Path) -> None:
    """More tokens are kept, F counts them, and the folder opens with the same protection."""
    kept = {}
    for protect in (False, True):
        network = felt_network().train()
        objective = objective_of(network, masked_run(protect_masked=protect))
        batch = MaskedWindows(Batches(), RATE, 0).next_batch()
        loss, sums = objective.minimise(batch)
        kept[protect] = objective.figures(float(loss), sums.tolist())
    counted = {key: sum(f or 0 for f in found["F"][0]) for key, found in kept.items()}
    assert kept[True]["stage_tokens"][0] > kept[False]["stage_tokens"][0]
    assert counted[True] > counted[False] and kept[True]["bound_bit"] == 0
    run = masked_run(steps=1, protect_masked=True, valid_ids=[])
    pretrain(run, Batches(), tmp_path / "model", tmp_path / "c")
    network, _ = load_network(tmp_path / "model")
    assert network.protect_masked is True
