"""Base class and helpers of all sections of the configuration."""

import json
import re
from collections.abc import Collection
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

TAG = "="  # prefix of the names of alternatives in a union; no key may begin with it

Scale = Literal["full", "demo", "test"]
Fraction = Annotated[float, Field(ge=0, le=1)]

NAME = r"^[A-Za-z0-9_][A-Za-z0-9._-]*$(?!\n)"
WHY = (
    "letters, digits, `.`, `_` and `-`, not beginning with `.` or `-`: "
    "the name becomes part of file names and commands"
)


def _legal(name: str) -> str:
    if not re.search(NAME, name):
        raise ValueError(f"the name {name!r} may have only {WHY}")
    return name


Key = Annotated[str, AfterValidator(_legal)]
"""A name that is the key of a mapping; the field also takes :func:`names` for its schema."""

Name = Annotated[Key, WithJsonSchema({"type": "string", "pattern": NAME})]
"""A name that is a value and becomes part of a path."""


def names(*reserved: str) -> dict[str, Any]:
    """JSON schema of the keys of a mapping; :func:`refuse_taken` checks the rest."""
    taken = f"{WHY}; reserved by the workflow: {', '.join(reserved)}"
    return {
        "propertyNames": {"description": taken, "pattern": NAME, "not": {"enum": list(reserved)}}
    }


def refuse_taken(where: str, given: Collection[str], reserved: Collection[str]) -> None:
    """Raise for names that share a file name, also on disks that ignore case."""
    seen: dict[str, str] = {}
    for name in given:
        if name in reserved:
            raise ValueError(f"{where}.{name}: the workflow has results of this name; rename it")
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise ValueError(
                f"{where} has {other} and {name}, which are one file name on some disks; rename one"
            )


class Section(BaseModel):
    """A config section: immutable, with checked values; unknown keys are errors.

    A section without any key (all are commented out) has its defaults.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    FREE: ClassVar[tuple[str, ...]] = ()
    """Keys that do not change a result: the device, and the portions of a computation."""

    def as_json(self, keys: Collection[str] | None = None, without: Collection[str] = ()) -> str:
        """The given keys (by default all) except ``without``, as JSON text for ``--settings``."""
        tree = self.model_dump(mode="json")
        chosen = {
            key: value
            for key, value in tree.items()
            if (keys is None or key in keys) and key not in without
        }
        return json.dumps(chosen, sort_keys=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, value: Any) -> Any:
        return {} if value is None else without_empty(cls, value)


@cache
def _schema(section: type[Section]) -> dict[str, Any]:
    return section.model_json_schema()


def without_empty(section: type[Section], tree: Any) -> Any:
    """A tree of settings without sections, and mappings by name, that are null.

    A null with a meaning stays: of ``genome.chromosomes``, or of a dropped model.
    """
    return _without_empty(tree, _schema(section), _schema(section).get("$defs", {}))


def _without_empty(tree: Any, schema: dict[str, Any], parts: dict[str, Any]) -> Any:
    if not isinstance(tree, dict):
        return tree
    kept = {}
    for key, value in tree.items():
        kind = schema.get("properties", {}).get(key) or schema.get("additionalProperties") or {}
        kinds = [parts.get(section_name(one), one) for one in alternatives(kind)]
        found = next((one for one in kinds if one.get("type") == "object"), None)
        if found is None:
            kept[key] = value
        elif value is not None or any(one.get("type") == "null" for one in kinds):
            kept[key] = _without_empty(value, found, parts)
    return kept


def alternatives(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The schemas among which ``anyOf`` or ``if`` chooses."""
    if "anyOf" in schema:
        return [found for one in schema["anyOf"] for found in alternatives(one)]
    if "allOf" in schema:
        return [branch["then"] for branch in schema["allOf"]]
    return [schema]


def section_name(schema: dict[str, Any]) -> str:
    """Name of the definition that a schema refers to; empty without a reference."""
    return str(schema.get("$ref", "")).rsplit("/", 1)[-1]


def some_of(section: type[Section]) -> dict[str, Any]:
    """JSON schema of a section with all keys optional and without defaults."""
    whole = section.model_json_schema()
    parts = whole.get("$defs", {})

    def inlined(value: Any) -> Any:
        if isinstance(value, list):
            return [inlined(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            part = parts[value["$ref"].rsplit("/", 1)[-1]]
            return inlined({key: part[key] for key in part if key not in ("required", "title")})
        return {key: inlined(item) for key, item in value.items() if key != "default"}

    keys = {name: inlined(value) for name, value in whole["properties"].items()}
    return {"type": "object", "properties": keys, "additionalProperties": False}


def reasons(error: ValidationError, prefix: str = "") -> str:
    """Every wrong key with its reason; ``prefix`` comes before the keys."""
    parts = []
    for item in error.errors():
        key = prefix + ".".join(str(p) for p in item["loc"] if not str(p).startswith(TAG))
        if item["type"] == "extra_forbidden":
            parts.append(f"unknown key '{key}'")
        elif item["type"] == "missing":
            parts.append(f"key '{key}' is missing")
        else:
            reason = item["msg"].removeprefix("Value error, ")
            given = item["input"]
            if item["type"] != "value_error" and isinstance(given, str | int | float | None):
                reason += f", not {json.dumps(given)}"
            parts.append(f"'{key.strip('.')}': {reason}" if key else reason)
    return "; ".join(parts)
