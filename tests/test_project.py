"""The repository itself: documents that match the files, and nothing that ties it to a place."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

# Hosts that documents, configuration and source tables may name: papers, specifications,
# public data, and the tools' own pages.
HOSTS = {
    "arxiv.org",
    "json-schema.org",
    "semver.org",
    "www.apache.org",
    "www.w3.org",
    "genome.ucsc.edu",
    "api.genome.ucsc.edu",
    "hgdownload.soe.ucsc.edu",
    "hgdownload2.soe.ucsc.edu",
    "ftp.ebi.ac.uk",
    "dataverse.harvard.edu",
    "raw.githubusercontent.com",
}
PLACES = re.compile(r"(?<![\w.}/-])/(?:home|root|work|mnt|Users|opt|srv|scratch|media)/\w")
TEXT = {
    *(".md", ".py", ".smk", ".yaml", ".yml", ".toml", ".txt", ".tsv", ".cff", ".rst", ".j2"),
    *("", ".sh", ".html"),
}


@pytest.fixture(scope="module")
def files(repo: Path) -> list[Path]:
    """Files that git tracks or would track."""
    if not (repo / ".git").exists():
        pytest.skip("no git checkout")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=repo, capture_output=True, text=True, check=True).stdout
    return [repo / name for name in names.split("\0") if name and (repo / name).is_file()]


@pytest.fixture(scope="module")
def texts(files: list[Path]) -> dict[Path, str]:
    return {
        path: path.read_text(encoding="utf-8")
        for path in files
        if path.suffix in TEXT and path.name != "LICENSE"
    }


def test_no_file_knows_a_machine(texts: dict[Path, str]) -> None:
    found = [
        f"{path.name}: {hit[0]}" for path, text in texts.items() for hit in PLACES.finditer(text)
    ]
    assert found == []


def test_every_address_is_of_a_known_host(texts: dict[Path, str]) -> None:
    """Papers, specifications and public data; no package registry, no private server."""
    found = {
        (path.name, host)
        for path, text in texts.items()
        for host in re.findall(r"(?:https?|ftp)://([\w.-]+\.[a-z]{2,})\b", text)
    }
    assert {item for item in found if item[1] not in HOSTS} == set()


VENDORED = {
    "genezip/report/templates/igv.js": (
        "330a81f27debde56360bdf618318ebd442a6f956cb166a8365d2c283bc486fcf"
    ),
}
"""SHA-256 of what others wrote and the package ships as it is (a licence lies beside each)."""


SHIPPED = {"genezip/models/shipped/genezip-small/model.safetensors": 9_000_000}
"""Weights of a model that comes with the package -> most bytes; its config.json has the hash."""


def test_nothing_large_or_binary_is_tracked(repo: Path, files: list[Path]) -> None:
    sizes = {str(path.relative_to(repo)): path.stat().st_size for path in files}
    large = {name: size for name, size in sizes.items() if size > SHIPPED.get(name, 500_000)}
    assert [name for name in large if name not in VENDORED] == []


@pytest.mark.parametrize("name", VENDORED)
def test_what_others_wrote_is_shipped_unchanged(repo: Path, name: str) -> None:
    path = repo / name
    assert hashlib.sha256(path.read_bytes()).hexdigest() == VENDORED[name]
    assert path.with_suffix(".LICENSE").is_file()


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", "config/README.md", "results/README.md"]
)
def test_links_lead_somewhere(repo: Path, name: str) -> None:
    document = repo / name
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        assert (document.parent / path).exists(), f"{name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", (document.parent / path).read_text(), re.MULTILINE)
            assert anchor in {heading.lower().replace(" ", "-") for heading in headings}


def test_the_file_tree_of_the_readme_is_true(repo: Path, files: list[Path]) -> None:
    tree = (repo / "README.md").read_text(encoding="utf-8").split("```text\n")[1].split("```")[0]
    named = [line.split()[0] for line in tree.splitlines()]
    for path in named:
        assert (repo / path).is_dir() == path.endswith("/"), path
        assert (repo / path).exists(), path
    folders = {path.relative_to(repo).parts[0] for path in files if path.parent != repo}
    told = {path.split("/")[0] for path in named}
    assert {folder for folder in folders if not folder.startswith(".")} <= told
    packages = {f"genezip/{path.parent.name}/" for path in repo.glob("genezip/*/__init__.py")}
    assert packages == {path for path in named if path.startswith("genezip/")}


def test_documents_name_files_that_exist(repo: Path) -> None:
    """Paths in backticks: those of the repository are there."""
    roots = ("workflow/", "config/", "envs/", "genezip/", "tests/", "docs/", ".ci/")
    for name in ("README.md", "CONTRIBUTING.md", "config/README.md"):
        text = (repo / name).read_text(encoding="utf-8")
        for path in re.findall(r"`([\w./-]+)`", text):
            if path.startswith(roots):
                assert (repo / path).exists(), f"{name} names {path}"


def test_the_readme_shows_the_two_commands(repo: Path) -> None:
    text = (repo / "README.md").read_text(encoding="utf-8")
    assert "Snakemake workflow" in text
    makefile = (repo / "Makefile").read_text(encoding="utf-8")
    for command in set(re.findall(r"(?:^|`)make ([a-z][a-z-]+)", text, re.MULTILINE)):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE), f"make {command}"


def test_constraints_pin_what_the_package_needs(repo: Path) -> None:
    """One exact version each; the environment of the tests is the one that is pinned."""
    from importlib.metadata import distributions

    lines = (repo / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert "+" not in "".join(pins.values())
    assert pins["torch"] == "2.13.0"
    names = {re.sub(r"[-_.]+", "-", name).lower() for name in pins}
    text = (repo / "pyproject.toml").read_text()
    block = text.split("dependencies = [")[1].split("]")[0]
    for requirement in re.findall(r'"([A-Za-z0-9_-]+)', block):
        assert re.sub(r"[-_.]+", "-", requirement).lower() in names, requirement
    if Path(sys.prefix) == repo / ".venv":
        installed = {dist.metadata["Name"].lower(): dist.version for dist in distributions()}
        for name in ("numpy", "pandas", "torch", "snakemake", "pyarrow"):
            assert installed[name].split("+")[0] == pins[name]


def test_yaml_files_are_valid(files: list[Path]) -> None:
    for path in files:
        if path.suffix in {".yaml", ".yml", ".cff"}:
            assert yaml.safe_load(path.read_text(encoding="utf-8")) is not None, path


def test_ci_runs_what_the_readme_says(repo: Path) -> None:
    script = repo / ".ci" / "run"
    assert script.stat().st_mode & 0o111, "no run bit"
    for command in ("make lint", "make test", "make wheel", "make demo"):
        assert command in script.read_text()
    assert ".ci/run" in (repo / ".github" / "workflows" / "ci.yml").read_text()
