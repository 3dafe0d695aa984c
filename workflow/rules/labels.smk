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
    params:
        settings=json.dumps({"tasks": FETCHED_PARTS}),
        out=subpath(output[0], parent=True),
        mirror=mirror_folder,
        fetched=fetched_folder,
        sources=SOURCES,
    message:
        "Fetch real labels"
    shell:
        "genezip labels fetch --settings {params.settings:q} --source {input.source} "
        "--sources {params.sources:q} --out {params.out} 2>&1 | tee -i {log} >&2"


rule labels:
    """Frozen models and trivial baselines on one kind of real label."""
    input:
        labels="resources/labels/labels.json",
        source="resources/source.json",
        models=label_models,
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
        part="|".join(PARTS),
    conda:
        MODEL_ENV
    threads: MODEL_THREADS
    resources:
        gpu=MODEL_GPUS,
    params:
        models=label_options,
        settings=label_settings,
        control=CONTROL,
        scale=SCALE,
    message:
        "Measure on real labels: {wildcards.part}"
    shell:
        "genezip labels measure {wildcards.part} --labels {input.labels} --source {input.source} "
        "{params.models} --control {params.control} --settings {params.settings:q} "
        "--scale {params.scale} --out {output.scores} --predictions {output.predictions} "
        "2>&1 | tee -i {log} >&2"
