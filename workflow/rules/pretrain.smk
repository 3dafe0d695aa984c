rule pretrain:
    """Train one model with one seed.

    Resumable checkpoints live in results/pretrain/checkpoints, which is no declared output:
    Snakemake deletes declared outputs before a job starts again, and training resumes.
    """
    input:
        corpus="results/corpus/manifest.json",
        architecture=architecture,
        regions=region_preset,
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
        settings=settings("pretrain"),
        target=target,
        scale=SCALE,
        malloc=MALLOC,
        out=subpath(output.weights, parent=True),
    message:
        "Train {wildcards.model}, seed {wildcards.seed}"
    shell:
        "export GLIBC_TUNABLES={params.malloc}; "
        "genezip pretrain --corpus {input.corpus} --architecture {input.architecture:q} "
        "{params.target} --settings {params.settings:q} --seed {wildcards.seed} "
        "--name {wildcards.model} --scale {params.scale} --threads {threads} --out {params.out} "
        "2>&1 | tee -i {log} >&2"
