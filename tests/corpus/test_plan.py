"""Plans: parts that cover every shard once, and files that are no plan."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genezip.corpus.build import plan_corpus
from genezip.corpus.plan import read_plan
from genezip.errors import GenezipError


@pytest.fixture
def plan(world, settings, tmp_path):
    return plan_corpus(world, settings, tmp_path / "corpus" / "plan.parquet")


@pytest.mark.parametrize("of", [1, 2, 3, 5, 9])
def test_parts_cover_every_shard_once_in_order(plan, of) -> None:
    # 40 training windows in shards of 16, 5 and 7 tiles in shards of 8
    counts = [("train", 0, 16), ("train", 1, 16), ("train", 2, 8), ("valid", 0, 5), ("test", 0, 7)]
    assert plan.counts() == counts
    found = [shard for part in range(1, of + 1) for shard in plan.shards(part, of)]
    assert [(s.split, s.number, len(s.rows)) for s in found] == counts
    rows = pd.concat([shard.rows for shard in found], ignore_index=True)
    pd.testing.assert_frame_equal(rows, plan.table.to_pandas())
    assert [s.window_bp for s in found] == [64, 64, 64, 128, 128]
    assert found[1].path == "train/shard-00001.parquet"


def test_a_plan_is_what_it_was(plan, settings, tmp_path) -> None:
    again = read_plan(tmp_path / "corpus" / "plan.parquet")
    assert again.sha256 == plan.sha256
    assert again.head["settings"] == settings.model_dump()
    assert again.head["window_bp"] == {"train": 64, "valid": 128, "test": 128}


def test_files_that_are_no_plan(tmp_path) -> None:
    with pytest.raises(GenezipError, match=r"plan\.parquet does not exist; run `genezip corpus"):
        read_plan(tmp_path / "plan.parquet")
    (tmp_path / "text").write_text("no")
    with pytest.raises(GenezipError, match="text cannot be read"):
        read_plan(tmp_path / "text")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other")
    with pytest.raises(GenezipError, match="other is not a corpus plan"):
        read_plan(tmp_path / "other")
