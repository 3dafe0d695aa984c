rule pretrain:
    """Train one model with one seed.

    Checkpoints are in results/pretrain/checkpoints, which is not a declared output, because
    Snakemake deletes declared outputs before it restarts a job. A job with more than one GPU
    (--set-resources pretrain:gpu=8) trains on all of them.
    """
    input:
        corpus=corpus_of,
        initial=lambda wildcards: (
            f"{initial_folder(wildcards)}/model.safetensors"
            if wildcards.model in INITIAL
            else []
        ),
        guide=lambda wildcards: (
            f"{guide_folder(wildcards)}/model.safetensors"
            if guide_folder(wildcards)
            else []
        ),
    output:
        weights="results/pretrain/{model}.seed{seed}/model.safetensors",
        best="results/pretrain/{model}.seed{seed}/best.safetensors",
        config="results/pretrain/{model}.seed{seed}/config.json",
        curve="results/pretrain/{model}.seed{seed}/curve.jsonl",
        card="results/pretrain/{model}.seed{seed}/README.md",
    log:
        "logs/pretrain/{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/pretrain/{model}.seed{seed}.tsv"
    wildcard_constraints:
        model=one_of(NETWORKS),
    # the longest jobs start first, so that all models train in parallel
    priority: 10
    conda:
        environment("pretrain")
    threads: needs("pretrain", SCALE).threads
    resources:
        **needs("pretrain", SCALE).resources,
    params:
        **settings(lambda wildcards: CONFIG.pretrain_of(wildcards.model)),
        launcher=launcher,
        architecture=lambda wildcards: preset(
            "models", model_of(wildcards).architecture
        )[0],
        target=target,
        compressor=lambda wildcards: model_of(wildcards).compressor,
        # content of the presets: a change trains again
        presets=lambda wildcards: [
            preset("models", model_of(wildcards).architecture)[1],
            preset("regions", budget_of(wildcards))[1],
        ],
        initial=lambda wildcards: (
            f"--init-from {quote(initial_folder(wildcards))}"
            if wildcards.model in INITIAL
            else ""
        ),
        guide=lambda wildcards: (
            f"--guide {guide_folder(wildcards)}" if guide_folder(wildcards) else ""
        ),
        scale=SCALE,
        out=subpath(output.weights, parent=True),
    message:
        "Train {wildcards.model}, seed {wildcards.seed}"
    shell:
        "logged {log} {params.launcher} pretrain --corpus {input.corpus} "
        "--architecture {params.architecture:q} {params.target} {params.initial} {params.guide} "
        "--compressor {params.compressor} "
        "--settings {params.settings:q} --seed {wildcards.seed} "
        "--name {wildcards.model} --scale {params.scale} --threads {threads} --out {params.out}"


rule matched:
    """Guided models beside their guides: equal tokens, operations and parameters, or refused."""
    input:
        models=guided_files,
        corpus="results/corpus/{corpus}/manifest.json",
    output:
        report(
            "results/matched/{corpus}.tsv",
            caption="../report/matched.rst",
            category="3 Compression",
            labels={"table": "matched controls, {corpus}"},
        ),
    log:
        "logs/matched/{corpus}.log",
    benchmark:
        "results/benchmarks/matched/{corpus}.tsv"
    conda:
        "../../envs/genezip.yaml"
    threads: needs("matched", SCALE).threads
    resources:
        **needs("matched", SCALE).resources,
    params:
        models=lambda wildcards: [
            f"--model results/pretrain/{run}"
            for run in CONFIG.guided(wildcards.corpus)
        ],
        scale=SCALE,
    message:
        "Compare guided models with their guides: {wildcards.corpus}"
    shell:
        "logged {log} genezip evaluate matched {params.models} --corpus {input.corpus} "
        "--scale {params.scale} --threads {threads} --out {output}"


rule fixed_tokens:
    """Write a model with tokens of fixed length."""
    output:
        config="results/pretrain/{model}.seed{seed}/config.json",
        card="results/pretrain/{model}.seed{seed}/README.md",
    log:
        "logs/pretrain/{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/pretrain/{model}.seed{seed}.tsv"
    wildcard_constraints:
        model=tokenizers("fixed"),
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("fixed_tokens", SCALE).resources,
    params:
        **settings(model_of),
        scale=SCALE,
        out=subpath(output.config, parent=True),
    message:
        "Write the tokens of {wildcards.model}"
    shell:
        "logged {log} genezip tokenizer fixed --settings {params.settings:q} "
        "--name {wildcards.model} --scale {params.scale} --out {params.out}"


rule bpe_tokens:
    """Fit a vocabulary of byte-pair encoding to training DNA."""
    input:
        corpus=corpus_of,
    output:
        config="results/pretrain/{model}.seed{seed}/config.json",
        tokenizer="results/pretrain/{model}.seed{seed}/tokenizer.json",
        settings="results/pretrain/{model}.seed{seed}/tokenizer_config.json",
        card="results/pretrain/{model}.seed{seed}/README.md",
    log:
        "logs/pretrain/{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/pretrain/{model}.seed{seed}.tsv"
    wildcard_constraints:
        model=tokenizers("bpe"),
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("bpe_tokens", SCALE).resources,
    params:
        **settings(model_of, without=["corpus", "seed"]),
        scale=SCALE,
        out=subpath(output.config, parent=True),
    message:
        "Fit the vocabulary of {wildcards.model}, seed {wildcards.seed}"
    shell:
        "logged {log} genezip tokenizer bpe --corpus {input.corpus} "
        "--settings {params.settings:q} --seed {wildcards.seed} --name {wildcards.model} "
        "--scale {params.scale} --out {params.out}"


rule adopt:
    """Copy a model that was trained elsewhere, or name a class of the user, as a model folder."""
    input:
        adopted_file,
    output:
        config="results/pretrain/{model}.seed{seed}/config.json",
    log:
        "logs/pretrain/{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/pretrain/{model}.seed{seed}.tsv"
    wildcard_constraints:
        model=one_of(ADOPTED),
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("adopt", SCALE).resources,
    params:
        source=adopted_source,
        out=subpath(output.config, parent=True),
    message:
        "Adopt {wildcards.model}"
    shell:
        "logged {log} genezip weights adopt {params.source:q} --name {wildcards.model} "
        "--out {params.out}"
