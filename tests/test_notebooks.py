"""The notebooks as they are kept: executed from top to bottom, without an error or a path."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((REPO / "docs" / "notebooks").glob("*.ipynb"))


def cells(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def printed(cell: dict[str, Any]) -> str:
    """All text that a cell has as output; pictures of pixels are left out."""
    found = []
    for output in cell["outputs"]:
        found.append("".join(output.get("text", "")))
        for kind, value in output.get("data", {}).items():
            if kind != "image/png":
                found.append("".join(value))
    return "\n".join(found)


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) == 4


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_executed_in_order(path: Path) -> None:
    code = [cell for cell in cells(path) if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert any(cell["outputs"] for cell in code)
    kinds = {output["output_type"] for cell in code for output in cell["outputs"]}
    assert "error" not in kinds
    assert not [out for cell in code for out in cell["outputs"] if out.get("name") == "stderr"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_names_no_folder_of_a_machine(path: Path) -> None:
    for cell in cells(path):
        text = "".join(cell["source"]) + (printed(cell) if cell["cell_type"] == "code" else "")
        assert not re.search(r"(?<![\w.<:])/(tmp|home|root|work|usr|Users|var)/", text), text[:500]
        assert " at 0x" not in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_small(path: Path) -> None:
    assert path.stat().st_size < 700_000
