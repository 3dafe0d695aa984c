rule exclusions:
    """DNA excluded from training: inputs of benchmarks and your own BED files."""
    input:
        source="resources/source.json",
        intervals=expand(
            "resources/dnalongbench/{task}.intervals.json", task=CONFIG.leakage.tasks
        ),
        beds=USER_BEDS,
    output:
        bed="results/corpus/exclusions.bed.gz",
        summary="results/corpus/exclusions.tsv",
    log:
        "logs/leakage/exclusions.log",
    benchmark:
        "results/benchmarks/exclusions.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("exclusions", SCALE).resources,
    params:
        **settings(CONFIG.leakage),
        resources=subpath(input.source, parent=True),
        root=home,
    message:
        "Collect the intervals excluded from training"
    shell:
        "logged {log} genezip leakage exclusions --settings {params.settings:q} "
        "--intervals {params.resources}/dnalongbench "
        "--chrom-sizes {params.resources}/chrom.sizes --root {params.root:q} "
        "--out {output.bed} --summary {output.summary}"


rule leakage:
    """Check that no written window touches an exclusion or a held-out window.

    Snakemake deletes the outputs of a failed job; a copy of the table is kept beside the log.
    """
    input:
        manifest="results/corpus/{corpus}/manifest.json",
        exclusions="results/corpus/exclusions.bed.gz",
    output:
        "results/corpus/{corpus}/leakage.tsv",
    log:
        "logs/leakage/{corpus}.log",
    benchmark:
        "results/benchmarks/leakage.{corpus}.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("leakage", SCALE).resources,
    params:
        # This is not a second log, because Snakemake would create it empty if nothing leaks.
        leaks="logs/leakage/{corpus}.tsv",
    message:
        "Check that no window of corpus {wildcards.corpus} leaks"
    shell:
        "rm -f {params.leaks}; "
        "logged {log} genezip leakage prove {input.manifest} --exclusions {input.exclusions} "
        "--out {output} || {{ [ ! -e {output} ] || cp {output} {params.leaks}; exit 1; }}"


rule homology:
    """Share of held-out k-mers that also occur in the training segments, by chromosome."""
    input:
        source="resources/source.json",
        manifest="results/corpus/{corpus}/manifest.json",
    output:
        "results/corpus/{corpus}/homology.tsv",
    log:
        "logs/leakage/{corpus}.homology.log",
    benchmark:
        "results/benchmarks/homology.{corpus}.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("homology", SCALE).resources,
    message:
        "Count held-out k-mers that occur in training, corpus {wildcards.corpus}"
    shell:
        "logged {log} genezip leakage homology --source {input.source} "
        "--manifest {input.manifest} --out {output}"
