rule compress:
    """Compress DNA with a model: tokens, boundary probabilities, base losses.

    `causal/`: the same weights under the causal bound, which does not look ahead.
    `rmsk/`: segments with RepeatMasker classes that are not held out; rows name their split.
    """
    input:
        corpus=CORPUS,
        model=lambda wildcards: files_of(*compressing(wildcards)),
        source=lambda wildcards: (
            "resources/source.json" if wildcards.how == "rmsk/" else []
        ),
    output:
        "results/compress/{how}{model}.seed{seed}.parquet",
    log:
        "logs/compress/{how}{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/compress/{how}{model}.seed{seed}.tsv"
    wildcard_constraints:
        how="(causal/|rmsk/)?",
        model=one_of([*MODELS, UNTRAINED]),
    conda:
        environment("compress")
    threads: needs("compress", SCALE).threads
    resources:
        **(needs("compress", SCALE).resources | {"gpu": gpus("compress")}),
    params:
        **settings(
            lambda wildcards: (
                ONE_STRAND
                if wildcards.how or wildcards.model == UNTRAINED
                else CONFIG.compress
            ),
            without=["causal_bound"],
        ),
        model=lambda wildcards: "results/pretrain/{}.seed{}".format(
            *compressing(wildcards)
        ),
        options=lambda wildcards: COMPRESS_OPTIONS[wildcards.how]
        + (" --untrained" if wildcards.model == UNTRAINED else ""),
    message:
        "Compress DNA: {output}"
    shell:
        "logged {log} genezip evaluate heldout --model {params.model} --corpus {input.corpus} "
        "{params.options} --settings {params.settings:q} --threads {threads} --out {output}"


rule compress_trivially:
    """Control routers with the token counts of one run of the reference model."""
    input:
        like=f"results/compress/{REFERENCE}.seed{{seed}}.parquet",
        source="resources/source.json",
        regions="results/regions/gene7.bed.gz",
        corpus=CORPUS,
        markov=lambda wildcards: (
            "results/compress/markov_windows.parquet"
            if wildcards.router == "surprisal"
            else []
        ),
    output:
        "results/compress/routers/{router}.seed{seed}.parquet",
    log:
        "logs/compress/routers/{router}.seed{seed}.log",
    benchmark:
        "results/benchmarks/compress/routers/{router}.seed{seed}.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("compress_trivially", SCALE).resources,
    params:
        **settings(
            CONFIG.evaluation,
            "composition_windows",
            "composition_sharpness",
            "composition_training_bp",
            *INTERVALS,
        ),
        markov=lambda wildcards, input: (
            f"--markov {input.markov}" if input.markov else ""
        ),
        budget=preset("regions", BUDGET)[0],
        preset=preset("regions", BUDGET)[1],
    message:
        "Cut held-out DNA with the router {wildcards.router}, seed {wildcards.seed}"
    shell:
        "logged {log} genezip evaluate routers --like {input.like} --router {wildcards.router} "
        "--source {input.source} --regions {input.regions} --corpus {input.corpus} "
        "--region-preset {params.budget:q} --settings {params.settings:q} {params.markov} "
        "--out {output}"


rule markov:
    """Markov and mixing models of the training DNA, language models without a network."""
    input:
        source="resources/source.json",
        corpus=CORPUS,
    output:
        table=report(
            "results/compress/markov.tsv",
            caption="../report/markov.rst",
            category="3 Compression",
            labels={"table": "Markov and mixing models"},
        ),
        windows="results/compress/markov_windows.parquet",
    log:
        "logs/compress/markov.log",
    benchmark:
        "results/benchmarks/compress/markov.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("markov", SCALE).resources,
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
        "Fit Markov and mixing models to the training DNA"
    shell:
        "logged {log} genezip evaluate markov --corpus {input.corpus} --source {input.source} "
        "--settings {params.settings:q} --scale {params.scale} --out {output.table} "
        "--windows {output.windows}"


rule compression:
    """Perplexity, bases per token and enrichment of every model and router."""
    input:
        compressed=COMPRESSED,
        markov="results/compress/markov_windows.parquet",
        corpus=CORPUS,
        source="resources/source.json",
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
    resources:
        **needs("compression", SCALE).resources,
    params:
        **settings(CONFIG.evaluation, *INTERVALS),
        compressed=each("--compressed", "compressed"),
        reference=REFERENCE,
        control=CONTROL,
        scale=SCALE,
    message:
        "Measure compression"
    shell:
        "logged {log} genezip evaluate compression {params.compressed} --markov {input.markov} "
        "--corpus {input.corpus} --source {input.source} "
        "--settings {params.settings:q} --reference {params.reference} "
        "--control {params.control} --scale {params.scale} --out {output.metrics} "
        "--comparisons {output.comparisons} --windows {output.windows}"


rule scaling:
    """Perplexity of every network against the operations of its training."""
    input:
        compressed=compressed(models=NETWORKS),
        cards=expand("results/pretrain/{run}/config.json", run=CONFIG.runs(*NETWORKS)),
        scores="results/compress/compression.tsv",
    output:
        report(
            "results/compress/scaling.tsv",
            caption="../report/scaling.rst",
            category="3 Compression",
            labels={"table": "scaling"},
        ),
    log:
        "logs/compress/scaling.log",
    benchmark:
        "results/benchmarks/compress/scaling.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("scaling", SCALE).resources,
    params:
        compressed=each("--compressed", "compressed"),
        models=[f"--model results/pretrain/{run}" for run in CONFIG.runs(*NETWORKS)],
        scale=SCALE,
    message:
        "Perplexity against the operations of training"
    shell:
        "logged {log} genezip evaluate scaling {params.compressed} {params.models} "
        "--scores {input.scores} --scale {params.scale} --out {output}"


rule locus:
    """Boundary probability of the compared models along held-out loci."""
    input:
        compressed=[f"results/compress/{first_run(name)}.parquet" for name in SHOWN],
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
    resources:
        **needs("locus", SCALE).resources,
    params:
        **settings(CONFIG.report),
        compressed=each("--compressed", "compressed"),
        genes=gene_options,
    message:
        "Cut out the loci of the report"
    shell:
        "logged {log} genezip evaluate locus {params.compressed} --source {input.source} "
        "--regions {input.regions} --settings {params.settings:q} {params.genes} "
        "--out {output.table} --genes {output.genes}"


rule codon_phase:
    """Boundaries of one model along the reading frame of genes."""
    input:
        model=lambda wildcards: files_of(wildcards.model, wildcards.seed),
        source="resources/source.json",
    output:
        scores=report(
            "results/codon_phase/{model}.seed{seed}.tsv",
            caption="../report/codon_phase.rst",
            category="4 Enrichment",
            labels={"table": "codon phase, {model}"},
        ),
        profile="results/codon_phase/{model}.seed{seed}.profile.tsv",
    log:
        "logs/codon_phase/{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/codon_phase/{model}.seed{seed}.tsv"
    wildcard_constraints:
        model=one_of(CUTTING),
    conda:
        environment("codon_phase")
    threads: needs("codon_phase", SCALE).threads
    resources:
        **needs("codon_phase", SCALE).resources,
    params:
        model=lambda wildcards: f"results/pretrain/{wildcards.model}.seed{wildcards.seed}",
        options=[
            f"--{key.replace('_', '-')} {value}"
            for key, value in CONFIG.codon_phase.model_dump().items()
        ],
        scale=SCALE,
    message:
        "Codon phase of {wildcards.model}, seed {wildcards.seed}"
    shell:
        "logged {log} genezip evaluate codon-phase --model {params.model} "
        "--source {input.source} {params.options} --scale {params.scale} --threads {threads} "
        "--out {output.scores} --profile {output.profile}"


rule alignment:
    """Boundaries of one model at sites of genes, beside decoys, k-mers and shuffled DNA."""
    input:
        model=lambda wildcards: files_of(wildcards.model, wildcards.seed),
        source="resources/source.json",
    output:
        scores=report(
            "results/alignment/{model}.seed{seed}.tsv",
            caption="../report/alignment.rst",
            category="4 Enrichment",
            labels={"table": "boundary alignment, {model}"},
        ),
        profile="results/alignment/{model}.seed{seed}.profile.tsv",
    log:
        "logs/alignment/{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/alignment/{model}.seed{seed}.tsv"
    wildcard_constraints:
        model=one_of(ALIGNED),
    conda:
        environment("alignment")
    threads: needs("alignment", SCALE).threads
    resources:
        **(needs("alignment", SCALE).resources | {"gpu": gpus("alignment")}),
    params:
        **settings(CONFIG.alignment),
        model=lambda wildcards: f"results/pretrain/{wildcards.model}.seed{wildcards.seed}",
        genes=gene_options,
        scale=SCALE,
    message:
        "Boundaries of {wildcards.model} at sites of genes, seed {wildcards.seed}"
    shell:
        "logged {log} genezip evaluate alignment --model {params.model} "
        "--source {input.source} --settings {params.settings:q} {params.genes} "
        "--scale {params.scale} --threads {threads} --out {output.scores} "
        "--profile {output.profile}"


rule stability:
    """Boundaries of one model after one changed base, and on the other strand."""
    input:
        model=lambda wildcards: files_of(wildcards.model, wildcards.seed),
        corpus=CORPUS,
    output:
        report(
            "results/stability/{model}.seed{seed}.tsv",
            caption="../report/stability.rst",
            category="4 Enrichment",
            labels={"table": "stability, {model}"},
        ),
    log:
        "logs/stability/{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/stability/{model}.seed{seed}.tsv"
    conda:
        environment("stability")
    threads: needs("stability", SCALE).threads
    resources:
        **(needs("stability", SCALE).resources | {"gpu": gpus("stability")}),
    params:
        **settings(CONFIG.stability, without=["models"]),
        model=lambda wildcards: f"results/pretrain/{wildcards.model}.seed{wildcards.seed}",
        scale=SCALE,
    message:
        "Stability of the boundaries of {wildcards.model}, seed {wildcards.seed}"
    shell:
        "logged {log} genezip evaluate stability --model {params.model} --corpus {input.corpus} "
        "--settings {params.settings:q} --scale {params.scale} --threads {threads} --out {output}"


rule tracks:
    """Genome-browser tracks of one model, and a session that opens them.

    Each BED file has an index beside it: .tbi, or .csi if a chromosome is longer than 512 Mb. There
    is a track surprisal.bw, too, if the likelihood of any window is exact.
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
        model=one_of(CUTTING),
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("tracks", SCALE).resources,
    params:
        out=subpath(output.session, parent=True),
    message:
        "Write tracks of {wildcards.model}, seed {wildcards.seed}"
    shell:
        "logged {log} genezip tracks --compressed {input.compressed} --source {input.source} "
        "--regions {input.regions} --out {params.out}"


use rule tracks as tracks_of_tokens with:
    output:
        tokens_per_kb="results/tracks/{model}.seed{seed}/tokens_per_kb.bw",
        bpt="results/tracks/{model}.seed{seed}/bpt.bw",
        chunks="results/tracks/{model}.seed{seed}/chunks.bed.gz",
        regions="results/tracks/{model}.seed{seed}/regions.bed.gz",
        session="results/tracks/{model}.seed{seed}/igv_session.xml",
    wildcard_constraints:
        model=one_of(name for name in MODELS if name not in CUTTING),


rule browser_session:
    """One session of the tracks of all models shown, opened at the locus of the report."""
    input:
        sessions=[f"results/tracks/{first_run(name)}/igv_session.xml" for name in SHOWN],
        locus="results/compress/locus.tsv",
    output:
        "results/tracks/igv_session.xml",
    log:
        "logs/tracks/browser_session.log",
    benchmark:
        "results/benchmarks/tracks/browser_session.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("browser_session", SCALE).resources,
    params:
        folders=[f"results/tracks/{first_run(name)}" for name in SHOWN],
    message:
        "Write one session of all tracks"
    shell:
        "logged {log} genezip browse {params.folders} --locus {input.locus} --session {output}"
