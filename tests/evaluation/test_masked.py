"""`genezip evaluate masked-markov` and `masked` from end to end on a small simulated genome."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toolkit.command_line import call, succeed
from toolkit.genomes import simulate
from toolkit.masked import felt_network, save_masked
from toolkit.networks import save_toy, small_network

from genezip.alphabet import A_ID, C_ID, G_ID, MASK_ID, is_base
from genezip.artifacts.scores import DNA_SCORES
from genezip.config import Corpus, MaskedBases, Regions
from genezip.corpus.build import build_corpus
from genezip.corpus.corpus import CorpusReader
from genezip.evaluation.masked.markov import fit_two_sided
from genezip.evaluation.masked.scores import MaskedWindows, masked_windows, score_network, tally
from genezip.evaluation.windows import spaced_windows
from genezip.genome.region_rules import build_region_map
from genezip.genome.sources.source import Source
from genezip.models.masking import COUNTED, mask_rows, score_bases

SETTINGS = {"bootstrap": 50, "block_bp": 4096, "width": 3, "device": "cpu", "batch": 8}
WINDOW_BP = 1024


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Source, region map, corpus, a toy model, and the tables of both commands."""
    folder = tmp_path_factory.mktemp("run")
    source = simulate(folder / "resources", 60_000, 20_000, 20_000)
    region_map = build_region_map(source.annotations(), source.assembly(), Regions())
    corpus = Corpus(
        window_bp=WINDOW_BP, heldout_window_bp=WINDOW_BP, train_windows=4, valid_windows=0,
        keep_short=False, validation="pieces",
    )  # fmt: skip
    build_corpus(source, region_map, corpus, folder / "corpus")
    save_masked(folder / "toy")
    succeed(
        "evaluate", "masked-markov", "--corpus", folder / "corpus" / "manifest.json",
        "--source", folder / "resources" / "source.json", "--settings", json.dumps(SETTINGS),
        "--scale", "test", "--out", folder / "markov.tsv", "--windows", folder / "markov.parquet",
    )  # fmt: skip
    succeed(*masked_command(folder, folder / "toy"), "--out", folder / "toy.tsv")
    return folder


def masked_command(run: Path, model: Path, **settings: object) -> list[object]:
    return [
        "evaluate", "masked", "--model", model, "--corpus", run / "corpus" / "manifest.json",
        "--markov", run / "markov.parquet", "--settings", json.dumps({**SETTINGS, **settings}),
        "--scale", "test",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def held_out(run: Path) -> MaskedWindows:
    reader = CorpusReader(run / "corpus" / "manifest.json")
    return masked_windows(reader, MaskedBases(**SETTINGS))


def values(path: Path, region: str = "all") -> pd.Series:
    rows = DNA_SCORES.read(path)
    assert set(rows["task"]) == {"masked"} and set(rows["split"]) == {"test"}
    return rows[rows["region"] == region].set_index(["model", "metric"])["value"]


def test_the_counting_models_are_in_the_table(run: Path, held_out: MaskedWindows) -> None:
    """Widths, the best of them, all visible and GC; GC by a loop over windows."""
    found = values(run / "markov.tsv")
    widths = [f"two_sided{k}" for k in range(4)]
    names = {*widths, "two_sided", "two_sided_equal", "two_sided_visible", "window_gc"}
    assert {name for name, metric in found.index if metric == "mask_bits"} == names
    on_validation = [found[name, "validation_bits_per_base"] for name in widths]
    best = int(np.argmin(on_validation))
    assert found["two_sided", "best_width"] == best
    assert found["two_sided", "mask_bits"] == found[f"two_sided{best}", "mask_bits"]
    assert 1.5 < found["two_sided", "mask_bits"] < found["window_gc", "mask_bits"] < 2.05
    nats = []
    for window, masked in held_out:
        seen = masked.ids[0][is_base(masked.ids[0])]
        gc = (np.isin(seen, [C_ID, G_ID]).sum() + 1) / (len(seen) + 2)
        for base in window.ids[masked.hidden[0]]:
            nats.append(-np.log((gc if base in (C_ID, G_ID) else 1 - gc) / 2))
    assert found["window_gc", "mask_bits"] == pytest.approx(np.mean(nats) / np.log(2), rel=1e-5)


def test_one_markov_model_counts_every_base_and_one_masked_bases_alone(run: Path) -> None:
    """Both strands count; a model of masked bases knows no more than a network is told."""
    reader = CorpusReader(run / "corpus" / "manifest.json")
    assembly = Source.load(run / "resources" / "source.json").assembly()
    models = fit_two_sided(reader, assembly, 2, 0.15, 10**9, seed=4)
    told = 0
    for number, window in enumerate(spaced_windows(reader, "train", 10**9)):
        chosen = mask_rows(window.ids[None], 0.15, [(COUNTED, 4, number)]).chosen[0]
        told += int((chosen & is_base(window.ids)).sum())
    every = sum(
        int(is_base(assembly.ids(segment, segment.start, segment.end)).sum())
        for segment in assembly.segments_of("train")
    )
    assert models.equal.counts[0].bases.sum() == 2 * told > 0
    for model in (models.hidden, models.visible):
        assert model.counts[0].bases.sum() == 2 * every


def test_a_network_is_measured_by_a_written_out_loop(run: Path, held_out: MaskedWindows) -> None:
    """At MASK alone and at all chosen bases, tokens with and without masks, the difference."""
    import torch

    network = felt_network()
    nats, right, every, tokens = [], [], [], np.zeros(2)
    for window, masked in held_out:
        with torch.inference_mode():
            output = network(torch.from_numpy(masked.ids))
            plain = network(torch.from_numpy(window.ids[None]))
        tokens += [int(one.routings[0].boundary_mask.sum()) for one in (plain, output)]
        log_prob = output.logits[0].log_softmax(-1).numpy()
        for at in np.flatnonzero(masked.chosen[0]):
            base = int(window.ids[at]) - A_ID
            every.append(-log_prob[at, base])
            if masked.ids[0, at] == MASK_ID:
                nats.append(every[-1])
                right.append(log_prob[at, :4].argmax() == base)
    found, counted = values(run / "toy.tsv"), values(run / "markov.tsv")
    assert found["toy", "mask_bits"] == pytest.approx(np.mean(nats) / np.log(2), rel=1e-4)
    assert found["toy", "chosen_bits"] == pytest.approx(np.mean(every) / np.log(2), rel=1e-4)
    assert found["toy", "mask_accuracy"] == pytest.approx(np.mean(right), rel=1e-4)
    bases = sum(len(window.ids) for window in held_out.windows)
    assert found["toy", "bpt"] == pytest.approx(bases / tokens[0], rel=1e-5)
    assert found["toy", "masked_bpt"] == pytest.approx(bases / tokens[1], rel=1e-5)
    for other in ("two_sided", "two_sided_equal"):
        difference = found[f"toy - {other}", "mask_bits_difference"]
        wanted = found["toy", "mask_bits"] - counted[other, "mask_bits"]
        assert difference == pytest.approx(wanted, abs=2e-5)
    rows = DNA_SCORES.read(run / "toy.tsv")
    bits = rows[(rows["model"] == "toy") & (rows["metric"] == "mask_bits")]
    (row,) = bits[bits["region"] == "all"].to_dict("records")
    assert row["n"] == len(nats) and row["unit"] == "bases" and row["seed"] == 3
    assert row["ci_low"] < row["value"] < row["ci_high"]
    assert bits.loc[bits["region"] != "all", "n"].sum() == len(nats)
    notes = rows.loc[rows["metric"] == "chosen_bits", "note"]
    assert notes.str.contains("flattered").all()


def test_a_control_is_compared_with_its_guide(run: Path) -> None:
    """The learned model minus its control, in the rows of the control; the same file as both."""
    command = masked_command(run, run / "toy")
    succeed(*command, "--out", run / "first.tsv", "--windows", run / "toy.parquet")
    other = save_toy(run / "other", felt_network(seed=5), name="control", compressor="ldarnet")
    against = ["--against", run / "toy.parquet"]
    succeed(*masked_command(run, other), *against, "--out", run / "second.tsv")
    found, guide = values(run / "second.tsv"), values(run / "first.tsv")
    wanted = guide["toy", "mask_bits"] - found["control", "mask_bits"]
    assert wanted != 0
    assert found["toy - control", "mask_bits_difference"] == pytest.approx(wanted, abs=2e-5)
    succeed(*masked_command(run, other), "--out", run / "third.tsv")
    assert "toy - control" not in values(run / "third.tsv")


def test_batches_do_not_change_the_sums(held_out: MaskedWindows) -> None:
    settings = MaskedBases(**{**SETTINGS, "batch": 1})
    alone = MaskedWindows(
        held_out.windows, held_out.masked, held_out.bootstrap, held_out.region_classes, settings
    )
    one, other = (score_network(felt_network(), "toy", each) for each in (held_out, alone))
    for key, sums in one.columns.items():
        np.testing.assert_allclose(sums, other.columns[key], rtol=1e-4)
    assert (one.tokens == other.tokens).all()


def test_tally_counts_by_region(held_out: MaskedWindows) -> None:
    """A model that knows every base: no loss, all right, as many as are masked in each class."""

    def known():
        for window, masked in held_out:
            log_prob = np.full((int(masked.chosen.sum()), 4), -np.inf)
            bases = window.ids[masked.chosen[0]] - A_ID
            log_prob[np.arange(len(bases)), bases] = 0
            assert score_bases(log_prob, window.ids[masked.chosen[0]])[1].all()
            yield [log_prob]

    found = tally(held_out, ["m"], known())["m"]
    assert found["mask_nll"].sum() == 0 and (found["mask_right"] == found["mask_n"]).all()
    for number, (window, masked) in enumerate(held_out):
        wanted = np.bincount(window.regions[masked.hidden[0]], minlength=7)
        assert (found["mask_n"][number] == wanted).all()


def test_wrong_input_is_one_sentence(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", run / "no.tsv"]

    def said(*arguments: object) -> str:
        assert call(*arguments, *out) == 1
        return capsys.readouterr().err

    forward = save_toy(run / "forward", small_network())
    text = said(*masked_command(run, forward))
    assert "toy predicts no masked bases, as it does not read both sides of a base" in text
    text = said(*masked_command(run, run / "toy", rate=0.3))
    assert "was made for other windows, masks or region classes than these" in text
    bare = Path(shutil.copytree(run / "corpus", run / "bare")) / "manifest.json"
    manifest = json.loads(bare.read_text())
    manifest["files"] = [one for one in manifest["files"] if one["split"] != "valid"]
    bare.write_text(json.dumps(manifest))
    text = said(
        "evaluate", "masked-markov", "--corpus", bare, "--source",
        run / "resources" / "source.json", "--settings", json.dumps(SETTINGS), "--scale", "test",
        "--windows", run / "no.parquet",
    )  # fmt: skip
    assert "has no validation windows, on which the width of the two-sided Markov model" in text
    assert not (run / "no.tsv").exists() and not (run / "no.parquet").exists()
