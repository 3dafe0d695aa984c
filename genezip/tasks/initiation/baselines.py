"""Baselines of transcription initiation: the mean profile around annotated TSSs, and a constant.

The profile (1 kb on each side, every track) is the mean over training TSSs, those on the minus
strand with both axes reversed. A prediction is the sum of the profiles at all TSSs. ``constant``
predicts one value, whose Pearson correlation is undefined; in tisp it has that note and no
predictions.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from genezip.genome.names import translate
from genezip.log import progress
from genezip.metrics.correlation import INITIATION_METRICS
from genezip.tasks.base import Found, Note
from genezip.tasks.initiation.examples import InitiationExamples, predictions

logger = logging.getLogger(__name__)

HALF_BP = 1_000
MAX_SITES = 20_000  # training TSSs of the profile; a random choice where there are more
PROFILE = "tss_profile"
CONSTANT = "the prediction is constant, so Pearson's r is undefined"
C = TypeVar("C", str, int)
NO_SITES = "no annotated TSS on the training contigs, so there is no profile"


@dataclass(frozen=True)
class Sites:
    """TSSs of one chromosome, sorted, each position and strand once."""

    positions: np.ndarray  # int64 array, shape (s,), 0-based
    plus: np.ndarray  # bool array, shape (s,), False on the minus strand

    def between(self, start: int, end: int) -> Iterator[tuple[int, bool]]:
        """Position and strand of the TSSs in [start, end)."""
        low, high = np.searchsorted(self.positions, [start, end])
        for index in range(low, high):
            yield int(self.positions[index]), bool(self.plus[index])


NO_TSS = Sites(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool))


def sites_of(tss: pd.DataFrame, sizes: dict[str, int]) -> dict[str, Sites]:
    """TSSs by the FASTA's chromosome names; those on chromosomes that it lacks are left out.

    The table has chrom, position and strand; ``sizes`` is chromosome -> length (bp) of the FASTA.
    """
    names = {chrom: translate(chrom, sizes) for chrom in tss["chrom"].unique()}
    table = pd.DataFrame(
        {
            "chrom": tss["chrom"].map(names),
            "position": tss["position"],
            "plus": tss["strand"] != "-",
        }
    )
    table = table[table["chrom"].isin(sizes)].drop_duplicates()
    table = table.sort_values(["chrom", "position", "plus"])
    return {
        str(chrom): Sites(part["position"].to_numpy(np.int64), part["plus"].to_numpy(bool))
        for chrom, part in table.groupby("chrom")
    }


def oriented(values: np.ndarray, plus: bool) -> np.ndarray:
    """Tracks (tracks, n) in the direction of the gene: both axes reversed on the minus strand."""
    return values if plus else values[::-1, ::-1]


def mean_profile(
    values: Callable[[C, int, int], np.ndarray],
    sites: Mapping[C, Sites],
    contigs: Mapping[C, int],
    seed: int,
    free: Callable[[C, int, int], bool] = lambda *_: True,
) -> np.ndarray | None:
    """Mean tracks around TSSs, in the direction of the gene.

    Float64 array, shape (tracks, 2_001), or None without a training TSS.

    Parameters
    ----------
    values : (contig, by name or number, start, end) -> float array, shape (tracks, end - start)
    sites : contig -> TSSs
    contigs : training contig -> length (bp)
    seed : of the choice of TSSs where there are more than ``MAX_SITES``
    free : (contig, start, end) -> whether all of the interval is for training
    """
    chosen = [
        (chrom, position, plus)
        for chrom, length in contigs.items()
        for position, plus in sites.get(chrom, NO_TSS).between(HALF_BP, length - HALF_BP)
        if free(chrom, position - HALF_BP, position + HALF_BP + 1)
    ]
    if not chosen:
        return None
    if len(chosen) > MAX_SITES:
        drawn = np.random.default_rng(seed).choice(len(chosen), MAX_SITES, replace=False)
        chosen = [chosen[index] for index in np.sort(drawn)]
    total = np.zeros(1)
    for chrom, position, plus in progress(chosen, "TSSs", unit="TSS"):
        total = total + oriented(values(chrom, position - HALF_BP, position + HALF_BP + 1), plus)
    return np.asarray(total / len(chosen))


def laid_out(profile: np.ndarray, sites: Sites, start: int, end: int) -> np.ndarray:
    """Sum of the profiles of all TSSs whose profile overlaps [start, end).

    The profile (tracks, 2_001) is in the direction of the gene; the sum is float64 (tracks, end -
    start).
    """
    found = np.zeros((len(profile), end - start))
    for position, plus in sites.between(start - HALF_BP, end + HALF_BP):
        first = position - HALF_BP - start
        low, high = max(first, 0), min(first + profile.shape[1], end - start)
        if low < high:
            found[:, low:high] += oriented(profile, plus)[:, low - first : high - first]
    return found


def predict_baselines(
    examples: InitiationExamples, tss: pd.DataFrame | None, seed: int
) -> Iterator[Found]:
    """Predictions of ``tss_profile`` on the kept parts of valid and test; notes of ``constant``.

    TSSs are chrom, position (0-based), strand; without one on a training contig only notes result.
    ``seed`` as of :func:`mean_profile`.
    """
    for metric in INITIATION_METRICS:
        yield Note(metric, CONSTANT, model="constant")
    sites = {} if tss is None else sites_of(tss, examples.genome.sizes)
    contigs = examples.prepared.facts["training_contigs"]
    profile = mean_profile(examples.tracks.values, sites, contigs, seed)
    if profile is None:
        logger.warning(f"tisp: {NO_SITES}")
        for metric in INITIATION_METRICS:
            yield Note(metric, NO_SITES, model=PROFILE)
        return

    def predict(row: int, kept: slice) -> np.ndarray:
        window = examples.table.iloc[row]
        own = sites.get(window["chrom"], NO_TSS)
        return laid_out(profile, own, int(window["keep_start"]), int(window["keep_end"]))

    yield from predictions(examples, predict, PROFILE, model=PROFILE)
