"""Every command and every block of code in the texts, tried as a newcomer would in a fresh clone.

What the texts say is found by ``toolkit/text_commands.py``; ``COMMANDS`` says for each command how
it is tried. A command in no category fails, so that new text cannot escape.
"""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from toolkit import processes, reader_files, text_commands
from toolkit.command_line import leaf, succeed
from toolkit.deposits import pairs
from toolkit.text_commands import Found, snakemake_parser

from genezip import config
from genezip.inference.tracks import TrackWriter

REPO = Path(__file__).resolve().parents[1]

# test_workflow plans much the same, and test_contributing measures a task
slow = partial(pytest.param, marks=pytest.mark.slow)
RUN = "run"  # as written, in a clone that has the files of which the text speaks
SLOW = "slow"  # the same; minutes
PLAN = "plan"  # a command of the workflow, with -n and without conda
PARSE = "parse"  # its options alone, because of what stands beside it

COMMANDS: dict[str, tuple[str, str]] = {
    "genezip compress my.fa --out tokens.parquet --tracks tracks": (RUN, ""),
    "genezip plot data/my.fa.gz chr1:8,001-13,000 --gtf data/my.gtf.gz --out region.svg": (RUN, ""),
    "genezip score variants.vcf.gz --fasta my.fa --out scores.vcf.gz": (
        PARSE,
        "needs the VCF of the FASTA; inference/variants/test_score scores a toy",
    ),
    "genezip embed regions.bed --fasta my.fa --level region --out vectors.parquet": (RUN, ""),
    "genezip compress my.fa --model runs/demo/results/pretrain/genezip-tiny.seed0 "
    "--out tokens.parquet --tracks tracks": (RUN, ""),
    "genezip compress my.fa --model cut_at_cg:CutAtCG --out tokens.parquet --tracks tracks": (
        PARSE,
        "test_contributing runs it",
    ),
    "genezip compress my.fa --model bpe --out words.parquet": (RUN, ""),
    "genezip plot data/my.fa.gz chr1:8,001-13,000 --gtf data/my.gtf.gz "
    "--model runs/demo/results/pretrain/genezip-tiny.seed0 --out region.svg": (RUN, ""),
    "genezip plot data/my.fa.gz chr1:10,001-10,120 --mutate "
    "--model runs/demo/results/pretrain/genezip-tiny.seed0 --table mutations.tsv --out cut.png": (
        RUN,
        "",
    ),
    "genezip embed regions.bed --fasta my.fa --level region --model "
    "runs/demo/results/pretrain/genezip-tiny.seed0 --out vectors.parquet": (RUN, ""),
    "genezip embed regions.bed --fasta my.fa --level token --model "
    "runs/demo/results/pretrain/genezip-tiny.seed0 --out tokens.parquet": (
        PARSE,
        "test_the_python_about_vectors_reads_them runs it",
    ),
    "genezip embed regions.bed --fasta my.fa --level base --model "
    "runs/demo/results/pretrain/genezip-tiny.seed0 --out bases.npz": (
        PARSE,
        "test_the_python_about_vectors_reads_them runs it",
    ),
    "genezip browse tracks": (PARSE, "serves until Ctrl-C; browse/test_server runs it"),
    "genezip browse tracks --locus chr9:440,209-505,744 --page locus.html": (
        PARSE,
        "needs tracks of chr9; browse/test_server writes a page",
    ),
    "genezip browse results/tracks/genezip-tiny.seed0 results/tracks/hnet-tiny.seed0": (
        PARSE,
        "serves until Ctrl-C; browse/test_page reads the page of two folders",
    ),
    "genezip browse results/tracks": (PARSE, "serves until Ctrl-C"),
    "genezip tokenizer bpe --corpus runs/demo/results/corpus/demo/manifest.json --name bpe-4096 "
    "--out bpe": (PARSE, "needs the corpus of a demo; cli/test_models fits one of a toy"),
    "genezip tokenizer bpe --corpus corpus/manifest.json --name bpe --out bpe --settings "
    '\'{"vocabulary": 512, "block_bp": 512}\'': (PARSE, "training/test_words fits one of a toy"),
    "genezip tokenizer ggrams --tokenizer bpe --source resources/source.json --out ggrams.json": (
        PARSE,
        "training/test_words mines those of a toy",
    ),
    "genezip pretrain-words --corpus corpus/manifest.json --architecture dnazen-tiny "
    "--tokenizer bpe --ggrams ggrams.json --name mine --out mine": (
        PARSE,
        "training/test_words trains a toy",
    ),
    "pip install 'dist/genezip-0.1.0-py3-none-any.whl[workflow]'": (
        PARSE,
        "test_wheel installs one without its dependencies",
    ),
    "genezip init my-run": (RUN, ""),
    "cd my-run": (PARSE, "the folder of the line before"),
    "snakemake --cores 2 -n": (PARSE, "test_run_folder plans it in that folder"),
    "snakemake --cores 2": (PARSE, "the same, some ten minutes; test_wheel makes a region map"),
    "genezip config show config/config.yaml config/demo.yaml my-run/config.yaml": (
        PARSE,
        "test_run_folder loads such a folder",
    ),
    "genezip score variants.vcf.gz --fasta my.fa --model mine --out scores.vcf.gz": (
        PARSE,
        "needs the VCF of the FASTA; inference/variants/test_score scores a toy",
    ),
    "genezip score snv.vcf --fasta chr9.fa.gz --model "
    "runs/demo/results/pretrain/genezip-tiny.seed0 --out snv.tsv --threads 1": (
        PARSE,
        "measures the speed on a VCF made for that",
    ),
    "genezip tasks list": (RUN, ""),
    "genezip tasks run my_task.yaml --out my_task": (RUN, ""),
    "genezip tasks measure by_file:ByFile --files files.json --model fixed:3 --out scores.tsv "
    "--predictions predictions.parquet": (PARSE, "test_contributing runs it"),
    "genezip evaluate --from-predictions predictions.parquet --task by_file:ByFile "
    "--out scores.tsv": (PARSE, "test_contributing runs it"),
    "genezip fetch --plan": (RUN, ""),
    "genezip models": (RUN, ""),
    "genezip doctor": (RUN, ""),
    "genezip labels fetch": (RUN, ""),
    "genezip weights import pytorch_model.bin --out published": (RUN, ""),
    "genezip config show config/config.yaml config/demo.yaml": (RUN, ""),
    "genezip config docs config/README.md": (RUN, ""),
    "genezip config schema": (RUN, ""),
    "genezip regions build --annotation data/my.gff3.gz --chrom-sizes data/my.fa.gz "
    "--settings my.yaml --bed gene7.bed.gz --summary gene7.tsv": (RUN, ""),
    "snakemake --use-conda --cores 16 all": (PLAN, ""),
    "snakemake --use-conda --cores 16 --configfile config/config.yaml config/comparison.yaml "
    "-- all": (PLAN, ""),
    "snakemake --cores 16 --configfile config/config.yaml config/comparison.yaml -- all": (
        PLAN,
        "",
    ),
    "snakemake --cores 2 results/regions/gene7.bed.gz": (PLAN, ""),
    "snakemake --cores 4 results/eqtl/artery.tsv": (PLAN, ""),
    "snakemake --cores 4 results/tables/paper/table6.md results/tables/claims.tsv": (PLAN, ""),
    "snakemake --cores 16 all": (PLAN, ""),
    "snakemake --cores 2 --configfile config/config.yaml my.yaml -- all": (PLAN, ""),
    "snakemake --cores 16 results/corpus/human-128k/manifest.json": (PLAN, ""),
    "snakemake --cores 16 --set-scatter corpus=64 -- all": (PLAN, ""),
    "snakemake --profile workflow/profiles/demo --directory runs/my --configfile "
    "config/config.yaml config/demo.yaml my.yaml -- all": (PLAN, ""),
    "snakemake --profile workflow/profiles/demo --directory runs/demo --configfile "
    "config/config.yaml config/demo.yaml config/tokens.yaml -- all": (PLAN, ""),
    "snakemake --profile workflow/profiles/demo --directory runs/arena --configfile "
    "config/config.yaml config/demo.yaml config/arena.yaml -- all": (PLAN, ""),
    "snakemake --profile workflow/profiles/demo --directory runs/arena --configfile "
    "config/config.yaml config/demo.yaml config/arena.yaml mine.yaml -- results/report.html": (
        PARSE,
        "needs the class of the tutorial beside it; test_arena runs both",
    ),
    "genezip evaluate arena --compressed mine.parquet "
    "--compressed runs/demo/results/compress/genezip-tiny.seed0.parquet "
    "--corpus runs/demo/results/corpus/demo/manifest.json --scale demo --out arena.tsv": (
        PARSE,
        "needs the demo and a router of one's own; test_arena ranks made-up ones",
    ),
    "snakemake --report workflow.html": (PARSE, "of a finished run; test_workflow makes one"),
    "snakemake --lint": (PARSE, "test_workflow runs it"),
    "source .venv/bin/activate": (PARSE, "`make venv` makes the environment"),
    "pip install -e '.[test]'": (PARSE, "`make venv` does it with pinned versions"),
    "genezip corpus check results/corpus/human-128k/manifest.json --source resources/source.json": (
        PARSE,
        "reads 13 Gb; test_corpus_cli checks a small corpus",
    ),
    "genezip dnalongbench fetch eqtl --only all": (PARSE, "network; a made deposit stands in"),
    "genezip dnalongbench genome eqtl --files resources/dnalongbench/eqtl.json "
    "--out artery/genome.fa": (SLOW, ""),
    "genezip dnalongbench prepare eqtl --files resources/dnalongbench/eqtl.json "
    "--subset Artery_Tibial --genome artery/genome.fa --out artery/data/manifest.json": (SLOW, ""),
    "genezip dnalongbench features eqtl --data artery/data/manifest.json "
    "--genome artery/genome.fa --model runs/demo/results/pretrain/genezip-tiny.seed0 "
    "--input full --out artery/features/manifest.json": (SLOW, ""),
    "genezip dnalongbench predict eqtl --data artery/data/manifest.json "
    "--genome artery/genome.fa --features artery/features/manifest.json --model genezip-tiny "
    "--subset artery --official Artery_Tibial --out artery/model.parquet": (SLOW, ""),
    "genezip dnalongbench baselines eqtl --data artery/data/manifest.json "
    "--genome artery/genome.fa --subset artery --official Artery_Tibial "
    "--out artery/baselines.parquet": (SLOW, ""),
    "genezip evaluate --from-predictions artery/model.parquet "
    "--from-predictions artery/baselines.parquet --out artery/artery.tsv": (SLOW, ""),
}
# Scripts that call the module of their name, and a command of one that a real shell runs.
SCRIPTS = ("genezip", "snakemake")
TYPED_IN_BASH = ("genezip config schema",)
SHELL = re.compile(r"[][|&;<>()$`\\*?~{}!#]")  # what a shell may read in its own way
# Blocks that are neither code nor commands: how many a text has, and why.
PICTURES = {"README.md": (1, "the file tree, which test_project compares with the files")}
# A demo of minutes: only what is added to the tutorial's command to make it so.
BRIEF = """
corpus: {window_bp: 2048, train_windows: 64, heldout_window_bp: 4096}
pretrain: {steps: 8, warmup_steps: 2, validate_every: 8, validate_windows: 2, checkpoint_every: 8}
evaluation: {bootstrap: 50, block_bp: 16384, markov_orders: [0, 1], shifts: 3}
"""


def found_everywhere() -> list[Found]:
    documents = text_commands.texts(REPO)
    found = [one for path in documents for one in text_commands.of_document(REPO, path)]
    for path in sorted((REPO / "benchmarks").glob("*.py")):
        found += text_commands.of_docstring(REPO, path)
    return found


FOUND = found_everywhere()
TYPED = list(dict.fromkeys(one.text for one in FOUND if one.kind == "command"))


def tried(way: str) -> list[str]:
    return [text for text in TYPED if COMMANDS.get(text, ("",))[0] == way]


def program(text: str, name: str) -> bool:
    return text.split()[0] == name


def is_name(text: str) -> bool:
    """Whether a text only names a command, one that cannot be typed without more."""
    words = text.split()
    if words[0] != "genezip":
        return False
    command, left = leaf(words[1:])
    needs = any(one.required for one in command.params) or hasattr(command, "commands")
    return not left and (needs or text == "genezip fetch")  # which refuses to run without --out


# --- a fresh clone


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the repository, and those that the texts say a reader has."""
    if not (REPO / ".git").exists():
        pytest.skip("no git checkout")
    folder = tmp_path_factory.mktemp("reader") / "genezip"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPO, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in listed.split("\0"):
        if name and (REPO / name).is_file() and not name.startswith("docs/images"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPO / name, folder / name)
    reader_files.write_all(folder)
    text_commands.write_named_files(FOUND, folder)
    return folder


def run(
    command: str | list[str], cwd: Path, timeout: int = 300, **more: str
) -> subprocess.CompletedProcess[str]:
    """A command as a newcomer types it, with this clone's package and without network.

    What Python runs has warm libraries (``toolkit/processes.py``).
    """
    (cwd / "nothing-fetched").mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "GENEZIP_MIRROR"}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(cwd),
        "GENEZIP_FETCHED": str(cwd / "nothing-fetched"),  # so that no server is asked
        "OMP_NUM_THREADS": "1",
        **more,
    }
    words = shlex.split(command) if isinstance(command, str) else command
    if isinstance(command, str) and (command in TYPED_IN_BASH or SHELL.search(command)):
        words = ["bash", "-euo", "pipefail", "-c", command]
    elif words[0] in SCRIPTS:
        words = [sys.executable, "-m", *words]
    if words[0] != sys.executable:
        return subprocess.run(
            words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout
        )
    libraries = processes.PLANS if "snakemake" in words else processes.COMMANDS
    return processes.run(words[1:], cwd, environment, libraries=libraries, timeout=timeout)


def of_the_human_genome(plan: str) -> list[str]:
    """Jobs that a run on another genome has no business with."""
    return re.findall(r"^(?:dnalongbench\w*|labels\w*|score|benchmark\w*) ", plan, re.MULTILINE)


# --- nothing escapes


def test_every_command_of_the_texts_is_in_a_category() -> None:
    own = {
        text for text in TYPED if text.split()[0] not in ("make", "python") and not is_name(text)
    }
    assert own - set(COMMANDS) == set(), "say in COMMANDS how these are tried"
    assert set(COMMANDS) - own == set(), "no text has these any more"
    for text, (way, reason) in COMMANDS.items():
        assert way in (RUN, SLOW, PLAN, PARSE) and bool(reason) == (way == PARSE), text


def test_every_other_block_is_in_a_category() -> None:
    kinds = {one.kind for one in FOUND}
    known = {"command", "mention", "python", "yaml", "text"}
    assert kinds <= known, "tell the language of every block"
    pictures = [one.where for one in FOUND if one.kind == "text"]
    assert {where: pictures.count(where) for where in pictures} == {
        where: count for where, (count, _) in PICTURES.items()
    }


def test_what_is_found_in_a_text(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "Use `genezip models`, `genezip a --out FILE` and `--bound\ncausal`.\n\n"
        "- item:\n\n  ```sh\n  # why\n"
        "  genezip compress a.fa \\\n    --out b # then\n  ```\n\n```yaml\na: 1\n```\n"
        "```text\ngenezip fetch\nno command\n```\n```\nunnamed\n```\n"
    )
    found = [(one.kind, one.text) for one in text_commands.of_document(tmp_path, tmp_path / "a.md")]
    assert found == [
        ("command", "genezip compress a.fa --out b"),
        ("yaml", "a: 1\n"),
        ("text", "genezip fetch\nno command\n"),
        ("command", "genezip fetch"),
        ("", "unnamed\n"),
        ("command", "genezip models"),
        ("mention", "genezip a --out FILE"),
    ]


# --- everything is tried


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_calls_the_module_of_its_name(name: str) -> None:
    (script,) = entry_points(group="console_scripts", name=name)
    module = importlib.util.find_spec(f"{name}.__main__")
    assert module is not None and module.loader is not None
    text = Path(str(module.origin)).read_text()
    where, _, what = script.value.partition(":")
    assert f"from {where} import {what}" in text and f"{what}(" in text


@pytest.mark.parametrize(
    "command",
    [slow(text) if text.startswith("genezip tasks run") else text for text in tried(RUN)],
)
def test_a_command_runs_as_written(clone: Path, command: str) -> None:
    before = (clone / "config" / "README.md").read_text()
    done = run(command, clone)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for value in text_commands.outputs_of(command):
        assert (clone / value).exists(), value
    if "--tracks" in command:
        assert {path.suffix for path in (clone / "tracks").iterdir()} >= {".bw", ".xml"}
    assert (clone / "config" / "README.md").read_text() == before


@pytest.mark.parametrize(
    "command",
    [
        text if "my.yaml" in text else slow(text)
        for text in sorted({text.replace(" --use-conda", "") for text in tried(PLAN)})
    ],
)
def test_a_workflow_command_can_be_planned(clone: Path, command: str) -> None:
    words = command.split()
    done = run([words[0], "-n", *words[1:]], clone)
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = done.stdout + done.stderr
    assert "Job stats:" in jobs
    if "my.yaml" in words:
        assert not of_the_human_genome(jobs), jobs


@pytest.mark.parametrize("command", tried(PARSE))
def test_the_options_of_a_command_exist(command: str) -> None:
    words = shlex.split(command)
    if program(command, "genezip"):
        found, left = leaf(words[1:])
        found.make_context(words[0], left)
    elif program(command, "snakemake"):
        snakemake_parser().parse_args(words[1:])
    else:
        assert "-m venv .venv" in (REPO / "Makefile").read_text()


@pytest.mark.slow
def test_the_steps_of_the_benchmark_run_one_after_the_other(clone: Path) -> None:
    deposit = clone / "resources" / "dnalongbench"
    deposit.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "TISSUE", "Artery_Tibial")
        pairs.write_eqtl(deposit, more=72, cases=False)
    for command in tried(SLOW):
        done = run(command, clone, timeout=600)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert "genezip-tiny" in (clone / "artery" / "artery.tsv").read_text()


@pytest.mark.slow
def test_the_tutorial_of_your_genome_runs_to_its_report(clone: Path) -> None:
    """The command as written, and one overlay more that makes training brief."""
    (command,) = [text for text in tried(PLAN) if "--directory runs/my" in text]
    (clone / "brief.yaml").write_text(BRIEF)
    done = run(command.replace("my.yaml", "my.yaml brief.yaml"), clone, timeout=1200)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    page = (clone / "runs" / "my" / "results" / "report.html").read_text(encoding="utf-8")
    assert "my_build" in page and "On real labels" not in page


def test_the_python_of_a_text_runs_from_top_to_bottom(clone: Path) -> None:
    texts = {one.where for one in FOUND if one.kind == "python"}
    # test_contributing runs the third
    # tests of their own
    own = {"docs/tracks.md", "docs/embedding.md", "docs/tutorials/new-compressor.md"}
    assert texts == {"README.md", "CONTRIBUTING.md", "docs/api.md"} | own
    first, second = (one.text for one in FOUND if one.kind == "python" and one.where == "README.md")
    assert len([line for line in first.splitlines() if line.strip()]) <= 5
    done = run([sys.executable, "-c", first + second], clone)
    assert done.returncode == 0, done.stderr
    assert re.match(r"\d+\.\d+ \[ *0 ", done.stdout)
    difference, generated = done.stdout.splitlines()[-2:]
    assert float(difference) != 0
    assert re.fullmatch("[ACGT]{50}", generated)
    (interface,) = [
        one.text for one in FOUND if one.kind == "python" and one.where == "docs/api.md"
    ]
    done = run([sys.executable, "-c", interface], clone)
    assert done.returncode == 0, done.stderr
    assert 0 < float(done.stdout.split()[-1]) < 20  # bits per base


def test_the_python_about_tracks_gives_bp_per_token(tmp_path: Path) -> None:
    (block,) = [one for one in FOUND if one.kind == "python" and one.where == "docs/tracks.md"]
    with TrackWriter(tmp_path / "tracks", {"mine": 5000}) as tracks:
        tracks.add("mine", 0, 5000, np.tile([100, 900], 5), np.full(5000, 0.5))
    done = run([sys.executable, "-c", block.text], tmp_path)
    assert done.returncode == 0, done.stderr
    number, words = done.stdout.split(maxsplit=1)
    assert float(number) == pytest.approx(500) and words == "bp per token\n"


def test_the_python_about_vectors_reads_them(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands of the page one after the other, then its code."""
    monkeypatch.chdir(tmp_path)
    for name in ("my.fa", "regions.bed", "runs"):
        (tmp_path / name).symlink_to(clone / name)
    typed = [one.text for one in FOUND if one.where == "docs/embedding.md"]
    for command in (text for text in typed if text.startswith("genezip embed ")):
        succeed(*shlex.split(command)[1:], "--threads", torch.get_num_threads())
    (code,) = [
        one.text for one in FOUND if (one.where, one.kind) == ("docs/embedding.md", "python")
    ]
    done = run([sys.executable, "-c", code], tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\(3, \d+\) float32\n6400\n", done.stdout)


# `genezip tasks run` reads this one, and its command is tried above.
BLOCKS = [one for one in FOUND if one.kind == "yaml" and not one.text.startswith("# my_task.yaml")]


@pytest.mark.parametrize(
    "number",
    [number if "[files]" in one.text else slow(number) for number, one in enumerate(BLOCKS)],
)
def test_a_block_of_configuration_can_be_planned(clone: Path, number: int) -> None:
    """Laid over the paper's settings, as its text says, with the files that it names."""
    block = BLOCKS[number]
    assert isinstance(yaml.safe_load(block.text), dict)
    path = clone / f"block{number}.yaml"
    path.write_text(block.text)
    config.load(clone / "config" / "config.yaml", path)
    layers = ["--configfile", "config/config.yaml", path.name]
    done = run(["snakemake", "-n", "--cores", "1", *layers, "--", "all"], clone)
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = done.stdout + done.stderr
    if "[files]" in block.text:
        assert not of_the_human_genome(jobs), jobs


@pytest.mark.parametrize(
    "target", sorted({text.split()[1] for text in TYPED if program(text, "make")})
)
def test_a_target_of_make_exists(clone: Path, target: str) -> None:
    done = run(["make", "-n", target], clone)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [text for text in TYPED if program(text, "python")])
def test_a_benchmark_is_called_as_its_docstring_says(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Minutes each, so `make check-all` runs them; here the options of those that have any."""
    usage = re.sub(r" \[[^]]*\]", "", command).split()
    path = REPO / usage[1]
    assert path.is_file()
    assert f"python {usage[1]}" in (REPO / "Makefile").read_text()
    if "argparse" in path.read_text():
        monkeypatch.syspath_prepend(str(path.parent))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        assert __import__(path.stem).arguments(usage[2:])
    else:
        assert usage[2:] == []
