"""What may import what: the layers of the package, read from its source files."""

import ast
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "genezip"
MODULES = sorted(PACKAGE.rglob("*.py"))

MOST_MODULES = 12

# Modules that any layer may import.
COMMON = {"errors", "log", "alphabet", "region_classes", "compiled", "peak"}
NUMBERS = {"numpy", "pandas", "pyarrow", "scipy"}

# Package -> (our own packages that it may import besides COMMON, third-party packages).
LAYERS = {
    "common": (set[str](), {"numpy", "Bio", "tqdm", "numba"}),
    "artifacts": (set[str](), {"numpy", "pandas", "pyarrow"}),
    "config": (set[str](), {"pydantic", "yaml"}),
    "formats": (
        {"artifacts"},
        NUMBERS | {"pyfaidx", "pyBigWig", "pysam", "pyliftover", "google_crc32c", "Bio"},
    ),
    "download": ({"artifacts", "config"}, set[str]()),
    "genome": (
        {"artifacts", "config", "formats", "download"},
        NUMBERS | {"pyranges", "pyfaidx", "Bio"},
    ),
    "corpus": (
        {"artifacts", "config", "formats", "genome"},
        NUMBERS,
    ),
    "doctor": ({"config"}, {"torch", "psutil"}),
    "disk": ({"config"}, set[str]()),
    "run_folder": ({"artifacts"}, set[str]()),
    "models": (
        {"artifacts", "config"},
        {"torch", "numpy", "pandas", "pydantic", "safetensors", "mamba_ssm", "causal_conv1d"}
        | {"huggingface_hub", "transformers", "tokenizers"},
    ),
    "metrics": (set[str](), NUMBERS | {"sklearn"}),
    "training": (
        {"artifacts", "config", "corpus", "models", "metrics"},
        {"torch", "numpy", "safetensors", "psutil"},
    ),
    "inference": (
        {"artifacts", "config", "formats", "genome", "corpus", "models", "metrics"},
        NUMBERS | {"torch"},
    ),
    "evaluation": (
        {"artifacts", "config", "formats", "genome", "corpus", "models", "inference", "metrics"},
        NUMBERS | {"sklearn", "Bio"},
    ),
    "tasks": (
        {"artifacts", "config", "formats", "download", "genome", "corpus", "metrics"}
        | {"models", "training", "inference", "evaluation"},
        NUMBERS | {"torch", "sklearn", "pyBigWig", "Bio"},
    ),
    "report": (
        {"artifacts", "config"},
        {"numpy", "pandas", "matplotlib", "jinja2", "markupsafe"},
    ),
    "view": (
        {"artifacts", "config", "formats", "genome", "models", "inference", "evaluation", "report"},
        {"numpy", "pandas", "matplotlib"},
    ),
    "browse": (
        {"artifacts", "formats"},
        {"numpy", "pysam", "jinja2", "markupsafe"},
    ),
}
NO_TORCH = {
    "common", "artifacts", "config", "formats", "download", "genome", "corpus", "metrics",
    "evaluation", "report", "view", "browse",
}  # fmt: skip
# One module may import what the others of its package may not.
EXCEPTIONS = {
    "genezip.genome.verify": {"pybedtools"},  # the independent check, by `regions verify` alone
    "genezip.artifacts.states": {"torch"},  # what it saves and reads are tensors
}
# Methods `plot` import the layer of pictures, which is above theirs, inside their bodies alone.
UPWARD = {
    "genezip.models.base": {"view"},
    "genezip.models.compressed": {"view"},
}


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> str:
    parts = module.split(".")
    if len(parts) == 1:
        return "package"
    if parts[1] in COMMON:
        return "common"
    return parts[1]


@cache
def imports(path: Path, top_level_only: bool = False) -> set[str]:
    """Dotted names that a file imports; type-checking blocks do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        typing_only = isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        in_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if typing_only or (top_level_only and in_function):
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return found


def third_party(names: set[str]) -> set[str]:
    roots = {name.split(".")[0] for name in names}
    return {root for root in roots if root != "genezip" and root not in sys.stdlib_module_names}


def own_layers(names: set[str]) -> set[str]:
    """First part below the package of each import of ours."""
    parts = [name.split(".")[1] for name in names if name.startswith("genezip.")]
    return {part for part in parts if not part.startswith("__")}


def is_torch_free(module: str) -> bool:
    """Whether a layer has no torch, and this module of it is no exception."""
    return layer_of(module) in NO_TORCH and "torch" not in EXCEPTIONS.get(module, set())


# The doors (package, command line) may import everything; see the tests below.
INNER = [path for path in MODULES if layer_of(name_of(path)) not in {"package", "cli", "__main__"}]


@pytest.mark.parametrize("path", INNER, ids=name_of)
def test_a_module_imports_only_what_its_layer_may(path: Path) -> None:
    module = name_of(path)
    layer = layer_of(module)
    own, others = LAYERS[layer]
    names = imports(path)
    upward = UPWARD.get(module, set())
    assert sorted(own_layers(names) - own - COMMON - {layer} - upward) == []
    assert not own_layers(imports(path, top_level_only=True)) & upward
    assert sorted(third_party(names) - others - EXCEPTIONS.get(module, set())) == []


@pytest.mark.parametrize("path", INNER, ids=name_of)
def test_torch_stays_where_it_is_needed(path: Path) -> None:
    module = name_of(path)
    if is_torch_free(module):
        assert "torch" not in third_party(imports(path))


def test_no_folder_has_more_modules_than_one_can_overlook() -> None:
    counts = Counter(path.parent for path in MODULES if path.name != "__init__.py")
    assert {str(folder): n for folder, n in counts.items() if n > MOST_MODULES} == {}


def test_commands_import_the_package_inside_their_functions() -> None:
    light = {"genezip.errors", "genezip.cli"}
    for path in sorted((PACKAGE / "cli").rglob("*.py")):
        names = imports(path, top_level_only=True)
        heavy = {
            name
            for name in names
            if name.startswith("genezip.") and not any(name.startswith(door) for door in light)
        }
        assert not heavy, f"{path.name} imports {sorted(heavy)} at its top"
        assert third_party(names) <= {"typer"}, path.name


def test_the_workflow_imports_the_configuration_only() -> None:
    paths = [*PACKAGE.parent.glob("workflow/Snakefile"), *PACKAGE.parent.rglob("*.smk")]
    pattern = r"^\s*(?:from\s+(genezip[.\w]*)|import\s+(genezip[.\w]*))"
    imported = {
        a or b for path in paths for a, b in re.findall(pattern, path.read_text("utf-8"), re.M)
    }
    assert paths
    assert {name.split(".")[:2] == ["genezip", "config"] for name in imported} == {True}, imported


def test_genome_report_and_help_never_load_torch() -> None:
    """A fresh interpreter imports every torch-free module and the command line, and looks."""
    modules = [
        name_of(path)
        for path in MODULES
        if is_torch_free(name_of(path)) or layer_of(name_of(path)) in {"package", "cli"}
    ]
    program = (
        "import importlib, sys\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or "torch was loaded"


def test_a_list_of_tasks_loads_nothing_that_fits() -> None:
    """They take a second or more, and no task is measured."""
    program = (
        "import sys\n"
        "from genezip.cli import main\n"
        "try:\n    main(['tasks', 'list'])\n"
        "except SystemExit:\n    pass\n"
        "print(sorted({'torch', 'sklearn', 'scipy', 'numba', 'matplotlib'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
