"""Sections of the tasks: methods, training of heads, and the measured targets of the demo.

Defaults are the settings of the paper (GeneZip Appendix D) and of the release, where they have any.
"""

from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from genezip.config.section import Fraction, Key, Section, names, refuse_taken

Input = Literal["authors", "full", "contrast"]
Mode = Literal["frozen", "zero_shot", "head_only", "release", "lora", "full"]
Rule = Literal["paper", "gene", "chromosome"]
Scheme = Literal["official", "unseen", "chromosome", "family", "pool"]
TaskName = Literal["cmp", "eqtl", "etgp", "tisp", "rsap", "classification"]
ArmName = Annotated[
    str,
    Field(pattern="^(authors|full|contrast)[.](frozen|head_only|release|lora|full)$"),
]
LabelPart = Literal[
    "initiation",
    "contacts",
    "elements",
    "enhancer_gene",
    "classification",
    "essentiality",
    "variants",
]
LABEL_PARTS = get_args(LabelPart)

ARMS = (
    "methods of every model, `input.mode`; inputs `authors` (as the release) and `full`, for pairs "
    "also `contrast` (differences between alleles alone); modes `frozen` (cached features), "
    "`head_only`, `release`, `lora`, `full`"
)
TASK_TABLES = {"cmp": "table2_contact_map", "eqtl": "table3_eqtl", "etgp": "table7_etgp"}
"""Task -> its table, numbered as in the paper (arXiv 2602.17739v1); by default the task's name."""
# Names reserved for results of the workflow: of models and comparators, and of subsets.
LEARNERS = ("untrained", "cnn", "baselines", "fixed_stride", "gc_cpg")
PARTS = ("all",)
EVALUATE = "steps between validations; the best weights are tested (contact maps: the last)"
STEPS = "optimiser steps"


class HeadTraining(Section):
    """Training of a head on a task."""

    FREE = ("device",)

    batch: int = Field(8, ge=1, description="examples per optimiser step")
    learning_rate: float = Field(2e-4, gt=0, description="peak learning rate of AdamW")
    weight_decay: float = Field(0.0, ge=0, description="AdamW weight decay")
    warmup: Fraction = Field(
        0.0,
        description="share of the steps with a rising rate; above 0, it then falls to zero",
    )
    clip_norm: float = Field(1.0, gt=0, description="gradient norm limit")
    evaluate_every: int = Field(1000, ge=1, description=EVALUATE)
    patience: int = Field(
        10, ge=1, description="validations without improvement until training stops"
    )
    precision: Literal["fp32", "bf16"] = Field("bf16", description="autocast precision on a GPU")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where to compute")


class FineTuning(HeadTraining):
    """Further settings of fine-tuning the compressor."""

    alpha: float = Field(0.03, ge=0, description="weight of the uniform ratio loss in fine-tuning")
    uniform_bpt: float = Field(
        32, ge=1, description="target of that loss, bp per token (the release's default)"
    )
    router: Literal["trained", "frozen"] = Field(
        "trained",
        description="whether the modes that train the routers' weights do so; boundaries also "
        "depend on the encoders, which stay trained",
    )
    lora_rank: int = Field(32, ge=1, description="`lora`: rank of the adapters")
    lora_alpha: float = Field(64, gt=0, description="`lora`: adapters are scaled by this / rank")
    lora_dropout: Fraction = Field(0.05, description="`lora`: dropout before the adapters")
    halve_after: int | None = Field(
        None,
        ge=1,
        description="validations in a row without improvement that halve the rate; null: never",
    )


class Task(HeadTraining):
    """Settings of every task."""

    NAMING: ClassVar[tuple[str, ...]] = ("subsets", "arms", "genome")
    """Keys that select result files without changing their content."""
    EXAMPLES: ClassVar[tuple[str, ...]] = ("folds", "train_windows", "schemes", "train_rows")
    """Keys that change the examples."""
    FEATURES: ClassVar[tuple[str, ...]] = ("device", "precision", "tap")
    """Keys that change cached features."""
    OF_NETWORKS: ClassVar[tuple[str, ...]] = (
        *("alpha", "uniform_bpt", "router", "lora_rank", "lora_alpha", "lora_dropout"),
        *("epochs", "folds", "tap", "halve_after", "every_epoch", "validation_folds", "grid"),
    )
    """Keys without effect on a head on cached features."""
    SCORED_APART: ClassVar[bool] = False
    """Whether every prediction file is scored by a job of its own."""

    subsets: dict[Key, str] = Field(
        json_schema_extra=names(*PARTS), description="short name in result paths -> official name"
    )
    arms: list[ArmName] = Field(min_length=1, description=ARMS)

    @field_validator("subsets", mode="before")
    @classmethod
    def _without_dropped(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: subset for name, subset in value.items() if subset is not None}

    @model_validator(mode="after")
    def _names_of_files(self) -> Self:
        refuse_taken("subsets", self.subsets, PARTS)
        return self

    @model_validator(mode="after")
    def _arms_once(self) -> Self:
        twice = [arm for arm in self.arms if self.arms.count(arm) > 1]
        if twice:
            raise ValueError(f"arms names {twice[0]} twice")
        contrast = [arm for arm in self.arms if arm.startswith("contrast") and "froz" not in arm]
        if contrast:
            raise ValueError(f"arms: {contrast[0]}; the input contrast exists for frozen only")
        return self


class ContactMaps(Task):
    """Contact maps (task `cmp`)."""

    subsets: dict[Key, str] = Field(
        {name: name for name in ("HFF", "H1hESC", "GM12878", "IMR90", "HCT116")},
        min_length=1,
        json_schema_extra=names(*PARTS),
        description="cell lines, short name -> name in the deposit",
    )
    arms: list[ArmName] = Field(["authors.frozen", "full.frozen"], min_length=1, description=ARMS)
    genome: str | None = Field(
        None,
        description="FASTA of hg38, relative to the repository (the deposit of rsap holds "
        "hg38.ml.fa, the source of Akita's records); null: the genome of the run",
    )
    steps: int = Field(5000, ge=1, description=STEPS)
    batch: int = Field(32, ge=1, description="maps per optimiser step")
    evaluate_every: int = Field(2500, ge=1, description=EVALUATE)
    tap: Literal["states", "tokens"] = Field(
        "tokens",
        description="input `full`: a bin is the mean of its tokens, weighted by covered bases "
        "(`tokens`), or of the vectors of its bases (`states`, always for `authors`)",
    )

    @model_validator(mode="after")
    def _known_arms(self) -> Self:
        _only(self, "cmp", {"authors.frozen", "full.frozen"})
        return self


class Pairs(Task, FineTuning):
    """Settings of tasks of gene pairs."""

    rules: list[Rule] = Field(
        ["paper", "gene", "chromosome"],
        min_length=1,
        description="split schemes: the deposit's column; folds in which no test gene (and no "
        "variant or element), or no chromosome, occurs in training. Modes other than `frozen` "
        "have the first only",
    )
    epochs: int = Field(3, ge=1, description="passes over the training pairs")
    folds: int = Field(5, ge=3, description="folds of the splits `gene` and `chromosome`")
    weight_decay: float = Field(0.1, ge=0, description="AdamW weight decay")
    warmup: Fraction = Field(0.1, description="share of the steps with a rising rate")


class EQTL(Pairs):
    """Variants and genes (task `eqtl`)."""

    subsets: dict[Key, str] = Field(
        {
            "artery": "Artery_Tibial",
            "adipose": "Adipose_Subcutaneous",
            "fibroblast": "Cells_Cultured_fibroblasts",
            "muscle": "Muscle_Skeletal",
            "nerve": "Nerve_Tibial",
            "skin_covered": "Skin_Not_Sun_Exposed_Suprapubic",
            "skin_exposed": "Skin_Sun_Exposed_Lower_leg",
            "thyroid": "Thyroid",
            "blood": "Whole_Blood",
        },
        min_length=1,
        json_schema_extra=names(*PARTS),
        description="GTEx tissues, short name -> name in the deposit",
    )
    arms: list[ArmName] = Field(
        ["authors.frozen", "authors.release", "full.frozen", "contrast.frozen"],
        min_length=1,
        description=ARMS,
    )
    evaluate_every: int = Field(100, ge=1, description=EVALUATE)


class ETGP(Pairs):
    """Enhancers and their target genes (task `etgp`)."""

    subsets: dict[Key, str] = Field(
        {"K562": "CRISPRi_EPI_K562_hg19"},
        min_length=1,
        json_schema_extra=names(*PARTS),
        description="screens, short name -> name of the config file",
    )
    arms: list[ArmName] = Field(
        ["authors.frozen", "authors.lora", "full.frozen", "contrast.frozen"],
        min_length=1,
        description=ARMS,
    )
    epochs: int = Field(15, ge=1, description="passes over the training pairs")
    learning_rate: float = Field(1e-3, gt=0, description="peak learning rate of AdamW")
    evaluate_every: int = Field(259, ge=1, description=f"{EVALUATE}; an epoch here")


class Initiation(Task, FineTuning):
    """Transcription initiation (task `tisp`)."""

    subsets: dict[Key, str] = Field(
        {"procap": "all"},
        min_length=1,
        json_schema_extra=names(*PARTS),
        description="one run trains on all ten tracks; its file has every assay and their mean",
    )
    arms: list[ArmName] = Field(["authors.full", "full.full"], min_length=1, description=ARMS)
    steps: int = Field(5000, ge=1, description=STEPS)
    batch: int = Field(4, ge=1, description="windows per optimiser step")
    train_windows: int = Field(100_000, ge=1, description="random training windows (seed 3)")

    @model_validator(mode="after")
    def _known_arms(self) -> Self:
        both = {f"{i}.{m}" for i in ("authors", "full") for m in ("head_only", "release", "lora")}
        _only(self, "tisp", both | {"authors.full", "full.full"})
        return self


class Activity(Task):
    """Regulatory activity (task `rsap`); the paper has no settings for it."""

    SCORED_APART: ClassVar[bool] = True  # a file is tens of gigabytes; no score compares two

    subsets: dict[Key, str] = Field(
        {"human": "human"},
        min_length=1,
        json_schema_extra=names(*PARTS),
        description="species, short name -> folder of the deposit",
    )
    arms: list[ArmName] = Field(["full.frozen"], min_length=1, description=ARMS)
    steps: int = Field(5000, ge=1, description=STEPS)
    batch: int = Field(32, ge=1, description="windows per optimiser step")
    learning_rate: float = Field(1e-3, gt=0, description="peak learning rate of AdamW")
    tap: Literal["states", "tokens"] = Field("tokens", description="as in `cmp`")

    @model_validator(mode="after")
    def _known_arms(self) -> Self:
        _only(self, "rsap", {"full.frozen"})
        return self


class Grid(Section):
    """Settings that fine-tuning tries: every batch with every rate."""

    batch: list[Annotated[int, Field(ge=1)]] = Field([], description="sizes; empty: `batch`")
    learning_rate: list[Annotated[float, Field(gt=0)]] = Field(
        [], description="peak rates; empty: `learning_rate`"
    )

    @model_validator(mode="after")
    def _once(self) -> Self:
        for name in ("batch", "learning_rate"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name} names a value twice")
        return self


class Classification(Task, FineTuning):
    """Labelled sequences (task `classification`): a class for each, as in GUE."""

    FEATURES: ClassVar[tuple[str, ...]] = (*Task.FEATURES, "both_strands")

    subsets: dict[Key, str] = Field(
        {name: name for name in ("tf_2", "tf_3", "prom_core_tata", "prom_300_tata")},
        min_length=1,
        json_schema_extra=names(*PARTS),
        description="labelled sets, short name -> name in the deposit: those of GUE, and "
        "`nt_MARK` for histone marks of the Nucleotide Transformer (H3, H4, H3K4me1, H3K4me3, "
        "H3K9ac); null drops one of a lower layer",
    )
    arms: list[ArmName] = Field(["full.frozen"], min_length=1, description=ARMS)
    schemes: list[Scheme] = Field(
        ["official", "unseen"],
        min_length=1,
        description="split schemes: `official`; `pool`, the official test rows with training rows "
        "that are not the official ones (histone marks); `unseen`, either without test rows that "
        "share 32 bases with training or validation; folds by `chromosome` or by `family` of "
        "similar sequences. A set has those of them that it can have; modes other than `frozen` "
        "have the first three only",
    )
    folds: int = Field(5, ge=2, description="folds of the splits `chromosome` and `family`")
    train_rows: int | None = Field(
        None,
        ge=1,
        description="at most this many training rows of a set, drawn with `seed`; null takes all",
    )
    both_strands: bool = Field(
        True,
        description="frozen vectors are means over both strands; false reads the strand that is "
        "given, in half the time",
    )
    validation_folds: Literal[0] | Annotated[int, Field(ge=2)] = Field(
        0,
        description="fine-tuning: number of fits, each validated on another random part of the "
        "training rows and tested on all test rows; 0: one fit with the set's own validation rows",
    )
    grid: Grid = Field(
        default_factory=Grid,
        description="fine-tuning: settings tried before, by MCC of the (first) validation rows",
    )
    epochs: int = Field(3, ge=1, description="passes over the training sequences")
    batch: int = Field(32, ge=1, description="sequences per optimiser step")
    weight_decay: float = Field(0.01, ge=0, description="AdamW weight decay")
    warmup: Fraction = Field(0.1, description="share of the steps with a rising rate")
    evaluate_every: int = Field(100, ge=1, description=EVALUATE)
    every_epoch: bool = Field(
        False, description="validate after every pass instead, whatever the batch"
    )
    bootstrap: int = Field(4000, ge=10, description="resamples, for `genezip tasks measure`")
    seed: int = Field(0, ge=0, description="seed, for `genezip tasks measure`")

    @model_validator(mode="after")
    def _known_arms(self) -> Self:
        modes = ("frozen", "head_only", "release", "lora", "full")
        _only(self, "classification", {f"full.{mode}" for mode in modes})
        return self


class UserLabels(Section):
    """Your own labels (`genezip tasks run FILE`); paths are relative to the file."""

    labels: str = Field(
        description="CSV or TSV with the columns sequence and label, or with chrom, start, end and "
        "label, or BED with the label in column 4; `.gz` as well"
    )
    fasta: str | None = Field(None, description="FASTA of the coordinates; null: use `sequence`")
    label: str = Field("label", description="column of the label")
    models: list[str] = Field(
        min_length=1, description="model folders, hub ids, or systems such as `fixed:16`"
    )
    control: str | None = Field(
        None, description="name of the model that the others are compared with"
    )
    schemes: list[Scheme] | None = Field(
        None,
        description="split schemes, as in `classification`; null: `official` and `unseen` if the "
        "file has a column split, else by `chromosome`, or by `family` of similar sequences",
    )
    folds: int = Field(5, ge=2, description="folds of the splits `chromosome` and `family`")
    bootstrap: int = Field(4000, ge=10, description="bootstrap resamples")
    seed: int = Field(0, ge=0, description="seed of heads and bootstrap")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where models run")


def _only(task: Task, name: str, known: set[str]) -> None:
    wrong = [arm for arm in task.arms if arm not in known]
    if wrong:
        raise ValueError(f"{name} has the arms {', '.join(sorted(known))}, not {wrong[0]}")


class Comparator(Section):
    """A published model with the same interface, loaded only if its library is installed."""

    kind: Literal["caduceus", "hyenadna", "janusdna", "ntv3"] = Field(description="its family")
    source: str = Field(description="folder, relative to the repository, or hub id owner/name")
    revision: str | None = Field(None, description="branch, tag or commit of a hub id")


class Benchmarks(Section):
    """The tasks: DNALongBench and labelled sequences (rules of `benchmarks.smk`)."""

    tasks: list[TaskName] = Field(
        [], description="tasks that `all` evaluates; single result files are always targets"
    )
    models: list[str] | None = Field(
        None, description="names in `models`; null takes report.reference and report.control"
    )
    comparators: dict[Key, Comparator] = Field(
        {}, json_schema_extra=names(*LEARNERS), description="published models, by name"
    )
    cnn: bool = Field(True, description="also train the one-hot CNN, the trained baseline")
    bootstrap: int = Field(4000, ge=10, description="bootstrap resamples of genes or loci")
    seed: int = Field(0, ge=0, description="seed of folds, heads and bootstrap")
    cmp: ContactMaps = Field(default_factory=ContactMaps, description="contact maps")
    eqtl: EQTL = Field(default_factory=EQTL, description="eQTL")
    etgp: ETGP = Field(default_factory=ETGP, description="enhancer-target genes")
    tisp: Initiation = Field(default_factory=Initiation, description="transcription initiation")
    rsap: Activity = Field(default_factory=Activity, description="regulatory activity")
    classification: Classification = Field(
        default_factory=Classification, description="labelled sequences"
    )

    def task(self, name: str) -> Task:
        """Section of a task by its name."""
        found = getattr(self, name)
        assert isinstance(found, Task)
        return found

    def tasks_there_are(self) -> list[str]:
        """Names of all tasks, whether `all` evaluates them or not."""
        return [name for name in type(self).model_fields if isinstance(getattr(self, name), Task)]


class Labels(Section):
    """Measured targets on the segments of the demo genome (rules of `labels.smk`)."""

    FREE = ("device",)
    NAMING: ClassVar[tuple[str, ...]] = ("tasks", "sets", "models", "every_seed", "untrained")
    """Keys that choose what is measured and change no number."""

    tasks: list[LabelPart] = Field(
        [],
        description="parts of the chapters on real labels, from the mirror folder, else public "
        "servers; all but `classification` are on GRCh38",
    )
    sets: list[str] = Field(
        [],
        description="sets of `classification` besides those of GUE whose files are fetched; the "
        "workflow adds those of `benchmarks.classification.subsets`",
    )
    models: list[str] | None = Field(
        None,
        description="names in `models` that are measured; null takes report.reference and "
        "report.control, and every network for `essentiality`, `variants` and codon phase",
    )
    every_seed: bool = Field(
        False, description="measure every seed of these models in place of the first"
    )
    untrained: bool = Field(
        False, description="also measure the reference before its first training step"
    )
    folds: int = Field(5, ge=3, description="cross-validation folds of blocks and chromosomes")
    block_bp: int = Field(
        32_768, ge=1, description="`initiation`: block of a fold and of the bootstrap (bp)"
    )
    gap_bp: int = Field(
        2_048,
        ge=0,
        description="`initiation`: bases this close to a test block are not trained on",
    )
    zero_share: float = Field(
        0.05,
        gt=0,
        le=1,
        description="`initiation`: share of the bases without signal used in training, each with "
        "weight one over this share",
    )
    map_bins: int = Field(
        16, ge=8, description="`contacts`: bins of 5,000 bp per map; maps share no bin"
    )
    element_bp: int = Field(
        1_000,
        ge=16,
        description="`elements`: length of the window around the middle of each (bp)",
    )
    both_strands: bool = Field(
        True,
        description="`elements`: vectors are means over both strands; false reads the plus strand "
        "alone, in half the time",
    )
    locus_bp: int = Field(
        1_000_000, ge=1, description="`elements`: bootstrap unit, a block of a chromosome (bp)"
    )
    bootstrap: int = Field(4000, ge=10, description="bootstrap resamples")
    seed: int = Field(0, ge=0, description="seed of sampled bases, heads and bootstrap")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where models run")
