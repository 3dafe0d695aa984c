"""The task of essential genes: no training, the likelihood of a genome with and without a gene."""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip import config
from genezip.alphabet import encode
from genezip.artifacts.scores import (
    KNOCK_OUT,
    ORGANISM_SEEN,
    SHARE_ABOVE_ZERO,
    WILD_TYPE,
    Row,
)
from genezip.config.tasks import Input, Mode
from genezip.genome.names import first_names
from genezip.inference.changes import KINDS, changed_likelihoods, require_whole_likelihood
from genezip.models.base import Compressor
from genezip.tasks.base import Fact, Found, Job, Layout, NotMeasured, Predictions, Published, Task
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.essentiality.baselines import BASELINES, baseline_columns
from genezip.tasks.essentiality.genes import read_genes
from genezip.tasks.essentiality.knockout import STOP_IDS, gene_windows, knock_out
from genezip.tasks.essentiality.labels import LABEL, join_labels, read_labels
from genezip.tasks.essentiality.mixture import training_mixture
from genezip.tasks.essentiality.published import published_rows
from genezip.tasks.essentiality.scores import METRICS, UNIT, essentiality_rows
from genezip.tasks.examples import Prepared, preparing
from genezip.tasks.features import Extraction, FeatureStore, StorePlan
from genezip.tasks.predictions import PredictionFile
from genezip.tasks.scores import of_kind

logger = logging.getLogger(__name__)

NO_LABEL = "without_label"
NEAR_BP = 128  # behind the stop codons, where most of the change should lie
GENES_PER_PART = 64
FEATURES = {"wild_type": 1, "change": 1, "near": 1, "moved": 1, "kind": 1}
"""Cached numbers of a gene: log-likelihood of the window and its change by the knock-out (nats),
the absolute changes of single bases within :data:`NEAR_BP` and in all, and the kind's code."""


@dataclass(frozen=True)
class Knockouts:
    """Prepared genes of one organism."""

    prepared: Prepared
    table: pd.DataFrame  # one row per gene: window, site, block, essential, baselines, ...

    @property
    def seen(self) -> bool:
        """Whether any DNA of the organism is for training."""
        return bool(self.prepared.facts["seen"])


class EssentialGenes(Task[Knockouts]):
    """Genes whose knock-out by stop codons costs likelihood: essential or not (DEG labels)."""

    name = "essentiality"
    settings = config.Essentiality
    metrics = dict.fromkeys(METRICS, UNIT)
    layout = Layout("scalar")
    modes: frozenset[Mode] = frozenset({"zero_shot"})
    published = Published(rows=published_rows)

    def as_read(self, compressor: Compressor) -> Compressor:
        """The compressor; one that predicts masked bases is refused."""
        require_whole_likelihood(compressor)
        return compressor

    def subsets(self, settings: config.Essentiality) -> dict[str, str]:
        """The organisms with labels."""
        return {name: name for name in settings.labels}

    def prepare(
        self,
        files: TaskFiles,
        genome: Path,
        subset: str,
        settings: config.Essentiality,
        seed: int,
        manifest: Path,
    ) -> Prepared:
        """Windows, labels and baselines of the genes of one organism; ``genome`` is source.json."""
        path = label_file(files, subset, settings)
        genes = read_genes(genome, subset)
        labels = join_labels(path, read_labels(path), genes.named)
        coding = genes.coding.table
        labelled = coding[coding["gene_id"].isin(list(labels.of_gene))].reset_index(drop=True)
        made = gene_windows(labelled, genes.contigs, genes.organism, settings)
        table = made.table
        table[LABEL] = table["gene_id"].map(dict(labels.of_gene)).astype(np.int64)
        mixture = training_mixture(genome, settings.markov_order)
        columns = baseline_columns(table, genes, mixture, settings.operon_gap_bp)
        table = pd.concat([table, columns], axis=1)
        table["block"] = blocks(table, genes.contigs, settings.block_bp)
        table = drawn(table, settings.nonessential, seed)
        if table[LABEL].nunique() < 2:
            raise NotMeasured(
                f"of the {len(table):,} genes of {subset} that can be knocked out, none is "
                f"{'essential' if not table[LABEL].any() else 'other than essential'}"
            )
        table.insert(0, "example", np.arange(len(table)))
        table.insert(1, "split", "test")
        dropped = {**genes.coding.left_out, **made.dropped, NO_LABEL: len(coding) - len(labelled)}
        inputs = {os.path.relpath(one, files.listing.parent): one for one in (path, genome)}
        with preparing(manifest, self.name, subset, inputs) as draft:
            draft.write_examples(table)
            draft.dropped = {reason: n for reason, n in dropped.items() if n}
            draft.facts = {
                "seen": genes.organism.seen,
                "genetic_code": genes.organism.genetic_code,
                "unknown_genes": len(labels.unknown),
                "first_unknown_genes": labels.unknown[:3],
                "markov_order": None if mixture is None else mixture.order,
            }
        left = ", ".join(f"{reason} {n:,}" for reason, n in draft.dropped.items())
        logger.info(
            f"{self.name} {subset}: {len(table):,} genes, {int(table[LABEL].sum()):,} essential; "
            f"left out: {left or 'none'}"
        )
        return Prepared.load(manifest, self.name)

    def open(self, manifest: Path, genome: Path) -> Knockouts:
        """As of :class:`Task`; the prepared folder has the windows, so no genome is read."""
        prepared = Prepared.load(manifest, self.name)
        return Knockouts(prepared, prepared.table())

    def features(
        self, compressor: Compressor, examples: Knockouts, input: Input, settings: Any
    ) -> Extraction:
        """Log-likelihoods of every window and of its knock-out: :data:`FEATURES`."""
        table = examples.table

        def compute(rows: range) -> tuple[np.ndarray, int]:
            found, read = np.zeros((len(rows), len(FEATURES))), 0
            some = table.iloc[rows.start : rows.stop]
            windows = [
                (encode(window), [knock_out(int(site))])
                for window, site in zip(some["window"], some["site"], strict=True)
            ]
            for number, both in enumerate(changed_likelihoods(compressor, windows)):
                by_base = np.abs(both.difference(0))
                found[number] = (
                    np.nansum(both.reference, dtype=np.float64),
                    both.total(0),
                    by_base[: len(STOP_IDS) + NEAR_BP].sum(),
                    by_base.sum(),
                    KINDS.index(both.kind),
                )
                read += 2 * len(both.reference)
            return found, read

        plan = StorePlan.of(
            examples.prepared, table, input, compressor.facts, FEATURES, dtype="<f8"
        )
        return Extraction(plan, compute, GENES_PER_PART)

    def score_zero_shot(self, features: FeatureStore, job: Job[Knockouts]) -> Iterator[Found]:
        """Likelihood lost by the knock-out, and the improbability of the wild type by itself."""
        numbers = {name: features.block(name)[:, 0] for name in FEATURES}
        kind = KINDS[int(numbers["kind"].max())]
        knock, wild = of_kind(KNOCK_OUT, kind), of_kind(WILD_TYPE, kind)
        yield self._predictions(job.examples, -numbers["change"], knock)
        yield self._predictions(job.examples, -numbers["wild_type"], wild)
        n = len(job.examples.table)
        above = float((numbers["change"] < 0).mean())
        yield Fact(SHARE_ABOVE_ZERO, above, n, knock, of_method=True)
        near = float(numbers["near"].sum() / max(numbers["moved"].sum(), 1e-300))
        yield Fact(f"change_within_{NEAR_BP}", near, n, knock, of_method=True)

    def baselines(self, job: Job[Knockouts], tss: pd.DataFrame | None) -> Iterator[Found]:
        """Every baseline that the prepared folder has, and facts about the genes."""
        examples = job.examples
        for name in BASELINES:
            if name in examples.table:
                yield self._predictions(examples, examples.table[name], KNOCK_OUT, name)
        n, prepared = len(examples.table), examples.prepared
        yield Fact(ORGANISM_SEEN, float(examples.seen), n, KNOCK_OUT)
        yield Fact("essential_share", float(examples.table[LABEL].mean()), n, KNOCK_OUT)
        yield Fact("genetic_code", prepared.facts["genetic_code"], n, KNOCK_OUT)
        yield Fact("labels_of_unknown_genes", prepared.facts["unknown_genes"], n, KNOCK_OUT)
        for reason, count in prepared.dropped.items():
            yield Fact(f"left_out_{reason}", count, n, KNOCK_OUT)

    def scores(
        self, files: Sequence[PredictionFile], bootstrap: int, seed: int, control: str | None
    ) -> list[Row]:
        """AUROC and average precision of organisms, and their means (:mod:`.scores`)."""
        return essentiality_rows(files, (bootstrap, seed), control)

    def _predictions(
        self, examples: Knockouts, values: Any, rule: str, model: str | None = None
    ) -> Predictions:
        table = examples.table
        return Predictions(
            "test",
            example=table["example"].to_numpy(),
            group=table["block"].to_numpy(),
            target=table[LABEL].to_numpy(),
            prediction=np.asarray(values, dtype=np.float64),
            rule=rule,
            model=model,
        )


def label_file(files: TaskFiles, organism: str, settings: config.Essentiality) -> Path:
    """The listed table of labels of an organism; NotMeasured where it is not listed."""
    stem = settings.labels[organism]
    names = (stem, f"{stem}.tsv", f"{stem}.tsv.gz")
    found = [path for path in files.paths if path.name in names]
    if not found:
        held = first_names([path.name for path in files.paths]) or "none"
        raise NotMeasured(f"{files.listing.name} lists no labels {stem}.tsv (it lists {held})")
    return found[0]


def blocks(table: pd.DataFrame, contigs: dict[str, np.ndarray], block_bp: int) -> list[str]:
    """Name of the block of the genome that holds the middle of each gene."""
    columns = ["chrom", "start", "end"]
    places = table[columns].itertuples(index=False)
    return [f"{c}:{(s + e) // 2 % len(contigs[c]) // block_bp:05d}" for c, s, e in places]


def drawn(table: pd.DataFrame, nonessential: int | None, seed: int) -> pd.DataFrame:
    """All essential genes, and at most so many others, drawn at random; order is kept."""
    others = np.flatnonzero(table[LABEL] == 0)
    if nonessential is None or len(others) <= nonessential:
        return table
    chosen = np.random.default_rng(seed).choice(others, nonessential, replace=False)
    rows = np.sort(np.concatenate([np.flatnonzero(table[LABEL] == 1), chosen]))
    return table.iloc[rows].reset_index(drop=True)
