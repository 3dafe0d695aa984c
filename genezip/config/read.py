"""Read the configuration: YAML layers, ``--settings`` of a command, the JSON schema."""

import json
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from genezip.config.rules import beside_workflow
from genezip.config.run import Config, of_layers
from genezip.config.section import Section, reasons
from genezip.config.tasks import Benchmarks
from genezip.errors import GenezipError

ADVICE = "name an existing YAML file"

AnySection = TypeVar("AnySection", bound=Section)


def _sentence(error: ValidationError, where: str) -> str:
    return f"{where}: {reasons(error)}; see config/README.md for the keys"


def parse(section: type[AnySection], value: Any, where: str = "configuration") -> AnySection:
    """Check a mapping against a section; the error names every wrong key."""
    try:
        return section.model_validate(value)
    except ValidationError as error:
        raise GenezipError(_sentence(error, where)) from None


def read_yaml(path: str | Path) -> Any:
    """Parse a YAML file of the user, or a file ``config/...`` of the workflow."""
    try:
        with open(beside_workflow(path), encoding="utf-8") as handle:
            return yaml.safe_load(handle) or {}
    except FileNotFoundError:
        others = [other.stem for other in beside_workflow(Path(path).parent).glob("*.yaml")]
        close = get_close_matches(Path(path).stem, others, 1)
        advice = f"did you mean {Path(path).with_stem(close[0])}?" if close else ADVICE
        raise GenezipError(f"{path} does not exist; {advice}") from None
    except OSError as error:
        raise GenezipError(f"{path} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        reason = str(error).replace("\n", " ")
        raise GenezipError(f"{path} is not valid YAML: {reason}") from None


def settings(section: type[AnySection], text: str | None, option: str = "--settings") -> AnySection:
    """A section from an option: JSON text, a YAML file, or nothing (the defaults).

    A file may hold the section alone, or a configuration of which the section is a part.
    """
    if text is None:
        return parse(section, {}, option)
    if text.lstrip().startswith("{"):
        try:
            return parse(section, json.loads(text), option)
        except json.JSONDecodeError as error:
            raise GenezipError(f"{option} is not valid JSON: {error}") from None
    return parse(section, _part(section, read_yaml(text)), text)


def _part(section: type[Section], tree: Any) -> Any:
    """The part of a file that is the section; the file itself where it has no others."""
    if not isinstance(tree, dict) or not set(tree) <= set(Config.model_fields):
        return tree
    below = tree.get("benchmarks") or {}  # sections of tasks are one level down
    for part, fields in ((tree, Config.model_fields), (below, Benchmarks.model_fields)):
        for name, field in fields.items():
            if field.annotation is section and not set(tree) <= set(section.model_fields):
                return part.get(name) or {}
    return tree


def load(*paths: str | Path) -> Config:
    """The configuration of one or more YAML files, later ones winning."""
    return parse_layers([read_yaml(path) for path in paths], " + ".join(map(str, paths)))


def parse_layers(layers: Sequence[Any], where: str = "configuration") -> Config:
    """The configuration of layers, later ones winning; the error names every wrong key."""
    try:
        return of_layers(layers)
    except ValidationError as error:
        raise GenezipError(_sentence(error, where)) from None


def schema() -> dict[str, Any]:
    """JSON schema of :class:`Config`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
