"""The task of variant effect: no training, the likelihood of a mutated coding sequence."""

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
from genezip.artifacts.scores import CONDITION, LIKELIHOOD, OUTSIDE, Row
from genezip.config.tasks import Input, Mode
from genezip.inference.changes import (
    KINDS,
    Change,
    MaskedPredictor,
    changed_likelihoods,
    masked_changes,
)
from genezip.models.base import Compressor
from genezip.tasks.base import Fact, Found, Job, Layout, Predictions, Published, Task
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.essentiality.mixture import training_mixture
from genezip.tasks.examples import Prepared, preparing
from genezip.tasks.features import Extraction, FeatureStore, StorePlan
from genezip.tasks.predictions import PredictionFile
from genezip.tasks.scores import of_kind
from genezip.tasks.variants.baselines import BASELINES, baseline_columns
from genezip.tasks.variants.codons import codons_of, nearest
from genezip.tasks.variants.published import published_rows
from genezip.tasks.variants.scans import read_scan
from genezip.tasks.variants.scores import METRICS, UNIT, variant_rows

logger = logging.getLogger(__name__)

FEATURES = {"change": 1, "kind": 1}
"""Cached numbers of a variant: mean change of the log-likelihood over its codons (nats), and the
code of the kind of likelihood."""
VARIANTS_PER_PART = 512


@dataclass(frozen=True)
class ScannedVariants:
    """Prepared variants of one set."""

    prepared: Prepared
    table: pd.DataFrame  # one row per variant, by position: variant, codons, score, baselines, ...

    @property
    def cds(self) -> str:
        """The coding sequence."""
        return str(self.prepared.facts["cds"])

    @property
    def context(self) -> str:
        """Bases that are read before it."""
        return str(self.prepared.facts["context"])


class Variants(Task[ScannedVariants]):
    """Amino-acid variants of deep mutational scans: is a fitter one likelier?"""

    name = "variants"
    settings = config.VariantEffect
    metrics = dict.fromkeys(METRICS, UNIT)
    layout = Layout("scalar", binary=False)
    modes: frozenset[Mode] = frozenset({"zero_shot"})
    published = Published(rows=published_rows)
    reads_genome = False

    def subsets(self, settings: config.VariantEffect) -> dict[str, str]:
        """The sets of the section."""
        return {name: name for name in settings.sets}

    def prepare(
        self,
        files: TaskFiles,
        genome: Path,
        subset: str,
        settings: config.VariantEffect,
        seed: int,
        manifest: Path,
    ) -> Prepared:
        """Variants, codons and baselines of a set.

        ``genome`` is the source.json whose training DNA the Markov baseline is fitted on; the
        baseline is left out without one.
        """
        entry = settings.sets[subset]
        scan = read_scan(files, entry)
        table = drawn(scan.table, settings.variants, seed)
        table["codons"] = chosen_codons(table, scan.cds, settings.codons, entry.genetic_code)
        mixture = training_mixture(genome, settings.markov_order) if genome.is_file() else None
        context, code = settings.context.upper(), entry.genetic_code
        columns = baseline_columns(table, scan.cds, context, code, mixture)
        table = pd.concat([table, columns.add_prefix("baseline_")], axis=1)
        table.insert(0, "example", np.arange(len(table)))
        table.insert(1, "split", "test")
        names = {entry.table, entry.cds, entry.genome, entry.annotation}
        read = [path for path in files.paths if path.name in names]
        inputs = {os.path.relpath(path, files.listing.parent): path for path in read}
        with preparing(manifest, self.name, subset, inputs) as draft:
            draft.write_examples(table)
            draft.dropped = scan.dropped
            draft.facts = {
                "cds": scan.cds,
                "context": context,
                "outside": entry.outside,
                "condition_of": entry.condition_of,
                "markov_order": None if mixture is None else mixture.order,
            }
        logger.info(
            f"{self.name} {subset}: {len(table):,} variants of {table['position'].nunique()} "
            "residues, whose wild type agrees with the coding sequence"
        )
        return Prepared.load(manifest, self.name)

    def open(self, manifest: Path, genome: Path) -> ScannedVariants:
        """As of :class:`Task`; the prepared folder has the sequences, so no genome is read."""
        prepared = Prepared.load(manifest, self.name)
        return ScannedVariants(prepared, prepared.table())

    def features(
        self, compressor: Compressor, examples: ScannedVariants, input: Input, settings: Any
    ) -> Extraction:
        """Change of the log-likelihood by every variant: :data:`FEATURES`.

        Of a system that predicts masked bases it is the change of the pseudo-likelihood: the bases
        of a codon that a variant alters are masked together, on both strands.
        """
        table, start = examples.table, len(examples.context)
        reference = encode(examples.context + examples.cds)

        def compute(rows: range) -> tuple[np.ndarray, int]:
            some = table.iloc[rows.start : rows.stop]
            owner, changes = [], []
            for number, (position, codons) in enumerate(
                zip(some["position"], some["codons"], strict=True)
            ):
                for codon in codons:
                    owner.append(number)
                    changes.append(Change(start + 3 * (int(position) - 1), encode(codon)))
            if isinstance(compressor, MaskedPredictor):
                masked = masked_changes(compressor, reference, changes)
                totals, passes, own = masked.score, masked.passes, KINDS.index("pseudo")
            else:
                (found,) = changed_likelihoods(compressor, [(reference, changes)])
                totals = np.array([found.total(number) for number in range(len(changes))])
                passes, own = 1 + len(changes), KINDS.index(found.kind)
            count = np.bincount(owner, minlength=len(some))
            mean = np.bincount(owner, totals, minlength=len(some)) / count
            kind = np.full(len(some), float(own))
            return np.column_stack([mean, kind]), len(reference) * passes

        plan = StorePlan.of(
            examples.prepared, table, input, compressor.facts, FEATURES, dtype="<f8"
        )
        return Extraction(plan, compute, VARIANTS_PER_PART)

    def score_zero_shot(self, features: FeatureStore, job: Job[ScannedVariants]) -> Iterator[Found]:
        """Log-likelihood of the mutant minus that of the wild type."""
        kind = KINDS[int(features.block("kind").max())]
        change = features.block("change")[:, 0]
        yield self._predictions(job.examples, change, of_kind(LIKELIHOOD, kind))

    def baselines(self, job: Job[ScannedVariants], tss: pd.DataFrame | None) -> Iterator[Found]:
        """Every baseline that the prepared folder has, and facts about the set."""
        examples = job.examples
        for name in BASELINES:
            if f"baseline_{name}" in examples.table:
                values = examples.table[f"baseline_{name}"]
                yield self._predictions(examples, values, LIKELIHOOD, name)
        facts, n = examples.prepared.facts, len(examples.table)
        yield Fact(OUTSIDE, float(facts["outside"]), n, LIKELIHOOD)
        yield Fact(CONDITION, float(facts["condition_of"] is not None), n, LIKELIHOOD)
        for reason, count in examples.prepared.dropped.items():
            yield Fact(f"left_out_{reason}", count, n, LIKELIHOOD)

    def scores(
        self, files: Sequence[PredictionFile], bootstrap: int, seed: int, control: str | None
    ) -> list[Row]:
        """Signed Spearman of every set, and means (:mod:`.scores`)."""
        return variant_rows(files, (bootstrap, seed), control)

    def _predictions(
        self, examples: ScannedVariants, values: Any, rule: str, model: str | None = None
    ) -> Predictions:
        table = examples.table
        return Predictions(
            "test",
            example=table["example"].to_numpy(),
            group=table["position"].astype(str).to_numpy(),
            target=table["score"].to_numpy(),
            prediction=np.asarray(values, dtype=np.float64),
            rule=rule,
            model=model,
        )


def chosen_codons(table: pd.DataFrame, cds: str, codons: str, genetic_code: int) -> list[list[str]]:
    """Codons of every variant that are scored: the nearest, or all of its residue."""
    found = []
    for position, mutant in table[["position", "mutant"]].itertuples(index=False):
        own = cds[3 * (position - 1) : 3 * position]
        every = list(codons_of(mutant, genetic_code))
        found.append([nearest(own, mutant, genetic_code)] if codons == "nearest" else every)
    return found


def drawn(table: pd.DataFrame, variants: int | None, seed: int) -> pd.DataFrame:
    """At most so many variants, drawn at random; order is kept."""
    if variants is None or len(table) <= variants:
        return table
    rows = np.random.default_rng(seed).choice(len(table), variants, replace=False)
    return table.iloc[np.sort(rows)].reset_index(drop=True)
