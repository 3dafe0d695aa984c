rule compress:
    """Held-out DNA through a trained model: tokens, boundary probabilities, base losses."""
    input:
        corpus=CORPUS,
        model=model_files,
    output:
        "results/compress/{model}.seed{seed}.parquet",
    log:
        "logs/compress/{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/compress/{model}.seed{seed}.tsv"
    conda:
        MODEL_ENV
    threads: MODEL_THREADS
    resources:
        gpu=model_gpus,
    params:
        settings=settings("compress"),
        model=model_folder,
        malloc=MALLOC,
    message:
        "Compress held-out DNA with {wildcards.model}, seed {wildcards.seed}"
    shell:
        "export GLIBC_TUNABLES={params.malloc}; "
        "genezip evaluate heldout --model {params.model} --corpus {input.corpus} "
        "--settings {params.settings:q} --threads {threads} --out {output} "
        "2>&1 | tee -i {log} >&2"


rule compress_causal:
    """The same weights under the causal bound, where no next base can be seen ahead."""
    input:
        corpus=CORPUS,
        model=model_files,
    output:
        "results/compress/causal/{model}.seed{seed}.parquet",
    log:
        "logs/compress/causal/{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/compress/causal/{model}.seed{seed}.tsv"
    wildcard_constraints:
        model=one_of(NETWORKS),
    conda:
        MODEL_ENV
    threads: MODEL_THREADS
    resources:
        gpu=MODEL_GPUS,
    params:
        settings=one_strand,
        model=model_folder,
        malloc=MALLOC,
    message:
        "Compress held-out DNA under the causal bound with {wildcards.model}, seed {wildcards.seed}"
    shell:
        "export GLIBC_TUNABLES={params.malloc}; "
        "genezip evaluate heldout --model {params.model} --bound causal "
        "--corpus {input.corpus} "
        "--settings {params.settings:q} --threads {threads} --out {output} "
        "2>&1 | tee -i {log} >&2"


rule compress_untrained:
    """The same network before its first training step, as a trivial router."""
    input:
        corpus=CORPUS,
        weights=f"results/pretrain/{first_run(REFERENCE)}/model.safetensors",
    output:
        "results/compress/untrained.seed0.parquet",
    log:
        "logs/compress/untrained.seed0.log",
    benchmark:
        "results/benchmarks/compress/untrained.seed0.tsv"
    conda:
        MODEL_ENV
    threads: MODEL_THREADS
    resources:
        gpu=MODEL_GPUS,
    params:
        settings=one_strand,
        model=subpath(input.weights, parent=True),
        malloc=MALLOC,
    message:
        "Compress held-out DNA with the untrained network"
    shell:
        "export GLIBC_TUNABLES={params.malloc}; "
        "genezip evaluate heldout --model {params.model} --untrained --corpus {input.corpus} "
        "--settings {params.settings:q} --threads {threads} --out {output} "
        "2>&1 | tee -i {log} >&2"


rule compress_repeat_pieces:
    """Pieces with RepeatMasker classes that are not held out; their rows say their split."""
    input:
        source="resources/source.json",
        corpus=CORPUS,
        model=model_files,
    output:
        "results/compress/rmsk/{model}.seed{seed}.parquet",
    log:
        "logs/compress/rmsk/{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/compress/rmsk/{model}.seed{seed}.tsv"
    conda:
        MODEL_ENV
    threads: MODEL_THREADS
    resources:
        gpu=model_gpus,
    params:
        settings=one_strand,
        model=model_folder,
        malloc=MALLOC,
    message:
        "Compress annotated repeats with {wildcards.model}, seed {wildcards.seed}"
    shell:
        "export GLIBC_TUNABLES={params.malloc}; "
        "genezip evaluate heldout --model {params.model} --corpus {input.corpus} "
        "--pieces rmsk --source {input.source} "
        "--settings {params.settings:q} --threads {threads} --out {output} "
        "2>&1 | tee -i {log} >&2"


rule compress_trivially:
    """Trivial routers with as many tokens as one run of the reference model."""
    input:
        like=f"results/compress/{REFERENCE}.seed{{seed}}.parquet",
        source="resources/source.json",
        regions="results/regions/gene7.bed.gz",
        corpus=CORPUS,
        preset=reference_preset,
    output:
        "results/compress/routers/{router}.seed{seed}.parquet",
    log:
        "logs/compress/routers/{router}.seed{seed}.log",
    benchmark:
        "results/benchmarks/compress/routers/{router}.seed{seed}.tsv"
    conda:
        "../../envs/genezip.yaml"
    params:
        settings=settings("evaluation", "composition_windows", "composition_sharpness"),
    message:
        "Cut held-out DNA with the router {wildcards.router}, seed {wildcards.seed}"
    shell:
        "genezip evaluate routers --like {input.like} --router {wildcards.router} "
        "--source {input.source} --regions {input.regions} --corpus {input.corpus} "
        "--region-preset {input.preset:q} --settings {params.settings:q} --out {output} "
        "2>&1 | tee -i {log} >&2"


rule markov:
    """Markov models of the training DNA: the trivial language models."""
    input:
        source="resources/source.json",
        corpus=CORPUS,
    output:
        table=report(
            "results/compress/markov.tsv",
            caption="../report/markov.rst",
            category="3 Compression",
            labels={"table": "Markov models"},
        ),
        windows="results/compress/markov_windows.parquet",
    log:
        "logs/compress/markov.log",
    benchmark:
        "results/benchmarks/compress/markov.tsv"
    conda:
        "../../envs/genezip.yaml"
    params:
        settings=settings("evaluation", "markov_orders", *INTERVALS),
        scale=SCALE,
    message:
        "Fit Markov models to the training DNA"
    shell:
        "genezip evaluate markov --corpus {input.corpus} --source {input.source} "
        "--settings {params.settings:q} --scale {params.scale} --out {output.table} "
        "--windows {output.windows} 2>&1 | tee -i {log} >&2"


rule compression:
    """Perplexity, bases per token and enrichment of every model and router, side by side."""
    input:
        compressed=compressed_heldout,
        markov="results/compress/markov_windows.parquet",
        corpus=CORPUS,
    output:
        metrics=report(
            "results/compress/compression.tsv",
            caption="../report/compression.rst",
            category="3 Compression",
            labels={"table": "all metrics"},
        ),
        comparisons=report(
            "results/compress/comparisons.tsv",
            caption="../report/enrichment.rst",
            category="4 Enrichment",
            labels={"table": "paired differences"},
        ),
        windows="results/compress/windows.tsv",
    log:
        "logs/compress/compression.log",
    benchmark:
        "results/benchmarks/compress/compression.tsv"
    conda:
        "../../envs/genezip.yaml"
    params:
        compressed=compressed_options,
        settings=settings("evaluation", *INTERVALS),
        reference=REFERENCE,
        control=CONTROL,
        scale=SCALE,
    message:
        "Measure compression"
    shell:
        "genezip evaluate compression {params.compressed} --markov {input.markov} "
        "--corpus {input.corpus} "
        "--settings {params.settings:q} --reference {params.reference} "
        "--control {params.control} --scale {params.scale} --out {output.metrics} "
        "--comparisons {output.comparisons} --windows {output.windows} "
        "2>&1 | tee -i {log} >&2"


rule locus:
    """Boundary probability of both models along one held-out locus."""
    input:
        compressed=compressed_pair,
        source="resources/source.json",
        regions="results/regions/gene7.bed.gz",
    output:
        table="results/compress/locus.tsv",
        genes="results/compress/locus_genes.tsv",
    log:
        "logs/compress/locus.log",
    benchmark:
        "results/benchmarks/compress/locus.tsv"
    conda:
        "../../envs/genezip.yaml"
    params:
        compressed=compressed_options,
        settings=settings("report", "locus", "reference", "control"),
        genes=gene_options,
    message:
        "Cut out the locus of the report"
    shell:
        "genezip evaluate locus {params.compressed} --source {input.source} "
        "--regions {input.regions} --settings {params.settings:q} {params.genes} "
        "--out {output.table} --genes {output.genes} 2>&1 | tee -i {log} >&2"


rule tracks:
    """Genome-browser tracks of one model and a session that opens them.

    Beside each BED file lies its index: .tbi, or .csi where a chromosome is longer than 512 Mb.
    """
    input:
        compressed="results/compress/{model}.seed{seed}.parquet",
        source="resources/source.json",
        regions="results/regions/gene7.bed.gz",
    output:
        boundary_prob="results/tracks/{model}.seed{seed}/boundary_prob.bw",
        tokens_per_kb="results/tracks/{model}.seed{seed}/tokens_per_kb.bw",
        bpt="results/tracks/{model}.seed{seed}/bpt.bw",
        chunks="results/tracks/{model}.seed{seed}/chunks.bed.gz",
        regions="results/tracks/{model}.seed{seed}/regions.bed.gz",
        session="results/tracks/{model}.seed{seed}/igv_session.xml",
    log:
        "logs/tracks/{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/tracks/{model}.seed{seed}.tsv"
    wildcard_constraints:
        model=one_of(NETWORKS),
    conda:
        "../../envs/genezip.yaml"
    params:
        out=subpath(output.session, parent=True),
    message:
        "Write tracks of {wildcards.model}, seed {wildcards.seed}"
    shell:
        "genezip tracks --compressed {input.compressed} --source {input.source} "
        "--regions {input.regions} --out {params.out} 2>&1 | tee -i {log} >&2"


use rule tracks as tracks_of_tokens with:
    output:
        tokens_per_kb="results/tracks/{model}.seed{seed}/tokens_per_kb.bw",
        bpt="results/tracks/{model}.seed{seed}/bpt.bw",
        chunks="results/tracks/{model}.seed{seed}/chunks.bed.gz",
        regions="results/tracks/{model}.seed{seed}/regions.bed.gz",
        session="results/tracks/{model}.seed{seed}/igv_session.xml",
    wildcard_constraints:
        model=one_of([n for n in MODELS if n not in NETWORKS]) or "(?!)",
