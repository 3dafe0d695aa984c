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
