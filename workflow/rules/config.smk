"""The validated configuration and what follows from it; no rules."""

import re
from copy import deepcopy
from pathlib import Path

from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config, validate

SCHEMA = load_configfile(Path(workflow.basedir) / "schemas" / "config.schema.yaml")


def kinds_of(part):
    """What a key may hold, as schemas, with names of definitions followed."""
    if "anyOf" in part:
        return [found for one in part["anyOf"] for found in kinds_of(one)]
    if "allOf" in part:
        return [found for one in part["allOf"] for found in kinds_of(one["then"])]
    return [SCHEMA["$defs"][Path(part["$ref"]).name] if "$ref" in part else part]


def fill_empty(tree, schema, layers):
    """Undo every section that a layer names but leaves empty, which YAML reads as null.

    It holds what the layers below it say, or is as good as absent. A null that is a value by itself
    stays. Names that are numbers in YAML would be no part of a path.
    """
    for key in list(tree):
        part = schema.get("properties", {}).get(key)
        named = part is None and schema.get("additionalProperties")
        if named and not isinstance(key, str):
            raise WorkflowError(f"the name {key!r} is not text; write it in quotes")
        kinds = kinds_of(part or named or {})
        found = next((one for one in kinds if one.get("type") == "object"), None)
        if found is None:
            continue
        below = [one[key] for one in layers if isinstance(one.get(key), dict)]
        if tree[key] is None and not any(one.get("type") == "null" for one in kinds):
            del tree[key]
            for one in below:
                update_config(tree.setdefault(key, {}), deepcopy(one))
        if isinstance(tree.get(key), dict):
            fill_empty(tree[key], found, below)


# From below to above: the file that the Snakefile names, --configfile, --config.
given = workflow.config_settings
files = [path for path in workflow.configfiles if path not in given.configfiles]
if getattr(given, "replace_workflow_config", False):
    files = []
files = [load_configfile(path) or {} for path in [*files, *given.configfiles]]
fill_empty(config, SCHEMA, [*files, given.config])

# `name: null` drops a model of a lower layer. The schema then checks every key that is left
# (unknown keys stop the run) and fills in the defaults.
MODELS = {
    name: entry for name, entry in config.get("models", {}).items() if entry is not None
}
config["models"] = MODELS
config["corpora"] = {
    name: own
    for name, own in config.get("corpora", {"main": {}}).items()
    if own is not None
}
# Sections that no layer names are there all the same, so that the schema fills in their keys.
# A task is a section of `benchmarks` with subsets and arms; comparators are named by the user.
SECTIONS = SCHEMA["$defs"]["Benchmarks"]["properties"]
PARTS = SCHEMA["$defs"]["Labels"]["properties"]["tasks"]["items"]["enum"]
TASKS = [name for name, part in SECTIONS.items() if "$ref" in part]
for name, part in SCHEMA["properties"].items():
    if "$ref" in part:
        config.setdefault(name, {})
for name in TASKS:
    config["benchmarks"].setdefault(name, {})
validate(config, "../schemas/config.schema.yaml")
# What is no network has tokens and nothing else: no vectors, probabilities or likelihoods, no
# training curve, no other bound, nothing before its first step. Rules for those take NETWORKS.
NETWORKS = [n for n, entry in MODELS.items() if entry["compressor"] == "genezip"]
TOKENIZERS = {
    kind: [n for n, entry in MODELS.items() if entry["compressor"] == kind]
    for kind in ("fixed", "bpe")
}
for name in MODELS:
    if name not in NETWORKS:
        MODELS[name]["seeds"] = [MODELS[name].get("seed", 0)]

ROOT = Path(workflow.basedir).parent
SCALE = config["scale"]
REFERENCE = config["report"]["reference"]
CONTROL = config["report"]["control"]
CORPORA = list(config["corpora"])
ROUTERS = ["fixed_stride", "gc_cpg"]
INTERVALS = ("max_n_fraction", "bootstrap", "block_bp", "seed")
FIGURES = (
    "corpus curves steering perplexity bpt enrichment gc_thirds locus repeats labels classification"
).split()

TARGETS = ("regions", "match_bpt", "uniform_bpt")

for name in NETWORKS:
    if sum(MODELS[name][key] is not None for key in TARGETS) != 1:
        raise WorkflowError(f"models.{name}: set exactly one of {', '.join(TARGETS)}")
for name in NETWORKS:
    seen = [name]
    while (first := MODELS[seen[-1]]["init_from"]) and Path(first).name == first:
        if first not in NETWORKS:
            raise WorkflowError(
                f"models.{seen[-1]}.init_from names {first!r}, which is not in models"
                f"{' as a network' if first in MODELS else ''}"
            )
        if first in seen:
            circle = " from ".join([*seen, first])
            raise WorkflowError(f"models.{name}.init_from goes in a circle: {circle}")
        seen.append(first)
for where, name in [
    ("report.reference", REFERENCE),
    ("report.control", CONTROL),
    *(("benchmarks.models", name) for name in config["benchmarks"]["models"] or []),
]:
    if name not in MODELS:
        raise WorkflowError(f"{where} names {name!r}, which is not in models")
    if name not in NETWORKS and where.startswith("report."):
        raise WorkflowError(
            f"{where} names {name!r}, a {MODELS[name]['compressor']}; name a network"
        )
for name, entry in MODELS.items():
    if entry.get("corpus") is not None and entry["corpus"] not in CORPORA:
        raise WorkflowError(
            f"models.{name}.corpus names {entry['corpus']!r}, which is not in corpora; "
            f"there are {', '.join(CORPORA) or 'none'}"
        )
for where, names in (
    ("models", [*MODELS, *config["benchmarks"]["comparators"]]),
    ("corpora", CORPORA),
    *(
        (f"benchmarks.{task}.subsets", config["benchmarks"][task]["subsets"])
        for task in TASKS
    ),
):
    seen = {}
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise WorkflowError(
                f"{where} has {other} and {name}, which are one file name on some disks; "
                "rename one"
            )
for name in config["benchmarks"]["comparators"]:
    if name in MODELS:
        raise WorkflowError(
            f"benchmarks.comparators.{name} is also the name of a model"
        )
if not CORPORA:
    raise WorkflowError("corpora drops every corpus; keep one")
# Files of the user, by their key. Snakemake would read braces in them as wildcards, in rules far
# from the key. Any other character is quoted in the commands.
OWN_FILES = {
    "the folder of the workflow": "",
    **{
        f"genome.{k}": config["genome"][k]
        for k in ("fasta", "annotation", "rmsk", "trf")
    },
    "benchmarks.cmp.genome": config["benchmarks"]["cmp"]["genome"],
    **{f"leakage.beds.{n}": path for n, path in enumerate(config["leakage"]["beds"])},
    **{
        f"regions.classes.{one['name']}": one["bed"]
        for one in config["regions"]["classes"]
    },
    **{f"models.{name}.init_from": MODELS[name]["init_from"] for name in NETWORKS},
}
for key, path in OWN_FILES.items():
    if path is not None and re.search("[{}]", str(ROOT / path)):
        raise WorkflowError(
            f"{key} is {ROOT / path}: Snakemake reads braces as wildcards; rename it, or name "
            "a link to it without braces"
        )
if MODELS[REFERENCE]["regions"] is None:
    raise WorkflowError(f"report.reference: models.{REFERENCE} needs a region preset")
