"""The README of a model folder, with the head that the Hugging Face hub reads."""

import json
from collections.abc import Sequence
from typing import Any

from genezip.models.pretrained import ModelCard
from genezip.region_classes import RegionClasses

# Kind of network -> its method, and the lines that open a folder.
METHODS = {
    "genezip": (
        "the GeneZip method (arXiv 2602.17739)",
        "from genezip import GeneZip",
        "GeneZip.from_pretrained",
    ),
    "dnahnet": ("dnaHNet (arXiv 2602.10603)", "import genezip as gz", "gz.load"),
    "ldarnet": ("LDARNet (arXiv 2606.04552)", "import genezip as gz", "gz.load"),
}

METRICS = {
    "ppl": "perplexity",
    "mask_bits": "bits per masked base",
    "mask_accuracy": "share of masked bases predicted right",
    "masked_bpt": "bp per token with masks",
    "bpt": "bp per token",
    "expected_bpt": "bp per token asked for",
    "promoter_enrichment": "token enrichment in promoters",
    "genic_enrichment": "token enrichment in genes",
    "intergenic_enrichment": "token enrichment in introns and between genes",
    "bound_bit": "share of windows where a bound changed the tokens",
}

# arXiv number of each method, which the hub links.
PAPERS = {"genezip": "2602.17739", "dnahnet": "2602.10603", "ldarnet": "2606.04552"}


def yaml_head(kind: str, licence: str | None = None, tags: Sequence[str] = ()) -> str:
    """The YAML head of a card: library, task, tags, and the licence if one is given.

    Strings are quoted as JSON, which YAML includes.
    """
    every = ["dna", "genomics", "tokenization", "compression", kind, *tags]
    if kind in PAPERS:
        every.append(f"arxiv:{PAPERS[kind]}")
    lines = ["---", "library_name: genezip", "pipeline_tag: feature-extraction"]
    if licence is not None:
        lines.append(f"license: {json.dumps(licence)}")
    return "\n".join([*lines, "tags:", *(f"- {json.dumps(tag)}" for tag in every), "---", ""])


# Metric by which the best weights are chosen, and its name.
BEST_OF = {"ppl": "perplexity", "mask_bits": "loss in bits per masked base"}


def model_card(card: ModelCard, parameters: int) -> str:
    """Markdown model card; ``card`` is read from the model folder, so it has the weight hashes."""
    training = card.training
    if "settings" not in training:
        return _plain_card(card, parameters)
    settings = training["settings"]
    method, first, opened = METHODS[card.compressor]
    labels = RegionClasses.from_json(training.get("classes", [])).labels
    targets = "\n".join(
        f"| {labels[name]} | {value:.1f} |" for name, value in card.target_bpt.items()
    )
    hashes = "\n".join(f"| `{name}` | `{value}` |" for name, value in training["sha256"].items())
    return f"""{yaml_head(card.compressor)}
# {card.name}, seed {card.seed}

DNA compressor of {method}: {parameters:,} parameters,
trained for {settings["steps"]:,} steps of {settings["batch"]} windows{_begun(training)}.
{_guided(training)}
```python
{first}

model = {opened}("path/to/this/folder")
z = model.compress("ACGT" * 3000)
z.tokens, z.chunk_bp, z.boundary_prob
```

Annotation was used in training only; compression needs raw DNA alone.

## Data

{_data(training)}

| region | target bp per token |
|---|---|
{targets}
{_stages(card)}
## Metrics

{_metrics(training)}

## Files

`model.safetensors` are the weights after the last step, `best.safetensors` those of the lowest
validation {_best(training)}. `config.json` holds architecture, targets, settings and versions.

| file | sha256 |
|---|---|
{hashes}
"""


def _plain_card(card: ModelCard, parameters: int) -> str:
    """The card of a network that was not trained by this package."""
    method, first, opened = METHODS[card.compressor]
    return f"""{yaml_head(card.compressor)}
# {card.name}

DNA compressor of {method}: {parameters:,} parameters, not trained by genezip.

```python
{first}

model = {opened}("path/to/this/folder")
```

`config.json` holds architecture, targets and the hashes of the weights.
"""


def _stages(card: ModelCard) -> str:
    """Sentence on the shares of the stages in the target, if they are not even."""
    if not card.architecture.stage_bpt:
        return ""
    given = " x ".join(f"{bpt:g}" for bpt in card.architecture.stage_bpt)
    return f"\nThe stages share a target in the proportions of {given} positions per token.\n"


def _best_key(training: dict[str, Any]) -> str:
    return next((key for key in BEST_OF if f"best_valid_{key}" in training), "ppl")


def _best(training: dict[str, Any]) -> str:
    return BEST_OF[_best_key(training)]


def _begun(training: dict[str, Any]) -> str:
    first = training.get("init_from")
    if not first:
        return ""
    return f",\nfrom the weights of {first['name']}, seed {first['seed']} (`{first['sha256']}`)"


def _guided(training: dict[str, Any]) -> str:
    guide = training.get("guide")
    if not guide:
        return ""
    return (
        f"Every sequence has as many tokens as under {guide['name']}, seed {guide['seed']}\n"
        f"(`{guide['sha256']}`), at other positions: a control of learned boundaries.\n"
    )


def _data(training: dict[str, Any]) -> str:
    windows = training.get("windows")
    count = f"{windows['train']:,} windows of {windows['window_bp']:,} bp from " if windows else ""
    return (
        f"{count}the source `{training.get('source', 'unknown')}` (scale "
        f"`{training.get('scale', 'unknown')}`), corpus manifest\n"
        f"`{training.get('corpus_sha256', 'unknown')}`."
    )


def _metrics(training: dict[str, Any]) -> str:
    valid, best = training.get("valid"), training.get(f"best_valid_{_best_key(training)}")
    if not valid:
        return "Not measured: the corpus has no validation windows."
    rows = [
        f"| {words} | {valid[key]:.4f} |"
        for key, words in METRICS.items()
        if valid.get(key) is not None
    ]
    lowest = f"; the lowest {_best(training)} on the way was {best:.4f}" if best is not None else ""
    return (
        f"On {valid['windows']:,} validation windows after the last step{lowest}.\n\n"
        "| metric | value |\n|---|---|\n" + "\n".join(rows)
    )
