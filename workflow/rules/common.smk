"""Result paths, target lists and functions of the rules; no rules."""

import json
import os
import re
from shlex import quote

SCALE = CONFIG.scale
# Cores of a job that has the machine for itself; a cluster has no number of cores.
ALONE = workflow.resource_settings.cores or 1
MODELS, NETWORKS = CONFIG.chosen_models(), CONFIG.networks()
WORDS, TRAINED = CONFIG.on_words(), CONFIG.trained()
ADOPTED = CONFIG.adopted()
CORPORA = CONFIG.chosen_corpora()
REFERENCE, CONTROL = CONFIG.report.reference, CONFIG.report.control
BENCHMARKS = CONFIG.benchmarks
COMPARATORS = BENCHMARKS.comparators
HEAD_SEED = BENCHMARKS.seed
LABELS = CONFIG.labels.tasks
FROM_LABELS = ["classification"]  # tasks whose files come with the labels of the demo
ZERO_SHOT = [
    "essentiality",
    "variants",
]  # parts of the labels that every network is measured on
TASKS = BENCHMARKS.tasks_there_are()
TABLES = {task: TASK_TABLES.get(task, task) for task in TASKS}
ALL_SUBSETS = sorted({s for task in TASKS for s in BENCHMARKS.task(task).subsets})
# Control routers keep the region budget of the reference; one target for all bases is no budget.
BUDGET = getattr(MODELS[REFERENCE], "regions", None)
ROUTERS = ["fixed_stride", "gc_cpg", "cpg"] if BUDGET else []
if BUDGET and CONFIG.evaluation.mixing:
    ROUTERS.append("surprisal")
FIGURES = (
    "corpus curves steering perplexity bpt enrichment gc_thirds locus repeats repeat_kinds "
    "labels classification codon_phase alignment stability essentiality variants scaling masked "
    "ggrams words bounds gaps latency"
).split()
FIGURES += [f"locus_{number + 2}" for number in range(len(CONFIG.report.loci))]

# Networks with a token for some bases only, and whether their boundaries are compared with genes:
# a run on several genomes has whole annotated ones.
CUTTING = [name for name, one in NETWORKS.items() if one.uniform_bpt != 1]
SHOWN = CONFIG.report.locus_models or [REFERENCE, CONTROL]  # at the loci and in tracks
ZERO_SHOT_MODELS = CONFIG.labels.models or list(NETWORKS)
CODON_PHASE = (
    [name for name in CUTTING if name in ZERO_SHOT_MODELS]
    if "genomes" in CONFIG.genome.sources
    else []
)

# Networks that predict masked bases.
MASKED = [name for name, one in NETWORKS.items() if one.compressor == "ldarnet"]
# Systems that an arena measures in every way that they can be, and others on the run alone.
WHOLE = [name for name in MODELS if name not in CONFIG.arena.second_view]
# Systems whose boundaries are compared with sites of genes: networks that cut, and tokenisers.
ALIGNED = [
    name
    for name in WHOLE
    if CONFIG.alignment.kinds and (name in CUTTING or name not in NETWORKS)
]

ARENA = CONFIG.evaluation.arena
ELSEWHERE = CONFIG.arena.elsewhere if ARENA else {}
# Those that probes read: adopted ones as their entries say, of others those of `labels.models`, or
# all that have vectors or ids: networks, words and short k-mers.
PROBED = [
    name
    for name, one in MODELS.items()
    if (
        one.probes
        if name in ADOPTED
        else name in (CONFIG.labels.models or MODELS)
        and (one.compressor != "fixed" or one.stride <= 6)
    )
]

# Models whose boundaries are compared after a change of the sequence, the first run of each.
STABLE = [
    name
    for name in CONFIG.stability.models or (WHOLE if ARENA else (REFERENCE, CONTROL))
    if name not in NETWORKS or name in CUTTING
]

# All models are measured on the held-out windows of the reference's corpus.
CORPUS_NAME = MODELS[REFERENCE].corpus or next(iter(CORPORA))
CORPUS = f"results/corpus/{CORPUS_NAME}/manifest.json"


def one_of(names):
    """Regular expression that matches one of the names; without names it matches nothing."""
    return "|".join(re.escape(name) for name in names) or "(?!)"


wildcard_constraints:
    corpus=one_of(CORPORA),
    genome=one_of(ELSEWHERE),
    model=one_of(MODELS),
    learner=one_of([*MODELS, *COMPARATORS, "cnn"]),
    seed=r"\d+",
    router=one_of(ROUTERS),
    task=one_of(TASKS),
    subset=one_of(ALL_SUBSETS),
    part=one_of(["all", *ALL_SUBSETS]),


def user_file(key, path):
    """Path of a user file relative to the folder of the run; an absolute path is kept."""
    found = path if os.path.isabs(path) else os.path.relpath(ROOT / path)
    if re.search("[{}]", found):
        raise WorkflowError(
            f"{key} is {ROOT / path}: Snakemake reads braces as wildcards; rename it, or name "
            "a link to it without braces"
        )
    return found


HOME = user_file("the folder of the run", ".")


def home(wildcards, resources):
    """Params function: where paths of the user start; not recorded, as in :func:`settings`."""
    return HOME


USER_GENOME = [
    user_file(f"genome.{key}", path)
    for key in ("fasta", "annotation", "rmsk", "trf")
    if (path := getattr(CONFIG.genome, key))
]
# Files of the source `genomes` may also lie in the mirror folder, or be public.
USER_GENOME += [
    user_file(f"genome.genomes.{one.name}", path)
    for one in CONFIG.genome.genomes
    for path in (one.fasta, one.annotation)
    if path and (ROOT / path).exists()
]
USER_BEDS = [
    user_file(f"leakage.beds.{n}", path) for n, path in enumerate(CONFIG.leakage.beds)
]
USER_CLASSES = [
    user_file(f"regions.classes.{one.name}", one.bed) for one in CONFIG.regions.classes
]
CMP_GENOME = BENCHMARKS.cmp.genome and user_file(
    "benchmarks.cmp.genome", BENCHMARKS.cmp.genome
)
INITIAL = {
    name: (
        entry.init_from
        if entry.init_from in MODELS
        else user_file(f"models.{name}.init_from", entry.init_from)
    )
    for name, entry in NETWORKS.items()
    if entry.init_from
}


def settings(section, *keys, without=()):
    """Params ``settings``, the text of ``--settings``, and ``recorded``, its keys that change results.

    Snakemake reruns a job if its recorded params have changed; it does not record params that are
    a function of the resources.

    Parameters
    ----------
    section : a section of the configuration, or a function of the wildcards that gives one
    keys : keys of the section that the rule uses; by default all but ``without``
    without : keys, or a function of the wildcards that gives them
    """

    def as_json(wildcards, free):
        found = section(wildcards) if callable(section) else section
        left_out = without(wildcards) if callable(without) else without
        return found.as_json(keys or None, [*left_out, *(() if free else found.FREE)])

    return {
        "settings": lambda wildcards, resources: as_json(wildcards, True),
        "recorded": lambda wildcards: as_json(wildcards, False),
    }


def preset(kind, name):
    """Params of a preset: its name (or the path of a user file) and its content.

    A file of the workflow, such as ``config/bounds/floor.yaml``, keeps its name in the folder of
    another run: commands find it beside the workflow, wherever that is installed.
    """
    if not name:
        return "", ""
    own = of_user(name) and beside_workflow(name, ROOT) == ROOT / name
    path = user_file("a preset", name) if own else name
    return path, preset_file(kind, path).read_text()


def gene_options(wildcards):
    """Params function: options that select the same genes as for the region map."""
    types = CONFIG.regions.gene_types or []
    options = [f"--gene-type {quote(one)}" for one in types]
    return " ".join([f"--transcripts {CONFIG.regions.transcripts}", *options])


def latency_program(wildcards, resources):
    """Params function: the measurement of latency, which a checkout has; not recorded."""
    found = beside / "benchmarks" / "latency.py"
    if not found.is_file():
        raise WorkflowError(
            "the rule latency needs benchmarks/latency.py beside the workflow; run it in a clone"
        )
    return os.path.relpath(found)


def each(option, name):
    """Params function: the option, repeated for every file of an input."""
    return lambda wildcards, input: [
        f"{option} {quote(str(path))}" for path in input[name]
    ]


INTERVALS = Evaluation.INTERVALS


def environment(rule):
    """File of a rule's conda environment."""
    return f"../../envs/{needs(rule, SCALE).environment}"
