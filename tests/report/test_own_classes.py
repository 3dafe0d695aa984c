"""A page about a run with a region class of the user, and pages of genomes without some class."""

import json
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pandas as pd
import pytest

from genezip.config import Report
from genezip.region_classes import GENE7, RegionClasses, UserClass
from genezip.report import summary
from genezip.report.chapters import FIGURES, corpus, tokens
from genezip.report.chapters.training import wanted_bpt
from genezip.report.drawing import NO_BASE, Drawing
from genezip.report.page import draw, render
from genezip.report.results import Results, load
from genezip.report.style import end_label, key_lines, order_in_words, row_label, text_on

SETTINGS = Report(reference="genezip-tiny", control="hnet-tiny")


@pytest.fixture
def eight(make_results: Callable[..., Path], eight_classes: RegionClasses) -> Results:
    return load(make_results(region_classes=eight_classes), SETTINGS, "demo")


def test_every_figure_and_text_shows_the_class(eight: Results) -> None:
    drawings = draw(eight)
    for name in ("corpus", "steering", "perplexity", "bpt", "locus", "repeats"):
        assert "enhancer" in set(drawings[name].data["region"]), name
        assert "distal enhancer" in drawings[name].svg or name == "repeats", name
        assert "#cc79a7" in drawings[name].svg.lower(), name
    assert "distal enhancer" in drawings["enrichment"].svg
    page = render(eight, drawings)
    assert "non-coding exon > distal enhancer > intron" in page.replace("&gt;", ">")
    assert "the first of promoter, CDS, UTR, exon, distal enhancer, intron, near and" in page
    assert "Enrichment of each user class" in page.replace("&#39;", "'")
    assert "1.70 (1.60 to 1.80)" in page
    assert "In this run genic also means distal enhancer." in page
    assert "distal enhancer is a class of the user, from BED files" in page


def test_the_enlarged_bars_hold_gene_classes_and_own_ones(eight: Results) -> None:
    assert corpus.small_classes(eight.region_classes) == (
        "promoter", "cds", "utr", "exon", "enhancer",
    )  # fmt: skip
    table = corpus.corpus_table(eight)
    held_out = table[table["split"] == "test"].set_index("region")
    assert held_out.loc["enhancer", "bp"] == 60_000
    assert held_out["share"].sum() == pytest.approx(1)


def test_the_verdicts_name_the_class(eight: Results) -> None:
    budget, genic = tokens.budget(eight), tokens.genic(eight)
    assert budget is not None and "distal enhancer 2.29" in budget  # 110 got, 48 asked
    assert genic is not None and "(CDS, UTR, non-coding exons and distal enhancer; 1 is" in genic


def test_a_run_of_the_seven_says_nothing_of_own_classes(
    results: Results, drawings: dict[str, Drawing]
) -> None:
    page = render(results, drawings)
    assert "own region classes" not in page
    assert "In this run genic" not in page


def test_the_order_in_words() -> None:
    def of(before: str) -> str:
        return order_in_words(RegionClasses((UserClass("x", before, "my class", "#000000"),)))

    assert order_in_words(GENE7) == "promoter, CDS, UTR, exon, intron, near and distal intergenic"
    assert of("promoter").startswith("my class, promoter, CDS")
    assert of("nig").endswith("intron, my class, near and distal intergenic")
    assert of("dig").endswith("near intergenic, my class and distal intergenic")


def test_the_key_takes_as_many_lines_as_it_needs() -> None:
    assert key_lines(GENE7, 0.165) == [list(GENE7.names)]
    own = [UserClass(f"own{k}", "cds", "a class with a long name", "#123456") for k in range(5)]
    lines = key_lines(RegionClasses(tuple(own)), 0.165)
    assert all(lines)
    assert len(lines) > 2
    assert tuple(chain(*lines)) == RegionClasses(tuple(own)).priority


def test_long_names_are_broken_and_cut_beside_figures() -> None:
    region_classes = RegionClasses(
        (UserClass("x", "cds", "a class with a rather long name", "#123456"),)
    )
    assert row_label(region_classes, "x") == "a class with a\nrather long name"
    assert end_label(region_classes, "x") == "a class with a rath…"
    assert {end_label(region_classes, name) for name in GENE7.names} == set(GENE7.labels.values())


def test_words_on_a_colour_are_black_only_on_light_ones() -> None:
    black = {name for name, colour in GENE7.colours.items() if text_on(colour) == "black"}
    assert black == {"intron", "utr"}
    assert (text_on("#FFFFFF"), text_on("#000000")) == ("black", "white")


def without(folder: Path, gone: tuple[str, ...], groups: tuple[str, ...] = ()) -> Results:
    """A results folder of DNA that holds no base of some classes."""
    manifest = json.loads((folder / "corpus" / "main" / "manifest.json").read_text())
    for split in manifest["splits"].values():
        split["composition"] |= dict.fromkeys(gone, 0)
    (folder / "corpus" / "main" / "manifest.json").write_text(json.dumps(manifest))
    for name in ("compression", "comparisons", "markov"):
        path = folder / "compress" / f"{name}.tsv"
        table = pd.read_csv(path, sep="\t")
        empty = table["region"].isin((*gone, *groups)) & (table["metric"] != "target_bpt")
        table.loc[empty, ["value", "ci_low", "ci_high"]] = None
        table.to_csv(path, sep="\t", index=False)
    return load(folder, SETTINGS, "demo")


@pytest.mark.filterwarnings("error")
def test_a_genome_without_introns_and_utrs_has_whole_figures(
    make_results: Callable[..., Path],
) -> None:
    """As of E. coli: promoter, CDS, exon and near intergenic alone."""
    results = without(make_results(), ("utr", "intron", "dig"))
    drawings = draw(results)
    # neither labels nor genes were measured
    others = {"labels", "classification", "codon_phase", "alignment", "masked", "scaling"}
    others |= {"essentiality", "variants", "ggrams", "words", "bounds"}
    assert [*drawings] == [name for name in FIGURES if name not in others]
    for drawing in drawings.values():
        assert ">nan<" not in drawing.svg.lower()
    assert drawings["bpt"].svg.count(NO_BASE) == 3
    bars = drawings["bpt"].data
    assert set(bars.loc[bars["metric"] == "target_bpt", "region"]) == {
        "promoter", "cds", "exon", "nig",
    }  # fmt: skip
    text = tokens.budget(results)
    assert text is not None and f"UTR, intron and distal intergenic: {NO_BASE}." in text


@pytest.mark.filterwarnings("error")
def test_dna_without_any_promoter_says_so(make_results: Callable[..., Path]) -> None:
    gone = ("promoter", "cds", "utr", "exon")
    results = without(make_results(), gone, ("genic",))
    (results.folder / "regions" / "gene7.summary.tsv").unlink()
    results = load(results.folder, SETTINGS, "demo")
    drawings = draw(results)
    assert drawings["enrichment"].svg.count(NO_BASE) == 2
    assert "no such base" in drawings["corpus"].svg
    assert "gc_thirds" not in drawings
    assert summary.finding(results).startswith("Held-out DNA of this run has no promoter base")


def test_the_budget_of_a_model_of_other_classes_is_not_guessed() -> None:
    assert wanted_bpt({"cds": 10, "x": 0}, {"cds": 5.0}) == pytest.approx(5)
    assert wanted_bpt({"cds": 10, "x": 10}, {"cds": 5.0}) is None


@pytest.mark.parametrize(
    ("validation", "words"),
    [
        ("paper", "drawn from training segments in the same way"),
        ("strict", "in blocks of the training segments that no training window touches"),
        ("pieces", "on separate segments"),
    ],
)
def test_where_validation_windows_come_from(
    make_results: Callable[..., Path], validation: str, words: str
) -> None:
    folder = make_results()
    path = folder / "corpus" / "main" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["settings"]["validation"] = validation
    manifest["dropped"]["threshold"] = None
    path.write_text(json.dumps(manifest))
    text = corpus.section(load(folder, SETTINGS, "demo")).text
    assert words in text[0]
    assert len(text) == 1  # nothing was dropped
