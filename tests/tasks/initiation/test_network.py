"""Initiation with the network in the graph, and the CNN: strands, losses, selection, files."""

import math
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from toolkit.dna import random_ids
from toolkit.made_examples import MadeInitiation
from toolkit.networks import FREE, speaking_network

from genezip.alphabet import reverse_complement
from genezip.config.tasks import Initiation
from genezip.errors import GenezipError
from genezip.models.hnet.network import GeneZipNetwork
from genezip.tasks import TASKS, run
from genezip.tasks.base import Job, Method
from genezip.tasks.initiation import network as live_initiation
from genezip.tasks.initiation.network import (
    InitiationModel,
    LiveInitiation,
    TracksCNN,
    initiation_score,
    predict_initiation,
    scored_part,
    tune_initiation,
)
from genezip.tasks.networks import InitiationCNN, ProfileHead, initiation_loss
from genezip.training.objectives import ratio_term
from genezip.training.trainable import MODES, set_mode

WINDOW = 60


def network() -> GeneZipNetwork:
    return speaking_network(**FREE).train()


class ToyWindows(MadeInitiation):
    """Windows of 60 bases; tracks 0 to 4 are high at G, tracks 5 to 9 at C."""

    def __init__(self) -> None:
        splits = ["train"] * 6 + ["valid"] * 2 + ["test"] * 3
        starts = np.arange(len(splits)) * 30
        held_out = np.array(splits) != "train"
        table = pd.DataFrame(
            {
                "example": [0, 1, 2, 3, 4, 5, 0, 1, 0, 1, 2],
                "split": splits,
                "start": starts,
                "end": starts + WINDOW,
                "keep_start": starts + 15 * held_out,
                "keep_end": starts + np.where(held_out, 45, WINDOW),
                "block": [f"chr8:{number // 2}" for number in range(len(splits))],
            }
        )
        super().__init__(table)

    def ids(self, row: int) -> np.ndarray:
        return random_ids(WINDOW, row)

    def targets(self, row: int) -> np.ndarray:
        ids = self.ids(row)
        weights = np.arange(1, 6)[:, None] / 5
        return np.concatenate([weights * (ids == 5), weights[::-1] * (ids == 4)]).astype(np.float32)

    def scored(self, row: int) -> np.ndarray:
        window = self.table.iloc[row]
        found = np.ones(window["keep_end"] - window["keep_start"], dtype=bool)
        found[3:5] = False
        return found


def settings(**changes: Any) -> Initiation:
    values = {
        "steps": 4, "batch": 2, "learning_rate": 0.01, "evaluate_every": 2, "lora_rank": 2,
        "device": "cpu",
    }  # fmt: skip
    return Initiation(**{**values, **changes})  # type: ignore[arg-type]


def method(input: str = "authors", mode: str = "full") -> Method:
    return Method("tisp", "procap", "tiny", 0, input, mode)


def tuned(
    folder: Path, input: str, mode: str, windows: ToyWindows | None = None, **changes: Any
) -> LiveInitiation:
    found, chosen = network(), settings(**changes)
    set_mode(found, mode, chosen, 0)
    given = windows or ToyWindows()
    job = Job(method(input, mode), "all", given, chosen, 0, {"data": "x"}, folder)
    return tune_initiation(found, job)


def live(input: str, **changes: Any) -> LiveInitiation:
    model = InitiationModel(network(), seed=0)
    return LiveInitiation(model, ToyWindows(), input, settings(**changes))


def test_rates_under_autocast_come_from_a_head_in_full_precision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In training, too; bases of different states have different rates."""
    bf16, seen = torch.autocast("cpu", dtype=torch.bfloat16), []
    monkeypatch.setattr(live_initiation, "precision", lambda device, chosen: bf16)  # no GPU
    found = live("authors", alpha=0)
    states: list[torch.Tensor] = []

    def note(head: torch.nn.Module, given: tuple[torch.Tensor], rates: torch.Tensor) -> None:
        seen.append(rates.dtype)
        states.append(given[0][0])

    found.module.head.register_forward_hook(note)
    rates = found.predict(ToyWindows().ids(0))
    distinct = len(states[0].unique(dim=0))
    assert [len(set(track)) for track in rates.tolist()] == [distinct] * 10 and distinct > 50
    with bf16:
        found.loss(np.array([0, 1])).backward()
    assert set(seen) == {torch.float32}


def test_a_gpu_without_memory_ends_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(network: GeneZipNetwork, ids: torch.Tensor) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(GeneZipNetwork, "forward", full)  # as on a GPU that is too small
    with pytest.raises(GenezipError, match=r"training on training example \d does not fit"):
        tuned(tmp_path, "authors", "full")
    with pytest.raises(GenezipError, match=r"^a window of 60 bp does not fit"):
        live("authors").predict(ToyWindows().ids(0))


def test_authors_predict_the_rate_of_the_forward_strand() -> None:
    one, ids = live("authors"), ToyWindows().ids(0)
    with torch.no_grad():
        states = one.module.network(torch.from_numpy(ids)[None]).states[0]
        normed = torch.nn.functional.layer_norm(states, (16,))
        rates = one.module.head.rates
        expected = (normed @ rates.weight.T + rates.bias).exp().T
    assert one.predict(ids).shape == (10, WINDOW) and one.predict(ids).dtype == np.float32
    assert np.allclose(one.predict(ids), expected.numpy(), atol=1e-5)
    assert (one.predict(ids) > 0).all()


def test_full_averages_both_strands_after_reversing_both_axes() -> None:
    both, forward, ids = live("full"), live("authors"), ToyWindows().ids(0)
    back = forward.predict(reverse_complement(ids))
    expected = np.zeros((10, WINDOW))
    for track in range(10):
        for base in range(WINDOW):
            expected[track, base] = back[9 - track, WINDOW - 1 - base] / 2
    expected += forward.predict(ids) / 2
    assert np.allclose(both.predict(ids), expected, atol=1e-6)
    assert not np.allclose(both.predict(ids), forward.predict(ids), atol=1e-3)
    # so the other strand of a window gets the same prediction, seen from the other side
    other = both.predict(reverse_complement(ids))[::-1, ::-1]
    assert np.allclose(other, both.predict(ids), atol=1e-6)


def test_the_loss_is_that_of_the_release_plus_the_ratio_term() -> None:
    one, windows = live("authors", alpha=0.5), ToyWindows()
    by_hand = 0.0
    for number in (1, 4):
        ids, target = windows.training(number)
        output = one.module.network(torch.from_numpy(ids)[None])
        term = ratio_term(one.module.network, output, settings(alpha=0.5))
        rate = one.predict(ids).astype(np.float64)
        loss = target * np.log((target + 1e-5) / (rate + 1e-5)) + rate - target
        by_hand += (loss.mean() + float(term.detach())) / 2
    assert float(one.loss(np.array([1, 4])).detach()) == pytest.approx(by_hand, rel=1e-4)


def test_only_the_kept_part_is_handed_on_and_what_is_not_scored_is_nan() -> None:
    windows = ToyWindows()
    row = 7
    target, prediction = scored_part(
        windows,
        row,
        lambda ids: np.arange(600, dtype=np.float32).reshape(10, 60),
    )
    assert target.shape == prediction.shape == (10, 30)
    assert prediction[2].tolist() == list(range(2 * 60 + 15, 2 * 60 + 45))
    assert np.isnan(target[:, 3:5]).all()
    rest = np.delete(target, [3, 4], axis=1)
    assert np.array_equal(rest, np.delete(windows.targets(row)[:, 15:45], [3, 4], axis=1))


def test_the_score_is_the_mean_of_five_assays_over_the_validation_windows() -> None:
    windows = ToyWindows()
    by_ids = {windows.ids(row).tobytes(): windows.targets(row) for row in range(11)}
    assert initiation_score(windows, lambda ids: by_ids[ids.tobytes()]) == pytest.approx(1)
    wrong = initiation_score(windows, lambda ids: by_ids[ids.tobytes()][::-1])
    assert wrong < 0.5
    only_test = ToyWindows()
    only_test.table = only_test.table[only_test.table["split"] == "test"].reset_index(drop=True)
    assert np.isnan(initiation_score(only_test, lambda ids: by_ids[ids.tobytes()]))


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_learns(tmp_path: Path, mode: str) -> None:
    first = live("authors")
    after = tuned(tmp_path, "authors", mode)
    assert not np.array_equal(first.predict(ToyWindows().ids(0)), after.predict(
        ToyWindows().ids(0)))  # fmt: skip
    learned = {n for n, p in after.module.network.named_parameters() if p.requires_grad}
    assert bool(learned) == (mode != "head_only")


@pytest.mark.slow
def test_full_training_finds_a_planted_signal(tmp_path: Path) -> None:
    windows = ToyWindows()
    before = initiation_score(windows, live("full").predict)
    after = tuned(
        tmp_path, "full", "full", windows, steps=60, batch=2, evaluate_every=30, learning_rate=0.03
    )
    found = initiation_score(windows, after.predict)
    assert before < 0.6 < 0.8 < found


def test_an_interrupted_run_gives_the_same_predictions(tmp_path: Path) -> None:
    class Stops(ToyWindows):
        def training(self, number: int) -> tuple[np.ndarray, np.ndarray]:
            if number == 5:
                signal.raise_signal(signal.SIGINT)
            return super().training(number)

    whole = tuned(tmp_path / "a", "authors", "lora")
    with pytest.raises(KeyboardInterrupt):
        tuned(tmp_path / "b", "authors", "lora", Stops())
    parts = tuned(tmp_path / "b", "authors", "lora")
    ids = ToyWindows().ids(8)
    assert np.array_equal(whole.predict(ids), parts.predict(ids))


def test_the_file_has_a_row_per_validation_and_test_window(tmp_path: Path) -> None:
    windows, out = ToyWindows(), tmp_path / "x.parquet"
    one = live("authors")
    given = predict_initiation(windows, one, "tiny")
    run.write_predictions(TASKS["tisp"], out, method(), given)
    rows = windows.table[windows.table["split"] != "train"]
    splits, examples, groups = [], [], []
    table = pq.read_table(out).to_pandas()
    for number, (_, line) in enumerate(table.iterrows()):
        splits.append(line["split"])
        examples.append(line["example"])
        groups.append(line["group"])
        row = int(rows.index[number])
        target, prediction = scored_part(windows, row, one.predict)
        stored = np.frombuffer(line["prediction"], "<f2").reshape(10, 30)
        truth = np.frombuffer(line["target"], "<f2").reshape(10, 30)
        assert np.array_equal(stored, prediction.astype("<f2"))
        assert np.array_equal(truth, target.astype("<f2"), equal_nan=True)
    assert splits == rows["split"].tolist() and len(table) == 5
    assert examples == rows["example"].tolist() and groups == rows["block"].tolist()


def test_other_inputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match="inputs authors and full alone"):
        tuned(tmp_path, "contrast", "full")


def test_the_head_starts_from_its_seed_and_other_random_numbers_are_left_alone() -> None:
    given = network()
    before = torch.get_rng_state()
    heads = [InitiationModel(given, seed).head.rates.weight for seed in (3, 3, 4)]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])


def test_profiles_come_in_the_layout_of_the_targets() -> None:
    assert sum(p.numel() for p in ProfileHead(512).parameters()) == 2 * 512 + 512 * 10 + 10
    head = ProfileHead(3, tracks=2)
    states = torch.tensor([[[1.0, 2.0, 3.0], [0.0, 0.0, 6.0]]])
    found = head(states)
    assert found.shape == (1, 2, 2)
    with torch.no_grad():
        sd = math.sqrt(2 / 3 + 1e-5)
        normed = torch.tensor([-1.0, 0.0, 1.0]) / sd
        by_hand = head.rates.weight @ normed + head.rates.bias
    assert torch.allclose(found[0, :, 0], by_hand, atol=1e-6)


def test_the_initiation_loss_has_the_value_worked_out_by_hand() -> None:
    """Two values: y = 2, r = 1 gives 2 ln(2.00001 / 1.00001) - 1; y = 0, r = 3 gives 3."""
    log_rate = torch.tensor([0.0, math.log(3.0)])
    target = torch.tensor([2.0, 0.0])
    # 2 ln 2 = 1.3862944; both small terms change it by -1e-5
    assert initiation_loss(log_rate, target).item() == pytest.approx(
        (1.3862844 - 1 + 3) / 2, abs=1e-6
    )


def test_the_initiation_loss_is_zero_at_the_target_and_points_towards_it() -> None:
    target = torch.tensor([0.5, 3.0])
    exact = target.log().requires_grad_()
    assert initiation_loss(exact, target).item() == pytest.approx(0.0, abs=1e-7)
    low = (target / 2).log().requires_grad_()
    initiation_loss(low, target).backward()
    assert low.grad is not None
    assert (low.grad < 0).all()


def test_the_cnn_has_ten_tracks_at_every_base_and_sees_four_to_each_side() -> None:
    """Its size: weights and biases of convolutions, scale and shift of batch norms."""
    model = InitiationCNN().eval()
    sizes = zip([4, 16, 64, 256], [16, 64, 256, 1024], strict=True)
    expected = sum(before * after * 3 + 3 * after for before, after in sizes) + 1024 * 10 + 10
    assert sum(parameter.numel() for parameter in model.parameters()) == expected
    ids = torch.from_numpy(random_ids(40))[None]
    changed = ids.clone()
    changed[0, 20] = 7
    with torch.no_grad():
        difference = (model(ids) - model(changed)).abs().sum(1)[0]
    assert model(ids).shape == (1, 10, 40)
    assert difference.nonzero().flatten().tolist() == list(range(16, 25))


class ToyTracks(MadeInitiation):
    """Windows of 50 bases with ten tracks."""

    def __init__(self) -> None:
        table = pd.DataFrame(
            {
                "example": [0, 1, 0, 1, 0, 1],
                "split": ["train"] * 2 + ["valid"] * 2 + ["test"] * 2,
                "start": [0] * 6,
                "keep_start": [0, 0, 10, 10, 10, 10],
                "keep_end": [50, 50, 40, 40, 40, 40],
                "block": [f"chr8:{number}" for number in range(6)],
            }
        )
        super().__init__(table)

    def ids(self, row: int) -> np.ndarray:
        return random_ids(50, row)

    def targets(self, row: int) -> np.ndarray:
        found = np.random.default_rng(row).random((10, 50)) + (self.ids(row) == 5)
        return found.astype(np.float32)

    def scored(self, row: int) -> np.ndarray:
        return np.arange(30) > 2


def cnn_settings(**changes: Any) -> Initiation:
    values = {"steps": 2, "batch": 2, "evaluate_every": 2, "device": "cpu"}
    return Initiation(**{**values, **changes})  # type: ignore[arg-type]


def tracks_cnn(both_strands: bool) -> TracksCNN:
    found = TracksCNN(ToyTracks(), cnn_settings(), both_strands, 0, torch.device("cpu"))
    found.module.eval()
    return found


def predicted(folder: Path, seed: int = 0) -> Path:
    """Prediction file of the CNN."""
    given = Method("tisp", "x", "cnn", 0, "authors", "full")
    job = Job(given, "x", ToyTracks(), cnn_settings(), seed, {"data": "x"}, folder / "work")
    run.write_predictions(TASKS["tisp"], folder / "p.parquet", given, TASKS["tisp"].train_cnn(job))
    return folder / "p.parquet"


def test_the_cnn_is_trained_on_squared_errors_of_the_stored_scale(tmp_path: Path) -> None:
    table = pq.read_table(predicted(tmp_path)).to_pandas()
    assert table["group"].tolist() == ["chr8:2", "chr8:3", "chr8:4", "chr8:5"]
    target = np.frombuffer(table["target"][0], "<f2").reshape(10, 30)
    assert np.isnan(target[:, :3]).all() and np.isfinite(target[:, 3:]).all()
    tracks = tracks_cnn(False)
    drawn = [ToyTracks().training(n) for n in (0, 1)]
    errors = [tracks.predict(ids) - target for ids, target in drawn]
    by_hand = np.mean([np.square(error).mean() for error in errors])
    assert float(tracks.loss(np.array([0, 1])).detach()) == pytest.approx(by_hand, rel=1e-4)


def test_the_cnn_on_both_strands_is_the_mean_of_two_passes() -> None:
    one, two, ids = tracks_cnn(False), tracks_cnn(True), random_ids(50, 3)
    back = one.predict(reverse_complement(ids))[::-1, ::-1]
    assert np.allclose(two.predict(ids), (one.predict(ids) + back) / 2, atol=1e-6)


def test_equal_seeds_give_equal_files_of_the_cnn(tmp_path: Path) -> None:
    assert TASKS["tisp"].settings is Initiation
    one = pq.read_table(predicted(tmp_path / "a"))
    torch.rand(3)
    assert pq.read_table(predicted(tmp_path / "b")).equals(one)
    assert not pq.read_table(predicted(tmp_path / "c", seed=1)).equals(one)
