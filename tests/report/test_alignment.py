"""The chapter on boundary alignment, on made-up tables."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from genezip.artifacts.scores import ALIGNMENT_SCORES, SITE_CONTROLS
from genezip.artifacts.tables import write_tsv
from genezip.config import Report
from genezip.evaluation.genes.sites import SITE_KINDS
from genezip.report.chapters.genes import alignment
from genezip.report.results import SITE_PROFILE_COLUMNS, Results, load

SETTINGS = Report(reference="genezip-tiny", control="hnet-tiny")


def row(model: str, kind: str, strand: str, q: float, least: float) -> dict[str, Any]:
    """A row whose differences from all controls have intervals from ``least`` on."""
    controls = {
        f"{name}_{part}": value
        for name in SITE_CONTROLS
        for part, value in (
            ("n", 20), ("value", 1.43), ("difference", least + 0.2), ("difference_low", least),
            ("difference_high", least + 0.4), ("p", 0.2), ("q", 0.3),
        )
    }  # fmt: skip
    return ALIGNMENT_SCORES.row(
        model=model, task="alignment", subset=kind, split="test", strand=strand,
        signal="probability", metric="enrichment", value=1.19, ci_low=1.1, ci_high=1.3, n=20,
        found=20, near=0.3, elsewhere=0.25, p=q / 2, q=q, auroc=0.61, auroc_low=0.55,
        auroc_high=0.66, auprc=0.05, auprc_low=0.03, auprc_high=0.08, auprc_chance=0.021,
        seed=0, scale="demo", source="mirror", **controls,
    )  # fmt: skip


@pytest.fixture
def results(make_results: Callable[..., Path]) -> Results:
    folder = make_results()
    for model in (SETTINGS.reference, SETTINGS.control):
        first = model == SETTINGS.reference
        rows = [
            row(model, "donor", "+", 0.01, -0.5),  # as the prototype: decoys are enriched more
            row(model, "acceptor", "+", 0.01 if first else 0.2, 0.05),
            row(model, "donor", "-", 0.3, 0.1),
            ALIGNMENT_SCORES.row(model=model, subset="kozak", strand="+", n=0, note="no such site"),
        ]
        ALIGNMENT_SCORES.write(folder / "alignment" / f"{model}.seed0.tsv", rows)
        profile = pd.DataFrame(
            [
                (model, 0, kind, "test", "+", name, offset, 0.25, 0.01, 20)
                for kind in ("donor", "acceptor")
                for name in ("sites", *SITE_CONTROLS)
                for offset in range(-3, 4)
            ],
            columns=SITE_PROFILE_COLUMNS,
        )
        write_tsv(folder / "alignment" / f"{model}.seed0.profile.tsv", profile)
    return load(folder, SETTINGS, "demo")


def test_words_are_those_of_the_package() -> None:
    assert {kind.name: kind.title for kind in SITE_KINDS.values()} == alignment.KINDS
    assert tuple(alignment.SETS) == ("sites", *SITE_CONTROLS)


def test_controls_stand_in_the_row_of_the_sites(results: Results) -> None:
    section = alignment.section(results)
    assert section is not None
    (table,) = section.tables
    assert len(table.rows) == 4  # a kind without sites has none
    donor = table.rows[0]
    assert donor[:6] == [
        SETTINGS.reference,
        "0",
        "splice donor",
        "20",
        "1.19 (1.10 to 1.30)",
        "0.01",
    ]
    assert donor[6:8] == ["1.43", "−0.30 (−0.50 to −0.10)"]
    assert donor[-1] == "0.05 (0.03 to 0.08); chance 0.021"
    assert len(table.head) == len(donor)


def test_a_site_counts_only_beyond_its_controls(results: Results) -> None:
    section = alignment.section(results)
    assert section is not None
    first, second = section.text[1:]
    assert first == (
        "Genezip-tiny is enriched beyond shifted boundaries (q < 0.05) at splice donor and splice "
        "acceptor; beyond every control as well at splice acceptor; read against the strand at "
        "none."
    )
    assert "(q < 0.05) at splice donor; beyond every control as well at none" in second


def test_the_figure_has_a_panel_for_each_kind(results: Results) -> None:
    drawing = alignment.alignment(results)
    assert drawing is not None
    assert set(drawing.data["site"]) == {"donor", "acceptor"}
    assert set(drawing.data["set"]) == set(alignment.SETS)
    assert drawing.data["ci_low"].iloc[0] == pytest.approx(0.23)
    assert ">nan<" not in drawing.svg.lower()


def test_other_runs_have_no_such_chapter(make_results: Callable[..., Path]) -> None:
    found = load(make_results(), SETTINGS, "demo")
    assert alignment.section(found) is None and alignment.alignment(found) is None
