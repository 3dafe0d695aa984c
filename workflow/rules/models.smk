"""Files and options of models; no rules."""


def model_of(wildcards):
    """The entry of the model of a job."""
    return MODELS[wildcards.model]


def tokenizers(*compressors):
    """Wildcard that is a model of these compressors."""
    return one_of(name for name, one in MODELS.items() if one.compressor in compressors)


def corpus_of(wildcards):
    """Manifest of the corpus that a model learns from."""
    return f"results/corpus/{MODELS[wildcards.model].corpus or next(iter(CORPORA))}/manifest.json"


MODEL_FILES = {
    "genezip": ("model.safetensors", "config.json"),
    "fixed": ("config.json",),
    "bpe": ("config.json", "tokenizer.json"),
}


def files_of(model, seed):
    """The files that a model is opened from; of a published model none."""
    names = MODEL_FILES[MODELS[model].compressor] if model in MODELS else ()
    return [f"results/pretrain/{model}.seed{seed}/{name}" for name in names]


def gpus(rule, learner="model"):
    """Resource function: GPUs of a rule, none for what is no network."""
    most = needs(rule, SCALE).gpu

    def of_model(wildcards):
        name = getattr(wildcards, learner)
        return 0 if name in MODELS and name not in NETWORKS else most

    return of_model


def first_run(model):
    """The run of a model that stands for it in tracks and in the locus."""
    return CONFIG.runs(model)[0]


def compressed(folder="", models=(REFERENCE, CONTROL)):
    """Files of DNA as some models compressed it."""
    return [f"results/compress/{folder}{run}.parquet" for run in CONFIG.runs(*models)]


def initial_folder(wildcards):
    """Model folder whose weights a model begins with: another model's, same seed, or yours."""
    first = INITIAL[wildcards.model]
    folder = f"results/pretrain/{first}" if first in MODELS else first
    return f"{folder}.seed{wildcards.seed}"


def budget_of(wildcards):
    """Region preset that gives a model its target BPT; empty for a fixed uniform target."""
    return model_of(wildcards).regions or model_of(wildcards).match_bpt or ""


def target(wildcards):
    """Params function: the option that says what a model's bases per token are steered to."""
    entry = model_of(wildcards)
    if entry.uniform_bpt:
        return f"--uniform-bpt {entry.uniform_bpt}"
    option = "--region-preset" if entry.regions else "--match-bpt"
    return f"{option} {quote(preset('regions', budget_of(wildcards))[0])}"


def launcher(wildcards, resources):
    """Params function: training is one process per GPU where a job has more than one."""
    if resources.gpu > 1:
        return f"torchrun --standalone --nproc-per-node {resources.gpu} -m genezip"
    return "genezip"


ONE_STRAND = CONFIG.compress.model_copy(update={"both_strands": False})

# Held-out DNA as it is, under the causal bound, and pieces with RepeatMasker classes.
COMPRESS_OPTIONS = {
    "": "",
    "causal/": "--bound causal",
    "rmsk/": "--pieces rmsk --source resources/source.json",
}
UNTRAINED = "untrained"  # the reference before its first training step


def compressing(wildcards):
    """Name and seed of the model that a job of `compress` opens."""
    if wildcards.model == UNTRAINED:
        return REFERENCE, NETWORKS[REFERENCE].seeds[0]
    return wildcards.model, wildcards.seed


# A router copies the token counts of one run, so there is one for each of the reference.
# Reference and control are also scored under the causal bound.
COMPRESSED = [
    *compressed(models=MODELS),
    f"results/compress/{UNTRAINED}.seed0.parquet",
    *expand(
        "results/compress/routers/{router}.seed{seed}.parquet",
        router=ROUTERS,
        seed=NETWORKS[REFERENCE].seeds,
    ),
    *compressed("causal/"),
]
