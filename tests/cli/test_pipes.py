"""Commands read pipes: process substitution, standard input and named pipes, once each."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from toolkit import processes
from toolkit.command_line import call

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
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert call(*build("own.gtf", "own.sizes", "wanted.bed")) == 0
    return tmp_path


@pytest.fixture
def folder(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them, in which commands run."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(inputs, tmp_path, dirs_exist_ok=True))


def build(annotation: str, sizes: str, bed: str, settings: str = "settings.json") -> list[str]:
    return [
        "regions", "build", "--annotation", annotation, "--chrom-sizes", sizes,
        "--settings", settings, "--bed", bed,
    ]  # fmt: skip


GTF_FORMAT = ["--format", "gtf"]


@contextmanager
def output_of(line: str) -> Iterator[int]:
    """Descriptor of a pipe into which bash writes what a line prints."""
    with subprocess.Popen(["bash", "-c", line], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process.stdout.fileno()


def piped(words: list[str], stdin: str | None = None) -> tuple[int, list[str]]:
    """Exit status of a command in process, and its words.

    Every word ``<(LINE)`` is a pipe as in bash. Standard input is a pipe from a line, or a file
    where the line begins with ``<``.
    """
    with ExitStack() as stack:
        opened = [
            f"/dev/fd/{stack.enter_context(output_of(word[2:-1]))}" if word[:2] == "<(" else word
            for word in words
        ]
        before = os.dup(0)
        stack.callback(os.close, before)
        stack.callback(os.dup2, before, 0)
        if stdin is not None and stdin[0] == "<":
            os.dup2(stack.enter_context(open(stdin.removeprefix("< "), "rb")).fileno(), 0)
        elif stdin is not None:
            os.dup2(stack.enter_context(output_of(stdin)), 0)
        return call(*opened), opened


def same_map(folder: Path) -> bool:
    return (folder / "found.bed").read_bytes() == (folder / "wanted.bed").read_bytes()


def test_a_line_of_bash(folder: Path) -> None:
    """The rest of this file makes the same pipes without a new process for each command."""
    words = build("<(zcat own.gtf.gz)", "<(cat own.sizes)", "found.bed")
    line = " ".join([sys.executable, "-m", "genezip", *words, *GTF_FORMAT])
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert same_map(folder)


@pytest.mark.parametrize(
    ("annotation", "sizes", "stdin"),
    [
        ("<(zcat own.gtf.gz)", "<(cat own.sizes)", None),
        ("<(cat own.gtf.gz)", "<(gzip < own.sizes)", None),
        ("-", "own.sizes", "zcat own.gtf.gz"),
        ("/dev/stdin", "own.sizes", "zcat own.gtf.gz"),
        ("-", "own.sizes", "< own.gtf.gz"),
        ("own.gtf", "-", "cat own.sizes"),
    ],
)
def test_a_map_from_pipes_is_that_from_files(
    folder: Path, annotation: str, sizes: str, stdin: str | None
) -> None:
    more = GTF_FORMAT if annotation != "own.gtf" else []
    status, _ = piped([*build(annotation, sizes, "found.bed"), *more], stdin)
    assert status == 0
    assert same_map(folder)


def test_a_map_from_a_named_pipe(folder: Path) -> None:
    """A pipe that is opened twice would make a command wait for ever."""
    os.mkfifo("named")
    with subprocess.Popen(["bash", "-c", "cat own.gtf.gz > named"]):
        words = ["-m", "genezip", *build("named", "own.sizes", "found.bed"), *GTF_FORMAT]
        done = processes.run(words, folder, timeout=120)
    assert done.returncode == 0, done.stderr
    assert same_map(folder)


def test_own_classes_and_region_maps_come_from_pipes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with output_of("gzip < e.bed") as number:
        settings = json.dumps(SETTINGS).replace("e.bed", f"/dev/fd/{number}")
        assert call(*build("own.gtf", "own.sizes", "found.bed", settings)) == 0
    assert same_map(folder)
    capsys.readouterr()
    status, _ = piped(["regions", "show", "--bed", "<(gzip < found.bed)", "c:3-7"])
    assert status == 0
    shown = capsys.readouterr().out
    assert shown.splitlines() == ["c\t3\t4\tnig", "c\t4\t6\tenhancer", "c\t6\t7\tnig"]


@pytest.mark.parametrize(
    ("words", "stdin", "sentence"),
    [
        (
            [*build("<(sed 's/31/thirty/' own.gtf)", "own.sizes", "bad.bed"), *GTF_FORMAT],
            None,
            "line 4 of {} is malformed: start 'thirty' (column 4) is not a whole number of "
            "at most 18 digits; fix or remove it",
        ),
        (
            [*build("-", "own.sizes", "bad.bed"), *GTF_FORMAT],
            "< /dev/null",
            "standard input is empty; name a file with rows",
        ),
        (
            [*build("<(head -c 90 own.gtf.gz)", "own.sizes", "bad.bed"), *GTF_FORMAT],
            None,
            "{} is a truncated or broken gzip file; fetch it again",
        ),
        (
            build("<(cat own.gtf)", "own.sizes", "bad.bed"),
            None,
            "{} is a pipe, so its format cannot be inferred; add "
            "--format gtf, gff3, bed12, genbank, cds",
        ),
    ],
)
def test_what_a_pipe_cannot_give_is_one_sentence(
    folder: Path,
    words: list[str],
    stdin: str | None,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, opened = piped(words, stdin)
    assert status == 1
    annotation = opened[words.index("--annotation") + 1]
    assert capsys.readouterr().err == f"genezip: {sentence.format(annotation)}\n"
    assert not (folder / "bad.bed").exists()
    assert not list(folder.glob("*.part"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", ["models", "config docs", "regions show --bed found.bed c:3-7"])
def test_a_full_disk_behind_the_output_is_one_sentence(folder: Path, words: str) -> None:
    shutil.copy("wanted.bed", "found.bed")
    line = f"{sys.executable} -m genezip {words} > /dev/full"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (
        1,
        "genezip: cannot write the output: No space left on device; free space or write "
        "elsewhere\n",
    )


def test_a_region_map_from_a_named_pipe_is_refused(folder: Path) -> None:
    os.mkfifo("named")
    words = ["corpus", "build", "--source", "none.json", "--regions", "named", "--out", "c"]
    done = processes.run(["-m", "genezip", *words], folder, timeout=120)
    assert done.returncode == 1
    assert done.stderr == (
        "genezip: --regions named is a pipe or device, which cannot be read twice or at any "
        "position; write it to a file first\n"
    )
    assert not list(folder.glob("*.part"))
