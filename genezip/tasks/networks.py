"""Heads of the DNALongBench tasks, on features of a sequence model.

Layers of the contact-map, pair and initiation heads as in the GeneZip release; the one for
regulatory activity follows Enformer's output (softplus, Poisson loss), as GeneZip has none.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

INITIATION_EPS = 1e-5
ACTIVITY_EPS = 1e-7


def upper_triangle(bins: int, offset: int = 2) -> tuple[Tensor, Tensor]:
    """Rows and columns of the scored entries, in the order of ``numpy.triu_indices``.

    Returns two int64 Tensors, shape ((bins - offset) * (bins - offset + 1) / 2,); 99,681 for
    448 bins.
    """
    rows, columns = torch.triu_indices(bins, bins, offset)
    return rows, columns


class ContactHead(nn.Module):
    """Contact map from one vector per bin.

    A linear map to 128 channels, two 1-D convolutions (kernel 5), the pair tensor
    [h_i, h_j, h_i * h_j, embedding of abs(i - j)] of 400 channels, three 2-D convolutions to
    64 channels (kernel 3), a 1 x 1 convolution to one; GELU and dropout 0.1 after every
    convolution but the last (whole channels in 2-D), and the mean with the transpose.
    The pair tensor of a map of 448 bins takes 321 MB in float32.

    Parameters
    ----------
    width : channels of the features
    bins : side of the map
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

    def triangle(self, features: Tensor, offset: int = 2) -> Tensor:
        """The scored entries of :meth:`forward`, (B, entries), see :func:`upper_triangle`."""
        rows, columns = upper_triangle(self.bins, offset)
        return self(features)[:, rows.to(features.device), columns.to(features.device)]


class PairHead(nn.Module):
    """Two classes from one vector: a linear map with bias."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.classify = nn.Linear(width, 2)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (B, 2) of features (B, width)."""
        return self.classify(features)

    def score(self, features: Tensor) -> Tensor:
        """Probability of class 1, (B,)."""
        return self(features).float().softmax(1)[:, 1]


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
