"""Base class of the tasks of windows: contact maps and regulatory activity."""

from pathlib import Path
from typing import Any, ClassVar

from genezip.config.tasks import Input
from genezip.corpus.exclusions import EVALUATION_SPLITS, EvaluationIntervals
from genezip.formats.bed import BED4_SPLIT, read_bed
from genezip.genome.sources.splits import SPLITS
from genezip.models.base import Compressor
from genezip.tasks.base import Task
from genezip.tasks.exclusions import listed, on_hg38
from genezip.tasks.features import FLOAT, Extraction
from genezip.tasks.windows.examples import Bins, WindowExamples


class Windows(Task[WindowExamples]):
    """A task of targets in equal bins of long windows, with cached features of those bins."""

    bins: ClassVar[dict[Input, Bins]]  # scored bins of an input
    bed: ClassVar[str]  # end of the path of the list of windows in the deposit
    widened_bp: ClassVar[int] = 0  # bases that the input adds on each side of a listed window
    store_dtype: ClassVar[str] = FLOAT  # of a feature on disk
    reason: ClassVar[str]  # what an excluded window is, for the table of exclusions

    def open(self, manifest: Path, genome: Path) -> WindowExamples:
        """As of :class:`Task`."""
        return WindowExamples.load(manifest, genome, self.name)

    def evaluation_intervals(self, folder: Path) -> EvaluationIntervals:
        """As of :class:`Task`."""
        path = listed(folder, self.name, self.bed)[0]
        table = read_bed(path, BED4_SPLIT, choices={"split": SPLITS}, todo="fetch it again")
        table = table[table["split"].isin(EVALUATION_SPLITS)].reset_index(drop=True)
        inputs = table.assign(
            start=table["start"] - self.widened_bp,
            end=table["end"] + self.widened_bp,
            reason=self.reason,
        )
        return on_hg38(self.name, inputs)

    def features(
        self, compressor: Compressor, examples: WindowExamples, input: Input, settings: Any
    ) -> Extraction:
        """As of :class:`Task`."""
        from genezip.tasks.windows.features import window_features

        bins, dtype = self.bins[input], self.store_dtype
        return window_features(compressor, examples, bins, input, settings.tap, dtype)
