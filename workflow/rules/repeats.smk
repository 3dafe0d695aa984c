rule repeats:
    """Bases per token in interspersed repeats, tandem repeats and their background."""
    input:
        compressed=compressed() + compressed("rmsk/"),
        source="resources/source.json",
        regions="results/regions/gene7.bed.gz",
        corpus=CORPUS,
    output:
        classes=report(
            "results/repeats/repeats.tsv",
            caption="../report/repeats.rst",
            category="6 Repeats",
            labels={"table": "bases per token by repeat class"},
        ),
        kinds=report(
            "results/repeats/kinds.tsv",
            caption="../report/repeats.rst",
            category="6 Repeats",
            labels={"table": "by family, age, period and copy number"},
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
        reference=REFERENCE,
        control=CONTROL,
        scale=SCALE,
    message:
        "Measure bases per token in repeats"
    shell:
        "logged {log} genezip evaluate repeats {params.compressed} --source {input.source} "
        "--regions {input.regions} --corpus {input.corpus} --settings {params.settings:q} "
        "--reference {params.reference} --control {params.control} "
        "--scale {params.scale} --out {output.classes} --kinds {output.kinds}"


rule tandem:
    """TRF on a held-out slice beside the table of the source; not part of `all`."""
    input:
        "resources/source.json",
    output:
        "results/repeats/tandem.tsv",
    log:
        "logs/repeats/tandem.log",
    benchmark:
        "results/benchmarks/tandem.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("tandem", SCALE).resources,
    message:
        "Run TRF on held-out DNA"
    shell:
        "logged {log} genezip evaluate tandem --source {input} --out {output}"
