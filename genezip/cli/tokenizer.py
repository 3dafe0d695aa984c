"""``genezip tokenizer fixed | bpe``: model folders of what is no network."""

import logging
from pathlib import Path
from typing import Annotated

import typer

logger = logging.getLogger(__name__)

app = typer.Typer(
    help="Tokens to compare with: of equal length, or words fitted on training DNA.",
    no_args_is_help=True,
)

Out = Annotated[Path, typer.Option(help="model folder to write")]
Scale = Annotated[str, typer.Option(help="full, demo or test; stamped on the model")]


def register(root: typer.Typer) -> None:
    """Add these commands to the root command."""
    root.add_typer(app, name="tokenizer")


@app.command()
def fixed(
    settings: Annotated[
        str, typer.Option(help='entry of `models`: JSON or YAML, as {"stride": 16}')
    ],
    out: Out,
    name: Annotated[str, typer.Option(help="model name")],
    scale: Scale = "full",
) -> None:
    """Write a model with a token every so many bases; `fixed:16` in place of a folder is the same.

    Up to 6 bases per token, tokens have ids: those of k-mers.
    """
    from genezip import config
    from genezip.models.fixed.compressor import Fixed

    stride = config.settings(config.FixedEntry, settings).stride
    Fixed(stride, name, seed=0, facts={"scale": scale}).save(out)


@app.command()
def bpe(
    corpus: Annotated[Path, typer.Option(help="manifest.json of the corpus")],
    out: Out,
    name: Annotated[str, typer.Option(help="model name")],
    settings: Annotated[
        str | None, typer.Option(help="entry of `models`: JSON or YAML; all keys have defaults")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="chooses the training windows; that of the entry by default")
    ] = None,
    scale: Scale = "full",
) -> None:
    """Fit a vocabulary of byte-pair encoding on the training windows of a corpus.

    The same corpus, settings and seed give the same tokenizer.json, byte for byte. transformers
    opens the folder with AutoTokenizer.from_pretrained.
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
            logger.info(f"{name}: {shown.done:,} bases are read; merging pairs into words")

        tokenizer = fit_tokenizer(windows(), chosen.vocabulary, chosen.block_bp)
    facts = {
        "scale": scale,
        "source": reader.manifest["source"],
        "corpus_sha256": sha256_file(corpus),
        "bases": shown.done,
        "tokenizers": version("tokenizers"),
    }
    BPE(tokenizer, chosen.block_bp, name, seed, facts).save(out)
    logger.info(f"{out}: {chosen.vocabulary:,} tokens fitted on {shown.done:,} bases")
