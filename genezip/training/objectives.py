"""Objectives: the loss of a training, and the validation that selects its best weights.

:func:`genezip.training.fit.fit` depends on this protocol only. Pretraining minimises the next-base
loss and the region-aware ratio loss; a head or fine-tuned network minimises the loss of its task.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from genezip.alphabet import is_base
from genezip.config import Pretrain
from genezip.config.tasks import FineTuning, HeadTraining
from genezip.corpus.corpus import CorpusReader
from genezip.metrics.compression import token_density
from genezip.models.hnet.losses import count_targets, lm_loss, rar_loss
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.hnet.output import Output
from genezip.models.hnet.windows import run
from genezip.region_classes import GENE7, RegionClasses
from genezip.training.ranks import ALONE, Ranks
from genezip.training.step import backward, memory_advice, precision
from genezip.training.trainable import is_trainable

MIN_KNOWN = 0.95


@dataclass(frozen=True)
class Validation:
    """Result of a validation.

    ``score`` selects the best weights: higher is better, NaN where undefined. ``metrics`` are JSON
    values by name, for the history, and ``message`` is their text for the log.
    """

    score: float
    metrics: dict[str, Any]
    message: str


class Objective(Protocol):
    """The loss of a batch and the validation of a training.

    Attributes
    ----------
    name : name of the training in messages
    label : title of its progress and its validations
    metric : name of the validation score in messages
    remedy : settings to lower if the loss is not finite
    shares_validation : whether all processes validate together; else the first one does alone
    """

    name: str
    label: str
    metric: str
    remedy: str
    shares_validation: ClassVar[bool]

    @property
    def module(self) -> nn.Module:
        """The trained module; its parameters that require gradients are trainable."""

    def minimise(self, batch: Any) -> tuple[Tensor, Tensor]:
        """Add up the gradients of a batch in place, see :func:`genezip.training.step.backward`.

        Returns the loss (scalar) and further sums for the log (n,), float64 Tensors on the
        device; both are the share of this process and are summed over the processes.
        """

    def figures(self, loss: float, sums: list[float]) -> dict[str, Any]:
        """JSON values for the log of a step, from the sums over all processes."""

    def shown(self, figures: dict[str, Any]) -> dict[str, str]:
        """The figures that are shown beside the progress."""

    def validate(self) -> Validation:
        """Validate the module, which is in eval mode; gradients are off.

        Every process of the training calls it if the objective shares its validation.
        """


@dataclass
class NextBase:
    """Pretraining: next-base loss and ``alpha`` times the region-aware ratio loss (RAR).

    The network reads bases 0 .. L - 2 and predicts 1 .. L - 1; RAR uses the region classes of the
    bases it reads. The next-base loss is the mean over the informative targets of the whole step
    (all processes, all micro-batches), RAR the mean over its sequences, so the gradient depends
    neither on the number of processes nor on the micro-batch.

    Attributes
    ----------
    module, model : the network, and :meth:`Ranks.parallel` of it
    target_bpt : target of every region class
    window_bp : length L of a training window
    valid_ids, valid_regions : uint8 arrays, shape (n, L), validation windows; may be empty
    ranks : the processes that share each batch
    best : key of the validation metrics of which the lowest is the best
    """

    shares_validation: ClassVar[bool] = True

    name: str
    label: str
    module: GeneZipNetwork
    model: nn.Module
    settings: Pretrain
    target_bpt: Mapping[str, float]
    window_bp: int
    valid_ids: np.ndarray
    valid_regions: np.ndarray
    region_classes: RegionClasses = GENE7
    ranks: Ranks = ALONE
    metric: str = field(default="perplexity", init=False)
    best: str = field(default="ppl", init=False)
    remedy: str = field(default="pretrain.learning_rate or pretrain.alpha", init=False)

    def __post_init__(self) -> None:
        targets = [self.target_bpt[name] for name in self.region_classes.names]
        self.targets = torch.tensor(targets, device=self.module.embedding.device)

    def minimise(self, batch: dict[str, np.ndarray]) -> tuple[Tensor, Tensor]:
        """Gradients of a batch; ``ids`` and ``regions`` are uint8 arrays, shape (rows, L).

        The sums are those of :func:`next_base_loss`.
        """
        ids, regions = (torch.from_numpy(batch[key]) for key in ("ids", "regions"))
        rows, world, size = len(ids), self.ranks.world, self.settings.micro_batch
        assert rows * world == self.settings.batch, "not the rows of this process"
        device = self.targets.device
        informative = self.ranks.add_up(count_targets(ids).to(device))
        ids, regions = ids.to(device), regions.to(device)

        def loss(part: slice) -> tuple[Tensor, Tensor]:
            share = len(ids[part]) / (rows * world)
            given = ids[part], regions[part], self.targets, self.settings, informative, share
            return next_base_loss(self.model, *given)

        parts = [slice(start, start + size) for start in range(0, rows, size)]
        what = f"a training batch of {self.name}"
        advice = memory_advice(self.settings, min(size, rows))
        return backward(self.model, parts, loss, lambda _: what, self.ranks, advice)

    def figures(self, loss: float, sums: list[float]) -> dict[str, Any]:
        """Losses, tokens, kept shares and boundary probabilities, see :func:`figures`."""
        stages, classes = self.module.shape.n_stages, len(self.region_classes)
        windows = self.settings.batch
        return figures(sums, windows, windows * (self.window_bp - 1), stages, classes)

    def shown(self, figures: dict[str, Any]) -> dict[str, str]:
        """Next-base loss and bp per token."""
        return {"loss": f"{figures['lm_loss']:.3f}", "bpt": f"{figures['bpt']:.0f}"}

    def validate(self) -> Validation:
        """Metrics on the validation windows; the lowest perplexity is the best."""
        found = validate(
            self.module,
            self.valid_ids,
            self.valid_regions,
            self.target_bpt,
            self.region_classes,
            ranks=self.ranks,
        )
        message = f"perplexity {found['ppl']:.3f}, bpt {found['bpt']:.0f}"
        return Validation(-found["ppl"], found, message)


def next_base_loss(
    model: nn.Module,
    ids: Tensor,
    regions: Tensor,
    target_bpt: Tensor,
    settings: Pretrain,
    informative: Tensor,
    share: float,
) -> tuple[Tensor, Tensor]:
    """Share of a micro-batch in the loss of its step (scalar), and sums for :func:`figures`.

    Parameters
    ----------
    ids, regions : uint8 Tensors, shape (micro_batch, L)
    target_bpt : float Tensor, shape (R,), on the device of the network
    informative : scalar Tensor, number of informative targets of the whole step
    share : sequences of the micro-batch / sequences of the step
    """
    bf16 = settings.precision == "bf16"
    with torch.autocast(ids.device.type, dtype=torch.bfloat16, enabled=bf16):
        output = model(ids[:, :-1])
    lm = lm_loss(output.logits, ids, informative)
    return with_ratio_loss(lm, output, regions[:, :-1], target_bpt, settings, share)


def with_ratio_loss(
    loss: Tensor,
    output: Output,
    regions: Tensor,
    target_bpt: Tensor,
    settings: Pretrain,
    share: float,
) -> tuple[Tensor, Tensor]:
    """``loss`` plus ``alpha`` times RAR times ``share`` (scalar), and sums for :func:`figures`."""
    rar, sums = rar_loss(output, regions, target_bpt, settings.rar_mask, settings.region_label)
    rar = rar * share
    bound = regions.new_zeros(len(regions), dtype=torch.bool)
    for routing in output.routings:
        bound = bound | routing.bound_active()
    tokens = [kept.valid.sum() for kept in output.chunks]
    scalars = torch.stack([t.detach().double() for t in (loss, rar, bound.sum(), *tokens)])
    return loss + settings.alpha * rar, torch.cat([scalars, sums.double().flatten()])


def figures(
    sums: Sequence[float],
    windows: int,
    bases: int,
    stages: int,
    classes: int,
    loss: str = "lm_loss",
) -> dict[str, Any]:
    """The log line of a step of pretraining, as JSON values.

    These are the loss and rar_loss (nats per base, no unit); stage_tokens, tokens of each stage;
    kept, the share of positions that each stage keeps; bpt, bases per token of the last stage; F
    and G, for every stage and class the share of kept positions and the mean boundary probability
    (None for a class that is absent); bound_bit, the share of windows where a bound changed the
    tokens.

    Parameters
    ----------
    sums : over micro-batches and processes: the loss, rar_loss, windows where a bound changed the
        tokens, tokens of each stage, then positions, kept positions and summed boundary
        probability of every stage and class
    windows, bases : windows of the step, bases of them that the network reads
    loss : name of the loss
    """
    lm, rar, bound = sums[:3]
    tokens = [int(value) for value in sums[3 : 3 + stages]]
    by_class = torch.tensor(sums[3 + stages :], dtype=torch.float64).view(stages, classes, 3)
    positions, kept, prob = by_class.unbind(-1)
    counts = [bases, *tokens]
    return {
        loss: lm,
        "rar_loss": rar,
        "stage_tokens": tokens,
        "kept": [after / before if before else 0.0 for before, after in pairwise(counts)],
        "bpt": bases / max(counts[-1], 1),
        "F": _rounded(kept / positions),
        "G": _rounded(prob / positions),
        "bound_bit": bound / windows,
    }


def _rounded(values: Tensor) -> list[list[float | None]]:
    """Rounded values by stage and class, None for an absent class (JSON has no NaN)."""
    return [[None if math.isnan(v) else round(v, 5) for v in row] for row in values.tolist()]


def validation_windows(reader: CorpusReader, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Up to ``count`` evenly spread validation windows that hold at least 95 % known bases.

    Ids and regions are uint8 arrays, shape (n, L); n is 0 where the corpus has none.
    """
    total = sum(entry["rows"] for entry in reader.files("valid"))
    every = max(1, total // count)
    ids, regions, seen = [], [], 0
    for shard in reader.shards("valid"):
        rows = np.arange(-seen % every, len(shard.ids), every)
        rows = rows[is_base(shard.ids[rows]).mean(axis=1) >= MIN_KNOWN]
        ids.append(shard.ids[rows])
        regions.append(shard.regions[rows])
        seen += len(shard.ids)
    if not ids:
        return np.zeros((0, 1), dtype=np.uint8), np.zeros((0, 1), dtype=np.uint8)
    return np.concatenate(ids)[:count], np.concatenate(regions)[:count]


def validate(
    network: GeneZipNetwork,
    ids: np.ndarray,
    regions: np.ndarray,
    target_bpt: Mapping[str, float],
    region_classes: RegionClasses = GENE7,
    batch: int = 4,
    ranks: Ranks = ALONE,
) -> dict[str, Any]:
    """Metrics of a network in eval mode, pooled over windows.

    These are ppl, bpt, expected_bpt, {promoter, genic, intergenic}_enrichment (None if undefined),
    windows, bound_bit, the share of windows where a bound changed the tokens, and ppl_by_region,
    the perplexity of the bases of each class that occurs. ``ids`` and ``regions`` are uint8 arrays,
    shape (n, L). A network that predicts no next base has no ppl.

    Every process of ``ranks`` calls this with all windows and reads its share of them; all have the
    same result, which does not depend on their number.
    """
    own = ranks.consecutive(len(ids), batch)
    with ranks.together():
        read = window_sums(network, ids[own], regions[own], len(region_classes), batch)
    sums = np.concatenate(ranks.gathered(read)).sum(axis=0)
    tokens, bases, nll, targets = sums[1:].reshape(4, -1)
    asked = sum(bases[number] / target_bpt[name] for name, number in region_classes.ids.items())
    metrics: dict[str, Any] = {
        "bpt": float(bases.sum() / tokens.sum()),
        "expected_bpt": float(bases.sum() / asked),
        "bound_bit": float(sums[0]) / max(len(ids), 1),
        "windows": len(ids),
    }
    if network.shape.direction == "forward":
        by_region = {
            name: float(np.exp(nll[number] / targets[number]))
            for name, number in region_classes.ids.items()
            if targets[number]
        }
        whole = float(np.exp(nll.sum() / max(targets.sum(), 1)))
        metrics = {"ppl": whole, **metrics, "ppl_by_region": by_region}
    for group, names in region_classes.groups.items():
        members = [region_classes.ids[name] for name in names]
        share = bases[members].sum() / bases.sum()
        metrics[f"{group}_enrichment"] = (
            float(tokens[members].sum() / tokens.sum() / share) if share > 0 else None
        )
    return metrics


def window_sums(
    network: GeneZipNetwork, ids: np.ndarray, regions: np.ndarray, classes: int, batch: int
) -> np.ndarray:
    """What :func:`validate` adds up, float64 array, shape (n, 1 + 4 R), one row per window.

    The columns are whether a bound changed the tokens; then of every class tokens, bases, loss
    (nats) and predicted bases.
    """
    found = np.zeros((len(ids), 1 + 4 * classes))
    for row, of_base, result in zip(found, regions, run(network, list(ids), batch), strict=True):
        density = token_density(result.token_starts, len(of_base))
        row[0] = result.bound_active.any()
        tokens, bases, nll, targets = row[1:].reshape(4, classes)
        tokens[:] = np.bincount(of_base, density, minlength=classes)
        bases[:] = np.bincount(of_base, minlength=classes)
        if result.log_prob is not None:
            known = np.isfinite(result.log_prob)
            nll[:] = -np.bincount(of_base[known], result.log_prob[known], minlength=classes)
            targets[:] = np.bincount(of_base[known], minlength=classes)
    return found


@dataclass
class TaskObjective:
    """Objective of a head or a network on the examples of a task.

    Attributes
    ----------
    module : its parameters that require gradients are trained
    settings : their precision holds on CUDA; weights and moments are fp32
    loss : micro-batch -> scalar Tensor, its share of the loss of the step
    score : validation score, higher is better, NaN where undefined; None for no validation
    metric : name of that score
    describe : micro-batch -> its name in messages; None for a general name
    """

    shares_validation: ClassVar[bool] = False

    name: str
    module: nn.Module
    settings: HeadTraining
    loss: Callable[[Any], Tensor]
    score: Callable[[], float] | None
    metric: str
    describe: Callable[[Any], str] | None = None
    remedy: str = field(default="its learning_rate", init=False)

    def __post_init__(self) -> None:
        self.label = self.name

    def minimise(self, batch: Iterable[Any]) -> tuple[Tensor, Tensor]:
        """Gradients of a batch, an iterable of micro-batches; the second result is empty."""
        device = next(self.module.parameters()).device
        none = torch.empty(0, dtype=torch.float64, device=device)

        def loss(part: Any) -> tuple[Tensor, Tensor]:
            with precision(device, self.settings):
                return self.loss(part), none

        describe = self.describe or (lambda part: f"a training batch of {self.name}")
        return backward(self.module, batch, loss, describe)

    def figures(self, loss: float, sums: list[float]) -> dict[str, Any]:
        """The loss of the step."""
        return {"loss": loss}

    def shown(self, figures: dict[str, Any]) -> dict[str, str]:
        """The loss of the step."""
        return {"loss": f"{figures['loss']:.4g}"}

    def validate(self) -> Validation:
        """The validation score."""
        assert self.score is not None
        score = float(self.score())
        return Validation(score, {self.metric: score}, f"{self.metric} {score:.4f}")


def ratio_term(network: GeneZipNetwork, output: Output, settings: FineTuning) -> Tensor:
    """The ratio loss of fine-tuning, times ``alpha``; zero if the compressor is frozen.

    It has one region class with the target ``uniform_bpt``, N = target^(1/S) at each of S stages,
    per sequence, with F after the bounds; it replaces RAR as in the fine-tuning of the GeneZip
    release (classification tasks).
    """
    if settings.alpha == 0 or not is_trainable(network):
        return output.states.new_zeros(())
    one_class = torch.zeros(output.valid.shape, dtype=torch.int64, device=output.valid.device)
    target = torch.full((1,), settings.uniform_bpt, device=output.valid.device)
    return settings.alpha * rar_loss(output, one_class, target, "post")[0]
