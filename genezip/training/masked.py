"""The objective of masked bases: a bidirectional network predicts what is hidden from it.

The network reads windows in which bases are hidden (:mod:`genezip.models.masking`) and predicts
them at their own positions. It cuts what it reads, so neither the tokens nor the logits know a
hidden base.
"""

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from genezip.alphabet import A_ID, MASK_ID
from genezip.config import Pretrain
from genezip.corpus.stream import Batch, Batches
from genezip.models.hnet.losses import masked_nll
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.hnet.windows import predict_bases
from genezip.models.masking import TRAINING, VALIDATION, mask_rows, score_bases
from genezip.training.objectives import NextBase, Validation, figures, validate, with_ratio_loss
from genezip.training.step import backward, memory_advice

_MASK_SUMS = 3  # further sums of a step: loss at MASK, bases at MASK, right ones


class MaskedWindows:
    """Batches of windows with hidden bases: ``given``, uint8, and ``chosen``, bool, (rows, L).

    The masks depend on seed, step and row of the batch only, so neither micro-batches nor
    processes nor an interruption change them.

    Parameters
    ----------
    batches : batches of windows (``ids``), or of the rows of this process
    rate : share of the bases that is chosen
    first_row : number in the whole batch of the first row
    """

    def __init__(self, batches: Batches, rate: float, seed: int, first_row: int = 0) -> None:
        self.batches, self.rate, self.seed, self.first_row = batches, rate, seed, first_row
        self.step = 0

    def next_batch(self) -> Batch:
        """The next batch, with its masks."""
        batch = self.batches.next_batch()
        rows = range(self.first_row, self.first_row + len(batch["ids"]))
        keys = [(TRAINING, self.seed, self.step, row) for row in rows]
        masked = mask_rows(batch["ids"], self.rate, keys)
        self.step += 1
        return {**batch, "given": masked.ids, "chosen": masked.chosen}

    def state_dict(self) -> dict[str, Any]:
        """The next step, and the state of the batches."""
        return {"step": self.step, "windows": self.batches.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the state of other batches."""
        self.step = state["step"]
        self.batches.load_state_dict(state["windows"])


@dataclass
class MaskedBase(NextBase):
    """Pretraining: loss of the chosen bases and ``alpha`` times the ratio loss (RAR).

    The loss is the mean over the chosen bases of the whole step (all processes, all micro-batches).
    Attributes are those of :class:`NextBase`. Batches are those of :class:`MaskedWindows`.
    """

    shares_validation: ClassVar[bool] = False

    metric: str = field(default="bits per masked base", init=False)
    best: str = field(default="mask_bits", init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.module.protect_masked = self.settings.protect_masked

    def minimise(self, batch: dict[str, np.ndarray]) -> tuple[Tensor, Tensor]:
        """Gradients of a batch; the sums are those of :func:`masked_base_loss`."""
        arrays = (torch.from_numpy(batch[key]) for key in ("ids", "given", "chosen", "regions"))
        ids, given, chosen, regions = (tensor.to(self.targets.device) for tensor in arrays)
        rows, world, size = len(ids), self.ranks.world, self.settings.micro_batch
        assert rows * world == self.settings.batch, "not the rows of this process"
        count = self.ranks.add_up(chosen.sum())
        columns = self.module.base_columns

        def loss(part: slice) -> tuple[Tensor, Tensor]:
            share = len(ids[part]) / (rows * world)
            read = ids[part], given[part], chosen[part], regions[part]
            return masked_base_loss(
                self.model, columns, *read, self.targets, self.settings, count, share
            )

        parts = [slice(start, start + size) for start in range(0, rows, size)]
        what = f"a training batch of {self.name}"
        advice = memory_advice(self.settings, min(size, rows))
        return backward(self.model, parts, loss, lambda _: what, self.ranks, advice)

    def figures(self, loss: float, sums: list[float]) -> dict[str, Any]:
        """Those of :func:`figures`, and loss (nats) and share of right bases at MASK.

        ``masked_loss`` is that of all chosen bases, which the kept ones flatter.
        """
        stages, classes = self.module.shape.n_stages, len(self.region_classes)
        windows = self.settings.batch
        bases = windows * self.window_bp
        found = figures(sums[:-_MASK_SUMS], windows, bases, stages, classes, "masked_loss")
        nll, count, right = sums[-_MASK_SUMS:]
        hidden = max(count, 1)
        return {**found, "mask_loss": nll / hidden, "mask_accuracy": right / hidden}

    def shown(self, figures: dict[str, Any]) -> dict[str, str]:
        """Bits per masked base and bp per token."""
        bits = figures["mask_loss"] / math.log(2)
        return {"bits": f"{bits:.3f}", "bpt": f"{figures['bpt']:.1f}"}

    def validate(self) -> Validation:
        """Metrics on the validation windows; fewest bits per masked base are best."""
        classes = self.region_classes
        whole = validate(self.module, self.valid_ids, self.valid_regions, self.target_bpt, classes)
        found = {**validate_masked(self.module, self.valid_ids, self.settings.mask_rate), **whole}
        message = (
            f"{found['mask_bits']:.4f} bits per masked base, accuracy "
            f"{found['mask_accuracy']:.3f}, bpt {found['masked_bpt']:.2f} with masks and "
            f"{found['bpt']:.2f} without"
        )
        return Validation(-found["mask_bits"], found, message)


def masked_base_loss(
    model: nn.Module,
    columns: slice,
    ids: Tensor,
    given: Tensor,
    chosen: Tensor,
    regions: Tensor,
    target_bpt: Tensor,
    settings: Pretrain,
    count: Tensor,
    share: float,
) -> tuple[Tensor, Tensor]:
    """Share of a micro-batch in the loss of its step (scalar), and sums for its figures.

    The sums are those of :func:`genezip.training.objectives.figures`, then the summed loss (nats)
    at MASK, the bases at MASK, and those of them that are the most probable base.

    Parameters
    ----------
    columns : columns of the logits of A, C, G and T
    ids, given, regions : uint8 Tensors, shape (micro_batch, L): true bases, what the network reads
    chosen : bool Tensor of the same shape
    target_bpt : float Tensor, shape (R,)
    count : scalar Tensor, chosen bases of the whole step
    share : sequences of the micro-batch / sequences of the step
    """
    bf16 = settings.precision == "bf16"
    with torch.autocast(ids.device.type, dtype=torch.bfloat16, enabled=bf16):
        output = model(given)
    nll = masked_nll(output.logits, ids, columns)
    loss = (nll * chosen).sum() / count.clamp(min=1)
    total, sums = with_ratio_loss(loss, output, regions, target_bpt, settings, share)
    hidden = chosen & (given == MASK_ID)
    right = output.logits[..., columns].argmax(-1) == ids.long() - A_ID
    at_mask = [(nll.detach() * hidden).sum(), hidden.sum(), (right & hidden).sum()]
    return total, torch.cat([sums, torch.stack([value.double() for value in at_mask])])


def validate_masked(
    network: GeneZipNetwork, ids: np.ndarray, rate: float, batch: int = 4
) -> dict[str, Any]:
    """Prediction of the hidden bases of windows, uint8 (n, L), with the fixed masks of validation.

    These are mask_bits and chosen_bits, bits per base at MASK and at all chosen bases;
    mask_accuracy, the share of right bases at MASK; masked_bpt, bases per token with masks.
    """
    keys = [(VALIDATION, row) for row in range(len(ids))]
    masked = mask_rows(ids, rate, keys)
    nll, counts, right, tokens = np.zeros(2), np.zeros(2), 0, 0
    for row, one in enumerate(predict_bases(network, list(masked.ids), batch)):
        losses, hits = score_bases(one.log_prob, ids[row])
        for n, where in enumerate((masked.hidden[row], masked.chosen[row])):
            nll[n] += losses[where].sum(dtype=np.float64)
            counts[n] += where.sum()
        right += int(hits[masked.hidden[row]].sum())
        tokens += one.tokens
    bits = nll / np.maximum(counts, 1) / np.log(2)
    return {
        "mask_bits": float(bits[0]),
        "chosen_bits": float(bits[1]),
        "mask_accuracy": right / max(float(counts[0]), 1),
        "masked_bpt": ids.size / tokens,
    }
