"""Commands read pipes: process substitution, standard input and named pipes, once each."""

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GTF = """##description: one gene
c\tx\texon\t11\t20\t.\t+\t.\tgene_id "g"; transcript_id "t";
#c\tx\texon\t1\t60\t.\t+\t.\tgene_id "g"; transcript_id "t";
c\tx\texon\t31\t50\t.\t+\t.\tgene_id "g"; transcript_id "t";
c\tx\tCDS\t16\t20\t.\t+\t.\tgene_id "g"; transcript_id "t";
"""
SETTINGS = {
    "promoter_half_width": 3,
    "nig_distance": 42,
    "transcripts": "all",
    "required": [],
    "classes": [{"name": "enhancer", "bed": "e.bed", "before": "promoter"}],
}
GENEZIP = f"{sys.executable} -m genezip"

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs, and the map that plain files give."""
    tmp_path = tmp_path_factory.mktemp("inputs")
    (tmp_path / "own.gtf").write_text(GTF)
    (tmp_path / "own.gtf.gz").write_bytes(gzip.compress(GTF.encode()))
    (tmp_path / "own.sizes").write_text("c\t60\n")
    (tmp_path / "e.bed").write_text("# mine\nc\t4\t6\n")
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS))
    done = bash(tmp_path, build("own.gtf", "own.sizes", "wanted.bed"))
    assert done.returncode == 0, done.stderr
    return tmp_path


@pytest.fixture
def folder(inputs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(inputs, tmp_path, dirs_exist_ok=True))


def build(annotation: str, sizes: str, bed: str, settings: str = "settings.json") -> str:
    return (
        f"{GENEZIP} regions build --annotation {annotation} --chrom-sizes {sizes} "
        f"--settings {settings} --bed {bed}"
    )


def bash(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a line in a folder. A pipe that is opened twice would make it wait for ever."""
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize(
    "command",
    [
        build("<(zcat own.gtf.gz)", "<(cat own.sizes)", "found.bed") + " --format gtf",
        build("<(cat own.gtf.gz)", "<(gzip < own.sizes)", "found.bed") + " --format gtf",
        "zcat own.gtf.gz | " + build("-", "own.sizes", "found.bed") + " --format gtf",
        "zcat own.gtf.gz | " + build("/dev/stdin", "own.sizes", "found.bed") + " --format gtf",
        build("-", "own.sizes", "found.bed") + " --format gtf < own.gtf.gz",
        "mkfifo named; cat own.gtf.gz > named & "
        + build("named", "own.sizes", "found.bed")
        + " --format gtf",
        "cat own.sizes | " + build("own.gtf", "-", "found.bed"),
    ],
)
def test_a_map_from_pipes_is_that_from_files(folder: Path, command: str) -> None:
    done = bash(folder, command)
    assert done.returncode == 0, done.stderr
    assert (folder / "found.bed").read_bytes() == (folder / "wanted.bed").read_bytes()


def test_own_classes_and_region_maps_come_from_pipes(folder: Path) -> None:
    settings = json.dumps(SETTINGS).replace("e.bed", "/dev/fd/7")
    command = build("own.gtf", "own.sizes", "found.bed", f"'{settings}'") + " 7< <(gzip < e.bed)"
    done = bash(folder, command)
    assert done.returncode == 0, done.stderr
    assert (folder / "found.bed").read_bytes() == (folder / "wanted.bed").read_bytes()
    shown = bash(folder, f"{GENEZIP} regions show --bed <(gzip < found.bed) c:3-7")
    assert shown.stdout.splitlines() == ["c\t3\t4\tnig", "c\t4\t6\tenhancer", "c\t6\t7\tnig"]


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (
            build("<(sed 's/31/thirty/' own.gtf)", "own.sizes", "bad.bed") + " --format gtf",
            "line 4 of /dev/fd/63 is malformed: start 'thirty' (column 4) is not a whole number of "
            "at most 18 digits; fix or remove it",
        ),
        (
            build("-", "own.sizes", "bad.bed") + " --format gtf < /dev/null",
            "standard input is empty; name a file with rows",
        ),
        (
            build("<(head -c 90 own.gtf.gz)", "own.sizes", "bad.bed") + " --format gtf",
            "/dev/fd/63 is a truncated or broken gzip file; fetch it again",
        ),
        (
            build("<(cat own.gtf)", "own.sizes", "bad.bed"),
            "/dev/fd/63 is a pipe, so its format cannot be inferred; add --format gtf, gff3, "
            "bed12, genbank, cds",
        ),
        (
            f"mkfifo named; {GENEZIP} corpus build --source none.json --regions named --out c",
            "--regions named is a pipe or device, which cannot be read twice or at any position; "
            "write it to a file first",
        ),
    ],
)
def test_what_a_pipe_cannot_give_is_one_sentence(folder: Path, command: str, sentence: str) -> None:
    done = bash(folder, command)
    assert done.returncode == 1, done.stderr
    assert done.stderr == f"genezip: {sentence}\n"
    assert not (folder / "bad.bed").exists()
    assert not list(folder.glob("*.part"))
