"""Streams: a sequence of any length through a network, block by block in constant memory.

Every state is carried, so blocks of any lengths together give the result of one pass over the
whole sequence. A stream can be copied at any point, so that two continuations share the cost of
their prefix.
"""

from copy import copy
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from genezip.alphabet import A_ID, T_ID, OneSequence, decode, encode
from genezip.errors import GenezipError
from genezip.models.compressed import Compressed, joined
from genezip.models.hnet.network import GeneZipNetwork, NetworkState, StageState
from genezip.models.layers.scan import full_precision
from genezip.models.layers.stack import StackState
from genezip.models.routing.bounds import CausalState
from genezip.models.routing.learned import RouterState

BLOCK_BP = {"cpu": 8192, "cuda": 65_536}  # bases that a stream reads at a time


@dataclass(frozen=True, kw_only=True, repr=False)
class Block(Compressed):
    """Result of a block of L bases of a stream, whose first base is ``start`` in the sequence.

    ``token_positions``, int64 (M,), is the base of each token in the sequence: the first of its
    chunk, or the last in architectures whose tokens end their chunks.
    """

    start: int
    token_positions: np.ndarray


class Stream:
    """One sequence that is read by a network block by block.

    It is refused under the bound ``sequence``, which depends on the whole sequence. A forward pass
    reads ``block_bp`` bases, by default as many as fit the caches of the device; ``half`` is bf16
    autocast on a GPU.
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
        other = copy(self)
        other.state = self.state.copy()
        return other

    def feed(self, sequence: OneSequence, vectors: bool = False) -> Block:
        """Read the next bases, ``block_bp`` at a time.

        ``vectors`` adds the vector of every base (stage-0 decoder output) to the block.
        """
        ids = encode(sequence)
        starts = range(0, max(len(ids), 1), self.block_bp)
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
        """Read one block of token ids, uint8 (L,); ``vectors`` as in :meth:`feed`.

        ``forced`` masks of this block, shape (1, length), replace those of the routers.
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
        if len(ids):
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

    def _log_prob(self, logits: Tensor, ids: Tensor) -> np.ndarray:
        first = torch.zeros_like(logits[:1]) if self._logits is None else self._logits
        before = full_precision(torch.cat([first, logits])[:-1])
        log_prob = -cross_entropy(before, ids.long(), reduction="none")
        unknown = (ids < A_ID) | (ids > T_ID)
        if self._logits is None:
            unknown[:1] = True
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
            "state": asdict(self.state),
            "position": self.position,
            "logits": self._logits,
            "tokenless": torch.from_numpy(self._tokenless.copy()),
        }

    def load_state_dict(self, values: dict[str, Any]) -> None:
        """Continue from a state of :meth:`state_dict` of the same network."""
        device = self.network.embedding.device
        logits = values["logits"]
        self.state = _restored(self.network.start(), _on(values["state"], device))
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


def _restored(start: NetworkState, values: dict[str, Any]) -> NetworkState:
    """The state of a network from its plain values; ``start`` is any state of the same network."""
    stages = [
        StageState(
            _stack(like.encoder, stage["encoder"]),
            _stack(like.decoder, stage["decoder"]),
            _router(stage["router"]),
            stage["before"],
        )
        for like, stage in zip(start.stages, values["stages"], strict=True)
    ]
    return NetworkState(stages, _stack(start.trunk, values["trunk"]))


def _stack(start: StackState, values: dict[str, Any]) -> StackState:
    pairs = zip(start.mixers, values["mixers"], strict=True)
    return StackState([replace(mixer, **fields) for mixer, fields in pairs])


def _router(values: dict[str, Any]) -> RouterState:
    causal = values["causal"]
    return RouterState(**{**values, "causal": None if causal is None else CausalState(**causal)})


def _on(values: Any, device: torch.device) -> Any:
    if isinstance(values, Tensor):
        return values.to(device)
    if isinstance(values, dict):
        return {key: _on(value, device) for key, value in values.items()}
    return [_on(value, device) for value in values] if isinstance(values, list) else values
