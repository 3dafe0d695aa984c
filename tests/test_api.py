"""The public interface: what is named is there, documented, and loaded only when it is used."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import genezip as gz

REPO = Path(__file__).resolve().parents[1]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_api", REPO / "docs" / "make_api.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_docstrings_say() -> None:
    found = (REPO / "docs" / "api.md").read_text(encoding="utf-8")
    assert found == generator().page(), "docs/api.md is stale: run `make generated`"


@pytest.mark.parametrize("name", sorted(set(gz.__all__) - {"__version__"}))
def test_every_public_name_has_a_docstring(name: str) -> None:
    assert (getattr(gz, name).__doc__ or "").strip()


def test_type_checkers_and_readers_find_the_same_names() -> None:
    tree = ast.parse((REPO / "genezip" / "__init__.py").read_text(encoding="utf-8"))
    (typed,) = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    ]
    homes = {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in typed.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes |= {name: f"genezip.{name}" for name in ("models", "tasks")}
    assert homes == gz._HOMES
    assert sorted([*homes, "__version__"]) == sorted(gz.__all__) == sorted(dir(gz))


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'genezip' has no attribute 'Zip'"):
        _ = gz.Zip


@pytest.mark.parametrize("name", ["Genome", "read_gene_models", "RegionMap", "load", "Compressed"])
def test_torch_is_loaded_by_what_needs_it_alone(name: str) -> None:
    program = f"import sys, genezip as gz; gz.{name}; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or "torch was loaded"
