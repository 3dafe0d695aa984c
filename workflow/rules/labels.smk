# Small measurements on real labels that exist for the pieces of the demo genome.


rule labels_fetch:
    """Real labels of the pieces of the demo genome: the folder GENEZIP_MIRROR, else public servers.

    What cannot be had is left out of the list, which says why, so the run goes on. A folder that
    is named later is a new value of the params, so the labels are fetched then.
    """
    input:
        source="resources/source.json",
    output:
        "resources/labels/labels.json",
    log:
        "logs/labels/fetch.log",
    benchmark:
        "results/benchmarks/labels/fetch.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("labels_fetch", SCALE).resources,
    params:
        settings=json.dumps({"tasks": [*dict.fromkeys([*LABELS, *FROM_LABELS])]}),
        out=subpath(output[0], parent=True),
        # They stand in the params only, which Snakemake keeps; no result file holds the paths.
        mirror=lambda wildcards: os.environ.get("GENEZIP_MIRROR", ""),
        fetched=lambda wildcards: os.environ.get("GENEZIP_FETCHED", ""),
    message:
        "Fetch real labels"
    shell:
        "logged {log} genezip labels fetch --settings {params.settings:q} "
        "--source {input.source} --out {params.out}"


rule labels:
    """Frozen models and trivial baselines on one kind of real label."""
    input:
        labels="resources/labels/labels.json",
        source="resources/source.json",
        models=lambda wildcards: [
            f"results/pretrain/{run}/config.json"
            for run in dict.fromkeys([first_run(REFERENCE), first_run(CONTROL)])
        ],
    output:
        scores=report(
            "results/labels/{part}.tsv",
            caption="../report/labels.rst",
            category="8 Real labels",
            labels={"table": "{part}"},
        ),
        predictions="results/labels/predictions/{part}.parquet",
    log:
        "logs/labels/{part}.log",
    benchmark:
        "results/benchmarks/labels/{part}.tsv"
    wildcard_constraints:
        part=one_of(LABEL_PARTS),
    conda:
        environment("labels")
    threads: needs("labels", SCALE).threads
    resources:
        **needs("labels", SCALE).resources,
    params:
        **settings(part_of_labels, without=["tasks", "arms"]),
        models=lambda wildcards, input: [
            f"--model {os.path.dirname(path)}" for path in input.models
        ],
        control=CONTROL,
        scale=SCALE,
    message:
        "Measure on real labels: {wildcards.part}"
    shell:
        "logged {log} genezip labels measure {wildcards.part} --labels {input.labels} "
        "--source {input.source} {params.models} --control {params.control} "
        "--settings {params.settings:q} --scale {params.scale} --out {output.scores} "
        "--predictions {output.predictions}"
