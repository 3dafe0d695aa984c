"""Run a network on words over rows, without gradients: states, and losses of masked words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genezip.models.bpe.vocabulary import SPECIAL
from genezip.models.dnazen.ggrams import GGrams, Matches
from genezip.models.dnazen.masking import MaskedTokens
from genezip.models.dnazen.network import WordsNetwork, word_log_prob
from genezip.models.dnazen.rows import Rows, make_rows, masked_rows

BATCH_TOKENS = {"cpu": 2_048, "cuda": 65_536}


def states_of(network: WordsNetwork, rows: Rows) -> Tensor:
    """States of the tokens of some rows, (B, T, width), special ones included."""
    device = network.embedding.weight.device
    given = (torch.from_numpy(one).to(device) for one in (rows.ids, rows.valid, rows.ggrams))
    covers = torch.from_numpy(rows.covers).to(device)
    found: Tensor = network(*given, covers)
    return found


def batches(tokens: Sequence[np.ndarray], most: int) -> Iterator[np.ndarray]:
    """Numbers of rows, int64, so that each batch has about ``most`` tokens with its padding.

    Rows of similar length are together.
    """
    lengths = np.array([len(one) for one in tokens])
    order = np.argsort(lengths, kind="stable")
    first = 0
    for last in range(1, len(order) + 1):
        if last == len(order) or (last + 1 - first) * (lengths[order[last]] + 2) > most:
            yield order[first:last]
            first = last


@torch.no_grad()
def token_vectors(
    network: WordsNetwork, tokens: Sequence[np.ndarray], matches: Sequence[Matches]
) -> list[np.ndarray]:
    """States of the tokens of several rows: float32 (n, width) each, without special ones."""
    found: list[np.ndarray] = [np.zeros((0, network.shape.width), np.float32)] * len(tokens)
    most = BATCH_TOKENS[network.embedding.weight.device.type]
    for part in batches(tokens, most):
        own = [tokens[row] for row in part]
        rows = make_rows(own, [matches[row] for row in part], network.shape.most_ggrams)
        states = states_of(network, rows).float().cpu().numpy()
        for number, row in enumerate(part):
            found[row] = states[number, 1 : len(tokens[row]) + 1]
    return found


@dataclass(frozen=True)
class WordLosses:
    """Prediction of the hidden tokens of a row.

    ``nll`` is minus the natural log of the probability of each true token, float64 (k,), and
    ``right``, bool (k,), whether it is the most probable one.
    """

    nll: np.ndarray
    right: np.ndarray


@torch.no_grad()
def hidden_losses(
    network: WordsNetwork,
    tokens: Sequence[np.ndarray],
    masked: Sequence[MaskedTokens],
    matches: Sequence[Matches],
) -> list[WordLosses]:
    """Losses of the tokens of several rows that are replaced by ``[MASK]``, in their order."""
    found: list[WordLosses] = [WordLosses(np.zeros(0), np.zeros(0, dtype=bool))] * len(tokens)
    most = BATCH_TOKENS[network.embedding.weight.device.type]
    for part in batches(tokens, most):
        own = [masked[row] for row in part]
        rows = masked_rows(own, [matches[row] for row in part], network.shape.most_ggrams)
        states = states_of(network, rows)
        for number, row in enumerate(part):
            at = np.flatnonzero(masked[row].hidden)
            if not len(at):
                continue
            log_prob = word_log_prob(network.logits(states[number, at + 1])).double().cpu().numpy()
            truth = tokens[row][at] - len(SPECIAL)
            nll = -log_prob[np.arange(len(at)), truth]
            found[row] = WordLosses(nll, log_prob.argmax(axis=1) == truth)
    return found


def check_table(table: GGrams | None, network: WordsNetwork) -> bool:
    """Whether a table, or the absence of one, is of the size that the network was made for."""
    size = network.shape.ggrams if network.shape.reads_ggrams else None
    return (None if table is None else len(table)) == size
