"""Files and options of models; no rules."""


def model_of(wildcards):
    """The entry of the model of a job."""
    return MODELS[wildcards.model]


def tokenizers(*compressors):
    """Regular expression of the models of these compressors."""
    return one_of(name for name, one in MODELS.items() if one.compressor in compressors)


def corpus_of(wildcards):
    """Manifest of the training corpus of a model."""
    return f"results/corpus/{MODELS[wildcards.model].corpus or next(iter(CORPORA))}/manifest.json"


NETWORK_FILES = ("model.safetensors", "config.json")
TOKENIZER_FILES = {
    "fixed": ("config.json",),
    "bpe": ("config.json", "tokenizer.json"),
    "dnazen": (*NETWORK_FILES, "tokenizer.json"),
}


def files_of(model, seed):
    """Files of a model folder; none for a published model."""
    names = ()
    if model in ADOPTED:
        names = ("config.json",)
    elif model in MODELS:
        names = TOKENIZER_FILES.get(MODELS[model].compressor, NETWORK_FILES)
    return [f"results/pretrain/{model}.seed{seed}/{name}" for name in names]


def gpus(rule, learner="model"):
    """Resource function: GPUs of a rule; 0 for a model that is not a network."""
    most = needs(rule, SCALE).gpu

    def of_model(wildcards):
        name = getattr(wildcards, learner)
        return 0 if name in MODELS and name not in TRAINED else most

    return of_model


def first_run(model):
    """The run of a model that is shown in tracks and in the locus."""
    return CONFIG.runs(model)[0]


def compressed(folder="", models=(REFERENCE, CONTROL)):
    """Files of DNA compressed by some models."""
    return [f"results/compress/{folder}{run}.parquet" for run in CONFIG.runs(*models)]


def initial_folder(wildcards):
    """Model folder of the initial weights: of another model with the same seed, or of the user."""
    first = INITIAL[wildcards.model]
    folder = f"results/pretrain/{first}" if first in MODELS else first
    return f"{folder}.seed{wildcards.seed}"


def guide_of(wildcards):
    """Run of the guide of a guided router, with the same seed; empty without one."""
    guide = model_of(wildcards).guide
    return f"{guide}.seed{wildcards.seed}" if guide else ""


def guide_folder(wildcards):
    """Model folder of the guide of a guided router; empty without one."""
    return f"results/pretrain/{guide_of(wildcards)}" if guide_of(wildcards) else ""


def guided_files(wildcards):
    """Files of the guided models of a corpus and of their guides."""
    runs = CONFIG.guided(wildcards.corpus)
    return [f"results/pretrain/{run}/{name}" for run in runs for name in NETWORK_FILES]


def matched_tables():
    """Tables of guided models beside their guides, of each corpus that has some."""
    return [f"results/matched/{name}.tsv" for name in CORPORA if CONFIG.guided(name)]


def matched_of_report():
    """That of the corpus of the report, if it has guided models."""
    return [
        path
        for path in matched_tables()
        if path == f"results/matched/{CORPUS_NAME}.tsv"
    ]


def budget_of(wildcards):
    """Region preset of a model's target BPT; empty for a given uniform target."""
    return model_of(wildcards).regions or model_of(wildcards).match_bpt or ""


def target(wildcards):
    """Params function: the options of a model's target bases per token, and of its stages."""
    entry = model_of(wildcards)
    stages = "".join(f" --stage-bpt {bpt}" for bpt in entry.stage_bpt or ())
    if entry.uniform_bpt:
        return f"--uniform-bpt {entry.uniform_bpt}{stages}"
    option = "--region-preset" if entry.regions else "--match-bpt"
    return f"{option} {quote(preset('regions', budget_of(wildcards))[0])}{stages}"


def adopted_source(wildcards):
    """What an adopted model is opened from: a class, a hub id, or a folder of the user."""
    source = ADOPTED[wildcards.model].source
    if not ADOPTED[wildcards.model].folder or not (ROOT / source).is_dir():
        return source
    return user_file(f"models.{wildcards.model}.folder", source)


def adopted_file(wildcards):
    """File of an adopted model: the configuration of its folder, or the module of its class."""
    source = adopted_source(wildcards)
    code = f"{HOME}/{source.partition(':')[0].replace('.', '/')}.py"
    found = f"{source}/config.json" if os.path.isdir(source) else code
    return found if os.path.isfile(found) else []


def launcher(wildcards, resources):
    """Params function: the launcher of training; several GPUs need a process each.

    On several nodes (resource `nodes`) SLURM starts an agent on each, and the first is where they
    meet.
    """
    nodes = resources.get("nodes", 1)
    if nodes > 1:
        if resources.gpu % nodes:
            raise WorkflowError(
                f"{resources.gpu} GPUs cannot be shared equally by {nodes} nodes; set "
                "pretrain:gpu to a multiple of pretrain:nodes"
            )
        return f"on_nodes {nodes} {resources.gpu // nodes} -m genezip"
    if resources.gpu > 1:
        return f"torchrun --standalone --nproc-per-node {resources.gpu} -m genezip"
    return "genezip"


def tokenizer_of(wildcards):
    """Run of the vocabulary of a model on words."""
    return first_run(WORDS[wildcards.model].tokenizer)


def ggrams_of(wildcards):
    """Table of the G-grams of a model on words; none without."""
    if WORDS[wildcards.model].mining is None:
        return []
    return f"results/words/{wildcards.model}.seed{wildcards.seed}.ggrams.json"


def without_ggrams(name):
    """The model without G-grams on the same words, which one with them is compared with; or none."""
    own = WORDS[name]
    if own.mining is None:
        return ""
    plain = [
        other
        for other, one in WORDS.items()
        if one.mining is None and one.tokenizer == own.tokenizer
    ]
    return plain[0] if plain else ""


def against_words(wildcards):
    """Windows of the model of the same seed without G-grams; none where there is no such."""
    other = without_ggrams(wildcards.model)
    if not other or int(wildcards.seed) not in WORDS[other].seeds:
        return []
    return f"results/words/{other}.seed{wildcards.seed}.parquet"


def evaluated_labels():
    """The list of labelled sets whose test rows are not mined; none where none are measured."""
    return ["resources/labels/labels.json"] if "classification" in LABELS else []


def unseen_labels(wildcards, input):
    """Params function: the options that leave labelled test rows out of the mining."""
    if not input.labels:
        return ""
    sets = BENCHMARKS.classification.as_json(["subsets"])
    return f"--labels {input.labels} --sets {quote(sets)}"


# Models with mined G-grams, whose vocabulary is described.
MINED = [name for name, one in WORDS.items() if one.mining and not one.mining.random]


def word_tables():
    """Results on words: floors of each vocabulary, networks, and G-grams."""
    floors = dict.fromkeys(one.tokenizer for one in WORDS.values())
    runs = CONFIG.runs(*WORDS) if WORDS else []
    return [
        *(f"results/words/floors/{name}.tsv" for name in floors),
        *(f"results/words/{run}.tsv" for run in runs),
        *(f"results/words/{name}.vocabulary.tsv" for name in MINED),
    ]


def masked_tables():
    """Results on masked bases, of each run that predicts some and of the models that count."""
    runs = CONFIG.runs(*MASKED) if MASKED else []
    return [
        f"results/masked/{name}.tsv" for name in (*runs, *(["markov"] if runs else []))
    ]


ONE_STRAND = CONFIG.compress.model_copy(update={"both_strands": False})

# Held-out DNA under the model's bound and the causal bound; segments with RepeatMasker classes.
COMPRESS_OPTIONS = {
    "": "",
    "causal/": "--bound causal",
    "rmsk/": "--pieces rmsk --source resources/source.json",
}
UNTRAINED = "untrained"  # the reference before its first training step


def compressing(wildcards):
    """Name and seed of the model that a job of `compress` opens."""
    if wildcards.model == UNTRAINED:
        return REFERENCE, MODELS[REFERENCE].seeds[0]
    return wildcards.model, wildcards.seed


# Those of reference and control that can have the causal bound.
FORWARD = [
    name for name in (REFERENCE, CONTROL) if name in NETWORKS and name not in MASKED
]

# A control router copies the token counts of one run, so there is one per run of the reference.
# Reference and control are also scored under the causal bound (`compress.causal_bound`).
COMPRESSED = [
    *compressed(models=MODELS),
    f"results/compress/{UNTRAINED}.seed0.parquet",
    *expand(
        "results/compress/routers/{router}.seed{seed}.parquet",
        router=ROUTERS,
        seed=MODELS[REFERENCE].seeds,
    ),
    *(
        compressed("causal/", FORWARD)
        if CONFIG.compress.causal_bound and FORWARD
        else ()
    ),
]


# The arena: twins of `arena.beside`, and what is measured of each system.
TWINS = list(
    dict.fromkeys(name for one in CONFIG.arena.beside.values() for name in one)
)
# Systems whose tokens have ids; of an adopted one this is unknown, and its table may be empty.
WITH_IDS = [
    name
    for name, one in MODELS.items()
    if name in ADOPTED
    or one.compressor in ("bpe", "dnazen")
    or (one.compressor == "fixed" and one.stride <= 6)
]


def arena_tables():
    """Tables of the arena that the report reads."""
    if not ARENA:
        return []
    probed = [
        twin
        for twin in TWINS
        if twin in PROBED
        and any(
            twin in others and model in PROBED
            for model, others in CONFIG.arena.beside.items()
        )
    ]
    return [
        "results/arena/tokens.tsv",
        "results/arena/bits.tsv",
        *expand("results/arena/recall/{run}.tsv", run=CONFIG.runs(*WHOLE)),
        *expand("results/arena/cost/{run}.tsv", run=CONFIG.runs()),
        *expand(
            "results/arena/token_ids/{run}.tsv",
            run=CONFIG.runs(*WITH_IDS) if WITH_IDS else [],
        ),
        *(["results/arena/recall/mixing.tsv"] if CONFIG.evaluation.mixing else []),
        *expand("results/arena/probes/{part}.{twin}.tsv", part=LABELS, twin=probed),
        *expand(
            "results/arena/elsewhere/{genome}/{what}.tsv",
            genome=ELSEWHERE,
            what=["tokens", "bits"],
        ),
    ]


def trained_on(wildcards):
    """Params function: the option with the DNA that a system was trained on; none for others."""
    entry = model_of(wildcards)
    found = CONFIG.genome.build if wildcards.model not in ADOPTED else entry.trained_on
    return (
        f"--trained-on {quote(found)}" if found and entry.compressor != "fixed" else ""
    )


def elsewhere(section):
    """A section of another genome, as a function of the wildcards."""
    return lambda wildcards: getattr(ELSEWHERE[wildcards.genome], section)


def genes_elsewhere(wildcards):
    """Params function: options that select the genes of another genome."""
    chosen = ELSEWHERE[wildcards.genome].regions
    types = [f"--gene-type {quote(one)}" for one in chosen.gene_types or []]
    return " ".join([f"--transcripts {chosen.transcripts}", *types])
