"""Shards of stored records in their natural order: ``train-2`` before ``train-10``.

Basenji2 writes ``SPLIT-NUMBER.tfr``, or ``SPLIT-SPECIES-NUMBER.tfr`` for several species (Kelley
2020): the last number counts.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from genezip.errors import GenezipError
from genezip.genome.sources.splits import SPLITS
from genezip.tasks.deposits import TaskFiles

_NAME = re.compile(r"(train|valid|test)(?:-[0-9]+)*-([0-9]+)[.]tfr")


@dataclass(frozen=True)
class Shards:
    """Shards of one split.

    Attributes
    ----------
    split : str
    paths : tuple of Path, in the order of their numbers
    lacking : tuple of int
        Numbers below the last one that no shard has. Deposits may number with gaps; the count
        of records decides whether one is lost.
    """

    split: str
    paths: tuple[Path, ...]
    lacking: tuple[int, ...]

    def gap(self) -> str:
        """A remark on numbers that are lacking, for messages; empty without any."""
        if not self.lacking:
            return ""
        before = self.paths[0].stem.rpartition("-")[0]
        names = ", ".join(f"{before}-{number}" for number in self.lacking[:3])
        return f" (there is no {names}{', ...' if len(self.lacking) > 3 else ''})"


def find_shards(files: TaskFiles, folder: str) -> list[Shards]:
    """The shards of train, valid and test among the files of a task.

    Parameters
    ----------
    files : TaskFiles
    folder : str
        Name of the folder that holds ``targets/SPLIT-NUMBER.tfr``; what lies above it does not
        matter. Further numbers may stand between (``train-0-3.tfr``); the last one orders.

    Raises
    ------
    GenezipError
        If a split has no shard, a last number comes twice, or a file is missing.
    """
    numbered: dict[str, dict[int, Path]] = {split: {} for split in SPLITS}
    for path in files.ending(".tfr"):
        match = _NAME.fullmatch(path.name)
        if match is None or path.parts[-3:-1] != (folder, "targets"):
            continue
        own = numbered[match[1]]
        if int(match[2]) in own:
            raise GenezipError(
                f"{files.listing} lists {path} and {own[int(match[2])]}, which have one number; "
                "keep one of them"
            )
        own[int(match[2])] = path
    for split, own in numbered.items():
        if not own:
            raise GenezipError(
                f"{files.listing} lists no shard {folder}/targets/{split}-*.tfr; fetch all files"
            )
    return [
        Shards(
            split,
            tuple(own[number] for number in sorted(own)),
            tuple(number for number in range(max(own)) if number not in own),
        )
        for split, own in numbered.items()
    ]
