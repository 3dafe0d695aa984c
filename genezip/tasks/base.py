"""The protocol of a task, a question with targets, and the types that it takes and yields.

A :class:`Task` yields :class:`Predictions`, :class:`Note` and :class:`Fact` and writes no result:
:mod:`genezip.tasks.run` does what is the same for all tasks (identity of a run, refusal of another
run's files, seeds, resuming, files).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar, get_args

import numpy as np
import pandas as pd

from genezip.artifacts.files import sha256_file
from genezip.artifacts.scores import BASELINE, Row
from genezip.config import Section
from genezip.config.tasks import Input, Mode
from genezip.errors import GenezipError
from genezip.tasks.deposits import Deposit, TaskFiles

if TYPE_CHECKING:
    from genezip.corpus.exclusions import EvaluationIntervals
    from genezip.models.base import Compressor
    from genezip.models.hnet.network import GeneZipNetwork
    from genezip.tasks.examples import Prepared
    from genezip.tasks.features import Extraction, FeatureStore
    from genezip.tasks.predictions import PredictionFile

Values = Literal["scalar", "array"]
Subsets = Mapping[str, str]
"""Short name of a subset, as in result paths, -> name in the deposit."""
ALL = "all"
"""Subset name of a folder that serves all subsets, and of all kinds of example together."""
CNN = "cnn"
"""Model name of the one-hot CNN, the trained baseline."""


@dataclass(frozen=True)
class Method:
    """One column of a comparison: a model, fed in one way, with one kind of head, on one subset."""

    task: str  # name of the task
    subset: str  # short name, as in result paths (artery, HFF, ...)
    model: str  # name of a model, comparator or baseline
    seed: int | None  # training seed; None where training draws nothing at random
    input: str  # ``authors``, ``full`` or ``contrast``; empty for baselines without sequence input
    # ``frozen``, ``zero_shot``, ``head_only``, ``release``, ``lora`` or ``full``; ``baseline``
    mode: str

    @property
    def label(self) -> str:
        """``model.seed0.input.mode``, for messages."""
        seed = [] if self.seed is None else [f"seed{self.seed}"]
        return ".".join([self.model, *seed, *filter(None, (self.input, self.mode))])


def baseline_method(name: str, task: str, subset: str) -> Method:
    """Method of a baseline without a model."""
    return Method(task, subset, name, None, "", BASELINE)


@dataclass(frozen=True)
class Layout:
    """Kind, shape and precision of one prediction of a task."""

    kind: Values  # ``scalar`` or ``array``
    # shape of one array, -1 where it depends on the data; empty for ``scalar``
    shape: tuple[int, ...] = ()
    # prediction, target: dtype on disk of arrays; numbers are float64
    prediction: str = "<f2"
    target: str = "<f2"
    holds: str = "numbers"  # content of an array, for messages
    binary: bool = True  # whether targets of ``scalar`` are 0 or 1, not any number

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether arrays of this shape can be of the task; an axis of -1 fits any size."""
        pairs = zip(shape, self.shape, strict=False)
        return len(shape) == len(self.shape) and all(-1 in (a, b) or a == b for a, b in pairs)


@dataclass(frozen=True)
class Predictions:
    """Predictions and targets of some examples of one split."""

    split: str  # ``valid`` or ``test``; ``train`` where a baseline was not trained on it
    example: np.ndarray  # int array, shape (n,), numbers of the examples
    group: Sequence[Any] | np.ndarray  # n names of the units that the bootstrap resamples
    # target, prediction: arrays, shape (n,), or n arrays in the layout of the task
    target: Sequence[Any] | np.ndarray
    prediction: Sequence[Any] | np.ndarray
    # split scheme: ``paper`` (the deposit's own), ``gene``, ``chromosome``, ...
    rule: str = "paper"
    fold: int = -1  # number of the fold, -1 where the scheme has one
    # float array, shape (n,), masked-variant scores (variant or element masked), or None
    hidden: np.ndarray | None = None
    model: str | None = None  # name of the baseline; None for that of the method
    # short name, where a task's file holds several; None for that of the method
    subset: str | None = None


@dataclass(frozen=True)
class Note:
    """Reason why a metric does not apply: its cell stays empty, with the reason as note.

    With ``value_stands`` the cell keeps its value beside the reason.
    ``model`` and ``subset`` as of :class:`Predictions`.
    """

    metric: str
    reason: str
    rule: str = "paper"
    split: str = "test"
    value_stands: bool = False
    model: str | None = None
    subset: str | None = None


@dataclass(frozen=True)
class Fact:
    """A number beside the scores: about the examples of a split, or about the method."""

    metric: str  # share of genes seen in training, ...
    value: float | None
    n: int  # number of examples
    rule: str = "paper"
    split: str = "test"
    of_method: bool = False  # whether the number is about the method (its bases per token, ...)


Found = Predictions | Note | Fact
"""A result that a task yields and :mod:`genezip.tasks.run` writes."""

E = TypeVar("E")
"""Examples of a task, opened."""
Columns = Mapping[str, tuple[str, str]]
"""Column of a published table -> subset and metric."""


@dataclass(frozen=True)
class Published:
    """Published numbers that are shown beside ours (most of arXiv 2602.17739v1)."""

    # from the subsets to subset and metric of each column; None where no table was recovered
    columns: Callable[[Subsets], Columns] | None = None
    missing: str | None = None  # metric whose row notes that its published value could not be had
    # mode in which the paper trained; None where it has no setting for the task
    mode: Mode | None = None
    split: str = "test"  # our split that the published numbers are of
    # rows of tables that have other columns, with subset, model, metric, value and note; None where
    # ``columns`` describes the table
    rows: Callable[[], Sequence[Row]] | None = None


@dataclass(frozen=True)
class Job(Generic[E]):
    """One method on one subset: all that a task needs to predict, without output paths."""

    method: Method  # whose predictions are wanted
    official: str  # name of the subset in the deposit
    examples: E  # the prepared examples, opened
    settings: Any  # the task's section
    seed: int  # of initial weights, dropout and the order of examples
    # facts that must be equal between two parts of a run
    identity: dict[str, Any] = field(default_factory=dict)
    work: Path = Path()  # folder of the checkpoint; it is removed when the predictions are written

    @property
    def name(self) -> str:
        """``task subset model.seed0.input.mode``, for messages."""
        return f"{self.method.task} {self.method.subset} {self.method.label}"


def run_identity(method: Method, prepared_manifest: str | Path) -> dict[str, Any]:
    """Facts that tie a checkpoint to its data and its method."""
    return {
        "task": method.task,
        "subset": method.subset,
        "model": method.label,
        "data": sha256_file(prepared_manifest),
    }


class NotMeasured(GenezipError):
    """Raised where the data at hand cannot answer a task; the run goes on and logs the reason."""


class Task(Protocol[E]):
    """A question with targets; a task derives from this class.

    :meth:`prepare`, :meth:`open`, :meth:`baselines` and :meth:`scores` are required. Every other
    method refuses in one sentence unless the task overrides it.

    Attributes
    ----------
    name : in result paths, score rows and :data:`genezip.tasks.REGISTRY`
    settings : class of its section of the configuration
    metrics : name of a metric -> units that its bootstrap resamples (genes, loci, blocks, ...)
    layout : kind, shape and precision of one prediction
    deposit : source of its files; None where the user has them
    modes : what may be trained: a head on cached features (``frozen``), or parts of the model too;
        ``zero_shot`` trains nothing, and its features are log-likelihoods
    published : numbers of the paper
    fasta : how the path of the deposit's own FASTA ends; empty where the run's genome is read
    one_folder : whether all subsets read one prepared folder
    reads_genome : whether examples are read from a genome
    caches : whether features go to disk; False where they are vectors of every base
    streams : whether models read sequences block by block where they can, under the causal bound
    scored_apart : whether no score compares two methods, so that each file can be scored alone
    own_subset : the only subset of a task that is measured in one call
    """

    name: str
    settings: type[Section]
    metrics: Mapping[str, str]
    layout: Layout
    deposit: Deposit | None = None
    modes: frozenset[Mode] = frozenset({"frozen"})
    published: Published = Published()
    scored_apart: bool = False
    fasta: tuple[str, ...] = ()
    one_folder: bool = False
    reads_genome: bool = True
    caches: bool = True
    streams: bool = True
    own_subset: str = ALL

    def prepare(
        self, files: TaskFiles, genome: Path, subset: str, settings: Any, seed: int, manifest: Path
    ) -> "Prepared":
        """Convert deposited files into a folder of examples.

        Parameters
        ----------
        genome : FASTA, or ``source.json``
        subset : name in the deposit
        seed : of folds and of windows that are drawn
        manifest : ``FOLDER/manifest.json``; the folder is replaced as a whole

        Raises
        ------
        NotMeasured
            If the files or the genome at hand hold nothing that can be measured.
        """
        raise NotImplementedError

    def open(self, manifest: Path, genome: Path) -> E:
        """Open a prepared folder with the genome that it was prepared with."""
        raise NotImplementedError

    def evaluation_intervals(self, folder: Path) -> "EvaluationIntervals":
        """The DNA of validation and test inputs, from the small files of a folder."""
        raise GenezipError(f"{self.name} has no list of evaluation intervals; name another task")

    def features(
        self, compressor: "Compressor", examples: E, input: Input, settings: Any
    ) -> "Extraction":
        """How a frozen model computes the features that are cached.

        Parameters
        ----------
        input : ``authors`` or ``full``
        """
        raise GenezipError(f"{self.name} has no cached features; use {self.modes_named()}")

    def fit(self, features: "FeatureStore", job: Job[E]) -> Iterator[Found]:
        """Train on cached features (mode ``frozen``) and predict."""
        raise GenezipError(f"{self.name} has no cached features; use {self.modes_named()}")

    def score_zero_shot(self, features: "FeatureStore", job: Job[E]) -> Iterator[Found]:
        """Predict from cached log-likelihoods without any training (mode ``zero_shot``)."""
        raise GenezipError(f"{self.name} has no zero-shot scores; use {self.modes_named()}")

    def fit_uncached(self, compressor: "Compressor", job: Job[E]) -> Iterator[Found]:
        """Train on vectors of a frozen model that are too many to be cached, and predict."""
        raise GenezipError(f"{self.name} reads cached features; compute them first")

    def tune(self, network: "GeneZipNetwork", job: Job[E]) -> Iterator[Found]:
        """Fine-tune the network, set up for the mode, and predict."""
        raise GenezipError(f"{self.name} is trained on frozen features alone; use the mode frozen")

    def train_cnn(self, job: Job[E]) -> Iterator[Found]:
        """Train the one-hot CNN from scratch, and predict."""
        raise GenezipError(f"{self.name} has no CNN; leave it out")

    def baselines(self, job: Job[E], tss: pd.DataFrame | None) -> Iterator[Found]:
        """Predict without a model: from distance, composition, position or the mean.

        Parameters
        ----------
        job : ``method`` names task and subset alone
        tss : annotated TSSs, or None: chrom, position (0-based), strand
        """
        raise NotImplementedError

    def scores(
        self, files: Sequence["PredictionFile"], bootstrap: int, seed: int, control: str | None
    ) -> list[Row]:
        """Rows of every method, split scheme and split, from prediction files alone.

        Parameters
        ----------
        bootstrap : number of resamples
        seed : of the resamples; the same for all methods, so that differences are paired
        control : model that the others are compared with, where the task has paired differences
        """
        raise NotImplementedError

    def subsets(self, settings: Any) -> Subsets:
        """Subsets that one call measures: those of the section, or the task's only one."""
        return getattr(settings, "subsets", None) or {self.own_subset: self.own_subset}

    def annotated_tss(self, source: Path) -> pd.DataFrame | None:
        """TSSs for the baselines of a task that is measured in one call; None if not needed."""
        return None

    def undefined_rows(self, method: Method, note: str) -> list[dict[str, Any]]:
        """Cells of a method without any prediction: every metric, empty."""
        return [
            {"rule": "paper", "split": "test", "metric": metric, "note": note}
            for metric in self.metrics
        ]

    @property
    def reads_likelihoods(self) -> bool:
        """Whether the features of frozen models are log-likelihoods, not vectors."""
        return "zero_shot" in self.modes and "frozen" not in self.modes

    def as_read(self, compressor: "Compressor") -> "Compressor":
        """The compressor as the features read it, with a likelihood or with vectors.

        A system that lacks what they need is refused in one sentence.
        """
        from genezip.inference.changes import require_likelihood
        from genezip.models.token_counts import with_vectors

        if not self.reads_likelihoods:
            return with_vectors(compressor)
        require_likelihood(compressor)
        return compressor

    def refuse_mode(self, mode: str) -> None:
        """Raise GenezipError where the task has no such mode of training."""
        if mode in self.modes:
            return
        if mode == "frozen":
            raise GenezipError(f"{self.name} has no cached features; use {self.modes_named()}")
        if self.modes == {"frozen"}:
            raise GenezipError(
                f"{self.name} is trained on frozen features alone; use the mode frozen"
            )
        raise GenezipError(f"{self.name} has no mode {mode}; use {self.modes_named()}")

    def modes_named(self) -> str:
        """``the mode head_only, release or full``, for messages."""
        *others, last = [mode for mode in get_args(Mode) if mode in self.modes]
        return f"the mode {', '.join(others)} or {last}" if others else f"the mode {last}"
