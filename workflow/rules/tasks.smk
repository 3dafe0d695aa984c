"""Files and options of tasks and labels; no rules."""

TASK_OF_TABLE = {table: task for task, table in TABLES.items()}
FROZEN = ".frozen"


def task_files(wildcards):
    """The list of a task's files."""
    if wildcards.task in FROM_LABELS:
        return "resources/labels/labels.json"
    return f"resources/dnalongbench/{wildcards.task}.json"


def task_genome(wildcards):
    """FASTA of a task: of its deposit, or else the genome of the run."""
    if wildcards.task in FROM_LABELS:
        return "resources/source.json"
    if wildcards.task == "cmp":
        return CMP_GENOME or "resources/source.json"
    return f"results/{wildcards.task}/data/genome.fa"


def official(wildcards):
    """Params function: name of a subset in the deposit."""
    name = getattr(wildcards, "subset", None) or wildcards.part
    return "all" if name == "all" else task_of(wildcards).subsets.get(name, name)


def part_of(wildcards):
    """Data folder of a subset; all cell lines of cmp, and all tracks of tisp, share one."""
    return "all" if wildcards.task in ("cmp", "tisp") else wildcards.subset


def task_data(wildcards):
    """Manifest of the data of a subset."""
    return f"results/{wildcards.task}/data/{part_of(wildcards)}/manifest.json"


def features_of(wildcards):
    """Features of a frozen head; `contrast` uses differences of the features of `full`."""
    if not wildcards.method.endswith(FROZEN):
        return []
    kind = wildcards.method.split(".")[1].replace("contrast", "full")
    run = f"{wildcards.learner}.seed{wildcards.seed}.{kind}"
    return f"results/{wildcards.task}/features/{part_of(wildcards)}/{run}/manifest.json"


def model_option(wildcards):
    """Params function: the model folder, or a published model as JSON text."""
    name = wildcards.learner
    if name in MODELS:
        return f"--model results/pretrain/{name}.seed{wildcards.seed}"
    entry = COMPARATORS[name].model_dump()
    if (ROOT / entry["source"]).is_dir():
        entry["source"] = user_file(f"benchmarks.comparators.{name}", entry["source"])
    return f"--comparator {quote(json.dumps(entry, sort_keys=True))} --name {name}"


def method_options(wildcards, input):
    """Params function: features or model folder, input and mode of a method; none for the CNN."""
    if not wildcards.method:
        return ""
    _, kind, mode = wildcards.method.split(".")
    folder = f"results/pretrain/{wildcards.learner}.seed{wildcards.seed}"
    given = f"--features {input.features}" if input.features else f"--folder {folder}"
    return f"{given} --input {kind} --mode {mode}"


def unread(wildcards):
    """Keys of a task without effect on the predictions of a method."""
    section = task_of(wildcards)
    frozen = wildcards.method.endswith(FROZEN)
    return [*section.NAMING, *(section.OF_NETWORKS if frozen else ())]


def predict_gpus(wildcards):
    """Resource function: linear probes on pairs need no GPU, other heads do at full scale."""
    return 0 if is_probe(wildcards) else needs("predict", SCALE).gpu


def predict_memory(wildcards):
    """Resource function: linear probes on pairs hold no model (MB)."""
    whole = needs("predict", SCALE).mem_mb
    return (
        min(whole, needs("task_baselines", SCALE).mem_mb)
        if is_probe(wildcards)
        else whole
    )


def is_probe(wildcards):
    """Whether a method is a linear probe on cached features of pairs."""
    return wildcards.method.endswith(FROZEN) and wildcards.task in ("eqtl", "etgp")


def scored_methods(wildcards):
    """Names of the prediction files of a result file."""
    names = [*CONFIG.methods_of(wildcards.task), "baselines"]
    return [*names, f"cnn.seed{HEAD_SEED}"] if BENCHMARKS.cnn else names


def scored_of(wildcards):
    """Files that the scores of a subset come from: predictions, or the scores of each of them."""
    apart = BENCHMARKS.task(wildcards.task).SCORED_APART
    kind, ending = ("scores", "tsv") if apart else ("predictions", "parquet")
    folder = f"results/{wildcards.task}/{kind}/{wildcards.subset}"
    return [f"{folder}/{name}.{ending}" for name in scored_methods(wildcards)]


def scored_options(wildcards, input):
    """Params function: the options with the files of :func:`scored_of`."""
    apart = BENCHMARKS.task(wildcards.task).SCORED_APART
    option = "--from-scores" if apart else "--from-predictions"
    return [f"{option} {path}" for path in input]


def task_of(wildcards):
    """The section of the task of a job."""
    return BENCHMARKS.task(wildcards.task)


def part_of_labels(wildcards):
    """Section of a part of the labels: that of the task of this name, else `labels`."""
    if wildcards.part in ZERO_SHOT:
        return getattr(CONFIG, wildcards.part)
    return BENCHMARKS.task(wildcards.part) if wildcards.part in TASKS else CONFIG.labels


def measured_on_labels(wildcards):
    """Predictions of the models that are measured on a part of the labels."""
    zero_shot = wildcards.part in ZERO_SHOT
    chosen = CONFIG.labels.models or [REFERENCE, CONTROL]
    if ARENA:
        chosen = PROBED
    if zero_shot:
        chosen = ZERO_SHOT_MODELS
    runs = runs_of_labels(chosen)
    if CONFIG.labels.untrained and not zero_shot:
        runs += [f"{run}.untrained" for run in runs_of_labels([REFERENCE])]
    return [
        f"results/labels/predictions/{wildcards.part}/{run}.parquet" for run in runs
    ]


def twins_on_labels(wildcards):
    """Predictions of the first run of a twin, and of the models beside which it stands."""
    names = [wildcards.twin, *CONFIG.arena.beside]
    beside = CONFIG.arena.beside
    return [
        f"results/labels/predictions/{wildcards.part}/{first_run(name)}.parquet"
        for name in dict.fromkeys(names)
        if name in PROBED and (name == wildcards.twin or wildcards.twin in beside[name])
    ]


def runs_of_labels(models):
    """Runs of models on labels: the first of each, or all of them."""
    runs = CONFIG.runs(*models) if CONFIG.labels.every_seed else map(first_run, models)
    return list(dict.fromkeys(runs))


def choosing_labels(wildcards):
    """Keys of the section of a part of the labels that change no number of it."""
    own = part_of_labels(wildcards) is CONFIG.labels
    return CONFIG.labels.NAMING if own else ["tasks", "arms"]


def fetched_labels():
    """Settings of fetching labels: parts, and sets besides those of GUE if there are any."""
    sets = BENCHMARKS.classification.subsets.values()
    chosen = [*CONFIG.labels.sets, *(name for name in sets if name.startswith("nt_"))]
    parts = {"tasks": [*dict.fromkeys([*LABELS, *FROM_LABELS])]}
    return parts | ({"sets": [*dict.fromkeys(chosen)]} if chosen else {})


def task_tables():
    """Tables of the tasks that a full run evaluates."""
    return [f"results/tables/{TABLES[task]}.tsv" for task in BENCHMARKS.tasks]


# Published tables with a number of the system of this run.
PAPER_TABLES = {
    name: one
    for name, one in CONFIG.tables.items()
    if one and MODELS[REFERENCE].compressor in one.systems
}
# Files of the run that numbers beside published ones are read from.
COMPARED = [
    "results/compress/compression.tsv",
    "results/compress/comparisons.tsv",
    "results/repeats/repeats.tsv",
    "results/tables/table5_corpora.tsv",
    "results/models.json",
    *(["results/compress/scaling.tsv"] if CONFIG.evaluation.scaling else []),
    *expand("results/pretrain/{run}/config.json", run=CONFIG.runs(*TRAINED)),
    *expand("results/codon_phase/{name}.tsv", name=map(first_run, CODON_PHASE)),
    *expand("results/labels/{part}.tsv", part=LABELS),
    *expand("results/masked/{run}.tsv", run=CONFIG.runs(*MASKED) if MASKED else []),
    *expand("results/words/{run}.tsv", run=CONFIG.runs(*WORDS) if WORDS else []),
    *task_tables(),
]


def files_of_table(wildcards):
    """Files of the run that a published table is compared with."""
    wanted = PAPER_TABLES[wildcards.paper_table].files
    patterns = [re.escape(path).replace(r"\{run\}", "[^/]+") for path in wanted]
    return [
        path
        for path in COMPARED
        if any(re.fullmatch(pattern, path) for pattern in patterns)
    ]
