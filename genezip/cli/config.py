"""``genezip config schema | show | docs``."""

import json
import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from genezip.errors import GenezipError

logger = logging.getLogger(__name__)
app = typer.Typer(help="Show the configuration, its schema and its keys.", no_args_is_help=True)

BEGIN = "<!-- keys: written by `genezip config docs config/README.md` -->"
END = "<!-- end of keys -->"


@app.command()
def schema() -> None:
    """Print the JSON schema of the configuration, as YAML.

    \b
    Example:
      genezip config schema
    """
    import yaml

    from genezip import config

    typer.echo(yaml.safe_dump(config.schema(), sort_keys=False, width=100), nl=False)


@app.command()
def show(files: Annotated[list[Path], typer.Argument(help="YAML files, later ones win.")]) -> None:
    """Check configuration files and print the merged result as JSON.

    \b
    Example:
      genezip config show config/config.yaml config/demo.yaml
    """
    from genezip import config

    typer.echo(json.dumps(config.load(*files).model_dump(), indent=2))


@app.command()
def room(
    files: Annotated[
        list[Path] | None, typer.Argument(help="YAML files, later ones win; or --settings.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Folder of the run.")] = Path(),
    settings: Annotated[
        str | None, typer.Option(help="The whole configuration as JSON, as a rule gives it.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Table to write (TSV); default: print it.")
    ] = None,
) -> None:
    """The disk that a run needs, and whether it is there; too little is refused.

    \b
    Example:
      genezip config room config/config.yaml
    """
    from genezip import config
    from genezip.artifacts.files import write_text
    from genezip.disk import check_disk, disk_uses

    if (settings is None) == (not files):
        raise GenezipError("name configuration files, or give --settings")
    whole = config.load(*files) if files else config.settings(config.Config, settings)
    found = disk_uses(whole)
    told = check_disk(found, folder)
    table = "".join(f"{one.what}\t{one.gb:.1f}\n" for one in found)
    if out is None:
        typer.echo(f"{table}{told}")
    else:
        write_text(out, f"what\tgb\n{table}")
        logger.info(told)


@app.command()
def docs(
    readme: Annotated[
        Path | None, typer.Argument(help="File whose key tables are replaced; default: print them.")
    ] = None,
) -> None:
    """Write the tables of all keys from their descriptions.

    \b
    Example:
      genezip config docs config/README.md
    """
    from genezip import config
    from genezip.artifacts.files import write_text

    tables = key_tables(config.schema())
    if readme is None:
        typer.echo(tables, nl=False)
        return
    if not readme.is_file():
        raise GenezipError(f"{readme} does not exist; name a file with the two marker lines")
    before, begin, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise GenezipError(f"{readme} lacks the lines {BEGIN} and {END}; add them")
    write_text(readme, f"{before}{BEGIN}\n\n{tables}\n{END}{after}")


def doctor(
    folder: Annotated[
        Path, typer.Option(help="Folder in which a run would be written, for its free disk.")
    ] = Path(),
    offline: Annotated[bool, typer.Option(help="Do not try the network.")] = False,
) -> None:
    """What this machine has, what is missing with the command that gets it, and what can run here.

    \b
    Example:
      genezip doctor
    """
    from genezip import doctor as machine

    if not folder.is_dir():
        raise GenezipError(f"{folder} is no folder; name one that exists with --folder")
    reach = (lambda: False) if offline else machine.online
    typer.echo(machine.in_words(machine.examine(folder, reach)))


def key_tables(schema: dict[str, Any]) -> str:
    """Markdown tables of every key: one heading per config section, in file order."""
    from genezip import config

    definitions = schema["$defs"]
    parts = [_table("Top level", schema, definitions)]
    parts += _sections("", schema, definitions)
    user = config.UserLabels.model_json_schema()
    parts.append(_table("The file of `genezip tasks run`", user, {}))
    return "\n".join(parts)


def _sections(prefix: str, schema: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    """Tables of the sections below a schema, each before those nested in it."""
    from genezip.config.section import alternatives, section_name

    parts = []
    for key, value in schema["properties"].items():
        by_name = value.get("additionalProperties")
        path = f"{prefix}{key}.<name>" if by_name is not None else f"{prefix}{key}"
        for kind in [value, *(alternatives(by_name) if isinstance(by_name, dict) else [])]:
            section = definitions.get(section_name(kind))
            if section is not None:
                parts.append(_table(f"`{path}`{_which(section)}", section, definitions))
                parts += _sections(f"{path}.", section, definitions)
    return parts


def _which(section: dict[str, Any]) -> str:
    """The value of the key ``compressor`` that selects this section; may be empty."""
    kind = section["properties"].get("compressor", {})
    names = [kind["const"]] if "const" in kind else kind.get("enum", [])
    return f" with `compressor: {'` or `'.join(names)}`" if names else ""


def _table(title: str, section: dict[str, Any], definitions: dict[str, Any]) -> str:
    required = section.get("required", [])
    lines = [f"### {title}", ""]
    if title != "Top level":
        lines += [" ".join(section["description"].split()), ""]
    lines += ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    for key, value in section["properties"].items():
        if "default" in value:
            default = f"`{json.dumps(value['default'])}`"
        else:
            default = "**required**" if key in required else "see below"
        meaning = value.get("description", "").replace("|", "\\|")
        lines.append(f"| `{key}` | {_kind(value, definitions)} | {default} | {meaning} |")
    return "\n".join([*lines, ""])


def _kind(value: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Legal values of a key in words: type, choices, limits."""
    if "anyOf" in value:
        return " or ".join(_kind(item, definitions) for item in value["anyOf"])
    if "$ref" in value:
        return "section"
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{item}`" for item in value["enum"])
    if "prefixItems" in value:
        return f"{len(value['prefixItems'])} numbers"
    if value.get("type") == "array":
        return f"list of {_kind(value['items'], definitions)}"
    if value.get("type") == "object":
        return "some keys of a section" if "properties" in value else "sections by name"
    words = {"string": "text", "boolean": "`true`, `false`", "null": "`null`"}
    limits = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {value[name]:g}" for name, sign in limits.items() if name in value]
    return " ".join([words.get(value["type"], value["type"]), " and ".join(bounds)]).strip()
