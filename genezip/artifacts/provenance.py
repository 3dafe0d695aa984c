"""Provenance of a result: its settings, its inputs, and the software versions."""

import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from genezip.artifacts.files import sha256_file, sha256_json


def versions() -> dict[str, str]:
    """Versions of Python, this package and the libraries that affect its numbers."""
    found = {"python": platform.python_version(), "platform": sys.platform}
    for name in ("genezip", "torch", "numpy", "pandas", "pyarrow", "snakemake"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def record(settings: Any, inputs: Mapping[str, str | Path], **more: Any) -> dict[str, Any]:
    """Provenance of one result: settings with hash, input hashes, versions, and ``more``."""
    return {
        "settings": settings,
        "settings_sha256": sha256_json(settings),
        "inputs": {name: sha256_file(path) for name, path in inputs.items()},
        "versions": versions(),
        **more,
    }
