"""Typed configuration: every key with its unit, legal values and source.

One tree, three layers: ``config/config.yaml`` (the paper's settings), an overlay such as
``config/demo.yaml`` (only what differs), and ``--config key=value``. Each command reads one
section as JSON through ``--settings``, so a rule depends on its own keys and on no others.
The JSON schema that Snakemake validates is generated from these classes.
"""

import json
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from genezip.errors import GenezipError
from genezip.taxonomy import CLASSES

Scale = Literal["full", "demo", "test"]
RegionClass = Literal["promoter", "cds", "utr", "exon", "intron", "nig", "dig"]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A config section: unknown keys are errors, values are checked, nothing mutates."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Simulation(Section):
    """The simulated genome used when no real data can be had, and by the tests."""

    seed: int = Field(0, description="seed of the simulated genome")
    chromosome_bp: list[int] = Field(
        [1_500_000, 1_500_000, 700_000, 900_000],
        description="length of each simulated chromosome (bp), named sim1, sim2, ...",
    )
    valid: list[str] = Field(["sim3"], description="simulated chromosomes that validate")
    test: list[str] = Field(["sim4"], description="simulated chromosomes held out")


class Genome(Section):
    """Where sequence, annotation and repeats come from (rule `fetch`)."""

    build: str = Field("hg38", description="name of the assembly, shown in tracks and report")
    sources: list[Literal["mirror", "download", "simulated", "files"]] = Field(
        ["mirror", "download"],
        description="sources tried in this order; the one used is stamped into every row",
    )
    selection: Literal["demo", "full"] = Field(
        "full",
        description="`full`: whole chromosomes; `demo`: the GRCh38 slices and 131,072 bp windows",
    )
    fasta: str | None = Field(
        None, description="source `files`: your FASTA (plain, gz or bgz), path from the repository"
    )
    annotation: str | None = Field(
        None, description="source `files`: your GTF, GFF3 or BED12 (plain or gz)"
    )
    rmsk: str | None = Field(None, description="source `files`: RepeatMasker .out (optional)")
    trf: str | None = Field(None, description="source `files`: TRF simpleRepeat BED (optional)")
    chromosomes: list[str] | None = Field(
        None, description="chromosomes used; null takes every contig of the assembly"
    )
    valid: list[str] = Field([], description="chromosomes whose windows validate (may be empty)")
    test: list[str] = Field(
        ["chr8", "chr9", "chr10"],
        description="chromosomes held out entirely (GeneZip section 4.1)",
    )
    simulation: Simulation = Field(
        default_factory=Simulation, description="settings of the source `simulated`"
    )


class Regions(Section):
    """The 7-class priority region map (rule `regions`)."""

    promoter_half_width: int = Field(
        1000, ge=1, description="promoter = [TSS - this, TSS + this) in bp, clipped at contig ends"
    )
    nig_distance: int = Field(
        450_000, ge=0, description="an intergenic base is NIG within this distance of a TSS (bp)"
    )
    basic_only: bool = Field(True, description='GTF: only transcripts with tag "basic" (GENCODE)')
    required: list[RegionClass] = Field(
        ["promoter", "cds", "intron"],
        description="classes that must have at least one base; another empty class only warns",
    )


class Sampling(Section):
    """Shares of the three choices of window centre (GeneZip section 4.1)."""

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
    """Windows and Parquet shards (rule `corpus`)."""

    window_bp: int = Field(12_800, ge=64, description="length of a training window (bp)")
    train_windows: int = Field(950_000, ge=1, description="number of training windows")
    valid_windows: int = Field(
        50_000,
        ge=0,
        description="validation windows sampled like the training windows; "
        "0 tiles the validation pieces instead",
    )
    heldout_window_bp: int = Field(
        12_800, ge=64, description="length of a window of the held-out tiling (bp)"
    )
    keep_short: bool = Field(
        True, description="keep the short last held-out window of a piece, padded with N"
    )
    sampling: Sampling = Field(default_factory=Sampling, description="sampling modes")
    max_n_fraction: Fraction = Field(
        0.01, description="training windows with a larger share of N are rejected"
    )
    exclude: list[str] = Field(
        [],
        description="BED files, path from the repository; no training or validation window "
        "may overlap them (benchmark leakage)",
    )
    homology_k: int | None = Field(
        None, description="k of the canonical k-mers of the homology filter; null turns it off"
    )
    homology_max_shared: Fraction = Field(
        0.1,
        description="held-out windows sharing more than this fraction of their k-mers with "
        "training pieces are dropped",
    )
    shard_rows: int = Field(4096, ge=1, description="windows in one Parquet shard")
    seed: int = Field(0, description="seed of the sampling")


class Pretrain(Section):
    """Optimisation (GeneZip Table 4; `pretrain` rule)."""

    steps: int = Field(30_600, ge=1, description="optimiser steps, never derived from the clock")
    batch: int = Field(256, ge=1, description="windows per optimiser step")
    micro_batch: int = Field(
        2, ge=1, description="windows per forward pass of one GPU; divides batch"
    )
    alpha: float = Field(0.03, ge=0, description="weight of the region-aware ratio loss")
    rar_mask: Literal["pre", "post"] = Field(
        "post", description="F in the RAR loss before (`pre`) or after bounded routing (`post`)"
    )
    region_label: Literal["first", "majority"] = Field(
        "first", description="label of a token at the next stage: first base or majority"
    )
    learning_rate: float = Field(1e-3, gt=0, description="peak learning rate of the trunk")
    warmup_steps: int = Field(500, ge=0, description="linear warm-up (steps)")
    final_lr_fraction: Fraction = Field(0.0, description="share of the peak rate at the last step")
    betas: tuple[float, float] = Field((0.9, 0.95), description="AdamW betas")
    weight_decay: float = Field(0.1, ge=0, description="AdamW weight decay")
    decay_vectors: bool = Field(
        False, description="also decay 1-D parameters but biases (the authors' rule)"
    )
    clip_norm: float = Field(2.0, gt=0, description="gradient norm limit")
    packed_trunk: bool = Field(
        False,
        description="run the trunk on one row of all tokens of a micro-batch instead of rows "
        "padded to the longest; same result, worth it for large micro-batches",
    )
    checkpoint_activations: bool = Field(
        False,
        description="compute the inside of every block again in the backward pass instead of "
        "keeping it: far less memory, about a third more time, the same gradients",
    )
    precision: Literal["fp32", "bf16"] = Field("bf16", description="autocast precision")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where to train")
    validate_every: int = Field(500, ge=1, description="steps between validations")
    validate_windows: int = Field(3000, ge=1, description="validation windows used")
    checkpoint_every: int = Field(3000, ge=1, description="steps between resumable checkpoints")

    @model_validator(mode="after")
    def _whole_micro_batches(self) -> Self:
        if self.batch % self.micro_batch:
            raise ValueError(f"micro_batch {self.micro_batch} must divide batch {self.batch}")
        return self


def _some_of(section: type[Section]) -> dict[str, Any]:
    """JSON schema of any of a section's keys, without defaults."""
    keys = section.model_json_schema()["properties"]
    for value in keys.values():
        value.pop("default", None)
    return {"type": "object", "properties": keys, "additionalProperties": False}


class ModelEntry(Section):
    """One model to train and compare."""

    architecture: str = Field(description="name of a file in config/models, without .yaml")
    regions: str | None = Field(
        None, description="region preset (a file in config/regions) steering the RAR loss"
    )
    uniform_bpt: float | None = Field(
        None,
        ge=1,
        description="uniform control: this target everywhere (bp per token); models that learn no "
        "routing are not steered and give what they spend, a flat model 1",
    )
    match_bpt: str | None = Field(
        None,
        description="uniform control: equal to the expected BPT of this region preset on "
        "the validation windows",
    )
    seeds: list[int] = Field([0], min_length=1, description="one training run per seed")
    init_from: str | None = Field(
        None,
        description="begin with the weights of this model (same seed): a name in `models`, or the "
        "path of its folders from the repository, with a slash and without `.seed0`",
    )
    pretrain: Annotated[dict[str, Any], WithJsonSchema(_some_of(Pretrain))] = Field(
        {}, description="keys of section `pretrain` that differ for this model"
    )

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        given = [self.regions, self.uniform_bpt, self.match_bpt]
        if sum(value is not None for value in given) != 1:
            raise ValueError("set exactly one of regions, uniform_bpt, match_bpt")
        return self


class Compress(Section):
    """Compression of the held-out DNA (rule `compress`)."""

    batch: int = Field(2, ge=1, description="windows per forward pass")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where to compress")
    both_strands: bool = Field(
        True, description="also compress the reverse complement and average metrics over strands"
    )


class Evaluation(Section):
    """Metrics, baselines and their intervals (rules `compression` and `repeats`)."""

    max_n_fraction: Fraction = Field(
        0.05, description="metrics are also given without windows with a larger share of N"
    )
    bootstrap: int = Field(1000, ge=10, description="bootstrap resamples")
    block_bp: int = Field(
        131_072, ge=1, description="bootstrap unit (bp): neighbouring windows are not independent"
    )
    seed: int = Field(0, description="seed of bootstrap and shifted-interval control")
    markov_orders: list[int] = Field(
        list(range(12)), description="orders of the Markov models (bases of context)"
    )
    composition_windows: list[int] = Field(
        [256, 512, 1024, 2048, 4096],
        min_length=1,
        description="sliding-window widths tried for the GC/CpG router (bp)",
    )
    composition_sharpness: list[Annotated[float, Field(gt=0)]] = Field(
        [1, 1.5, 2, 3, 4],
        min_length=1,
        description="exponents tried on the rate of the GC/CpG router (1: as learned; more: "
        "tokens go to the densest compositions); with the width, the best on validation "
        "windows is used",
    )
    shifts: int = Field(100, ge=1, description="random shifts of the repeat intervals (control)")


class Report(Section):
    """The page."""

    locus: str | None = Field(
        None,
        description="held-out locus drawn in the page, chrom:start-end (0-based, "
        "half-open); null takes the 65,536 bp with most promoter bases",
    )
    reference: str = Field(description="the model that the page is about")
    control: str = Field(description="the uniform control that it is compared with")


class Config(Section):
    """The whole configuration."""

    scale: Scale = Field("full", description="full | demo | test: stamped on every row")
    genome: Genome = Field(default_factory=Genome, description="data sources")
    regions: Regions = Field(default_factory=Regions, description="region map")
    corpus: Corpus = Field(default_factory=Corpus, description="training and held-out windows")
    models: dict[str, ModelEntry | None] = Field(
        description="models to train, by name; null drops a model of a lower layer"
    )
    pretrain: Pretrain = Field(default_factory=Pretrain, description="training")
    compress: Compress = Field(default_factory=Compress, description="held-out compression")
    evaluation: Evaluation = Field(default_factory=Evaluation, description="metrics")
    report: Report = Field(description="the page")

    @model_validator(mode="after")
    def _known_models(self) -> Self:
        for key in ("reference", "control"):
            name = getattr(self.report, key)
            if name not in self.chosen_models():
                raise ValueError(f"report.{key} names {name!r}, which is not in models")
        for name in self.chosen_models():
            self._check_initial_weights(name)
            self.pretrain_of(name)
        return self

    def _check_initial_weights(self, name: str) -> None:
        """Follow ``init_from`` from model to model: each must exist, none may come twice."""
        chosen, seen = self.chosen_models(), [name]
        while (first := chosen[seen[-1]].init_from) is not None and "/" not in first:
            if first not in chosen:
                raise ValueError(f"models.{seen[-1]}.init_from names {first!r}, not in models")
            if first in seen:
                circle = " from ".join([*seen, first])
                raise ValueError(f"models.{name}.init_from goes round in a circle: {circle}")
            seen.append(first)

    def pretrain_of(self, name: str) -> Pretrain:
        """Training settings of a model: section ``pretrain`` with the model's own keys."""
        own = self.chosen_models()[name].pretrain
        try:
            return Pretrain.model_validate({**self.pretrain.model_dump(), **own})
        except ValidationError as error:
            raise ValueError(_reasons(error, f"models.{name}.pretrain.")) from None

    def chosen_models(self) -> dict[str, ModelEntry]:
        """The models that are not dropped."""
        return {name: entry for name, entry in self.models.items() if entry is not None}


class RegionPreset(Section):
    """A region budget: target BPT of a class = base_bpt x multiplier (Eq. 5)."""

    base_bpt: float = Field(32, gt=0, description="B, bp per token at multiplier 1")
    multipliers: dict[RegionClass, float] = Field(description="mu_r of every class")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [name for name in CLASSES if name not in self.multipliers]
        if missing:
            raise ValueError(f"multipliers lacks {', '.join(missing)}")
        return self

    def target_bpt(self) -> dict[str, float]:
        """Target BPT of every class, in class order (bp per token)."""
        return {name: self.base_bpt * self.multipliers[name] for name in CLASSES}


AnySection = TypeVar("AnySection", bound=Section)


def _reasons(error: ValidationError, prefix: str = "") -> str:
    """Every wrong key with its reason; ``prefix`` comes before the keys."""
    parts = []
    for item in error.errors():
        key = prefix + ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            parts.append(f"unknown key '{key}'")
        elif item["type"] == "missing":
            parts.append(f"key '{key}' is missing")
        else:
            parts.append(f"'{key.strip('.')}': {item['msg']}" if key else item["msg"])
    return "; ".join(parts)


def _sentence(error: ValidationError, where: str) -> str:
    return f"{where}: {_reasons(error)}; see config/README.md for the keys"


def parse(section: type[AnySection], value: Any, where: str = "configuration") -> AnySection:
    """Check a mapping against a section; one sentence names every wrong key."""
    try:
        return section.model_validate(value)
    except ValidationError as error:
        raise GenezipError(_sentence(error, where)) from None


def read_yaml(path: str | Path) -> Any:
    """Parse a YAML file."""
    try:
        with open(path, encoding="utf-8") as handle:
            return yaml.safe_load(handle) or {}
    except FileNotFoundError:
        raise GenezipError(f"{path} does not exist; {_instead(Path(path))}") from None
    except OSError as error:
        raise GenezipError(f"{path} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        reason = str(error).replace("\n", " ")
        raise GenezipError(f"{path} is not valid YAML: {reason}") from None


def _instead(path: Path) -> str:
    """What to name in place of a YAML file that is missing."""
    close = get_close_matches(path.stem, [other.stem for other in path.parent.glob("*.yaml")], 1)
    if close:
        return f"did you mean {path.with_stem(close[0])}? (genezip models lists the presets)"
    return "name an existing YAML file (genezip models lists the presets)"


def settings(section: type[AnySection], text: str | None) -> AnySection:
    """A section from ``--settings``: JSON text, a YAML file, or nothing (the defaults)."""
    if text is None:
        return parse(section, {}, "--settings")
    if text.lstrip().startswith("{"):
        try:
            return parse(section, json.loads(text), "--settings")
        except json.JSONDecodeError as error:
            raise GenezipError(f"--settings is not valid JSON: {error}") from None
    return parse(section, read_yaml(text), text)


def merge(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """Overlay wins; mappings merge deeply, as Snakemake merges its config files."""
    merged = dict(base)
    for key, value in overlay.items():
        old = merged.get(key)
        merged[key] = (
            merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return merged


def load(*paths: str | Path) -> Config:
    """The configuration of one or more YAML files, later ones winning."""
    tree: dict[str, Any] = {}
    for path in paths:
        tree = merge(tree, read_yaml(path))
    return parse(Config, tree, " + ".join(str(path) for path in paths))


def schema() -> dict[str, Any]:
    """JSON schema of :class:`Config`, as Snakemake validates it."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
