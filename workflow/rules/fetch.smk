rule fetch:
    """Genome, annotation and repeats: mirror, download, simulation or your own files.

    source.json names every file with its checksum; all other rules depend on it alone.
    """
    input:
        own=own_genome,
    output:
        source="resources/source.json",
    log:
        "logs/fetch.log",
    benchmark:
        "results/benchmarks/fetch.tsv"
    conda:
        "../../envs/genezip.yaml"
    params:
        settings=settings("genome"),
        root=ROOT,
        out=subpath(output.source, parent=True),
    message:
        "Fetch genome, annotation and repeats"
    shell:
        "genezip fetch --settings {params.settings:q} --root {params.root:q} "
        "--out {params.out} 2>&1 | tee -i {log} >&2"
