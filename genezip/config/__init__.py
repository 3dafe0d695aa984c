"""Typed configuration: every key with its unit, legal values and source.

One tree, three layers: ``config/config.yaml`` (the paper's settings), an overlay such as
``config/demo.yaml`` (only what differs), and ``--config key=value``. Each command reads one
section as JSON through ``--settings``, so a rule depends on its own keys and on no others.
The JSON schema that Snakemake validates is generated from these classes.
"""

from genezip.config.corpus import Corpus, Leakage, Sampling
from genezip.config.genome import ExtraClass, Genome, Regions, Simulation
from genezip.config.model import BPEEntry, FixedEntry, ModelEntry, Pretrain, RegionPreset
from genezip.config.read import load, parse, read_yaml, schema, settings
from genezip.config.results import Compress, Evaluation, Report
from genezip.config.run import Config, merge
from genezip.config.section import Fraction, Scale, Section
from genezip.config.tasks import (
    EQTL,
    ETGP,
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

__all__ = [
    "EQTL",
    "ETGP",
    "Activity",
    "BPEEntry",
    "Benchmarks",
    "Classification",
    "Comparator",
    "Compress",
    "Config",
    "ContactMaps",
    "Corpus",
    "Evaluation",
    "ExtraClass",
    "FineTuning",
    "FixedEntry",
    "Fraction",
    "Genome",
    "HeadTraining",
    "Initiation",
    "Labels",
    "Leakage",
    "ModelEntry",
    "Pairs",
    "Pretrain",
    "RegionPreset",
    "Regions",
    "Report",
    "Sampling",
    "Scale",
    "Section",
    "Simulation",
    "Task",
    "UserLabels",
    "load",
    "merge",
    "parse",
    "read_yaml",
    "schema",
    "settings",
]
