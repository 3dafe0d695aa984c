"""Random bases: as text, as ids, and as batches of ids.

``seed`` may be a NumPy generator, from which the next numbers are drawn.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from genezip.alphabet import A_ID, N_ID, T_ID

Seed = int | np.random.Generator
_COMPLEMENT = str.maketrans("ACGTN", "TGCAN")


def random_dna(
    length: int, seed: Seed = 0, letters: str = "ACGT", p: Sequence[float] | None = None
) -> str:
    """Letters, each with its probability (the same for all unless given)."""
    return "".join(np.random.default_rng(seed).choice(list(letters), length, p=p))


def random_ids(length: int, seed: Seed = 0) -> np.ndarray:
    """uint8 [length]: ids of A, C, G, T."""
    return np.random.default_rng(seed).integers(A_ID, T_ID + 1, length).astype(np.uint8)


def random_ids_and_n(length: int, seed: Seed = 0) -> np.ndarray:
    """uint8 [length]: ids of A, C, G, T and, one in 25, N."""
    p = [0.24, 0.24, 0.24, 0.24, 0.04]
    ids = np.arange(A_ID, N_ID + 1)
    return np.random.default_rng(seed).choice(ids, length, p=p).astype(np.uint8)


def random_batch(length: int, rows: int = 1, seed: int = 0) -> torch.Tensor:
    """int64 [rows, length]: ids of A, C, G, T."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(A_ID, T_ID + 1, (rows, length), generator=draw)


def reverse_complement(text: str) -> str:
    """The other strand of upper-case letters."""
    return text.translate(_COMPLEMENT)[::-1]


def fasta(records: Mapping[str, str]) -> str:
    """A FASTA file, one line per sequence."""
    return "".join(f">{name}\n{text}\n" for name, text in records.items())
