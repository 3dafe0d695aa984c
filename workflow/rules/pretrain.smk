rule pretrain:
    """Train one model with one seed.

    Resumable checkpoints live in results/pretrain/checkpoints, which is no declared output:
    Snakemake deletes declared outputs before a job starts again, and training resumes. A job
    with more than one GPU (--set-resources pretrain:gpu=8) trains on all of them.
    """
    input:
        corpus=corpus_of,
        architecture=architecture,
        regions=region_preset,
        initial=initial_weights,
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
    # the longest jobs go first, so that all models train side by side
    priority: 10
    conda:
        MODEL_ENV
    threads: MODEL_THREADS
    resources:
        gpu=MODEL_GPUS,
    params:
        launcher=launcher,
        settings=model_settings,
        target=target,
        initial=init_from,
        scale=SCALE,
        malloc=MALLOC,
        out=subpath(output.weights, parent=True),
    message:
        "Train {wildcards.model}, seed {wildcards.seed}"
    shell:
        "export GLIBC_TUNABLES={params.malloc}; "
        "{params.launcher} pretrain --corpus {input.corpus} "
        "--architecture {input.architecture:q} {params.target} {params.initial} "
        "--settings {params.settings:q} --seed {wildcards.seed} "
        "--name {wildcards.model} --scale {params.scale} --threads {threads} --out {params.out} "
        "2>&1 | tee -i {log} >&2"


rule fixed_tokens:
    """A model that is a ruler: its folder says how long tokens are."""
    output:
        config="results/pretrain/{model}.seed{seed}/config.json",
        card="results/pretrain/{model}.seed{seed}/README.md",
    log:
        "logs/pretrain/{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/pretrain/{model}.seed{seed}.tsv"
    wildcard_constraints:
        model=one_of(TOKENIZERS["fixed"]) or "(?!)",
    conda:
        "../../envs/genezip.yaml"
    params:
        settings=tokenizer_settings,
        scale=SCALE,
        out=subpath(output.config, parent=True),
    message:
        "Write the tokens of {wildcards.model}"
    shell:
        "genezip tokenizer fixed --settings {params.settings:q} --name {wildcards.model} "
        "--scale {params.scale} --out {params.out} 2>&1 | tee -i {log} >&2"


rule bpe_tokens:
    """Fit a vocabulary of byte-pair encoding on training DNA."""
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
        model=one_of(TOKENIZERS["bpe"]) or "(?!)",
    conda:
        "../../envs/genezip.yaml"
    params:
        settings=tokenizer_settings,
        scale=SCALE,
        out=subpath(output.config, parent=True),
    message:
        "Fit the vocabulary of {wildcards.model}, seed {wildcards.seed}"
    shell:
        "genezip tokenizer bpe --corpus {input.corpus} --settings {params.settings:q} "
        "--seed {wildcards.seed} --name {wildcards.model} --scale {params.scale} "
        "--out {params.out} 2>&1 | tee -i {log} >&2"
