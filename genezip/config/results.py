"""Sections of the results: held-out compression, metrics, the report."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from genezip.config.section import Fraction, Section


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
