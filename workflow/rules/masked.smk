rule masked_markov:
    """Two-sided Markov models of the training DNA, which predict masked bases by counts."""
    input:
        corpus=CORPUS,
        source="resources/source.json",
    output:
        table=report(
            "results/masked/markov.tsv",
            caption="../report/masked.rst",
            category="3 Compression",
            labels={"table": "masked bases, two-sided Markov models"},
        ),
        windows="results/masked/markov.parquet",
    log:
        "logs/masked/markov.log",
    benchmark:
        "results/benchmarks/masked/markov.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("masked_markov", SCALE).resources,
    params:
        **settings(CONFIG.masked),
        scale=SCALE,
    message:
        "Fit two-sided Markov models to the training DNA"
    shell:
        "logged {log} genezip evaluate masked-markov --corpus {input.corpus} "
        "--source {input.source} --settings {params.settings:q} --scale {params.scale} "
        "--out {output.table} --windows {output.windows}"


rule masked:
    """Bits per masked base of one model, and its tokens with and without masks."""
    input:
        model=lambda wildcards: files_of(wildcards.model, wildcards.seed),
        corpus=CORPUS,
        markov="results/masked/markov.parquet",
        against=lambda wildcards: (
            f"results/masked/{guide_of(wildcards)}.parquet"
            if guide_of(wildcards)
            else []
        ),
    output:
        table=report(
            "results/masked/{model}.seed{seed}.tsv",
            caption="../report/masked.rst",
            category="3 Compression",
            labels={"table": "masked bases, {model} seed {seed}"},
        ),
        windows="results/masked/{model}.seed{seed}.parquet",
    log:
        "logs/masked/{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/masked/{model}.seed{seed}.tsv"
    wildcard_constraints:
        model=one_of(MASKED),
    conda:
        environment("masked")
    threads: needs("masked", SCALE).threads
    resources:
        **needs("masked", SCALE).resources,
    params:
        **settings(CONFIG.masked, without=CONFIG.masked.COUNTED),
        model=lambda wildcards: f"results/pretrain/{wildcards.model}.seed{wildcards.seed}",
        against=lambda wildcards, input: (
            f"--against {quote(str(input.against))}" if input.against else ""
        ),
        scale=SCALE,
    message:
        "Predict masked bases with {wildcards.model}, seed {wildcards.seed}"
    shell:
        "logged {log} genezip evaluate masked --model {params.model} --corpus {input.corpus} "
        "--markov {input.markov} {params.against} --settings {params.settings:q} "
        "--scale {params.scale} --threads {threads} --out {output.table} --windows {output.windows}"
