DNALONGBENCH_TASKS = "cmp|eqtl|etgp|tisp|rsap"
SOURCES = ROOT / "resources" / "sources.tsv"


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


# The files of one task are never fetched by two jobs at once: all wait for the intervals.
rule dnalongbench_intervals:
    """Small files that say where validation and test inputs of a DNALongBench task lie.

    With GENEZIP_FETCHED they come from a folder of files fetched elsewhere.
    """
    output:
        "resources/dnalongbench/{task}.intervals.json",
    log:
        "logs/dnalongbench/{task}.intervals.log",
    wildcard_constraints:
        task=DNALONGBENCH_TASKS,
    conda:
        "../../envs/genezip.yaml"
    params:
        sources=SOURCES,
        out=subpath(output[0], parent=True),
    message:
        "Fetch the intervals of DNALongBench task {wildcards.task}"
    shell:
        "genezip dnalongbench fetch {wildcards.task} --only intervals "
        "--sources {params.sources:q} --out {params.out} 2>&1 | tee -i {log} >&2"


rule dnalongbench:
    """All files of a DNALongBench task, tens of gigabytes for some."""
    input:
        rules.dnalongbench_intervals.output,
    output:
        "resources/dnalongbench/{task}.json",
    log:
        "logs/dnalongbench/{task}.log",
    wildcard_constraints:
        task=DNALONGBENCH_TASKS,
    conda:
        "../../envs/genezip.yaml"
    params:
        sources=SOURCES,
        out=subpath(output[0], parent=True),
    message:
        "Fetch DNALongBench task {wildcards.task}"
    shell:
        "genezip dnalongbench fetch {wildcards.task} --only all "
        "--sources {params.sources:q} --out {params.out} 2>&1 | tee -i {log} >&2"
