"""The README of a model folder, written from what the run knows."""

from genezip.models.pretrained import ModelCard
from genezip.taxonomy import LABELS


def model_card(card: ModelCard, parameters: int) -> str:
    """Markdown model card."""
    training = card.training
    settings = training["settings"]
    targets = "\n".join(
        f"| {LABELS[name]} | {value:.1f} |" for name, value in card.target_bpt.items()
    )
    source = training.get("source", "unknown")
    best = training.get("best_valid_ppl")
    ppl = "not measured" if best is None else f"{best:.4f}"
    return f"""# {card.name}, seed {card.seed}

DNA compressor of the GeneZip method (arXiv 2602.17739): {parameters:,} parameters,
trained for {settings["steps"]:,} steps of {settings["batch"]} windows on data from
`{source}` (scale `{training.get("scale", "unknown")}`). Best validation perplexity: {ppl}.

| region | target bp per token |
|---|---|
{targets}

```python
from genezip import GeneZip

model = GeneZip.from_pretrained("path/to/this/folder")
z = model.compress("ACGT" * 3000)
z.tokens, z.chunk_bp, z.boundary_prob
```

Annotation was used in training only; compression needs raw DNA alone. `model.safetensors`
are the weights after the last step, `best.safetensors` those of the lowest validation
perplexity. `config.json` holds architecture, targets, settings and versions.
"""
