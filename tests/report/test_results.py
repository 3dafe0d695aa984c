"""Loading result files, with one sentence for each that is missing or damaged."""

from collections.abc import Callable
from pathlib import Path

import pytest

from genezip.config import Report
from genezip.errors import GenezipError
from genezip.report.chapters.prediction.next_base import perplexity_section
from genezip.report.results import Results, load

SETTINGS = Report(reference="genezip-tiny", control="hnet-tiny")


def test_everything_is_loaded(make_results: Callable[..., Path]) -> None:
    results = load(make_results(seeds=(0, 1)), SETTINGS, "demo")
    assert results.models[:2] == ["genezip-tiny", "hnet-tiny"]
    assert results.seeds("genezip-tiny") == [0, 1]
    assert results.seeds("gc_cpg") == []
    assert results.subset == "n_le_5pct"
    assert results.strand == "+"  # the trivial routers know the forward strand only
    assert [(c.model, c.seed) for c in results.curves][:2] == [
        ("genezip-tiny", 0),
        ("genezip-tiny", 1),
    ]
    assert len(results.curves[0].steps) == 60  # the half-written last line is left out
    assert len(results.curves[0].valid) == 4
    assert set(results.benchmarks["stage"]) == {"fetch", "pretrain/genezip-tiny.seed0"}


def test_numbers_come_with_their_interval(results: Results) -> None:
    number = results.number("enrichment", "genezip-tiny", region="promoter")
    assert number is not None
    assert (number.value, number.n, number.unit) == (2.9, 157, "windows")
    assert number.low == pytest.approx(2.726)
    ratio = results.compared("enrichment_ratio", "genezip-tiny / hnet-tiny")
    assert ratio is not None and ratio.value == 2.76
    markov = results.markov_ppl(4)
    assert markov is not None and markov.value == 3.764
    assert results.markov_ppl(99) is None


def test_another_bound_is_a_number_of_the_model_and_no_model(results: Results) -> None:
    """Perplexity under both bounds stands in one row of the page."""
    assert all("causal" not in name for name in results.models)
    number = results.causal("ppl", "genezip-tiny")
    assert number is not None and number.value == pytest.approx(3.697)
    table = perplexity_section(results).tables[0]
    row = table.rows[0]
    assert str(row[1]).startswith("3.690") and str(row[4]).startswith("3.697")
    assert table.rows[-1][4] == "–"  # a Markov model has no bound


@pytest.mark.parametrize(
    "name", ["corpus/main/manifest.json", "compress/compression.tsv", "compress/comparisons.tsv"]
)
def test_a_missing_file_is_named(make_results: Callable[..., Path], name: str) -> None:
    folder = make_results()
    (folder / name).unlink()
    with pytest.raises(GenezipError, match=f"{Path(name).name} does not exist"):
        load(folder, SETTINGS, "demo")


def test_a_file_without_its_columns_is_named(make_results: Callable[..., Path]) -> None:
    folder = make_results()
    (folder / "compress" / "markov.tsv").write_text("model\tvalue\nmarkov0\t4\n")
    with pytest.raises(GenezipError, match=r"markov\.tsv lacks the columns"):
        load(folder, SETTINGS, "demo")


def test_damaged_json_is_named(make_results: Callable[..., Path]) -> None:
    folder = make_results()
    (folder / "corpus" / "main" / "manifest.json").write_text("{")
    with pytest.raises(GenezipError, match=r"manifest\.json is not valid JSON"):
        load(folder, SETTINGS, "demo")


def test_unknown_reference(make_results: Callable[..., Path]) -> None:
    with pytest.raises(GenezipError, match="no results of other"):
        load(make_results(), Report(reference="other", control="hnet-tiny"), "demo")
