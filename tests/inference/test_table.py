"""The file that every router writes and every metric reads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genezip.errors import GenezipError
from genezip.inference.table import CompressedWindow, read_compressed, write_compressed

WINDOW = CompressedWindow(
    chrom="chr9",
    start=100,
    end=110,
    strand="+",
    segment="chr9:0-1000",
    split="test",
    length=10,
    token_starts=np.array([0, 3, 7], dtype=np.int32),
    stage_tokens=np.array([5, 3], dtype=np.int32),
    bound_active=np.array([False, True]),
    boundary_prob=np.linspace(0, 1, 10).astype(np.float16),
    nll=np.array([np.nan, 1, 2, 3, 4, 5, 6, 7, 8, np.nan], dtype=np.float32),
    nll_kind="looked_ahead",
)


def test_chunks_by_hand() -> None:
    assert WINDOW.chunk_bp.tolist() == [3, 4, 3]
    assert WINDOW.token_density() == pytest.approx([1 / 3] * 3 + [1 / 4] * 4 + [1 / 3] * 3)
    assert WINDOW.token_density().sum() == pytest.approx(3)


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    bare = replace(WINDOW, strand="-", boundary_prob=None, nll=None)
    written = write_compressed(
        path, [WINDOW, bare], name="toy", seed=3, target_bpt={"dig": 8.0}, scale="test"
    )
    assert written == 2
    file = read_compressed(path)
    assert (file.name, file.seed, file.target_bpt) == ("toy", 3, {"dig": 8.0})
    assert file.info == {"scale": "test"}
    forward, backward = file.windows()
    for name in ("token_starts", "stage_tokens", "bound_active", "boundary_prob", "nll"):
        assert np.array_equal(
            getattr(forward, name), getattr(WINDOW, name), equal_nan=name == "nll"
        )
    assert backward.nll is None and backward.likelihood is None
    assert forward.likelihood == "looked_ahead"
    assert [w.strand for w in file.windows("-")] == ["-"]


@pytest.mark.parametrize(
    ("bound", "kinds"),
    [("sequence", ["looked_ahead", "exact"]), ("causal", ["exact"] * 2), (None, ["exact"] * 2)],
)
def test_a_file_of_before_has_no_kind_of_likelihood(
    tmp_path: Path, bound: str | None, kinds: list[str]
) -> None:
    """It follows from the bound, and from whether the bound was active in the window."""
    path = tmp_path / "x.parquet"
    free = replace(WINDOW, bound_active=np.array([False, False]))
    write_compressed(path, [WINDOW, free], name="toy", bound=bound)
    pq.write_table(pq.read_table(path).drop_columns("likelihood"), path)
    assert [window.likelihood for window in read_compressed(path).windows()] == kinds


def test_no_window_is_a_valid_file(tmp_path: Path) -> None:
    assert write_compressed(tmp_path / "x.parquet", [], name="toy") == 0
    assert list(read_compressed(tmp_path / "x.parquet").windows()) == []


@pytest.mark.parametrize("starts", [[], [1, 3], [0, 3, 3], [0, 5, 4]])
def test_starts_that_do_not_tile(tmp_path: Path, starts: list[int]) -> None:
    wrong = replace(WINDOW, token_starts=np.array(starts, dtype=np.int32))
    with pytest.raises(ValueError, match="do not tile"):
        write_compressed(tmp_path / "x.parquet", [WINDOW, wrong], name="toy")
    assert list(tmp_path.iterdir()) == []


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match="does not exist"):
        read_compressed(tmp_path / "no.parquet")
    (tmp_path / "text.parquet").write_text("text")
    with pytest.raises(
        GenezipError, match=r"text.parquet cannot be read .*; compress the held-out DNA again"
    ):
        read_compressed(tmp_path / "text.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(GenezipError, match="is not a file of compressed windows"):
        read_compressed(tmp_path / "other.parquet")
