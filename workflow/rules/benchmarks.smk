# Tasks: deposit -> data -> features -> predictions -> results/<task>/<subset>.tsv -> tables.
# Contact maps and initiation have one data folder for all subsets (`all`).


rule benchmark_genome:
    """The deposit's own FASTA, unpacked and indexed (hg19 for etgp)."""
    input:
        files="resources/dnalongbench/{task}.json",
    output:
        fasta="results/{task}/data/genome.fa",
        index="results/{task}/data/genome.fa.fai",
    log:
        "logs/{task}/genome.log",
    benchmark:
        "results/benchmarks/{task}/genome.tsv"
    wildcard_constraints:
        task="eqtl|etgp|tisp|rsap",
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("benchmark_genome", SCALE).resources,
    message:
        "Unpack the genome of task {wildcards.task}"
    shell:
        "logged {log} genezip dnalongbench genome {wildcards.task} --files {input.files} "
        "--out {output.fasta}"


rule prepare:
    """Convert deposited files to examples: coordinates and targets, with counts per split."""
    input:
        files=task_files,
        genome=task_genome,
    output:
        "results/{task}/data/{part}/manifest.json",
    log:
        "logs/{task}/data/{part}.log",
    benchmark:
        "results/benchmarks/{task}/data/{part}.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("prepare", SCALE).resources,
    params:
        **settings(task_of, *BENCHMARKS.cmp.EXAMPLES),
        subset=official,
        seed=HEAD_SEED,
    message:
        "Prepare task {wildcards.task}, {wildcards.part}"
    shell:
        "logged {log} genezip dnalongbench prepare {wildcards.task} --subset {params.subset:q} "
        "--files {input.files} --genome {input.genome:q} --settings {params.settings:q} "
        "--seed {params.seed} --out {output}"


rule features:
    """Cache vectors of a frozen model (or counts of its token ids), pooled for a head."""
    input:
        data="results/{task}/data/{part}/manifest.json",
        genome=task_genome,
        model=lambda wildcards: files_of(wildcards.learner, wildcards.seed),
    output:
        "results/{task}/features/{part}/{learner}.seed{seed}.{input}/manifest.json",
    log:
        "logs/{task}/features/{part}/{learner}.seed{seed}.{input}.log",
    benchmark:
        "results/benchmarks/{task}/features/{part}/{learner}.seed{seed}.{input}.tsv"
    wildcard_constraints:
        learner=one_of([*MODELS, *COMPARATORS]),
        input="authors|full",
    conda:
        environment("features")
    threads: needs("features", SCALE).threads
    resources:
        **(needs("features", SCALE).resources | {"gpu": gpus("features", "learner")}),
    params:
        **settings(task_of, *BENCHMARKS.cmp.FEATURES),
        model=model_option,
    message:
        "Features of {wildcards.learner}, seed {wildcards.seed}: {wildcards.task}, "
        "{wildcards.part}, input {wildcards.input}"
    shell:
        "logged {log} genezip dnalongbench features {wildcards.task} --data {input.data} "
        "--genome {input.genome:q} {params.model} --input {wildcards.input} "
        "--settings {params.settings:q} --threads {threads} --out {output}"


rule predict:
    """Predictions of one method for every validation and test example.

    `.INPUT.frozen`: a head on cached features. `.INPUT.MODE`: fine-tuning of the compressor.
    `cnn.seed0`: the one-hot CNN, the trained baseline of every table.
    """
    input:
        data=task_data,
        genome=task_genome,
        features=features_of,
        model=lambda wildcards: (
            []
            if FROZEN in wildcards.method
            else files_of(wildcards.learner, wildcards.seed)
        ),
    output:
        "results/{task}/predictions/{subset}/{learner}.seed{seed}{method}.parquet",
    log:
        "logs/{task}/predictions/{subset}/{learner}.seed{seed}{method}.log",
    benchmark:
        "results/benchmarks/{task}/predictions/{subset}/{learner}.seed{seed}{method}.tsv"
    wildcard_constraints:
        method=r"([.](authors|full|contrast)[.](frozen|head_only|release|lora|full))?",
    conda:
        environment("predict")
    threads: needs("predict", SCALE).threads
    resources:
        **(
            needs("predict", SCALE).resources
            | {"gpu": predict_gpus, "mem_mb": predict_memory}
        ),
    params:
        **settings(task_of, without=unread),
        subset=official,
        method=method_options,
    message:
        "Predict {wildcards.task} {wildcards.subset}: {wildcards.learner}, seed {wildcards.seed}"
        "{wildcards.method}"
    shell:
        "logged {log} genezip dnalongbench predict {wildcards.task} --data {input.data} "
        "--genome {input.genome:q} --subset {wildcards.subset} --official {params.subset:q} "
        "--model {wildcards.learner} --seed {wildcards.seed} {params.method} "
        "--settings {params.settings:q} --threads {threads} --out {output}"


rule task_baselines:
    """Baselines from distance, composition or position alone."""
    input:
        data=task_data,
        genome=task_genome,
        genes=lambda wildcards: (
            "resources/source.json" if wildcards.task == "tisp" else []
        ),
    output:
        "results/{task}/predictions/{subset}/baselines.parquet",
    log:
        "logs/{task}/predictions/{subset}/baselines.log",
    benchmark:
        "results/benchmarks/{task}/predictions/{subset}/baselines.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("task_baselines", SCALE).resources,
    params:
        **settings(task_of, "rules"),
        subset=official,
        seed=HEAD_SEED,
        genes=lambda wildcards, input: (
            f"--source {input.genes} {gene_options(wildcards)}" if input.genes else ""
        ),
    message:
        "Trivial baselines: {wildcards.task} {wildcards.subset}"
    shell:
        "logged {log} genezip dnalongbench baselines {wildcards.task} --data {input.data} "
        "--genome {input.genome:q} --subset {wildcards.subset} --official {params.subset:q} "
        "--settings {params.settings:q} --seed {params.seed} {params.genes} --out {output}"


rule score_one:
    """Score one prediction file of a task whose scores compare none."""
    input:
        "results/{task}/predictions/{subset}/{name}.parquet",
    output:
        "results/{task}/scores/{subset}/{name}.tsv",
    log:
        "logs/{task}/scores/{subset}/{name}.log",
    benchmark:
        "results/benchmarks/{task}/scores/{subset}/{name}.tsv"
    wildcard_constraints:
        name="[^/]+",
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("score_one", SCALE).resources,
    params:
        bootstrap=BENCHMARKS.bootstrap,
        seed=HEAD_SEED,
        scale=SCALE,
    message:
        "Score {wildcards.task} {wildcards.subset} {wildcards.name}"
    shell:
        "logged {log} genezip evaluate --from-predictions {input} "
        "--bootstrap {params.bootstrap} --seed {params.seed} --scale {params.scale} "
        "--out {output}"


rule score:
    """Score every model and baseline on one subset, from predictions alone."""
    input:
        scored_of,
    output:
        "results/{task}/{subset}.tsv",
    log:
        "logs/{task}/{subset}.log",
    benchmark:
        "results/benchmarks/{task}/{subset}.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("score", SCALE).resources,
    params:
        bootstrap=BENCHMARKS.bootstrap,
        seed=HEAD_SEED,
        scale=SCALE,
        control=lambda wildcards: (
            f"--control {CONTROL}" if wildcards.task in FROM_LABELS else ""
        ),
        scored=scored_options,
    message:
        "Score {wildcards.task} {wildcards.subset}"
    shell:
        "logged {log} genezip evaluate {params.scored} --bootstrap {params.bootstrap} "
        "--seed {params.seed} --scale {params.scale} {params.control} --out {output}"


rule task_table:
    """Table of all subsets of a task, beside the published numbers."""
    input:
        scores=lambda wildcards: [
            f"results/{TASK_OF_TABLE[wildcards.table]}/{subset}.tsv"
            for subset in BENCHMARKS.task(TASK_OF_TABLE[wildcards.table]).subsets
        ],
    output:
        report(
            "results/tables/{table}.tsv",
            caption="../report/benchmarks.rst",
            category="7 DNALongBench",
            labels={"table": "{table}"},
        ),
    log:
        "logs/tables/{table}.log",
    benchmark:
        "results/benchmarks/tables/{table}.tsv"
    wildcard_constraints:
        table=one_of(TASK_OF_TABLE),
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("task_table", SCALE).resources,
    params:
        **settings(
            lambda wildcards: BENCHMARKS.task(TASK_OF_TABLE[wildcards.table]),
            "subsets",
        ),
        task=lambda wildcards: TASK_OF_TABLE[wildcards.table],
        scores=each("--scores", "scores"),
        scale=SCALE,
    message:
        "Table {wildcards.table}"
    shell:
        "logged {log} genezip dnalongbench table {params.task} {params.scores} "
        "--settings {params.settings:q} --scale {params.scale} --out {output}"
