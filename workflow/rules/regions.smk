rule regions:
    """Region map: every base has exactly one of the seven classes and the user classes."""
    input:
        source="resources/source.json",
        beds=USER_CLASSES,
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
    resources:
        **needs("regions", SCALE).resources,
    params:
        **settings(CONFIG.regions),
        root=home,
    message:
        "Find the region class of every base"
    shell:
        "logged {log} genezip regions build --source {input.source} "
        "--settings {params.settings:q} --root {params.root:q} --bed {output.bed} "
        "--summary {output.summary}"


rule calibrate:
    """Class totals and class shares beside the published ones (GeneZip, Table 5)."""
    input:
        source="resources/source.json",
    output:
        calibration="results/regions/calibration.tsv",
        mixture="results/regions/mixture.tsv",
    log:
        "logs/regions/calibrate.log",
    benchmark:
        "results/benchmarks/calibrate.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("calibrate", SCALE).resources,
    params:
        **settings(CONFIG.regions),
        sampling=CONFIG.corpus.sampling.as_json(),
    message:
        "Compare class totals and class shares with the paper's"
    shell:
        "logged {log} genezip regions calibrate --source {input.source} "
        "--settings {params.settings:q} --sampling {params.sampling:q} "
        "--out {output.calibration} --mixture {output.mixture}"
