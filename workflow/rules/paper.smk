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
