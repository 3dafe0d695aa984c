# Published tables and numbers beside those of the run (config/tables.yaml).


rule models_list:
    """Presets with their sizes and targets."""
    output:
        "results/models.json",
    log:
        "logs/models.log",
    benchmark:
        "results/benchmarks/models.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("models_list", SCALE).resources,
    message:
        "List the presets"
    shell:
        "logged {log} genezip models --out {output}"


rule latency:
    """Time and peak memory of a forward pass from 1 kb to 1 Mb, on the machine at hand."""
    input:
        "resources/source.json",
    output:
        table=report(
            "results/latency/latency.tsv",
            caption="../report/latency.rst",
            category="2 Training",
            labels={"table": "latency and memory"},
        ),
        figure="results/latency/latency.svg",
        picture="results/latency/latency.png",
    log:
        "logs/latency.log",
    benchmark:
        "results/benchmarks/latency.tsv"
    conda:
        environment("latency")
    # every core of a local run, so that no other job disturbs the times
    threads: ALONE if workflow.local_exec else needs("latency", SCALE).threads
    resources:
        **(
            needs("latency", SCALE).resources
            | {"gpu": int(CONFIG.latency.device == "cuda")}
        ),
    params:
        threads=needs("latency", SCALE).threads,
        program=latency_program,
        preset=CONFIG.latency.preset or ("70m" if SCALE == "full" else "tiny"),
        device=CONFIG.latency.device,
        longest=CONFIG.latency.max_length,
        seconds=CONFIG.latency.seconds,
        out=subpath(output.table, parent=True),
    message:
        "Time of a forward pass by length"
    shell:
        "logged {log} program {params.program:q} --no-goals --preset {params.preset} "
        "--device {params.device} --max-length {params.longest} --seconds {params.seconds} "
        "--fasta resources/pieces.fa --threads {params.threads} --out {params.out}"


rule paper_table:
    """One published table or figure beside the numbers of the run, as TSV and Markdown."""
    input:
        results=files_of_table,
    output:
        table=report(
            "results/tables/paper/{paper_table}.tsv",
            caption="../report/paper.rst",
            category="0 Report",
            labels={"table": "{paper_table} of the paper"},
        ),
        text="results/tables/paper/{paper_table}.md",
    log:
        "logs/tables/paper/{paper_table}.log",
    benchmark:
        "results/benchmarks/tables/paper/{paper_table}.tsv"
    wildcard_constraints:
        paper_table=one_of(PAPER_TABLES),
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("paper_table", SCALE).resources,
    params:
        **settings(lambda wildcards: PAPER_TABLES[wildcards.paper_table]),
        results=each("--result", "results"),
        runs=[f"--run {run}" for run in CONFIG.runs(*TRAINED)],
        reference=REFERENCE,
        control=CONTROL,
        scale=SCALE,
    message:
        "The paper beside the run: {wildcards.paper_table}"
    shell:
        "logged {log} genezip paper table {wildcards.paper_table} --settings {params.settings:q} "
        "{params.results} {params.runs} --reference {params.reference} "
        "--control {params.control} --scale {params.scale} --out {output.table}"


rule claims:
    """Every published number and comparison with its test, verdict and the file of ours."""
    input:
        tables=expand("results/tables/paper/{name}.tsv", name=PAPER_TABLES),
    output:
        report(
            "results/tables/claims.tsv",
            caption="../report/paper.rst",
            category="0 Report",
            labels={"table": "claims of the paper"},
        ),
    log:
        "logs/tables/claims.log",
    benchmark:
        "results/benchmarks/tables/claims.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("claims", SCALE).resources,
    params:
        tables=each("--table", "tables"),
    message:
        "Join the tables of the paper"
    shell:
        "logged {log} genezip paper claims {params.tables} --out {output}"
