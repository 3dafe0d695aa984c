"""Feature stores: whole or absent, resumed by the same call only."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genezip.errors import GenezipError
from genezip.tasks.features import Extraction, FeatureStore, StorePlan, write_store

N = 10


def plan(folder: Path, **changes: object) -> StorePlan:
    prepared = folder / "prepared.json"
    if not prepared.exists():
        prepared.write_text("data")
    base = StorePlan(
        "eqtl", "blood", "full", "states", {"name": "m", "seed": 0, "sha256": "ab"}, prepared,
        np.arange(N) * 3, (), {"forward": 2, "reverse": 3},
    )  # fmt: skip
    return replace(base, **changes)


class Counter:
    """Row r is [10 r, 10 r + 1, ...]; counts rows, and may stop after some parts."""

    def __init__(self, shape: tuple[int, ...] = (5,), stop_at: int = N + 1) -> None:
        self.asked: list[range] = []
        self.shape, self.stop_at = shape, stop_at

    def __call__(self, rows: range) -> tuple[np.ndarray, int]:
        if rows.stop > self.stop_at:
            raise KeyboardInterrupt
        self.asked.append(rows)
        inner = np.arange(np.prod(self.shape)).reshape(self.shape)
        made = np.stack([10 * row + inner for row in rows]).astype(np.float32)
        return made, 100 * len(rows)


def test_a_store_gives_back_what_was_written(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    manifest = tmp_path / "store" / "manifest.json"
    write_store(manifest, Extraction(plan(tmp_path), Counter(), 4))
    store = FeatureStore.load(manifest, tmp_path / "prepared.json")
    assert store.array.shape == (N, 5) and store.array.dtype == np.float32
    assert store.examples.tolist() == (np.arange(N) * 3).tolist()
    assert store.block("forward").tolist() == [[10 * r, 10 * r + 1] for r in range(N)]
    assert store.block("reverse")[2].tolist() == [22, 23, 24]
    assert store.facts["bases"] == 100 * N and store.facts["model"]["seed"] == 0
    assert sorted(path.name for path in manifest.parent.iterdir()) == [
        "examples.npy", "features.npy", "manifest.json",
    ]  # fmt: skip
    assert messages()[-1].startswith("10 examples, 1,000 bases in ")


def test_a_store_may_be_as_precise_as_its_task_needs(tmp_path: Path) -> None:
    manifest = tmp_path / "store" / "manifest.json"
    values = np.random.default_rng(0).normal(size=(N, 5))
    precise = plan(tmp_path, dtype="<f8")
    write_store(manifest, Extraction(precise, lambda rows: (values[rows.start : rows.stop], 1), 4))
    np.testing.assert_array_equal(FeatureStore.load(manifest).array, values)


def test_what_does_not_fit_half_precision_is_refused(tmp_path: Path) -> None:
    """Also where a number is finite before it is rounded."""
    large = np.full((N, 5), 7e4, dtype=np.float32)
    extraction = Extraction(plan(tmp_path, dtype="<f2"), lambda rows: (large[: len(rows)], 0), 4)
    with pytest.raises(GenezipError, match=r"are not finite \(as float16\)"):
        write_store(tmp_path / "store" / "manifest.json", extraction)


def test_features_of_windows_have_an_axis_of_bins(tmp_path: Path) -> None:
    manifest = tmp_path / "store" / "manifest.json"
    windows = plan(tmp_path, inner=(3,), blocks={"forward": 2})
    write_store(manifest, Extraction(windows, Counter((3, 2)), 4))
    store = FeatureStore.load(manifest)
    assert store.array.shape == (N, 3, 2)
    assert store.block("forward")[1].tolist() == [[10, 11], [12, 13], [14, 15]]


def test_an_interrupted_call_goes_on_where_it_stopped(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    manifest = tmp_path / "store" / "manifest.json"
    first = Counter(stop_at=8)
    with pytest.raises(KeyboardInterrupt):
        write_store(manifest, Extraction(plan(tmp_path), first, 4))
    assert not manifest.exists()
    second = Counter()
    write_store(manifest, Extraction(plan(tmp_path), second, 4))
    assert first.asked == [range(4), range(4, 8)] and second.asked == [range(8, 10)]
    assert messages()[-3:-1] == [
        "features of 10 examples take 200 bytes on disk",  # 10 rows of 5 numbers of 4 bytes
        "resumed after 8 of 10 examples",
    ]
    store = FeatureStore.load(manifest)
    assert store.array[:, 0].tolist() == [10.0 * r for r in range(N)]
    assert store.facts["bases"] == 100 * N


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"name": "m", "seed": 0, "sha256": "cd"}},
        {"input": "authors"},
        {"examples": np.arange(N - 1)},
        {"data": "other"},
    ],
    ids=["weights", "input", "rows", "data"],
)
def test_parts_of_another_store_are_discarded(tmp_path: Path, change: dict) -> None:
    manifest = tmp_path / "store" / "manifest.json"
    with pytest.raises(KeyboardInterrupt):
        write_store(manifest, Extraction(plan(tmp_path), Counter(stop_at=8), 4))
    if "data" in change:
        (tmp_path / "prepared.json").write_text(change.pop("data"))
    compute = Counter()
    write_store(manifest, Extraction(plan(tmp_path, **change), compute, 4))
    assert compute.asked[0] == range(4)


def test_a_progress_file_cut_short_is_a_new_beginning(tmp_path: Path) -> None:
    manifest = tmp_path / "store" / "manifest.json"
    with pytest.raises(KeyboardInterrupt):
        write_store(manifest, Extraction(plan(tmp_path), Counter(stop_at=8), 4))
    (tmp_path / ".store.part" / "progress.json").write_text('{"key": ')
    compute = Counter()
    write_store(manifest, Extraction(plan(tmp_path), compute, 4))
    assert compute.asked[0] == range(4)


def test_a_failed_call_leaves_the_finished_store_alone(tmp_path: Path) -> None:
    manifest = tmp_path / "store" / "manifest.json"
    write_store(manifest, Extraction(plan(tmp_path), Counter(), 4))

    def broken(rows: range) -> tuple[np.ndarray, int]:
        made, bases = Counter()(rows)
        made[-1, 0] = np.nan
        return made, bases

    with pytest.raises(GenezipError, match="example 9 of eqtl blood are not finite"):
        write_store(manifest, Extraction(plan(tmp_path), broken, 4))
    assert FeatureStore.load(manifest).array[3, 0] == 30


def test_what_is_wrong_with_a_store_is_said(tmp_path: Path) -> None:
    manifest = tmp_path / "store" / "manifest.json"
    with pytest.raises(GenezipError, match="does not exist; compute the features first"):
        FeatureStore.load(manifest)
    write_store(manifest, Extraction(plan(tmp_path), Counter(), 4))
    store = FeatureStore.load(manifest)
    with pytest.raises(GenezipError, match="has no features left, only forward, reverse"):
        store.block("left")
    other = tmp_path / "other.json"
    other.write_text("other data")
    with pytest.raises(GenezipError, match="features of other data than"):
        FeatureStore.load(manifest, other)
    with pytest.raises(GenezipError, match="cannot be read"):
        FeatureStore.load(manifest, tmp_path / "missing.json")
    raw = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**raw, "shape": [N, 6]}))
    with pytest.raises(GenezipError, match=r"has the shape \(10, 5\), not \(10, 6\)"):
        FeatureStore.load(manifest)
    manifest.write_text(json.dumps({**raw, "schema_version": 2}))
    with pytest.raises(GenezipError, match="schema_version 2"):
        FeatureStore.load(manifest)
    manifest.write_text(json.dumps(raw))
    with open(manifest.parent / "features.npy", "ab") as file:
        file.write(b"x")
    with pytest.raises(GenezipError, match=r"features.npy has .* bytes, manifest.json lists"):
        FeatureStore.load(manifest)


@pytest.mark.parametrize(
    "facts",
    [
        {"schema_version": 1},
        {"schema_version": 1, "files": []},
        {"schema_version": 1, "task": "cmp", "files": [{"path": "x", "bytes": 1}], "counts": {}},
        {"schema_version": 1, "files": [3], "blocks": 4},
    ],
)
def test_the_manifest_of_another_step_is_one_sentence(tmp_path: Path, facts: dict) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(facts))
    with pytest.raises(GenezipError, match="is not a manifest of features; compute the features"):
        FeatureStore.load(tmp_path / "manifest.json")


def test_a_store_larger_than_the_disk_is_refused_before_a_base_is_read(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    manifest = tmp_path / "store" / "manifest.json"
    huge = plan(tmp_path, blocks={"forward": 10**15})
    compute = Counter((10**15,))
    with pytest.raises(GenezipError, match=r"cannot write .*40,000,000,000,000,000 bytes are"):
        write_store(manifest, Extraction(huge, compute, 4))
    assert messages() == ["features of 10 examples take 40,000,000,000,000,000 bytes on disk"]
    assert compute.asked == [] and not manifest.exists()


def test_foreign_files_are_not_lost(tmp_path: Path) -> None:
    manifest = tmp_path / "store" / "manifest.json"
    manifest.parent.mkdir()
    (manifest.parent / "notes.txt").write_text("mine")
    with pytest.raises(GenezipError, match=r"holds notes\.txt"):
        write_store(manifest, Extraction(plan(tmp_path), Counter(), 4))
