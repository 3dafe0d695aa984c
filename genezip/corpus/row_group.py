"""Windows of a row group as a shard stores them, and decoding those that are wanted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genezip import alphabet
from genezip.errors import GenezipError

_LETTERS = b"ACGTN"
_OTHERS = bytes(code for code in range(256) if code not in _LETTERS)
# Token ids of the five letters; 0 marks one that a shard may not hold.
_IDS = bytes.maketrans(
    _LETTERS + _OTHERS, alphabet.encode(_LETTERS).tobytes() + bytes(len(_OTHERS))
)


@dataclass(frozen=True)
class RowGroup:
    """Windows of one row group as they are stored; :func:`decode` takes those that are wanted.

    Attributes
    ----------
    path : file that they come from, for messages
    codes : uint8 array, shape (n, L)
        ASCII letters.
    offsets : int64 array, shape (n + 1,)
        Runs of window i are ``offsets[i]`` to ``offsets[i + 1]``.
    lengths, classes : int32 and uint8 arrays, shape (runs,)
    """

    path: Path
    codes: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray
    classes: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)


def decode(windows: Sequence[tuple[RowGroup, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Token ids and region classes of windows, given as row group and row in it.

    Returns
    -------
    ids, regions : uint8 arrays, shape (n, L); n is at least 1

    Raises
    ------
    GenezipError
        At a letter that is none of A, C, G, T, N.
    """
    length = windows[0][0].codes.shape[1]
    # One block for both: the allocator keeps it for the next batch, where it would give two
    # back to the system and clear the pages again.
    ids, regions = np.empty((2, len(windows), length), dtype=np.uint8)
    for line, (group, row) in enumerate(windows):
        # one byte per base, where an index of numpy takes eight
        ids[line].data[:] = group.codes[row].tobytes().translate(_IDS)
        runs = slice(group.offsets[row], group.offsets[row + 1])
        regions[line] = group.classes[runs].repeat(group.lengths[runs])
    if not ids.all():
        window, place = np.argwhere(ids == 0)[0]
        group, row = windows[window]
        raise GenezipError(
            f"{group.path} holds the letter {chr(int(group.codes[row, place]))!r} in a sequence, "
            f"which is none of {', '.join(_LETTERS.decode())}; build the corpus again"
        )
    return ids, regions
