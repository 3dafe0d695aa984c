"""The first key in which two settings differ, for sentences that refuse to mix them."""

import json
from collections.abc import Collection, Mapping
from typing import Any

ABSENT = "nothing"


def first_difference(
    old: Mapping[str, Any], new: Mapping[str, Any], free: Collection[str] = ()
) -> tuple[str, str, str] | None:
    """Dotted key and both values of the first difference, or None.

    Parameters
    ----------
    old, new : nested mappings of JSON values (tuples count as lists)
    free : dotted keys that may differ
    """
    before, after = _flat(old), _flat(new)
    for key in [*after, *(key for key in before if key not in after)]:
        values = before.get(key, ABSENT), after.get(key, ABSENT)
        if key not in free and values[0] != values[1]:
            return key, *values
    return None


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Dotted key to its value as JSON text."""
    flat: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = json.dumps(value)
    return flat
