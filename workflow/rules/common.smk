"""Result paths, target lists and functions of the rules; no rules."""

import json
import os
import re
from copy import deepcopy
from pathlib import Path
from shlex import quote

from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

# Every rule runs this checkout, also inside conda environments, which hold only libraries.
# `pipefail`: a rule fails with its command, although `tee` copies the output to log and terminal.
shell.prefix(
    f"set -euo pipefail; export PYTHONPATH={quote(str(ROOT))}; "
    'genezip() {{ python -m genezip "$@"; }}; '
)

# Large buffers stay mapped between steps instead of being returned to the system after
# each operation: on CPU the same training runs about a third faster (glibc 2.35 or newer;
# other systems ignore it).
MALLOC = (
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=8589934592:"
    "glibc.malloc.trim_threshold=17179869184:glibc.malloc.top_pad=268435456"
)

# Small scales train their models side by side, one thread each. At full scale a job asks
# for a GPU and eight threads; --cores, --resources or a profile may give it less.
MODEL_THREADS = 8 if SCALE == "full" else 1
MODEL_GPUS = 1 if SCALE == "full" else 0
MODEL_ENV = f"../../envs/genezip{'-gpu' if SCALE == 'full' else ''}.yaml"


# All models are measured on the held-out windows of the reference's corpus.
CORPUS = f"results/corpus/{MODELS[REFERENCE]['corpus'] or CORPORA[0]}/manifest.json"

# A corpus is written by so many jobs, or by `--set-scatter corpus=N`; the bytes are the same.
CORPUS_JOBS = 16 if SCALE == "full" else 1


BENCHMARKS = config["benchmarks"]
COMPARATORS = BENCHMARKS["comparators"]
LABEL_PARTS = config["labels"]["tasks"]
HEAD_SEED = BENCHMARKS["seed"]
COMPARED = BENCHMARKS["models"] or [REFERENCE, CONTROL]
# Task -> its table, numbered as in the paper (arXiv 2602.17739v1) where the paper has it.
TASK_TABLES = {
    **{task: task for task in TASKS},
    "cmp": "table2_contact_map",
    "eqtl": "table3_eqtl",
    "etgp": "table7_etgp",
}
FROM_LABELS = ["classification"]  # tasks whose files come with the labels of the demo
FETCHED_PARTS = list(dict.fromkeys([*LABEL_PARTS, *FROM_LABELS]))


def one_of(names):
    """Regular expression of a wildcard that is one of these names and nothing else."""
    return "|".join(re.escape(name) for name in names)


ALL_SUBSETS = {name for task in TASKS for name in BENCHMARKS[task]["subsets"]}


wildcard_constraints:
    corpus=one_of(CORPORA),
    model=one_of(MODELS),
    comparator=one_of(COMPARATORS) or "(?!)",  # matches nothing where there is none
    learner=one_of([*MODELS, *COMPARATORS]),
    seed=r"\d+",
    router="|".join(ROUTERS),
    task="|".join(TASKS),
    subset=one_of(sorted(ALL_SUBSETS)),
    part=one_of(["all", *sorted(ALL_SUBSETS)]),
    input="authors|full",


def settings(section, *keys):
    """Params function: one config section, as the JSON text that ``--settings`` reads.

    A rule that takes only the keys it uses is rerun only when one of them changes; without
    keys it takes the whole section.
    """

    def as_json(wildcards):
        chosen = config.get(section, {})
        if keys:
            chosen = {key: chosen[key] for key in keys if key in chosen}
        return json.dumps(chosen, sort_keys=True)

    return as_json


def corpus_settings(wildcards):
    """Params function: section ``corpus`` with the keys of one corpus, as JSON text."""
    chosen = deepcopy(config["corpus"])
    update_config(chosen, config["corpora"][wildcards.corpus])
    return json.dumps(chosen, sort_keys=True)


def corpus_of(wildcards):
    """Manifest of the corpus that a model learns from."""
    name = MODELS[wildcards.model]["corpus"] or CORPORA[0]
    return f"results/corpus/{name}/manifest.json"


MODEL_FILES = {
    "genezip": ("model.safetensors", "config.json"),
    "fixed": ("config.json",),
    "bpe": ("config.json", "tokenizer.json"),
}


def model_files(wildcards):
    """The files that a model is opened from."""
    folder = f"results/pretrain/{wildcards.model}.seed{wildcards.seed}"
    names = MODEL_FILES[MODELS[wildcards.model]["compressor"]]
    return [f"{folder}/{name}" for name in names]


def model_folder(wildcards):
    """Params function: the folder of a model."""
    return f"results/pretrain/{wildcards.model}.seed{wildcards.seed}"


def model_gpus(wildcards):
    """Only networks use a GPU."""
    return MODEL_GPUS if wildcards.model in NETWORKS else 0


def tokenizer_settings(wildcards):
    """Params function: the entry of a model that is no network, as JSON text."""
    entry = MODELS[wildcards.model]
    left_out = ("seeds", "corpus", "seed")
    return json.dumps(
        {key: value for key, value in entry.items() if key not in left_out},
        sort_keys=True,
    )


def model_settings(wildcards):
    """Params function: section ``pretrain`` with the model's own keys, as JSON text."""
    own = MODELS[wildcards.model]["pretrain"]
    return json.dumps({**config.get("pretrain", {}), **own}, sort_keys=True)


def initial_weights(wildcards):
    """Weights that a model begins with: another model's, same seed; none for a fresh start."""
    first = MODELS[wildcards.model]["init_from"]
    if first is None:
        return []
    folder = f"results/pretrain/{first}" if first in NETWORKS else str(ROOT / first)
    return f"{folder}.seed{wildcards.seed}/model.safetensors"


def init_from(wildcards, input):
    """Command-line option that names the model folder of the initial weights."""
    return (
        f"--init-from {quote(str(Path(input.initial).parent))}" if input.initial else ""
    )


def launcher(wildcards, resources):
    """How training is started: one process per GPU where a job has more than one."""
    if resources.gpu > 1:
        return f"torchrun --standalone --nproc-per-node {resources.gpu} -m genezip"
    return "genezip"


def one_strand(wildcards):
    """Params function: section ``compress`` without the reverse complement."""
    section = {**config.get("compress", {}), "both_strands": False}
    return json.dumps(section, sort_keys=True)


def gene_options(wildcards):
    """Params function: the options of commands that read genes as the region map did."""
    regions = config["regions"]
    types = "".join(f" --gene-type {quote(t)}" for t in regions["gene_types"] or [])
    return f"--transcripts {regions['transcripts']}{types}"


def preset(folder, name):
    """A preset of the checkout: config/<folder>/<name>.yaml."""
    path = ROOT / "config" / folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(other.stem for other in path.parent.glob("*.yaml")))
        raise WorkflowError(
            f"there is no preset {name!r} in config/{folder}; there are {known}"
        )
    return str(path)


def architecture(wildcards):
    """Architecture preset of a model."""
    return preset("models", MODELS[wildcards.model]["architecture"])


def region_preset(wildcards):
    """Region preset that gives a model its target BPT; none for a fixed uniform target."""
    entry = MODELS[wildcards.model]
    name = entry["regions"] or entry["match_bpt"]
    return preset("regions", name) if name else []


def reference_preset(wildcards):
    """Region preset of the reference model; the GC/CpG router gets the same targets."""
    return preset("regions", MODELS[REFERENCE]["regions"])


def target(wildcards, input):
    """Command-line option that says what a model's bases per token are steered to."""
    entry = MODELS[wildcards.model]
    if entry["uniform_bpt"]:
        return f"--uniform-bpt {entry['uniform_bpt']}"
    option = "--region-preset" if entry["regions"] else "--match-bpt"
    return f"{option} {quote(input.regions)}"


def own_genome(wildcards):
    """Files of the user (source `files`), relative to the repository."""
    genome = config.get("genome", {})
    names = ("fasta", "annotation", "rmsk", "trf")
    return [str(ROOT / genome[name]) for name in names if genome.get(name)]


def benchmark_intervals(wildcards):
    """What says where the excluded inputs of each benchmark task lie."""
    tasks = config["leakage"]["tasks"]
    return expand("resources/dnalongbench/{task}.intervals.json", task=tasks)


def own_exclusions(wildcards):
    """BED files of the user that no training window may touch, relative to the repository."""
    return [str(ROOT / path) for path in config["leakage"]["beds"]]


def published(table):
    """A published table of the paper in the checkout."""
    return str(ROOT / "resources" / "paper" / f"{table}.csv")


def own_classes(wildcards):
    """BED files of the user's region classes, relative to the repository."""
    return [str(ROOT / found["bed"]) for found in config["regions"]["classes"]]


def runs(*models):
    """``model.seed<n>`` of the given models, one per seed; of every model without names.

    What is no network has one seed, that of its entry.
    """
    return [
        f"{model}.seed{seed}"
        for model in models or MODELS
        for seed in MODELS[model]["seeds"]
    ]


def first_run(model):
    """The run of a model that stands for it in tracks and in the locus."""
    return runs(model)[0]


def compressed_pair(wildcards):
    """Held-out DNA as the reference and its control compressed it."""
    return [
        f"results/compress/{first_run(name)}.parquet" for name in (REFERENCE, CONTROL)
    ]


def compressed_heldout(wildcards):
    """Held-out DNA as every model and every trivial router compressed it.

    A router copies the token counts of one run, so there is one for each of the reference.
    Reference and control are also scored under the causal bound.
    """
    routers = [
        f"routers/{router}.seed{seed}"
        for router in ROUTERS
        for seed in MODELS[REFERENCE]["seeds"]
    ]
    causal = [f"causal/{run}" for run in runs(REFERENCE, CONTROL)]
    names = [*runs(), "untrained.seed0", *routers, *causal]
    return [f"results/compress/{name}.parquet" for name in names]


def compressed_repeats(wildcards):
    """Held-out DNA and other pieces with RepeatMasker classes, of reference and control."""
    names = runs(REFERENCE, CONTROL)
    return [
        f"results/compress/{folder}{name}.parquet"
        for folder in ("", "rmsk/")
        for name in names
    ]


def compressed_options(wildcards, input):
    """One ``--compressed`` option for each file."""
    return [f"--compressed {path}" for path in input.compressed]


def task_settings(*keys):
    """Params function: a task's section as JSON text, without what only names result files.

    Another tissue or arm in the section changes none of the others.
    """

    def as_json(wildcards):
        section = BENCHMARKS[wildcards.task]
        chosen = keys or [
            key for key in section if key not in ("subsets", "arms", "genome")
        ]
        return json.dumps(
            {k: section[k] for k in chosen if k in section}, sort_keys=True
        )

    return as_json


# Keys of a task that decide nothing about a head on cached features.
NOT_OF_HEADS = (
    *("alpha", "uniform_bpt", "lora_rank", "lora_alpha", "lora_dropout"),
    *("epochs", "folds", "tap"),
)


def head_settings(wildcards):
    """Params function: the keys of a task that a head on cached features reads."""
    keys = [key for key in BENCHMARKS[wildcards.task] if key not in NOT_OF_HEADS]
    named = ("subsets", "arms", "genome")
    return task_settings(*(key for key in keys if key not in named))(wildcards)


def prepare_settings(wildcards):
    """Params function: the keys that decide what a task's examples are."""
    return task_settings("folds", "train_windows", "schemes")(wildcards)


def task_files(wildcards):
    """The list of a task's files."""
    if wildcards.task in FROM_LABELS:
        return "resources/labels/labels.json"
    return f"resources/dnalongbench/{wildcards.task}.json"


def official(wildcards):
    """Official name of a subset, as the deposit has it."""
    subsets = BENCHMARKS[wildcards.task]["subsets"]
    name = getattr(wildcards, "subset", None) or wildcards.part
    return "all" if name == "all" else subsets.get(name, name)


def part_of(task, subset):
    """Data folder of a subset: maps of all cell lines, and all ten tracks, share one."""
    return "all" if task in ("cmp", "tisp") else subset


def task_data(wildcards):
    """Manifest of the data of a subset."""
    part = part_of(wildcards.task, wildcards.subset)
    return f"results/{wildcards.task}/data/{part}/manifest.json"


def task_genome(wildcards):
    """FASTA of a task: the deposit's own; those without one get the genome of the run."""
    if wildcards.task in FROM_LABELS:
        return "resources/source.json"
    if wildcards.task != "cmp":
        return f"results/{wildcards.task}/data/genome.fa"
    own = BENCHMARKS["cmp"]["genome"]
    return str(ROOT / own) if own else "resources/source.json"


def features_of(wildcards):
    """Features of a frozen head; `contrast` takes differences of the features of `full`."""
    part = part_of(wildcards.task, wildcards.subset)
    kind = {"contrast": "full"}.get(wildcards.input, wildcards.input)
    run = f"{wildcards.learner}.seed{wildcards.seed}.{kind}"
    return f"results/{wildcards.task}/features/{part}/{run}/manifest.json"


def head_gpus(wildcards):
    """A linear probe on pairs needs no GPU; heads of maps and tracks do at full scale."""
    return 0 if wildcards.task in ("eqtl", "etgp") else MODEL_GPUS


def task_genes(wildcards):
    """The annotation, where a baseline reads TSSs."""
    return "resources/source.json" if wildcards.task == "tisp" else []


def task_gene_options(wildcards, input):
    """Options that name the annotation and how its genes are read."""
    if not input.genes:
        return ""
    return f"--source {quote(str(input.genes))} {gene_options(wildcards)}"


def comparator(wildcards):
    """Params function: a published model as JSON text; a folder is a path from the repository."""
    entry = COMPARATORS[wildcards.comparator]
    folder = ROOT / entry["source"]
    if folder.is_dir():
        entry = {**entry, "source": str(folder)}
    return json.dumps(entry, sort_keys=True)


def arms_of(task):
    """``model.seed0.input.mode`` of every model on a task; what is no network is frozen only."""
    arms = BENCHMARKS[task]["arms"]
    frozen = [arm for arm in arms if arm.endswith(".frozen")]
    learners = [
        f"{run}.{arm}"
        for name in COMPARED
        for run in runs(name)
        for arm in (arms if name in NETWORKS else frozen)
    ]
    seed = BENCHMARKS["seed"]
    return learners + [
        f"{name}.seed{seed}.{arm}" for name in COMPARATORS for arm in frozen
    ]


def predictions_of(wildcards):
    """Every prediction file that a result file is made of."""
    names = [*arms_of(wildcards.task), "baselines"]
    if BENCHMARKS["cnn"]:
        names.append(f"cnn.seed{HEAD_SEED}")
    folder = f"results/{wildcards.task}/predictions/{wildcards.subset}"
    return [f"{folder}/{name}.parquet" for name in names]


def task_of_table(wildcards):
    """The task that a table is about."""
    return {table: task for task, table in TASK_TABLES.items()}[wildcards.table]


def table_settings(wildcards):
    """Params function: the subsets of a table by short and official name, as JSON text."""
    subsets = BENCHMARKS[task_of_table(wildcards)]["subsets"]
    return json.dumps({"subsets": subsets}, sort_keys=True)


def scores_of(wildcards):
    """Result files of all subsets of a table."""
    task = task_of_table(wildcards)
    return [f"results/{task}/{subset}.tsv" for subset in BENCHMARKS[task]["subsets"]]


def published_scores(wildcards):
    """The published table, where there is one."""
    path = published(wildcards.table)
    return [path] if Path(path).is_file() else []


def task_tables():
    """Tables of the tasks that a full run evaluates."""
    return [f"results/tables/{TASK_TABLES[task]}.tsv" for task in BENCHMARKS["tasks"]]


def mirror_folder(wildcards):
    """Params function: the folder GENEZIP_MIRROR; a rule that takes it sees another one.

    It stands in the params only, which Snakemake keeps; no result file holds the path.
    """
    return os.environ.get("GENEZIP_MIRROR", "")


def fetched_folder(wildcards):
    """Params function: the folder GENEZIP_FETCHED, as :func:`mirror_folder`."""
    return os.environ.get("GENEZIP_FETCHED", "")


def label_models(wildcards):
    """Models that real labels are measured with: first run of reference and control."""
    chosen = dict.fromkeys([first_run(REFERENCE), first_run(CONTROL)])
    return [f"results/pretrain/{run}/config.json" for run in chosen]


def label_options(wildcards, input):
    """One ``--model`` option for each model folder."""
    return [f"--model {quote(str(Path(path).parent))}" for path in input.models]


def label_settings(wildcards):
    """Params function: what a part is measured with, as JSON text: ``labels``, or its own section."""
    if wildcards.part in TASKS:
        section = BENCHMARKS[wildcards.part]
        own = {key: value for key, value in section.items() if key != "arms"}
        return json.dumps(own, sort_keys=True)
    chosen = {key: value for key, value in config["labels"].items() if key != "tasks"}
    return json.dumps(chosen, sort_keys=True)


# A class without a target is said now, not when the corpus is made and training begins.
for name in NETWORKS:
    entry = MODELS[name]
    budget = entry["regions"] or entry["match_bpt"]
    if budget:
        named = load_configfile(preset("regions", budget)).get("multipliers") or {}
        for found in config["regions"]["classes"]:
            if found["target_bpt"] is None and found["name"] not in named:
                raise WorkflowError(
                    f"models.{name}: the region class {found['name']!r} has no target; set "
                    f"target_bpt in regions.classes, or a multiplier in config/regions/{budget}.yaml"
                )
