rule regions:
    """Every base in exactly one region class: the seven, and classes of your own."""
    input:
        source="resources/source.json",
        own=own_classes,
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
        root=ROOT,
    message:
        "Label every base with its region class"
    shell:
        "genezip regions build --source {input.source} --settings {params.settings:q} "
        "--root {params.root:q} --bed {output.bed} --summary {output.summary} "
        "2>&1 | tee -i {log} >&2"


rule calibrate:
    """Class totals and class shares beside the published ones (GeneZip, Table 5)."""
    input:
        source="resources/source.json",
        paper=published("table5_corpora"),
    output:
        calibration="results/regions/calibration.tsv",
        mixture="results/regions/mixture.tsv",
    log:
        "logs/regions/calibrate.log",
    benchmark:
        "results/benchmarks/calibrate.tsv"
    conda:
        "../../envs/genezip.yaml"
    params:
        settings=settings("regions"),
        sampling=lambda wildcards: json.dumps(
            config.get("corpus", {}).get("sampling", {}), sort_keys=True
        ),
    message:
        "Compare class totals and class shares with the paper's"
    shell:
        "genezip regions calibrate --source {input.source} --paper {input.paper:q} "
        "--settings {params.settings:q} --sampling {params.sampling:q} --out {output.calibration} "
        "--mixture {output.mixture} 2>&1 | tee -i {log} >&2"
