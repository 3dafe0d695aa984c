"""Windows in one padded batch through a network, with plain arrays as results."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from genezip.alphabet import PAD_ID
from genezip.models.compressed import Compressed, LikelihoodKind
from genezip.models.hnet.losses import base_nll
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.hnet.output import Output


def padded(windows: Sequence[np.ndarray], device: torch.device) -> tuple[Tensor, Tensor]:
    """One batch of windows of any lengths, padded at their ends.

    The results are the ids, uint8 (B, L), and a bool mask (B, L), False at padding.
    """
    longest = max(len(window) for window in windows)
    ids = np.full((len(windows), longest), PAD_ID, dtype=np.uint8)
    for row, window in enumerate(windows):
        ids[row, : len(window)] = window
    lengths = np.array([len(window) for window in windows])
    valid = np.arange(longest) < lengths[:, None]
    return torch.from_numpy(ids).to(device), torch.from_numpy(valid).to(device)


@torch.inference_mode()
def base_states(network: GeneZipNetwork, windows: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Vector of every base of each window: float32 arrays, shape (L, d_model[0])."""
    ids, valid = padded(windows, network.embedding.device)
    equal = len({len(window) for window in windows}) == 1
    states = network(ids, None if equal else valid).states.float().cpu().numpy()
    return [states[row, : len(window)] for row, window in enumerate(windows)]


@torch.inference_mode()
def run_batch(
    network: GeneZipNetwork, windows: Sequence[np.ndarray], vectors: bool = False
) -> list[Compressed]:
    """Compress windows of any lengths (uint8 token ids, at least one) in one forward pass, in fp32.

    Under a U-Net a window shorter than a block has no token. A network of both directions gives no
    log-probabilities, since it has read the bases that it would predict (:func:`masked_base`).
    ``vectors`` adds the vector of every base, that of :func:`base_states`.
    """
    batch, valid = padded(windows, network.embedding.device)
    output = network(batch, valid)
    log_prob = _next_base(network, output, batch)
    tokens = output.tokens.cpu().numpy()
    states = output.states.float().cpu().numpy() if vectors else None
    results = []
    for row, one in enumerate(_routed(windows, output)):
        looked_ahead = network.bound == "sequence" and bool(one.bound_active.any())
        kind: LikelihoodKind = "looked_ahead" if looked_ahead else "exact"
        results.append(
            replace(
                one,
                tokens=tokens[row, : len(one.token_starts)].astype(np.float32),
                log_prob=None if log_prob is None else log_prob[row][: one.length],
                likelihood=None if log_prob is None else kind,
                base_vectors=None if states is None else states[row, : one.length],
            )
        )
    return results


@torch.inference_mode()
def route_batch(network: GeneZipNetwork, windows: Sequence[np.ndarray]) -> list[Compressed]:
    """The results of :func:`run_batch` without vectors and log-probabilities, in less time.

    Only encoders and routers are run.
    """
    batch, valid = padded(windows, network.embedding.device)
    return _routed(windows, network.route(batch, valid))


def _routed(windows: Sequence[np.ndarray], output: Output) -> list[Compressed]:
    """Tokens of each window, and why they are tokens."""
    starts, real = output.token_starts()
    first, is_token, kept_by = (t.cpu().numpy() for t in (starts, real, output.kept_by()))
    stages = [
        (
            routing.boundary_prob.float().cpu().numpy(),
            routing.valid.cpu().numpy(),
            routing.boundary_mask.sum(1).cpu().numpy(),
            routing.bound_active().cpu().numpy(),
        )
        for routing in output.routings
    ]
    results = []
    for row, window in enumerate(windows):
        here = is_token[row]
        token_starts = first[row][here].astype(np.int64)
        probs = [prob[row][inside[row]] for prob, inside, _, _ in stages]
        results.append(
            Compressed(
                length=len(window),
                token_starts=token_starts,
                boundary_prob=probs[0] if probs else None,
                inner_prob=tuple(probs[1:]),
                start_prob=probs[0][token_starts] if probs else None,
                kept_by=kept_by[row][here],
                stage_tokens=np.array([kept[row] for _, _, kept, _ in stages], dtype=np.int64),
                bound_active=np.array([changed[row] for *_, changed in stages], dtype=bool),
            )
        )
    return results


def _next_base(network: GeneZipNetwork, output: Output, ids: Tensor) -> np.ndarray | None:
    """Log-probability of every base given those before it, (B, L); None for both directions."""
    if network.shape.direction == "both":
        return None
    nll, informative = base_nll(output.logits, ids)
    nll = nn.functional.pad(nll.masked_fill(~informative, torch.nan), (1, 0), value=torch.nan)
    return -nll.cpu().numpy()


@torch.inference_mode()
def masked_base(
    network: GeneZipNetwork, windows: Sequence[np.ndarray], positions: Sequence[int]
) -> np.ndarray:
    """Log-probabilities of A, C, G, T at one masked position of each window, float32 (n, 4).

    ``windows`` are uint8 ids with :data:`~genezip.alphabet.MASK_ID` at ``positions``, for a network
    of both directions. All rows of the vocabulary share the probability, as in training.
    """
    batch, valid = padded(windows, network.embedding.device)
    equal = len({len(window) for window in windows}) == 1
    logits = network(batch, None if equal else valid).logits
    at = torch.as_tensor(positions, device=logits.device)
    here = logits[torch.arange(len(at), device=logits.device), at]
    return here.float().log_softmax(-1)[:, network.base_columns].cpu().numpy()


@dataclass(frozen=True)
class BasePrediction:
    """Prediction of the bases of a sequence that may hold MASK, by a network of both directions.

    ``log_prob``, float32 (L, 4), is the natural log of the probabilities of A, C, G and T at every
    position, with which the other rows of the vocabulary share, as in :func:`masked_base`;
    ``tokens`` is the number of tokens of the last stage.
    """

    log_prob: np.ndarray
    tokens: int


@torch.inference_mode()
def _predicted(network: GeneZipNetwork, windows: Sequence[np.ndarray]) -> list[BasePrediction]:
    ids, valid = padded(windows, network.embedding.device)
    output = network(ids, valid)
    log_prob = output.logits.float().log_softmax(-1)[..., network.base_columns].cpu().numpy()
    tokens = output.token_positions()[1].sum(1).tolist()
    found = zip(windows, log_prob, tokens, strict=True)
    return [BasePrediction(one[: len(window)], count) for window, one, count in found]


def predict_bases(
    network: GeneZipNetwork, windows: Iterable[np.ndarray], batch: int
) -> Iterator[BasePrediction]:
    """Predict the bases of windows of any lengths (uint8 token ids) in batches, in fp32."""
    for together in _batches(windows, batch):
        yield from _predicted(network, together)


def run(network: GeneZipNetwork, windows: Iterable[np.ndarray], batch: int) -> Iterator[Compressed]:
    """Compress windows in batches of ``batch``, in constant memory."""
    for together in _batches(windows, batch):
        yield from run_batch(network, together)


def route(
    network: GeneZipNetwork, windows: Iterable[np.ndarray], batch: int
) -> Iterator[Compressed]:
    """The results of :func:`run` without vectors and log-probabilities (:func:`route_batch`)."""
    for together in _batches(windows, batch):
        yield from route_batch(network, together)


def _batches(windows: Iterable[np.ndarray], batch: int) -> Iterator[list[np.ndarray]]:
    waiting = iter(windows)
    while together := list(islice(waiting, batch)):
        yield together
