"""Execute docs/notebooks and keep what they print; ``make notebooks`` calls it.

Each notebook runs in an empty folder of its own. Its output is kept without times, addresses in
memory or names of folders, so that the same package and data leave the same file.
"""

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).with_name("notebooks")
SECONDS = 600  # of one cell


def execute(path: Path) -> None:
    """Run a notebook from top to bottom and write it with its output."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(
            notebook, timeout=SECONDS, kernel_name="python3", resources=resources
        ).execute()
        clean(notebook, folder)
    nbformat.write(notebook, path)


def clean(notebook: Any, folder: str) -> None:
    """Drop what differs from run to run: times, folders, addresses of objects, versions."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = {}
        for output in cell.get("outputs", ()):
            if "text" in output:
                output.text = plain(output.text, folder)
            for kind, value in output.get("data", {}).items():
                if isinstance(value, str) and kind.startswith("text/"):
                    output.data[kind] = plain(value, folder)


def plain(text: str, folder: str) -> str:
    """Text without the folder of the run and without addresses in memory."""
    return re.sub(r" at 0x[0-9a-f]+", "", text.replace(f"{folder}/", "").replace(folder, "."))


def main(names: list[str]) -> None:
    """Execute the named notebooks, or all of them."""
    for path in [Path(name) for name in names] or sorted(FOLDER.glob("*.ipynb")):
        execute(path)
        sys.stdout.write(f"{path.name} ran\n")


if __name__ == "__main__":
    main(sys.argv[1:])
