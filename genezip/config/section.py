"""What every section of the configuration is made of."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Scale = Literal["full", "demo", "test"]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A config section: unknown keys are errors, values are checked, nothing mutates."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def some_of(section: type[Section]) -> dict[str, Any]:
    """JSON schema of any of a section's keys, without defaults."""
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
        key = prefix + ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            parts.append(f"unknown key '{key}'")
        elif item["type"] == "missing":
            parts.append(f"key '{key}' is missing")
        else:
            parts.append(f"'{key.strip('.')}': {item['msg']}" if key else item["msg"])
    return "; ".join(parts)
