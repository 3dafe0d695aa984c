"""Examples of the tasks eqtl and etgp: coordinates on disk, sequences built on access.

``gene_pairs`` gives the span of an input, ``sequences`` its alleles and reading order. A BED of the
deposit lists other variants (positions of positive eQTLs) or other elements; those between the two
windows of a pair are masked (N). As in the GeneZip release, they are merged and clipped to that
stretch; the benchmark's loader leaves one that crosses an end of the whole input unmasked.
"""

import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.alphabet import encode
from genezip.artifacts.files import sha256_json
from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.genome.sources.splits import SPLITS
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.examples import IntervalList, Prepared, by_split, preparing
from genezip.tasks.pairs.deposit import (
    PUBLISHED_EXAMPLES,
    PUBLISHED_ROWS,
    PairDeposit,
    PairKind,
    differing_alleles,
    refuse_other_build,
    refuse_other_name,
)
from genezip.tasks.pairs.folds import chromosome_folds, gene_folds
from genezip.tasks.pairs.gene_pairs import between_windows, pair_windows, why_dropped
from genezip.tasks.pairs.sequences import PairSequences, pair_sequences

logger = logging.getLogger(__name__)

OUTSIDE = "gene or region outside the chromosome"
OTHER_ALLELE = "reference allele differs from the FASTA"


def prepare_pairs(
    kind: PairKind,
    subset: str,
    files: TaskFiles,
    genome: ReferenceGenome,
    manifest: str | Path,
    folds: int,
    seed: int,
) -> Prepared:
    """Convert one table of gene pairs into ``manifest.json`` and ``examples.parquet``.

    Rows that cannot become an input are left out and counted by reason.

    Parameters
    ----------
    subset : name in the deposit, see :meth:`genezip.tasks.pairs.deposit.PairDeposit.find`
    folds, seed : of the splits by gene and by chromosome (:mod:`genezip.tasks.pairs.folds`)
    """
    deposit = PairDeposit.find(kind, subset, files)
    pairs, task = deposit.read(), kind.task
    if not kind.alleles:
        refuse_other_name(subset, genome)
        pairs = pairs.assign(allele1="", allele2="")
    _compare("rows", subset, by_split(pairs["subset"]), PUBLISHED_ROWS)
    windows = pair_windows(pairs, deposit.flanks)
    reason = why_dropped(pairs, windows, deposit.flanks)
    used = (reason == "").to_numpy()
    names = {chrom: genome.name_of(chrom) for chrom in pairs.loc[used, "gene_chrom"].unique()}
    lengths = pairs["gene_chrom"].map({chrom: genome.sizes[own] for chrom, own in names.items()})
    beyond = (pairs["region_end"] > lengths) | (windows["tss"] >= lengths)
    outside = used & beyond.to_numpy()
    if kind.alleles:
        differs = differing_alleles(pairs, genome)
        refuse_other_build(pairs, differs, genome, deposit.table)
        reason = reason.mask(used & differs, OTHER_ALLELE)
    reason = reason.mask(outside, OUTSIDE)
    kept = reason == ""
    table = _examples(pairs[kept], windows[kept], names, IntervalList.read(deposit.mask, genome))
    counts = by_split(table["split"])
    dropped = {str(name): int(n) for name, n in reason[~kept].value_counts().sort_index().items()}
    for name, number in dropped.items():
        logger.info(f"{task} {subset}: {number:,} of {len(pairs):,} rows left out: {name}")
    for split in SPLITS:
        if not counts[split]:
            raise GenezipError(
                f"no row of {deposit.table} with subset {split} becomes an example"
                f"{_because(dropped)}; fetch it again, or give the genome it was made with"
            )
    _compare("examples", subset, counts, PUBLISHED_EXAMPLES)
    table["fold_gene"] = gene_folds(table, folds, seed)
    table["fold_chromosome"] = chromosome_folds(table, folds, seed)
    dealt = {}
    for rule in ("gene", "chromosome"):
        dealt[rule] = int(table[f"fold_{rule}"].max()) + 1
        if not dealt[rule]:
            logger.warning(
                f"{task} {subset}: too few groups for {folds} folds by {rule}, so there are none"
            )
        with_one = set(table.loc[table["label"] == 1, f"fold_{rule}"])
        without = [str(fold) for fold in range(dealt[rule]) if fold not in with_one]
        if without:
            logger.warning(
                f"{task} {subset}: folds by {rule} without a positive: {', '.join(without)}"
            )
    inputs = {"config": deposit.config, "table": deposit.table, "mask": deposit.mask}
    with preparing(manifest, task, subset, inputs) as draft:
        draft.write_examples(table)
        draft.dropped = dropped
        draft.facts = {
            "flanks": asdict(deposit.flanks),
            "build": genome.build(),
            "sizes_sha256": sha256_json(genome.sizes),
            "rows": by_split(pairs["subset"]),
            "expected_rows": _published(subset, PUBLISHED_ROWS),
            "expected_examples": _published(subset, PUBLISHED_EXAMPLES),
            "positives": by_split(table.loc[table["label"] == 1, "split"]),
            "folds": dealt,
            "folds_seed": seed,
        }
    return Prepared.load(manifest, task)


class PairExamples:
    """Prepared pairs and the genome that their sequences are read from.

    Attributes
    ----------
    prepared : Prepared
    table : DataFrame
        One row per example, in the order of the deposit's table: example (row number there),
        split, label, gene_id, region_id, chrom, start, end (the span; may begin before 0), tss,
        focus_start, focus_end (variant or element), allele1, allele2 (empty for elements),
        strand, flipped, distance (bp between focus_start and tss), mask_start, mask_end (lists),
        fold_gene, fold_chromosome (-1: no such folds). 0-based, half-open.
    """

    def __init__(self, prepared: Prepared, genome: ReferenceGenome) -> None:
        self.prepared = prepared
        self.genome = genome
        self.table: pd.DataFrame = prepared.table()
        self._rows = self.table.to_dict("records")

    @classmethod
    def load(
        cls, manifest: str | Path, genome: str | Path, task: str | None = None
    ) -> "PairExamples":
        """Open a prepared folder and the FASTA (or ``source.json``) it was prepared with."""
        prepared = Prepared.load(manifest, task)
        return cls(prepared, prepared.genome(genome))

    def __len__(self) -> int:
        return len(self.table)

    def sequences(self, row: int) -> PairSequences:
        """Both whole sequences of a row of the table in reading order, without cut or padding."""
        one = self._rows[row]
        start = one["start"]
        span = self.genome.ids(one["chrom"], start, one["end"])
        focus = (one["focus_start"] - start, one["focus_end"] - start)
        allele = encode(one["allele2"]) if one["allele2"] else None
        if allele is not None and not np.array_equal(span[slice(*focus)], encode(one["allele1"])):
            raise GenezipError(
                f"{self.genome.path} does not have {one['allele1']} at {one['chrom']}:"
                f"{one['focus_start']} ({one['region_id']}); prepare the task again with it"
            )
        bounds = zip(one["mask_start"], one["mask_end"], strict=True)
        masks = [(int(low) - start, int(high) - start) for low, high in bounds]
        return pair_sequences(span, focus, masks, allele, one["flipped"])


def _examples(
    pairs: pd.DataFrame, windows: pd.DataFrame, names: dict[str, str], masks: IntervalList
) -> pd.DataFrame:
    """Columns of ``examples.parquet`` without folds."""
    chroms = pairs["gene_chrom"].map(names)
    masked = []
    bounds = windows[["tss_start", "tss_end", "region_start", "region_end"]]
    for chrom, row in zip(chroms, bounds.to_numpy().tolist(), strict=True):
        gap = between_windows((row[0], row[1]), (row[2], row[3]))
        masked.append(masks.within(chrom, *gap))
    return pd.DataFrame(
        {
            "example": pairs.index.to_numpy(np.int64),
            "split": pairs["subset"],
            "label": pairs["label"],
            "gene_id": pairs["gene_id"],
            "region_id": pairs["region_id"],
            "chrom": chroms,
            "start": windows["start"],
            "end": windows["end"],
            "tss": windows["tss"],
            "focus_start": pairs["region_start"],
            "focus_end": pairs["region_end"],
            "allele1": pairs["allele1"],
            "allele2": pairs["allele2"],
            "strand": pairs["gene_strand"],
            "flipped": pairs["gene_start"] > windows["region_end"],
            "distance": (pairs["region_start"] - windows["tss"]).abs(),
            "mask_start": [starts for starts, _ in masked],
            "mask_end": [ends for _, ends in masked],
        }
    ).reset_index(drop=True)


def _published(subset: str, table: dict[str, tuple[int, int, int]]) -> dict[str, int] | None:
    return dict(zip(SPLITS, table[subset], strict=True)) if subset in table else None


def _compare(
    what: str, subset: str, found: dict[str, int], table: dict[str, tuple[int, int, int]]
) -> None:
    """Warn where the numbers of a table are not the published ones."""
    expected = _published(subset, table)
    if expected is not None and found != expected:
        ours, theirs = (
            ", ".join(f"{split} {n:,}" for split, n in side.items()) for side in (found, expected)
        )
        logger.warning(f"{subset} has the {what} {ours}; published are {theirs}")


def _because(dropped: dict[str, int]) -> str:
    """Numbers of rows left out by reason, in brackets."""
    reasons = [f"{number:,}: {name}" for name, number in dropped.items()]
    return f" (left out {'; '.join(reasons)})" if reasons else ""
