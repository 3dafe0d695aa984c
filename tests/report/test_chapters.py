"""The sentence of each section says what the numbers say, and no more."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from genezip.artifacts.scores import DNA_SCORES
from genezip.config import Report
from genezip.report.chapters import compression, repeats, tokens, training
from genezip.report.chapters.prediction import next_base
from genezip.report.drawing import NO_BASE
from genezip.report.page import render
from genezip.report.results import Results, load
from genezip.report.scores import Number
from genezip.report.words import decimals_of

SETTINGS = Report(reference="genezip-tiny", control="hnet-tiny")


def loaded(folder: Path) -> Results:
    return load(folder, SETTINGS, "demo")


def edit(path: Path, cells: dict[str, Any], **where: Any) -> None:
    frame = pd.read_csv(path, sep="\t")
    chosen = (frame[list(where)] == pd.Series(where)).all(axis=1)
    assert chosen.any()
    frame.loc[chosen, list(cells)] = list(cells.values())
    frame.to_csv(path, sep="\t", index=False)


def estimate(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "ci_low": low, "ci_high": high}


@pytest.mark.parametrize(
    ("numbers", "said", "shown"),
    [
        ((1.3, 1.2, 1.4), "fewer tokens than the background", "2 show this, 0 show the opposite"),
        ((0.7, 0.6, 0.8), "more tokens than the background", "0 show this, 2 show the opposite"),
        ((1.3, 0.9, 1.7), "not shown to differ", "0 show this, 0 show the opposite, and 4"),
        ((1.03, 1.01, 1.05), "not shown to differ", "0 show this"),  # inside the random shifts
    ],
)
def test_repeats(
    make_results: Callable[..., Path],
    numbers: tuple[float, float, float],
    said: str,
    shown: str,
) -> None:
    folder = make_results()
    path = folder / "repeats" / "repeats.tsv"
    where = {"model": "genezip-tiny", "region": "all", "split": "test"}
    for metric in ("bpt_ratio", "bpt_ratio_region_adjusted"):
        edit(path, estimate(*numbers), **where, subset="softmasked_outside_trf", metric=metric)
        edit(path, estimate(1.0, 0.9, 1.1), **where, subset="tandem", metric=metric)
    direction, found = repeats.verdict(loaded(folder))
    interspersed, tandem = found.split(" Tandem")
    assert "published result is fewer tokens in repeats. Of 4 comparisons" in direction
    assert shown in direction
    assert interspersed.startswith("Interspersed repeats of held-out DNA: plain ratio ")
    assert interspersed.count(said) == 2
    assert tandem.count("not shown to differ") == 2


def test_a_range_that_ends_at_zero_is_kept() -> None:
    assert repeats.band(Number(1.0, 0.0, 1.2)) == (0.0, 1.2)
    assert repeats.band(Number(1.0)) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((1.3, 1.1, 1.5), "more tokens than an even cut"),
        ((1.2, 0.99, 1.4), "not shown to differ from an even cut"),
        ((0.8, 0.7, 0.9), "fewer tokens than an even cut"),
    ],
)
def test_genic(
    make_results: Callable[..., Path], numbers: tuple[float, float, float], said: str
) -> None:
    folder = make_results(seeds=(0, 1))
    path = folder / "compress" / "compression.tsv"
    where = {"model": "genezip-tiny", "region": "genic", "metric": "enrichment"}
    edit(path, estimate(*numbers), **where)
    edit(path, estimate(1.3, 1.1, 1.5), **where, seed=1.0)
    sentence = tokens.genic(loaded(folder))
    assert sentence is not None and said in sentence
    assert "more tokens than an even cut" in sentence  # of seed 1, always
    assert "seed 0: " in sentence and "seed 1: 1.30 (1.10 to 1.50)" in sentence


def test_budget(make_results: Callable[..., Path]) -> None:
    sentence = tokens.budget(loaded(make_results()))
    assert sentence is not None
    assert "promoter 2.19, CDS 4.06" in sentence  # 70 of 32 and 130 of 32 bases per token
    missed = "Promoter, CDS, UTR, non-coding exon and distal intergenic miss their targets"
    assert f"{missed} by more than a factor of 1.5." in sentence
    assert "no such base" not in sentence


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((-0.1, -0.2, -0.05), "predicts better"),
        ((0.1, 0.05, 0.2), "predicts worse"),
        ((0.01, -0.05, 0.2), "the two are not shown to differ"),
    ],
)
def test_perplexity(
    make_results: Callable[..., Path], numbers: tuple[float, float, float], said: str
) -> None:
    folder = make_results()
    sentence = next_base.against_markov(loaded(folder))
    assert sentence is not None and "a paired difference was not computed" in sentence
    assert "is above that of the Markov model that is best on validation DNA (order 8" in sentence
    row = DNA_SCORES.row(
        model="genezip-tiny - markov8", subset="n_le_5pct", region="all", split="test",
        strand="+", metric="ppl_difference", seed=0, **estimate(*numbers),
    )  # fmt: skip
    path = folder / "compress" / "comparisons.tsv"
    pd.DataFrame([row]).to_csv(path, sep="\t", index=False, header=False, mode="a")
    sentence = next_base.against_markov(loaded(folder))
    assert sentence is not None and said in sentence


def test_the_mixing_model_and_what_a_network_adds(make_results: Callable[..., Path]) -> None:
    folder = make_results()
    sentence = next_base.against_mixing(loaded(folder))
    assert sentence is not None and "1.722 " in sentence and "differs" not in sentence
    rows = [
        DNA_SCORES.row(
            model=model, subset="n_le_5pct", region="all", split="test", strand="+",
            metric="bits_per_base_difference", seed=0,
            **estimate(value, value - 0.01, value + 0.01),
        )
        for model, value in (
            ("genezip-tiny - mixing", 0.155), ("genezip-tiny + mixing - mixing", -0.021),
        )
    ]  # fmt: skip
    path = folder / "compress" / "comparisons.tsv"
    pd.DataFrame(rows).to_csv(path, sep="\t", index=False, header=False, mode="a")
    sentence = next_base.against_mixing(loaded(folder))
    assert sentence is not None and "genezip-tiny alone differs from it by +0.1550 (" in sentence
    assert "the mixture of both, weighted base by base, by −0.0210 (" in sentence


def test_mixtures_are_no_models_of_the_page(make_results: Callable[..., Path]) -> None:
    folder = make_results()
    path = folder / "compress" / "compression.tsv"
    frame = pd.read_csv(path, sep="\t")
    mixed = frame[frame["model"] == "genezip-tiny"].assign(model="genezip-tiny + mixing")
    one = frame[frame["subset"] == "n_le_5pct"].assign(subset="ecoli")
    before = loaded(folder)
    table = compression.numbers_section(before).tables[0].rows
    pd.concat([frame, mixed, one]).to_csv(path, sep="\t", index=False)
    after = loaded(folder)
    assert after.models == before.models
    assert compression.numbers_section(after).tables[0].rows == table
    labels = [str(row[0]) for row in next_base.perplexity_section(after).tables[0].rows]
    assert "genezip-tiny and context mixing" in labels and "context mixing" in labels


def test_a_class_without_bases_keeps_its_row(make_results: Callable[..., Path]) -> None:
    folder = make_results()
    path = folder / "compress" / "compression.tsv"
    frame = pd.read_csv(path, sep="\t")
    gone = (frame["region"] == "dig") & frame["metric"].isin(["bpt", "ppl"])
    frame.loc[gone, ["value", "ci_low", "ci_high"]] = None
    frame.to_csv(path, sep="\t", index=False)
    manifest = json.loads((folder / "corpus" / "main" / "manifest.json").read_text())
    manifest["splits"]["test"]["composition"]["dig"] = 0
    (folder / "corpus" / "main" / "manifest.json").write_text(json.dumps(manifest))
    results = loaded(folder)
    for figure in (tokens.bpt, next_base.perplexity):
        drawing = figure(results)
        assert drawing is not None and NO_BASE in drawing.svg
        assert (drawing.data["note"] == NO_BASE).sum() == 2
    sentence = tokens.budget(results)
    assert sentence is not None and "Distal intergenic: no such base in held-out DNA." in sentence


def test_rows_are_given_once_where_no_window_is_left_out(
    make_results: Callable[..., Path],
) -> None:
    folder = make_results()
    table = compression.numbers_section(loaded(folder)).tables[0]
    assert {row[2] for row in table.rows} == {"N ≤ 5 %"}
    assert table.note.startswith("No held-out window has more than 5 % N")
    edit(folder / "compress" / "compression.tsv", {"n": 150}, metric="bpt", subset="n_le_5pct")
    table = compression.numbers_section(loaded(folder)).tables[0]
    assert {row[2] for row in table.rows} == {"all", "N ≤ 5 %"}
    assert table.note.startswith("7 held-out windows have more than 5 % N")


def test_perplexity_by_region_is_given_without_bounded_windows_and_as_in_the_release(
    make_results: Callable[..., Path],
) -> None:
    folder = make_results()
    table = next_base.region_table(loaded(folder))
    assert table is not None and table.head[:5] == ["model", "bases", "windows", "all bases",
                                                    "promoter"]  # fmt: skip
    found = {(str(row[0]), str(row[1])): row[2:] for row in table.rows}
    assert found["genezip-tiny", "all windows"][:2] == ["157", "3.690"]
    assert found["genezip-tiny", "windows without an active bound"][1:] == ["3.300"] * 8
    assert found["genezip-tiny", "weighting of the release"][1] == "2.100"
    assert ("hnet-tiny", "weighting of the release") not in found
    assert found["Markov, order 4", "all windows"][1] == "3.764"
    path = folder / "compress" / "compression.tsv"
    edit(path, {"value": 0.0}, model="genezip-tiny", metric="bound_bit_share")
    table = next_base.region_table(loaded(folder))
    assert table is not None  # no bound was active, so the row would be the same
    assert ("genezip-tiny", "windows without an active bound") not in {r[:2] for r in
        ((str(row[0]), str(row[1])) for row in table.rows)}  # fmt: skip


def test_windows_of_n_alone_are_shown_apart(make_results: Callable[..., Path]) -> None:
    folder = make_results()
    drawing = compression.gaps(loaded(folder))
    assert drawing is not None
    by_share = drawing.data.groupby(["model", "n"])["windows"].sum().to_dict()
    assert by_share == {
        (model, label): count
        for model in ("genezip-tiny", "hnet-tiny")
        for label, count in (("0 to 5 %", 38), ("5 to 50 %", 1), ("above 95 %", 1))
    }
    rich = drawing.data[drawing.data["n"] == "above 95 %"]
    assert (rich["bpt_from"] <= 16_000).all() and (rich["bpt_to"] > 15_999).all()
    assert "2 windows have more than 5 % N" in drawing.caption
    assert "genezip-tiny 613 ± 2,495, of those with few N 217 ± 22.2" in drawing.caption
    path = folder / "compress" / "windows.tsv"
    table = pd.read_csv(path, sep="\t")
    table[table["n_fraction"] == 0].to_csv(path, sep="\t", index=False)
    drawing = compression.gaps(loaded(folder))
    assert drawing is not None and "No held-out window has more than 5 % N" in drawing.caption
    path.unlink()
    assert compression.gaps(loaded(folder)) is None


def test_training_says_what_was_seen_and_why_the_curves_differ(
    make_results: Callable[..., Path],
) -> None:
    folder = make_results()
    path = folder / "pretrain" / "hnet-tiny.seed0" / "config.json"
    config = json.loads(path.read_text())
    config["target_bpt"] = dict.fromkeys(config["target_bpt"], 206.0)
    config["training"]["targets"] = "uniform, expected BPT of x on the valid windows"
    path.write_text(json.dumps(config))
    text = " ".join(training.section(loaded(folder)).text)
    assert "60 steps of 2 windows are 120 windows seen, 1.5 Mbp" in text
    assert "206 bases per token for all bases (uniform, expected BPT of x on the valid" in text
    assert "differ by design" in text
    assert training.wanted_bpt({"cds": 32, "dig": 512}, {"cds": 32, "dig": 512}) == 272


@pytest.mark.parametrize(("scale", "minutes"), [("demo", True), ("test", True), ("full", False)])
def test_text_fits_the_scale(results: Results, scale: str, minutes: bool) -> None:
    page = render(Results(**{**vars_of(results), "scale": scale}), {})
    assert ("trained for minutes" in page) == minutes


@pytest.mark.parametrize(
    ("mask", "said"), [("pre", "before the bounds"), ("post", "after the bounds")]
)
def test_f_is_defined_by_the_setting(
    make_results: Callable[..., Path], mask: str, said: str
) -> None:
    folder = make_results()
    path = folder / "pretrain" / "genezip-tiny.seed0" / "config.json"
    config = json.loads(path.read_text())
    config["training"]["settings"]["rar_mask"] = mask
    path.write_text(json.dumps(config))
    page = render(loaded(folder), {})
    assert f"{said} on tokens per window (the projection)" in page


@pytest.mark.parametrize(
    "untrue",
    [
        "looked at only to make this page",
        "Settings were chosen on validation",
        "fixed before the run",
        "learn nothing from regions",
        "does not explain",
        "recent duplications",
    ],
)
def test_what_was_untrue_is_not_said(results: Results, untrue: str) -> None:
    assert untrue not in render(results, {})


def test_decimals() -> None:
    assert decimals_of(0.2, -0.5, 0.3) == 2
    assert decimals_of(0.2, 0.004, None) == 3
    assert decimals_of(0.0, 0.2) == 2


def vars_of(results: Results) -> dict[str, Any]:
    """Fields of the results, without what was cached on them."""
    return {name: vars(results)[name] for name in results.__dataclass_fields__}


def repeat_bases(folder: Path, **bases: int) -> None:
    """Add rows on how many held-out bases a set has; nothing but these for ``only=1``."""
    path = folder / "repeats" / "repeats.tsv"
    frame = DNA_SCORES.read(path)
    if bases.pop("only", 0):
        frame = frame.iloc[:0]
    cells = {"model": "corpus", "task": "repeats", "metric": "bp", "region": "all", "strand": "+"}
    cells["split"] = "test"
    added = [DNA_SCORES.row(**cells, subset=name, value=n) for name, n in bases.items()]
    DNA_SCORES.write(path, [*frame.to_dict("records"), *added])


def test_missing_repeats_are_said(make_results: Callable[..., Path]) -> None:
    folder = make_results()
    assert repeats.remarks(loaded(folder)) == []  # results of before say nothing about it
    repeat_bases(folder, rmsk_rest_without_trf=5, SINE=0, rmsk_simple_repeat=0, LINE=7)
    results = replace(loaded(folder), source={"repeats": {"rmsk": "rmsk.out", "trf": None}})
    assert repeats.remarks(results) == [
        "The source has no TRF calls (genome.trf); results that need them are unknown, not zero.",
        "The measured DNA (held out) has no base of: SINE, simple repeats (RepeatMasker).",
    ]
    held = next(a for a in repeats.SETS if a.subset == "rmsk_interspersed" and a.split == "test")
    train = next(a for a in repeats.SETS if a.subset == "rmsk_interspersed" and a.split == "train")
    assert "no TRF calls" in repeats.background(results, held)
    assert repeats.background(results, train) == train.background
    text = " ".join(repeats.section(results).text)
    assert "unknown, not zero" in text
    repeat_bases(folder, only=1)
    results = replace(loaded(folder), source={"repeats": {"rmsk": None, "trf": None}})
    assert repeats.remarks(results) == [
        "The source has no RepeatMasker classes (genome.rmsk) and no TRF calls (genome.trf); "
        "results that need them are unknown, not zero.",
        "No repeat was measured.",
    ]
