"""Bits per masked word on held-out windows, of networks on words and of models that count.

All models of one vocabulary predict the same words from the same masks, each word masked by itself,
whatever they were trained on: losses under masks of whole G-grams differ between vocabularies of
G-grams and are not compared. A network is given the G-grams that no masked word touches. Only words
at ``[MASK]`` count. A loss per word is compared within one vocabulary alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from genezip.artifacts.manifest import Kind
from genezip.artifacts.scores import WORD_FLOORS, WORDS, Metric, Row, difference_of
from genezip.artifacts.tables import read_parquet, write_parquet
from genezip.config import MaskedWords
from genezip.corpus.corpus import CorpusReader, Window
from genezip.errors import GenezipError
from genezip.evaluation.baselines import stretches
from genezip.evaluation.compression import ALL, Found, expand
from genezip.evaluation.windows import Columns, block_ids, spaced_windows
from genezip.evaluation.words.floors import Floors, Masked, count_words, with_strengths
from genezip.genome.assembly import Assembly
from genezip.log import progress
from genezip.metrics.bootstrap import BlockBootstrap, Estimate, ratio
from genezip.models.bpe.compressor import BPE
from genezip.models.bpe.vocabulary import SPECIAL
from genezip.models.dnazen.ggrams import Matches
from genezip.models.dnazen.masking import MaskedTokens, mask_tokens
from genezip.models.dnazen.rows import blocks_of, matches_of_rows
from genezip.models.masking import HELD_OUT, VALIDATION

if TYPE_CHECKING:
    from genezip.models.dnazen.compressor import DnaZen

SPLIT = "test"
VALIDATION_BP = 250_000
"""Bases of validation windows on which the floors choose their strengths."""
NONE = Matches(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
KIND = Kind(
    noun="table of predictions of masked words, by window",
    version=1,
    first="run `genezip evaluate masked-words` or `word-floors` first",
    again="run `genezip evaluate masked-words` or `word-floors` again",
    keys=("tokenizer_sha256", "masks"),
)
_SUMS = ("nll", "n", "right")
_INTERVAL = ["chrom", "start", "end"]


@dataclass(frozen=True)
class HeldOutWords:
    """Held-out windows as rows of masked words; the masks depend on settings and words alone.

    ``tokens`` are the words of each block, int64 (n,), ``masked`` what is hidden of them, and
    ``window`` the number of the window of each block.
    """

    windows: tuple[Window, ...]
    tokens: tuple[np.ndarray, ...]
    masked: tuple[MaskedTokens, ...]
    window: np.ndarray
    bootstrap: BlockBootstrap
    settings: MaskedWords
    tokenizer: BPE

    @property
    def intervals(self) -> pd.DataFrame:
        """Columns chrom, start, end."""
        rows = [(one.chrom, one.start, one.end) for one in self.windows]
        return pd.DataFrame(rows, columns=_INTERVAL)

    @property
    def facts(self) -> dict[str, Any]:
        """JSON values that must agree for a comparison."""
        masks = {key: getattr(self.settings, key) for key in ("rate", "seed")}
        return {"tokenizer_sha256": self.tokenizer.sha256, "masks": masks}

    def rows(self) -> Iterator[Masked]:
        """True words, what is shown, and which are hidden, of each block."""
        for ids, one in zip(self.tokens, self.masked, strict=True):
            yield ids, one.ids, one.hidden

    def summed(self, nll: list[np.ndarray], right: list[np.ndarray]) -> Columns:
        """Sums by window, float64 (windows,), of losses and right ones by block."""
        count = len(self.windows)
        by_block = [[float(one.sum()) for one in values] for values in (nll, right)]
        by_block.append([float(len(one)) for one in nll])
        found = [np.bincount(self.window, one, minlength=count) for one in by_block]
        return {"nll": found[0], "right": found[1], "n": found[2]}


def masked_words(
    tokenizer: BPE, tokens: list[np.ndarray], rate: float, key: tuple[int, ...]
) -> list[MaskedTokens]:
    """Masks of rows of words, each word by itself; ``key`` begins the seeds of all rows."""
    size = tokenizer.vocabulary
    return [
        mask_tokens(ids, NONE, rate, "token", size, (*key, row)) for row, ids in enumerate(tokens)
    ]


def held_out_words(reader: CorpusReader, tokenizer: BPE, settings: MaskedWords) -> HeldOutWords:
    """Evenly spaced held-out windows as masked words; none is refused."""
    windows = tuple(spaced_windows(reader, SPLIT, settings.heldout_bp))
    tokens, of_window = blocks_of(tokenizer, [one.ids for one in windows])
    masked = masked_words(tokenizer, tokens, settings.rate, (HELD_OUT, settings.seed))
    if not any(one.hidden.any() for one in masked):
        raise GenezipError(
            f"{reader.path} has no held-out windows whose words could be masked; build the corpus "
            "with such windows"
        )
    segment = pd.Series([one.piece for one in windows])
    start = pd.Series([one.start for one in windows])
    blocks = block_ids(segment, start, settings.block_bp)
    bootstrap = BlockBootstrap(blocks, settings.bootstrap, settings.seed)
    rows = tuple(tokens), tuple(masked), of_window
    return HeldOutWords(windows, *rows, bootstrap, settings, tokenizer)


def fit_floors(
    reader: CorpusReader, assembly: Assembly, tokenizer: BPE, settings: MaskedWords
) -> Floors:
    """Count the words of the training segments; strengths are chosen on validation windows."""
    parts = stretches(assembly.segments_of("train"), settings.training_bp)
    tokens, _ = blocks_of(tokenizer, [assembly.ids(*one) for one in parts])
    floors = count_words(tokens, tokenizer.vocabulary)
    valid = [one.ids for one in spaced_windows(reader, "valid", VALIDATION_BP)]
    if not valid:
        raise GenezipError(
            f"{reader.path} has no validation windows, on which the floors choose how far they "
            "trust their counts; build the corpus with some (corpus.valid_windows)"
        )
    rows, _ = blocks_of(tokenizer, valid)
    masked = masked_words(tokenizer, rows, settings.rate, (VALIDATION,))
    given = zip(rows, masked, strict=True)
    return with_strengths(floors, [(ids, one.ids, one.hidden) for ids, one in given])


def score_floors(floors: Floors, held_out: HeldOutWords) -> dict[str, Columns]:
    """Sums by window of each floor."""
    losses: dict[str, list[np.ndarray]] = {name: [] for name in WORD_FLOORS}
    rights: dict[str, list[np.ndarray]] = {name: [] for name in WORD_FLOORS}
    for row in progress(held_out.rows(), "floors of words", len(held_out.tokens), "block"):
        for name, (nll, right) in floors.losses(row).items():
            losses[name].append(nll)
            rights[name].append(right)
    return {name: held_out.summed(losses[name], rights[name]) for name in WORD_FLOORS}


@dataclass(frozen=True)
class NetworkWords:
    """Sums by window of a network, and of the G-grams in it, float64 (windows,)."""

    columns: Columns
    matches: np.ndarray
    visible: np.ndarray
    cut: np.ndarray  # blocks with more G-grams than the network is given
    blocks: np.ndarray
    words: np.ndarray
    bases: np.ndarray


def score_network(model: "DnaZen", held_out: HeldOutWords) -> NetworkWords:
    """Predict the hidden words of the held-out windows."""
    from genezip.models.dnazen.masking import touched
    from genezip.models.dnazen.prediction import hidden_losses

    tokens, masked = list(held_out.tokens), list(held_out.masked)
    matches = matches_of_rows(model.ggrams, tokens)
    given = [
        MaskedTokens(one.ids, one.chosen, ~touched(one.chosen, found))
        for one, found in zip(masked, matches, strict=True)
    ]
    found = hidden_losses(model.network, tokens, given, matches)
    columns = held_out.summed([one.nll for one in found], [one.right for one in found])
    most = model.network.shape.most_ggrams
    by_block = (
        [len(one) for one in matches],
        [int(one.visible.sum()) for one in given],
        [len(np.unique(one.ggram)) > most for one in matches],
        [1] * len(tokens),
        [int((ids >= len(SPECIAL)).sum()) for ids in tokens],
    )
    count = len(held_out.windows)
    sums = [np.bincount(held_out.window, one, minlength=count) for one in by_block]
    bases = np.array([len(one.ids) for one in held_out.windows], dtype=np.float64)
    seen, visible, cut, blocks, words = sums
    return NetworkWords(columns, seen, visible, cut, blocks, words, bases)


def _value(columns: Columns, what: str, held_out: HeldOutWords) -> np.ndarray:
    """Mean of a sum over the hidden words, (1 + B,)."""
    sums = held_out.bootstrap.sums({"x": columns[what], "n": columns["n"]})
    return ratio(sums["x"], sums["n"])


def _rows(found: Found, unit: str = "words", **cells: Any) -> list[Row]:
    return expand(found, task=WORDS, subset="all", split=SPLIT, strand="+", unit=unit, **cells)


def _estimate(estimate: Estimate, n: float) -> tuple[tuple[str, ...], Estimate, np.ndarray]:
    return ALL, estimate, np.array(n)


def prediction_rows(columns: Columns, held_out: HeldOutWords, **cells: Any) -> list[Row]:
    """Bits per masked word and accuracy of one model."""
    draws, n = held_out.bootstrap, columns["n"].sum()
    bits = draws.summarise(_value(columns, "nll", held_out) / np.log(2), scale="ratio")
    right = draws.summarise(_value(columns, "right", held_out), scale="share")
    found = {Metric.WORD_BITS: _estimate(bits, n), Metric.WORD_ACCURACY: _estimate(right, n)}
    return _rows(found, **cells)


def difference_rows(
    ours: Columns, theirs: Columns, held_out: HeldOutWords, **cells: Any
) -> list[Row]:
    """Paired difference of the bits per masked word of two models."""
    nats = _value(ours, "nll", held_out) - _value(theirs, "nll", held_out)
    bits = held_out.bootstrap.summarise(nats / np.log(2))
    found = {Metric.WORD_BITS_DIFFERENCE: _estimate(bits, ours["n"].sum())}
    return _rows(found, **cells)


def floor_rows(
    by_model: Mapping[str, Columns], held_out: HeldOutWords, scale: str, source: str
) -> list[Row]:
    """Score rows of the floors."""
    rows: list[Row] = []
    for name, columns in by_model.items():
        rows += prediction_rows(columns, held_out, model=name, scale=scale, source=source)
    return rows


def network_rows(
    scores: NetworkWords,
    held_out: HeldOutWords,
    others: Mapping[str, Columns],
    model: "DnaZen",
    scale: str,
    source: str,
) -> list[Row]:
    """Score rows of a network: bits and accuracy, G-grams, and paired differences.

    ``others`` are sums by model name; the difference is this network minus the other.
    """
    common: dict[str, Any] = {"seed": model.card.seed, "scale": scale, "source": source}
    rows = prediction_rows(scores.columns, held_out, model=model.name, **common)
    draws = held_out.bootstrap
    sums = draws.sums(
        {
            name: getattr(scores, name)
            for name in ("matches", "visible", "cut", "blocks", "words", "bases")
        }
    )
    found: Found = {
        Metric.WORD_BP: _estimate(
            draws.summarise(ratio(sums["bases"], sums["words"]), scale="ratio"), scores.words.sum()
        )
    }
    if model.ggrams is not None:
        blocks = scores.blocks.sum()
        for metric, above, below, kind in (
            (Metric.GGRAMS_PER_BLOCK, "matches", "blocks", "ratio"),
            (Metric.CUT_BLOCKS, "cut", "blocks", "share"),
            (Metric.VISIBLE_GGRAMS, "visible", "matches", "share"),
        ):
            value = draws.summarise(ratio(sums[above], sums[below]), scale=kind)  # type: ignore[arg-type]
            found[metric] = _estimate(value, blocks)
    rows += _rows(found, "blocks", model=model.name, **common)
    for other, columns in others.items():
        if other != model.name:
            cells = {"model": difference_of(model.name, other), **common}
            rows += difference_rows(scores.columns, columns, held_out, **cells)
    return rows


def write_windows(
    path: str | Path, by_model: Mapping[str, Columns], held_out: HeldOutWords
) -> None:
    """Write sums by window of some models (atomically)."""
    parts = [
        held_out.intervals.assign(model=name, **{key: columns[key] for key in _SUMS})
        for name, columns in by_model.items()
    ]
    table = pa.Table.from_pandas(pd.concat(parts), preserve_index=False)
    write_parquet(path, table, KIND.head(**held_out.facts))


def read_windows(path: str | Path, held_out: HeldOutWords) -> dict[str, Columns]:
    """Sums by model; those of other windows, masks or words are refused."""
    table, head = read_parquet(path, KIND)
    same = all(head[key] == value for key, value in held_out.facts.items())
    found: dict[str, Columns] = {}
    for model, rows in table.to_pandas().groupby("model", sort=False):
        frame = rows.reset_index(drop=True)
        if not same or not frame[_INTERVAL].equals(held_out.intervals):
            raise GenezipError(
                f"{path} was made for other windows, masks or words than these; {KIND.again}"
            )
        found[str(model)] = {key: frame[key].to_numpy(dtype=np.float64) for key in _SUMS}
    return found
