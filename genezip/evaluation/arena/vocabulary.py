"""How tokens with ids are used: entropy of the ids, and ids that never occur in held-out DNA.

The entropy over the bases of a token is the length of a code that knows how often each id occurs
and nothing else, so vocabularies of any size have one unit, bits per base.
"""

import numpy as np
import pandas as pd

from genezip.artifacts.scores import ARENA, DNA_SCORES, Metric, Row
from genezip.config import Arena
from genezip.corpus.corpus import CorpusReader
from genezip.errors import GenezipError
from genezip.evaluation.compression import Found, expand
from genezip.evaluation.windows import block_ids
from genezip.inference.forward import cut
from genezip.log import progress
from genezip.metrics.bootstrap import BlockBootstrap
from genezip.models.base import Compressor

SPLIT = "test"


def entropy(counts: np.ndarray) -> np.ndarray:
    """Entropy (bits) of the ids whose counts are along the last axis; NaN where there are none."""
    counts = np.asarray(counts, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = counts / counts.sum(axis=-1, keepdims=True)
        found = -np.where(share > 0, share * np.log2(share), 0.0).sum(axis=-1)
    return np.asarray(np.where(counts.sum(axis=-1) > 0, found, np.nan))


def vocabulary_rows(
    compressor: Compressor, reader: CorpusReader, settings: Arena, scale: str
) -> list[Row]:
    """Score rows of the ids in held-out windows; none of a system whose tokens have no ids."""
    if compressor.vocabulary is None:
        return []
    counts, bases, pieces, starts = [], [], [], []
    for window in progress(reader.windows(SPLIT), "token ids", unit="window"):
        (found,) = cut(compressor, [window.ids])
        if found.token_ids is None:
            raise GenezipError(
                f"{compressor.name} has a vocabulary, but its result has no token_ids; return them"
            )
        counts.append(np.bincount(found.token_ids, minlength=compressor.vocabulary))
        bases.append(len(window.ids))
        pieces.append(window.piece)
        starts.append(window.start)
    if not counts:
        raise GenezipError(f"{reader.path} has no held-out window; build it with such windows")
    blocks = block_ids(pd.Series(pieces), pd.Series(starts, dtype=np.int64), settings.block_bp)
    bootstrap = BlockBootstrap(blocks, settings.bootstrap, settings.seed)
    sums = bootstrap.sums(
        {"ids": np.array(counts, dtype=np.float64), "bases": np.array(bases, dtype=np.float64)}
    )
    bits = entropy(sums["ids"])
    per_base = bits * sums["ids"].sum(axis=-1) / sums["bases"]
    unused = (sums["ids"][0] == 0).mean()  # without a block there are fewer, so no interval
    n = np.array(int(np.sum(counts)))
    found_rows: Found = {
        Metric.TOKEN_ENTROPY: (("all",), bootstrap.summarise(bits[:, None]), n),
        Metric.TOKEN_BITS: (("all",), bootstrap.summarise(per_base[:, None]), n),
    }
    cells = {
        "model": compressor.name, "task": ARENA, "subset": "all", "split": SPLIT, "strand": "+",
        "seed": getattr(compressor, "seed", None), "scale": scale,
        "source": reader.manifest["source"], "unit": "tokens",
    }  # fmt: skip
    return [
        *expand(found_rows, **cells),
        fact(Metric.UNUSED_IDS, float(unused), int(n), **cells),
        fact(Metric.VOCABULARY, float(compressor.vocabulary), int(n), **cells),
    ]


def fact(metric: str, value: float, n: int, **cells: object) -> Row:
    """A row without an interval."""
    return DNA_SCORES.row(region="all", metric=metric, value=value, n=n, **cells)
