"""The chapter on masked bases, and a page whose models predict no next base."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from genezip.artifacts.scores import DNA_SCORES
from genezip.config import Report
from genezip.report.chapters import FIGURES
from genezip.report.chapters.prediction import masked
from genezip.report.page import render
from genezip.report.results import Results, load

SETTINGS = Report(reference="genezip-tiny", control="hnet-tiny")
BITS = {"genezip-tiny": 1.85, "hnet-tiny": 1.88}
LESS = {"genezip-tiny": -0.024, "hnet-tiny": 0.001}


def row(model: str, metric: str, value: float, spread: float | None = None, **cells: Any) -> dict:
    if spread is not None:
        cells |= {"ci_low": value - spread, "ci_high": value + spread}
    common = {"task": "masked", "subset": "all", "region": "all", "split": "test", "strand": "+"}
    common |= {"n": 1234, "unit": "bases", "scale": "demo", "source": "mirror"}
    return DNA_SCORES.row(**{**common, "model": model, "metric": metric, "value": value, **cells})


def network_rows(model: str) -> list[dict]:
    return [
        row(model, "mask_bits", BITS[model], 0.01, seed=0),
        row(model, "mask_bits", BITS[model] - 0.1, 0.02, seed=0, region="cds"),
        row(model, "chosen_bits", BITS[model] - 0.08, 0.01, seed=0),
        row(model, "mask_accuracy", 0.38, 0.01, seed=0),
        row(model, "bpt", 3.7, 0.1, seed=0),
        row(model, "masked_bpt", 3.9, 0.1, seed=0),
        row(f"{model} - two_sided", "mask_bits_difference", LESS[model], 0.005, seed=0),
        row(f"{model} - two_sided_equal", "mask_bits_difference", 0.02, 0.005, seed=0),
    ]


def counting_rows() -> list[dict]:
    return [
        *(row(name, "mask_bits", value, 0.01) for name, value in (
            ("two_sided0", 1.95), ("two_sided4", 1.874), ("two_sided", 1.874),
            ("two_sided_equal", 1.88), ("two_sided_visible", 1.773), ("window_gc", 1.96),
        )),
        row("two_sided", "best_width", 4),
        row("two_sided_visible", "best_width", 5),
    ]  # fmt: skip


def masked_curve() -> str:
    lines: list[dict[str, Any]] = []
    for step in range(1, 61):
        lines.append({"step": step, "masked_loss": 1.3, "mask_loss": 1.4 - step / 600,
                      "rar_loss": 1 + 1 / step, "kept": [0.25], "bpt": 2.7 + step / 50,
                      "F": [[0.2] * 7], "G": [[0.3] * 7], "lr": 1e-3, "seconds": step})  # fmt: skip
        if step % 15 == 0:
            valid = {"mask_bits": 1.9, "bpt": 3.7, "masked_bpt": 3.9 - 10 / step}
            lines.append({"step": step, "valid": valid})
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.fixture
def results(make_results: Callable[..., Path]) -> Results:
    """Results of two networks that predict masked bases: no perplexity anywhere."""
    folder = make_results()
    for model in BITS:
        DNA_SCORES.write(folder / "masked" / f"{model}.seed0.tsv", network_rows(model))
        (folder / "pretrain" / f"{model}.seed0" / "curve.jsonl").write_text(masked_curve())
    DNA_SCORES.write(folder / "masked" / "markov.tsv", counting_rows())
    for name in ("compression", "comparisons"):
        path = folder / "compress" / f"{name}.tsv"
        frame = DNA_SCORES.read(path)
        next_base = frame["metric"].str.contains("ppl|bits_per_base")
        DNA_SCORES.write(path, frame[~next_base])
    return load(folder, SETTINGS, "demo")


def test_the_text_tells_each_network_by_its_paired_difference(results: Results) -> None:
    section = masked.section(results)
    assert section is not None
    text = " ".join(section.text)
    assert (
        "genezip-tiny predicts masked bases better than the two-sided Markov model given the same "
        "masks (seed 0: −0.0240, −0.0290 to −0.0190)."
    ) in text
    assert (
        "hnet-tiny is not shown to differ from the two-sided Markov model given the same masks "
        "(seed 0: +0.0010, −0.0040 to 0.0060)."
    ) in text
    assert (
        "hnet-tiny predicts masked bases worse than the one that learns from masked bases alone "
        "(seed 0: +0.0200,"
    ) in text
    assert "without and with masks, by seed: genezip-tiny 3.70 and 3.90; hnet-tiny 3.70" in text


def test_the_table_has_networks_then_models_that_count(results: Results) -> None:
    section = masked.section(results)
    assert section is not None
    table, regions = section.tables
    assert [one[0] for one in table.rows] == [
        "genezip-tiny",
        "hnet-tiny",
        "two-sided Markov model, the same masks, 4 bases on each side",
        "two-sided Markov model that learns from masked bases alone",
        "composition of training DNA",
        "GC content of the visible bases",
        "two-sided Markov model, all neighbours visible, 5 bases on each side",
    ]
    assert table.rows[0][2] == "1.8500 (1.8400 to 1.8600)"
    assert table.rows[2][1] == table.rows[2][3] == table.rows[2][6] == "–"
    assert regions.rows == [
        ["CDS", "1.750 (1.730 to 1.770)", "1.780 (1.760 to 1.800)", "–", "1,234"]
    ]


def test_arms_with_equal_tokens_are_shown_with_what_is_equal(results: Results) -> None:
    """Arms of other runs, whose files a folder keeps, are left out."""
    learned = {"seed": 0, "split": "test", "windows": 1440, "bp": 589_824, "tokens": 160_000,
               "guide_flops_per_bp": 0.0, "parameters": 322_268, "scale": "demo"}  # fmt: skip
    rows = [
        {**learned, "model": "genezip-tiny", "router": "learned", "bpt": 3.69,
         "flops_per_bp": 411_500.0},
        {**learned, "model": "hnet-tiny", "router": "guided_even", "guide": "genezip-tiny",
         "bpt": 3.69, "flops_per_bp": 411_600.0, "tokens_off": 0.0, "flops_off": 0.000243},
        {**learned, "model": "hnet-tiny", "seed": 7, "router": "guided_even", "bpt": 3.0,
         "flops_per_bp": 1.0},
    ]  # fmt: skip
    (manifest,) = results.folder.glob("corpus/*/manifest.json")
    path = results.folder / "matched" / f"{manifest.parent.name}.tsv"
    path.parent.mkdir()
    pd.DataFrame(rows).to_csv(path, sep="\t", index=False)
    section = masked.section(load(results.folder, SETTINGS, "demo"))
    assert section is not None
    arms = section.tables[-1]
    assert arms.rows == [
        ["genezip-tiny", "0", "learned", "–", "3.69", "411.5", "322,268", "–", "–"],
        ["hnet-tiny", "0", "guided even", "genezip-tiny", "3.69", "411.6", "322,268", "0.00%",
         "0.02%"],
    ]  # fmt: skip
    assert "1,440 held-out windows (589,824 bp)" in str(arms.note)


def test_the_figure_has_both_ratios(results: Results) -> None:
    drawing = masked.masked(results)
    assert drawing is not None
    data = drawing.data
    assert set(data["model"]) == set(BITS)
    with_masks = data[data["quantity"] == "validation, with masks"]
    assert with_masks.groupby("model")["value"].first().tolist() == pytest.approx([3.9 - 2 / 3] * 2)
    assert set(data.loc[data["quantity"] == "validation, without masks", "value"]) == {3.7}


def test_a_page_without_any_perplexity_is_whole(results: Results) -> None:
    """The page is rendered with the figures of losses; training shows the masked-base loss."""
    names = ("curves", "perplexity", "masked")  # others read no loss
    drawings = {name: drawing for name in names if (drawing := FIGURES[name](results))}
    page = render(results, drawings)
    assert "No model of this run predicts the next base" in page
    assert 'id="masked-bases"' in page and "bits per masked base" in page
    assert "masked-base loss" in drawings["curves"].svg
    frame = drawings["curves"].data
    loss = frame[frame["quantity"] == "mask_loss"]
    assert loss["value"].max() == pytest.approx(1.4 - 1 / 600)
    points = frame.loc[frame["quantity"] == "validation mask_loss", "value"]
    assert points.tolist() == pytest.approx([1.9 * 0.693147] * 8, rel=1e-5)


def test_there_is_no_chapter_without_masked_bases(make_results: Callable[..., Path]) -> None:
    plain = load(make_results(), SETTINGS, "demo")
    assert masked.section(plain) is None and masked.masked(plain) is None
    assert plain.masked.frame.empty and isinstance(plain.masked.frame, pd.DataFrame)
