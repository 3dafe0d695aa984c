"""The wheel in a bare environment and an empty folder: what a user has who never saw a checkout.

`make wheel` runs this file and leaves sdist and wheel in ``dist``.
"""

import importlib.util
import json
import os
import re
import shutil
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from email.parser import Parser
from pathlib import Path

import pandas as pd
import pytest
from test_text_commands import COMMANDS, FOUND, RUN
from toolkit import reader_files, text_commands
from toolkit.bare_environment import BareEnvironment, build, tracked
from toolkit.snakemake_runs import environments_of, jobs_of, pretended_conda

pytestmark = pytest.mark.slow

REPO = Path(__file__).resolve().parents[1]
IN_THE_WHEEL = ("workflow", "config", "envs")
MOST_BYTES = 3_000_000
MOST_BYTES_OF_MODELS = 10_000_000
# Of a clone alone: it writes into a file of the repository.
OF_A_CLONE = {"genezip config docs config/README.md"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """sdist and wheel; ``GENEZIP_DIST`` names a folder that gets copies."""
    required = os.environ.get("GENEZIP_REQUIRE_WHEEL") == "1"
    if not (REPO / ".git").exists() or importlib.util.find_spec("build") is None:
        reason = "no git checkout, or the package `build` is missing (make venv installs it)"
        (pytest.fail if required else pytest.skip)(reason)
    found = build(REPO, tmp_path_factory.mktemp("build"))
    if folder := os.environ.get("GENEZIP_DIST"):
        Path(folder).mkdir(exist_ok=True)
        for path in found:
            shutil.copy(path, folder)
    return found


@pytest.fixture(scope="module")
def bare(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> BareEnvironment:
    return BareEnvironment.make(tmp_path_factory.mktemp("bare") / "env", built[1], REPO)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the texts say a reader has, and nothing of the repository."""
    found = tmp_path_factory.mktemp("reader")
    reader_files.write_all(found)
    text_commands.write_named_files(FOUND, found)
    (found / "nothing-fetched").mkdir()
    return found


def opened(bare: BareEnvironment) -> list[str]:
    """Files of the checkout that a Python of the environment opened since the last call."""
    lines = bare.noted.read_text().splitlines() if bare.noted.exists() else []
    bare.noted.unlink(missing_ok=True)
    return lines


# --- what is in them


def test_the_wheel_holds_the_package_and_the_workflow_and_nothing_else(
    built: tuple[Path, Path],
) -> None:
    with zipfile.ZipFile(built[1]) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        (metadata,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        told = Parser().parsestr(archive.read(metadata).decode())
        licences = [name for name in archive.namelist() if "/licenses/" in name]
        sizes = {one.filename: one.compress_size for one in archive.infolist()}
    files = tracked(REPO)
    wanted = [name for name in files if name.startswith("genezip/")]
    wanted += [f"genezip/_workflow/{name}" for name in files if name.split("/")[0] in IN_THE_WHEEL]
    assert sorted(names) == sorted(wanted)
    for name in (
        "genezip/py.typed",
        "genezip/config/regions/transcript_balanced.yaml",
        "genezip/config/models/genezip-70m.yaml",
        "genezip/report/templates/igv.js",
        "genezip/report/templates/igv.LICENSE",
        "genezip/download/sources.tsv",
        "genezip/_workflow/workflow/Snakefile",
        "genezip/_workflow/config/demo.yaml",
        "genezip/_workflow/envs/genezip-gpu.yaml",
    ):
        assert name in names
    assert {Path(name).name for name in licences} == {"LICENSE", "igv.LICENSE"}
    assert told["License-Expression"] == "Apache-2.0 AND MIT"
    models = sum(size for name, size in sizes.items() if "/models/shipped/" in name)
    assert models <= MOST_BYTES_OF_MODELS
    assert sum(sizes.values()) - models <= MOST_BYTES


def test_a_model_that_is_shipped_is_whole(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[1]) as archive:
        names = {Path(name) for name in archive.namelist()}
    shipped = {path.parent for path in names if path.match("genezip/models/shipped/*/*")}
    if not shipped:
        assert not (REPO / "genezip" / "models" / "shipped").is_dir()
        pytest.skip("no model is shipped")
    for model in shipped:
        assert {model / name for name in ("config.json", "model.safetensors", "README.md")} <= names


def test_the_sdist_holds_what_the_wheel_is_built_from(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    parts = ("genezip", *IN_THE_WHEEL)
    assert {name for name in tracked(REPO) if name.split("/")[0] in parts} <= names
    assert {"LICENSE", "README.md", "pyproject.toml", "setup.py"} <= names
    assert not [name for name in names if re.search(r"__pycache__|\.py[co]$|^tests|^runs", name)]


# --- in an environment of its own


def test_the_package_is_that_of_the_wheel(bare: BareEnvironment, tmp_path: Path) -> None:
    program = "import genezip, torch, snakemake; print(genezip.__file__)"
    done = bare.run(["-c", program], tmp_path)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(bare.folder)
    assert opened(bare) == []
    bare.run(["-c", f"open({str(REPO / 'README.md')!r})"], tmp_path)  # the watch sees such a file
    assert opened(bare) == [str(REPO / "README.md")]


def test_every_command_of_the_texts_runs_without_a_checkout(
    bare: BareEnvironment, folder: Path
) -> None:
    commands = [text for text, (way, _) in COMMANDS.items() if way == RUN]
    commands = [text for text in commands if text not in OF_A_CLONE]
    nothing = str(folder / "nothing-fetched")  # so that no server is asked
    with ThreadPoolExecutor(2) as pool:
        runs = pool.map(lambda text: bare.run(text, folder, GENEZIP_FETCHED=nothing), commands)
        for text, done in zip(commands, runs, strict=True):
            assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
            assert "Traceback" not in done.stderr, text
            for value in text_commands.outputs_of(text):
                assert (folder / value).exists(), value
    tokens = pd.read_parquet(folder / "tokens.parquet")
    assert tokens["end"].max() == len((folder / "my.fa").read_text().splitlines()[1])
    assert {path.suffix for path in (folder / "tracks").iterdir()} >= {".bw", ".xml"}
    assert opened(bare) == []


def test_pretraining_and_python_without_a_checkout(bare: BareEnvironment, folder: Path) -> None:
    corpus = {"window_bp": 512, "train_windows": 40, "valid_windows": 0, "validation": "pieces",
              "heldout_window_bp": 2048, "keep_short": False}  # fmt: skip
    training = {"steps": 2, "batch": 2, "micro_batch": 2, "warmup_steps": 1, "precision": "fp32",
                "device": "cpu", "rar_mask": "pre", "validate_every": 2, "validate_windows": 2,
                "checkpoint_every": 1}  # fmt: skip
    sizes = " ".join(["--chromosome-bp 60000"] * 3)
    steps = (
        f"genezip simulate --out sim --seed 1 {sizes}",
        "genezip regions build --source sim/source.json --bed sim/map.bed.gz --summary sim/map.tsv",
        "genezip corpus build --source sim/source.json --regions sim/map.bed.gz --out corpus "
        f"--settings '{json.dumps(corpus)}'",
        "genezip pretrain --corpus corpus/manifest.json --architecture genezip-tiny "
        "--region-preset transcript_balanced --name mine --scale test --out mine "
        f"--settings '{json.dumps(training)}'",
    )
    for text in steps:
        done = bare.run(text, folder)
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    program = (
        "import genezip as gz\n"
        "(z,) = gz.load('mine').encode(['ACGTTGCA' * 1000])\n"
        "print(z.chunk_bp.sum(), len(z.tokens) == len(z.token_starts))\n"
    )
    done = bare.run(["-c", program], folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "8000 True\n"
    assert opened(bare) == []


def test_a_run_of_the_workflow_without_a_checkout(bare: BareEnvironment, tmp_path: Path) -> None:
    """`all` is planned as written; then a region map is made, of a simulated genome."""
    conda = pretended_conda(tmp_path / "bin")
    done = bare.run(
        f"export PATH={bare.program('')}:{conda}; genezip init my-run; cd my-run; "
        "python -m snakemake --cores 2 -n --use-conda",
        tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"fetch", "regions", "pretrain", "paper_table", "report"} <= set(jobs_of(done.stdout))
    (environment,) = environments_of(done.stdout + done.stderr)
    assert environment.is_file() and environment.is_relative_to(bare.folder)
    run = tmp_path / "my-run"
    done = bare.run("genezip doctor --offline", run)
    (place,) = re.findall(r"^workflow +(.+)$", done.stdout, re.MULTILINE)
    assert Path(place).is_relative_to(bare.folder)
    shutil.copy(REPO / "tests" / "workflow" / "config.yaml", run / "config.yaml")
    targets = "results/regions/gene7.summary.tsv results/models.json"
    done = bare.run(f"python -m snakemake --cores 2 {targets}", run)
    assert done.returncode == 0, done.stdout + done.stderr
    table = pd.read_csv(run / "results" / "regions" / "gene7.summary.tsv", sep="\t")
    assert table.loc[table["split"] == "all", "bp"].sum() == 190_000
    assert "transcript_balanced" in (run / "results" / "models.json").read_text()
    again = bare.run(f"python -m snakemake --cores 2 {targets}", run)
    assert "Nothing to be done" in again.stdout + again.stderr
    assert opened(bare) == []
