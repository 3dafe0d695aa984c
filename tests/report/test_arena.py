"""The chapter on the arena: order, verdict, ties, means over seeds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genezip.artifacts.scores import DNA_SCORES, Row
from genezip.config import Report
from genezip.report.chapters.arena import chapter as arena
from genezip.report.results import Results, load

SETTINGS = Report(reference="genezip-tiny", control="hnet-tiny")
COMMON = {"task": "arena", "subset": "n_le_5pct", "split": "test", "strand": "+", "unit": "windows"}
COMMON |= {"n": 9, "blocks": 12, "scale": "demo", "source": "mirror"}
# difference from equal chunks with its interval, rank with its range, ties
SYSTEMS = {
    "bpe-512": (-0.2, -0.4, -0.1, 4, 4, 4, None),
    "genezip-tiny": (1.5, 0.9, 2.1, 1, 1, 2, "tied with gc_cpg"),
    "gc_cpg": (1.4, 1.0, 1.8, 2, 1, 2, "tied with genezip-tiny"),
    "fixed-6": (0.0, -0.1, 0.1, 3, 3, 3, None),
}


def rows_of(name: str, seeds: tuple[int | None, ...]) -> list[Row]:
    difference, low, high, rank, first, last, note = SYSTEMS[name]
    rows = []
    for seed in seeds:
        shift = 0 if seed is None else 5 * seed - 2.5  # no seed is shown in place of the mean
        cells: dict[str, Any] = {**COMMON, "seed": seed}
        for model, metric, region, value in (
            (name, "bpt", "all", 6 + shift),
            (name, "chunk_bp_cv", "all", 0.5),
            (name, "enrichment", "promoter", 2 + shift),
            (f"{name} - fixed_stride", "enrichment_difference", "promoter", difference + shift),
            (f"{name} - random", "enrichment_difference", "promoter", difference),
        ):
            limits = {"ci_low": value + low - difference, "ci_high": value + high - difference}
            rows.append(
                DNA_SCORES.row(
                    model=model, metric=metric, region=region, value=value, **limits, **cells
                )
            )
    place = {"value": rank, "ci_low": first, "ci_high": last, "note": note, "seed": None}
    return [*rows, DNA_SCORES.row(model=name, metric="rank", region="promoter", **place, **COMMON)]


@pytest.fixture
def results(make_results: Callable[..., Path]) -> Results:
    folder = make_results()
    seeds = {"genezip-tiny": (0, 1, None), "gc_cpg": (0, 1, None)}
    rows = [row for name in SYSTEMS for row in rows_of(name, seeds.get(name, (None,)))]
    (folder / "arena").mkdir()
    DNA_SCORES.write(folder / "arena" / "tokens.tsv", rows)
    return load(folder, SETTINGS, "demo")


def test_systems_stand_in_the_order_of_their_ranks(results: Results) -> None:
    section = arena.section(results)
    assert section is not None
    (table,) = section.tables
    assert [row[1] for row in table.rows] == ["genezip-tiny", "gc_cpg", "fixed-6", "bpe-512"]
    assert [row[0] for row in table.rows] == ["1 (1 to 2)", "2 (1 to 2)", "3", "4"]
    assert table.rows[0][5] == "1.50 (0.90 to 2.10)"  # the mean, not a seed
    assert [row[7] for row in table.rows] == ["gc_cpg", "genezip-tiny", "\u2013", "\u2013"]


def test_the_verdict_names_every_system_once(results: Results) -> None:
    section = arena.section(results)
    assert section is not None
    assert section.text[-1] == (
        "genezip-tiny and gc_cpg have more of their tokens in promoters than equal chunks; "
        "bpe-512 has fewer there than equal chunks; fixed-6 cannot be told from equal chunks. "
        "The first rank has genezip-tiny, tied with gc_cpg."
    )


def test_without_an_arena_there_is_no_chapter(make_results: Callable[..., Path]) -> None:
    assert arena.section(load(make_results(), SETTINGS, "demo")) is None
