rule report:
    """The report on one page; every figure also as SVG and TSV."""
    input:
        source="resources/source.json",
        regions="results/regions/gene7.summary.tsv",
        corpus=CORPUS,
        leakage=CORPUS.replace("manifest.json", "leakage.tsv"),
        homology=CORPUS.replace("manifest.json", "homology.tsv"),
        table5="results/tables/table5_corpora.tsv",
        curves=expand("results/pretrain/{run}/curve.jsonl", run=CONFIG.runs(*TRAINED)),
        metrics="results/compress/compression.tsv",
        comparisons="results/compress/comparisons.tsv",
        windows="results/compress/windows.tsv",
        markov="results/compress/markov.tsv",
        locus="results/compress/locus.tsv",
        genes="results/compress/locus_genes.tsv",
        repeats="results/repeats/repeats.tsv",
        repeat_kinds="results/repeats/kinds.tsv",
        codon_phase=expand(
            "results/codon_phase/{run}.tsv",
            run=[first_run(name) for name in CODON_PHASE],
        ),
        masked=masked_tables(),
        words=word_tables(),
        matched=matched_of_report(),
        scaling="results/compress/scaling.tsv" if CONFIG.evaluation.scaling else [],
        arena=arena_tables(),
        alignment=expand(
            "results/alignment/{run}.tsv", run=CONFIG.runs(*ALIGNED) if ALIGNED else []
        ),
        latency="results/latency/latency.tsv" if CONFIG.latency.preset else [],
        stability=expand("results/stability/{run}.tsv", run=map(first_run, STABLE)),
        tasks=task_tables(),
        labels=expand("results/labels/{part}.tsv", part=LABELS),
        label_files="resources/labels/labels.json" if LABELS else [],
        claims="results/tables/claims.tsv" if PAPER_TABLES else [],
    output:
        page=report(
            "results/report.html",
            caption="../report/report.rst",
            category="0 Report",
            labels={"page": "report"},
        ),
        corpus=report(
            "results/figures/corpus.svg",
            caption="../report/corpus.rst",
            category="1 Corpus",
            labels={"figure": "composition"},
        ),
        curves=report(
            "results/figures/curves.svg",
            caption="../report/curves.rst",
            category="2 Training",
            labels={"figure": "training curves"},
        ),
        steering=report(
            "results/figures/steering.svg",
            caption="../report/curves.rst",
            category="2 Training",
            labels={"figure": "ratio loss by region"},
        ),
        perplexity=report(
            "results/figures/perplexity.svg",
            caption="../report/compression.rst",
            category="3 Compression",
            labels={"figure": "perplexity"},
        ),
        gaps=report(
            "results/figures/gaps.svg",
            caption="../report/compression.rst",
            category="3 Compression",
            labels={"figure": "windows by share of N"},
        ),
        bpt=report(
            "results/figures/bpt.svg",
            caption="../report/compression.rst",
            category="3 Compression",
            labels={"figure": "bases per token"},
        ),
        enrichment=report(
            "results/figures/enrichment.svg",
            caption="../report/enrichment.rst",
            category="4 Enrichment",
            labels={"figure": "where the tokens go"},
        ),
        gc_thirds=report(
            "results/figures/gc_thirds.svg",
            caption="../report/enrichment.rst",
            category="4 Enrichment",
            labels={"figure": "within thirds of GC content"},
        ),
        locus=report(
            "results/figures/locus.svg",
            caption="../report/locus.rst",
            category="5 A locus",
            labels={"figure": "boundary probability"},
        ),
        repeats=report(
            "results/figures/repeats.svg",
            caption="../report/repeats.rst",
            category="6 Repeats",
            labels={"figure": "repeats"},
        ),
        repeat_kinds=report(
            "results/figures/repeat_kinds.svg",
            caption="../report/repeats.rst",
            category="6 Repeats",
            labels={"figure": "kinds of repeats"},
        ),
        labels=report(
            "results/figures/labels.svg",
            caption="../report/labels.rst",
            category="8 Real labels",
            labels={"figure": "models against baselines"},
        ),
        classification=report(
            "results/figures/classification.svg",
            caption="../report/classification.rst",
            category="8 Real labels",
            labels={"figure": "labelled sequences"},
        ),
        codon_phase=report(
            "results/figures/codon_phase.svg",
            caption="../report/codon_phase.rst",
            category="4 Enrichment",
            labels={"figure": "codon phase"},
        ),
        alignment=report(
            "results/figures/alignment.svg",
            caption="../report/alignment.rst",
            category="4 Enrichment",
            labels={"figure": "boundary alignment"},
        ),
        stability=report(
            "results/figures/stability.svg",
            caption="../report/stability.rst",
            category="4 Enrichment",
            labels={"figure": "stability"},
        ),
        essentiality=report(
            "results/figures/essentiality.svg",
            caption="../report/zero_shot.rst",
            category="8 Real labels",
            labels={"figure": "essential genes"},
        ),
        scaling=report(
            "results/figures/scaling.svg",
            caption="../report/scaling.rst",
            category="3 Compression",
            labels={"figure": "scaling"},
        ),
        variants=report(
            "results/figures/variants.svg",
            caption="../report/zero_shot.rst",
            category="8 Real labels",
            labels={"figure": "variant effect"},
        ),
        masked=report(
            "results/figures/masked.svg",
            caption="../report/masked.rst",
            category="3 Compression",
            labels={"figure": "bases per token with and without masks"},
        ),
        ggrams=report(
            "results/figures/ggrams.svg",
            caption="../report/words.rst",
            category="3 Compression",
            labels={"figure": "G-grams by threshold"},
        ),
        words=report(
            "results/figures/words.svg",
            caption="../report/words.rst",
            category="8 Real labels",
            labels={"figure": "gain by G-grams of a sequence"},
        ),
        bounds=report(
            "results/figures/bounds.svg",
            caption="../report/curves.rst",
            category="2 Training",
            labels={"figure": "bounds on tokens"},
        ),
        latency_figure=report(
            "results/figures/latency.svg",
            caption="../report/latency.rst",
            category="2 Training",
            labels={"figure": "latency and memory"},
        ),
        loci=report(
            expand(
                "results/figures/locus_{number}.svg",
                number=range(2, 2 + len(CONFIG.report.loci)),
            ),
            caption="../report/locus.rst",
            category="5 A locus",
            labels={"figure": "further loci"},
        ),
        numbers=expand("results/figures/{figure}.tsv", figure=FIGURES),
    log:
        "logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("report", SCALE).resources,
    params:
        **settings(CONFIG.report),
        evaluation=CONFIG.evaluation.as_json(INTERVALS),
        scale=SCALE,
        runs=[f"--run {run}" for run in CONFIG.runs()],
        labels=[f"--labels {part}" for part in LABELS],
        label_files=lambda wildcards, input: (
            f"--label-files {input.label_files}" if input.label_files else ""
        ),
        claims=lambda wildcards, input: (
            f"--claims {input.claims}" if input.claims else ""
        ),
        tables=[f"--table {Path(path).stem}" for path in task_tables()],
        results=subpath(output.page, parent=True),
        figures=subpath(output.corpus, parent=True),
    message:
        "Write the report"
    shell:
        "logged {log} genezip report --results {params.results} --settings {params.settings:q} "
        "--evaluation {params.evaluation:q} --source {input.source} --corpus {input.corpus} "
        "--scale {params.scale} --out {output.page} --figures {params.figures} {params.runs} "
        "{params.tables} {params.labels} {params.label_files} {params.claims}"
