"""Write docs/api.md from the docstrings of the public names; ``make generated`` calls it."""

import inspect
import re
import sys
from dataclasses import is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import genezip

PAGE = Path(__file__).with_name("api.md")

GROUPS = {
    "Open a model and cut DNA into tokens": (
        "load", "Compressor", "Compressed", "Likelihood", "Embedding", "Stream", "GeneZip",
    ),
    "Add a system": ("models", "PlainCompressor", "ids_of", "tokens_at"),
    "Put questions to systems": ("tasks", "Task", "LabelledSequences", "labelled"),
    "Pictures": ("plot_region", "Picture"),
    "Whole files": ("compress_fasta", "embed_regions", "score_variants", "read_compressed"),
    "Genomes and region classes": (
        "Genome", "Annotation", "read_gene_models", "Regions", "RegionClasses", "RegionMap",
        "build_region_map", "Source",
    ),
    "Training DNA": ("Corpus",),
    "What goes wrong": ("GenezipError",),
}  # fmt: skip

HEAD = """# The Python interface

<!-- Written by docs/make_api.py from the docstrings; change those and run `make generated`. -->

```python
import genezip as gz

model = gz.load("runs/demo/results/pretrain/genezip-tiny.seed0", bound="causal")
(z,) = model.encode(["ACGTTGCA" * 1000])
print(z.bpt, z.token_starts, z.tokens.shape)
print(model.log_likelihood(["ACGTTGCA" * 1000])[0].bits_per_base)
```

These names are the public interface, and nothing else is: other modules may move without notice.
Positions are 0-based, intervals half-open, lengths in bp. Wrong input raises `GenezipError`, whose
text is one sentence: what is wrong, where, and what to do.
"""


def page() -> str:
    """The whole page."""
    named = [name for names in GROUPS.values() for name in names]
    assert sorted([*named, "__version__"]) == sorted(genezip.__all__), "a name has no group"
    parts = [HEAD]
    for title, names in GROUPS.items():
        parts.append(f"## {title}\n")
        parts += [entry(name, getattr(genezip, name)) for name in names]
    return "\n".join(parts)


def entry(name: str, value: Any) -> str:
    """A public name: signature, docstring, and for a class its public methods."""
    if isinstance(value, ModuleType):
        registry = ", ".join(f"`{system}`" for system in value.REGISTRY)
        return (
            f"### `gz.{name}`\n\n{text(value.__doc__)}\n\n`gz.{name}.REGISTRY` holds {registry}.\n"
        )
    if not inspect.isclass(value):
        return f"### `gz.{name}{signature(value)}`\n\n{text(value.__doc__)}\n"
    # a record's fields stand under Attributes
    bare = is_dataclass(value) or getattr(value, "_is_protocol", False)
    shown = "" if bare or issubclass(value, Exception) else signature(value)
    parts = [f"### `gz.{name}{shown}`\n\n{text(value.__doc__)}\n"]
    for attribute, member in vars(value).items():
        if attribute.startswith("_"):
            continue
        if isinstance(member, property):
            parts.append(f"#### `{name}.{attribute}`\n\n{text(member.__doc__)}\n")
        elif isinstance(member, classmethod | staticmethod) or inspect.isfunction(member):
            inner = getattr(value, attribute)
            shown = signature(inner, bound=inspect.isfunction(member))
            parts.append(f"#### `{name}.{attribute}{shown}`\n\n{text(inner.__doc__)}\n")
    return "\n".join(parts)


def signature(value: Any, bound: bool = False) -> str:
    """Names and defaults of the parameters; types stand in the docstrings, in words."""
    parameters = list(inspect.signature(value).parameters.values())[bound:]
    shown = []
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        star = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(parameter.kind.name, "")
        default = parameter.default
        tail = "" if default is inspect.Parameter.empty else f"={default!r}"
        shown.append(f"{star}{parameter.name}{tail}")
    return f"({', '.join(shown)})"


def text(docstring: str | None) -> str:
    """A docstring as Markdown: sections in bold, their entries as a list."""
    assert docstring, "a public name lacks its docstring"
    lines = inspect.cleandoc(docstring).split("\n")
    found: list[str] = []
    listing = False
    for number, line in enumerate(lines):
        after = lines[number + 1] if number + 1 < len(lines) else ""
        if re.fullmatch(r"-{3,}", line):
            continue
        if re.fullmatch(r"-{3,}", after):
            listing = line in ("Parameters", "Attributes", "Returns", "Raises", "Yields")
            found.append(f"**{line}**\n" if listing else f"**{line}**")
        elif listing and line and not line.startswith(" "):
            names, colon, rest = line.partition(" : ")
            found.append(f"- `{names}`: {rest}" if colon else f"- {line}")
        else:
            found.append(f"  {line.strip()}" if listing and line else line)
    joined = "\n".join(found)
    joined = re.sub(r":\w+:`~?([^`]+)`", lambda m: f"`{m[1].rpartition('.')[2]}`", joined)
    return re.sub(r"``([^`]+)``", r"`\1`", joined)


def main() -> None:
    """Print the page, or write it with ``--write``."""
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(page(), end="")


if __name__ == "__main__":
    main()
