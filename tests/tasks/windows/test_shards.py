"""Order and completeness of shards, told by names alone: the files are empty."""

from pathlib import Path

import pytest
from toolkit.deposits.files import write_listing

from genezip.errors import GenezipError
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.windows.records import Shards, find_shards

NAMES = ("train-0", "train-10", "train-2", "valid-0", "test-0", "test-1")


def found(folder: Path, *paths: str) -> list[Shards]:
    files = [folder / path for path in paths]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return find_shards(TaskFiles.load(write_listing(folder, "rsap", files)), "human")


def in_targets(*names: str, above: str = "regulatory/human/targets") -> list[str]:
    return [f"{above}/{name}.tfr" for name in names]


def test_shards_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    train, valid, test = found(tmp_path, *in_targets(*NAMES))
    assert [path.name for path in train.paths] == ["train-0.tfr", "train-2.tfr", "train-10.tfr"]
    assert train.lacking == (1, 3, 4, 5, 6, 7, 8, 9)
    assert train.gap() == " (there is no train-1, train-3, train-4, ...)"
    assert [path.name for path in test.paths] == ["test-0.tfr", "test-1.tfr"]
    assert valid.lacking == test.lacking == () and valid.gap() == ""


def test_a_single_gap_is_named_alone(tmp_path: Path) -> None:
    train, *_ = found(tmp_path, *in_targets("train-1", "valid-0", "test-0"))
    assert train.gap() == " (there is no train-0)"


def test_other_folders_and_names_are_no_shards(tmp_path: Path) -> None:
    others = [
        *in_targets("train-1", above="regulatory/human/targets_extra"),
        *in_targets("train-3", above="regulatory/mouse/targets"),
        *in_targets("train-4b", "extra-5"),
    ]
    train, *_ = found(tmp_path, *others, *in_targets(*NAMES, above="human/human/targets"))
    assert [path.name for path in train.paths] == ["train-0.tfr", "train-2.tfr", "train-10.tfr"]


def test_two_shards_of_one_number_are_refused(tmp_path: Path) -> None:
    twice = in_targets("train-0", above="human/human/targets")
    with pytest.raises(GenezipError, match="which have one number; keep one of them"):
        found(tmp_path, *in_targets(*NAMES), *twice)


def test_numbers_of_species_may_stand_between(tmp_path: Path) -> None:
    names = ("train-0-10", "train-0-2", "train-0-0", "valid-0-0", "test-0-0", "test-1-2-1")
    train, _, test = found(tmp_path, *in_targets(*names))
    assert [path.name for path in train.paths] == [
        "train-0-0.tfr",
        "train-0-2.tfr",
        "train-0-10.tfr",
    ]
    assert train.gap() == " (there is no train-0-1, train-0-3, train-0-4, ...)"
    assert [path.name for path in test.paths] == ["test-0-0.tfr", "test-1-2-1.tfr"]
    with pytest.raises(GenezipError, match=r"train-1-2.tfr and .*train-0-2.tfr, which have one"):
        found(tmp_path, *in_targets(*names, "train-1-2"))


def test_a_split_without_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match=r"lists no shard human/targets/valid-\*.tfr"):
        found(tmp_path, *in_targets("train-0", "test-0"))


def test_a_listed_shard_that_is_gone_is_named(tmp_path: Path) -> None:
    found(tmp_path, *in_targets(*NAMES))
    (tmp_path / in_targets("test-1")[0]).unlink()
    with pytest.raises(GenezipError, match=r"test-1.tfr, listed in .*, does not exist"):
        find_shards(TaskFiles.load(tmp_path / "rsap.json"), "human")
