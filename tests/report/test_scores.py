"""Finding one number among score rows, and writing it for people."""

import pandas as pd
import pytest

from genezip.artifacts.scores import DNA_SCORES
from genezip.errors import GenezipError
from genezip.metrics import bootstrap
from genezip.report import scores as scores_module
from genezip.report.scores import Number, Scores
from genezip.report.words import fixed, measured, plain, signed

PLACE = {"model": "m", "metric": "bpt", "subset": "all", "region": "all"}
PLACE |= {"split": "test", "strand": "+"}


def scores(*rows: dict[str, object]) -> Scores:
    return Scores(pd.DataFrame([DNA_SCORES.row(**{**PLACE, **row}) for row in rows]))


def test_the_lowest_seed_counts_unless_one_is_named() -> None:
    found = scores({"seed": 2, "value": 20.0}, {"seed": 1, "value": 10.0}, {"value": 15.0})
    assert found.find("bpt", "m") == Number(10.0)
    assert found.find("bpt", "m", seed=2) == Number(20.0)
    assert found.find("bpt", "m", seed=3) is None
    assert found.seeds("m") == [1, 2]


def test_a_row_without_seed() -> None:
    assert scores({"value": 15.0}).find("bpt", "m") == Number(15.0)


def test_every_part_of_the_key_counts() -> None:
    found = scores(
        {"value": 1.0}, {"value": 2.0, "region": "cds"}, {"value": 3.0, "split": "train"}
    )
    assert found.find("bpt", "m", region="cds") == Number(2.0)
    assert found.find("bpt", "m", split="train") == Number(3.0)
    assert found.find("bpt", "m", strand="both") is None
    assert found.find("ppl", "m") is None


def test_a_missing_value_is_none() -> None:
    assert scores({"value": None, "n": 3}).find("bpt", "m") is None


def test_two_rows_for_one_number_are_an_error() -> None:
    with pytest.raises(GenezipError, match="2 rows for bpt of m"):
        scores({"value": 1.0}, {"value": 2.0}).find("bpt", "m")


@pytest.mark.parametrize(
    ("value", "text"),
    [(216.7, "217"), (1234.5, "1,234"), (0.0123, "0.0123"), (-0.5, "−0.500"), (0, "0")],
)
def test_plain(value: float, text: str) -> None:
    assert plain(value) == text


def test_fixed_has_no_negative_zero() -> None:
    assert [fixed(v) for v in (-0.001, -0.25, 2.9)] == ["0.00", "−0.25", "2.90"]


def test_measured() -> None:
    assert measured(Number(2.9, 2.5, 3.25)) == "2.90 (2.50 to 3.25)"
    assert measured(Number(2.9)) == "2.90"
    assert measured(None) == "–"


def test_an_interval_over_few_blocks_is_marked_wherever_it_is_written() -> None:
    row = {"value": 1.0, "ci_low": 0.5, "ci_high": 2.0, "blocks": 5, "note": "few blocks"}
    few = scores(row).find("bpt", "m")
    assert few is not None and few.few
    assert measured(few) == "1.00 (0.50 to 2.00, few blocks)"
    assert signed(few) == "+1.00 (95 % interval 0.50 to 2.00, few blocks)"
    assert signed(few, brackets=False) == "+1.00, 0.50 to 2.00, few blocks"
    many = scores(row | {"note": ""}).find("bpt", "m")
    assert measured(many) == "1.00 (0.50 to 2.00)"


def test_writer_and_page_mean_the_same_few_blocks() -> None:
    assert (scores_module.FEW, scores_module.FEW_BLOCKS) == (bootstrap.FEW, bootstrap.FEW_BLOCKS)
