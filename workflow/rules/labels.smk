# Tasks with measured targets ("real labels") on the segments of the demo genome.


rule labels_fetch:
    """Measured targets on the demo genome, from the folder GENEZIP_MIRROR, else public servers.

    An unavailable part does not stop the run; the list has the reason. Naming a folder later
    changes the params, so that the targets are fetched then.
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
        settings=json.dumps(fetched_labels()),
        out=subpath(output[0], parent=True),
        # Params alone record these paths; no result file has them.
        mirror=lambda wildcards: os.environ.get("GENEZIP_MIRROR", ""),
        fetched=lambda wildcards: os.environ.get("GENEZIP_FETCHED", ""),
    message:
        "Fetch real labels"
    shell:
        "logged {log} genezip labels fetch --settings {params.settings:q} "
        "--source {input.source} --out {params.out}"


rule label_predictions:
    """Predict one kind of measured target with one frozen model."""
    input:
        labels="resources/labels/labels.json",
        source="resources/source.json",
        model="results/pretrain/{run}/config.json",
    output:
        "results/labels/predictions/{part}/{run}{state}.parquet",
    log:
        "logs/labels/{part}/{run}{state}.log",
    benchmark:
        "results/benchmarks/labels/{part}/{run}{state}.tsv"
    wildcard_constraints:
        part=one_of(LABEL_PARTS),
        run=r"[^/]+\.seed\d+",
        state=r"(\.untrained)?",
    conda:
        environment("label_predictions")
    threads: needs("label_predictions", SCALE).threads
    resources:
        **needs("label_predictions", SCALE).resources,
    params:
        **settings(part_of_labels, without=choosing_labels),
        option=lambda wildcards: "--untrained" if wildcards.state else "--model",
        folder=subpath(input.model, parent=True),
        scale=SCALE,
    message:
        "Predict real labels: {wildcards.part}, {wildcards.run}{wildcards.state}"
    shell:
        "logged {log} genezip labels measure {wildcards.part} --labels {input.labels} "
        "--source {input.source} {params.option} {params.folder} "
        "--settings {params.settings:q} --scale {params.scale} --predictions {output}"


rule labels:
    """Score frozen models and trivial baselines on one kind of measured target."""
    input:
        labels="resources/labels/labels.json",
        source="resources/source.json",
        measured=measured_on_labels,
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
        "../../envs/genezip.yaml"
    threads: needs("labels", SCALE).threads
    resources:
        **needs("labels", SCALE).resources,
    params:
        **settings(part_of_labels, without=choosing_labels),
        measured=lambda wildcards, input: [
            f"--measured {path}" for path in input.measured
        ],
        control=CONTROL,
        scale=SCALE,
    message:
        "Score real labels: {wildcards.part}"
    shell:
        "logged {log} genezip labels measure {wildcards.part} --labels {input.labels} "
        "--source {input.source} {params.measured} --control {params.control} "
        "--settings {params.settings:q} --scale {params.scale} --out {output.scores} "
        "--predictions {output.predictions}"
