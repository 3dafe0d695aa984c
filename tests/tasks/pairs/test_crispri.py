"""CRISPRi pairs: reading, and whole measurements with made-up screens."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score
from toolkit.crafted import Crafted
from toolkit.labels import LabelRun, Segments, segment
from toolkit.slow_bootstrap import slow_interval

from genezip.config.tasks import Labels
from genezip.errors import GenezipError
from genezip.tasks.label_files import LABELS
from genezip.tasks.pairs import crispri
from genezip.tasks.pairs.scores import MATCHED, distance_strata, with_both
from genezip.tasks.predictions import PredictionFile

SETTINGS = Labels(tasks=["enhancer_gene"], bootstrap=60)


def screen(path: Path, regulated: str = "TRUE", **columns: list[object]) -> Path:
    table = pd.DataFrame(
        {
            "chrom": ["chr1"], "chromStart": [100], "chromEnd": [200], "chrTSS": ["chr1"],
            "startTSS": [1150], "endTSS": [1151], "measuredGeneEnsemblId": [None],
            "measuredGeneSymbol": ["ABC"], "CellType": ["K562"], "Regulated": [regulated],
        }
    )  # fmt: skip
    table.assign(**columns).to_csv(path, sep="\t", index=False)
    return path


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"startTSS": [None]}, "no whole startTSS"),
        ({"chromStart": ["1e3"]}, "no whole chromStart"),
        ({"chromEnd": [-1]}, "no whole chromEnd"),
        ({"chromEnd": [99]}, "ends before it starts"),
        ({"chrom": [None]}, "no chromosome"),
        ({"chrTSS": ["chr9"]}, "its TSS on another chromosome"),
        ({"measuredGeneSymbol": [None]}, "no gene"),
        ({"CellType": [None]}, "no cell type"),
    ],
)
def test_a_wrong_pair_is_told_with_file_and_line(tmp_path, columns, told):
    good, wrong = screen(tmp_path / "a.tsv"), screen(tmp_path / "b.tsv", **columns)
    with pytest.raises(GenezipError, match=rf"line 2 of .*b\.tsv has .*{told}"):
        crispri.read_screens(good, wrong)


def test_distance_runs_from_the_middle_of_the_element_to_the_tss(tmp_path):
    found = crispri.read_screens(screen(tmp_path / "a.tsv"), screen(tmp_path / "b.tsv", "FALSE"))
    assert found["distance"].tolist() == [1000, 1000]
    assert found["label"].tolist() == [1, 0]
    assert found["split"].tolist() == ["train", "test"]
    assert found["gene"].tolist() == ["ABC", "ABC"]


def test_a_pair_is_inside_only_if_one_segment_holds_element_and_tss(tmp_path):
    pairs = crispri.read_screens(screen(tmp_path / "a.tsv"), screen(tmp_path / "b.tsv"))
    whole, short = segment("chr1", 100, 1151), segment("chr1", 100, 1150)
    assert crispri.inside_segments(pairs, Segments(short)).tolist() == [False, False]
    assert crispri.inside_segments(pairs, Segments(whole)).tolist() == [True, True]


def test_the_real_screens_have_the_published_numbers_of_pairs(mirror):
    files = LABELS["enhancer_gene"].files
    train, test = (mirror / files[f"screen.{split}.tsv.gz"].origin for split in ("train", "test"))
    found = crispri.read_screens(train, test).groupby("split")["label"].agg(["size", "sum"])
    assert found.loc["train"].tolist() == [10_356, 471]
    assert found.loc["test"].tolist() == [4_378, 190]


def screens(folder: Path, seed: int = 0) -> pd.DataFrame:
    """Two screens of made-up pairs, nearer ones more often regulated; the pairs of both."""
    random = np.random.default_rng(seed)
    parts = []
    for name, types, n in (("train", ["K562"], 90), ("test", ["Jurkat", "K562"], 140)):
        tss = 10 ** random.uniform(3, 4, n)
        regulated = random.random(n) < 0.6 - 0.15 * (np.log10(tss) - 3) * 2
        table = pd.DataFrame(
            {
                "chrom": "chr1",
                "chromStart": 100,
                "chromEnd": 200,
                "chrTSS": "chr1",
                "startTSS": 150 + tss.astype(int),
                "endTSS": 151 + tss.astype(int),
                "measuredGeneEnsemblId": [f"g{k}" for k in random.integers(0, 12, n)],
                "measuredGeneSymbol": "ABC",
                "CellType": random.choice(types, n),
                "Regulated": np.where(regulated, "TRUE", "FALSE"),
            }
        )
        table.to_csv(folder / f"screen.{name}.tsv.gz", sep="\t", index=False)
        parts.append(folder / f"screen.{name}.tsv.gz")
    return crispri.read_screens(*parts)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run with made-up screens, whose genome has every TSS up to base 3,000."""
    found = LabelRun(tmp_path, monkeypatch)
    found.use(Segments(segment("chr1", 0, 3_000)))
    return found


def cells(table: pd.DataFrame, model: str, subset: str, split: str, metric: str) -> pd.Series:
    names = {"model": model, "subset": subset, "split": split, "metric": metric}
    (place,) = np.flatnonzero((table[list(names)] == list(names.values())).all(axis=1))
    return table.iloc[place]


def test_distance_is_scored_together_by_cell_type_and_on_the_training_screen(run, tmp_path):
    pairs = screens(tmp_path)
    table = run.measure("enhancer_gene", SETTINGS)
    tested = pairs[pairs["split"] == "test"]
    parts = {
        ("all", "test"): tested,
        ("Jurkat", "test"): tested[tested["cell_type"] == "Jurkat"],
        ("K562", "test"): tested[tested["cell_type"] == "K562"],
        ("all", "train"): pairs[pairs["split"] == "train"],
    }
    order = table[["subset", "split"]].drop_duplicates().itertuples(index=False)
    assert [tuple(row) for row in order] == list(parts)
    for (subset, split), own in parts.items():
        label, score = own["label"].to_numpy(), -own["distance"].to_numpy()
        ranked = cells(table, "distance", subset, split, "auroc")
        assert ranked["value"] == pytest.approx(roc_auc_score(label, score), abs=1e-6)
        precise = cells(table, "distance", subset, split, "auprc")
        assert precise["value"] == pytest.approx(average_precision_score(label, score), abs=1e-6)
        assert (ranked["n"], ranked["positives"]) == (len(own), label.sum())
        assert cells(table, "class_prior", subset, split, "auroc")["value"] == 0.5
    (prior,) = (
        PredictionFile.open(run.predictions)
        .frame()
        .query("model == 'class_prior'")["prediction"]
        .unique()
    )
    assert prior == parts["all", "train"]["label"].mean()


def test_without_distance_a_pair_meets_only_pairs_as_far(run, tmp_path):
    """Against loops over pairs of pairs, with intervals by gene; the new rows come last."""
    pairs = screens(tmp_path)
    table = run.measure("enhancer_gene", SETTINGS)
    own = pairs[pairs["split"] == "test"]
    label, distance = own["label"].to_numpy(), own["distance"].to_numpy()
    step = np.floor(10 * np.log10(distance))

    def slow(rows: np.ndarray) -> float:
        won = []
        for one in rows[label[rows] == 1]:
            for other in rows[(label[rows] == 0) & (step[rows] == step[one])]:
                won.append(
                    (distance[one] < distance[other]) + (distance[one] == distance[other]) / 2
                )
        return float(np.mean(won))

    both = [k for k in np.unique(step) if 0 < label[step == k].mean() < 1]
    kept = np.flatnonzero(np.isin(step, both))
    genes = own["gene"].to_numpy()[kept]
    scarce = min((set(genes[label[kept] == value]) for value in (1, 0)), key=len)
    for model, metric, sign in (
        ("distance", MATCHED, lambda won: won),
        ("class_prior", f"{MATCHED}_minus_distance", lambda won: 0.5 - won),
    ):
        found = cells(table, model, "all", "test", metric)
        expected = slow_interval(genes, lambda rows, f=sign: f(slow(kept[rows])), 60, 0, scarce)
        assert tuple(found[["value", "ci_low", "ci_high"]]) == pytest.approx(expected, abs=1e-5)
        assert (found["n"], found["positives"]) == (len(kept), label[kept].sum())
        assert found["units"] == len(set(genes))
    assert cells(table, "class_prior", "all", "test", MATCHED)["value"] == 0.5
    found = cells(table, "distance", "all", "test", MATCHED)
    # matching leaves distance no more than a small advantage, whatever it had
    plain = cells(table, "distance", "all", "test", "auroc")["value"]
    assert abs(found["value"] - 0.5) < abs(plain - 0.5)
    new = table["metric"].str.startswith(MATCHED)
    assert new.sum() == 12 and new.iloc[-12:].all()


def test_models_have_empty_cells_that_say_how_many_pairs_lie_in_one_sequence(run, tmp_path):
    pairs = screens(tmp_path)
    inside = int((pairs["tss"] < 3_000).sum())
    table = run.measure("enhancer_gene", SETTINGS, [Crafted("one", 2), Crafted("two", 2)], "two")
    for metric in ("auroc", "auprc", "auroc_distance_matched"):
        row = cells(table, "one", "all", "test", metric)
        assert np.isnan(row["value"]) and row["n"] == 0 and row["units"] == 12
        assert row["note"] == (
            f"only {inside} of 230 pairs have element and TSS in one sequence of this run"
        )
    assert not table.loc[table["mode"] == "frozen", "metric"].str.contains("minus").any()
    assert set(table.loc[table["model"] == "one", "subset"]) == {"all"}


def test_pairs_of_one_class_are_undefined_and_say_so(run, tmp_path):
    screens(tmp_path)
    path = tmp_path / "screen.test.tsv.gz"
    table = pd.read_csv(path, sep="\t").assign(Regulated="FALSE").head(12)
    table.assign(CellType="K562").to_csv(path, sep="\t", index=False)
    found = run.measure("enhancer_gene", SETTINGS)
    for metric, word in (("auroc", "AUROC"), ("auprc", "AUPRC"), (MATCHED, "AUROC")):
        row = cells(found, "distance", "K562", "test", metric)
        assert np.isnan(row["value"]) and (row["n"], row["positives"]) == (12, 0)
        pairs = "test pairs" if metric == MATCHED else "pairs"
        assert row["note"] == f"only negatives among 12 {pairs}: {word} is undefined"


def test_without_two_pairs_as_far_there_is_no_matched_score():
    strata = distance_strata(np.array([0, 1, 1_000, 1_010, 20_000]))
    assert strata.tolist() == [0, 0, 1, 1, 2]
    assert with_both(np.array([1, 1, 0, 0, 1]), strata).tolist() == [False] * 5
    assert with_both(np.array([1, 0, 0, 0, 1]), strata).tolist() == [True] * 2 + [False] * 3
    folds = np.array([0, 1, 0, 0, 0])
    assert distance_strata(np.array([5, 5, 5, 5, 50]), folds).tolist() == [0, 2, 0, 0, 1]
