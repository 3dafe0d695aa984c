"""The tasks eqtl and etgp: whether a variant, or an enhancer, acts on a gene."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import pandas as pd

from genezip import config
from genezip.artifacts.scores import Row
from genezip.config.tasks import Input, Mode
from genezip.corpus.exclusions import EvaluationIntervals
from genezip.genome.assembly import ReferenceGenome
from genezip.metrics.ranking import METRICS
from genezip.models.base import Compressor
from genezip.tasks.base import Columns, Found, Job, Layout, Published, Subsets, Task
from genezip.tasks.deposits import Deposit, TaskFiles
from genezip.tasks.examples import Prepared
from genezip.tasks.features import Extraction, FeatureStore
from genezip.tasks.pairs.baselines import predict_baselines
from genezip.tasks.pairs.deposit import ELEMENTS, VARIANTS, PairKind
from genezip.tasks.pairs.examples import PairExamples, prepare_pairs
from genezip.tasks.pairs.gene_pairs import eqtl_intervals, etgp_intervals
from genezip.tasks.pairs.probe import predict_pairs
from genezip.tasks.pairs.scores import MATCHED, UNIT, pair_rows
from genezip.tasks.predictions import PredictionFile


class Pairs(Task[PairExamples]):
    """What eqtl and etgp have in common."""

    metrics = dict.fromkeys(METRICS, UNIT)
    layout = Layout("scalar")
    modes: frozenset[Mode] = frozenset({"frozen", "head_only", "release", "lora", "full"})
    kind: ClassVar[PairKind]
    selection: ClassVar[str]  # metric of the validation pairs that selects the weights
    matched: ClassVar[bool] = False  # whether scores include those of pairs matched in distance

    def prepare(
        self, files: TaskFiles, genome: Path, subset: str, settings: Any, seed: int, manifest: Path
    ) -> Prepared:
        """As of :class:`Task`."""
        fasta = ReferenceGenome(genome)
        return prepare_pairs(self.kind, subset, files, fasta, manifest, settings.folds, seed)

    def open(self, manifest: Path, genome: Path) -> PairExamples:
        """As of :class:`Task`."""
        return PairExamples.load(manifest, genome, self.name)

    def features(
        self, compressor: Compressor, examples: PairExamples, input: Input, settings: Any
    ) -> Extraction:
        """As of :class:`Task`."""
        from genezip.tasks.pairs.features import pair_features

        return pair_features(compressor, examples, input)

    def fit(self, features: FeatureStore, job: Job[PairExamples]) -> Iterator[Found]:
        """As of :class:`Task`."""
        work = None if job.work == Path() else job.work
        table, input = job.examples.table, job.method.input
        return predict_pairs(features, table, input, job.settings, work, job.identity)

    def tune(self, network: Any, job: Job[PairExamples]) -> Iterator[Found]:
        """As of :class:`Task`."""
        from genezip.tasks.networks import tuned_with_ratio
        from genezip.tasks.pairs import network as live

        def tuned() -> Iterator[Found]:
            return live.predict_pairs(job.examples, live.tune_pairs(network, job, self.selection))

        tested = partial(live.tested_sequences, job.examples, job.method.input)
        return tuned_with_ratio(network, job, tested, tuned, "paper")

    def train_cnn(self, job: Job[PairExamples]) -> Iterator[Found]:
        """As of :class:`Task`."""
        from genezip.tasks.pairs import network as live

        return live.predict_pairs(job.examples, live.train_pairs_cnn(job, self.selection))

    def baselines(self, job: Job[PairExamples], tss: pd.DataFrame | None) -> Iterator[Found]:
        """As of :class:`Task`."""
        name = f"{self.name} {job.method.subset}"
        return predict_baselines(job.examples, name, job.settings.rules)

    def scores(
        self, files: Sequence[PredictionFile], bootstrap: int, seed: int, control: str | None
    ) -> list[Row]:
        """As of :class:`Task`."""
        return pair_rows(files, bootstrap, seed, self.matched)


def _is_table_or_config(path: PurePosixPath) -> bool:
    """Whether a file of eqtl is the table or the config of a tissue."""
    config = path.name.startswith("gtex_hg38.") and path.name != "gtex_hg38.config"
    return config or path.name.endswith(".data.tsv")


class EQTL(Pairs):
    """Pairs of a variant and a gene: whether the variant is an eQTL of the gene."""

    name, kind = VARIANTS.task, VARIANTS
    settings = config.EQTL
    deposit = Deposit("doi:10.7910/DVN/YUP2G5", _is_table_or_config)
    fasta = ("eQTL/seqs/hg38.fa", "eQTL/seqs/hg38.fa.gz")
    selection = "auroc"

    @staticmethod
    def _columns(subsets: Subsets) -> Columns:
        return {name: (short, "auroc") for short, name in subsets.items()}

    published = Published(_columns, mode="release")

    def evaluation_intervals(self, folder: Path) -> EvaluationIntervals:
        """As of :class:`Task`."""
        return eqtl_intervals(folder)


class ETGP(Pairs):
    """Pairs of an enhancer and a gene: whether the enhancer acts on the gene."""

    name, kind = ELEMENTS.task, ELEMENTS
    settings = config.ETGP
    deposit = Deposit(
        "doi:10.7910/DVN/CTEQXX",
        lambda path: path.suffix == ".tsv" or "config" in path.parts[:-1],
        shared=("chain",),
        listed=True,
    )
    fasta = ("hg19.fa", "hg19.fa.gz")
    selection = "auprc"
    metrics = dict.fromkeys([*METRICS, MATCHED], UNIT)
    matched = True

    @staticmethod
    def _columns(subsets: Subsets) -> Columns:
        only = next(iter(subsets))
        return {"auroc": (only, "auroc"), "auprc": (only, "auprc_sorted")}

    published = Published(_columns, mode="lora")

    def evaluation_intervals(self, folder: Path) -> EvaluationIntervals:
        """As of :class:`Task`."""
        return etgp_intervals(folder)
