"""Pairs with the network in the graph: features, hidden scores, resuming, the whole way."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from toolkit.dna import random_ids
from toolkit.made_examples import MadePairs
from toolkit.networks import FREE, save_toy, small_network, speaking_network

from genezip.alphabet import N_ID
from genezip.config.tasks import EQTL, Pairs
from genezip.errors import GenezipError
from genezip.models.hnet.network import GeneZipNetwork
from genezip.tasks import TASKS, run
from genezip.tasks.base import Job, Method
from genezip.tasks.pairs import network as module
from genezip.tasks.pairs.network import (
    LivePairs,
    PairModel,
    pair_score,
    predict_pairs,
    tune_pairs,
)
from genezip.tasks.pairs.sequences import PairSequences, release_input
from genezip.training.trainable import MODES, set_mode

SHORT_BP = 64


def network() -> GeneZipNetwork:
    return speaking_network(**FREE).train()


def pair(seed: int, positive: bool) -> PairSequences:
    """Twelve bases differ: A in a reference, G in the alternative of positives, else C."""
    reference = random_ids(90 + seed, seed)
    focus = 30 + seed % 20
    reference[focus : focus + 12] = 3
    alternative = reference.copy()
    alternative[focus : focus + 12] = 5 if positive else 4
    return PairSequences(reference, alternative, focus, focus + 12, focus + 12)


class ToyPairs(MadePairs):
    """A table of pairs made up on the spot."""

    def __init__(self, count: int = 24) -> None:
        random = np.random.default_rng(1)
        labels = random.permutation(np.arange(count) % 2).astype(np.int8)
        splits = np.array(["train", "train", "valid", "test"])[np.arange(count) % 4]
        if len(set(labels[splits == "valid"])) < 2:
            labels[np.flatnonzero(splits == "valid")[:2]] = [0, 1]
        table = pd.DataFrame(
            {
                "example": np.arange(count) + 100,
                "split": splits,
                "label": labels,
                "gene_id": [f"gene{number // 2}" for number in range(count)],
            }
        )
        super().__init__(table, lambda row: pair(row, bool(labels[row])))


def settings(**changes: Any) -> Pairs:
    values = {
        "epochs": 1, "batch": 4, "learning_rate": 0.01, "evaluate_every": 2, "lora_rank": 2,
        "device": "cpu",
    }  # fmt: skip
    return EQTL(**{**values, **changes})


def method(input: str = "authors", mode: str = "full", task: str = "eqtl") -> Method:
    return Method(task, "artery", "tiny", 0, input, mode)


def tuned(
    folder: Path, input: str, mode: str, examples: MadePairs | None = None, **changes: Any
) -> tuple[LivePairs, GeneZipNetwork]:
    found, chosen = network(), settings(**changes)
    set_mode(found, mode, chosen, 0)
    given = method(input, mode)
    job = Job(given, "artery", examples or ToyPairs(), chosen, 0, {"data": "x"}, folder)
    return tune_pairs(found, job, "auroc", release_bp=SHORT_BP), found


def live_pairs(model: PairModel, examples: MadePairs, input: str, chosen: Pairs) -> LivePairs:
    return LivePairs(model, examples, input, chosen, release_bp=SHORT_BP)


def test_authors_features_are_the_mean_of_all_base_states_of_12800_bp() -> None:
    """The same as frozen features: N of the padding included, nothing trained."""
    found = network()
    set_mode(found, "head_only", settings(), 0)
    model = PairModel(found, "authors", seed=0)
    reference, alternative = release_input(pair(5, True))
    features, _ = model.release([alternative, reference])
    assert features.shape == (2, 16) and alternative.shape == (12_800,)
    for row, ids in enumerate((alternative, reference)):
        with torch.no_grad():
            states = found(torch.from_numpy(ids)[None]).states[0]
        assert torch.allclose(features[row], states.double().mean(0).float(), atol=1e-5)
    assert (features[0] - features[1]).abs().max() > 0


def test_full_features_contrast_both_alleles_on_both_strands() -> None:
    found, one = network(), pair(5, True)
    features, outputs = PairModel(found, "full", seed=0).full(one)
    assert features.shape == (1, 12 * 16) and len(outputs) == 4
    blocks = features.detach().view(2, 3, 2, 16)  # strand; allele or difference; last, mean
    for strand, turned in enumerate((one, one.reverse_complement())):
        assert np.array_equal(turned.reference[: turned.focus_start],
                              turned.alternative[: turned.focus_start])  # fmt: skip
        for allele, ids in enumerate((turned.reference, turned.alternative)):
            with torch.no_grad():
                states = found(torch.from_numpy(ids.copy())[None]).states[0]
            assert torch.allclose(blocks[strand, allele, 0], states[-1], atol=1e-5)
            expected = states[turned.focus_start :].mean(0)
            assert torch.allclose(blocks[strand, allele, 1], expected, atol=1e-5)
        assert torch.equal(blocks[strand, 2], blocks[strand, 1] - blocks[strand, 0])
        assert blocks[strand, 2].abs().max() > 0


def test_a_hidden_variant_leaves_no_difference() -> None:
    features, outputs = PairModel(network(), "full", seed=0).full(pair(5, True), masked=True)
    blocks = features.view(2, 3, 32)
    assert torch.equal(blocks[:, 0], blocks[:, 1]) and blocks[:, 2].abs().max() == 0
    assert len(outputs) == 2


def test_full_learns_through_both_alleles_and_recomputing_changes_nothing() -> None:
    gradients = []
    for recompute in (False, True):
        found = network()
        found.checkpoint_activations(recompute)
        live = live_pairs(PairModel(found, "full", 0), ToyPairs(), "full", settings())
        live.loss(np.array([0, 1])).backward()
        gradients.append([p.grad for p in found.parameters() if p.numel()])
    for one, other in zip(*gradients, strict=True):
        assert one is not None and one.abs().max() > 0
        assert torch.allclose(one, other, atol=1e-6)


def test_the_loss_is_cross_entropy_plus_the_ratio_term() -> None:
    found, examples = network(), ToyPairs()
    chosen = settings(alpha=0.5)
    live = live_pairs(PairModel(found, "authors", 0), examples, "authors", chosen)
    rows = np.flatnonzero(examples.table["split"] == "train")[[0, 3]]
    by_hand = torch.zeros(())
    for row in rows:
        _, ids = release_input(examples.sequences(int(row)), SHORT_BP)
        output = found(torch.from_numpy(ids)[None])
        logits = live.module.head(output.states.mean(1))
        by_hand = by_hand - logits.log_softmax(1)[0, int(examples.table["label"][row])] / 2
        by_hand = by_hand + module.ratio_term(found, output, chosen) / 2
    assert float(live.loss(np.array([0, 3])).detach()) == pytest.approx(float(by_hand.detach()))
    without = live_pairs(live.module, examples, "authors", settings(alpha=0))
    assert float(without.loss(np.array([0, 3])).detach()) < float(by_hand.detach())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("input", ["authors", "full"])
def test_every_mode_trains_what_it_says_and_nothing_else(
    tmp_path: Path, input: str, mode: str
) -> None:
    _, found = tuned(tmp_path, input, mode, ToyPairs(8), epochs=2)
    before = network().state_dict()
    changed = {
        name
        for name, value in found.state_dict().items()
        if name in before and value.numel() and not torch.equal(value, before[name])
    }
    fixed = ("embedding", "encoders.", "routers.", "paddings.0")
    assert {
        "head_only": not changed,
        "lora": not changed,
        "release": bool(changed) and not any(name.startswith(fixed) for name in changed),
        "full": {"embedding", "routers.0.query.weight"} & changed != set(),
    }[mode]
    assert any(name.endswith("lora_b") for name in found.state_dict()) == (mode == "lora")


def test_a_planted_effect_is_learnt_and_hiding_it_takes_it_away(tmp_path: Path) -> None:
    examples = ToyPairs(24)
    live, _ = tuned(
        tmp_path, "authors", "full", examples, epochs=8, learning_rate=0.02, evaluate_every=6
    )
    labels = live.labels[live.rows["test"]]
    real, hidden = live.scores("test"), live.scores("test", masked=True)
    assert pair_score("auroc", labels, real) == 1.0
    assert pair_score("auroc", labels, hidden) < 0.8


def test_an_interrupted_run_gives_the_same_scores(tmp_path: Path) -> None:
    whole, _ = tuned(tmp_path / "a", "authors", "lora")

    class Stops(ToyPairs):
        left = 7

        def sequences(self, row: int) -> PairSequences:
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGINT)
            return super().sequences(row)

    with pytest.raises(KeyboardInterrupt):
        tuned(tmp_path / "b", "authors", "lora", Stops())
    parts, _ = tuned(tmp_path / "b", "authors", "lora")
    assert np.array_equal(whole.scores("test"), parts.scores("test"))
    assert len(set(whole.scores("test"))) > 1


def cpu_bf16(device: torch.device, chosen: Any) -> torch.autocast:
    """What ``precision`` is on a GPU."""
    return torch.autocast("cpu", dtype=torch.bfloat16)


@pytest.mark.parametrize(("input", "count"), [("authors", 40), ("full", 12)])
def test_scores_under_autocast_are_as_many_as_the_inputs(
    monkeypatch: pytest.MonkeyPatch, input: str, count: int
) -> None:
    """In training, too, the head works in fp32."""
    monkeypatch.setattr(module, "precision", cpu_bf16)  # there is no GPU
    live = live_pairs(PairModel(network(), input, 0), ToyPairs(4 * count), input, settings(alpha=0))
    with torch.no_grad():  # few positives and a weak signal: scores lie close together
        live.module.head.classify.bias.copy_(torch.tensor([1.5, -1.5]))
        live.module.head.classify.weight.mul_(0.2)
    seen: list[torch.dtype] = []
    live.module.head.register_forward_hook(lambda module, given, found: seen.append(found.dtype))
    found = live.scores("test")
    assert len(found) == len(set(found)) == count
    with cpu_bf16(torch.device("cpu"), None):
        live.loss(np.array([0, 1])).backward()
    assert set(seen) == {torch.float32}


def test_a_gpu_without_memory_names_the_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(model: PairModel, one: PairSequences, masked: bool = False) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(PairModel, "full", full)  # as on a GPU that is too small
    with pytest.raises(GenezipError) as raised:
        tuned(tmp_path, "full", "lora")
    text = str(raised.value)
    row = int(text.split("example ")[1].split(" ")[0]) - 100
    assert f"training on example {row + 100} ({90 + row} bp) does not fit into the memory" in text
    live = live_pairs(PairModel(network(), "full", 0), ToyPairs(), "full", settings())
    with pytest.raises(GenezipError, match=r"^example 103 \(93 bp\) does not fit"):
        live.scores("test")


def test_a_validation_split_of_one_class_has_no_score() -> None:
    assert np.isnan(pair_score("auroc", np.zeros(3, dtype=int), np.arange(3.0)))
    assert pair_score("auroc", np.array([0, 1, 1]), np.array([0.1, 0.3, 0.2])) == 1.0
    assert pair_score("auprc", np.array([1, 0]), np.array([0.1, 0.3])) == 0.5


def test_the_file_has_a_row_per_validation_and_test_pair(tmp_path: Path) -> None:
    examples, out = ToyPairs(), tmp_path / "x.parquet"
    scores = {
        ("valid", False): 0.0,
        ("valid", True): 1.0,
        ("test", False): 2.0,
        ("test", True): 3.0,
    }

    class Scored(LivePairs):
        def __init__(self) -> None:
            pass

        def scores(self, split: str, masked: bool = False) -> np.ndarray:
            return scores[split, masked] + np.arange(6) / 10

    rows = predict_pairs(examples, Scored())
    run.write_predictions(TASKS["eqtl"], out, method(), rows)
    found = pq.read_table(out).to_pandas()
    table = examples.table
    for split, first in (("valid", 0.0), ("test", 2.0)):
        rows, mine = table[table["split"] == split], found[found["split"] == split]
        assert mine["example"].tolist() == rows["example"].tolist()
        assert mine["group"].tolist() == rows["gene_id"].tolist()
        assert mine["target"].tolist() == rows["label"].tolist()
        assert mine["prediction"].tolist() == pytest.approx((first + np.arange(6) / 10).tolist())
        assert (mine["hidden"] - mine["prediction"]).tolist() == pytest.approx([1.0] * 6)
    assert set(found["rule"]) == {"paper"} and set(found["fold"]) == {-1} and len(found) == 12


def test_other_inputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match="inputs authors and full alone"):
        tuned(tmp_path, "contrast", "full")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pretrained model whose bound looks at the whole sequence."""
    path = tmp_path_factory.mktemp("model") / "tiny"
    return save_toy(path, small_network(bound="sequence"), seed=0, name="tiny")


def one_of_each_split(manifest: Path) -> None:
    """Leave one pair of every split in a prepared folder."""
    path = manifest.parent / "examples.parquet"
    table = pd.read_parquet(path)
    table = table.groupby("split").head(1)
    table.to_parquet(path, index=False)
    raw = json.loads(manifest.read_text())
    for entry in raw["files"]:
        if entry["path"] == path.name:
            entry["bytes"] = path.stat().st_size
    manifest.write_text(json.dumps(raw))


@pytest.mark.parametrize("input", ["authors", "full"])
def test_the_whole_way_from_a_deposit_to_a_prediction_file(
    tmp_path: Path, folder: Path, input: str, messages: Callable[[], list[str]]
) -> None:
    from toolkit.deposits import pairs

    from genezip.genome.assembly import ReferenceGenome
    from genezip.tasks.deposits import TaskFiles
    from genezip.tasks.pairs.deposit import VARIANTS
    from genezip.tasks.pairs.examples import PairExamples, prepare_pairs

    listing = pairs.write_eqtl(tmp_path / "deposit", more=20, reach=4_200, cases=False)
    fasta, manifest = tmp_path / "deposit" / pairs.EQTL_FASTA, tmp_path / "data" / "manifest.json"
    files = TaskFiles.load(listing)
    prepare_pairs(VARIANTS, pairs.TISSUE, files, ReferenceGenome(fasta), manifest, 3, 0)
    one_of_each_split(manifest)
    out, work = tmp_path / "out.parquet", tmp_path / ".out.work"
    chosen = settings(epochs=1, batch=1)
    given = method(input, "head_only")
    run.predict("eqtl", manifest, fasta, given, pairs.TISSUE, chosen, 0, out, model=folder)
    found = pq.read_table(out).to_pandas()
    expected = PairExamples.load(manifest, fasta).table
    expected = expected[expected["split"] != "train"].sort_values("split", ascending=False)
    assert found["example"].tolist() == expected["example"].tolist()
    assert found["prediction"].between(0, 1).all() and found["hidden"].notna().all()
    assert not work.exists()
    assert any("the causal bound replaces" in text for text in messages()) == (input == "full")


def test_padding_is_n() -> None:
    _, alternative = release_input(pair(0, True), SHORT_BP)
    assert alternative[-1] != N_ID  # the toy pairs are longer than the short input
    _, alternative = release_input(pair(0, True))
    assert (alternative[90:] == N_ID).all()


def test_tasks_that_have_frozen_features_alone_are_refused(tmp_path: Path, folder: Path) -> None:

    given = Method("cmp", "HFF", "tiny", 0, "full", "full")
    with pytest.raises(GenezipError, match="cmp is trained on frozen features alone"):
        run.predict(
            "cmp", tmp_path / "m.json", tmp_path / "g.fa", given, "HFF", settings(), 0,
            tmp_path / "out.parquet", model=folder,
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []
