"""Prediction files: what is written is read, whole or not at all; wrong files are refused."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genezip.artifacts.tables import HEAD
from genezip.errors import GenezipError
from genezip.tasks.base import Fact, Layout, Method, Note, Predictions
from genezip.tasks.predictions import (
    COLUMNS,
    PredictionFile,
    PredictionWriter,
    join_predictions,
    read_predictions,
)
from genezip.tasks.scores import fact_rows

PAIRS = Method("eqtl", "artery", "tiny", 3, "full", "frozen")
MAPS = Method("cmp", "HFF", "tiny", 0, "full", "frozen")
SCALAR = Layout("scalar")


def add_pairs(writer, examples=(4, 9), split="test", method=None, **cells):
    defaults = {
        "rule": "paper",
        "fold": -1,
        "split": split,
        "example": np.array(examples),
        "group": ["g1"] * len(examples),
        "target": np.arange(len(examples)) % 2,
        "prediction": np.linspace(0, 1, len(examples)),
    }
    writer.add(Predictions(**(defaults | cells)), method)


def pairs_file(path, method=PAIRS, **cells):
    with PredictionWriter(path, SCALAR, method) as writer:
        add_pairs(writer, **cells)
    return path


def maps_file(path, maps, shape=(3,), method=MAPS, prediction="<f4", target="<f2"):
    layout = Layout("array", shape, prediction, target)
    with PredictionWriter(path, layout, method) as writer:
        for number, (true, predicted) in enumerate(maps):
            writer.add(Predictions("test", np.array([number]), [number // 2], [true], [predicted]))
    return path


def test_pairs_come_back_with_every_column(tmp_path):
    path = pairs_file(tmp_path / "p.parquet", hidden=np.array([0.25, 0.5]))
    table = PredictionFile.open(path).frame()
    assert list(table) == list(COLUMNS)
    assert table.iloc[1].to_dict() == {
        "task": "eqtl",
        "subset": "artery",
        "model": "tiny",
        "seed": 3,
        "input": "full",
        "mode": "frozen",
        "rule": "paper",
        "fold": -1,
        "split": "test",
        "example": 9,
        "group": "g1",
        "target": 1.0,
        "prediction": 1.0,
        "hidden": 0.5,
    }


def test_a_baseline_without_seed_and_hidden_scores_has_empty_cells(tmp_path):
    method = Method("eqtl", "artery", "distance", None, "", "baseline")
    file = PredictionFile.open(pairs_file(tmp_path / "p.parquet", method))
    assert file.methods == [method]
    assert file.frame()[["seed", "hidden"]].isna().all(axis=None)


def test_arrays_come_back_little_endian_with_predictions_of_maps_in_float32(tmp_path):
    maps = [(np.array([0.5, np.nan, 2]), np.array([1e9, 3, -1e9], dtype=np.float32))]
    path = maps_file(tmp_path / "p.parquet", maps)
    (row,) = PredictionFile.open(path).rows()
    assert (row.method, row.rule, row.fold, row.split) == (MAPS, "paper", -1, "test")
    assert (row.example, row.group) == (0, "0")
    np.testing.assert_array_equal(row.target, np.array([0.5, np.nan, 2], np.float16))
    assert row.prediction.tolist() == [1e9, 3, -1e9]
    stored = pq.read_table(path)
    assert stored["target"][0].as_py() == np.array([0.5, np.nan, 2], "<f2").tobytes()
    assert stored["prediction"][0].as_py() == np.array([1e9, 3, -1e9], "<f4").tobytes()


def test_predictions_of_other_tasks_are_float16_and_keep_to_its_range(tmp_path):
    method = Method("rsap", "human", "tiny", 0, "full", "frozen")
    path = maps_file(
        tmp_path / "p.parquet",
        [(np.zeros(3), np.array([1e9, 3, -1e9]))],
        method=method,
        prediction="<f2",
    )
    (row,) = PredictionFile.open(path).rows()
    assert row.prediction.dtype == np.float16
    assert row.prediction.tolist() == [65504, 3, -65504]


def test_an_offset_costs_no_digits_of_a_map(tmp_path):
    spread = np.random.default_rng(0).normal(size=2000)
    path = maps_file(tmp_path / "p.parquet", [(spread, 1 + 1e-4 * spread)], (2000,))
    (row,) = PredictionFile.open(path).rows()
    assert np.corrcoef(row.prediction, spread)[0, 1] > 0.9999
    lost = (1 + 1e-4 * spread).astype(np.float16)
    assert np.corrcoef(lost, spread)[0, 1] < 0.9


def test_rows_of_many_row_groups_keep_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr("genezip.tasks.predictions._BUFFER_BYTES", 500)
    maps = [(np.full(3, number), np.full(3, -number)) for number in range(40)]
    path = maps_file(tmp_path / "p.parquet", maps)
    assert pq.ParquetFile(path).num_row_groups > 5
    rows = list(PredictionFile.open(path).rows())
    assert [row.example for row in rows] == list(range(40))
    assert [row.prediction[0] for row in rows] == [-number for number in range(40)]


def test_arrays_may_differ_in_length_where_the_shape_says_so(tmp_path):
    path = tmp_path / "p.parquet"
    maps = [
        (values, values) for values in (np.arange(6).reshape(2, 3), np.arange(10).reshape(2, 5))
    ]
    maps_file(path, maps, (2, -1))
    assert PredictionFile.open(path).shape == (2, -1)
    rows = list(PredictionFile.open(path).rows())
    assert [row.target.shape for row in rows] == [(2, 3), (2, 5)]
    assert rows[1].target[1].tolist() == [5, 6, 7, 8, 9]


def test_a_wrong_shape_is_an_error_of_the_caller(tmp_path):
    with pytest.raises(ValueError, match="shape"):
        maps_file(tmp_path / "p.parquet", [(np.zeros(4), np.zeros(4))])
    assert list(tmp_path.iterdir()) == []


def test_notes_and_facts_are_kept(tmp_path):
    other = Method("eqtl", "artery", "prior", None, "", "baseline")
    path = tmp_path / "p.parquet"
    with PredictionWriter(path, SCALAR, PAIRS) as writer:
        add_pairs(writer)
        writer.add(Note("auroc", "it is constant"), other)
        writer.add(Note("auroc", "fold 2 lacks it", "gene", value_stands=True))
        writer.add(Fact("test_genes_in_train", 0.5, 12))
    file = PredictionFile.open(path)
    assert file.methods == [PAIRS, other]
    assert file.task == ("eqtl", "artery")
    assert [tuple(note.values()) for note in file.notes] == [
        ("prior.baseline", "artery", "paper", "test", "auroc", "it is constant", False),
        ("tiny.seed3.full.frozen", "artery", "gene", "test", "auroc", "fold 2 lacks it", True),
    ]
    fact = {"rule": "paper", "split": "test", "metric": "test_genes_in_train", "value": 0.5}
    assert file.facts == [{"subset": "artery", **fact, "n": 12}]


def test_unknown_axes_take_the_size_that_all_rows_have(tmp_path):
    method = Method("rsap", "human", "cnn", 0, "authors", "full")
    maps = [(np.zeros((2, 3)), np.full((2, 3), number)) for number in range(2)]
    path = maps_file(tmp_path / "p.parquet", maps, (-1, -1), method)
    file = PredictionFile.open(path)
    assert file.shape == (2, 3)
    assert [row.prediction.shape for row in file.rows()] == [(2, 3), (2, 3)]


@pytest.mark.parametrize("target", [2, 0.5, np.nan])
def test_a_target_of_pairs_is_0_or_1(tmp_path, target):
    with pytest.raises(GenezipError, match=r"example 9 of eqtl artery has the target .*, not 0 or"):
        pairs_file(tmp_path / "p.parquet", target=np.array([1, target]))
    assert list(tmp_path.iterdir()) == []


def test_a_hidden_score_may_be_missing_in_some_rows(tmp_path):
    path = pairs_file(tmp_path / "p.parquet", hidden=np.array([0.25, np.nan]))
    assert pq.read_table(path)["hidden"].to_pylist() == [0.25, None]


@pytest.mark.parametrize("column", ["prediction", "hidden"])
def test_a_prediction_that_is_no_number_is_refused_and_nothing_is_left(tmp_path, column):
    path = pairs_file(tmp_path / "p.parquet")
    before = path.read_bytes()
    with pytest.raises(GenezipError, match=rf"tiny.*no finite {column} for test example 9") as told:
        pairs_file(path, **{column: np.array([0.1, np.inf])})
    assert str(told.value).endswith("lower its learning rate")
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["p.parquet"]


def test_where_nothing_is_scored_a_prediction_may_be_anything(tmp_path):
    maps_file(tmp_path / "p.parquet", [(np.array([np.nan, 1, 2]), np.array([np.inf, 1, 2]))])
    with pytest.raises(GenezipError, match="no finite prediction for test example 0 of cmp HFF"):
        maps_file(tmp_path / "q.parquet", [(np.zeros(3), np.array([np.inf, 1, 2]))])


def test_an_interruption_leaves_the_old_file(tmp_path):
    path = pairs_file(tmp_path / "p.parquet")
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt), PredictionWriter(path, SCALAR, PAIRS) as writer:
        add_pairs(writer)
        raise KeyboardInterrupt
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["p.parquet"]


def test_files_that_are_no_prediction_files_are_refused(tmp_path):
    with pytest.raises(GenezipError, match=r"does not exist; predict first"):
        read_predictions([tmp_path / "none.parquet"])
    text = tmp_path / "text.parquet"
    text.write_text("model\tvalue\n")
    with pytest.raises(GenezipError, match=r"text.parquet cannot be read .*; predict again"):
        read_predictions([text])
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"task": ["cmp"]}), other)
    with pytest.raises(
        GenezipError, match=r"other.parquet is not a prediction file; predict again"
    ):
        read_predictions([other])
    with pytest.raises(GenezipError, match="no prediction file was given"):
        read_predictions([])


def test_a_missing_column_and_a_wrong_type_are_named(tmp_path):
    path = pairs_file(tmp_path / "p.parquet")
    table = pq.read_table(path)
    facts = json.loads(pq.ParquetFile(path).metadata.metadata[HEAD])
    table = table.replace_schema_metadata({HEAD: json.dumps(facts).encode()})
    pq.write_table(table.drop_columns(["group"]), path)
    with pytest.raises(GenezipError, match="lacks the column group"):
        read_predictions([path])
    position = table.schema.get_field_index("fold")
    pq.write_table(table.set_column(position, "fold", table["fold"].cast(pa.int32())), path)
    with pytest.raises(GenezipError, match="int32 in the column fold instead of int16"):
        read_predictions([path])


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    first = pairs_file(tmp_path / "a.parquet")
    same = pairs_file(tmp_path / "b.parquet")
    with pytest.raises(GenezipError, match=r"both hold tiny\.seed3\.full\.frozen"):
        read_predictions([first, same])
    blood = pairs_file(tmp_path / "c.parquet", Method("eqtl", "blood", "tiny", 4, "full", "frozen"))
    with pytest.raises(GenezipError, match=r"is of eqtl artery and .* of eqtl blood; score them"):
        read_predictions([first, blood])
    mixed = tmp_path / "mixed.parquet"
    with PredictionWriter(mixed, SCALAR) as writer:
        add_pairs(writer, method=PAIRS)
        add_pairs(writer, method=Method("etgp", "K562", "tiny", 3, "full", "frozen"))
    with pytest.raises(GenezipError, match="mixes eqtl artery and etgp K562"):
        read_predictions([mixed])


def test_an_example_twice_and_an_empty_file_are_refused(tmp_path):
    twice = pairs_file(tmp_path / "a.parquet", examples=(4, 4))
    with pytest.raises(GenezipError, match=r"has test example 4 of tiny.* twice under the split"):
        read_predictions([twice])
    empty = tmp_path / "b.parquet"
    with PredictionWriter(empty, SCALAR):
        pass
    with pytest.raises(GenezipError, match="has no predictions; predict again"):
        read_predictions([empty])


def test_a_file_that_holds_nothing_takes_nothing_from_the_others(tmp_path):
    full, empty = pairs_file(tmp_path / "a.parquet"), tmp_path / "b.parquet"
    with PredictionWriter(empty, SCALAR):
        pass
    assert [file.path for file in read_predictions([empty, full])] == [full]
    with PredictionWriter(empty, SCALAR, of=("eqtl", "artery")):
        pass
    assert [file.path for file in read_predictions([empty, full])] == [empty, full]
    with PredictionWriter(empty, SCALAR, of=("eqtl", "blood")):
        pass
    with pytest.raises(GenezipError, match=r"is of eqtl blood and .* of eqtl artery"):
        read_predictions([empty, full])


def test_the_same_example_may_be_in_two_splits(tmp_path):
    path = tmp_path / "p.parquet"
    with PredictionWriter(path, SCALAR, PAIRS) as writer:
        add_pairs(writer)
        add_pairs(writer, split="valid")
    assert len(read_predictions([path])[0].keys) == 4


def test_a_layout_keeps_the_precision_that_it_names(tmp_path):
    value = np.array([1 + 1e-12, np.nan, 0.1])
    path = maps_file(tmp_path / "p.parquet", [(value, value[[0, 2, 2]])], (-1,), MAPS, "<f8", "<f8")
    (row,) = PredictionFile.open(path).rows()
    np.testing.assert_array_equal(row.target, value)
    np.testing.assert_array_equal(row.prediction, value[[0, 2, 2]])


def test_a_file_of_an_earlier_version_has_targets_in_float16(tmp_path):
    path = maps_file(tmp_path / "p.parquet", [(np.array([0.1, 1, 2]), np.zeros(3))])
    table = pq.read_table(path)
    facts = json.loads(pq.ParquetFile(path).metadata.metadata[HEAD])
    assert facts.pop("target_dtype") == "<f2"
    pq.write_table(table.replace_schema_metadata({HEAD: json.dumps(facts).encode()}), path)
    (row,) = PredictionFile.open(path).rows()
    np.testing.assert_array_equal(row.target, np.array([0.1, 1, 2], np.float16))


def test_a_file_of_all_may_hold_its_parts_under_their_own_names(tmp_path):
    path = tmp_path / "p.parquet"
    of_all = Method("enhancer_gene", "all", "distance", None, "", "baseline")
    with PredictionWriter(path, SCALAR, of_all) as writer:
        add_pairs(writer)
        add_pairs(writer, subset="K562")
    (file,) = read_predictions([path])
    assert file.task == ("enhancer_gene", "all")
    assert [method.subset for method in file.methods] == ["all", "K562"]


def test_facts_keep_their_subset_and_their_method(tmp_path):
    path = tmp_path / "p.parquet"
    method = Method("classification", "a", "tiny", 0, "full", "frozen")
    with PredictionWriter(path, SCALAR, of=("classification", "all")) as writer:
        for subset in ("a", "b"):
            of = replace(method, subset=subset)
            writer.add(Fact("share", 0.5, 3), of)
            writer.add(Fact("bpt", 3.0, 3, of_method=True), of)
    rows = fact_rows(read_predictions([path]))
    assert [(row["model"], row["subset"], row["metric"]) for row in rows] == [
        ("examples", "a", "share"),
        ("tiny", "a", "bpt"),
        ("examples", "b", "share"),
        ("tiny", "b", "bpt"),
    ]


def test_joined_files_hold_what_each_of_them_held(tmp_path):
    other = Method("eqtl", "artery", "prior", None, "", "baseline")
    first, second = tmp_path / "a.parquet", tmp_path / "b.parquet"
    with PredictionWriter(first, SCALAR, PAIRS) as writer:
        add_pairs(writer)
        writer.add(Note("auroc", "why"))
    with PredictionWriter(second, SCALAR, other) as writer:
        add_pairs(writer, examples=(1, 2, 3))
        writer.add(Fact("share", 0.5, 3))
    out = tmp_path / "both.parquet"
    join_predictions([first, second], out, SCALAR, ("eqtl", "artery"))
    (file,) = read_predictions([out])
    assert file.methods == [PAIRS, other] and file.task == ("eqtl", "artery")
    assert file.frame()["example"].tolist() == [4, 9, 1, 2, 3]
    assert [note["reason"] for note in file.notes] == ["why"]
    assert [fact["metric"] for fact in file.facts] == ["share"]
    maps = [
        maps_file(tmp_path / f"{n}.parquet", [(np.zeros(n), np.zeros(n))], (-1,)) for n in (3, 5)
    ]
    layout = Layout("array", (-1,), "<f4")
    join_predictions(maps, out, layout, ("cmp", "HFF"))
    assert PredictionFile.open(out).shape == (-1,)
    assert [row.target.shape for row in PredictionFile.open(out).rows()] == [(3,), (5,)]
