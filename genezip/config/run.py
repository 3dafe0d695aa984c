"""The whole configuration of a run."""

from collections.abc import Iterable
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from genezip.config.corpus import Corpus, CorpusEntry, Leakage
from genezip.config.genome import Genome, Regions
from genezip.config.model import (
    AdoptedEntry,
    AnyEntry,
    BPEEntry,
    DnaZenEntry,
    FixedEntry,
    ModelEntry,
    Pretrain,
    WordsPretrain,
)
from genezip.config.results import (
    Alignment,
    Arena,
    CodonPhase,
    Compress,
    Evaluation,
    Latency,
    MaskedBases,
    MaskedWords,
    Report,
    Stability,
)
from genezip.config.section import Key, Scale, Section, names, reasons, refuse_taken, without_empty
from genezip.config.tables import Tables
from genezip.config.tasks import LEARNERS, Benchmarks, Labels
from genezip.config.zero_shot import Essentiality, VariantEffect

# Results of the workflow beside the folders of the corpora.
CORPUS_FILES = ("exclusions.bed.gz", "exclusions.tsv")


def merge(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """Merge mappings deeply, the overlay winning, as Snakemake merges config files."""
    merged = dict(base)
    for key, value in overlay.items():
        old = merged.get(key)
        merged[key] = (
            merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return merged


def of_layers(layers: Iterable[Any]) -> "Config":
    """The configuration of layers, later ones winning.

    A section that a layer leaves empty, which YAML reads as null, is ignored.
    """
    tree: dict[str, Any] = {}
    for layer in layers:
        tree = merge(tree, without_empty(Config, layer or {}))
    return Config.model_validate(tree)


class Config(Section):
    """The whole configuration."""

    scale: Scale = Field("full", description="full | demo | test: column of every result row")
    check_disk: bool = Field(
        True,
        description="at scale `full`, the target `all` refuses a disk that is smaller than the "
        "estimate of what the run writes (rule `room`)",
    )
    genome: Genome = Field(default_factory=Genome, description="data sources")
    regions: Regions = Field(default_factory=Regions, description="region map")
    leakage: Leakage = Field(default_factory=Leakage, description="DNA kept out of training")
    corpus: Corpus = Field(default_factory=Corpus, description="training and held-out windows")
    corpora: dict[Key, CorpusEntry | None] = Field(
        {"main": {}},
        min_length=1,
        json_schema_extra=names(*CORPUS_FILES),
        description="corpora by name, each with the keys of `corpus` that differ; null drops one "
        "of a lower layer",
    )
    models: dict[Key, AnyEntry | None] = Field(
        json_schema_extra=names(*LEARNERS),
        description="models to train and compare, by name; null drops a model of a lower layer",
    )
    pretrain: Pretrain = Field(default_factory=Pretrain, description="training")
    compress: Compress = Field(default_factory=Compress, description="held-out compression")
    evaluation: Evaluation = Field(default_factory=Evaluation, description="metrics")
    arena: Arena = Field(default_factory=Arena, description="systems beside each other")
    masked: MaskedBases = Field(
        default_factory=MaskedBases, description="prediction of masked bases"
    )
    words: MaskedWords = Field(
        default_factory=MaskedWords, description="prediction of masked words, and G-grams"
    )
    codon_phase: CodonPhase = Field(
        default_factory=CodonPhase, description="boundaries along genes"
    )
    alignment: Alignment = Field(
        default_factory=Alignment, description="boundaries at sites of genes"
    )
    latency: Latency = Field(default_factory=Latency, description="time and memory by length")
    stability: Stability = Field(
        default_factory=Stability, description="boundaries after a change of the sequence"
    )
    benchmarks: Benchmarks = Field(default_factory=Benchmarks, description="tasks")
    labels: Labels = Field(default_factory=Labels, description="measured targets of the demo")
    essentiality: Essentiality = Field(default_factory=Essentiality, description="essential genes")
    variants: VariantEffect = Field(default_factory=VariantEffect, description="variant effect")
    tables: Tables = Field(
        {},
        description="published tables and figures by name, each with our number beside theirs "
        "(config/tables.yaml); null drops one of a lower layer",
    )
    report: Report = Field(description="the report")

    @model_validator(mode="after")
    def _names_of_files(self) -> Self:
        refuse_taken("corpora", self.chosen_corpora(), CORPUS_FILES)
        learners = [*self.chosen_models(), *self.benchmarks.comparators]
        refuse_taken("models", learners, LEARNERS)
        return self

    @model_validator(mode="after")
    def _known_corpora(self) -> Self:
        if not self.chosen_corpora():
            raise ValueError("corpora drops every corpus; keep one")
        for name, entry in self.chosen_models().items():
            if isinstance(entry, FixedEntry | AdoptedEntry):
                continue
            if entry.corpus is not None and entry.corpus not in self.chosen_corpora():
                raise ValueError(f"models.{name}.corpus names {entry.corpus!r}, not in corpora")
        return self

    @model_validator(mode="after")
    def _known_models(self) -> Self:
        named = [(f"report.{key}", getattr(self.report, key)) for key in ("reference", "control")]
        named += [("benchmarks.models", name) for name in self.benchmarks.models or []]
        named += [("labels.models", name) for name in self.labels.models or []]
        named += [("report.bounds", name) for name in self.report.bounds]
        named += [("report.locus_models", name) for name in self.report.locus_models or []]
        named += [("stability.models", name) for name in self.stability.models or []]
        named += [("arena.second_view", name) for name in self.arena.second_view]
        named += [
            (f"arena.beside.{model}", name)
            for model, others in self.arena.beside.items()
            for name in (model, *others)
        ]
        for where, name in named:
            if name not in self.chosen_models():
                raise ValueError(f"{where} names {name!r}, which is not in models")
            shown = ("report.reference", "report.control", "report.bounds")
            if where in shown and name not in self.trained():
                kind = self.chosen_models()[name].compressor
                raise ValueError(f"{where} names {name!r}, a {kind}; name a network")
        for name in self.benchmarks.comparators:
            if name in self.chosen_models():
                raise ValueError(f"benchmarks.comparators.{name} is also the name of a model")
        for name in self.networks():
            self._check_initial_weights(name)
            self._check_guide(name)
        for name in self.trained():
            self.pretrain_of(name)
        for name in self.on_words():
            self._check_tokenizer(name)
        return self

    def _check_initial_weights(self, name: str) -> list[str]:
        """Follow ``init_from`` from model to model: each must exist, none may occur twice."""
        chosen, seen = self.networks(), [name]
        while (first := chosen[seen[-1]].init_from) is not None and "/" not in first:
            if first not in chosen:
                raise ValueError(f"models.{seen[-1]}.init_from names {first!r}, not in models")
            if first in seen:
                circle = " from ".join([*seen, first])
                raise ValueError(f"models.{name}.init_from is circular: {circle}")
            seen.append(first)
        return seen

    def _check_guide(self, name: str) -> None:
        """The guide of a model must be another network, without a guide, of the same training."""
        chosen = self.networks()
        entry, where = chosen[name], f"models.{name}.guide names {chosen[name].guide!r}"
        if entry.guide is None:
            return
        if entry.guide not in chosen:
            raise ValueError(f"{where}, which is no network in models")
        guide = chosen[entry.guide]
        if guide.guide is not None:
            raise ValueError(f"{where}, which has a guide itself; name a learned model")
        if name in self._check_initial_weights(entry.guide):
            raise ValueError(f"{where}, whose initial weights come from {name}")
        first = next(iter(self.chosen_corpora()))
        if (entry.corpus or first) != (guide.corpus or first):
            raise ValueError(f"{where}, which has another corpus; a control sees the same DNA")
        if missing := set(entry.seeds) - set(guide.seeds):
            raise ValueError(f"{where}, which has no seed {min(missing)}; give both the same seeds")

    def _check_tokenizer(self, name: str) -> None:
        """The tokenizer of a model on words must be a vocabulary of the same corpus."""
        entry, first = self.on_words()[name], next(iter(self.chosen_corpora()))
        where = f"models.{name}.tokenizer names {entry.tokenizer!r}"
        words = self.chosen_models().get(entry.tokenizer)
        if not isinstance(words, BPEEntry):
            raise ValueError(f"{where}, which is no bpe in models")
        if (words.corpus or first) != (entry.corpus or first):
            raise ValueError(f"{where}, which is fitted on another corpus; name the same")

    def guided(self, corpus: str) -> list[str]:
        """Runs of guided models on a corpus, each after the run of its guide, none twice."""
        first = next(iter(self.chosen_corpora()))
        chosen = {n: one for n, one in self.networks().items() if (one.corpus or first) == corpus}
        pairs = [(one.guide, name) for name, one in chosen.items() if one.guide is not None]
        found = [
            f"{model}.seed{seed}"
            for guide, name in pairs
            for seed in chosen[name].seeds
            for model in (guide, name)
        ]
        return list(dict.fromkeys(found))

    def chosen_corpora(self) -> dict[str, Corpus]:
        """The corpora that are not dropped, each with all keys."""
        found = {}
        for name, own in self.corpora.items():
            if own is not None:
                try:
                    found[name] = Corpus.model_validate(merge(self.corpus.model_dump(), own))
                except ValidationError as error:
                    raise ValueError(reasons(error, f"corpora.{name}.")) from None
        return found

    def pretrain_of(self, name: str) -> Pretrain:
        """Training settings of a model: section ``pretrain`` with the model's own keys."""
        entry = self.trained()[name]
        whole: dict[str, Any] = {**self.pretrain.model_dump(), **entry.pretrain}
        try:
            if isinstance(entry, ModelEntry):
                return Pretrain.model_validate(whole)
            masking = {} if entry.ggrams is not None else {"masking": "token"}
            return WordsPretrain.model_validate({**masking, **whole})
        except ValidationError as error:
            raise ValueError(reasons(error, f"models.{name}.pretrain.")) from None

    def runs(self, *models: str) -> list[str]:
        """``model.seed<n>`` of the given models, one per seed; of every model without names."""
        chosen = self.chosen_models()
        return [f"{name}.seed{seed}" for name in models or chosen for seed in chosen[name].seeds]

    def methods_of(self, task: str) -> list[str]:
        """``model.seed0.input.mode`` of every model on a task.

        Tokenisers and published models are measured frozen only.
        """
        arms = self.benchmarks.task(task).arms
        frozen = [arm for arm in arms if arm.endswith(".frozen")]
        names = self.benchmarks.models or [self.report.reference, self.report.control]
        return [
            *(
                f"{run}.{arm}"
                for name in names
                for run in self.runs(name)
                for arm in (arms if name in self.networks() else frozen)
            ),
            *(
                f"{name}.seed{self.benchmarks.seed}.{arm}"
                for name in self.benchmarks.comparators
                for arm in frozen
            ),
        ]

    def chosen_models(self) -> dict[str, AnyEntry]:
        """The models that are not dropped."""
        return {name: entry for name, entry in self.models.items() if entry is not None}

    def networks(self) -> dict[str, ModelEntry]:
        """The chosen models that are trained networks on bases."""
        chosen = self.chosen_models().items()
        return {name: entry for name, entry in chosen if isinstance(entry, ModelEntry)}

    def on_words(self) -> dict[str, DnaZenEntry]:
        """The chosen models that are trained networks on words."""
        chosen = self.chosen_models().items()
        return {name: entry for name, entry in chosen if isinstance(entry, DnaZenEntry)}

    def adopted(self) -> dict[str, AdoptedEntry]:
        """The chosen models that are not trained in this run."""
        chosen = self.chosen_models().items()
        return {name: entry for name, entry in chosen if isinstance(entry, AdoptedEntry)}

    def trained(self) -> dict[str, ModelEntry | DnaZenEntry]:
        """The chosen models that are trained networks, on bases or on words."""
        return {**self.networks(), **self.on_words()}
