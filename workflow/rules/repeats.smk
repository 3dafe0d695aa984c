rule repeats:
    """Bases per token in interspersed repeats, tandem repeats and their background."""
    input:
        compressed=compressed() + compressed("rmsk/"),
        source="resources/source.json",
        regions="results/regions/gene7.bed.gz",
        corpus=CORPUS,
    output:
        report(
            "results/repeats/repeats.tsv",
            caption="../report/repeats.rst",
            category="6 Repeats",
            labels={"table": "bases per token by repeat class"},
        ),
    log:
        "logs/repeats/repeats.log",
    benchmark:
        "results/benchmarks/repeats.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("repeats", SCALE).resources,
    params:
        **settings(CONFIG.evaluation, "shifts", *INTERVALS),
        compressed=each("--compressed", "compressed"),
        scale=SCALE,
    message:
        "Measure bases per token in repeats"
    shell:
        "logged {log} genezip evaluate repeats {params.compressed} --source {input.source} "
        "--regions {input.regions} --corpus {input.corpus} --settings {params.settings:q} "
        "--scale {params.scale} --out {output}"
