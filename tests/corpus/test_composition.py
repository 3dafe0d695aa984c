"""Our composition beside the published one."""

from pathlib import Path

import pytest

from genezip.corpus.composition import table5
from genezip.errors import GenezipError
from genezip.region_classes import CLASSES, GENE7

PAPER = """dataset,split,total_bp_M,n_bp_M,windows_implied,{columns}
Small,train,0.2,0.01,20,{train}
Held-out,test,0.1,0.03,10 (long) / 1 (longer),{test}
"""


class Reader:
    """A corpus of 30 windows of 10,000 bp and two held-out ones of 50,000 bp."""

    region_classes = GENE7

    def __init__(self) -> None:
        bp = dict.fromkeys(CLASSES, 0)
        train = {"windows": 30, "window_bp": 10_000, "bp": 300_000, "n_bp": 3_000}
        test = {"windows": 2, "window_bp": 50_000, "bp": 100_000, "n_bp": 20_000}
        splits = {
            "train": train
            | {
                "sampling_modes": {"uniform": 30},
                "composition": bp | {"promoter": 60_000, "nig": 240_000},
            },
            "test": test | {"sampling_modes": {"tile": 2}, "composition": bp | {"nig": 100_000}},
        }
        self.manifest = {"source": "mirror", "build": "hg38", "splits": splits}


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    columns = [f"{name}_{unit}" for name in CLASSES for unit in ("bp_M", "pct")]

    def cells(**pct: float) -> str:
        values = {f"{name}_pct": share for name, share in pct.items()}
        return ",".join(str(values.get(column, 0.0)) for column in columns)

    text = PAPER.format(
        columns=",".join(columns), train=cells(promoter=15, nig=85), test=cells(nig=95, dig=5)
    )
    (tmp_path / "table5.csv").write_text(text)
    return tmp_path / "table5.csv"


def test_every_class_with_its_difference(paper) -> None:
    table = table5({"small": Reader()}, paper, "test")
    assert set(table["mark"]) == {"measured"} and set(table["scale"]) == {"test"}
    by = table.set_index(["split", "region"])
    assert len(by) == 2 * 9
    promoter = by.loc[("train", "promoter")]
    assert promoter["pct"] == pytest.approx(20)
    assert promoter["bp_M"] == pytest.approx(0.06)
    assert promoter["difference_pct"] == pytest.approx(5)
    assert promoter["paper_corpus"] == "Small"
    assert by.loc[("train", "N")]["paper_pct"] == pytest.approx(5)
    assert by.loc[("train", "N")]["difference_pct"] == pytest.approx(-4)
    assert by.loc[("test", "nig")]["difference_pct"] == pytest.approx(5)  # of any window length
    assert by.loc[("test", "all")]["difference_pct"] == pytest.approx(0)


def test_a_window_length_that_was_not_published(paper) -> None:
    reader = Reader()
    reader.manifest["splits"]["train"]["window_bp"] = 4096
    table = table5({"other": reader}, paper, "demo").set_index(["split", "region"])
    assert table.loc["train"]["difference_pct"].isna().all()
    assert table.loc["test"]["difference_pct"].notna().all()


def test_tiled_validation_windows_are_not_compared(paper) -> None:
    reader = Reader()
    reader.manifest["splits"]["train"]["sampling_modes"] = {"tile": 30}
    table = table5({"tiled": reader}, paper, "demo").set_index("split")
    assert table.loc["train"]["paper_pct"].isna().all()


@pytest.mark.parametrize("build", ["R64", "simulated", None])
def test_another_genome_is_not_compared(paper, build) -> None:
    reader = Reader()
    del reader.manifest["build"]
    reader.manifest |= {"build": build} if build else {}
    table = table5({"yeast": reader}, paper, "full").set_index(["split", "region"])
    assert table.loc[("train", "promoter")]["pct"] == pytest.approx(20)
    compared = ["paper_corpus", "paper_bp_M", "paper_pct", "difference_pct"]
    assert table[compared].isna().all(axis=None)


def test_the_published_table_itself(repo) -> None:
    """Each row's percentages are its million bases over its total, to the printed digits."""
    import pandas as pd

    published = pd.read_csv(repo / "genezip" / "artifacts" / "paper" / "table5_corpora.csv")
    for row in published.to_dict("records"):
        for name in CLASSES:
            share = 100 * row[f"{name}_bp_M"] / row["total_bp_M"]
            rounded = 0.005 + 100 * 0.005 / row["total_bp_M"]  # both are printed with two digits
            assert share == pytest.approx(row[f"{name}_pct"], abs=rounded)


def test_a_missing_table(tmp_path) -> None:
    with pytest.raises(GenezipError, match=r"no\.csv does not exist"):
        table5({}, tmp_path / "no.csv", "test")
