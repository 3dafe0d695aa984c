"""Sections of the training data: exclusions, sampling of windows, and shards."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, WithJsonSchema, model_validator

from genezip.config.section import Fraction, Section, some_of

BenchmarkTask = Literal["cmp", "eqtl", "etgp", "tisp", "rsap"]


class Leakage(Section):
    """DNA that no training or validation window may touch (rule `exclusions`)."""

    tasks: list[BenchmarkTask] = Field(
        [],
        description="DNALongBench tasks whose validation and test inputs are excluded "
        "(GeneZip section 4.1)",
    )
    beds: list[str] = Field([], description="further BED files, relative to the repository")


class Sampling(Section):
    """Shares of the three ways of placing a window (GeneZip section 4.1)."""

    uniform: Fraction = Field(0.5, description="share of windows placed uniformly")
    tss: Fraction = Field(0.3, description="share anchored at a random TSS")
    cds: Fraction = Field(0.2, description="share anchored at a random CDS base")

    @model_validator(mode="after")
    def _sums_to_one(self) -> Self:
        total = self.uniform + self.tss + self.cds
        if abs(total - 1) > 1e-9:
            raise ValueError(f"uniform + tss + cds must be 1, not {total:g}")
        return self


class Corpus(Section):
    """Windows and Parquet shards (rule `corpus`); every entry of `corpora` overlays it."""

    window_bp: int = Field(12_800, ge=64, description="length of a training window (bp)")
    train_windows: int = Field(950_000, ge=1, description="number of training windows")
    valid_windows: int = Field(
        50_000, ge=0, description="number of validation windows; 0 tiles the validation segments"
    )
    validation: Literal["paper", "strict", "pieces"] = Field(
        "paper",
        description="`paper`: drawn like the training windows and overlapping them, as published; "
        "`strict`: from blocks without training windows; `pieces`: from `genome.valid`",
    )
    strict_block_bp: int = Field(
        1_000_000, ge=1, description="`strict`: length of the blocks of the eligible genome (bp)"
    )
    strict_valid_fraction: Fraction = Field(
        0.05, description="`strict`: share of blocks for validation, chosen by seed"
    )
    heldout_window_bp: int = Field(
        12_800, ge=64, description="length of a window of the held-out tiling (bp)"
    )
    heldout_windows: int | None = Field(
        None,
        ge=1,
        description="most held-out windows of a segment, evenly spaced along it; null keeps all",
    )
    keep_short: bool = Field(
        True, description="keep the short last held-out window of a segment, padded with N"
    )
    sampling: Sampling = Field(default_factory=Sampling, description="sampling modes")
    max_n_fraction: Fraction = Field(
        0.01, description="training windows with a larger share of N are rejected"
    )
    homology_k: Annotated[int, Field(ge=1, le=31)] | None = Field(
        31, description="k of the canonical k-mers of the homology report; null turns it off"
    )
    homology_sample: int = Field(
        64, ge=1, description="one in this many k-mers is counted, chosen by hash"
    )
    homology_max_shared: Fraction | None = Field(
        None,
        description="held-out windows sharing more than this fraction of their k-mers with "
        "training segments are dropped (every k-mer is counted); null drops none",
    )
    shard_bp: int = Field(
        1 << 26, ge=1, description="bases in one Parquet shard, rounded down to whole windows"
    )
    seed: int = Field(0, ge=0, description="seed of the sampling")

    @model_validator(mode="after")
    def _validation_windows(self) -> Self:
        if self.validation != "pieces" and not self.valid_windows:
            raise ValueError(
                f"valid_windows must be at least 1 where validation is {self.validation}"
            )
        return self

    def shard_rows(self, window_bp: int) -> int:
        """Windows in one shard."""
        return max(1, self.shard_bp // window_bp)


CorpusEntry = Annotated[dict[str, Any], WithJsonSchema(some_of(Corpus))]
"""Some keys of :class:`Corpus`."""
