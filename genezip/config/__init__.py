"""Typed configuration: every key with its unit, legal values and source.

The configuration has three layers: ``config/config.yaml`` (the paper's settings), an overlay such
as ``config/demo.yaml`` (only what differs), and ``--config key=value``. Each command reads one
section as JSON through ``--settings``, so a rule depends on its own keys alone. Presets of models
and region budgets are the YAML files in ``models`` and ``regions``.
"""

from genezip.config.corpus import Corpus, Leakage, Sampling
from genezip.config.genome import ExtraClass, Genome, OneGenome, Regions, Simulation
from genezip.config.model import (
    NETWORKS,
    AdoptedEntry,
    BPEEntry,
    DnaZenEntry,
    FixedEntry,
    Mining,
    ModelEntry,
    NetworkKind,
    Pretrain,
    RegionPreset,
    WordsPretrain,
)
from genezip.config.presets import (
    check_presets,
    of_user,
    preset_file,
    preset_files,
    read_preset,
    region_preset,
)
from genezip.config.read import load, parse, parse_layers, read_yaml, schema, settings
from genezip.config.results import (
    Alignment,
    Arena,
    Compress,
    Evaluation,
    Latency,
    MaskedBases,
    MaskedWords,
    Report,
    Stability,
)
from genezip.config.rules import (
    Needs,
    beside_workflow,
    needs,
    shell_prefix,
    workflow_home,
)
from genezip.config.run import Config, merge
from genezip.config.section import Fraction, Scale, Section
from genezip.config.tables import Measured, Order, PaperTable
from genezip.config.tasks import (
    EQTL,
    ETGP,
    LABEL_PARTS,
    TASK_TABLES,
    Activity,
    Benchmarks,
    Classification,
    Comparator,
    ContactMaps,
    FineTuning,
    HeadTraining,
    Initiation,
    Labels,
    Pairs,
    Task,
    UserLabels,
)
from genezip.config.zero_shot import Essentiality, VariantEffect, VariantSet
from genezip.errors import GenezipError

__all__ = [
    "EQTL",
    "ETGP",
    "LABEL_PARTS",
    "NETWORKS",
    "TASK_TABLES",
    "Activity",
    "AdoptedEntry",
    "Alignment",
    "Arena",
    "BPEEntry",
    "Benchmarks",
    "Classification",
    "Comparator",
    "Compress",
    "Config",
    "ContactMaps",
    "Corpus",
    "DnaZenEntry",
    "Essentiality",
    "Evaluation",
    "ExtraClass",
    "FineTuning",
    "FixedEntry",
    "Fraction",
    "GenezipError",
    "Genome",
    "HeadTraining",
    "Initiation",
    "Labels",
    "Latency",
    "Leakage",
    "MaskedBases",
    "MaskedWords",
    "Measured",
    "Mining",
    "ModelEntry",
    "Needs",
    "NetworkKind",
    "OneGenome",
    "Order",
    "Pairs",
    "PaperTable",
    "Pretrain",
    "RegionPreset",
    "Regions",
    "Report",
    "Sampling",
    "Scale",
    "Section",
    "Simulation",
    "Stability",
    "Task",
    "UserLabels",
    "VariantEffect",
    "VariantSet",
    "WordsPretrain",
    "beside_workflow",
    "check_presets",
    "load",
    "merge",
    "needs",
    "of_user",
    "parse",
    "parse_layers",
    "preset_file",
    "preset_files",
    "read_preset",
    "read_yaml",
    "region_preset",
    "schema",
    "settings",
    "shell_prefix",
    "workflow_home",
]
