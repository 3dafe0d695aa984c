rule regions:
    """Every base in exactly one of the seven region classes."""
    input:
        source="resources/source.json",
    output:
        bed="results/regions/gene7.bed.gz",
        summary=report(
            "results/regions/gene7.summary.tsv",
            caption="../report/corpus.rst",
            category="1 Corpus",
            labels={"table": "bases per region class"},
        ),
    log:
        "logs/regions/gene7.log",
    benchmark:
        "results/benchmarks/regions.tsv"
    conda:
        "../../envs/genezip.yaml"
    params:
        settings=settings("regions"),
    message:
        "Label every base with its region class"
    shell:
        "genezip regions build --source {input.source} --settings {params.settings:q} "
        "--bed {output.bed} --summary {output.summary} 2>&1 | tee -i {log} >&2"
