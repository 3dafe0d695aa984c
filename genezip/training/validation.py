"""Validation inside training: perplexity, BPT and promoter enrichment."""

from typing import Any

import numpy as np

from genezip.alphabet import is_base
from genezip.corpus.corpus import CorpusReader
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.hnet.windows import run
from genezip.region_classes import GENE7, RegionClasses

MIN_KNOWN = 0.95


def validation_windows(reader: CorpusReader, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Up to ``count`` evenly spread validation windows that hold at least 95 % known bases.

    Returns
    -------
    ids, regions : uint8 arrays, shape (n, L); n is 0 where the corpus has none
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
    target_bpt: dict[str, float],
    region_classes: RegionClasses = GENE7,
    batch: int = 4,
) -> dict[str, Any]:
    """Metrics pooled over windows.

    Parameters
    ----------
    ids, regions : uint8 arrays, shape (n, L)
        Token ids and region classes.
    region_classes : the classes of the corpus, each with a target

    Returns
    -------
    dict with ppl, bpt, expected_bpt, {promoter, genic, intergenic}_enrichment, tokens per
    region class and the share of windows where a bound bit; None where undefined
    """
    was_training = network.training
    network.eval()
    tokens, bases = np.zeros(len(region_classes)), np.zeros(len(region_classes))
    nll, targets, bit = 0.0, 0, 0
    for labels, result in zip(regions, run(network, list(ids), batch), strict=True):
        chunk_bp = np.diff(np.append(result.token_starts, len(labels)))
        density = np.repeat(1.0 / chunk_bp, chunk_bp)
        tokens += np.bincount(labels, density, minlength=len(region_classes))
        bases += np.bincount(labels, minlength=len(region_classes))
        assert result.log_prob is not None
        nll -= float(np.nansum(result.log_prob, dtype=np.float64))
        targets += int(np.isfinite(result.log_prob).sum())
        bit += bool(result.bound_active.any())
    network.train(was_training)
    asked = sum(bases[number] / target_bpt[name] for name, number in region_classes.ids.items())
    metrics: dict[str, Any] = {
        "ppl": float(np.exp(nll / max(targets, 1))),
        "bpt": float(bases.sum() / tokens.sum()),
        "expected_bpt": float(bases.sum() / asked),
        "bound_bit": bit / max(len(ids), 1),
        "windows": len(ids),
    }
    for group, names in region_classes.groups.items():
        members = [region_classes.ids[name] for name in names]
        share = bases[members].sum() / bases.sum()
        metrics[f"{group}_enrichment"] = (
            float(tokens[members].sum() / tokens.sum() / share) if share > 0 else None
        )
    return metrics
