DNALONGBENCH_TASKS = one_of([task for task in TASKS if task not in FROM_LABELS])


rule fetch:
    """Genome, annotation and repeats: mirror, download, simulation or your own files.

    source.json names every file with its checksum; all other rules depend on it alone.
    """
    input:
        USER_GENOME,
    output:
        source="resources/source.json",
    log:
        "logs/fetch.log",
    benchmark:
        "results/benchmarks/fetch.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("fetch", SCALE).resources,
    params:
        **settings(CONFIG.genome),
        root=home,
        out=subpath(output.source, parent=True),
    message:
        "Fetch genome, annotation and repeats"
    shell:
        "logged {log} genezip fetch --settings {params.settings:q} --root {params.root:q} "
        "--out {params.out}"


# The files of one task are never fetched by two jobs at once: all wait for the intervals.
rule dnalongbench_intervals:
    """Small files that say where validation and test inputs of a DNALongBench task lie.

    With GENEZIP_FETCHED they come from a folder of files fetched elsewhere.
    """
    output:
        "resources/dnalongbench/{task}.intervals.json",
    log:
        "logs/dnalongbench/{task}.intervals.log",
    benchmark:
        "results/benchmarks/dnalongbench/{task}.intervals.tsv"
    wildcard_constraints:
        task=DNALONGBENCH_TASKS,
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("dnalongbench_intervals", SCALE).resources,
    params:
        out=subpath(output[0], parent=True),
    message:
        "Fetch the intervals of DNALongBench task {wildcards.task}"
    shell:
        "logged {log} genezip dnalongbench fetch {wildcards.task} --only intervals "
        "--out {params.out}"


rule dnalongbench:
    """All files of a DNALongBench task, tens of gigabytes for some."""
    input:
        rules.dnalongbench_intervals.output,
    output:
        "resources/dnalongbench/{task}.json",
    log:
        "logs/dnalongbench/{task}.log",
    benchmark:
        "results/benchmarks/dnalongbench/{task}.tsv"
    wildcard_constraints:
        task=DNALONGBENCH_TASKS,
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("dnalongbench", SCALE).resources,
    params:
        out=subpath(output[0], parent=True),
    message:
        "Fetch DNALongBench task {wildcards.task}"
    shell:
        "logged {log} genezip dnalongbench fetch {wildcards.task} --only all --out {params.out}"
