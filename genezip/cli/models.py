"""``genezip models``, ``tokenizer fixed | bpe | ggrams`` and ``weights import | export``."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from genezip.cli import options

logger = logging.getLogger(__name__)
tokenizer = typer.Typer(
    help="Tokenisers without a network: fixed length, BPE, and G-grams of its words.",
    no_args_is_help=True,
)
weights = typer.Typer(help="Weights of others, and yours for others.", no_args_is_help=True)


def models(
    folder: Annotated[
        Path | None, typer.Option(help="Architectures of yours, one YAML each.")
    ] = None,
    regions: Annotated[
        Path | None, typer.Option(help="Region budgets of yours, one YAML each.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write JSON here; print nothing.")] = None,
) -> None:
    """List every preset: layout, routers, bound and exact size; region budgets; words.

    Layout: m15 768 is a stack of 15 Mamba-2 layers of width 768; encoders, trunk,
    decoders. A budget may have user classes; - marks a class without target.

    \b
    Example:
      genezip models
    """
    import json
    from dataclasses import asdict

    from genezip.artifacts.files import write_text
    from genezip.models.presets import model_presets, region_presets, words_presets
    from genezip.region_classes import CLASSES

    architectures, budgets = model_presets(folder), region_presets(regions)
    networks = words_presets()
    if as_json or out:
        found = {
            "models": [asdict(preset) for preset in architectures],
            "words": [asdict(preset) for preset in networks],
            "regions": [
                {"name": name, "base_bpt": preset.base_bpt, "target_bpt": preset.target_bpt()}
                for name, preset in budgets.items()
            ],
        }
        text = json.dumps(found, indent=2)
        if out:
            write_text(out, f"{text}\n")
        else:
            typer.echo(text)
        return
    rows = [["model", "parameters", "layout", "routers", "bound"]]
    rows += [[p.name, f"{p.parameters:,}", p.layout, p.routers, p.bound] for p in architectures]
    typer.echo(_table(rows, numbers={1}))
    typer.echo("\nTarget bp per token of each region class:\n")
    targets = {name: preset.target_bpt() for name, preset in budgets.items()}
    own = [name for given in targets.values() for name in given if name not in CLASSES]
    classes = (*CLASSES, *dict.fromkeys(own))
    rows = [["regions", "base", *classes]]
    for name, preset in budgets.items():
        cells = [f"{targets[name][key]:g}" if key in targets[name] else "-" for key in classes]
        rows.append([name, f"{preset.base_bpt:g}", *cells])
    typer.echo(_table(rows, numbers=set(range(1, len(rows[0])))))
    typer.echo("\nNetworks on words, with as many words and G-grams as published (DNAZEN):\n")
    rows = [["words", "parameters", "layers", "width", "G-gram layers", "words", "G-grams"]]
    for one in networks:
        shape = one.architecture
        numbers = (one.parameters, shape.layers, shape.width, shape.ggram_layers)
        sizes = (shape.vocabulary, shape.ggrams or 0)
        rows.append([one.name, *(f"{number:,}" for number in (*numbers, *sizes))])
    typer.echo(_table(rows, numbers=set(range(1, len(rows[0])))))


@tokenizer.command()
def fixed(
    settings: Annotated[
        str, typer.Option(help='Entry of `models`: JSON or YAML, as {"stride": 16}.')
    ],
    out: options.ModelFolder,
    name: options.ModelName,
    scale: options.Scale = "full",
) -> None:
    """Write a model with tokens of equal length; `fixed:16` in place of a folder is the same.

    Up to 6 bases per token, tokens have the ids of k-mers.

    \b
    Example:
      genezip tokenizer fixed --settings '{"stride": 16}' \\
        --name fixed-16 --out fixed-16
    """
    from genezip import config
    from genezip.models.fixed.compressor import Fixed

    stride = config.settings(config.FixedEntry, settings).stride
    Fixed(stride, name, seed=0, facts={"scale": scale}).save(out)


@tokenizer.command()
def bpe(
    corpus: options.Corpus,
    out: options.ModelFolder,
    name: options.ModelName,
    settings: Annotated[
        str | None, typer.Option(help="Entry of `models`: JSON or YAML; all keys have defaults.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of the training windows; default: that of the entry."),
    ] = None,
    scale: options.Scale = "full",
) -> None:
    """Fit a vocabulary of byte-pair encoding on the training windows of a corpus.

    The same corpus, settings and seed give the same tokenizer.json, byte for
    byte. transformers opens the folder with AutoTokenizer.from_pretrained.

    \b
    Example:
      genezip tokenizer bpe --corpus corpus/manifest.json --name bpe --out bpe
    """
    from collections.abc import Iterator
    from importlib.metadata import version

    import numpy as np

    from genezip import config
    from genezip.alphabet import is_base
    from genezip.artifacts.files import sha256_file
    from genezip.corpus.corpus import CorpusReader
    from genezip.corpus.stream import sampled
    from genezip.log import Progress
    from genezip.models.bpe.compressor import BPE
    from genezip.models.bpe.vocabulary import fit_tokenizer

    chosen = config.settings(config.BPEEntry, settings)
    seed = chosen.seed if seed is None else seed
    reader = CorpusReader(corpus)
    with Progress("reading training DNA", chosen.bases, "bp") as shown:

        def windows() -> Iterator[np.ndarray]:
            for ids in sampled(reader, chosen.bases, seed):
                shown.advance(int(is_base(ids).sum()))
                yield ids
            logger.info(f"{name}: {shown.done:,} bases are read; merging pairs into tokens")

        fitted = fit_tokenizer(windows(), chosen.vocabulary, chosen.block_bp)
    facts = {
        "scale": scale,
        "source": reader.manifest["source"],
        "corpus_sha256": sha256_file(corpus),
        "bases": shown.done,
        "tokenizers": version("tokenizers"),
    }
    BPE(fitted, chosen.block_bp, name, seed, facts).save(out)
    logger.info(f"{out}: {chosen.vocabulary:,} tokens fitted on {shown.done:,} bases")


@tokenizer.command()
def ggrams(
    tokenizer: Annotated[Path, typer.Option(help="Model folder of a vocabulary (bpe).")],
    source: options.Source,
    out: Annotated[Path, typer.Option(help="Table of G-grams to write (JSON).")],
    settings: Annotated[
        str | None,
        typer.Option(
            help="Keys `ggrams` of an entry of `models`: JSON or YAML; all have defaults."
        ),
    ] = None,
    most_bp: Annotated[
        int, typer.Option(help="Training bases at most, in evenly spaced stretches.")
    ] = 100_000_000,
    exclusions: options.Exclusions = None,
    labels: options.Labels = None,
    sets: options.LabelledSets = None,
    seed: Annotated[int, typer.Option(help="Seed of random G-grams.")] = 0,
) -> None:
    """Mine G-grams: runs of words that occur together more often than by chance.

    Only training segments are read, without the excluded intervals and without
    stretches of labelled test sequences. The same input gives the same file.

    \b
    Example:
      genezip tokenizer ggrams --tokenizer bpe \\
        --source resources/source.json --out ggrams.json
    """
    from dataclasses import replace

    from genezip import config
    from genezip.evaluation.words.vocabulary import mine_words, mining_words
    from genezip.genome.sources.source import Source
    from genezip.models.bpe.compressor import BPE

    mining = config.settings(config.Mining, settings)
    words, opened = BPE.from_pretrained(tokenizer), Source.load(source)
    evaluated = options.evaluated(labels, sets)
    found = mining_words(opened, words, mining, most_bp, exclusions, evaluated)
    table = mine_words(found, words, mining, seed)
    facts = {
        **table.facts,
        "tokenizer_sha256": words.sha256,
        "mining": mining.model_dump(),
        "source": opened.kind,
        "most_bp": most_bp,
        "seed": seed if mining.random else None,
        "evaluated": {"sequences": len(evaluated), "shared_bp": found.shared_bp},
    }
    replace(table, facts=facts).save(out)
    kind = "random" if mining.random else f"threshold {mining.threshold:g}"
    logger.info(f"{out}: {len(table):,} G-grams ({kind}) of {facts['mined_tokens']:,} words")


@weights.command("import")
def import_weights(
    source: Annotated[
        str, typer.Argument(help="Weight file, folder with one, or hub id owner/name@revision.")
    ],
    out: options.ModelFolder,
    name: Annotated[str | None, typer.Option(help="Model name; default: from the source.")] = None,
    region_preset: Annotated[
        str | None,
        typer.Option(
            help=f"For weights without hydra_cfg.yaml. {options.REGION_PRESET} "
            "Default: transcript-balanced, base 32."
        ),
    ] = None,
    compressor: Annotated[
        Literal["genezip", "ldarnet"], typer.Option(help="Whose release the weights are of.")
    ] = "genezip",
) -> None:
    """Read weights of the authors' release into a model folder, checking every tensor.

    \b
    Example:
      genezip weights import pytorch_model.bin --out published
    """
    from genezip import config
    from genezip.errors import GenezipError
    from genezip.models.genezip.release import import_release
    from genezip.models.ldarnet import release as ldarnet

    if compressor == "ldarnet":
        if region_preset is not None:
            raise GenezipError("LDARNet has one target for all bases; leave --region-preset out")
        card = ldarnet.import_release(source, out, name)
        widths = ", ".join(map(str, card.architecture.d_model))
        typer.echo(f"{card.name} in {out}: widths {widths}; targets: {card.training['targets']}")
        return
    targets = None
    if region_preset is not None:
        targets = config.region_preset(region_preset).target_bpt()
    card = import_release(source, out, name, targets)
    typer.echo(
        f"{card.name} in {out}: widths {', '.join(map(str, card.architecture.d_model))}; "
        f"targets: {card.training['targets']}; bounds: {card.training['bounds']}"
    )


@weights.command()
def adopt(
    source: Annotated[
        str, typer.Argument(help="Model folder, hub id, or class of yours as module:Class.")
    ],
    name: options.ModelName,
    out: options.ModelFolder,
) -> None:
    """Copy a model under another name, or give a class of yours a model folder.

    \b
    Example:
      genezip weights adopt pretrain/dnahnet-tiny.seed0 \\
        --name dnahnet-bacteria --out dnahnet-bacteria
    """
    from genezip.models.adopted import adopt as write

    write(source, name, out)


@weights.command()
def export(
    model: Annotated[Path, typer.Argument(help="Model folder of `genezip pretrain`.")],
    out: options.ModelFolder,
    results: Annotated[
        Path, typer.Option(help="Folder with the tables of held-out DNA (results/compress).")
    ],
    source: options.Source,
    command: Annotated[str, typer.Option(help="The command that made the model, for the card.")],
    licence: Annotated[str, typer.Option(help="Licence of the weights (SPDX).")],
    beside: Annotated[
        list[str] | None,
        typer.Option(help="Models of the tables, for paired differences in the card."),
    ] = None,
    bound: options.Bound = None,
) -> None:
    """Write a trained network for others: weights, configuration, a card with its scores.

    \b
    Example:
      genezip weights export results/pretrain/mine.seed0 --out mine \\
        --results results/compress --source resources/source.json \\
        --command 'make mine' --licence Apache-2.0 --bound causal
    """
    from typing import cast

    from genezip.genome.sources.source import Source
    from genezip.models.export import Origin, export_model
    from genezip.models.hnet.architecture import BoundKind

    origin = Origin(Source.load(source).raw["files"], command, licence)
    card = export_model(model, out, results, origin, beside or (), cast(BoundKind | None, bound))
    typer.echo(f"{card.name} in {out}")


def _table(rows: Sequence[Sequence[str]], numbers: set[int]) -> str:
    """Columns of equal width, two spaces apart; those in ``numbers`` are right-aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if number in numbers else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
