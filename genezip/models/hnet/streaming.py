"""Streams: a sequence of any length through a network, block by block in constant memory.

Every state is carried, so blocks of any lengths together give the result of one pass over the
whole sequence. A stream can be copied at any point, so that two continuations share the cost of
their prefix.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from genezip.alphabet import A_ID, T_ID, OneSequence, decode, encode
from genezip.errors import GenezipError
from genezip.models.compressed import Compressed, joined
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.hnet.state import plain, restored
from genezip.models.layers.scan import full_precision

BLOCK_BP = {"cpu": 8192, "cuda": 65_536}  # bases that a stream reads at a time


@dataclass(frozen=True, kw_only=True)
class Block(Compressed):
    """Result of a block of L bases of a stream.

    Attributes
    ----------
    start : position of the block's first base in the sequence
    token_positions : int64 array, shape (M,), base of each token in the sequence: the first of
        its chunk, or the last in architectures whose tokens end their chunks
    """

    start: int
    token_positions: np.ndarray


class Stream:
    """One sequence that is read by a network block by block.

    Parameters
    ----------
    block_bp : bases per forward pass; None for as many as fit the caches of the device
    half : bf16 autocast on a GPU

    Raises
    ------
    GenezipError
        Under the bound ``sequence``, which depends on the whole sequence.
    """

    def __init__(
        self, network: GeneZipNetwork, block_bp: int | None = None, half: bool = False
    ) -> None:
        if network.bound == "sequence":
            raise GenezipError(
                "the bound sequence depends on the whole sequence, so the model can neither stream "
                "nor generate; use the bound causal or none, or independent windows"
            )
        self.network = network
        device = network.embedding.device.type
        self.block_bp = block_bp or BLOCK_BP.get(device, BLOCK_BP["cpu"])
        self.half = half and device == "cuda"
        self.state = network.start()
        self.position = 0
        self._logits: Tensor | None = None  # of the last base, which predict the next one
        # boundary probability of the bases whose token comes in a later block
        self._tokenless = np.zeros(0, dtype=np.float32)

    def copy(self) -> Self:
        """A snapshot; both streams continue independently."""
        other = type(self).__new__(type(self))
        other.network, other.block_bp, other.half = self.network, self.block_bp, self.half
        other.state = self.state.copy()
        other.position = self.position
        other._logits = self._logits
        other._tokenless = self._tokenless
        return other

    def feed(self, sequence: OneSequence, vectors: bool = False) -> Block:
        """Read the next bases, ``block_bp`` at a time.

        Parameters
        ----------
        sequence : one sequence of any length, as for :func:`genezip.alphabet.encode`
        vectors : whether the block has the vector of every base (stage-0 decoder output)
        """
        ids = encode(sequence)
        if len(ids) == 0:
            return self._empty(vectors)
        starts = range(0, len(ids), self.block_bp)
        blocks = [self.feed_ids(ids[at : at + self.block_bp], vectors) for at in starts]
        if len(blocks) == 1:
            return blocks[0]
        first, positions = blocks[0].start, [block.token_positions for block in blocks]
        fields = vars(joined(blocks)) | {"start": first}
        return Block(**fields, token_positions=np.concatenate(positions))

    @torch.inference_mode()
    def feed_ids(
        self, ids: np.ndarray, vectors: bool = False, forced: list[Tensor] | None = None
    ) -> Block:
        """Read one block.

        Parameters
        ----------
        ids : uint8 array of token ids, shape (L,), L at least 1
        vectors : see :meth:`feed`
        forced : masks of this block, shape (1, length), that replace those of the routers
        """
        device = self.network.embedding.device
        batch = torch.from_numpy(np.ascontiguousarray(ids)).to(device).unsqueeze(0)
        state = self.state.copy()  # a block that fails does not change the stream
        with torch.autocast(device.type, torch.bfloat16, enabled=self.half):
            output = self.network(batch, forced=forced, state=state)
        positions = output.token_positions()[0][0].cpu().numpy()
        prob = [routing.boundary_prob[0].cpu().numpy() for routing in output.routings]
        starts, start_prob, tokenless = self._chunks(positions, prob[0] if prob else None)
        block = Block(
            length=len(ids),
            start=self.position,
            token_starts=starts,
            token_positions=self.position + positions,
            tokens=output.tokens[0].cpu().numpy(),
            boundary_prob=prob[0] if prob else None,
            inner_prob=tuple(prob[1:]),
            start_prob=start_prob,
            kept_by=output.kept_by()[0].cpu().numpy(),
            stage_tokens=np.array([int(r.boundary_mask.sum()) for r in output.routings], np.int64),
            bound_active=np.array([bool(r.bound_active()) for r in output.routings], dtype=bool),
            log_prob=self._log_prob(output.logits[0], batch[0]),
            likelihood="exact",
            base_vectors=output.states[0].float().cpu().numpy() if vectors else None,
            mode="stream",
        )
        self.state, self._tokenless = state, tokenless
        self.position += len(ids)
        self._logits = output.logits[0, -1:].clone()
        return block

    def _chunks(
        self, positions: np.ndarray, prob: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """First base of every chunk, relative to the block, and its probability.

        The third result are the probabilities of the bases after the last token, if tokens end
        their chunks: the chunk of the next token begins there.
        """
        if prob is None or not self.network.shape.marks_end:
            return positions, None if prob is None else prob[positions], self._tokenless
        back = len(self._tokenless)
        known = np.concatenate([self._tokenless, prob])
        starts = chunk_starts(positions + back, marks_end=True)
        tokenless = known[positions[-1] + back + 1 :] if len(positions) else known
        return starts - back, known[starts], tokenless

    def _empty(self, vectors: bool) -> Block:
        shape = self.network.shape
        none = np.zeros(0, dtype=np.float32)
        nowhere = np.zeros(0, dtype=np.int64)
        return Block(
            length=0,
            start=self.position,
            token_starts=nowhere,
            token_positions=nowhere,
            tokens=np.zeros((0, shape.d_model[-1]), dtype=np.float32),
            boundary_prob=none if shape.n_stages else None,
            inner_prob=(none,) * (shape.n_stages - 1),
            start_prob=none if shape.n_stages else None,
            kept_by=np.zeros(0, dtype=np.uint8),
            stage_tokens=np.zeros(shape.n_stages, dtype=np.int64),
            bound_active=np.zeros(shape.n_stages, dtype=bool),
            log_prob=none,
            likelihood="exact",
            base_vectors=np.zeros((0, shape.d_model[0]), np.float32) if vectors else None,
            mode="stream",
        )

    def _log_prob(self, logits: Tensor, ids: Tensor) -> np.ndarray:
        first = torch.zeros_like(logits[:1]) if self._logits is None else self._logits
        before = full_precision(torch.cat([first, logits[:-1]]))
        log_prob = -cross_entropy(before, ids.long(), reduction="none")
        unknown = (ids < A_ID) | (ids > T_ID)
        if self._logits is None:
            unknown[0] = True
        return np.asarray(log_prob.masked_fill(unknown, torch.nan).cpu().numpy())

    def next_base(self) -> np.ndarray:
        """Probabilities of A, C, G, T for the next base, float64 (4,); refused before any base."""
        if self._logits is None:
            raise GenezipError("the stream has no base yet; give a prompt of at least one base")
        bases = self._logits[0, A_ID : T_ID + 1].double()
        return np.asarray(torch.softmax(bases, dim=0).cpu().numpy())

    def generate(self, length: int, temperature: float = 1.0, seed: int = 0) -> str:
        """Generate ``length`` bases, one by one.

        A temperature above 1 is more random, below 1 less; 0 takes the most probable base.
        """
        if temperature < 0:
            raise GenezipError(f"temperature is {temperature}; give 0 or more")
        if length < 0:
            raise GenezipError(f"{length} bases cannot be generated; give 0 or more")
        random = np.random.default_rng(seed)
        made = np.empty(length, dtype=np.uint8)
        for number in range(length):
            made[number] = A_ID + _draw(self.next_base(), temperature, random)
            self.feed(made[number : number + 1])
        return decode(made).decode()

    def state_dict(self) -> dict[str, Any]:
        """The state as plain values and tensors (for a resumable file)."""
        return {
            "state": plain(self.state),
            "position": self.position,
            "logits": self._logits,
            "tokenless": torch.from_numpy(self._tokenless.copy()),
        }

    def load_state_dict(self, values: dict[str, Any]) -> None:
        """Continue from a state of :meth:`state_dict` of the same network."""
        device = self.network.embedding.device
        logits = values["logits"]
        self.state = restored(values["state"], device)
        self.position = values["position"]
        self._logits = None if logits is None else logits.to(device)
        self._tokenless = values["tokenless"].numpy()


def chunk_starts(token_positions: np.ndarray, marks_end: bool) -> np.ndarray:
    """First base of the chunk of every token, from the positions of the tokens, int64 (M,)."""
    if not marks_end:
        return token_positions
    return np.append(0, token_positions[:-1] + 1)[: len(token_positions)]


def _draw(probabilities: np.ndarray, temperature: float, random: np.random.Generator) -> int:
    if temperature == 0:
        return int(probabilities.argmax())
    weights = np.exp((np.log(probabilities) - np.log(probabilities.max())) / temperature)
    return int(random.choice(4, p=weights / weights.sum()))
