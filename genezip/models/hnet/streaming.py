"""A sequence of any length through a network in constant memory, block by block.

What the whole sequence gives in one pass, its blocks give in turn, of whatever lengths they
are: every state is carried. A stream can be copied at any point, so two continuations of a
shared prefix cost one prefix.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from genezip.alphabet import A_ID, T_ID, OneSequence, decode, encode
from genezip.errors import GenezipError
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.hnet.stream_state import plain, restored
from genezip.models.layers.scan import full_precision


@dataclass(frozen=True)
class Block:
    """What a block of L bases added to a stream.

    Attributes
    ----------
    start : position of its first base in the sequence
    log_prob : float array, shape (L,), natural log of the probability of each base given all
        before it; NaN where it is not predicted (first base of the sequence, N)
    boundary_prob : one float array per stage, of the positions that entered the stage: the
        L bases, then the tokens of stage 0 in this block, ...
    token_positions : int64 array, shape (M,), base in the sequence where each token stands
    kept_by : uint8 array, shape (M,), codes of :data:`genezip.models.routing.learned.KEPT_BY`
    tokens : float array, shape (M, D), trunk output after its closing norm
    bound_bit : bool array, shape (S,), whether the bound changed the mask of each stage
    states : float32 array, shape (L, d_model[0]), one vector per base (stage-0 decoder
        output); None unless they were asked for
    """

    start: int
    log_prob: np.ndarray
    boundary_prob: list[np.ndarray]
    token_positions: np.ndarray
    kept_by: np.ndarray
    tokens: np.ndarray
    bound_bit: np.ndarray
    states: np.ndarray | None = None


class Stream:
    """One sequence on its way through a network.

    Raises
    ------
    GenezipError
        If the network obeys the bound ``sequence``, which needs the whole sequence at once.
    """

    def __init__(self, network: GeneZipNetwork) -> None:
        if network.bound == "sequence":
            raise GenezipError(
                "the bound sequence looks at the whole sequence, so it can be neither streamed "
                "nor generated from; use the bound causal or none, or go window by window"
            )
        self.network = network
        self.state = network.start()
        self.position = 0
        self._logits: Tensor | None = None  # of the last base: they predict the next one

    def copy(self) -> Self:
        """A snapshot: both go on independently from here."""
        other = type(self).__new__(type(self))
        other.network = self.network
        other.state = self.state.copy()
        other.position = self.position
        other._logits = self._logits
        return other

    def feed(self, sequence: OneSequence) -> Block:
        """Read on; ``sequence`` as for :func:`genezip.alphabet.encode`, and one, not a list."""
        return self.feed_ids(encode(sequence))

    @torch.inference_mode()
    def feed_ids(
        self, ids: np.ndarray, forced: list[Tensor] | None = None, keep_states: bool = False
    ) -> Block:
        """Read on.

        Parameters
        ----------
        ids : uint8 array of token ids, shape (L,); L may be 0
        forced : masks of this block to use instead of the model's own, shape (1, length)
        keep_states : whether the block brings the vector of every base
        """
        device = self.network.embedding.device
        batch = torch.from_numpy(np.ascontiguousarray(ids)).to(device).unsqueeze(0)
        start = self.position
        if len(ids) == 0:
            stages = self.network.shape.n_stages
            empty = np.zeros(0, dtype=np.float32)
            width = self.network.shape.d_model[-1]
            return Block(
                start,
                empty,
                [empty] * stages,
                np.zeros(0, dtype=np.int64),
                np.zeros(0, dtype=np.uint8),
                np.zeros((0, width), dtype=np.float32),
                np.zeros(stages, dtype=bool),
                np.zeros((0, self.network.shape.d_model[0]), np.float32) if keep_states else None,
            )
        state = self.state.copy()  # a block that fails leaves the stream where it was
        output = self.network(batch, forced=forced, state=state)
        positions, _ = output.token_positions()
        block = Block(
            start=start,
            log_prob=self._log_prob(output.logits[0], batch[0]),
            boundary_prob=[r.boundary_prob[0].cpu().numpy() for r in output.routings],
            token_positions=start + positions[0].cpu().numpy(),
            kept_by=output.kept_by()[0].cpu().numpy(),
            tokens=output.tokens[0].cpu().numpy(),
            bound_bit=np.array([bool(r.bound_bit()) for r in output.routings], dtype=bool),
            states=output.states[0].float().cpu().numpy() if keep_states else None,
        )
        self.state = state
        self.position += len(ids)
        self._logits = output.logits[0, -1:].clone()
        return block

    def _log_prob(self, logits: Tensor, ids: Tensor) -> np.ndarray:
        first = torch.zeros_like(logits[:1]) if self._logits is None else self._logits
        before = full_precision(torch.cat([first, logits[:-1]]))
        log_prob = -cross_entropy(before, ids.long(), reduction="none")
        unknown = (ids < A_ID) | (ids > T_ID)
        if self._logits is None:
            unknown[0] = True
        return np.asarray(log_prob.masked_fill(unknown, torch.nan).cpu().numpy())

    def next_base(self) -> np.ndarray:
        """Probabilities of A, C, G, T for the next base, float64 array of shape (4,).

        Raises
        ------
        GenezipError
            Before the first base: the model starts from one.
        """
        if self._logits is None:
            raise GenezipError("nothing was read yet; give a prompt of at least one base")
        bases = self._logits[0, A_ID : T_ID + 1].double()
        return np.asarray(torch.softmax(bases, dim=0).cpu().numpy())

    def generate(self, length: int, temperature: float = 1.0, seed: int = 0) -> str:
        """Continue the sequence base by base.

        Parameters
        ----------
        length : bases to generate
        temperature : above 1 more random, below 1 less; 0 takes the most probable base
        """
        if temperature < 0:
            raise GenezipError(f"temperature is {temperature}; give 0 or more")
        if length < 0:
            raise GenezipError(f"{length} bases cannot be generated; give 0 or more")
        random = np.random.default_rng(seed)
        made = np.empty(length, dtype=np.uint8)
        for number in range(length):
            made[number] = A_ID + _draw(self.next_base(), temperature, random)
            self.feed_ids(made[number : number + 1])
        return decode(made).decode()

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands, as plain values and tensors (for a resumable file)."""
        return {"state": plain(self.state), "position": self.position, "logits": self._logits}

    def load_state_dict(self, values: dict[str, Any]) -> None:
        """Go on from where :meth:`state_dict` was taken, of the same network."""
        device = self.network.embedding.device
        logits = values["logits"]
        self.state = restored(values["state"], device)
        self.position = values["position"]
        self._logits = None if logits is None else logits.to(device)


def chunk_starts(token_positions: np.ndarray, marks_end: bool) -> np.ndarray:
    """First base of the chunk of every token, from where the tokens stand (int64, (M,))."""
    if not marks_end:
        return token_positions
    return np.append(0, token_positions[:-1] + 1)[: len(token_positions)]


def _draw(probabilities: np.ndarray, temperature: float, random: np.random.Generator) -> int:
    if temperature == 0:
        return int(probabilities.argmax())
    weights = np.exp((np.log(probabilities) - np.log(probabilities.max())) / temperature)
    return int(random.choice(4, p=weights / weights.sum()))
