"""Every system keeps to the protocol, and so do the ones that are still to come.

Three toys stand for those: one that adapts while it reads, one with soft boundaries and a
pseudo-likelihood, one whose tokens are ids without vectors.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from toolkit.compressors import check_protocol
from toolkit.dna import random_ids
from toolkit.networks import CAUSAL, DNAHNET, FLAT, FREE, LDARNET, speaking_network, toy_card

from genezip.alphabet import A_ID, OneSequence, encode, is_base
from genezip.models.base import Compressor, Level, PlainCompressor, Sequences, ids_of, lacks
from genezip.models.bpe.compressor import BPE
from genezip.models.bpe.vocabulary import fit_tokenizer
from genezip.models.compressed import Compressed, Embedding, Likelihood, tokens_at
from genezip.models.fixed.compressor import Fixed
from genezip.models.genezip.compressor import GeneZip
from genezip.models.ldarnet.compressor import LDARNet

NETWORKS: dict[str, dict[str, Any]] = {
    "free": FREE,
    "causal": CAUSAL,
    "sequence": {},
    "unet": {"router": ("block", "block"), "stride": (4, 3)},
    "flat": {**FLAT, "trunk_layers": 2},
    "dnahnet": DNAHNET,
    "ldarnet": LDARNET,
}


class Toy(PlainCompressor):
    """Tokens of one sequence at a time, by ``cut``."""

    name = "toy"

    def cut(self, ids: np.ndarray) -> Compressed:
        raise NotImplementedError

    def encode(self, sequences: Sequences) -> list[Compressed]:
        return [self.cut(ids) for ids in ids_of(sequences)]


class Adapting(Toy):
    """Learns how often each base is while it reads; surprising bases begin tokens.

    What it learned is in the stream, so the next sequence is read as the first one was.
    """

    causal = True
    streams = True

    def stream(self) -> "AdaptingStream":
        return AdaptingStream()

    def cut(self, ids: np.ndarray) -> Compressed:
        return self.stream().feed(ids)

    def log_likelihood(self, sequences: Sequences) -> list[Likelihood]:
        return [
            Likelihood(log_prob=one.log_prob, kind="exact", looked_ahead=np.zeros(0, dtype=bool))
            for one in self.encode(sequences)
            if one.log_prob is not None
        ]


class AdaptingStream:
    def __init__(self) -> None:
        self.counts, self.read = np.ones(4), 0

    def feed(self, sequence: OneSequence, vectors: bool = False) -> Compressed:
        if vectors:
            lacks("toy", "vectors")
        ids = encode(sequence)
        log_prob, starts = np.full(len(ids), np.nan, dtype=np.float32), []
        for at, base in enumerate(ids):
            known = bool(is_base(base))
            prob = self.counts[base - A_ID] / self.counts.sum() if known else 0.0
            if self.read == 0 or prob < 0.25:
                starts.append(at)
            if known:
                log_prob[at] = np.log(prob)
                self.counts[base - A_ID] += 1
            self.read += 1
        positions = np.array(starts, dtype=np.int64)
        return tokens_at(len(ids), positions, log_prob=log_prob, likelihood="exact", mode="stream")

    def copy(self) -> Self:
        other = type(self)()
        other.load_state_dict(self.state_dict())
        return other

    def state_dict(self) -> dict[str, Any]:
        return {"counts": self.counts.tolist(), "read": self.read}

    def load_state_dict(self, values: dict[str, Any]) -> None:
        self.counts, self.read = np.array(values["counts"]), values["read"]


class Soft(Toy):
    """Weighs every base as a boundary; tokens are weighted means; guesses from both sides."""

    width = token_width = 5
    gives_prob = True
    likelihood = "pseudo"

    def cut(self, ids: np.ndarray) -> Compressed:
        prob = np.where(ids == np.append(0, ids[:-1]), 0.2, 0.7).astype(np.float32)
        prob[0] = 1
        starts = np.flatnonzero(prob > 0.5)
        weighted = np.add.reduceat(np.eye(5)[ids - A_ID] * prob[:, None], starts)
        tokens = (weighted / np.add.reduceat(prob, starts)[:, None]).astype(np.float32)
        start_prob = prob[starts]
        return tokens_at(len(ids), starts, tokens=tokens, boundary_prob=prob, start_prob=start_prob)

    def embed(self, sequences: Sequences, level: Level = "base") -> list[Embedding]:
        if level == "base":
            vectors = [np.eye(5, dtype=np.float32)[ids - A_ID] for ids in ids_of(sequences)]
            return [Embedding(one, np.arange(len(one))) for one in vectors]
        found = self.encode(sequences)
        return [Embedding(one.tokens, one.token_starts) for one in found if one.tokens is not None]

    def log_likelihood(self, sequences: Sequences) -> list[Likelihood]:
        found = []
        for ids in ids_of(sequences):
            alike = np.append(0, ids[:-1] == ids[1:]) + np.append(ids[:-1] == ids[1:], 0)
            log_prob = np.where(is_base(ids), np.log(0.2 + 0.2 * alike), np.nan)
            found.append(
                Likelihood(
                    log_prob=log_prob.astype(np.float32),
                    kind="pseudo",
                    looked_ahead=np.zeros(1, dtype=bool),
                )
            )
        return found


class Discrete(Toy):
    """A token is a run of one base; its id says which base, and N."""

    vocabulary = 5
    max_bp = 1000

    def cut(self, ids: np.ndarray) -> Compressed:
        starts = np.flatnonzero(ids != np.append(0, ids[:-1]))
        return tokens_at(len(ids), starts, token_ids=ids[starts].astype(np.int64) - A_ID)


def network(name: str) -> GeneZip:
    model = speaking_network(**NETWORKS[name])
    return (LDARNet if name == "ldarnet" else GeneZip)(model, toy_card(model.shape))


def bpe() -> BPE:
    return BPE(fit_tokenizer([random_ids(20_000)], 64, block_bp=50), block_bp=50)


SYSTEMS: dict[str, Callable[[], Compressor]] = {
    **{name: lambda name=name: network(name) for name in NETWORKS},
    "fixed-16": lambda: Fixed(16),
    "fixed-6": lambda: Fixed(6),
    "fixed-1": lambda: Fixed(1),
    "bpe": bpe,
    "adapting": Adapting,
    "soft": Soft,
    "discrete": Discrete,
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_keeps_to_the_protocol(name: str) -> None:
    check_protocol(SYSTEMS[name]())


def test_a_checker_that_finds_what_is_wrong() -> None:
    """Memory that outlives its sequence, tokens that overlap the end, a stream that forgets."""

    class Remembers(Discrete):
        read = 0

        def cut(self, ids: np.ndarray) -> Compressed:
            self.read += 1
            return super().cut(ids[: len(ids) - self.read % 2])

    class Overlaps(Discrete):
        def cut(self, ids: np.ndarray) -> Compressed:
            return tokens_at(
                len(ids), np.array([0, len(ids)]), token_ids=np.zeros(2, dtype=np.int64)
            )

    class Forgets(Adapting):
        def stream(self) -> "AdaptingStream":
            return Forgetful()

    class Forgetful(AdaptingStream):
        def feed(self, sequence: OneSequence, vectors: bool = False) -> Compressed:
            self.counts = np.ones(4)
            return super().feed(sequence, vectors)

    for wrong in (Remembers(), Overlaps(), Forgets()):
        with pytest.raises(AssertionError):
            check_protocol(wrong)


def test_a_ruler_and_a_vocabulary_need_no_torch(tmp_path: Path) -> None:
    bpe().save(tmp_path)
    code = (
        "import sys; from genezip.models import load; "
        f"load('fixed:3').encode(['ACGT']); load({str(tmp_path)!r}).encode(['ACGT']); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
