# Networks on words of DNA (dnazen): G-grams -> training -> masked words and vocabulary.


rule ggrams:
    """Mine the G-grams of a model in training DNA, or draw random ones."""
    input:
        tokenizer=lambda wildcards: f"results/pretrain/{tokenizer_of(wildcards)}/config.json",
        source="resources/source.json",
        exclusions="results/corpus/exclusions.bed.gz",
        labels=evaluated_labels(),
    output:
        "results/words/{model}.seed{seed}.ggrams.json",
    log:
        "logs/words/{model}.seed{seed}.ggrams.log",
    benchmark:
        "results/benchmarks/words/{model}.seed{seed}.ggrams.tsv"
    wildcard_constraints:
        model=one_of(name for name, one in WORDS.items() if one.mining),
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("ggrams", SCALE).resources,
    params:
        **settings(lambda wildcards: WORDS[wildcards.model].mining),
        folder=subpath(input.tokenizer, parent=True),
        most_bp=CONFIG.words.training_bp,
        unseen=unseen_labels,
    message:
        "Mine the G-grams of {wildcards.model}, seed {wildcards.seed}"
    shell:
        "logged {log} genezip tokenizer ggrams --tokenizer {params.folder} "
        "--source {input.source} --exclusions {input.exclusions} {params.unseen} "
        "--settings {params.settings:q} --most-bp {params.most_bp} --seed {wildcards.seed} --out {output}"


rule pretrain_words:
    """Train one network on words with one seed; checkpoints are those of rule pretrain."""
    input:
        corpus=corpus_of,
        tokenizer=lambda wildcards: f"results/pretrain/{tokenizer_of(wildcards)}/config.json",
        ggrams=ggrams_of,
    output:
        weights="results/pretrain/{model}.seed{seed}/model.safetensors",
        best="results/pretrain/{model}.seed{seed}/best.safetensors",
        config="results/pretrain/{model}.seed{seed}/config.json",
        tokenizer="results/pretrain/{model}.seed{seed}/tokenizer.json",
        settings="results/pretrain/{model}.seed{seed}/tokenizer_config.json",
        curve="results/pretrain/{model}.seed{seed}/curve.jsonl",
        card="results/pretrain/{model}.seed{seed}/README.md",
    log:
        "logs/pretrain/{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/pretrain/{model}.seed{seed}.tsv"
    wildcard_constraints:
        model=one_of(WORDS),
    priority: 10
    conda:
        environment("pretrain_words")
    threads: needs("pretrain_words", SCALE).threads
    resources:
        **needs("pretrain_words", SCALE).resources,
    params:
        **settings(lambda wildcards: CONFIG.pretrain_of(wildcards.model)),
        launcher=launcher,
        architecture=lambda wildcards: preset(
            "words", model_of(wildcards).architecture
        )[0],
        # content of the preset: a change trains again
        preset=lambda wildcards: preset("words", model_of(wildcards).architecture)[1],
        folder=subpath(input.tokenizer, parent=True),
        ggrams=lambda wildcards, input: (
            f"--ggrams {quote(str(input.ggrams))}" if input.ggrams else ""
        ),
        scale=SCALE,
        out=subpath(output.weights, parent=True),
    message:
        "Train {wildcards.model}, seed {wildcards.seed}"
    shell:
        "logged {log} {params.launcher} pretrain-words --corpus {input.corpus} "
        "--architecture {params.architecture:q} --tokenizer {params.folder} {params.ggrams} "
        "--settings {params.settings:q} --seed {wildcards.seed} "
        "--name {wildcards.model} --scale {params.scale} --threads {threads} --out {params.out}"


rule word_floors:
    """Models that count the words of a vocabulary and their neighbours predict masked words."""
    input:
        tokenizer=lambda wildcards: files_of(
            wildcards.model, MODELS[wildcards.model].seed
        ),
        corpus=CORPUS,
        source="resources/source.json",
    output:
        table=report(
            "results/words/floors/{model}.tsv",
            caption="../report/words.rst",
            category="3 Compression",
            labels={"table": "masked words, floors of {model}"},
        ),
        windows="results/words/floors/{model}.parquet",
    log:
        "logs/words/floors.{model}.log",
    benchmark:
        "results/benchmarks/words/floors.{model}.tsv"
    wildcard_constraints:
        model=tokenizers("bpe"),
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("word_floors", SCALE).resources,
    params:
        **settings(CONFIG.words, without=CONFIG.words.VOCABULARY[:2]),
        folder=lambda wildcards: f"results/pretrain/{first_run(wildcards.model)}",
        scale=SCALE,
    message:
        "Count the words of {wildcards.model} and their neighbours"
    shell:
        "logged {log} genezip evaluate word-floors --tokenizer {params.folder} "
        "--corpus {input.corpus} --source {input.source} --settings {params.settings:q} "
        "--scale {params.scale} --out {output.table} --windows {output.windows}"


rule masked_words:
    """Bits per masked word of one network, each word masked by itself."""
    input:
        model=lambda wildcards: files_of(wildcards.model, wildcards.seed),
        corpus=CORPUS,
        floors=lambda wildcards: (
            f"results/words/floors/{WORDS[wildcards.model].tokenizer}.parquet"
        ),
        against=against_words,
    output:
        table=report(
            "results/words/{model}.seed{seed}.tsv",
            caption="../report/words.rst",
            category="3 Compression",
            labels={"table": "masked words, {model} seed {seed}"},
        ),
        windows="results/words/{model}.seed{seed}.parquet",
    log:
        "logs/words/{model}.seed{seed}.log",
    benchmark:
        "results/benchmarks/words/{model}.seed{seed}.tsv"
    wildcard_constraints:
        model=one_of(WORDS),
    conda:
        environment("masked_words")
    threads: needs("masked_words", SCALE).threads
    resources:
        **needs("masked_words", SCALE).resources,
    params:
        **settings(
            CONFIG.words,
            without=[*CONFIG.words.VOCABULARY[:2], *CONFIG.words.COUNTED],
        ),
        folder=lambda wildcards: f"results/pretrain/{wildcards.model}.seed{wildcards.seed}",
        against=lambda wildcards, input: (
            f"--against {quote(str(input.against))}" if input.against else ""
        ),
        scale=SCALE,
    message:
        "Predict masked words with {wildcards.model}, seed {wildcards.seed}"
    shell:
        "logged {log} genezip evaluate masked-words --model {params.folder} "
        "--corpus {input.corpus} --floors {input.floors} {params.against} "
        "--settings {params.settings:q} --scale {params.scale} --threads {threads} "
        "--out {output.table} --windows {output.windows}"


rule word_vocabulary:
    """G-grams by threshold and by chance, repeats in them, and what the most frequent are."""
    input:
        tokenizer=lambda wildcards: f"results/pretrain/{tokenizer_of(wildcards)}/config.json",
        ggrams=lambda wildcards: (
            f"results/words/{first_run(wildcards.model)}.ggrams.json"
        ),
        source="resources/source.json",
        regions="results/regions/gene7.bed.gz",
        exclusions="results/corpus/exclusions.bed.gz",
        labels=evaluated_labels(),
    output:
        table=report(
            "results/words/{model}.vocabulary.tsv",
            caption="../report/words.rst",
            category="3 Compression",
            labels={"table": "G-grams by threshold, {model}"},
        ),
        frequent="results/words/{model}.frequent.tsv",
    log:
        "logs/words/{model}.vocabulary.log",
    benchmark:
        "results/benchmarks/words/{model}.vocabulary.tsv"
    wildcard_constraints:
        model=one_of(MINED),
    conda:
        "../../envs/genezip.yaml"
    resources:
        **needs("word_vocabulary", SCALE).resources,
    params:
        **settings(CONFIG.words, *CONFIG.words.VOCABULARY),
        folder=subpath(input.tokenizer, parent=True),
        unseen=unseen_labels,
        scale=SCALE,
    message:
        "Describe the G-grams of {wildcards.model}"
    shell:
        "logged {log} genezip evaluate word-vocabulary --tokenizer {params.folder} "
        "--ggrams {input.ggrams} --source {input.source} --regions {input.regions} "
        "--exclusions {input.exclusions} {params.unseen} --name {wildcards.model} "
        "--settings {params.settings:q} --scale {params.scale} --out {output.table} "
        "--frequent {output.frequent}"
