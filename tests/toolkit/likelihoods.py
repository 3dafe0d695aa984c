"""Compressors whose likelihood is a chain of order 1, so that scores are easy to foretell."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from genezip.alphabet import A_ID, N_ID, OneSequence, encode, is_base
from genezip.models.base import PlainCompressor, Sequences, ids_of
from genezip.models.compressed import Compressed, Likelihood, LikelihoodKind, tokens_at

# Log-probability of a base (column) after a base (row), both A, C, G, T, in whole 1/64, so that
# sums have no rounding and ties stay ties.
_SHARES = [
    [0.4, 0.1, 0.3, 0.2], [0.25, 0.3, 0.15, 0.3], [0.1, 0.45, 0.25, 0.2], [0.2, 0.2, 0.35, 0.25]
]  # fmt: skip
CHAIN = np.round(np.log(_SHARES) * 64) / 64


def chain_log_prob(ids: np.ndarray, before: int | None = None) -> np.ndarray:
    """Log-probability of every base under the chain, float32; NaN without a known base before."""
    left = np.concatenate([[N_ID if before is None else before], ids[:-1]])
    known = is_base(left) & is_base(ids)
    found = np.full(len(ids), np.nan, dtype=np.float32)
    found[known] = CHAIN[left[known] - A_ID, ids[known] - A_ID]
    return found


class ChainStream:
    """A stream of the chain: its state is the last base."""

    def __init__(self, last: int | None = None) -> None:
        self.last = last
        self.fed = 0

    def feed(self, sequence: OneSequence, vectors: bool = False) -> Compressed:
        ids = encode(sequence)
        found = chain_log_prob(ids, self.last)
        self.last, self.fed = int(ids[-1]), self.fed + len(ids)
        return tokens_at(len(ids), np.arange(len(ids)), log_prob=found, likelihood="exact")

    def copy(self) -> Self:
        return type(self)(self.last)

    def state_dict(self) -> dict[str, Any]:
        return {"last": self.last}

    def load_state_dict(self, values: dict[str, Any]) -> None:
        self.last = values["last"]


class Chain(PlainCompressor):
    """The chain as a compressor with a likelihood and without vectors and ids."""

    name = "chain"
    causal = True
    likelihood: LikelihoodKind | None = "exact"

    @property
    def facts(self) -> Mapping[str, Any]:
        return {"name": self.name, "streams": self.streams}

    def encode(self, sequences: Sequences) -> list[Compressed]:
        return [tokens_at(len(ids), np.arange(len(ids))) for ids in ids_of(sequences)]

    def log_likelihood(self, sequences: Sequences) -> list[Likelihood]:
        assert self.likelihood is not None
        return [
            Likelihood(
                log_prob=chain_log_prob(ids),
                kind=self.likelihood,
                looked_ahead=np.array([self.likelihood == "looked_ahead"]),
            )
            for ids in ids_of(sequences)
        ]


class StreamedChain(Chain):
    """The chain that also streams."""

    name = "streamed-chain"
    streams = True

    def stream(self) -> ChainStream:
        return ChainStream()


class PseudoChain(Chain):
    """The chain, whose likelihood is said to be a pseudo-likelihood."""

    name = "pseudo-chain"
    likelihood: LikelihoodKind | None = "pseudo"


class MaskedChain(PlainCompressor):
    """It predicts a masked base from the base before and the base behind, by the chain."""

    name = "masked-chain"
    likelihood: LikelihoodKind | None = "pseudo"

    def encode(self, sequences: Sequences) -> list[Compressed]:
        return [tokens_at(len(ids), np.arange(len(ids))) for ids in ids_of(sequences)]

    def masked_log_prob(
        self,
        sequences: Sequences,
        positions: Sequence[Sequence[int] | np.ndarray],
        together: bool = False,
    ) -> list[np.ndarray]:
        return [
            np.array([masked_row(ids, int(at), own if together else [at]) for at in own])
            for ids, own in zip(ids_of(sequences), positions, strict=True)
        ]


def masked_row(ids: np.ndarray, at: int, hidden: Any) -> np.ndarray:
    """Log-probabilities of A, C, G, T at a base, float64 (4,); hidden neighbours say nothing."""
    logits = np.zeros(4)
    for place, table in ((at - 1, CHAIN), (at + 1, CHAIN.T)):
        if (
            0 <= place < len(ids)
            and place not in list(hidden)
            and is_base(ids[place : place + 1])[0]
        ):
            logits = logits + table[ids[place] - A_ID]
    return np.asarray(logits - np.log(np.exp(logits).sum()))
