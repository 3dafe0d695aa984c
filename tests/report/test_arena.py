"""The chapter on the arena: order, verdict, ties, means over seeds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genezip.artifacts.scores import DNA_SCORES, TASK_SCORES, Row
from genezip.config import Report
from genezip.report.chapters import claims
from genezip.report.chapters.arena import chapter as arena
from genezip.report.chapters.arena import tokens
from genezip.report.results import Results, load
from genezip.report.systems import arena as systems

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


# --- everything that is measured of a system


def row(
    model: str, metric: str, value: float | None, low: float = 0, high: float = 0, **cells: Any
):
    limits = {"ci_low": low, "ci_high": high} if (low, high) != (0, 0) else {}
    whole = {**COMMON, "seed": 0, "region": "all", **limits, **cells}
    return DNA_SCORES.row(model=model, metric=metric, value=value, **whole)


def probe(
    model: str, subset: str, metric: str, value: float, low: float, high: float, **cells: Any
):
    whole = {"task": "classification", "rule": "unseen", "split": "test", "mode": "frozen"}
    whole |= {"input": "full", "n": 100, "unit": "families", "units": 90, "seed": 0, **cells}
    limits = {"ci_low": low, "ci_high": high, "scale": "demo", "origin": "measured"}
    return TASK_SCORES.row(
        model=model, subset=subset, metric=metric, value=value, **limits, **whole
    )


@pytest.fixture
def whole(make_results: Callable[..., Path]) -> Results:
    """An arena in which learned places win bits, and lose one set of probes."""
    folder = make_results()
    names = ("genezip-tiny", "gc_cpg", "fixed-6", "bpe-512")
    rows = [row for name in names for row in rows_of(name, (0,))]
    arena_folder = folder / "arena"
    for name in ("recall", "cost", "token_ids", "probes", "elsewhere/moon"):
        (arena_folder / name).mkdir(parents=True)
    write = DNA_SCORES.write
    write(arena_folder / "tokens.tsv", rows)
    bits = [
        row("genezip-tiny", "bits_per_base", 1.9, 1.8, 2.0),
        row("mixing", "bits_per_base", 1.6, 1.5, 1.7, seed=None),
        row("genezip-tiny - mixing", "bits_per_base_difference", 0.3, 0.2, 0.4),
        row("genezip-tiny - fixed-6", "bits_per_base_difference", -0.02, -0.03, -0.01),
    ]
    write(arena_folder / "bits.tsv", bits)
    write(arena_folder / "elsewhere" / "moon" / "tokens.tsv", rows)
    write(arena_folder / "elsewhere" / "moon" / "bits.tsv", bits)
    copies = {"subset": "copy_at_1024", "unit": "copies"}
    far = {**copies, "subset": "copy_at_65536"}
    write(
        arena_folder / "recall" / "genezip-tiny.seed0.tsv",
        [
            row("genezip-tiny", "copy_recall", 0.125, 0.1, 0.15, **copies),
            row("genezip-tiny", "copy_recall", 0.0, -0.01, 0.01, **far),
            row("genezip-tiny", "copy_cuts_share", 0.5, 0.4, 0.6, **copies),
        ],
    )
    write(
        arena_folder / "recall" / "mixing.tsv",
        [row("mixing", "copy_recall", 0.8, 0.7, 0.9, **one) for one in (copies, far)],
    )
    everything = {"subset": "all", "blocks": None}
    for name in ("genezip-tiny", "fixed-6"):
        cost = [
            row(name, "bases_per_second", 250_000, **everything),
            row(name, "peak_bytes", 7e7, **everything),
        ]
        if name == "genezip-tiny":
            cost.append(row(name, "training_bases", 7.5e6, **everything))
            cost.append(row(name, "trained_on", None, note="GRCh38", **everything))
        write(arena_folder / "cost" / f"{name}.seed0.tsv", cost)
    write(
        arena_folder / "token_ids" / "fixed-6.seed0.tsv",
        [
            row("fixed-6", "vocabulary", 4097, **everything),
            row("fixed-6", "unused_id_share", 0.25, **everything),
            row("fixed-6", "token_entropy", 11.5, 11.4, 11.6, **everything),
            row("fixed-6", "token_bits_per_base", 1.91, 1.9, 1.92, **everything),
        ],
    )
    TASK_SCORES.write(
        arena_folder / "probes" / "classification.bpe-512.tsv",
        [
            probe("fixed-6", "tf_2", "mcc_minus_control", 0.3, 0.2, 0.4),
            probe("fixed-6", "tf_3", "mcc_minus_control", 0.1, -0.05, 0.25),
            probe("fixed-6", "tf_3", "mcc_minus_control", 0.9, 0.8, 1.0, rule="official"),
        ],
    )
    runs = [f"{name}.seed0" for name in ("genezip-tiny", "hnet-tiny", "fixed-6", "bpe-512")]
    return load(folder, SETTINGS, "demo", runs=runs)


def table_of(results: Results, title: str) -> dict[str, list[Any]]:
    section = arena.section(results)
    assert section is not None
    (found,) = [table for table in section.tables if table.title == title]
    assert all(len(one) == len(found.head) for one in found.rows)
    return {str(one[1] if found.head[0] == "rank" else one[0]): one for one in found.rows}


def test_a_whole_arena_has_a_table_of_every_kind(whole: Results) -> None:
    bits = table_of(whole, "Prediction of held-out bases")
    assert bits["genezip-tiny"][1:3] == ["1.900 (1.800 to 2.000)", "0.300 (0.200 to 0.400)"]
    assert bits["genezip-tiny"][5] == "fixed-6: −0.020 (−0.030 to −0.010)"
    assert bits["mixing"][1] == "1.600 (1.500 to 1.700)" and "fixed-6" not in bits
    recall = table_of(whole, "Recall of a copy of 256 bases")
    assert recall["genezip-tiny"][1:3] == ["12.5 % (10.0 % to 15.0 %)", "0.0 % (−1.0 % to 1.0 %)"]
    cost = table_of(whole, "What a system costs")
    assert cost["genezip-tiny"][1:3] == ["GRCh38", "7.50"] and cost["fixed-6"][1] == "–"
    assert cost["genezip-tiny"][6:] == ["250", "70.0"]
    ids = table_of(whole, "Use of token ids")
    assert list(ids) == ["fixed-6"] and ids["fixed-6"][1:3] == ["4,097", "25.0 %"]
    moon = table_of(whole, "Elsewhere: moon")
    assert list(moon) == ["genezip-tiny", "gc_cpg", "fixed-6", "bpe-512"]
    assert moon["genezip-tiny"][6] == "0.300 (0.200 to 0.400)"


def test_claims_are_of_pairs_and_need_their_whole_interval(whole: Results) -> None:
    assert claims.other_system(whole) is systems
    found = {pair.claim.text: pair.claim for pair in systems.pairs(whole)}
    fewer, better = found.values()
    assert fewer.text.startswith("genezip-tiny needs fewer bits per base than fixed-6")
    assert fewer.verdict == "holds"
    # the smallest difference of all sets, under the scheme that leaks least
    assert better.text.startswith("Frozen probes on fixed-6 beat those on bpe-512 on every set")
    assert (better.verdict, better.detail) == ("not shown", ["classification: tf_3"])
    assert better.measured[0] is not None and better.measured[0].value == 0.1
    assert systems.kind(whole, "fixed-6") == systems.LETTERS
    assert systems.what(whole, "fixed-6", "bpe-512") == "6-mers against byte-pair encoding"
    assert "0 of 1 for 6-mers against byte-pair encoding" in systems.plain(whole)
    assert "genezip-tiny with 1.900; context mixing, which has no network, needs 1.600" in (
        systems.finding(whole)
    )


def test_the_text_tells_what_places_taught(whole: Results) -> None:
    section = arena.section(whole)
    assert section is not None
    assert (
        "6-mers against byte-pair encoding, differences: probes 0.100 (fixed-6 - bpe-512) to 0.300 "
        "(fixed-6 - bpe-512)."
    ) in section.text


def test_many_ties_are_counted(whole: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    title = "Systems beside controls with as many tokens"
    assert table_of(whole, title)["gc_cpg"][7] == "genezip-tiny"
    monkeypatch.setattr(tokens, "MOST_NAMED", 0)
    assert table_of(whole, title)["gc_cpg"][7] == "1 systems"


def test_the_text_tells_of_copies(whole: Results) -> None:
    section = arena.section(whole)
    assert section is not None
    assert section.text[-1] == (
        "Of 256 bases that stand 1,024 bp earlier in the same sequence, the network that recalls "
        "most, genezip-tiny, saves 12.5 % of the bits, and a model that looks repeats up 80.0 % "
        "(80.0 % at 65,536 bp)."
    )
