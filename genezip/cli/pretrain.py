"""``genezip pretrain`` and ``pretrain-words``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from genezip.cli import options


def pretrain(
    corpus: options.Corpus,
    architecture: Annotated[str, typer.Option(help=options.ARCHITECTURE)],
    out: options.ModelFolder,
    name: options.ModelName,
    region_preset: Annotated[str | None, typer.Option(help=options.REGION_PRESET)] = None,
    uniform_bpt: Annotated[float | None, typer.Option(help="One target for all bases.")] = None,
    match_bpt: Annotated[
        str | None,
        typer.Option(help="Uniform target equal to this preset's expected BPT on validation DNA."),
    ] = None,
    settings: Annotated[str | None, options.section("pretrain")] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights and sampling.")] = 0,
    scale: options.Scale = "full",
    threads: options.SharedThreads = 1,
    checkpoints: options.Checkpoints = None,
    init_from: Annotated[
        Path | None, typer.Option(help="Model folder with the initial weights.")
    ] = None,
    guide: Annotated[
        Path | None,
        typer.Option(help="Model folder whose tokens a guided router rearranges."),
    ] = None,
    compressor: Annotated[
        Literal["genezip", "dnahnet", "ldarnet"],
        typer.Option(help="Kind of network, which is written to config.json."),
    ] = "genezip",
    stage_bpt: Annotated[
        list[float] | None,
        typer.Option(
            help="Positions per token of a stage, one option per stage: how the stages share the "
            "target. By default those of the architecture, or an even split."
        ),
    ] = None,
) -> None:
    """Train a model on a corpus; after Ctrl-C the same command resumes.

    Several GPUs train together when torchrun starts the command:
    torchrun --standalone --nproc-per-node 8 -m genezip pretrain ...

    \b
    Example:
      genezip pretrain --corpus corpus/manifest.json \\
        --architecture genezip-tiny --region-preset transcript_balanced \\
        --settings config/demo.yaml --name mine --out mine
    """
    import torch

    from genezip import config
    from genezip.models.hnet.architecture import load_architecture
    from genezip.training.ranks import launched
    from genezip.training.setup import prepare, targets_of

    with launched() as ranks:
        torch.set_num_threads(max(1, threads // ranks.local_world))
        with ranks.together():
            load_architecture(architecture)  # reports a wrong name before reading the corpus
            prepared = prepare(
                corpus=corpus,
                architecture=architecture,
                targets=targets_of(corpus, region_preset, uniform_bpt, match_bpt),
                settings=config.settings(config.Pretrain, settings),
                seed=seed,
                name=name,
                scale=scale,
                init_from=init_from,
                guide=guide,
                compressor=compressor,
                stage_bpt=stage_bpt or (),
            )
        prepared.train(out, checkpoints or out.parent / "checkpoints" / out.name, ranks)


def pretrain_words(
    corpus: options.Corpus,
    architecture: Annotated[
        str, typer.Option(help="Layout of words: a preset (`genezip models`) or a YAML file.")
    ],
    tokenizer: Annotated[Path, typer.Option(help="Model folder of the vocabulary (bpe).")],
    out: options.ModelFolder,
    name: options.ModelName,
    ggrams: Annotated[
        Path | None,
        typer.Option(help="G-grams mined with it (`tokenizer ggrams`); none without."),
    ] = None,
    settings: Annotated[
        str | None,
        typer.Option(help="Section `pretrain` with `masking`: JSON or a YAML file with it."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights, sampling and masks.")] = 0,
    scale: options.Scale = "full",
    threads: options.SharedThreads = 1,
    checkpoints: options.Checkpoints = None,
) -> None:
    """Train a network on words and phrases of DNA (DNAZEN); Ctrl-C is resumed.

    \b
    Example:
      genezip pretrain-words --corpus corpus/manifest.json \\
        --architecture dnazen-tiny --tokenizer bpe --ggrams ggrams.json \\
        --name mine --out mine
    """
    import torch

    from genezip import config
    from genezip.training.ranks import launched
    from genezip.training.words.setup import prepare_words

    with launched() as ranks:
        torch.set_num_threads(max(1, threads // ranks.local_world))
        with ranks.together():
            run = prepare_words(
                corpus=corpus,
                architecture=architecture,
                tokenizer=tokenizer,
                ggrams=ggrams,
                settings=config.settings(config.WordsPretrain, settings),
                seed=seed,
                name=name,
                scale=scale,
            )
        run.train(out, checkpoints or out.parent / "checkpoints" / out.name, ranks)
