"""Boundaries after one changed base and on the other strand, with systems known by eye."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toolkit.command_line import succeed
from toolkit.dna import random_dna
from toolkit.genomes import ToyGenome

from genezip.alphabet import C_ID, G_ID, N_ID, reverse_complement
from genezip.artifacts.scores import DNA_SCORES, SHIFTED, Metric
from genezip.config import Stability
from genezip.errors import GenezipError
from genezip.evaluation.stability import (
    OTHER_STRAND,
    SUBSTITUTION,
    draw_sites,
    effect,
    shared,
    spaced_stretches,
    stability_rows,
    starts_of,
)
from genezip.models.base import PlainCompressor, ids_of
from genezip.models.compressed import Compressed, tokens_at
from genezip.models.fixed.compressor import Fixed

SETTINGS = Stability(
    changes=40, window_bp=256, strand_bp=4096, shifts=10, bootstrap=200, block_bp=512
)


class CutAtCG(PlainCompressor):
    """A token begins between C and G, which is the same place on both strands."""

    name = "cut-at-cg"
    causal = True

    def encode(self, sequences: Any) -> list[Compressed]:
        found = []
        for ids in ids_of(sequences):
            begins = np.ones(len(ids), dtype=bool)
            begins[1:] = (ids[:-1] == C_ID) & (ids[1:] == G_ID)
            found.append(tokens_at(len(ids), np.flatnonzero(begins)))
        return found


@pytest.fixture
def genome(toy: ToyGenome) -> ToyGenome:
    """Sixteen windows of 512 bases, half of them promoter, a few intron."""
    rng = np.random.default_rng(0)
    regions = np.repeat([0, 5], 4096)
    regions[100:110] = 4
    toy.tile(toy.add_segment("p", random_dna(8192, rng), regions), 512)
    return toy


def by_region(rows: Sequence[dict[str, Any]], metric: str, subset: str) -> dict[str, Any]:
    return {r["region"]: r for r in rows if (r["metric"], r["subset"]) == (metric, subset)}


def test_sites_change_one_known_base_of_their_class(genome: ToyGenome) -> None:
    sites, bases = draw_sites(genome.reader(), SETTINGS)
    assert bases.tolist() == [4086, 0, 0, 0, 10, 4096, 0]
    counts = np.bincount([site.region for site in sites], minlength=7)
    assert counts.tolist() == [40, 0, 0, 0, 10, 40, 0]  # no more than there are
    dna = genome.dna["p"]
    for site in sites:
        (changed,) = np.flatnonzero(site.before != site.after)
        assert changed == site.position and site.after[changed] != N_ID
        place = site.start + site.position
        assert genome.classes["p"][place] == site.region
        assert len(site.before) == 256 and "NNNACGT"[site.before[changed]] == dna[place]
    again, _ = draw_sites(genome.reader(), SETTINGS)
    assert all(np.array_equal(a.after, b.after) for a, b in zip(sites, again, strict=True))


def test_an_effect_by_hand() -> None:
    # chunks [0, 10) [10, 30) [30, 2000) [2000, 3000); the change at 15 moves 30 to 32 and adds 5
    found = effect(np.array([10, 30, 2000]), np.array([5, 10, 32, 2000]), 3000, 15)
    assert found == {"moved": 1, "reach": 17, "earlier": 1, "changed": 3, "chunks": 3}
    none = effect(np.array([10, 30]), np.array([10, 30]), 100, 50)
    assert none == {"moved": 0, "reach": 0, "earlier": 0, "changed": 0, "chunks": 3}


def test_shared_boundaries_by_hand() -> None:
    found = shared(np.array([10, 20, 40]), np.array([10, 23, 60]), 100)
    assert found == {"both": 1, "either": 5, "close": 2, "forward": 3}


def test_stretches_are_spaced_over_all_windows_and_skip_n(toy: ToyGenome) -> None:
    """Of 16 stretches every fourth is read; one with N is replaced by the next."""
    text = random_dna(4096)
    toy.tile(toy.add_segment("p", "N" * 300 + text[300:], "nig", start=100), 2048)
    windows = list(toy.reader().windows("test"))
    found = list(spaced_stretches(iter(windows), 256, 1024, 4096))
    assert [one.start for one in found] == [100 + 512, 100 + 1024, 100 + 2048, 100 + 3072]
    assert all(one.end - one.start == len(one.ids) == len(one.regions) == 256 for one in found)
    assert b"".join(one.ids.tobytes() for one in found) == b"".join(
        windows[at // 2048].ids[at % 2048 : at % 2048 + 256].tobytes()
        for at in (512, 1024, 2048, 3072)
    )
    assert len(list(spaced_stretches(iter(windows), 256, 10**9, 4096))) == 14


def test_even_tokens_do_not_move(genome: ToyGenome) -> None:
    rows = stability_rows(Fixed(16), genome.reader(), SETTINGS, "test")
    moved = by_region(rows, Metric.MOVED_SHARE, SUBSTITUTION)
    there = {region: row["value"] for region, row in moved.items() if row["n"]}
    assert there == {"all": 0, "promoter": 0, "intron": 0, "nig": 0}
    assert moved["promoter"]["n"] == 40 and moved["all"]["n"] == 90
    assert not [r for r in rows if r["metric"] == Metric.REACH_BP and r["value"] is not None]
    both = by_region(rows, Metric.BOTH_STRANDS, OTHER_STRAND)["all"]
    assert both["value"] == 1  # 256 is a multiple of 16


def test_a_local_rule_moves_what_is_beside_the_change(genome: ToyGenome) -> None:
    reader = genome.reader()
    rows = stability_rows(CutAtCG(), reader, SETTINGS, "test")
    sites, bases = draw_sites(reader, SETTINGS)
    # slowly: count the CG before and after each change by its letters
    moved = []
    for site in sites:
        before, after = (
            {at for at in range(1, len(ids)) if ids[at - 1] == C_ID and ids[at] == G_ID}
            for ids in (site.before, site.after)
        )
        moved.append(before != after)
        assert all(abs(at - site.position) <= 1 for at in before ^ after)
    region = np.array([site.region for site in sites])
    shares = [
        np.mean(np.array(moved)[region == one]) if (region == one).any() else 0 for one in range(7)
    ]
    found = by_region(rows, Metric.MOVED_SHARE, SUBSTITUTION)
    assert found["promoter"]["value"] == pytest.approx(shares[0])
    assert found["all"]["value"] == pytest.approx(np.average(shares, weights=bases))
    reach = by_region(rows, Metric.REACH_BP, SUBSTITUTION)["all"]
    assert 0 <= reach["value"] <= 1 and reach["ci_low"] <= reach["value"] <= reach["ci_high"]
    both = by_region(rows, Metric.BOTH_STRANDS, OTHER_STRAND)["all"]
    assert both["value"] == 1
    chance = by_region(rows, f"{Metric.BOTH_STRANDS}{SHIFTED}", OTHER_STRAND)["all"]
    assert chance["value"] < 0.2 and chance["n"] == 10
    ids = sites[0].before
    (forward,), (reverse,) = (starts_of(CutAtCG(), [one]) for one in (ids, reverse_complement(ids)))
    assert np.array_equal(np.sort(len(ids) - reverse), forward)


def test_wrong_input(genome: ToyGenome, toy: ToyGenome) -> None:
    class Short(CutAtCG):
        max_bp = 100

    with pytest.raises(GenezipError, match=r"at most 100 bases at once.*stability\.window_bp"):
        stability_rows(Short(), genome.reader(), SETTINGS, "test")
    genome.tiles.clear()
    with pytest.raises(GenezipError, match="has no held-out window"):
        draw_sites(genome.reader(), SETTINGS)


def test_the_command(genome: ToyGenome, tmp_path: Path) -> None:
    reader, out = genome.reader(), tmp_path / "stability.tsv"
    settings = SETTINGS.as_json()
    succeed(
        "evaluate", "stability", "--model", "fixed:8", "--corpus", reader.path,
        "--settings", settings, "--scale", "test", "--out", out,
    )  # fmt: skip
    found = DNA_SCORES.read(out)
    assert set(found["task"]) == {"stability"} and set(found["model"]) == {"fixed-8"}
