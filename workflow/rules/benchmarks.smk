# Tasks: deposit -> data -> features -> predictions -> results/<task>/<subset>.tsv -> tables.
# Contact maps and initiation keep one data folder for all subsets (`all`).


rule benchmark_genome:
    """The deposit's own FASTA, unpacked and indexed (hg19 for etgp)."""
    input:
        files="resources/dnalongbench/{task}.json",
    output:
        fasta="results/{task}/data/genome.fa",
        index="results/{task}/data/genome.fa.fai",
    log:
        "logs/{task}/genome.log",
    wildcard_constraints:
        task="eqtl|etgp|tisp|rsap",
    conda:
        "../../envs/genezip.yaml"
    message:
        "Unpack the genome of task {wildcards.task}"
    shell:
        "genezip dnalongbench genome {wildcards.task} --files {input.files} "
        "--out {output.fasta} 2>&1 | tee -i {log} >&2"


rule prepare:
    """Deposited files to examples: coordinates, labels, targets; counts asserted per split."""
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
    params:
        settings=prepare_settings,
        subset=official,
        seed=HEAD_SEED,
    message:
        "Prepare task {wildcards.task}, {wildcards.part}"
    shell:
        "genezip dnalongbench prepare {wildcards.task} --subset {params.subset:q} "
        "--files {input.files} --genome {input.genome:q} --settings {params.settings:q} "
        "--seed {params.seed} --out {output} 2>&1 | tee -i {log} >&2"


rule features:
    """Vectors of a frozen model (or counts of its token ids), pooled to what a head needs; cached."""
    input:
        data="results/{task}/data/{part}/manifest.json",
        genome=task_genome,
        model=model_files,
    output:
        "results/{task}/features/{part}/{model}.seed{seed}.{input}/manifest.json",
    log:
        "logs/{task}/features/{part}/{model}.seed{seed}.{input}.log",
    benchmark:
        "results/benchmarks/{task}/features/{part}/{model}.seed{seed}.{input}.tsv"
    wildcard_constraints:
        model=one_of(MODELS),
    conda:
        MODEL_ENV
    threads: MODEL_THREADS
    resources:
        gpu=model_gpus,
    params:
        settings=task_settings("device", "tap"),
        model=model_folder,
        malloc=MALLOC,
    message:
        "Features of {wildcards.model}, seed {wildcards.seed}: {wildcards.task}, "
        "{wildcards.part}, input {wildcards.input}"
    shell:
        "export GLIBC_TUNABLES={params.malloc}; "
        "genezip dnalongbench features {wildcards.task} --data {input.data} "
        "--genome {input.genome:q} --model {params.model} --input {wildcards.input} "
        "--settings {params.settings:q} --threads {threads} --out {output} "
        "2>&1 | tee -i {log} >&2"


rule features_comparator:
    """The same of a published model, where the user has it."""
    input:
        data="results/{task}/data/{part}/manifest.json",
        genome=task_genome,
    output:
        "results/{task}/features/{part}/{comparator}.seed{seed}.{input}/manifest.json",
    log:
        "logs/{task}/features/{part}/{comparator}.seed{seed}.{input}.log",
    benchmark:
        "results/benchmarks/{task}/features/{part}/{comparator}.seed{seed}.{input}.tsv"
    conda:
        MODEL_ENV
    threads: MODEL_THREADS
    resources:
        gpu=MODEL_GPUS,
    params:
        settings=task_settings("device", "tap"),
        comparator=comparator,
    message:
        "Features of {wildcards.comparator}: {wildcards.task}, {wildcards.part}, "
        "input {wildcards.input}"
    shell:
        "genezip dnalongbench features {wildcards.task} --data {input.data} "
        "--genome {input.genome:q} --comparator {params.comparator:q} "
        "--name {wildcards.comparator} --input {wildcards.input} "
        "--settings {params.settings:q} --threads {threads} --out {output} "
        "2>&1 | tee -i {log} >&2"


rule predict_frozen:
    """A head on cached features, its predictions for every validation and test example."""
    input:
        data=task_data,
        genome=task_genome,
        features=features_of,
    output:
        "results/{task}/predictions/{subset}/{learner}.seed{seed}.{input}.frozen.parquet",
    log:
        "logs/{task}/predictions/{subset}/{learner}.seed{seed}.{input}.frozen.log",
    benchmark:
        "results/benchmarks/{task}/predictions/{subset}/{learner}.seed{seed}.{input}.frozen.tsv"
    wildcard_constraints:
        input="authors|full|contrast",
    conda:
        MODEL_ENV
    threads: MODEL_THREADS
    resources:
        gpu=head_gpus,
    params:
        settings=head_settings,
        subset=official,
    message:
        "Head on {wildcards.learner}, seed {wildcards.seed}: {wildcards.task} {wildcards.subset}, "
        "input {wildcards.input}"
    shell:
        "genezip dnalongbench predict {wildcards.task} --data {input.data} "
        "--genome {input.genome:q} --features {input.features} --subset {wildcards.subset} "
        "--official {params.subset:q} --model {wildcards.learner} --seed {wildcards.seed} "
        "--input {wildcards.input} --mode frozen --settings {params.settings:q} "
        "--threads {threads} --out {output} 2>&1 | tee -i {log} >&2"


rule predict_live:
    """Fine-tuning with the compressor in the graph."""
    input:
        data=task_data,
        genome=task_genome,
        weights="results/pretrain/{model}.seed{seed}/model.safetensors",
        config="results/pretrain/{model}.seed{seed}/config.json",
    output:
        "results/{task}/predictions/{subset}/{model}.seed{seed}.{input}.{mode}.parquet",
    log:
        "logs/{task}/predictions/{subset}/{model}.seed{seed}.{input}.{mode}.log",
    benchmark:
        "results/benchmarks/{task}/predictions/{subset}/{model}.seed{seed}.{input}.{mode}.tsv"
    wildcard_constraints:
        mode="head_only|release|lora|full",
        model=one_of(NETWORKS),
    conda:
        MODEL_ENV
    threads: MODEL_THREADS
    resources:
        gpu=MODEL_GPUS,
    params:
        settings=task_settings(),
        subset=official,
        folder=subpath(input.weights, parent=True),
        malloc=MALLOC,
    message:
        "Fine-tune {wildcards.model}, seed {wildcards.seed}: {wildcards.task} {wildcards.subset}, "
        "input {wildcards.input}, mode {wildcards.mode}"
    shell:
        "export GLIBC_TUNABLES={params.malloc}; "
        "genezip dnalongbench predict {wildcards.task} --data {input.data} "
        "--genome {input.genome:q} --folder {params.folder} --subset {wildcards.subset} "
        "--official {params.subset:q} --model {wildcards.model} --seed {wildcards.seed} "
        "--input {wildcards.input} --mode {wildcards.mode} --settings {params.settings:q} "
        "--threads {threads} --out {output} 2>&1 | tee -i {log} >&2"


rule predict_cnn:
    """The one-hot CNN, the learned baseline of every table."""
    input:
        data=task_data,
        genome=task_genome,
    output:
        "results/{task}/predictions/{subset}/cnn.seed{seed}.parquet",
    log:
        "logs/{task}/predictions/{subset}/cnn.seed{seed}.log",
    benchmark:
        "results/benchmarks/{task}/predictions/{subset}/cnn.seed{seed}.tsv"
    conda:
        MODEL_ENV
    threads: MODEL_THREADS
    resources:
        gpu=MODEL_GPUS,
    params:
        settings=task_settings(),
        subset=official,
    message:
        "Train the one-hot CNN: {wildcards.task} {wildcards.subset}"
    shell:
        "genezip dnalongbench predict {wildcards.task} --data {input.data} "
        "--genome {input.genome:q} --subset {wildcards.subset} --official {params.subset:q} "
        "--model cnn --seed {wildcards.seed} --settings {params.settings:q} "
        "--threads {threads} --out {output} 2>&1 | tee -i {log} >&2"


rule task_baselines:
    """Baselines that see no more than distance, composition or position."""
    input:
        data=task_data,
        genome=task_genome,
        genes=task_genes,
    output:
        "results/{task}/predictions/{subset}/baselines.parquet",
    log:
        "logs/{task}/predictions/{subset}/baselines.log",
    benchmark:
        "results/benchmarks/{task}/predictions/{subset}/baselines.tsv"
    conda:
        "../../envs/genezip.yaml"
    params:
        settings=task_settings("rules"),
        subset=official,
        seed=HEAD_SEED,
        genes=task_gene_options,
    message:
        "Trivial baselines: {wildcards.task} {wildcards.subset}"
    shell:
        "genezip dnalongbench baselines {wildcards.task} --data {input.data} "
        "--genome {input.genome:q} --subset {wildcards.subset} --official {params.subset:q} "
        "--settings {params.settings:q} --seed {params.seed} {params.genes} --out {output} "
        "2>&1 | tee -i {log} >&2"


rule score:
    """Every metric of every model and baseline on one subset, from predictions alone."""
    input:
        predictions=predictions_of,
    output:
        "results/{task}/{subset}.tsv",
    log:
        "logs/{task}/{subset}.log",
    benchmark:
        "results/benchmarks/{task}/{subset}.tsv"
    conda:
        "../../envs/genezip.yaml"
    params:
        bootstrap=BENCHMARKS["bootstrap"],
        seed=HEAD_SEED,
        scale=SCALE,
        control=lambda wildcards: (
            f"--control {CONTROL}" if wildcards.task in FROM_LABELS else ""
        ),
        predictions=lambda wildcards, input: [
            f"--from-predictions {path}" for path in input.predictions
        ],
    message:
        "Score {wildcards.task} {wildcards.subset}"
    shell:
        "genezip evaluate {params.predictions} --bootstrap {params.bootstrap} "
        "--seed {params.seed} --scale {params.scale} {params.control} --out {output} "
        "2>&1 | tee -i {log} >&2"


rule task_table:
    """All subsets of a task beside the published table."""
    input:
        scores=scores_of,
        paper=published_scores,
    output:
        report(
            "results/tables/{table}.tsv",
            caption="../report/benchmarks.rst",
            category="7 DNALongBench",
            labels={"table": "{table}"},
        ),
    log:
        "logs/tables/{table}.log",
    wildcard_constraints:
        table="|".join(TASK_TABLES.values()),
    conda:
        "../../envs/genezip.yaml"
    params:
        task=task_of_table,
        settings=table_settings,
        scores=lambda wildcards, input: [f"--scores {path}" for path in input.scores],
        paper=lambda wildcards, input: [f"--paper {path}" for path in input.paper],
        scale=SCALE,
    message:
        "Table {wildcards.table}"
    shell:
        "genezip dnalongbench table {params.task} {params.scores} {params.paper} "
        "--settings {params.settings:q} --scale {params.scale} --out {output} 2>&1 | tee -i {log} >&2"
