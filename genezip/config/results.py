"""Sections of the results: held-out compression, metrics, the report."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from genezip.config.corpus import Corpus
from genezip.config.genome import Genome, Regions
from genezip.config.section import Fraction, Key, Name, Section


class Compress(Section):
    """Compression of the held-out DNA (rule `compress`)."""

    FREE = ("batch", "device")

    batch: int = Field(2, ge=1, description="windows per forward pass")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where to compress")
    both_strands: bool = Field(
        True, description="also compress the reverse complement and average metrics over strands"
    )
    causal_bound: bool = Field(
        True,
        description="also compress with reference and control under the causal bound, for a "
        "exact next-base loss; not done for models without a bound, whose loss is exact already",
    )


class Evaluation(Section):
    """Metrics, baselines and intervals (rules `compression` and `repeats`)."""

    INTERVALS: ClassVar[tuple[str, ...]] = ("max_n_fraction", "bootstrap", "block_bp", "seed")
    """Keys of every result with an interval."""

    max_n_fraction: Fraction = Field(
        0.05, description="metrics are also given without windows above this share of N"
    )
    bootstrap: int = Field(4000, ge=10, description="bootstrap resamples")
    block_bp: int = Field(
        131_072,
        ge=1,
        description="bootstrap unit (bp); neighbouring windows are not independent",
    )
    seed: int = Field(0, ge=0, description="seed of bootstrap and shifted-interval control")
    markov_orders: list[int] = Field(
        list(range(12)), description="orders of the Markov models (bases of context)"
    )
    mixing: bool = Field(
        True,
        description="also fit the context-mixing model, the strongest baseline of perplexity "
        "(seconds for 10 Mb)",
    )
    mixing_orders: list[Annotated[int, Field(ge=1, le=24)]] = Field(
        [1, 2, 3, 4, 6, 8, 9, 10, 11, 12, 14, 16],
        min_length=1,
        description="orders of its context models (bases of context)",
    )
    mixing_bp: int = Field(
        100_000_000,
        ge=1,
        description="training bases that it reads at most, in evenly spaced stretches of 131 kb "
        "(bp); it reads about 0.7 Mb a second and keeps one byte for each",
    )
    composition_windows: list[int] = Field(
        [256, 512, 1024, 2048, 4096],
        min_length=1,
        description="sliding-window widths tried for the GC/CpG router (bp)",
    )
    composition_sharpness: list[Annotated[float, Field(gt=0)]] = Field(
        [1, 1.5, 2, 3, 4],
        min_length=1,
        description="exponents of the rate of the GC/CpG router that are tried (1: as learned; "
        "above: more tokens for the densest compositions); the pair of width and exponent "
        "that is best on validation windows is used",
    )
    composition_training_bp: int = Field(
        100_000_000,
        ge=1,
        description="training bases from which the rates of each width are learned at most, in "
        "evenly spaced stretches of 131 kb (bp)",
    )
    shifts: int = Field(100, ge=1, description="random shifts of the repeat intervals (control)")
    arena: bool = Field(
        False,
        description="also a chapter that ranks all compressed models and routers, each beside "
        "controls with its own number of tokens (rule `arena`)",
    )
    scaling: bool = Field(
        False,
        description="also a chapter on perplexity against the operations of training, for models "
        "of several sizes and budgets (rule `scaling`)",
    )


class Elsewhere(Section):
    """Another genome on which the systems of a run are compared; nothing is trained on it."""

    genome: Genome = Field(description="its sources")
    regions: Regions = Field(default_factory=Regions, description="its region map")
    corpus: Corpus = Field(default_factory=Corpus, description="its held-out windows")


class Arena(Section):
    """Every system beside every other (rules of `arena.smk`, with `evaluation.arena`)."""

    INTERVALS: ClassVar[tuple[str, ...]] = ("bootstrap", "block_bp", "seed")
    """Keys of every result with an interval."""
    RECALL: ClassVar[tuple[str, ...]] = (
        *("copy_bp", "recall_bp", "recall_copies"),
        *("bootstrap", "seed"),
    )
    """Keys of the recall of copies."""

    beside: dict[str, list[Name]] = Field(
        {},
        description="model -> models that differ from it in the places of their tokens alone, or "
        "that it is claimed to beat; differences are in bits per base and in probes",
    )
    second_view: list[Name] = Field(
        [],
        description="models that are measured on the windows of the run alone, in tokens, bits and "
        "costs: not on further genomes, in recall, stability and alignment",
    )
    elsewhere: dict[Key, Elsewhere] = Field(
        {}, description="further genomes, by name, with the keys `genome`, `regions` and `corpus`"
    )
    copy_bp: int = Field(256, ge=16, description="length of a copy that is to be recalled (bp)")
    recall_bp: list[Annotated[int, Field(ge=512)]] = Field(
        [1_024, 4_096, 16_384, 65_536],
        min_length=1,
        description="distances from a copy to its original, start to start (bp)",
    )
    recall_copies: int = Field(24, ge=3, description="copies at each distance")
    speed_bp: int = Field(
        131_072, ge=2_048, description="length of the sequence of time and memory (bp)"
    )
    speed_repeats: int = Field(3, ge=1, description="timed passes, of which the median counts")
    bootstrap: int = Field(4000, ge=10, description="bootstrap resamples")
    block_bp: int = Field(131_072, ge=1, description="bootstrap unit (bp)")
    seed: int = Field(0, ge=0, description="seed of the bootstrap")

    @model_validator(mode="after")
    def _copies_behind_originals(self) -> Self:
        if (nearest := min(self.recall_bp)) < self.copy_bp:
            raise ValueError(
                f"recall_bp {nearest} is shorter than copy_bp {self.copy_bp}, so a copy would "
                "begin inside its original"
            )
        return self


class MaskedBases(Section):
    """Prediction of masked bases (rules `masked` and `masked_markov`; models of `ldarnet`)."""

    FREE = ("batch", "device")
    COUNTED: ClassVar[tuple[str, ...]] = ("width", "training_bp")
    """Keys that only the models that count use."""

    rate: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.15, description="share of the bases to be predicted, of which 80 % are masked"
    )
    heldout_bp: int = Field(
        2_000_000, ge=1, description="held-out bases at most, in evenly spaced windows (bp)"
    )
    width: int = Field(
        8,
        ge=0,
        le=12,
        description="most bases on each side of the two-sided Markov models; the best width is "
        "chosen on validation windows",
    )
    training_bp: int = Field(
        20_000_000,
        ge=1,
        description="training bases that they count at most, in evenly spaced stretches of 131 kb "
        "(bp); each needs about 100 bytes of memory",
    )
    bootstrap: int = Field(4000, ge=10, description="bootstrap resamples")
    block_bp: int = Field(131_072, ge=1, description="bootstrap unit (bp)")
    seed: int = Field(0, ge=0, description="seed of the masks and of the bootstrap")
    batch: int = Field(2, ge=1, description="windows per forward pass")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where to predict")


class MaskedWords(Section):
    """Prediction of masked words, and the G-grams themselves (models of `dnazen`)."""

    FREE = ("device",)
    COUNTED: ClassVar[tuple[str, ...]] = ("training_bp",)
    """Keys that only the models that count use."""
    VOCABULARY: ClassVar[tuple[str, ...]] = ("thresholds", "frequent", "seed")
    """Keys of the table of G-grams."""

    rate: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.15, description="share of the words to be predicted, of which 80 % are masked"
    )
    heldout_bp: int = Field(
        2_000_000, ge=1, description="held-out bases at most, in evenly spaced windows (bp)"
    )
    training_bp: int = Field(
        20_000_000,
        ge=1,
        description="training bases in which the floors count words and their neighbours, in "
        "evenly spaced stretches of 131 kb (bp)",
    )
    thresholds: list[float] = Field(
        [1.5, 2, 2.5, 3, 5],
        min_length=1,
        description="thresholds for which the number of G-grams is reported",
    )
    frequent: int = Field(
        20,
        ge=1,
        description="number of most frequent G-grams that are listed, with their repeat and region",
    )
    bootstrap: int = Field(4000, ge=10, description="bootstrap resamples")
    block_bp: int = Field(131_072, ge=1, description="bootstrap unit (bp)")
    seed: int = Field(0, ge=0, description="seed of masks, permutations and bootstrap")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where to predict")


class CodonPhase(Section):
    """Boundaries along genes (rule `codon_phase`; sources of several genomes)."""

    genes: int = Field(500, ge=1, description="genes read of each organism and split")
    flank: int = Field(192, ge=60, description="bases before and after a gene")
    windows: int = Field(5, ge=0, description="long windows, for rates by feature")
    window_bp: int = Field(49_152, ge=100, description="length of a long window (bp)")
    shifts: int = Field(999, ge=1, description="random shifts for the p-values")
    bootstrap: int = Field(4000, ge=10, description="bootstrap resamples")
    seed: int = Field(0, ge=0, description="seed of sample, shifts and bootstrap")


SiteName = Literal[
    "tata", "ccaat", "inr", "inr_short", "kozak", "kozak_short", "tss", "start", "stop",
    "polya_signal", "polya", "cpg_island", "donor", "acceptor",
]  # fmt: skip


class Alignment(Section):
    """Boundaries at sites of genes, beside their controls (rule `alignment`)."""

    kinds: list[SiteName] = Field(
        [],
        description="kinds of sites: TATA and CCAAT box, initiator (YYCANWYY, or YYCNTYY), Kozak "
        "(around the start codon, or GCCGCC before it), transcription start, start and stop codon, "
        "poly(A) signal and site, edge of a CpG island, splice donor and acceptor; without any the "
        "rule does not run",
    )
    sites: int = Field(500, ge=1, description="sites of a kind that are read at most")
    controls: int = Field(1, ge=1, description="decoys and matched k-mers for each site")
    window_bp: int = Field(
        512, ge=302, description="length of the window that is read around a site (bp)"
    )
    shifts: int = Field(1000, ge=1, description="circular shifts for the p-values")
    bootstrap: int = Field(4000, ge=10, description="bootstrap resamples")
    block_bp: int = Field(131_072, ge=1, description="bootstrap unit (bp)")
    seed: int = Field(0, ge=0, description="seed of samples, shifts and bootstrap")


class Stability(Section):
    """Boundaries after a change of the sequence (rule `stability`)."""

    models: list[str] | None = Field(
        None, description="models to measure; null takes reference and control of the report"
    )
    changes: int = Field(60, ge=1, description="substitutions in each region class")
    window_bp: int = Field(4096, ge=64, description="bases that are read around each")
    strand_bp: int = Field(
        400_000, ge=1, description="held-out bases at most that are read on both strands (bp)"
    )
    shifts: int = Field(20, ge=1, description="random shifts of one strand (control)")
    bootstrap: int = Field(4000, ge=10, description="bootstrap resamples")
    block_bp: int = Field(131_072, ge=1, description="bootstrap unit (bp)")
    seed: int = Field(0, ge=0, description="seed of sites, shifts and bootstrap")


class Latency(Section):
    """Time and memory of a forward pass on the machine at hand (rule `latency`)."""

    preset: Literal["tiny", "70m", "636m", "dnahnet-tiny", "dnahnet-small"] | None = Field(
        None,
        description="size of the compared models; null leaves the chapter out, and the target "
        "`results/latency/latency.tsv` takes `70m`, or `tiny` at small scales",
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="where to measure")
    max_length: int = Field(1_048_576, ge=1, description="longest sequence (bp)")
    seconds: Annotated[float, Field(gt=0)] = Field(
        10.0, description="for the repeats of a case (s); at least three are made"
    )


class Report(Section):
    """The report."""

    locus: str | None = Field(
        None,
        description="held-out locus drawn in the report, chrom:start-end (0-based, "
        "half-open); null takes the 65,536 bp with most promoter bases",
    )
    loci: list[str] = Field(
        [],
        description="further held-out loci to draw: chrom:start-end, or the name of a gene, which "
        "is drawn with 5 kb on either side",
    )
    locus_models: list[str] | None = Field(
        None, description="models drawn at the loci; null takes reference and control"
    )
    bounds: list[str] = Field(
        [],
        description="models that differ in their bounds on tokens alone, whose training is "
        "compared",
    )
    reference: str = Field(description="model of the report")
    control: str = Field(description="its uniform control")
