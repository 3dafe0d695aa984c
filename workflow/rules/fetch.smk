DNALONGBENCH_TASKS = one_of([task for task in TASKS if task not in FROM_LABELS])


rule room:
    """The disk that a whole run needs, by what takes it; too little is refused.

    It is the first job of `all`, and no input of others: a single target needs less.
    """
    output:
        "resources/room.tsv",
    log:
        "logs/room.log",
    benchmark:
        "results/benchmarks/room.tsv"
    priority: 100
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("room", SCALE).resources,
    params:
        settings=CONFIG.as_json(without=["tables"]),
    message:
        "Look for the disk that the run needs"
    shell:
        "logged {log} genezip config room --settings {params.settings:q} --out {output}"


rule fetch:
    """Genome, annotation and repeats: mirror, download, simulation or your own files.

    source.json lists every file with its checksum; all other rules depend on it alone.
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


# Both rules of a task write to one folder; they never run at once, as one needs the other's output.
rule dnalongbench_intervals:
    """Small files with the intervals of validation and test inputs of a DNALongBench task.

    GENEZIP_FETCHED names a folder of files fetched elsewhere.
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
