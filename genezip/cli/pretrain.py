"""``genezip pretrain``."""

from pathlib import Path
from typing import Annotated

import typer


def register(root: typer.Typer) -> None:
    """Add these commands to the root command."""
    root.command()(pretrain)


def pretrain(
    corpus: Annotated[Path, typer.Option(help="manifest.json of the corpus")],
    architecture: Annotated[Path, typer.Option(help="config/models/NAME.yaml")],
    out: Annotated[Path, typer.Option(help="model folder to write")],
    name: Annotated[str, typer.Option(help="model name")],
    region_preset: Annotated[
        Path | None, typer.Option(help="config/regions/NAME.yaml: region budget")
    ] = None,
    uniform_bpt: Annotated[float | None, typer.Option(help="the same target everywhere")] = None,
    match_bpt: Annotated[
        Path | None,
        typer.Option(help="uniform target equal to this preset's expected BPT on validation DNA"),
    ] = None,
    settings: Annotated[str | None, typer.Option(help="section `pretrain`: JSON or YAML")] = None,
    seed: Annotated[int, typer.Option(help="seed of weights and sampling")] = 0,
    scale: Annotated[str, typer.Option(help="full, demo or test; stamped on the model")] = "full",
    threads: Annotated[int, typer.Option(help="CPU threads, shared by all processes")] = 1,
    checkpoints: Annotated[
        Path | None, typer.Option(help="folder of resumable checkpoints")
    ] = None,
    init_from: Annotated[
        Path | None, typer.Option(help="model folder whose weights training begins with")
    ] = None,
) -> None:
    """Train a model on a corpus; Ctrl-C stops it, the same command goes on.

    On several GPUs: torchrun --standalone --nproc-per-node 8 -m genezip pretrain ...
    """
    import torch

    from genezip import config
    from genezip.models.hnet.architecture import load_architecture
    from genezip.training.ranks import launched
    from genezip.training.setup import prepare, targets_of

    with launched() as ranks:
        torch.set_num_threads(max(1, threads // ranks.local_world))
        with ranks.together():
            load_architecture(architecture)  # a wrong name is said before the corpus is read
            prepared = prepare(
                corpus=corpus,
                architecture=architecture,
                targets=targets_of(corpus, region_preset, uniform_bpt, match_bpt),
                settings=config.settings(config.Pretrain, settings),
                seed=seed,
                name=name,
                scale=scale,
                init_from=init_from,
            )
        prepared.train(out, checkpoints or out.parent / "checkpoints" / out.name, ranks)
