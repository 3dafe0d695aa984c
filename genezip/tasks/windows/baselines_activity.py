"""Regulatory activity without a sequence: training means of tracks, and of bins of tracks."""

from pathlib import Path

import numpy as np

from genezip.log import progress
from genezip.tasks.base import baseline_method
from genezip.tasks.predictions import PredictionWriter
from genezip.tasks.windows.examples import WindowExamples


def bin_means(targets: np.ndarray) -> np.ndarray:
    """Mean over sequences of every bin and track, read one sequence at a time.

    Parameters
    ----------
    targets : float array or memory map, shape (n, bins, tracks); NaN is ignored

    Returns
    -------
    float64 array, shape (bins, tracks), 0 where nothing is finite
    """
    total, count = np.zeros(targets.shape[1:]), np.zeros(targets.shape[1:])
    for target in progress(targets, "training sequences", unit="sequence"):
        finite = np.isfinite(target)
        total += np.where(finite, target, 0)
        count += finite
    return total / np.maximum(count, 1)


def predict_activity(
    subset: str, manifest: str | Path, genome: str | Path, out: str | Path
) -> None:
    """Predictions of ``track_mean`` and ``bin_mean`` on the test sequences.

    Validation is left out: nothing is chosen by it, and with 5,313 tracks a row takes 19 MB.
    """
    windows = WindowExamples.load(manifest, genome)
    by_bin = bin_means(windows.targets("train"))
    by_track = np.broadcast_to(by_bin.mean(axis=0), by_bin.shape)
    found = {"track_mean": by_track, "bin_mean": by_bin}
    targets = windows.targets("test")
    table = windows.table[windows.table["split"] == "test"]
    with PredictionWriter(out, None, "array", by_bin.shape) as writer:
        for name, prediction in found.items():
            method = baseline_method(name, "rsap", subset)
            for number, (example, locus) in enumerate(
                table[["example", "locus"]].itertuples(index=False)
            ):
                writer.add(
                    split="test",
                    example=np.array([example]),
                    group=[locus],
                    target=[np.asarray(targets[number])],
                    prediction=[prediction],
                    method=method,
                )
