"""The chapter on codon phase, and the claims of a language model of genomes, on made-up tables."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from genezip.artifacts.scores import DNA_SCORES, PAPER, TASK_SCORES
from genezip.artifacts.tables import write_tsv
from genezip.config import Report
from genezip.report import claims
from genezip.report.chapters import claims as claims_chapter
from genezip.report.chapters.genes import codon_phase
from genezip.report.page import render
from genezip.report.results import PROFILE_COLUMNS, Results, load
from genezip.report.systems import dnahnet

SETTINGS = Report(reference="genezip-tiny", control="hnet-tiny")
ORGANISMS = (("ecoli", "train"), ("bsubtilis", "test"))
# rate of the first stage at codon positions 1, 2, 3, and of all bases; the second keeps half
RATES = {"ecoli": (0.5, 0.25, 0.25, 0.32), "bsubtilis": (0.34, 0.33, 0.33, 0.36)}
P = {"ecoli": 0.001, "bsubtilis": 0.2}


def codon_rows(model: str) -> list[dict[str, Any]]:
    rows = []
    for organism, split in ORGANISMS:
        common = {
            "model": model, "task": "codon_phase", "subset": organism, "split": split,
            "strand": "+", "seed": 0, "scale": "demo", "source": "genomes", "n": 400,
        }  # fmt: skip
        regions = ("codon_1", "codon_2", "codon_3", "all", "coding", "start_codon")
        for stage, share in ((0, 1.0), (1, None)):
            for region, rate in zip(regions, (*RATES[organism], 0.33, 0.4), strict=True):
                value = rate * share if share else 0.5
                metric = f"boundary_rate_stage{stage}"
                cells = {"ci_low": value - 0.01, "ci_high": value + 0.01, "unit": "genes"}
                rows.append(
                    DNA_SCORES.row(**common, region=region, metric=metric, value=value, **cells)
                )
        for metric in ("period3_amplitude", "phase_lock"):
            for ending, value in (("", 0.4), ("_p", P[organism]), ("_shuffled_dna", 0.1)):
                name = f"{metric}_stage0{ending}"
                rows.append(DNA_SCORES.row(**common, region="coding", metric=name, value=value))
    paper = {"model": "dnaHNet (3,2)", "task": "codon_phase", "subset": "Bacillus subtilis 168"}
    paper |= {"source": PAPER, "scale": "demo", "metric": "boundary_rate_stage0"}
    return [*rows, DNA_SCORES.row(**paper, region="all", value=0.358)]


def difference(other: str, group: str, value: float, spread: float) -> dict[str, Any]:
    return DNA_SCORES.row(
        model=f"genezip-tiny - {other}", task="comparison", subset=group, region="coding",
        split="test", strand="+", metric="bits_per_base_difference", value=value,
        ci_low=value - spread, ci_high=value + spread, n=9, unit="windows", seed=0,
        scale="demo", source="genomes",
    )  # fmt: skip


@pytest.fixture
def results(make_results: Callable[..., Path]) -> Results:
    folder = make_results()
    for model in (SETTINGS.reference, SETTINGS.control):
        DNA_SCORES.write(folder / "codon_phase" / f"{model}.seed0.tsv", codon_rows(model))
        profile = pd.DataFrame(
            [
                (model, organism, split, "+", 0, site, offset, 0.3)
                for organism, split in ORGANISMS
                for site in ("start", "stop")
                for offset in (-3, 0, 3)
            ],
            columns=PROFILE_COLUMNS,
        )
        write_tsv(folder / "codon_phase" / f"{model}.seed0.profile.tsv", profile)
    card = folder / "pretrain" / "genezip-tiny.seed0" / "config.json"
    raw = json.loads(card.read_text())
    raw["target_bpt"] = dict.fromkeys(raw["target_bpt"], 6)
    card.write_text(json.dumps(raw | {"architecture": {"stage_bpt": [3, 2]}}))
    path = folder / "compress" / "comparisons.tsv"
    more = [
        difference("markov5", "seen_organisms", -0.02, 0.01),
        difference("markov5", "unseen_organisms", 0.03, 0.01),
        difference("hnet-tiny", "unseen_organisms", 0.001, 0.01),
    ]
    frame = pd.concat([DNA_SCORES.read(path), DNA_SCORES.frame(more)])
    DNA_SCORES.write(path, frame)
    path = folder / "compress" / "compression.tsv"
    own = [
        DNA_SCORES.row(
            model="genezip-tiny", task="compression", subset=group, region="coding", split="test",
            strand="+", metric="bits_per_base", value=1.9, seed=0, scale="demo", source="genomes",
        )
        for group in ("seen_organisms", "unseen_organisms")
    ]  # fmt: skip
    DNA_SCORES.write(path, pd.concat([DNA_SCORES.read(path), DNA_SCORES.frame(own)]))
    zero_shot = [
        TASK_SCORES.row(
            model="genezip-tiny", task="variants", subset="mean_in_domain", rule="likelihood",
            split="test", metric="spearman", value=0.05, ci_low=-0.02, ci_high=0.1, seed=0,
            scale="demo",
        )
    ]  # fmt: skip
    TASK_SCORES.write(folder / "labels" / "variants.tsv", zero_shot)
    return load(folder, SETTINGS, "demo", labels=["variants"])


def test_the_reading_frame_is_told_by_both_p_values(results: Results) -> None:
    section = codon_phase.section(results)
    assert section is not None
    assert (
        "The first stage of genezip-tiny follows the reading frame of genes in ecoli (trained on) "
        "(both p-values below 0.01); this is not shown in bsubtilis (held out)."
    ) in section.text
    phase, features = section.tables
    first = phase.rows[0]
    assert first[:4] == ["ecoli", "trained on", "first", "0.500 / 0.250 / 0.250"]
    assert "0.400 (p = 0.001)" in first
    paper = features.rows[-1]
    assert paper[2:4] == ["paper", "35.8"]


def test_the_published_rows_are_kept_once(results: Results) -> None:
    frame = results.codon_phase.frame
    assert (frame["source"] == PAPER).sum() == 1


def test_the_figure_holds_every_organism(results: Results) -> None:
    drawing = codon_phase.codon_phase(results)
    assert drawing is not None
    assert {"ecoli, trained on", "bsubtilis, held out"} <= set(
        drawing.data["subset"] + ", " + drawing.data["split"].map(codon_phase.SPLITS)
    )
    assert ">nan<" not in drawing.svg.lower()


def test_claims_have_the_verdicts_of_their_numbers(results: Results) -> None:
    found = {claim.text: claim for claim in dnahnet.evaluate(results)}
    verdicts = [claim.verdict for claim in found.values()]
    stage0, stage1, trained, held_out, *differences = found.values()
    assert stage0.measured[0] is not None and stage1.measured[0] is not None
    # pooled over ecoli alone, the only organism trained on: 1 / 0.32, then 1 / 0.5
    assert stage0.measured[0].value == pytest.approx(1 / 0.32)
    assert stage1.measured[0].value == pytest.approx(2)
    assert [stage0.verdict, stage1.verdict] == ["holds", "holds"]
    assert [trained.verdict, held_out.verdict] == ["holds", "does not hold"]
    assert [one.verdict for one in differences[:2]] == ["holds", "does not hold"]
    # of the control that was compared on organisms never seen alone
    assert [one.verdict for one in differences[2:4]] == ["not computed", "not shown"]
    assert verdicts.count("not computed") == 5  # mixing and essentiality, each twice, too
    assert dnahnet.stage_targets(results) == pytest.approx([3, 2])
    # above 0 by its value, but its interval is not
    assert differences[-1].verdict == "not shown" and not differences[-1].holds
    assert "the interval crosses the threshold" in differences[-1].note


def test_the_page_begins_with_the_verdicts(results: Results) -> None:
    page = render(results, {})
    assert page.index("reads whole genomes base by base") < page.index('id="claims"')
    assert "organisms that it has never seen it predicts bases" in page.split("<section", 1)[0]
    numbers = page.index("is a language model of whole genomes")
    assert page.index('id="claims"') < numbers < page.index("Does not hold: ")
    assert "fewer than a Markov model of order 5" in page
    assert "more than a Markov model of order 5" in page
    assert "not shown to differ from hnet-tiny" in page


def test_other_runs_keep_their_claims(make_results: Callable[..., Path]) -> None:
    results = load(make_results(), SETTINGS, "demo")
    assert not dnahnet.applies(results)
    assert codon_phase.section(results) is None and codon_phase.codon_phase(results) is None
    assert [one.text for one in claims_chapter.evaluate(results)] == [
        one.text for one in claims.evaluate(results)
    ]
