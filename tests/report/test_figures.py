"""Figures: what is drawn is what the files say, and SVG text is small, stable and unique."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from genezip.artifacts.scores import DNA_SCORES
from genezip.config import Report
from genezip.report import style
from genezip.report.chapters import FIGURES, repeats, tokens, training
from genezip.report.drawing import Drawing, kilobases, lanes
from genezip.report.page import write_figures
from genezip.report.results import Results, load

SETTINGS = Report(reference="genezip-tiny", control="hnet-tiny")
# test_codon_phase, test_alignment, test_zero_shot, test_scaling, test_masked, test_words
OF_OTHER_RUNS = (
    *("codon_phase", "alignment", "essentiality", "variants", "scaling", "masked"),
    *("ggrams", "words"),
)


def test_every_figure_is_drawn_and_written(drawings: dict[str, Drawing], tmp_path: Path) -> None:
    assert [*drawings] == [name for name in FIGURES if name not in OF_OTHER_RUNS]
    write_figures(drawings, tmp_path / "figures")
    for name, drawing in drawings.items():
        assert drawing.name == name and drawing.caption.endswith(".")
        root = ElementTree.parse(tmp_path / "figures" / f"{name}.svg").getroot()
        assert root.tag.endswith("svg")
        table = pd.read_csv(tmp_path / "figures" / f"{name}.tsv", sep="\t")
        assert len(table) == len(drawing.data) > 0


def test_ids_in_one_page_do_not_collide(drawings: dict[str, Drawing]) -> None:
    text = "".join(drawing.svg for drawing in drawings.values())
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids)) > 0
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(ids)


def test_equal_results_give_equal_svg(results: Results) -> None:
    first, second = (FIGURES["corpus"](results) for _ in range(2))
    assert first is not None and second is not None
    assert first.svg == second.svg
    assert "<text" in first.svg and "aria-label" in first.svg


def test_figures_without_numbers_are_left_out_but_written(
    make_results: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_results()
    for name in ("compress/locus.tsv", "compress/locus_genes.tsv", "repeats/repeats.tsv"):
        (folder / name).unlink()
    results = load(folder, SETTINGS, "demo")
    assert FIGURES["locus"](results) is None
    assert FIGURES["repeats"](results) is None
    write_figures({}, tmp_path / "figures")
    assert "nothing was computed" in (tmp_path / "figures" / "locus.svg").read_text()
    assert {p.stem for p in (tmp_path / "figures").glob("*.tsv")} == set(FIGURES)


def test_a_long_run_is_thinned() -> None:
    values = pd.Series(range(30_600))
    thin = training.thinned(values)
    assert len(thin) == training.MAX_POINTS
    assert thin.iloc[0] == 0 and thin.iloc[-1] == 30_599


def test_labels_are_moved_apart_inside_the_axes() -> None:
    assert training.spread([1, 1.5, 9], 1, 0, 10) == [1, 2, 9]
    assert training.spread([9.5, 9.8, 10], 1, 0, 10) == [8, 9, 10]
    assert training.spread([-3, 0], 1, 0, 10) == [0, 1]


def test_lanes_keep_genes_apart() -> None:
    assert lanes([(0, 10), (5, 8), (11, 20), (9, 12)]) == [0, 1, 0, 1]


def test_models_have_styles_of_their_own(results: Results) -> None:
    names = ["gc_cpg", "hnet-tiny", "genezip-tiny", "fixed_stride", "untrained", "extra"]
    looks = style.looks(results, names)
    assert list(looks)[:2] == ["genezip-tiny", "hnet-tiny"]
    assert set(looks) == set(names)
    assert len({(look.colour, look.marker) for look in looks.values()}) == len(names)


def test_a_figure_says_how_many_intervals_rest_on_few_blocks(
    make_results: Callable[..., Path],
) -> None:
    folder = make_results()
    path = folder / "compress" / "compression.tsv"
    frame = pd.read_csv(path, sep="\t")
    few = (frame["metric"] == "bpt") & (frame["region"] == "promoter")
    frame["note"] = few.map({True: "few blocks", False: ""})
    frame.to_csv(path, sep="\t", index=False)
    drawing = tokens.bpt(load(folder, SETTINGS, "demo"))
    assert drawing is not None
    marked = drawing.data[drawing.data["few_blocks"]]
    assert set(marked["region"]) == {"promoter"} and set(marked["metric"]) == {"bpt"}
    told = f"Of {len(drawing.data)} drawn values, {len(marked)} rest on fewer than 8 (few blocks)."
    assert told in drawing.caption


@pytest.mark.parametrize("half", [1.1, 1.6, 3, 20, 1e3, 1e9])
def test_ratios_have_few_round_ticks_however_wide_an_interval_is(half: float) -> None:
    ticks = repeats._ticks(1 / half, half)
    assert 1 in ticks and 2 <= len(ticks) <= 8
    assert all(1 / half <= tick <= half for tick in ticks)


def test_the_table_of_repeats_counts_the_blocks_of_its_rows(
    make_results: Callable[..., Path],
) -> None:
    folder = make_results()
    path = folder / "repeats" / "repeats.tsv"
    frame = pd.read_csv(path, sep="\t")
    frame["blocks"] = 12
    frame.to_csv(path, sep="\t", index=False)
    found = load(folder, SETTINGS, "demo")
    assert {repeats.blocks(found, repeat) for repeat in repeats.SETS} <= {12, None}
    assert any(repeats.blocks(found, repeat) == 12 for repeat in repeats.SETS)


def test_the_label_of_the_claim_keeps_off_the_axis_however_many_models_there_are(
    make_results: Callable[..., Path],
) -> None:
    folder = make_results()
    path = folder / "compress" / "compression.tsv"
    frame = DNA_SCORES.read(path)
    more = [frame[frame["model"] == "untrained"].assign(model=name) for name in ("a", "b", "c")]
    DNA_SCORES.write(path, pd.concat([frame, *more]))
    drawing = tokens.enrichment(load(folder, SETTINGS, "demo"))
    assert drawing is not None
    axes = drawing.figure.axes[0]
    assert len(axes.get_yticklabels()) == 8
    (label,) = (text for text in axes.texts if text.get_text().startswith("claim"))
    FigureCanvasAgg(drawing.figure).draw()
    assert label.get_window_extent().y0 > axes.bbox.y0


@pytest.mark.parametrize(
    ("length", "step", "ticks"),
    [
        (65_536, 10_000, ["120", "130", "140"]),
        (4_096, 500, ["120.0", "120.5", "121.0"]),
        (300, 50, ["120.000", "120.050", "120.100"]),
    ],
)
def test_ticks_of_a_locus_differ(length: int, step: int, ticks: list[str]) -> None:
    assert [kilobases(120_000 + step * k, length) for k in range(3)] == ticks


def test_every_figure_and_its_numbers_are_outputs_of_the_report(repo: Path) -> None:
    rules = repo / "workflow" / "rules"
    named = re.search(
        r"^FIGURES = \((.*?)\)\.split", (rules / "common.smk").read_text(), re.M | re.S
    )
    assert named is not None
    assert set(named[1].replace('"', " ").split()) == set(FIGURES)  # each as TSV
    drawn = re.findall(r'"results/figures/(\w+)\.svg"', (rules / "report.smk").read_text())
    assert set(drawn) == set(FIGURES)
