"""Sections of the models: training settings, entries to compare, region budgets."""

from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import (
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Tag,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from genezip.config.section import TAG, Fraction, Name, Section, reasons, some_of
from genezip.region_classes import CLASSES


class Pretrain(Section):
    """Optimisation (GeneZip Table 4; `pretrain` rule)."""

    # These keys change the device, the portions of a sum (only its rounding may differ) and the
    # times of writing. `validate_windows` is not among them: it changes the choice of best weights.
    FREE = (
        "device",
        "micro_batch",
        "checkpoint_activations",
        "packed_trunk",
        "checkpoint_every",
        "validate_every",
    )

    steps: int = Field(30_600, ge=1, description="optimiser steps")
    batch: int = Field(256, ge=1, description="windows per optimiser step")
    micro_batch: int = Field(
        2, ge=1, description="windows per forward pass of one GPU; divides batch"
    )
    alpha: float = Field(0.03, ge=0, description="weight of the region-aware ratio loss")
    rar_mask: Literal["pre", "post"] = Field(
        "post", description="F of the RAR loss is taken before (`pre`) or after the bound (`post`)"
    )
    region_label: Literal["first", "majority"] = Field(
        "first",
        description="region class of a token at the next stage: first base or majority",
    )
    learning_rate: float = Field(1e-3, gt=0, description="peak learning rate of the trunk")
    level_rates: Literal["width", "width_and_length"] = Field(
        "width",
        description="learning rate of a stage over that of the trunk: `width` is sqrt(d_trunk / "
        "d_stage), as in the GeneZip release; `width_and_length` is sqrt(n) d_trunk / d_stage with "
        "n positions of the stage per token of the trunk by the targets, as in H-Net",
    )
    warmup_steps: int = Field(500, ge=0, description="linear warm-up (steps)")
    decay: Literal["linear", "cosine", "wsd"] = Field(
        "linear",
        description="shape of the fall of the learning rate after the warm-up; `wsd` (warm-up, "
        "stable, decay) first keeps the peak rate, then falls with one over the square root of the "
        "steps since then, as in LDARNet",
    )
    stable_fraction: Fraction = Field(
        0.7, description="share of all steps at the peak rate under `wsd`, after the warm-up"
    )
    final_lr_fraction: Fraction = Field(0.0, description="share of the peak rate at the last step")
    betas: tuple[float, float] = Field((0.9, 0.95), description="AdamW betas")
    weight_decay: float = Field(0.1, ge=0, description="AdamW weight decay")
    decay_vectors: bool = Field(
        False, description="also decay 1-D parameters except biases, as the release does"
    )
    clip_norm: float = Field(2.0, gt=0, description="gradient norm limit")
    packed_trunk: bool = Field(
        False,
        description="run the trunk on one row of all tokens of a micro-batch instead of rows "
        "padded to the longest; same result, faster for large micro-batches",
    )
    checkpoint_activations: bool = Field(
        False,
        description="compute the inside of every block again in the backward pass instead of "
        "storing it: much less memory, about a third more time, the same gradients",
    )
    precision: Literal["fp32", "bf16"] = Field("bf16", description="autocast precision")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where to train")
    validate_every: int = Field(500, ge=1, description="steps between validations")
    validate_windows: int = Field(3000, ge=1, description="validation windows used")
    checkpoint_every: int = Field(3000, ge=1, description="steps between resumable checkpoints")
    reverse_complement: bool = Field(
        False, description="reverse-complement half of the windows, chosen by seed"
    )
    mask_rate: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.15,
        description="share of the bases that a bidirectional network has to predict (no other "
        "network): 80 % of them are masked, 10 % replaced by a random base, 10 % kept",
    )
    protect_masked: bool = Field(
        False,
        description="make every masked base a token of its own: tokens begin at it and after it, "
        "in training and in later predictions of masked bases (as in DNAChunker)",
    )

    @property
    def falling_steps(self) -> int:
        """Steps of the last part of `wsd`."""
        return self.steps - self.warmup_steps - round(self.stable_fraction * self.steps)

    @model_validator(mode="after")
    def _whole_micro_batches(self) -> Self:
        if self.batch % self.micro_batch:
            raise ValueError(f"micro_batch {self.micro_batch} must divide batch {self.batch}")
        return self

    @model_validator(mode="after")
    def _three_parts(self) -> Self:
        if self.decay == "wsd" and self.falling_steps < 1:
            raise ValueError(
                f"decay wsd has no step left for its fall: {self.steps} steps, {self.warmup_steps} "
                f"of them warm-up and {self.stable_fraction:g} stable; lower warmup_steps or "
                "stable_fraction"
            )
        return self


NetworkKind = Literal["genezip", "dnahnet", "ldarnet"]
NETWORKS: tuple[NetworkKind, ...] = get_args(NetworkKind)
"""Kinds of networks, the default first; all have the keys of :class:`ModelEntry`."""


class ModelEntry(Section):
    """One network to train and compare."""

    compressor: NetworkKind = Field(
        NETWORKS[0],
        description="kind of model, a network; `dnahnet` differs from `genezip` in its name only, "
        "`ldarnet` reads both directions and predicts masked bases",
    )
    architecture: str = Field(
        description="an architecture preset (`genezip models`), or a YAML file of yours, relative "
        "to the repository"
    )
    corpus: Name | None = Field(
        None, description="name in `corpora`; null takes the first that is not dropped"
    )
    regions: str | None = Field(
        None,
        description="region preset (`genezip models`) with the targets of the RAR loss, or a YAML "
        "file of yours",
    )
    uniform_bpt: float | None = Field(
        None,
        ge=1,
        description="uniform control: this target for every base (bp per token); for models "
        "without a learned router their own bp per token, for a flat model 1",
    )
    match_bpt: str | None = Field(
        None,
        description="uniform control: equal to the expected BPT of this region preset on "
        "the validation windows",
    )
    stage_bpt: list[Annotated[float, Field(ge=1)]] | None = Field(
        None,
        min_length=1,
        description="how the stages share the target: the positions per token of each if the "
        "target is their product; null takes those of the architecture, or an even split",
    )
    seeds: list[Annotated[int, Field(ge=0)]] = Field(
        [0], min_length=1, description="one training run per seed"
    )
    init_from: str | None = Field(
        None,
        description="initial weights (same seed): a name in `models`, or the path of its folders, "
        "relative to the repository, with a slash and without `.seed0`",
    )
    guide: Name | None = Field(
        None,
        description="for routers `guided_*`: the name in `models` of a learned model (same seed) "
        "of the same layout, which decides how many tokens every sequence has",
    )
    pretrain: Annotated[dict[str, Any], WithJsonSchema(some_of(Pretrain))] = Field(
        {}, description="keys of section `pretrain` that differ for this model"
    )

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        given = [self.regions, self.uniform_bpt, self.match_bpt]
        if sum(value is not None for value in given) != 1:
            raise ValueError("set exactly one of regions, uniform_bpt, match_bpt")
        return self


class FixedEntry(Section):
    """Tokens of equal length, a baseline without training."""

    compressor: Literal["fixed"] = Field("fixed", description="kind of model: fixed length")
    stride: int = Field(ge=1, description="bases per token; up to 6, tokens have ids (of k-mers)")

    @property
    def seeds(self) -> list[int]:
        """One run, as nothing is random."""
        return [0]


class BPEEntry(Section):
    """Byte-pair encoding, a baseline: its vocabulary is fitted to training DNA alone.

    Tokens do not cross the edges of blocks; a run of N is one token in each block.
    """

    compressor: Literal["bpe"] = Field("bpe", description="kind of model: a vocabulary")
    vocabulary: int = Field(
        4096,
        ge=9,
        description="number of tokens, four bases and five special tokens included",
    )
    block_bp: int = Field(
        4096, ge=1, le=100_000, description="DNA is cut at every multiple of this (bp)"
    )
    corpus: Name | None = Field(
        None, description="name in `corpora`; null takes the first that is not dropped"
    )
    bases: int = Field(
        10_000_000,
        ge=1,
        description="bases of training windows, chosen by seed; each needs about 100 bytes of "
        "memory",
    )
    seed: int = Field(0, ge=0, description="chooses the training windows; names the run")

    @property
    def seeds(self) -> list[int]:
        """The seed of the one run."""
        return [self.seed]


class Mining(Section):
    """Mining of G-grams: runs of 2 to 5 tokens that occur together more often than by chance.

    Neighbouring tokens a and b are linked if PMI(a, b) = log(n_ab T / (n_a n_b)) reaches the
    threshold, with T tokens in all. The paper of DNAZEN has threshold 2, its last public code 5.
    """

    threshold: float = Field(2.0, description="least PMI of neighbouring tokens")
    log_base: Annotated[float, Field(gt=1)] = Field(2.0, description="base of the logarithm")
    min_count: int = Field(
        5, ge=1, description="fewest occurrences of a token, of a pair and of a G-gram"
    )
    max_tokens: int = Field(5, ge=2, le=8, description="most tokens of a G-gram; the fewest are 2")
    most: int | None = Field(
        None,
        ge=1,
        description="keep so many G-grams, those that occur most (of equal counts, those of the "
        "highest PMI); null keeps all",
    )
    random: bool = Field(
        False,
        description="a control: in place of the mined G-grams as many of the same lengths that "
        "begin at random tokens of the same DNA",
    )
    without_repeats: bool = Field(
        False,
        description="mine the DNA outside repeats (RepeatMasker) alone: nearly all long G-grams of "
        "human DNA lie in repeats",
    )


class WordsPretrain(Pretrain):
    """Training of a network on words: keys of `pretrain` that it uses, and its own."""

    UNUSED: ClassVar[tuple[str, ...]] = (
        *("alpha", "rar_mask", "region_label", "level_rates", "decay_vectors"),
        *("packed_trunk", "checkpoint_activations", "protect_masked"),
    )
    """Keys of `pretrain` on tokens that are learned or on other layers."""

    masking: Literal["token", "span", "expand"] = Field(
        "span",
        description="what is masked together: single tokens, whole G-grams until the share is "
        "reached (`span`), or single tokens and then every G-gram that has one (`expand`, more "
        "than the share)",
    )


class DnaZenEntry(Section):
    """A network on the words of a vocabulary and on phrases of them (DNAZEN)."""

    compressor: Literal["dnazen"] = Field("dnazen", description="kind of model: words and phrases")
    architecture: str = Field(
        description="a preset of words (`genezip models`), or a YAML file of yours, relative to "
        "the repository"
    )
    tokenizer: Name = Field(description="name in `models` of its vocabulary, a `bpe`")
    ggrams: Annotated[dict[str, Any], WithJsonSchema(some_of(Mining))] | None = Field(
        {},
        description="keys of its mining of G-grams that differ from the defaults (`threshold`, "
        "`log_base`, `min_count`, `max_tokens`, `most`, `random`, `without_repeats`); null trains "
        "it without G-grams",
    )
    corpus: Name | None = Field(
        None, description="name in `corpora`; null takes the first that is not dropped"
    )
    seeds: list[Annotated[int, Field(ge=0)]] = Field(
        [0], min_length=1, description="one training run per seed"
    )
    pretrain: Annotated[dict[str, Any], WithJsonSchema(some_of(WordsPretrain))] = Field(
        {}, description="keys of section `pretrain` that differ for this model, and `masking`"
    )

    @property
    def mining(self) -> Mining | None:
        """Settings of the mining; None without G-grams."""
        return None if self.ggrams is None else Mining.model_validate(self.ggrams)

    @model_validator(mode="after")
    def _known_keys(self) -> Self:
        try:
            self.mining  # noqa: B018
        except ValidationError as error:
            raise ValueError(reasons(error, "ggrams.")) from None
        return self

    @model_validator(mode="after")
    def _mined_as_masked(self) -> Self:
        if self.ggrams is None and self.pretrain.get("masking", "token") != "token":
            raise ValueError("without G-grams single tokens are masked; leave masking out")
        return self


_CLASS = "[^:]+:[^:]+"  # module:Class, whose name is checked when it is opened


class AdoptedEntry(Section):
    """A system that is not trained in this run: a model folder, or a class of yours."""

    compressor: str = Field(
        pattern=f"^(folder|{_CLASS})$",
        description="kind of model: `folder`, or the class of a compressor outside this package "
        "as `module:Class`; modules beside the workflow are found",
    )
    folder: str | None = Field(
        None, description="`folder`: a model folder, relative to the repository, or a hub id"
    )
    trained_on: str | None = Field(None, description="DNA that it was trained on, for the arena")
    probes: bool = Field(
        False,
        description="whether its bases have vectors, or its tokens ids, so that frozen probes read "
        "them (arena)",
    )

    @property
    def seeds(self) -> list[int]:
        """One run."""
        return [0]

    @property
    def source(self) -> str:
        """What is opened: the folder, or the class."""
        return self.folder or self.compressor

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.compressor == "folder") != (self.folder is not None):
            raise ValueError("folder belongs to compressor `folder`: give both, or a class alone")
        return self


COMPRESSORS = (*NETWORKS, "fixed", "bpe", "dnazen", "folder")


def _tag(entry: Any) -> str:
    """Tag of the section of an entry, given as a section or as a mapping."""
    default = NETWORKS[0]
    given = entry.get("compressor", default) if isinstance(entry, dict) else None
    kind = str(given or getattr(entry, "compressor", default))
    if kind == "folder" or ":" in kind:
        return f"{TAG}adopted"
    return TAG + ("network" if kind in NETWORKS else kind)


class _SchemaByCompressor:
    """JSON schema of a union by ``if`` and ``then``, so that an entry gets its own defaults only.

    With alternatives (``anyOf``), validators would fill in the defaults of each one they try.
    """

    def __get_pydantic_json_schema__(
        self, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        sections = handler(core_schema)["oneOf"]
        kinds: list[dict[str, Any]] = [{"enum": list(NETWORKS)}]
        kinds += [{"const": name} for name in COMPRESSORS[len(NETWORKS) : -1]]
        kinds += [{"pattern": f"^(folder|{_CLASS})$"}]
        branches = []
        for kind, section in zip(kinds, sections, strict=True):
            condition: dict[str, Any] = {"properties": {"compressor": kind}}
            if "enum" not in kind:  # without the key an entry is a network
                condition["required"] = ["compressor"]
            branches.append({"if": condition, "then": section})
        return {
            "properties": {
                "compressor": {"anyOf": [{"enum": list(COMPRESSORS)}, {"pattern": f"^{_CLASS}$"}]}
            },
            "allOf": branches,
        }


AnyEntry = Annotated[
    Annotated[ModelEntry, Tag(f"{TAG}network")]
    | Annotated[FixedEntry, Tag(f"{TAG}fixed")]
    | Annotated[BPEEntry, Tag(f"{TAG}bpe")]
    | Annotated[DnaZenEntry, Tag(f"{TAG}dnazen")]
    | Annotated[AdoptedEntry, Tag(f"{TAG}adopted")],
    Discriminator(
        _tag,
        custom_error_type="compressor",
        custom_error_message=f"compressor must be one of {', '.join(COMPRESSORS)}, or module:Class",
    ),
    _SchemaByCompressor(),
]
"""An entry of ``models``, whose keys depend on its ``compressor``."""


class RegionPreset(Section):
    """A region budget: target BPT of a class = base_bpt x multiplier (Eq. 5)."""

    base_bpt: float = Field(32, gt=0, description="B, bp per token at multiplier 1")
    multipliers: dict[str, Annotated[float, Field(gt=0)]] = Field(
        description="mu_r of every class, user classes (regions.classes) included"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [name for name in CLASSES if name not in self.multipliers]
        if missing:
            raise ValueError(f"multipliers lacks {', '.join(missing)}")
        low = [name for name, mu in self.multipliers.items() if self.base_bpt * mu < 1]
        if low:
            raise ValueError(f"the target of {low[0]} is below 1 bp per token")
        return self

    def target_bpt(self) -> dict[str, float]:
        """Target BPT of the classes of the preset (bp per token)."""
        return {name: self.base_bpt * mu for name, mu in self.multipliers.items()}
