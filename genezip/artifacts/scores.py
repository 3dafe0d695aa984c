"""The score table: one row is one score, with its interval and what it was measured on.

There are four kinds of file: scores of held-out DNA (:data:`DNA_SCORES`), boundaries at sites
beside their controls (:data:`ALIGNMENT_SCORES`), scores of tasks (:data:`TASK_SCORES`), and these
beside published numbers (:data:`COMPARED_SCORES`). The columns of
:data:`SHARED` mean the same in all of them. Other columns belong to one kind, because ``unit`` has
two meanings: for held-out DNA it is what ``n`` counts, for a task what the bootstrap resamples.
Likewise ``units`` of a task are all that are resampled, while ``blocks`` of held-out DNA are only
those with measured bases.

Names in rows that writers and readers share are constants of this module.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, SupportsFloat

import pandas as pd

from genezip.artifacts.tables import read_tsv, write_tsv
from genezip.errors import GenezipError

Row = dict[str, Any]

SHARED = (
    "model",  # model, router, comparator or baseline; CORPUS, EXAMPLES and LABELS hold facts
    # compression, comparison, markov, repeats, codon_phase, alignment, masked, words, scaling;
    # arena; eqtl, etgp, cmp, ...; a part of labels
    "task",
    "subset",  # all, n_le_5pct, a GC tertile, a repeat class; of a task a tissue or cell type
    "split",  # train, valid or test; valid100: the first 100 validation maps
    "metric",  # ppl, bpt, enrichment, auroc, ...
    "value",  # empty where undefined
    "ci_low",  # 95 % interval, empty where none is given
    "ci_high",
    "n",  # number of windows, bases, pairs, maps, positions, ... behind the value
    "seed",  # training seed; empty where nothing is random, and for a mean of seeds
    "scale",  # full, demo or test
    "note",  # such as why a value or interval is missing, or that it rests on few units
)
"""Columns of every score file."""
_WHOLE = {"n", "seed", "blocks", "positives", "units"}
_REAL = {"value", "ci_low", "ci_high", "paper", "difference"}
_REAL |= {"near", "elsewhere", "p", "q", "auprc_chance"}

CORPUS = "corpus"  # model of rows that count the DNA itself
EXAMPLES = "examples"  # model of rows that count the examples of a task
LABELS = "labels"  # model of the row whose note gives why a part of the labels was not measured
BASELINE = "baseline"  # mode of baselines: distance, composition, position or the mean alone
TRIVIAL_BASELINES = ("nearest", "twin", "position_motif")
"""Baselines of labelled sequences: how well a set is solved without any model."""
SOLVED = "solved by "
"""Prefix of the note in rows of a set that a trivial baseline solves, before its name and why."""
FLOOR_SHARE = "floor_forced_share"
"""Metric of labelled sequences: share of the test rows in which the floor made any base a token."""
GGRAMS_PER_SEQUENCE = "ggrams_per_sequence"
"""Metric of labelled sequences: places of G-grams in a test row, for models with G-grams."""
BPT_BEFORE, BPT_AFTER = "bpt_before_tuning", "bpt"
"""Metrics of a fine-tuned network: bases per token of test examples, before and after."""
MEASURED, PAPER = "measured", "paper"  # values of origin
MEAN = "mean"  # subset of the mean over all subsets of a task
AGAINST_BASELINE = "_minus_best_baseline"  # metric suffix: paired difference from the best baseline
AGAINST_CONTROL = "_minus_control"  # metric suffix: paired difference from the control
AGAINST_UNTRAINED = "_minus_untrained"  # metric suffix: paired difference from random weights
GC_TERTILES = ("gc_tertile_1", "gc_tertile_2", "gc_tertile_3")
"""Subsets of the bases by the GC content around them, from low to high."""
GC_TERTILE_MEAN = "gc_tertile_mean"  # subset of the mean over the GC tertiles
GC_ROUTER, FIXED_STRIDE, UNTRAINED = "gc_cpg", "fixed_stride", "untrained"
"""Controls: composition alone, equal distances, random weights."""
CPG_ROUTER, SURPRISAL_ROUTER = "cpg", "surprisal"
"""Controls: at CpG dinucleotides, and where a base is a surprise to a model that counts."""
WINDOW_MEAN = "_window_mean"  # metric suffix: mean over windows, where the metric itself is pooled
SHIFTED = "_shifted"  # metric suffix: the same after random shifts of the repeats or boundaries
SHUFFLED = "_shuffled_dna"  # metric suffix: the same on DNA with shuffled dinucleotides
P_VALUE = "_p"  # metric suffix: p of the value against random shifts
CODON_PHASE = "codon_phase"  # task of boundaries along genes
ALIGNMENT = "alignment"  # task of boundaries at sites of genes
STABILITY = "stability"  # task of boundaries after a change of the sequence
ARENA = "arena"  # task of systems beside controls with as many tokens
RANDOM_CHUNKS = "random"  # control: chunks that begin at random bases
SITE_CONTROLS = ("decoys", "kmers", "shuffled")
"""Controls of a site: the same dinucleotide, the same composition, shuffled surroundings."""
CODON_POSITIONS = ("codon_1", "codon_2", "codon_3")  # regions of these rows
PUBLISHED_DNAHNET = "dnaHNet (3,2)"  # model of their published rates, whose source is PAPER
KNOCK_OUT, WILD_TYPE, LIKELIHOOD = "knock_out", "wild_type", "likelihood"
"""Split schemes of zero-shot tasks stand for what is scored: log-likelihood lost by a knock-out, or
minus that of the wild type; log-likelihood of a mutant minus that of the wild type. A likelihood
that is not exact has its kind behind the name (``knock_out_pseudo``)."""
COMBINED, ALL_BASELINES = "auroc_combined", "all_baselines"
"""AUROC of a logistic regression of all baselines, out of fold, and its model without any score."""
ORGANISM_SEEN, SHARE_ABOVE_ZERO = "organism_seen", "share_above_zero"  # facts as metrics
STATUS_NAMES = {"trained on": "seen", "held out": "held_out"}
"""Status of an organism -> end of the names of its subsets ``mean_`` and ``pooled_``."""
SPEARMAN, GIVEN_CHANGES = "spearman", "spearman_given_changes"
"""Signed rank correlation of variant effect, and that with the nucleotide changes held fixed."""
OUTSIDE, CONDITION = "outside_the_domain", "second_condition"  # facts about a set of variants
MEAN_IN_DOMAIN = "mean_in_domain"  # subset of the mean over the other sets
WITHOUT_TRF = "rmsk_rest_without_trf"
"""Subset of the bases outside RepeatMasker calls where the source has no TRF calls."""


class Metric:
    """Metrics of held-out DNA."""

    PPL = "ppl"
    BITS_PER_BASE = "bits_per_base"  # of exact likelihoods alone
    PPL_UNBOUNDED = "ppl_unbounded"  # of the windows in which no bound was active
    BITS_UNBOUNDED = "bits_per_base_unbounded"  # of the same windows
    PPL_RELEASE = "ppl_release_weighting"  # soft-masked bases count a tenth, as in the release
    PPL_DIFFERENCE = "ppl_difference"  # paired
    BITS_DIFFERENCE = "bits_per_base_difference"  # paired
    PRIOR_STRENGTH = "prior_strength"  # of a Markov order
    VALIDATION_BITS = "validation_bits_per_base"  # of a Markov order, on validation windows
    BEST_ORDER = "best_order"  # the one with fewest of these bits
    MASK_BITS = "mask_bits"  # bits per base at MASK
    CHOSEN_BITS = "chosen_bits"  # of all bases that are to be predicted, kept ones included
    MASK_ACCURACY, CHOSEN_ACCURACY = "mask_accuracy", "chosen_accuracy"  # of the same bases
    MASK_BITS_DIFFERENCE = "mask_bits_difference"  # paired
    BEST_WIDTH = "best_width"  # bases on each side with fewest bits on validation windows
    MASKED_BPT = "masked_bpt"  # bases per token of masked windows
    WORD_BITS = "word_bits"  # bits per word at [MASK]
    WORD_ACCURACY = "word_accuracy"  # of the same words
    WORD_BITS_DIFFERENCE = "word_bits_difference"  # paired
    VISIBLE_GGRAMS = "visible_ggrams"  # share of the matches that no masked word touches
    GGRAMS_PER_BLOCK = "ggrams_per_block"  # matches of a block, overlapping ones as well
    CUT_BLOCKS = "cut_blocks"  # share of the blocks with more G-grams than a network is given
    WORD_BP = "word_bp"  # bases per word
    BPT = "bpt"
    EXPECTED_BPT = "expected_bpt"  # what the targets imply for the DNA at hand
    TARGET_BPT = "target_bpt"  # target of a region class
    BPT_RATIO = "bpt_ratio"  # realised over expected; of repeats, over the background
    ADJUSTED_RATIO = "bpt_ratio_region_adjusted"  # a repeat over its background, by region
    MICRO_ERR = "micro_err"
    ENRICHMENT = "enrichment"  # share of the tokens over share of the bases
    ENRICHMENT_DIFFERENCE = "enrichment_difference"  # paired
    ENRICHMENT_RATIO = "enrichment_ratio"  # paired
    CHUNK_CV = "chunk_bp_cv"  # standard deviation of the lengths of chunks over their mean
    RANK = "rank"  # of a system among all, 1 for the best
    BOUND_SHARE = "bound_bit_share"  # windows that a bound changed; each stage: of_stage
    BLOCKS = "blocks"  # bootstrap blocks with bases of a region
    BP = "bp"  # bases of a repeat
    REGION_SHARE = "region_share"
    GC_UPPER_EDGE = "gc_upper_edge"  # of a GC tertile
    BOUNDARY_RATE = "boundary_rate"  # tokens over the tokens of the stage before; see of_stage
    BOUNDARY_PROB = "boundary_prob"  # mean probability, stage 0
    PERIOD3_AMPLITUDE = "period3_amplitude"  # of the boundary rate along codons, pooled over genes
    PERIOD3_POWER = "period3_power"  # share of the Fourier power near 1/3 that is at 1/3
    PHASE_LOCK = "phase_lock"  # mean resultant length of the codon phases of genes
    MOVED_SHARE = "moved_share"  # substitutions that move any boundary
    EARLIER_SHARE = "moved_earlier_share"  # those that move one before the changed base
    CHANGED_CHUNKS = "changed_chunk_share"  # chunks within 1 kb of it that are none any more
    REACH_BP = "reach_bp"  # distance to the farthest moved boundary, where any is moved
    BOTH_STRANDS = "both_strands_share"  # boundaries of both strands over those of any
    CLOSE_STRANDS = "close_strands_share"  # boundaries with one of the other strand within 4 bp
    COPY_BITS = "copy_bits_saved"  # bits per base that a copy saves
    COPY_RECALL = "copy_recall"  # share of the bits that a copy saves
    COPY_CUTS = "copy_cuts_share"  # boundaries that copy and original share over those of either
    TOKEN_ENTROPY = "token_entropy"  # of the ids of tokens (bits per token)
    TOKEN_BITS = "token_bits_per_base"  # the same per base
    UNUSED_IDS = "unused_id_share"  # ids that never occur in held-out DNA
    VOCABULARY = "vocabulary"  # number of ids
    TRAINED_ON = "trained_on"  # no value; the note names the DNA
    BASES_PER_SECOND = "bases_per_second"
    PEAK_BYTES = "peak_bytes"  # memory that a pass adds
    PARAMETERS = "parameters"
    TRAINING_BASES = "training_bases"
    OPERATIONS = "operations_per_base"  # floating-point operations of a forward pass
    TRAINING_OPERATIONS = "training_operations"  # three forward passes of every base read
    PPL_EXPONENT = "ppl_exponent"  # k of perplexity ~ training_operations ** -k


def under_bound(name: str, bound: str) -> str:
    """Name of a model that runs with another bound on tokens than its default."""
    return f"{name} ({bound} bound)"


def difference_of(ours: str, theirs: str) -> str:
    """Name of the paired difference of two models."""
    return f"{ours} - {theirs}"


def ratio_of(ours: str, theirs: str) -> str:
    """Name of the paired ratio of two models."""
    return f"{ours} / {theirs}"


def of_stage(metric: str, stage: int) -> str:
    """Name of a metric at one stage of routing."""
    return f"{metric}_stage{stage}"


SEEN, UNSEEN = "seen_organisms", "unseen_organisms"
"""Subsets of windows: of all organisms with training DNA, and of all others."""


def mean_of(subset: str) -> str:
    """Name of the macro mean over the organisms of a subset."""
    return f"{subset}_mean"


MARKOV = "markov"
"""The Markov models together, of which the best order is told."""
MARKOV_OWN = "markov_own"
"""Markov models of the organism itself, a reference."""
MIXING = "mixing"
"""The context-mixing model."""


def with_mixing(name: str) -> str:
    """Name of the mixture of a model with the context-mixing model."""
    return f"{name} + {MIXING}"


def markov_name(order: int) -> str:
    """Name of the Markov model of an order."""
    return f"markov{order}"


def markov_order(name: str) -> int | None:
    """Order of a Markov model from its name; None for another model."""
    order = name.removeprefix("markov")
    return int(order) if order.isdigit() and name == markov_name(int(order)) else None


def cell(value: SupportsFloat) -> float | None:
    """A number, or None for an empty cell where it is not finite."""
    return float(value) if math.isfinite(value) else None


MASKED = "masked"
"""Task of the prediction of masked bases."""
TWO_SIDED, EQUAL, VISIBLE = "two_sided", "two_sided_equal", "two_sided_visible"
"""Two-sided Markov models of the best width: of every training base, of masked bases of the
training windows alone as a network learns, and with no neighbour masked."""
WINDOW_GC = "window_gc"
"""The GC content of the visible bases of a window as a model."""


WORDS = "words"
"""Task of the prediction of masked words."""
WORD_FLOORS = ("word_unigram", "word_neighbour", "word_neighbours")
"""Models that count words: their frequency, given one neighbour, given both."""


def two_sided_name(width: int) -> str:
    """Name of the two-sided Markov model with so many bases on each side."""
    return f"{TWO_SIDED}{width}"


@dataclass(frozen=True)
class ScoreTable:
    """One kind of score file, with its columns in the order of the file.

    Files of earlier versions lack the columns ``later``; ``again`` is advice for a damaged file.
    """

    columns: tuple[str, ...]
    later: frozenset[str] = frozenset()
    again: str = "write it again"

    def row(self, **cells: Any) -> Row:
        """A row with every column; unknown names raise KeyError, absent ones are None."""
        unknown = set(cells) - set(self.columns)
        if unknown:
            raise KeyError(f"unknown score columns: {sorted(unknown)}")
        return {name: cells.get(name) for name in self.columns}

    def frame(self, rows: pd.DataFrame | Iterable[Mapping[str, Any]] = ()) -> pd.DataFrame:
        """Rows with all columns: counts and seeds are Int64, values and limits float64."""
        found = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
        return self._typed(found.reindex(columns=list(self.columns)))

    def write(self, path: str | Path, rows: pd.DataFrame | Iterable[Mapping[str, Any]]) -> None:
        """Write rows as TSV (atomically), floats with 6 significant digits."""
        write_tsv(path, self.frame(rows))

    def read(self, path: str | Path) -> pd.DataFrame:
        """Read a file, typed as :meth:`frame`; columns that older files lack are empty."""
        needed = [name for name in self.columns if name not in self.later]
        text = set(self.columns) - _WHOLE - _REAL
        found = read_tsv(path, needed, text, again=self.again)
        more = [name for name in found.columns if name not in self.columns]
        try:
            return self._typed(found.reindex(columns=[*self.columns, *more]))
        except (ValueError, TypeError) as error:
            raise GenezipError(
                f"{path} has a cell of the wrong type ({error}); {self.again}"
            ) from None

    def _typed(self, frame: pd.DataFrame) -> pd.DataFrame:
        types = dict.fromkeys(_WHOLE, "Int64") | dict.fromkeys(_REAL, "float64")
        return frame.astype({name: types[name] for name in self.columns if name in types})


DNA_SCORES = ScoreTable(
    (
        "model",
        "task",
        "subset",
        "region",  # region class or group, or all
        "split",
        "strand",  # +, - or both (mean of the two)
        "metric",
        "value",
        "ci_low",
        "ci_high",
        "n",
        "unit",  # what n counts: windows, bases, shifts
        "blocks",  # bootstrap blocks with measured bases; empty if no interval is computed
        "note",
        "seed",
        "scale",
        "source",  # where the DNA is from: mirror, download, simulated, files; or paper
    ),
    later=frozenset({"blocks", "note"}),
    again="evaluate again",
)
"""Scores of held-out DNA: compression, comparisons, Markov models, repeats."""

_OF_CONTROL = ("n", "value", "difference", "difference_low", "difference_high", "p", "q")
_OF_DETECTOR = tuple(f"{name}{end}" for name in ("auroc", "auprc") for end in ("", "_low", "_high"))
_WHOLE |= {"found", *(f"{control}_n" for control in SITE_CONTROLS)}
_REAL |= {*_OF_DETECTOR}
_REAL |= {f"{control}_{name}" for control in SITE_CONTROLS for name in _OF_CONTROL[1:]}

ALIGNMENT_SCORES = ScoreTable(
    (
        "model",
        "task",
        "subset",  # kind of site
        "split",
        "strand",  # + read along the strand of the site, - against it
        "signal",  # probability, or boundary (0 or 1) of a system without probabilities
        "metric",  # enrichment: mean signal within 2 bases of the sites over that elsewhere
        *("value", "ci_low", "ci_high"),
        "n",  # sites that were read
        "found",  # sites in the split
        *("near", "elsewhere"),  # the two means
        *("p", "q"),  # against circular shifts; q over kinds and strands (Benjamini-Hochberg)
        # of each control: windows, enrichment, that of the sites minus it, p of Mann-Whitney
        *(f"{control}_{name}" for control in SITE_CONTROLS for name in _OF_CONTROL),
        *_OF_DETECTOR,  # the signal as a detector of the sites
        "auprc_chance",
        *("unit", "blocks", "note", "seed", "scale", "source"),  # as of DNA_SCORES
    ),
    again="measure the alignment again",
)
"""Boundaries at sites of genes; controls stand in the row of the sites."""

TASK_SCORES = ScoreTable(
    (
        "model",
        "task",
        "subset",
        "rule",  # split scheme: paper, gene, chromosome
        "split",
        "input",  # authors, full, contrast; empty for baselines
        "mode",  # frozen, head_only, release, lora, full, baseline
        "metric",
        "value",
        "ci_low",
        "ci_high",
        "n",
        "positives",  # positive examples among n (tasks of pairs)
        "unit",  # what the bootstrap resamples: genes, loci, blocks
        "units",  # number of resampled units, with or without measured examples
        "seed",
        "scale",
        "origin",  # measured here, or paper
        "note",
    ),
    again="score the task again",
)
"""Scores of a task, from its prediction files."""

COMPARED_SCORES = ScoreTable(
    (
        *("task", "subset", "model", "origin", "seed", "input", "mode", "rule", "split", "metric"),
        *("value", "ci_low", "ci_high", "n", "positives", "unit", "units", "scale"),
        "paper_model",  # name of the model in the published table
        "paper",  # the published value
        "difference",  # value minus paper
        "note",
    )
)
"""Scores of all subsets of a task, with the published numbers."""
