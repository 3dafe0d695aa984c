"""Standardisation of features by the training rows alone, also where they come in blocks."""

from dataclasses import dataclass

import numpy as np

# Features are float32: a spread below this share of a channel's size is rounding, not signal.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Standard:
    """What is subtracted from each channel and what it is divided by.

    Attributes
    ----------
    centre, scale : float64 array, shape (channels,)
        ``scale`` is infinite for a channel that is constant in training, which so becomes 0
        everywhere.
    """

    centre: np.ndarray
    scale: np.ndarray

    def apply(self, values: np.ndarray) -> np.ndarray:
        """(values - centre) / scale, float64, shape (..., channels)."""
        return (values - self.centre) / self.scale


class Moments:
    """Mean and mean square of channels, float64, from blocks of any size.

    Blocks are merged by the rule of Chan, Golub and LeVeque (1979), so that a large mean costs
    no digits of the spread.
    """

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.mean = np.zeros(channels)
        self._spread = np.zeros(channels)  # sum of squared deviations from the mean

    def add(self, block: np.ndarray) -> None:
        """Take in an array of shape (..., channels)."""
        rows = np.asarray(block, dtype=np.float64).reshape(-1, len(self.mean))
        if not len(rows):
            return
        mean = rows.mean(0)
        spread = np.square(rows - mean).sum(0)
        total = self.count + len(rows)
        apart = mean - self.mean
        self._spread += spread + apart**2 * (self.count * len(rows) / total)
        self.mean += apart * (len(rows) / total)
        self.count = total

    @property
    def sd(self) -> np.ndarray:
        """Standard deviation (divided by n), float64 (channels,)."""
        return np.sqrt(self._spread / self.count)

    def standard(self, centred: bool = True, least: np.ndarray | None = None) -> Standard:
        """By mean and standard deviation; by the root mean square alone if not ``centred``.

        Without centring 0 stays 0.

        Parameters
        ----------
        least : float array, shape (channels,), or None
            A channel whose root mean square is below it counts for nothing: a difference that
            is small beside what it was taken from is rounding (``ROUNDING``).
        """
        sd, mean = self.sd, self.mean
        size = np.sqrt(sd**2 + mean**2)
        signal = sd > ROUNDING * np.abs(mean) if centred else size > 0
        if least is not None:
            signal &= size >= least
        centre = mean if centred else np.zeros_like(mean)
        return Standard(centre, np.where(signal, sd if centred else size, np.inf))
