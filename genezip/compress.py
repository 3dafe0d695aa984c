"""Compress DNA: strings in Python, or FASTA files of any size on the command line.

Raw DNA is enough: nothing here can be given annotation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from genezip.errors import GenezipError
from genezip.models.device import choose_device
from genezip.models.inference import WindowResult, run, run_batch
from genezip.models.network import GeneZipNetwork
from genezip.models.pretrained import ModelCard, load_network
from genezip.vocab import encode


@dataclass(frozen=True)
class Compressed:
    """A compressed sequence of L bases.

    Attributes
    ----------
    tokens : float32 array, shape (M, D)
        Trunk output of every token.
    chunk_bp : int64 array, shape (M,)
        Bases behind each token, summing to L.
    boundary_prob : float32 array, shape (L,)
        Stage-0 boundary probability of every base.
    token_starts : int32 array, shape (M,)
        First base of every chunk.
    bound_bit : bool array, shape (S,)
        Whether floor or ceiling changed the routing of each stage.
    """

    tokens: np.ndarray
    chunk_bp: np.ndarray
    boundary_prob: np.ndarray
    token_starts: np.ndarray
    bound_bit: np.ndarray

    @property
    def bpt(self) -> float:
        """Base pairs per token."""
        return float(self.chunk_bp.sum() / len(self.chunk_bp))


class GeneZip:
    """A trained compressor."""

    def __init__(self, network: GeneZipNetwork, card: ModelCard) -> None:
        self.network = network.eval()
        self.card = card

    @classmethod
    def from_pretrained(cls, folder: str | Path, device: str = "cpu") -> Self:
        """Load a model folder (``config.json`` and ``model.safetensors``).

        ``device`` is ``cpu``, ``cuda`` or ``auto``.
        """
        network, card = load_network(folder)
        return cls(network.to(choose_device(device)), card)

    def compress(self, sequence: str | bytes | np.ndarray) -> Compressed:
        """Compress one sequence in one pass.

        Parameters
        ----------
        sequence : str, bytes or uint8 array of ASCII codes
            DNA of any case; IUPAC codes count as N. Memory grows with the length (about
            50 kB per base for the tiny model): a chromosome goes through
            :meth:`compress_windows` or ``genezip compress``.

        Raises
        ------
        GenezipError
            If the sequence is empty or has a letter that is no base.
        """
        ids = encode(sequence)
        if len(ids) == 0:
            raise GenezipError("the sequence is empty; give at least one base")
        return _compressed(run_batch(self.network, [ids])[0], len(ids))

    def compress_windows(
        self, windows: Iterator[np.ndarray], batch: int = 4
    ) -> Iterator[Compressed]:
        """Compress token-id windows as they come, in constant memory."""
        lengths: list[int] = []

        def noted() -> Iterator[np.ndarray]:
            for window in windows:
                lengths.append(len(window))
                yield window

        for number, result in enumerate(run(self.network, noted(), batch)):
            yield _compressed(result, lengths[number])


def _compressed(result: WindowResult, length: int) -> Compressed:
    chunk_bp = np.diff(np.append(result.token_starts.astype(np.int64), length))
    return Compressed(
        tokens=result.tokens,
        chunk_bp=chunk_bp,
        boundary_prob=result.boundary_prob,
        token_starts=result.token_starts,
        bound_bit=result.bound_bit,
    )
