rule corpus:
    """Training, validation and held-out windows; the manifest lists the Parquet shards."""
    input:
        source="resources/source.json",
        regions="results/regions/gene7.bed.gz",
        excluded=excluded,
    output:
        manifest="results/corpus/manifest.json",
        dropped="results/corpus/dropped.tsv",
    log:
        "logs/corpus.log",
    benchmark:
        "results/benchmarks/corpus.tsv"
    conda:
        "../../envs/genezip.yaml"
    params:
        settings=settings("corpus"),
        transcripts=transcripts,
        root=ROOT,
        out=subpath(output.manifest, parent=True),
    message:
        "Sample windows and drop held-out windows that share sequence with training"
    shell:
        "genezip corpus build --source {input.source} --regions {input.regions} "
        "--settings {params.settings:q} {params.transcripts} --root {params.root:q} "
        "--out {params.out} "
        "2>&1 | tee -i {log} >&2"
