"""Windows as examples: bases from the FASTA, targets from the disk."""

import json
from pathlib import Path

import numpy as np
import pytest
from toolkit.deposits import rsap
from toolkit.deposits.files import slice_of, write_fasta

from genezip.alphabet import N_ID, encode
from genezip.errors import GenezipError
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.windows.activity import prepare_activity
from genezip.tasks.windows.examples import WindowExamples


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Manifest and FASTA."""
    folder = tmp_path_factory.mktemp("rsap")
    listing = rsap.write(folder)
    manifest = folder / "human" / "manifest.json"
    genome = rsap.genome_of(listing)
    prepare_activity(TaskFiles.load(listing), "human", genome, manifest)
    return manifest, genome


def test_bases_of_a_window_are_those_of_its_interval(prepared: tuple[Path, Path]) -> None:
    examples = WindowExamples.load(*prepared)
    assert len(examples) == 7
    codes = rsap.bases(2 * rsap.STORED_BP + rsap.STORED_BP + 10_000, 0)
    for row, start in enumerate([-32_768, 98_304, 229_376]):
        found = examples.ids(row)
        assert found.shape == (196_608,) and found.dtype == np.uint8
        assert np.array_equal(found, encode(slice_of(codes, start, start + 196_608).tobytes()))
    assert (examples.ids(0)[:32_768] == N_ID).all()
    assert examples.ids(0)[32_768] != N_ID


def test_targets_are_a_map_of_the_disk_in_the_order_of_rows(prepared: tuple[Path, Path]) -> None:
    examples = WindowExamples.load(*prepared)
    rows = examples.table[examples.table["split"] == "test"]
    found = examples.targets("test")
    assert isinstance(found, np.memmap) and not found.flags.writeable
    assert found.shape == (len(rows), 896, 3) and found.dtype == np.float16
    codes = rsap.bases(3 * rsap.STORED_BP + 10_000, 2)
    for number, start in zip(rows["example"], rows["start"], strict=True):
        assert np.array_equal(found[number], rsap.target(codes, start + 32_768, 3))
    with pytest.raises(ValueError, match="'tests' is none of train, valid, test"):
        examples.targets("tests")


def test_a_fasta_of_other_lengths_is_refused(prepared: tuple[Path, Path], tmp_path: Path) -> None:
    manifest, _ = prepared
    codes = np.frombuffer(b"ACGT" * 10, dtype=np.uint8)
    other = write_fasta(tmp_path / "other.fa", {f"chr{number}": codes for number in (1, 2, 3)})
    with pytest.raises(GenezipError, match=r"has 40 bases of chr1, .* was prepared with 403,216"):
        WindowExamples.load(manifest, other)


def test_another_task_is_refused(prepared: tuple[Path, Path], tmp_path: Path) -> None:
    manifest, genome = prepared
    raw = json.loads(manifest.read_text()) | {"task": "eqtl", "files": []}
    (tmp_path / "manifest.json").write_text(json.dumps(raw))
    with pytest.raises(GenezipError, match="holds the task eqtl, not rsap; name another"):
        WindowExamples.load(tmp_path / "manifest.json", genome, "rsap")


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match="does not exist; prepare the task first"):
        WindowExamples.load(tmp_path / "manifest.json", tmp_path / "x.fa")
