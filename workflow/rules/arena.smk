# Every system of the configuration beside every other (`evaluation.arena`): here on the held-out
# DNA of the run, below on further genomes (`arena.elsewhere`). Probes, stability and boundary
# alignment are those of their own rules.


rule arena:
    """Rank of every model and router, each beside controls with its own number of tokens."""
    input:
        compressed=COMPRESSED,
        markov="results/compress/markov_windows.parquet",
        corpus=CORPUS,
    output:
        tokens=report(
            "results/arena/tokens.tsv",
            caption="../report/arena.rst",
            category="3 Compression",
            labels={"table": "arena"},
        ),
        bits="results/arena/bits.tsv",
    log:
        "logs/arena/tokens.log",
    benchmark:
        "results/benchmarks/arena/tokens.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("arena", SCALE).resources,
    params:
        **settings(CONFIG.evaluation, *INTERVALS),
        beside=CONFIG.arena.as_json(["beside"]),
        compressed=each("--compressed", "compressed"),
        scale=SCALE,
    message:
        "Rank all ways of cutting DNA"
    shell:
        "logged {log} genezip evaluate arena {params.compressed} --corpus {input.corpus} "
        "--settings {params.settings:q} --scale {params.scale} --out {output.tokens} "
        "--bits {output.bits} --markov {input.markov} --arena-settings {params.beside:q}"


rule recall:
    """What one system makes of bases that it has read before."""
    input:
        model=lambda wildcards: files_of(wildcards.model, wildcards.seed),
        source="resources/source.json",
    output:
        "results/arena/recall/{model}.seed{seed}.tsv",
    log:
        "logs/arena/recall/{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/arena/recall/{model}.seed{seed}.tsv"
    conda:
        environment("recall")
    threads: needs("recall", SCALE).threads
    resources:
        **needs("recall", SCALE).resources,
    params:
        **settings(CONFIG.arena, *CONFIG.arena.RECALL),
        model=lambda wildcards: f"results/pretrain/{wildcards.model}.seed{wildcards.seed}",
        scale=SCALE,
    message:
        "Recall of {wildcards.model}, seed {wildcards.seed}"
    shell:
        "logged {log} genezip evaluate recall --model {params.model} --source {input.source} "
        "--settings {params.settings:q} --scale {params.scale} --threads {threads} --out {output}"


rule recall_mixing:
    """What the context-mixing model makes of the same bases: the bar."""
    input:
        source="resources/source.json",
    output:
        "results/arena/recall/mixing.tsv",
    log:
        "logs/arena/recall/mixing.log",
    benchmark:
        "results/benchmarks/arena/recall/mixing.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("recall_mixing", SCALE).resources,
    params:
        **settings(CONFIG.arena, *CONFIG.arena.RECALL),
        evaluation=CONFIG.evaluation.as_json(["mixing_orders", "mixing_bp"]),
        scale=SCALE,
    message:
        "Recall of the context-mixing model"
    shell:
        "logged {log} genezip evaluate recall --source {input.source} "
        "--settings {params.settings:q} --evaluation {params.evaluation:q} "
        "--scale {params.scale} --out {output}"


rule token_ids:
    """Entropy of the token ids of one system, and ids that never occur."""
    input:
        model=lambda wildcards: files_of(wildcards.model, wildcards.seed),
        corpus=CORPUS,
    output:
        "results/arena/token_ids/{model}.seed{seed}.tsv",
    log:
        "logs/arena/token_ids/{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/arena/token_ids/{model}.seed{seed}.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("token_ids", SCALE).resources,
    params:
        **settings(CONFIG.arena, *CONFIG.arena.INTERVALS),
        model=lambda wildcards: f"results/pretrain/{wildcards.model}.seed{wildcards.seed}",
        scale=SCALE,
    message:
        "Token ids of {wildcards.model}, seed {wildcards.seed}"
    shell:
        "logged {log} genezip evaluate token-ids --model {params.model} "
        "--corpus {input.corpus} --settings {params.settings:q} --scale {params.scale} "
        "--out {output}"


rule cost:
    """Time and memory of one system, which runs alone, and the size of its training."""
    input:
        model=lambda wildcards: files_of(wildcards.model, wildcards.seed),
        source="resources/source.json",
    output:
        "results/arena/cost/{model}.seed{seed}.tsv",
    log:
        "logs/arena/cost/{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/arena/cost/{model}.seed{seed}.tsv"
    conda:
        "../../envs/genezip.yaml"
    threads: ALONE
    resources:
        **needs("cost", SCALE).resources,
    params:
        **settings(CONFIG.arena, "speed_bp", "speed_repeats"),
        model=lambda wildcards: f"results/pretrain/{wildcards.model}.seed{wildcards.seed}",
        trained_on=trained_on,
        scale=SCALE,
    message:
        "Time and memory of {wildcards.model}, seed {wildcards.seed}"
    shell:
        "logged {log} genezip evaluate cost --model {params.model} --source {input.source} "
        "--settings {params.settings:q} {params.trained_on} --scale {params.scale} --threads 1 "
        "--out {output}"


rule arena_probes:
    """Frozen probes of models minus those of one twin, on the same examples."""
    input:
        twins_on_labels,
    output:
        "results/arena/probes/{part}.{twin}.tsv",
    log:
        "logs/arena/probes/{part}.{twin}.log",
    benchmark:
        "results/benchmarks/arena/probes/{part}.{twin}.tsv"
    wildcard_constraints:
        part=one_of(LABEL_PARTS),
        twin=one_of(TWINS),
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("arena_probes", SCALE).resources,
    params:
        predictions=lambda wildcards, input: [
            f"--from-predictions {path}" for path in input
        ],
        scale=SCALE,
    message:
        "Probes beside {wildcards.twin}: {wildcards.part}"
    shell:
        "logged {log} genezip evaluate {params.predictions} --control {wildcards.twin} "
        "--scale {params.scale} --out {output}"


use rule fetch as fetch_elsewhere with:
    input:
        [],
    output:
        source="resources/arena/{genome}/source.json",
    log:
        "logs/arena/{genome}/fetch.log",
    benchmark:
        "results/benchmarks/arena/{genome}/fetch.tsv"
    params:
        **settings(elsewhere("genome")),
        root=home,
        out=subpath(output.source, parent=True),
    message:
        "Fetch {wildcards.genome}"


use rule regions as regions_elsewhere with:
    input:
        source="resources/arena/{genome}/source.json",
    output:
        bed="results/arena/elsewhere/{genome}/regions.bed.gz",
        summary="results/arena/elsewhere/{genome}/regions.tsv",
    log:
        "logs/arena/{genome}/regions.log",
    benchmark:
        "results/benchmarks/arena/{genome}/regions.tsv"
    params:
        **settings(elsewhere("regions")),
        root=home,
    message:
        "Find the region class of every base of {wildcards.genome}"


rule corpus_elsewhere:
    """Held-out windows of another genome."""
    input:
        source="resources/arena/{genome}/source.json",
        regions="results/arena/elsewhere/{genome}/regions.bed.gz",
    output:
        manifest="results/arena/elsewhere/{genome}/corpus/manifest.json",
    log:
        "logs/arena/{genome}/corpus.log",
    benchmark:
        "results/benchmarks/arena/{genome}/corpus.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("corpus_elsewhere", SCALE).resources,
    params:
        **settings(elsewhere("corpus")),
        genes=genes_elsewhere,
        out=subpath(output.manifest, parent=True),
    message:
        "Cut the windows of {wildcards.genome}"
    shell:
        "logged {log} genezip corpus build --source {input.source} --regions {input.regions} "
        "--settings {params.settings:q} {params.genes} --out {params.out}"


rule markov_elsewhere:
    """The models that count, trained on the DNA of the run, on another genome."""
    input:
        source="resources/arena/{genome}/source.json",
        training="resources/source.json",
        corpus="results/arena/elsewhere/{genome}/corpus/manifest.json",
    output:
        table="results/arena/elsewhere/{genome}/markov.tsv",
        windows="results/arena/elsewhere/{genome}/markov_windows.parquet",
    log:
        "logs/arena/{genome}/markov.log",
    benchmark:
        "results/benchmarks/arena/{genome}/markov.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("markov_elsewhere", SCALE).resources,
    params:
        **settings(
            CONFIG.evaluation,
            "markov_orders",
            "mixing",
            "mixing_orders",
            "mixing_bp",
            *INTERVALS,
        ),
        scale=SCALE,
    message:
        "Score {wildcards.genome} with the models that count"
    shell:
        "logged {log} genezip evaluate markov --corpus {input.corpus} --source {input.source} "
        "--training {input.training} --settings {params.settings:q} --scale {params.scale} "
        "--out {output.table} --windows {output.windows}"


rule compress_elsewhere:
    """Compress the held-out windows of another genome; `causal/` is the causal bound."""
    input:
        model=lambda wildcards: files_of(wildcards.model, wildcards.seed),
        corpus="results/arena/elsewhere/{genome}/corpus/manifest.json",
    output:
        "results/arena/elsewhere/{genome}/compress/{how}{model}.seed{seed}.parquet",
    log:
        "logs/arena/{genome}/compress/{how}{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/arena/{genome}/compress/{how}{model}.seed{seed}.tsv"
    wildcard_constraints:
        how="(causal/)?",
    conda:
        environment("compress_elsewhere")
    threads: needs("compress_elsewhere", SCALE).threads
    resources:
        **(
            needs("compress_elsewhere", SCALE).resources
            | {"gpu": gpus("compress_elsewhere")}
        ),
    params:
        **settings(ONE_STRAND, without=["causal_bound"]),
        model=lambda wildcards: f"results/pretrain/{wildcards.model}.seed{wildcards.seed}",
        options=lambda wildcards: COMPRESS_OPTIONS[wildcards.how],
    message:
        "Compress {wildcards.genome}: {output}"
    shell:
        "logged {log} genezip evaluate heldout --model {params.model} --corpus {input.corpus} "
        "{params.options} --settings {params.settings:q} --threads {threads} --out {output}"


use rule arena as arena_elsewhere with:
    input:
        compressed=lambda wildcards: [
            f"results/arena/elsewhere/{wildcards.genome}/compress/{how}{run}.parquet"
            for how, names in (("", WHOLE), ("causal/", FORWARD))
            for run in (CONFIG.runs(*names) if names else ())
        ],
        markov="results/arena/elsewhere/{genome}/markov_windows.parquet",
        corpus="results/arena/elsewhere/{genome}/corpus/manifest.json",
    output:
        tokens=report(
            "results/arena/elsewhere/{genome}/tokens.tsv",
            caption="../report/arena.rst",
            category="3 Compression",
            labels={"table": "arena, {genome}"},
        ),
        bits="results/arena/elsewhere/{genome}/bits.tsv",
    log:
        "logs/arena/{genome}/tokens.log",
    benchmark:
        "results/benchmarks/arena/{genome}/tokens.tsv"
    message:
        "Rank all ways of cutting DNA on {wildcards.genome}"
