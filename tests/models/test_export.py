"""A network exported for others: weights, bound, and a card with the numbers of the tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from toolkit.networks import save_toy, small_network

from genezip import load
from genezip.artifacts.files import sha256_file
from genezip.artifacts.tables import write_tsv
from genezip.errors import GenezipError
from genezip.models.export import Origin, export_model

FACTS = {
    "settings": {"steps": 1200, "batch": 2, "precision": "fp32"},
    "windows": {"train": 4096, "window_bp": 4096},
    "versions": {"genezip": "0.1.0", "torch": "2.13.0"},
    "seconds": 600.0,
    "source": "mirror",
    "corpus_sha256": "c" * 64,
}
FILES = [
    {
        "path": name,
        "origin": "genome.fa.gz",
        "release": "GRCh38",
        "licence": "public",
        "sha256": sha,
    }
    for name, sha in (("pieces.fa", "a" * 64), ("pieces.fa.fai", "b" * 64))
]
ORIGIN = Origin(FILES, "make toy", "Apache-2.0")


def row(model: str, metric: str, value: float, region: str = "all", **other: object) -> dict:
    given = {"model": model, "metric": metric, "value": value, "region": region}
    interval = {"ci_low": value - 0.01, "ci_high": value + 0.01}
    return {**given, **interval, "strand": "+", "subset": "all", "n": 144, **other}


def scores(name: str = "toy (causal bound)", against_mixing: float = 0.1) -> list[dict]:
    """Rows of which the card reads each; some are not for it."""
    return [
        row(name, "ppl", 3.5),
        row(name, "ppl", 9.9, strand="both"),
        row(name, "ppl", 8.8, subset="n_le_5pct"),
        row(name, "bits_per_base", 1.8),
        row(name, "bpt", 160.04),
        row(name, "enrichment", 2.5, "promoter"),
        row(name, "enrichment", 1.2, "genic"),
        row("gc_cpg", "enrichment", 3.2, "promoter"),
        row("markov", "best_order", 11),
        row("markov11", "bits_per_base", 1.79),
        row("mixing", "bits_per_base", 1.7),
        row(f"{name} + mixing", "bits_per_base", 1.69),
        row("toy - mixing", "bits_per_base_difference", against_mixing),
        row("toy - tiny", "ppl_difference", -0.05),
    ]


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return save_toy(tmp_path / "toy.seed0", small_network(1), 1, facts=FACTS)


def results(folder: Path, rows: list[dict]) -> Path:
    """The three tables; each row stands in one of them."""
    frame = pd.DataFrame(rows)
    counted = frame.model.str.match("markov|mixing$")
    paired = frame.model.str.contains(" - ")
    parts = {
        "compression": ~(counted | paired),
        "comparisons": paired,
        "markov": counted,
    }
    for name, chosen in parts.items():
        write_tsv(folder / f"{name}.tsv", frame[chosen])
    return folder


def test_the_card_has_the_numbers_of_the_tables(toy: Path, tmp_path: Path) -> None:
    tables = results(tmp_path / "compress", scores())
    export_model(toy, tmp_path / "out", tables, ORIGIN, ["tiny"], "causal")
    text = (tmp_path / "out" / "README.md").read_text()
    assert "| perplexity | 3.500 (3.490 to 3.510) |" in text
    assert "| bits per base of a Markov model of order 11 | 1.790" in text
    assert "| bits per base of both mixed | 1.690" in text
    assert "| token enrichment in promoters | 2.50" in text
    assert "of a rule of GC and CpG content | 3.20" in text
    assert "minus that of tiny, window by window | -0.0500 (-0.0600 to -0.0400) |" in text
    assert "predicts bases better, by 0.100 bits per base" in text
    assert "10 minutes on a CPU" in text
    assert "make toy" in text
    assert sha256_file(tmp_path / "out" / "model.safetensors") in text
    assert "a" * 64 in text
    assert "b" * 64 not in text  # an index of the first file
    assert yaml.safe_load(text.split("---\n")[1])["license"] == "Apache-2.0"


@pytest.mark.parametrize(
    ("difference", "said"),
    [(-0.1, "It predicts bases better than a context-mixing model"), (0.001, "as well")],
)
def test_what_is_said_of_the_counting_model(
    toy: Path, tmp_path: Path, difference: float, said: str
) -> None:
    tables = results(tmp_path / "compress", scores(against_mixing=difference))
    export_model(toy, tmp_path / "out", tables, ORIGIN, [], "causal")
    assert said in (tmp_path / "out" / "README.md").read_text()


def test_the_exported_model_streams_with_the_same_weights(toy: Path, tmp_path: Path) -> None:
    tables = results(tmp_path / "compress", scores())
    export_model(toy, tmp_path / "out", tables, ORIGIN, [], "causal")
    model, before = load(tmp_path / "out"), load(toy, bound="causal")
    assert model.streams
    dna = ["ACGTTGCAAC" * 40]
    np.testing.assert_array_equal(
        model.log_likelihood(dna)[0].log_prob, before.log_likelihood(dna)[0].log_prob
    )
    assert model.facts["own_bound"] == "causal"


def test_an_export_replaces_an_earlier_one_only(toy: Path, tmp_path: Path) -> None:
    tables = results(tmp_path / "compress", scores("toy"))
    for _ in range(2):
        export_model(toy, tmp_path / "out", tables, ORIGIN)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(GenezipError, match=r"notes\.txt"):
        export_model(toy, tmp_path / "out", tables, ORIGIN)
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_tables_without_the_model(toy: Path, tmp_path: Path) -> None:
    tables = results(tmp_path / "compress", scores("other"))
    with pytest.raises(GenezipError, match=r"have 0 rows of toy \(causal bound\), ppl, all; make"):
        export_model(toy, tmp_path / "out", tables, ORIGIN, [], "causal")
    assert not (tmp_path / "out").exists()
