"""The objective of masked words: a network on words predicts those that are hidden from it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from genezip.config import WordsPretrain
from genezip.corpus.stream import Batches
from genezip.models.bpe.compressor import BPE
from genezip.models.bpe.vocabulary import SPECIAL
from genezip.models.dnazen.ggrams import GGrams, Matches
from genezip.models.dnazen.masking import MASK, MaskedTokens, Masking, mask_tokens
from genezip.models.dnazen.network import WordsNetwork, word_log_prob
from genezip.models.dnazen.prediction import hidden_losses
from genezip.models.dnazen.rows import Rows, blocks_of, masked_rows, matches_of_rows
from genezip.models.masking import TRAINING, VALIDATION
from genezip.training.objectives import Validation
from genezip.training.ranks import ALONE, Ranks
from genezip.training.step import backward


@dataclass(frozen=True)
class WordBatch:
    """Masked rows of a step.

    ``tokens`` are the true ids of each row, int64 (n,), without special tokens around them.
    """

    tokens: list[np.ndarray]
    masked: list[MaskedTokens]
    matches: list[Matches]


class WordRows:
    """Batches of masked rows, made of batches of windows.

    A window is cut into blocks of the vocabulary, each of which is a row. The masks depend on seed,
    step and row only, so neither micro-batches nor processes nor an interruption change them.

    Parameters
    ----------
    batches : batches of windows (``ids``), or of the rows of this process
    first_row : number in the whole batch of the first window
    """

    def __init__(
        self,
        batches: Batches,
        tokenizer: BPE,
        ggrams: GGrams | None,
        settings: WordsPretrain,
        seed: int,
        first_row: int = 0,
    ) -> None:
        self.batches, self.tokenizer, self.ggrams = batches, tokenizer, ggrams
        self.settings, self.seed, self.first_row = settings, seed, first_row
        self.step = 0

    def next_batch(self) -> WordBatch:
        """The next batch, with its masks."""
        windows = self.batches.next_batch()["ids"]
        blocks = len(windows[0]) // self.tokenizer.block_bp
        tokens, _ = blocks_of(self.tokenizer, list(windows))
        first = self.first_row * blocks
        keys = [(TRAINING, self.seed, self.step, first + row) for row in range(len(tokens))]
        self.step += 1
        settings = self.settings
        return masked_batch(
            tokens, self.ggrams, settings.mask_rate, settings.masking, self.tokenizer, keys
        )

    def state_dict(self) -> dict[str, Any]:
        """The next step, and the state of the batches."""
        return {"step": self.step, "windows": self.batches.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the state of other batches."""
        self.step = state["step"]
        self.batches.load_state_dict(state["windows"])


def masked_batch(
    tokens: list[np.ndarray],
    ggrams: GGrams | None,
    rate: float,
    masking: Masking,
    tokenizer: BPE,
    keys: Sequence[Sequence[int]],
) -> WordBatch:
    """Rows with masks; ``keys`` are the seeds of the random numbers of each."""
    matches = matches_of_rows(ggrams, tokens)
    masked = [
        mask_tokens(ids, found, rate, masking, tokenizer.vocabulary, key)
        for ids, found, key in zip(tokens, matches, keys, strict=True)
    ]
    return WordBatch(tokens, masked, matches)


@dataclass
class MaskedWords:
    """Pretraining on words: mean loss of the chosen words of a step.

    Attributes
    ----------
    module, model : the network, and :meth:`Ranks.parallel` of it
    valid : rows of the validation windows, each word masked by itself; may be empty
    """

    shares_validation: ClassVar[bool] = False

    name: str
    label: str
    module: WordsNetwork
    model: nn.Module
    settings: WordsPretrain
    valid: WordBatch
    ranks: Ranks = ALONE
    metric: str = field(default="bits per masked word", init=False)
    remedy: str = field(default="pretrain.learning_rate", init=False)

    def minimise(self, batch: WordBatch) -> tuple[Tensor, Tensor]:
        """Gradients of a batch; the sums are those of :func:`masked_word_loss`."""
        device = self.module.embedding.weight.device
        chosen = torch.tensor(float(sum(one.chosen.sum() for one in batch.masked)), device=device)
        count = self.ranks.add_up(chosen)
        # a micro-batch is a number of windows, which may have several rows
        windows = self.settings.batch // self.ranks.world
        size = max(1, self.settings.micro_batch * len(batch.tokens) // windows)
        parts = [slice(first, first + size) for first in range(0, len(batch.tokens), size)]

        def loss(part: slice) -> tuple[Tensor, Tensor]:
            own = WordBatch(batch.tokens[part], batch.masked[part], batch.matches[part])
            return masked_word_loss(self.model, self.module, own, self.settings, count)

        what = f"a training batch of {self.name}"
        advice = "lower pretrain.micro_batch, or train on shorter windows (corpus.window_bp)"
        return backward(self.model, parts, loss, lambda _: what, self.ranks, advice)

    def figures(self, loss: float, sums: list[float]) -> dict[str, Any]:
        """Losses (nats), shares of tokens and of G-grams.

        ``masked_loss`` is of all chosen words, which the kept ones flatter; ``mask_loss`` and
        ``mask_accuracy`` are at ``[MASK]``. ``masked_share`` is the share of the words that is
        chosen, ``visible_share`` that of the matches that is visible, and ``cut_ggrams`` the number
        of G-grams of a row, in the mean, that were left out as too many.
        """
        nll, hidden, right, chosen, words, visible, matches, cut, rows = sums
        return {
            "masked_loss": loss,
            "mask_loss": nll / max(hidden, 1),
            "mask_accuracy": right / max(hidden, 1),
            "masked_share": chosen / max(words, 1),
            "visible_share": visible / matches if matches else None,
            "cut_ggrams": cut / max(rows, 1),
        }

    def shown(self, figures: dict[str, Any]) -> dict[str, str]:
        """Bits per masked word, and the share that is masked."""
        bits = figures["mask_loss"] / math.log(2)
        return {"bits": f"{bits:.3f}", "masked": f"{figures['masked_share']:.3f}"}

    def validate(self) -> Validation:
        """Bits per masked word of the validation windows; the fewest are best."""
        found = validate_words(self.module, self.valid)
        message = (
            f"{found['word_bits']:.4f} bits per masked word, accuracy {found['word_accuracy']:.3f}"
        )
        return Validation(-found["word_bits"], found, message)


def masked_word_loss(
    model: nn.Module,
    network: WordsNetwork,
    batch: WordBatch,
    settings: WordsPretrain,
    count: Tensor,
) -> tuple[Tensor, Tensor]:
    """Share of a micro-batch in the loss of its step (scalar), and sums for its figures.

    The sums are loss (nats), number and right ones at ``[MASK]``; chosen words and all words;
    visible matches and all; G-grams that were left out as too many; rows. ``count`` is the number
    of chosen words of the whole step.
    """
    device = network.embedding.weight.device
    rows = masked_rows(batch.masked, batch.matches, network.shape.most_ggrams)
    place, truth, hidden = _targets(batch, rows)
    given = [torch.from_numpy(one).to(device) for one in (rows.ids, rows.valid, rows.ggrams)]
    covers = torch.from_numpy(rows.covers).to(device)
    bf16 = settings.precision == "bf16"
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
        states = model(*given, covers)
        log_prob = word_log_prob(network.logits(states.flatten(0, 1)[place.to(device)]))
    truth, hidden = truth.to(device), hidden.to(device)
    nll = -log_prob.gather(1, truth[:, None])[:, 0]
    right = (log_prob.argmax(dim=1) == truth) & hidden
    facts = [
        (nll.detach() * hidden).sum().double(), hidden.sum().double(), right.sum().double(),
    ]  # fmt: skip
    words = sum(int((ids >= len(SPECIAL)).sum()) for ids in batch.tokens)
    visible = sum(int(one.visible.sum()) for one in batch.masked)
    counts = [len(truth), words, visible, sum(map(len, batch.matches)), rows.cut.sum(), len(rows)]
    numbers = torch.tensor([float(one) for one in counts], dtype=torch.float64, device=device)
    return nll.sum() / count.clamp(min=1), torch.cat([torch.stack(facts), numbers])


def _targets(batch: WordBatch, rows: Rows) -> tuple[Tensor, Tensor, Tensor]:
    """Places of the chosen words in the flat rows, their true numbers, and whether at [MASK]."""
    width = rows.ids.shape[1]
    places, truth, hidden = [], [], []
    for row, (ids, one) in enumerate(zip(batch.tokens, batch.masked, strict=True)):
        at = np.flatnonzero(one.chosen)
        places.append(row * width + 1 + at)
        truth.append(ids[at] - len(SPECIAL))
        hidden.append(one.ids[at] == MASK)
    found = (torch.from_numpy(np.concatenate(column)) for column in (places, truth, hidden))
    place, true, masked = found
    return place, true, masked


def validation_batch(
    tokenizer: BPE, ggrams: GGrams | None, windows: np.ndarray, rate: float
) -> WordBatch:
    """Validation rows, whose masks are the same for every network on the same words."""
    tokens, _ = blocks_of(tokenizer, list(windows))
    keys = [(VALIDATION, row) for row in range(len(tokens))]
    return masked_batch(tokens, ggrams, rate, "token", tokenizer, keys)


def validate_words(network: WordsNetwork, batch: WordBatch) -> dict[str, Any]:
    """Prediction of hidden words: ``word_bits`` and ``word_accuracy`` at ``[MASK]``, ``rows``."""
    found = hidden_losses(network, batch.tokens, batch.masked, batch.matches)
    nll = np.concatenate([one.nll for one in found]) if found else np.zeros(0)
    right = np.concatenate([one.right for one in found]) if found else np.zeros(0)
    count = max(len(nll), 1)
    return {
        "word_bits": float(nll.sum() / count / math.log(2)),
        "word_accuracy": float(right.sum() / count),
        "rows": len(batch.tokens),
    }
