"""The task tisp: ten tracks of transcription initiation at every base of windows of 100,000 bp."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip import config
from genezip.artifacts.scores import Row
from genezip.config.tasks import Mode
from genezip.corpus.exclusions import EvaluationIntervals
from genezip.formats.chrom_sizes import hg38_sizes
from genezip.genome.assembly import ReferenceGenome
from genezip.metrics.correlation import INITIATION_METRICS, N_TRACKS
from genezip.tasks.base import Found, Job, Layout, Published, Task
from genezip.tasks.deposits import Deposit, TaskFiles
from genezip.tasks.examples import Prepared
from genezip.tasks.exclusions import on_hg38
from genezip.tasks.initiation.baselines import predict_baselines
from genezip.tasks.initiation.examples import InitiationExamples, prepare_initiation
from genezip.tasks.initiation.scores import UNIT, initiation_rows
from genezip.tasks.initiation.windows import HELD_OUT
from genezip.tasks.predictions import PredictionFile


class TISP(Task[InitiationExamples]):
    """The task of ten initiation tracks on windows of 100,000 bp."""

    name = "tisp"
    settings = config.Initiation
    metrics = dict.fromkeys(INITIATION_METRICS, UNIT)
    layout = Layout("array", (N_TRACKS, -1), holds=f"{N_TRACKS} tracks and an axis of positions")
    deposit = Deposit("doi:10.7910/DVN/VXQKWO")
    modes: frozenset[Mode] = frozenset({"head_only", "release", "lora", "full"})
    published = Published(missing="pcc_mean", mode="full")
    fasta = (".primary_assembly.fa", ".primary_assembly.fa.gz")
    one_folder = True

    def prepare(
        self, files: TaskFiles, genome: Path, subset: str, settings: Any, seed: int, manifest: Path
    ) -> Prepared:
        """As of :class:`Task`."""
        fasta = ReferenceGenome(genome)
        return prepare_initiation(files, fasta, manifest, seed, settings.train_windows)

    def open(self, manifest: Path, genome: Path) -> InitiationExamples:
        """As of :class:`Task`."""
        return InitiationExamples.load(manifest, genome)

    def evaluation_intervals(self, folder: Path) -> EvaluationIntervals:
        """As of :class:`Task`: whole chromosomes; no file is read."""
        rows = [
            (chrom, 0, hg38_sizes()[chrom], split, "transcription initiation chromosome")
            for chrom, split in HELD_OUT.items()
        ]
        columns = ["chrom", "start", "end", "split", "reason"]
        return on_hg38(self.name, pd.DataFrame(rows, columns=columns))

    def tune(self, network: Any, job: Job[InitiationExamples]) -> Iterator[Found]:
        """As of :class:`Task`."""
        from genezip.tasks.initiation import network as live
        from genezip.tasks.networks import tuned_with_ratio

        def tested() -> Iterator[np.ndarray]:
            test = np.flatnonzero(job.examples.table["split"] == "test").tolist()
            return map(job.examples.ids, test)

        def tuned() -> Iterator[Found]:
            found = live.tune_initiation(network, job)
            return live.predict_initiation(job.examples, found, job.method.label)

        return tuned_with_ratio(network, job, tested, tuned, "paper")

    def train_cnn(self, job: Job[InitiationExamples]) -> Iterator[Found]:
        """As of :class:`Task`."""
        from genezip.tasks.initiation import network as live

        found = live.train_initiation_cnn(job)
        return live.predict_initiation(job.examples, found, job.method.label)

    def baselines(self, job: Job[InitiationExamples], tss: pd.DataFrame | None) -> Iterator[Found]:
        """As of :class:`Task`."""
        return predict_baselines(job.examples, tss, job.seed)

    def scores(
        self, files: Sequence[PredictionFile], bootstrap: int, seed: int, control: str | None
    ) -> list[Row]:
        """As of :class:`Task`."""
        return initiation_rows(files, bootstrap, seed)
