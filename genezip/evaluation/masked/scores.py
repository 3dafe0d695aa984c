"""Bits per masked base on held-out windows, of a bidirectional network and of models that count.

Every model predicts the same chosen bases from the same masked windows; a network reads all masks
of a window at once. The number is ``mask_bits``, at MASK alone. ``chosen_bits`` are those of all
chosen bases, a tenth of which is kept and can be read off, which flatters a network. The models
that count are

- ``two_sided<k>``: a Markov model with k bases on each side, given the same masks
  (:mod:`genezip.evaluation.masked.markov`); ``two_sided0`` knows the composition of training DNA
  alone, and ``two_sided`` is the width that is best on validation windows,
- ``two_sided_equal``: the same model where it learns from no more than a network does, the masked
  bases of the training windows,
- ``two_sided_visible``: the best width where no neighbour is masked, a reference and no rival,
- ``window_gc``: the share of G and C among the visible bases of the window.

Values have intervals over blocks of windows. The differences of a network and ``two_sided`` or
``two_sided_equal``, and of two networks with the same seed (a learned model and its control), are
paired ones.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from genezip.alphabet import C_ID, G_ID, is_base
from genezip.artifacts.manifest import Kind
from genezip.artifacts.scores import (
    EQUAL,
    MASKED,
    TWO_SIDED,
    VISIBLE,
    WINDOW_GC,
    Metric,
    Row,
    difference_of,
    two_sided_name,
)
from genezip.artifacts.tables import read_parquet, write_parquet
from genezip.config import MaskedBases
from genezip.corpus.corpus import CorpusReader, Window
from genezip.errors import GenezipError
from genezip.evaluation.compression import ALL, Found, expand
from genezip.evaluation.masked.markov import TwoSidedModels, fit_two_sided
from genezip.evaluation.windows import Columns, block_ids, spaced_windows
from genezip.genome.assembly import Assembly
from genezip.log import progress
from genezip.metrics.bootstrap import BlockBootstrap, Estimate, ratio
from genezip.metrics.compression import with_all
from genezip.models.base import Compressor
from genezip.models.masking import HELD_OUT, MaskedRows, mask_rows, score_bases
from genezip.region_classes import RegionClasses

if TYPE_CHECKING:
    from genezip.models.hnet.network import GeneZipNetwork

SPLIT = "test"
FLATTERED = "flattered: a tenth of these bases is kept and can be read off"
KIND = Kind(
    noun="table of predictions of masked bases, by window",
    version=1,
    first="run `genezip evaluate masked` or `masked-markov` first",
    again="run `genezip evaluate masked` or `masked-markov` again",
    keys=("classes", "masks"),
)
_SUMS = tuple(f"{where}_{what}" for where in ("mask", "chosen") for what in ("nll", "n", "right"))
_INTERVAL = ["chrom", "start", "end"]


@dataclass(frozen=True)
class MaskedWindows:
    """Held-out windows with their masks, which depend on the settings alone.

    ``masked`` has the rows of each window, shape (1, L).
    """

    windows: tuple[Window, ...]
    masked: tuple[MaskedRows, ...]
    bootstrap: BlockBootstrap
    region_classes: RegionClasses
    settings: MaskedBases

    @property
    def intervals(self) -> pd.DataFrame:
        """Columns chrom, start, end."""
        return pd.DataFrame(
            [(one.chrom, one.start, one.end) for one in self.windows], columns=_INTERVAL
        )

    @property
    def facts(self) -> dict[str, Any]:
        """JSON values that must agree for a comparison."""
        masks = {key: getattr(self.settings, key) for key in ("rate", "seed")}
        return {"classes": list(self.region_classes.names), "masks": masks}

    def __iter__(self) -> Iterator[tuple[Window, MaskedRows]]:
        yield from zip(self.windows, self.masked, strict=True)


def masked_windows(reader: CorpusReader, settings: MaskedBases) -> MaskedWindows:
    """Evenly spaced held-out windows, of which some bases are hidden; none is refused."""
    windows = tuple(spaced_windows(reader, SPLIT, settings.heldout_bp))
    masked = tuple(
        mask_rows(window.ids[None], settings.rate, [(HELD_OUT, settings.seed, number)])
        for number, window in enumerate(windows)
    )
    if not any(one.hidden.any() for one in masked):
        raise GenezipError(
            f"{reader.path} has no held-out windows whose bases could be masked; build the corpus "
            "with such windows"
        )
    segment = pd.Series([one.piece for one in windows])
    start = pd.Series([one.start for one in windows])
    blocks = block_ids(segment, start, settings.block_bp)
    bootstrap = BlockBootstrap(blocks, settings.bootstrap, settings.seed)
    return MaskedWindows(windows, masked, bootstrap, reader.region_classes, settings)


def tally(
    held_out: MaskedWindows,
    names: Sequence[str],
    predictions: Iterable[Sequence[np.ndarray]],
) -> dict[str, Columns]:
    """Sums by window and region class of each model: loss (nats), number and right ones.

    ``predictions`` are, for each window in order, the log-probabilities of A, C, G and T at its
    chosen bases under each model, (n, 4). Columns are those of :data:`_SUMS`, float64 (windows, R),
    at MASK and at all chosen bases.
    """
    classes = len(held_out.region_classes)
    found = {
        name: {key: np.zeros((len(held_out.windows), classes)) for key in _SUMS} for name in names
    }
    for number, ((window, masked), models) in enumerate(zip(held_out, predictions, strict=True)):
        chosen = masked.chosen[0]
        region, hidden = window.regions[chosen].astype(np.int64), masked.hidden[0][chosen]
        for name, log_prob in zip(names, models, strict=True):
            nll, right = score_bases(log_prob, window.ids[chosen])
            for where, used in (("mask", hidden), ("chosen", np.ones_like(hidden))):
                for what, values in (("nll", nll), ("n", None), ("right", right)):
                    weights = None if values is None else values[used]
                    sums = np.bincount(region[used], weights=weights, minlength=classes)
                    found[name][f"{where}_{what}"][number] = sums
    return found


def window_gc(masked: MaskedRows) -> np.ndarray:
    """Log-probabilities at the chosen bases by the GC content of the visible ones, (n, 4)."""
    visible = masked.ids[0][is_base(masked.ids[0])]
    gc = (np.isin(visible, (C_ID, G_ID)).sum() + 1) / (len(visible) + 2)
    row = np.log(np.array([1 - gc, gc, gc, 1 - gc]) / 2)
    return np.broadcast_to(row, (int(masked.chosen.sum()), 4))


@dataclass(frozen=True)
class MarkovScores:
    """Sums by window of every model that counts, and the Markov models behind them."""

    by_model: dict[str, Columns]
    models: TwoSidedModels


def score_markov(reader: CorpusReader, assembly: Assembly, held_out: MaskedWindows) -> MarkovScores:
    """Fit the two-sided Markov models and predict the chosen bases of the held-out windows."""
    settings = held_out.settings
    models = fit_two_sided(
        reader, assembly, settings.width, settings.rate, settings.training_bp, settings.seed
    )
    names = [two_sided_name(width) for width in range(settings.width + 1)]

    def predictions() -> Iterator[list[np.ndarray]]:
        for window, masked in progress(held_out, "two-sided Markov", len(held_out.windows)):
            chosen = masked.chosen[0]
            every = models.hidden.log_prob(masked.ids[0], chosen)
            equal = models.equal.log_prob(masked.ids[0], chosen)[models.equal.best_width]
            seen = models.visible.log_prob(window.ids, chosen)[models.visible.best_width]
            yield [*every, every[models.hidden.best_width], equal, seen, window_gc(masked)]

    by_model = tally(held_out, [*names, TWO_SIDED, EQUAL, VISIBLE, WINDOW_GC], predictions())
    return MarkovScores(by_model, models)


@dataclass(frozen=True)
class NetworkScores:
    """Sums by window of a network, and its tokens with and without masks, float64 (windows,)."""

    columns: Columns
    bases: np.ndarray
    tokens: np.ndarray
    masked_tokens: np.ndarray


def bidirectional(compressor: Compressor) -> "GeneZipNetwork":
    """The network of a model that predicts masked bases; any other model is refused."""
    network = getattr(compressor, "network", None)
    if network is None or network.shape.direction != "both":
        raise GenezipError(
            f"{compressor.name} predicts no masked bases, as it does not read both sides of a "
            "base; name a model of the compressor ldarnet"
        )
    found: GeneZipNetwork = network
    return found


def score_network(network: "GeneZipNetwork", name: str, held_out: MaskedWindows) -> NetworkScores:
    """Predict the chosen bases of the held-out windows, all masks of a window at once."""
    from genezip.models.hnet.windows import predict_bases, route

    batch, count = held_out.settings.batch, len(held_out.windows)
    masked_tokens = []

    def predictions() -> Iterator[list[np.ndarray]]:
        given = (masked.ids[0] for _, masked in held_out)
        found = progress(predict_bases(network, given, batch), name, count, "window")
        for (_, masked), one in zip(held_out, found, strict=True):
            masked_tokens.append(one.tokens)
            yield [one.log_prob[masked.chosen[0]]]

    columns = tally(held_out, [name], predictions())[name]
    visible = route(network, (window.ids for window in held_out.windows), batch)
    unmasked = progress(visible, f"{name}, no masks", count, "window")
    tokens = [len(one.token_starts) for one in unmasked]
    bases = np.array([len(window.ids) for window in held_out.windows], dtype=np.float64)
    return NetworkScores(columns, bases, np.array(tokens, float), np.array(masked_tokens, float))


def _values(
    columns: Mapping[str, np.ndarray], where: str, what: str, held_out: MaskedWindows
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of a sum over the bases, (1 + B, 1 + R); number of bases (1 + R,); blocks with any."""
    bases = with_all(columns[f"{where}_n"])
    sums = held_out.bootstrap.sums({"x": with_all(columns[f"{where}_{what}"]), "n": bases})
    return ratio(sums["x"], sums["n"]), bases.sum(axis=0), held_out.bootstrap.support(bases)


def prediction_metrics(columns: Columns, held_out: MaskedWindows) -> Found:
    """Bits per masked base and accuracy, of all bases and of each region class."""
    regions = (*ALL, *held_out.region_classes.names)
    found: Found = {}
    for where, bits, accuracy in (
        ("mask", Metric.MASK_BITS, Metric.MASK_ACCURACY),
        ("chosen", Metric.CHOSEN_BITS, Metric.CHOSEN_ACCURACY),
    ):
        nats, bases, support = _values(columns, where, "nll", held_out)
        estimate = held_out.bootstrap.summarise(nats / np.log(2), support, "ratio")
        found[bits] = (regions, estimate, bases)
        right, _, _ = _values(columns, where, "right", held_out)
        share = held_out.bootstrap.summarise(right, support, "share")
        found[accuracy] = (regions, share, bases)
    return found


def difference(ours: Columns, theirs: Columns, held_out: MaskedWindows) -> Found:
    """Paired difference of the bits per masked base of two models."""
    first, bases, support = _values(ours, "mask", "nll", held_out)
    second, _, _ = _values(theirs, "mask", "nll", held_out)
    regions = (*ALL, *held_out.region_classes.names)
    bits = held_out.bootstrap.summarise((first - second) / np.log(2), support)
    return {Metric.MASK_BITS_DIFFERENCE: (regions, bits, bases)}


def _rows(found: Found, unit: str = "bases", **cells: Any) -> list[Row]:
    rows = expand(found, task=MASKED, subset="all", split=SPLIT, strand="+", unit=unit, **cells)
    for row in rows:
        if row["metric"] in (Metric.CHOSEN_BITS, Metric.CHOSEN_ACCURACY):
            row["note"] = "; ".join(note for note in (row["note"], FLATTERED) if note)
    return rows


def markov_rows(
    scores: MarkovScores, held_out: MaskedWindows, scale: str, source: str
) -> list[Row]:
    """Score rows of the models that count.

    Each width has its bits on validation windows (``validation_bits_per_base``); ``two_sided``,
    ``two_sided_equal`` and ``two_sided_visible`` have their best one (``best_width``).
    """
    common = {"scale": scale, "source": source}
    rows: list[Row] = []
    facts: list[tuple[str, str, float]] = []
    models = scores.models
    for width, bits in enumerate(models.hidden.validation_bits):
        facts.append((two_sided_name(width), Metric.VALIDATION_BITS, bits))
    best = {TWO_SIDED: models.hidden, EQUAL: models.equal, VISIBLE: models.visible}
    for name, model in best.items():
        facts.append((name, Metric.BEST_WIDTH, float(model.best_width)))
    for name, columns in scores.by_model.items():
        rows += _rows(prediction_metrics(columns, held_out), model=name, **common)
    nowhere, windows = np.array(np.nan), np.array(len(held_out.windows))
    for name, metric, value in facts:
        one = (ALL, Estimate(np.array(value), nowhere, nowhere), windows)
        rows += _rows({metric: one}, "windows", model=name, **common)
    return rows


def network_rows(
    scores: NetworkScores,
    held_out: MaskedWindows,
    others: Mapping[str, Columns],
    name: str,
    seed: int | None,
    scale: str,
    source: str,
) -> list[Row]:
    """Score rows of a network, and its paired difference from each of the ``others``.

    Others are sums by model name. The difference from a Markov model is that of the network minus
    it; from another network, whose control this one is, that of the other minus this one.
    """
    common: dict[str, Any] = {"seed": seed, "scale": scale, "source": source}
    rows = _rows(prediction_metrics(scores.columns, held_out), model=name, **common)
    bootstrap = held_out.bootstrap
    named = {Metric.BPT: scores.tokens, Metric.MASKED_BPT: scores.masked_tokens}
    sums = bootstrap.sums({"bases": scores.bases, **named})
    found: Found = {
        metric: (
            ALL,
            bootstrap.summarise(ratio(sums["bases"], sums[metric]), scale="ratio"),
            np.array(len(scores.bases)),
        )
        for metric in named
    }
    rows += _rows(found, "windows", model=name, **common)
    for other, columns in others.items():
        pair = (name, other) if other in (TWO_SIDED, EQUAL) else (other, name)
        sums_of = {name: scores.columns, other: columns}
        paired = difference(sums_of[pair[0]], sums_of[pair[1]], held_out)
        rows += _rows(paired, model=difference_of(*pair), **common)
    return rows


def write_windows(
    path: str | Path, by_model: Mapping[str, Columns], held_out: MaskedWindows
) -> None:
    """Write sums by window of some models (atomically)."""
    parts = []
    for name, columns in by_model.items():
        table = held_out.intervals.assign(model=name)
        flat = {
            f"{key}/{region}": columns[key][:, number]
            for key in _SUMS
            for number, region in enumerate(held_out.region_classes.names)
        }
        parts.append(pd.concat([table, pd.DataFrame(flat)], axis=1))
    table = pa.Table.from_pandas(pd.concat(parts), preserve_index=False)
    write_parquet(path, table, KIND.head(**held_out.facts))


def read_windows(path: str | Path, held_out: MaskedWindows) -> dict[str, Columns]:
    """Sums by model; those of other windows, masks or classes are refused."""
    table, head = read_parquet(path, KIND)
    own, names = held_out.facts, held_out.region_classes.names
    same = all(head[key] == own[key] for key in own)
    found: dict[str, Columns] = {}
    for model, rows in table.to_pandas().groupby("model", sort=False):
        frame = rows.reset_index(drop=True)
        if not same or not frame[_INTERVAL].equals(held_out.intervals):
            raise GenezipError(
                f"{path} was made for other windows, masks or region classes than these; "
                f"{KIND.again}"
            )
        found[str(model)] = {
            key: frame[[f"{key}/{region}" for region in names]].to_numpy(dtype=np.float64)
            for key in _SUMS
        }
    return found
