"""Networks of the tasks: heads on features of a sequence model, and CNNs on one-hot bases.

Layers of the contact-map, pair and initiation heads are those of the GeneZip release; the one for
regulatory activity follows Enformer's output (softplus, Poisson loss), as GeneZip has none.

Channels, kernels and strides of the CNNs are those of the benchmark (github.com/wenduocheng/
DNALongBench at d6db3ae, folder experiments/CNN; doi 10.1038/s41467-025-65077-4): every layer is a
convolution, batch norm and ReLU. Deliberate differences:

- pairs: the benchmark puts a ReLU behind the last linear map, which can silence both classes for
  good; here the map gives logits;
- contacts: the benchmark repeats the vector of one bin along its row; here entry (i, j) starts
  from the mean of both bins, the distance is a share of the map, and the map is the mean with
  its transpose;
- activity: the benchmark reduces 196,608 bp by 256 and stretches the result over 896 bins
  of the whole input; here the last convolution has stride 1, so a position is a bin of 128 bp, and
  the scored 896 are cut out of 1,536;
- padding: the benchmark's differs from layer to layer; here position i of a layer of stride s
  stands for positions s i to s (i + 1) of the layer before, at every layer.

The supplement of the paper, which may give more settings, was not available. The CNNs are trained
as the benchmark trains its own (AdamW at 0.005 with weight decay 0.01, constant rate, gradient
norm 1, batches of two at a time), but from a seed, with the weights of the best validation score,
and over as many examples as the other models of the task.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import pad

from genezip.alphabet import A_ID, T_ID
from genezip.artifacts.scores import BPT_AFTER, BPT_BEFORE
from genezip.config.tasks import HeadTraining
from genezip.metrics.contacts import OFFSET
from genezip.models.hnet.network import GeneZipNetwork
from genezip.tasks.base import Fact, Found, Job
from genezip.training.fit import fine_tune
from genezip.training.objectives import TaskObjective
from genezip.training.step import enough_memory, in_full_precision, precision

logger = logging.getLogger(__name__)

RATIO_BP = 4_000_000  # bases over which bases per token are measured before and after fine-tuning
CNN_RATE = 0.005
CNN_DECAY = 0.01
CNN_MICRO_BATCH = 2
INITIATION_EPS = 1e-5
ACTIVITY_EPS = 1e-7

N = TypeVar("N", bound=nn.Module)
S = TypeVar("S", bound=HeadTraining)


def seeded(make: Callable[[], N], seed: int) -> N:
    """A module with the initial values of a seed; the global random state is kept."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def cnn_settings(settings: S) -> S:
    """Settings with the learning rate and weight decay of the benchmark's CNNs."""
    changes = {"learning_rate": CNN_RATE, "weight_decay": CNN_DECAY, "warmup": 0.0}
    return settings.model_copy(update=changes)


def bases_per_token(
    network: GeneZipNetwork, sequences: Iterable[np.ndarray], settings: HeadTraining
) -> tuple[float, int]:
    """Bases per token over the first sequences, and their number.

    ``sequences`` are uint8 ids; so many are read that they have :data:`RATIO_BP` bases.
    """
    device, bases, tokens, count = network.embedding.device, 0, 0, 0
    for ids in sequences:
        if bases >= RATIO_BP:
            break
        batch = torch.from_numpy(np.ascontiguousarray(ids)[None]).to(device)
        memory = enough_memory(partial("{:,} bases".format, len(ids)))
        with memory, torch.no_grad(), precision(device, settings):
            output = network(batch)
        bases, count = bases + len(ids), count + 1
        tokens += int(output.token_positions()[1].sum())
    return bases / max(1, tokens), count


def tuned_with_ratio(
    network: GeneZipNetwork,
    job: Job[Any],
    tested: Callable[[], Iterable[np.ndarray]],
    tuned: Callable[[], Iterable[Found]],
    rule: str,
) -> Iterator[Found]:
    """Results of a fine-tuning, and two facts: bases per token of test examples before and after.

    The routing of a network may change while it is trained on a task, by its own weights or by
    those of its encoders.

    Parameters
    ----------
    tested : gives the sequences that the network reads of the test examples
    tuned : trains the network in place and predicts
    rule : split scheme of the examples
    """
    before, count = bases_per_token(network, tested(), job.settings)
    yield from tuned()
    if not count:
        return
    after, _ = bases_per_token(network, tested(), job.settings)
    router = f"router {job.settings.router}"
    logger.info(
        f"{job.name}: {before:.3f} bp per token before fine-tuning, {after:.3f} after ({router})"
    )
    yield Fact(BPT_BEFORE, before, count, rule, of_method=True)
    yield Fact(BPT_AFTER, after, count, rule, of_method=True)


class Learner(Protocol):
    """A network of a task with its settings and loss."""

    @property
    def module(self) -> nn.Module:
        """The network; its parameters that require gradients are trained."""

    @property
    def settings(self) -> Any:
        """Section of the task; with ``epochs``, or with ``steps``."""

    def loss(self, numbers: np.ndarray, /) -> Tensor:
        """Mean loss of training examples, int64 array (m,)."""


def learn(
    job: Job[Any],
    learner: Learner,
    score: Callable[[], float],
    metric: str,
    examples: int,
    micro_batch: int = 1,
    identity: Mapping[str, Any] | None = None,
    describe: Callable[[np.ndarray], str] | None = None,
) -> None:
    """Train on the examples of a task; the module ends with the weights of the best validation.

    Parameters
    ----------
    job : its work folder holds the checkpoint
    score, metric : validation score that chooses the weights, and its name
    examples : number of training examples
    micro_batch : examples per call of the loss
    identity : facts besides the job's that must be equal between two parts of a run
    describe : describes training examples, for messages
    """
    settings = learner.settings
    objective = TaskObjective(
        job.method.label, learner.module, settings, learner.loss, score, metric, describe
    )
    epochs = getattr(settings, "epochs", None)
    draws = epochs * examples if epochs else settings.steps * settings.batch
    whole = {**job.identity, **(identity or {})}
    fine_tune(objective, examples, draws, job.seed, whole, job.work, micro_batch)


def upper_triangle(bins: int, offset: int = OFFSET) -> tuple[Tensor, Tensor]:
    """Rows and columns of the scored entries, int64, in the order of ``numpy.triu_indices``.

    There are (bins - offset) * (bins - offset + 1) / 2 of them; 99,681 for 448 bins.
    """
    rows, columns = torch.triu_indices(bins, bins, offset)
    return rows, columns


class ContactHead(nn.Module):
    """Contact map, side ``bins``, from one vector of ``width`` channels per bin.

    A linear map to 128 channels, two 1-D convolutions (kernel 5), the pair tensor
    [h_i, h_j, h_i * h_j, embedding of abs(i - j)] of 400 channels, three 2-D convolutions to
    64 channels (kernel 3), a 1 x 1 convolution to one; GELU and dropout 0.1 after every
    convolution but the last (whole channels in 2-D), and the mean with the transpose.
    The pair tensor of a map of 448 bins takes 321 MB in float32.
    """

    def __init__(
        self,
        width: int,
        bins: int = 448,
        channels: int = 128,
        distance: int = 16,
        planes: int = 64,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.bins = bins
        self.project = nn.Linear(width, channels)
        self.along = nn.Sequential()
        for _ in range(2):
            self.along.append(nn.Conv1d(channels, channels, 5, padding="same"))
            self.along.extend([nn.GELU(), nn.Dropout(dropout)])
        self.distance = nn.Embedding(bins, distance)
        self.plane = nn.Sequential()
        for before in (3 * channels + distance, planes, planes):
            self.plane.append(nn.Conv2d(before, planes, 3, padding="same"))
            self.plane.extend([nn.GELU(), nn.Dropout2d(dropout)])
        self.plane.append(nn.Conv2d(planes, 1, 1))
        positions = torch.arange(bins)
        self.apart: Tensor
        self.register_buffer(
            "apart", (positions[:, None] - positions[None, :]).abs(), persistent=False
        )

    def forward(self, features: Tensor) -> Tensor:
        """Symmetric maps, float Tensor (B, bins, bins), of features (B, bins, width)."""
        rows = self.along(self.project(features).transpose(1, 2))  # (B, channels, bins)
        shape = (*rows.shape, self.bins)
        left, right = rows.unsqueeze(3).expand(shape), rows.unsqueeze(2).expand(shape)
        apart = self.distance(self.apart).permute(2, 0, 1).to(rows.dtype)
        apart = apart.expand(len(rows), *apart.shape)
        found = self.plane(torch.cat([left, right, left * right, apart], 1)).squeeze(1)
        return (found + found.transpose(1, 2)) / 2

    def triangle(self, features: Tensor) -> Tensor:
        """The scored entries of :meth:`forward`, (B, entries), see :func:`upper_triangle`."""
        rows, columns = upper_triangle(self.bins)
        return self(features)[:, rows.to(features.device), columns.to(features.device)]


class PairHead(nn.Module):
    """Two classes from one vector: a linear map with bias."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.classify = nn.Linear(width, 2)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (B, 2) of features (B, width)."""
        return self.classify(features)


class ProfileHead(nn.Module):
    """Log rates of every track at every base: LayerNorm and a linear map."""

    def __init__(self, width: int, tracks: int = 10) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.rates = nn.Linear(width, tracks)

    def forward(self, states: Tensor) -> Tensor:
        """Log rates (B, tracks, L) of states (B, L, width), in the layout of the targets."""
        return self.rates(self.norm(states)).transpose(1, 2)


def initiation_loss(log_rate: Tensor, target: Tensor) -> Tensor:
    """Mean of y ln((y + e) / (r + e)) + r - y with r = exp(log_rate), e = 1e-5.

    The loss of the GeneZip release: zero where the rate equals the target, above zero elsewhere
    (but for e). Both arguments have the same shape; targets are not negative.
    """
    rate, target = log_rate.float().exp(), target.float()
    ratio = (target + INITIATION_EPS) / (rate + INITIATION_EPS)
    return (target * ratio.log() + rate - target).mean()


class ActivityHead(nn.Module):
    """Rates of every track in every bin: a linear map and softplus (as Enformer's output)."""

    def __init__(self, width: int, tracks: int) -> None:
        super().__init__()
        self.rates = nn.Linear(width, tracks)

    def forward(self, features: Tensor) -> Tensor:
        """Rates (B, bins, tracks), above 0, of features (B, bins, width)."""
        return functional.softplus(self.rates(features).float())


def poisson_sum(rate: Tensor, target: Tensor) -> Tensor:
    """Sum of r - y ln(r + 1e-7) over finite targets: Poisson loss without its constant.

    Enformer takes the mean of the same terms. A target that is not finite adds nothing, and no
    gradient either.
    """
    known = target.isfinite()
    target = torch.where(known, target, 0.0).float()
    terms = rate - target * (rate + ACTIVITY_EPS).log()
    return torch.where(known, terms, 0.0).sum()


def squared_error_sum(prediction: Tensor, target: Tensor) -> Tensor:
    """Sum of squared errors over finite targets; others add nothing, and no gradient."""
    known = target.isfinite()
    error = prediction.float() - torch.where(known, target, 0.0).float()
    return torch.where(known, error.square(), 0.0).sum()


UNKNOWN = 0.25
"""Value of the four channels at N in every task but contact maps (there 0)."""


class OneHot(nn.Module):
    """Token ids as four channels, A C G T; an id that is no base is ``unknown`` in all four."""

    def __init__(self, unknown: float = UNKNOWN) -> None:
        super().__init__()
        columns = torch.full((256, 4), unknown)
        columns[A_ID : T_ID + 1] = torch.eye(4)
        self.columns: Tensor
        self.register_buffer("columns", columns, persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """uint8 ids (B, L) -> float32 (B, 4, L)."""
        return self.columns[ids.long()].transpose(1, 2)


class Layer(nn.Module):
    """Convolution, batch norm, ReLU, with max-pooling by two before the ReLU where asked for.

    Its output has one position for every ``stride`` of its input (twice that with pooling).
    """

    def __init__(
        self, before: int, after: int, kernel: int, stride: int = 1, pool: bool = False
    ) -> None:
        super().__init__()
        self.sides = (kernel - stride) // 2, kernel - stride - (kernel - stride) // 2
        self.convolution = nn.Conv1d(before, after, kernel, stride)
        self.norm = nn.BatchNorm1d(after)
        self.pool: nn.Module = nn.MaxPool1d(2) if pool else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, L) -> (B, after, L / stride)."""
        return self.pool(self.norm(self.convolution(pad(x, self.sides)))).relu()


def tower(
    channels: Sequence[int], kernels: Sequence[int], strides: Sequence[int], pool: bool = False
) -> nn.Sequential:
    """Layers from four channels on."""
    before = [4, *channels[:-1]]
    sizes = zip(before, channels, kernels, strides, strict=True)
    return nn.Sequential(*(Layer(b, c, k, s, pool) for b, c, k, s in sizes))


class PairCNN(nn.Module):
    """Classes from one sequence: 128, 64, 32 channels, kernel 3, maximum over the sequence.

    A position sees 7 bp. Training takes 2.8 kB per base (measured, fp32): 1.3 GB for a sequence of
    450,000 bp.
    """

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.onehot = OneHot()
        self.tower = tower((128, 64, 32), (3, 3, 3), (1, 1, 1))
        self.classify = nn.Linear(32, classes)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits (B, classes) in fp32 of ids (B, L)."""
        return in_full_precision(self.classify, self.tower(self.onehot(ids)).amax(2))


class InitiationCNN(nn.Module):
    """Ten tracks at every base: 16, 64, 256, 1024 channels, kernel 3, then a 1 x 1 convolution.

    A position sees 9 bp. Training takes 20 kB per base (measured, fp32): 2.0 GB for a window of
    100,000 bp.
    """

    def __init__(self, tracks: int = 10) -> None:
        super().__init__()
        self.onehot = OneHot()
        self.tower = tower((16, 64, 256, 1024), (3, 3, 3, 3), (1, 1, 1, 1))
        self.tracks = nn.Conv1d(1024, tracks, 1)

    def forward(self, ids: Tensor) -> Tensor:
        """Predictions (B, tracks, L), in the scale of the targets, of ids (B, L)."""
        return in_full_precision(self.tracks, self.tower(self.onehot(ids)))


class ActivityCNN(nn.Module):
    """Tracks in bins of 128 bp: 16, 64, 256, 1024 channels, kernels 25, 15, 15, 15.

    Strides 2, 2, 2, 1 and pooling by two at every layer make one position of 128 bp; the scored
    ones are ``bins`` from ``first_bin`` on. Training takes 1.3 kB per base (measured, fp32, few
    tracks), 0.25 GB for 196,608 bp; with 5,313 tracks the predictions of a window are 19 MB more,
    and so are its targets and their gradients.
    """

    def __init__(self, tracks: int, first_bin: int = 320, bins: int = 896) -> None:
        super().__init__()
        self.scored = slice(first_bin, first_bin + bins)
        self.onehot = OneHot()
        self.tower = tower((16, 64, 256, 1024), (25, 15, 15, 15), (2, 2, 2, 1), pool=True)
        self.tracks = nn.Conv1d(1024, tracks, 1)

    def forward(self, ids: Tensor) -> Tensor:
        """Predictions (B, bins, tracks) of ids (B, L), L a multiple of 128."""
        scored = self.tower(self.onehot(ids))[:, :, self.scored]
        return in_full_precision(self.tracks, scored).transpose(1, 2)


class ContactCNN(nn.Module):
    """Contact map of one cell line.

    Seven convolutions (16, 32, and five times 64 channels, kernel 11, strides 4 4 4 4 2 2 2) make
    one position of 2,048 bp, a 1 x 1 convolution follows, and three 2-D convolutions (16, 32, 64
    channels, kernel 11) read the mean of both bins and their distance. ``crop`` bins are left out
    on each side. Training takes 0.55 GB per map of 512 bins (fp32; from measurements at 48 and 96
    bins).
    """

    def __init__(self, crop: int = 32) -> None:
        super().__init__()
        self.crop = crop
        self.onehot = OneHot(unknown=0.0)
        self.tower = tower((16, 32, 64, 64, 64, 64, 64), (11,) * 7, (4, 4, 4, 4, 2, 2, 2))
        self.bottleneck = nn.Conv1d(64, 64, 1)
        self.plane = nn.Sequential()
        for before, after in ((65, 16), (16, 32), (32, 64)):
            self.plane.append(nn.Conv2d(before, after, 11, padding=5))
            self.plane.extend([nn.BatchNorm2d(after), nn.ReLU()])
        self.contacts = nn.Conv2d(64, 1, 1)

    def forward(self, ids: Tensor) -> Tensor:
        """Maps (B, n, n) of ids (B, L), n = L / 2048 - 2 crop; symmetric."""
        bins = self.bottleneck(self.tower(self.onehot(ids)))
        count = bins.shape[2]
        both = (bins.unsqueeze(3) + bins.unsqueeze(2)) / 2  # (B, 64, count, count)
        number = torch.arange(count, device=bins.device, dtype=bins.dtype)
        apart = (number[:, None] - number[None, :]).abs() / count
        planes = torch.cat([both, apart.expand(len(bins), 1, count, count)], 1)
        found = in_full_precision(self.contacts, self.plane(planes)).squeeze(1)
        found = (found + found.transpose(1, 2)) / 2
        kept = slice(self.crop, count - self.crop)
        return found[:, kept, kept]

    def triangle(self, ids: Tensor) -> Tensor:
        """The scored entries of the maps, (B, entries), as :func:`upper_triangle` orders them."""
        maps = self(ids)
        rows, columns = upper_triangle(maps.shape[1])
        return maps[:, rows, columns]
