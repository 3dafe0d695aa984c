# Number of jobs that write a corpus (`--set-scatter corpus=N`); the bytes do not depend on it.
scattergather:
    corpus=16 if SCALE == "full" else 1,


rule corpus_plan:
    """Draw the windows of every split and assign them to shards: one process, seconds."""
    input:
        source="resources/source.json",
        exclusions="results/corpus/exclusions.bed.gz",
    output:
        plan="results/corpus/{corpus}/plan.parquet",
        dropped="results/corpus/{corpus}/dropped.tsv",
    log:
        "logs/corpus/{corpus}.plan.log",
    benchmark:
        "results/benchmarks/corpus/{corpus}.plan.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("corpus_plan", SCALE).resources,
    params:
        **settings(lambda wildcards: CORPORA[wildcards.corpus]),
        genes=gene_options,
    message:
        "Draw the windows of the corpus {wildcards.corpus}"
    shell:
        "logged {log} genezip corpus plan --source {input.source} "
        "--settings {params.settings:q} --exclusions {input.exclusions} {params.genes} "
        "--out {output.plan}"


rule corpus_shards:
    """Write a part of the shards.

    Shards are not declared as outputs, so that a restarted job keeps the complete ones.
    """
    input:
        plan="results/corpus/{corpus}/plan.parquet",
        source="resources/source.json",
        regions="results/regions/gene7.bed.gz",
    output:
        entries="results/corpus/{corpus}/entries/{scatteritem}.json",
    log:
        "logs/corpus/{corpus}.{scatteritem}.log",
    benchmark:
        "results/benchmarks/corpus/{corpus}.{scatteritem}.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("corpus_shards", SCALE).resources,
    message:
        "Write shards of the corpus {wildcards.corpus}, {wildcards.scatteritem}"
    shell:
        "logged {log} genezip corpus write --plan {input.plan} --source {input.source} "
        "--regions {input.regions} --part {wildcards.scatteritem} --out {output.entries}"


rule corpus:
    """Training, validation and held-out windows; the manifest lists the Parquet shards."""
    input:
        plan="results/corpus/{corpus}/plan.parquet",
        entries=gather.corpus("results/corpus/{{corpus}}/entries/{scatteritem}.json"),
    output:
        manifest="results/corpus/{corpus}/manifest.json",
    log:
        "logs/corpus/{corpus}.log",
    benchmark:
        "results/benchmarks/corpus/{corpus}.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("corpus", SCALE).resources,
    params:
        entries=each("--entries", "entries"),
    message:
        "Check the corpus {wildcards.corpus} and write its manifest"
    shell:
        "logged {log} genezip corpus finish --plan {input.plan} {params.entries}"


rule table5:
    """Composition of every corpus beside the paper's Table 5."""
    input:
        corpora=expand("results/corpus/{corpus}/manifest.json", corpus=CORPORA),
    output:
        report(
            "results/tables/table5_corpora.tsv",
            caption="../report/corpus.rst",
            category="1 Corpus",
            labels={"table": "composition beside the paper"},
        ),
    log:
        "logs/tables/table5_corpora.log",
    benchmark:
        "results/benchmarks/table5.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("table5", SCALE).resources,
    params:
        corpora=each("--corpus", "corpora"),
        scale=SCALE,
    message:
        "Compare the corpora with the paper's Table 5"
    shell:
        "logged {log} genezip corpus table5 {params.corpora} --scale {params.scale} "
        "--out {output}"
