"""What held-out DNA shares with training DNA, by hand, word by word, and on real DNA."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toolkit.dna import random_dna, reverse_complement
from toolkit.genomes import write_assembly

from genezip import log
from genezip.config import Corpus, Genome
from genezip.corpus.homology import (
    HOMOLOGY_COLUMNS,
    filter_homologous,
    homology_by_chrom,
    write_tables,
)
from genezip.corpus.sampling import tile
from genezip.genome.assembly import Assembly
from genezip.genome.sources.fetch import fetch
from genezip.genome.sources.source import Source


def words(text: str, k: int) -> list[str]:
    found = []
    for start in range(len(text) - k + 1):
        word = text[start : start + k].upper()
        if set(word) <= set("ACGT"):
            found.append(min(word, reverse_complement(word)))
    return found


def row(table: pd.DataFrame, chrom: str, counting: str) -> list[float]:
    own = table[(table["chrom"] == chrom) & (table["counting"] == counting)]
    return own[["kmers", "shared", "share"]].iloc[0].tolist()


def test_shares_by_eye(tmp_path: Path) -> None:
    # Training 3-mers: AAA AAA AAT | CCC (= GGG).
    # a: AAA AAA AAC | GGG; b: CAT (= ATG) ATT (= AAT) TTT (= AAA); c: no k-mer without N.
    segments = [
        ("t", 0, "train", "AAAAT"),
        ("t", 10, "train", "NNCCCN"),
        ("v", 0, "valid", "GATC"),
        ("a", 0, "test", "aaaac"),
        ("a", 10, "test", "GGNGGG"),
        ("b", 5, "test", "CATTT"),
        ("c", 0, "test", "ACNACN"),
    ]
    settings = Corpus(homology_k=3, homology_sample=1)
    table = homology_by_chrom(write_assembly(tmp_path, segments), settings)
    assert tuple(table.columns) == HOMOLOGY_COLUMNS
    assert row(table, "a", "positions") == [4, 3, 0.75]
    assert row(table, "a", "distinct") == pytest.approx([3, 2, 2 / 3])
    assert row(table, "b", "positions") == pytest.approx([3, 2, 2 / 3])
    assert row(table, "b", "distinct") == pytest.approx([3, 2, 2 / 3])
    assert row(table, "c", "positions")[:2] == [0, 0]
    assert np.isnan(row(table, "c", "positions")[2])
    # Together: AAA twice on a and once on b, AAC, GGG, CAT, AAT.
    assert row(table, "all", "positions") == pytest.approx([7, 5, 5 / 7])
    assert row(table, "all", "distinct") == pytest.approx([5, 3, 3 / 5])


def test_shares_equal_sets_of_words(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)

    def dna(bp: int) -> str:
        return random_dna(bp, rng, "ACGTN", [0.24] * 4 + [0.04])

    copied = dna(400)
    segments = [
        ("t", 0, "train", dna(500) + copied + dna(300)),
        ("x", 7, "test", dna(200) + reverse_complement(copied)),
        ("y", 0, "test", dna(300) + copied[:100] * 2),
    ]
    assembly = write_assembly(tmp_path, segments)
    table = homology_by_chrom(assembly, Corpus(homology_k=9, homology_sample=1))
    training = set(words(segments[0][3], 9))
    for chrom, _, _, text in segments[1:]:
        mine = words(text, 9)
        assert row(table, chrom, "positions")[:2] == [len(mine), sum(w in training for w in mine)]
        assert row(table, chrom, "distinct")[:2] == [len(set(mine)), len(set(mine) & training)]


def test_a_sample_estimates_the_exact_share(tmp_path: Path) -> None:
    """Distinct k-mers are a random tenth, so the share is off by a few standard errors at most."""
    rng = np.random.default_rng(4)
    text = [random_dna(30_000, rng) for _ in range(2)]
    segments = [("t", 0, "train", text[0]), ("x", 0, "test", text[0][:15_000] + text[1])]
    assembly = write_assembly(tmp_path, segments)
    exact, sampled = (
        homology_by_chrom(assembly, Corpus(homology_sample=sample)) for sample in (1, 10)
    )
    kmers, _, share = row(exact, "all", "distinct")
    few, _, estimate = row(sampled, "all", "distinct")
    assert sampled["sample"].eq(10).all()
    assert few == pytest.approx(kmers / 10, rel=0.1)
    assert abs(estimate - share) < 4 * np.sqrt(share * (1 - share) / few)
    again = homology_by_chrom(assembly, Corpus(homology_sample=10))
    pd.testing.assert_frame_equal(sampled, again)


def test_progress_ends_with_the_last_base(
    tmp_path: Path, messages: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "LINE_SECONDS", -1.0)
    segments = [("t", 0, "train", "ACGTA"), ("x", 0, "test", "AC"), ("y", 0, "test", "AAACCC")]
    homology_by_chrom(write_assembly(tmp_path, segments), Corpus(homology_k=3, homology_sample=1))
    assert messages() == [
        "3-mers of the held-out segments: 2 of 8 bp (25 %)",  # x has no 3-mer
        "3-mers of the held-out segments: 6 of 8 bp (75 %)",
        "3-mers of the training segments: 3 of 5 bp (60 %)",
    ]


def test_without_k_there_is_no_report(tmp_path: Path) -> None:
    assembly = write_assembly(tmp_path, [("t", 0, "train", "ACGT"), ("x", 0, "test", "ACGT")])
    table = homology_by_chrom(assembly, Corpus(homology_k=None))
    assert table.empty
    assert tuple(table.columns) == HOMOLOGY_COLUMNS


@pytest.mark.parametrize("off", [{"homology_k": None}, {"homology_max_shared": None}])
def test_without_the_filter_nothing_is_dropped(tmp_path: Path, off: dict[str, None]) -> None:
    segments = [("t", 0, "train", "ACGTTGCA" * 8), ("x", 0, "test", "ACGTTGCA" * 8)]
    assembly = write_assembly(tmp_path, segments)
    windows = tile(assembly.segments_of("test")[0], 32)
    settings = Corpus.model_validate({"homology_k": 5, "homology_max_shared": 0.1} | off)
    kept, table = filter_homologous(windows, assembly, settings)
    assert kept == windows
    assert table["dropped"].tolist() == [False, False]
    entries = write_tables(tmp_path, table, settings)
    assert [(entry["path"], entry["rows"]) for entry in entries] == [("dropped.tsv", 0)]
    assert not (tmp_path / "heldout_homology.tsv").exists()


@pytest.fixture(scope="module")
def demo(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    folder = tmp_path_factory.mktemp("demo")
    fetch(Genome(sources=["mirror"], selection="demo"), folder, mirror=mirror)
    return Source.load(folder / "source.json").assembly()


@pytest.mark.slow
def test_real_heldout_windows_that_leak(demo: Assembly) -> None:
    """13 of 157 held-out windows share more than 10 % of their 31-mers with training DNA.

    Most lie near the tip of chr9, whose copies sit at other chromosome ends.
    """
    windows = [window for segment in demo.segments_of("test") for window in tile(segment, 12_800)]
    settings = Corpus(homology_k=31, homology_max_shared=0.1)
    kept, table = filter_homologous(windows, demo, settings)
    assert len(table) == 157
    assert int(table["dropped"].sum()) == 157 - len(kept) == 13
    worst = table.loc[table["shared_fraction"].idxmax()]
    assert (worst["chrom"], worst["start"]) == ("chr9", 138_000)
    assert round(worst["shared_fraction"], 3) == 0.354


@pytest.mark.slow
def test_real_report_agrees_with_the_filter(demo: Assembly) -> None:
    """The exact report counts the same k-mers as the windows, laid over whole segments."""
    report = homology_by_chrom(demo, Corpus(homology_sample=1))
    segments = demo.segments_of("test")
    whole = [window for segment in segments for window in tile(segment, segment.length)]
    _, table = filter_homologous(whole, demo, Corpus(homology_max_shared=1))
    shared = (table["kmers"] * table["shared_fraction"]).groupby(table["chrom"]).sum().round()
    kmers = table["kmers"].groupby(table["chrom"]).sum()
    for chrom in kmers.index:
        assert row(report, chrom, "positions")[:2] == [kmers[chrom], shared[chrom]]
