"""A trained network as a folder to give to others: the weights, and a card with measured numbers.

The card says what the model is, on which DNA it was trained (with licences and hashes), the command
that made it, and what was measured on held-out DNA, beside the baselines of the same table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from genezip.artifacts.files import write_text
from genezip.artifacts.folder import replaced_folder
from genezip.artifacts.scores import (
    GC_ROUTER,
    MIXING,
    Metric,
    difference_of,
    markov_name,
    under_bound,
    with_mixing,
)
from genezip.artifacts.tables import read_tsv
from genezip.errors import GenezipError
from genezip.models import CARD, CONFIG
from genezip.models.card import yaml_head
from genezip.models.hnet.architecture import BoundKind
from genezip.models.pretrained import WEIGHTS, ModelCard, load_card, load_network, save_pretrained
from genezip.region_classes import RegionClasses

TABLES = ("compression.tsv", "comparisons.tsv", "markov.tsv")
"""Results of held-out DNA in the folder ``results/compress`` of a workflow."""


@dataclass(frozen=True)
class Origin:
    """What a card says of a model's origin.

    ``files`` are the entries of ``source.json`` of the training DNA, ``command`` makes the model
    from nothing, and ``licence`` is an identifier of SPDX for the weights.
    """

    files: Sequence[Mapping[str, Any]]
    command: str
    licence: str


def export_model(
    folder: str | Path,
    out: str | Path,
    results: str | Path,
    origin: Origin,
    beside: Sequence[str] = (),
    bound: BoundKind | None = None,
) -> ModelCard:
    """Write the weights of a trained network, its configuration and a card with its scores.

    Parameters
    ----------
    folder : model folder of ``genezip pretrain``
    out : folder to write, which may hold an earlier export
    results : folder with the tables of held-out DNA (:data:`TABLES`)
    beside : names of other models of these tables, for paired differences in the card
    bound : bound on tokens that the exported model has; None for that of training. Scores are read
        of the model under this bound
    """
    network, card = load_network(folder)
    shape = card.architecture
    if bound is not None and bound != shape.bound:
        unlimited = (None,) * shape.n_stages
        shape = replace(shape, bound=bound, k_min=unlimited, k_max=unlimited)
    tables = {name: read_tsv(Path(results) / name) for name in TABLES}
    training = {key: value for key, value in card.training.items() if key != "sha256"}
    exported = replace(card, architecture=shape, training=training)
    scored = (
        card.name if shape.bound == card.architecture.bound else under_bound(card.name, shape.bound)
    )
    parameters = network.count_parameters()
    with replaced_folder(Path(out), (CONFIG, WEIGHTS, CARD)) as draft:
        save_pretrained(draft, network, exported)
        written = load_card(draft)
        scores = _Scores(tables, scored, card.name, tuple(beside))
        write_text(draft / CARD, _text(written, parameters, scores, origin))
    return exported


class _Scores:
    """Rows of the tables on strand ``+`` of the test windows, as text."""

    def __init__(
        self, tables: Mapping[str, pd.DataFrame], model: str, plain: str, beside: tuple[str, ...]
    ) -> None:
        frames = [
            frame[(frame.strand == "+") & (frame.subset == "all")] for frame in tables.values()
        ]
        self.rows = pd.concat(frames)
        self.model, self.plain, self.beside = model, plain, beside

    def row(self, model: str, metric: str, region: str = "all") -> pd.Series:
        """The one row of a model, metric and region; missing rows are refused."""
        rows = self.rows
        found = rows[(rows.model == model) & (rows.metric == metric) & (rows.region == region)]
        if len(found) != 1:
            raise GenezipError(
                f"the tables have {len(found)} rows of {model}, {metric}, {region}; make them with "
                "this model and the others that the card names"
            )
        return found.iloc[0]

    def cell(self, model: str, metric: str, region: str = "all", digits: int = 3) -> str:
        """A value with its interval."""
        row = self.row(model, metric, region)
        value, low, high = (f"{row[key]:.{digits}f}" for key in ("value", "ci_low", "ci_high"))
        return f"{value} ({low} to {high})"

    @property
    def best_order(self) -> int:
        """Order of the Markov model that is best on validation DNA."""
        return int(self.row("markov", Metric.BEST_ORDER).value)

    def against_mixing(self) -> str:
        """Whether the context-mixing model predicts bases better, by the paired difference."""
        pair = self.row(difference_of(self.plain, MIXING), Metric.BITS_DIFFERENCE)
        bits = f"{abs(pair.value):.3f} bits per base"
        if pair.ci_low > 0:
            return (
                f"A context-mixing model, which only counts, predicts bases better, by {bits}. The "
                "use of\nthis model is its tokens."
            )
        if pair.ci_high < 0:
            return f"It predicts bases better than a context-mixing model, by {bits}."
        return "A context-mixing model, which only counts, predicts bases as well."

    def lines(self) -> list[tuple[str, str]]:
        """What was measured, and the value."""
        name, bits = self.model, Metric.BITS_PER_BASE
        markov = markov_name(self.best_order)
        found = [
            ("perplexity", self.cell(name, Metric.PPL)),
            ("bits per base", self.cell(name, bits)),
            (
                f"bits per base of a Markov model of order {self.best_order}",
                self.cell(markov, bits),
            ),
            ("bits per base of a context-mixing model", self.cell(MIXING, bits)),
            ("bits per base of both mixed", self.cell(with_mixing(name), bits)),
            ("bases per token", self.cell(name, "bpt", digits=1)),
        ]
        for region, words in (("promoter", "promoters"), ("genic", "genes")):
            found.append((f"token enrichment in {words}", self.cell(name, "enrichment", region, 2)))
        router = self.cell(GC_ROUTER, "enrichment", "promoter", 2)
        found.append(("token enrichment in promoters of a rule of GC and CpG content", router))
        for other in self.beside:
            pair = difference_of(self.plain, other)
            words = f"perplexity minus that of {other}, window by window"
            found.append((words, self.cell(pair, Metric.PPL_DIFFERENCE, digits=4)))
        return found


def _text(card: ModelCard, parameters: int, scores: _Scores, origin: Origin) -> str:
    training = card.training
    settings, windows = training["settings"], training["windows"]
    minutes, drawn = training["seconds"] / 60, f"{windows['train']:,}"
    labels = RegionClasses.from_json(training.get("classes", [])).labels
    wanted = [f"{labels[name]} {value:g}" for name, value in card.target_bpt.items()]
    targets = f"{', '.join(wanted[:4])},\n{', '.join(wanted[4:])}"
    measured = "\n".join(f"| {words} | {value} |" for words, value in scores.lines())
    n = scores.row(scores.model, Metric.PPL)
    first_of = {one["origin"]: one for one in reversed(origin.files)}  # others are made of it
    sources = "\n".join(
        f"| {one['origin']} | {one['release']} | {one['licence']} | `{one['path']}` | "
        f"`{one['sha256']}` |"
        for one in reversed(first_of.values())
    )
    hashes = "\n".join(f"| `{name}` | `{value}` |" for name, value in training["sha256"].items())
    versions = ", ".join(f"{name} {training['versions'][name]}" for name in ("genezip", "torch"))
    return f"""{yaml_head(card.compressor, origin.licence)}
# {card.name}

A small model that cuts DNA into tokens: short chunks where its training found promoters and coding
DNA, long ones elsewhere. {parameters:,} parameters, made for a CPU. The method is GeneZip (arXiv
2602.17739); this model was trained by genezip on little DNA and is not one of the authors'.

```python
import genezip as gz

model = gz.load("{card.name}")
z = model.compress("ACGT" * 3000)
print(z.bpt, z.token_starts, z.boundary_prob)
```

Annotation was used in training only. The bound on tokens is `{card.architecture.bound}`.

## Measured

On {int(n.n):,} held-out windows of human DNA, strand +, with 95 % intervals over blocks of DNA; one
training run (seed {card.seed}).

| what | value |
|---|---|
{measured}

{scores.against_mixing()}

## Training

{settings["steps"]:,} steps of {settings["batch"]} x {windows["window_bp"]:,} bp, from {drawn}
windows, in {settings["precision"]}: {minutes:.0f} minutes on a CPU ({versions}).
Wanted bases per token: {targets}.

```sh
{origin.command}
```

| source | release | licence | file | its sha256 |
|---|---|---|---|---|
{sources}

The corpus manifest has the sha256 `{training["corpus_sha256"]}`. `config.json` has all settings.

## Files

The licence of the weights is {origin.licence}.

| file | sha256 |
|---|---|
{hashes}
"""
