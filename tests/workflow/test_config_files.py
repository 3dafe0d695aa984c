"""What Snakemake does with users' configuration: empty sections, names, and paths of files."""

import random
import re
import shutil
from functools import partial
from pathlib import Path

import pytest
import yaml
from toolkit.configurations import refusal
from toolkit.dna import fasta
from toolkit.snakemake_runs import snakemake

slow = partial(pytest.param, marks=pytest.mark.slow)  # further cases of what others show
TAKEN = "the workflow has results of this name"
NASTY = 'it\'s "a" $HOME `id` b;c & (d) é'


@pytest.fixture(scope="module")
def checkout(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare checkout in a folder of an unusual name."""
    folder = tmp_path_factory.mktemp("bare") / NASTY / "genezip"
    folder.mkdir(parents=True)
    for name in ("workflow", "config", "envs", "genezip"):
        shutil.copytree(repo / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def overlay(checkout: Path, text: str) -> list[str | Path]:
    (checkout / "own.yaml").write_text(text, encoding="utf-8")
    return ["--configfile", "config/config.yaml", "own.yaml", "--"]


def own_files(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(0)
    records = {f"c{n}": "".join(draw.choices("ACGT", k=20_000)) for n in range(3)}
    (folder / f"{name}.fa").write_text(fasta(records))
    ids = 'gene_id "g"; transcript_id "{}"; tag "basic";'
    rows = [("transcript", 5001, 9000), ("exon", 5001, 7000), ("exon", 8001, 9000)]
    rows.append(("CDS", 5101, 6900))
    lines = [
        f"{c}\tx\t{kind}\t{start}\t{end}\t.\t+\t{0 if kind == 'CDS' else '.'}\t{ids.format(c)}\n"
        for c in records
        for kind, start, end in rows
    ]
    (folder / f"{name}.gtf").write_text("".join(lines))
    (folder / f"{name}.bed").write_text("c0\t100\t200\n")


def own_config(folder: str, name: str) -> str:
    path = f"{folder}/{name}"
    return yaml.safe_dump(
        {
            "genome": {
                "sources": ["files"], "fasta": f"{path}.fa", "annotation": f"{path}.gtf",
                "chromosomes": None, "valid": ["c1"], "test": ["c2"],
            },
            "leakage": {"tasks": [], "beds": [f"{path}.bed"]},
            "regions": {
                "promoter_half_width": 10,
                "classes": [
                    {"name": "own", "bed": f"{path}.bed", "before": "promoter", "target_bpt": 8}
                ],
            },
        },
        allow_unicode=True,
    )  # fmt: skip


@pytest.mark.slow
def test_any_character_but_braces_in_paths(checkout: Path) -> None:
    """Quotes, blanks, dollars and backticks: in the checkout's folder, the files', the run's."""
    own_files(checkout / NASTY, NASTY)
    files = overlay(checkout, own_config(NASTY, NASTY))
    targets = ("results/regions/gene7.bed.gz", "results/corpus/exclusions.bed.gz")
    run = checkout / "runs" / f"{NASTY} {{curly}}"
    done = snakemake(checkout, "--cores", "1", "--directory", run, *files, *targets)
    assert done.returncode == 0, done.stdout
    assert all((run / target).is_file() for target in targets)


@pytest.mark.parametrize(
    "key", ["fasta", "bed", *(slow(key) for key in ("annotation", "rmsk", "beds"))]
)
def test_braces_are_refused_at_the_start(checkout: Path, key: str) -> None:
    text = own_config("data", "x")
    if key == "rmsk":
        text = text.replace("sources:", "rmsk: data/{x}.out\n  sources:")
    else:
        end = {"fasta": "x.fa", "annotation": "x.gtf"}.get(key, "x.bed")
        first = rf"(?<={key}: data/)" if key != "beds" else r"(?<=- data/)"
        text, count = re.subn(first + re.escape(end), f"{{wildcards}}{end}", text, count=1)
        assert count == 1, text
    done = snakemake(checkout, "--cores", "1", "-n", *overlay(checkout, text), "all")
    assert done.returncode == 1
    assert "Snakemake reads braces as wildcards; rename it" in done.stdout, done.stdout
    assert "Building DAG" not in done.stdout


def test_braces_in_the_folder_of_the_workflow(checkout: Path, tmp_path: Path) -> None:
    shutil.copytree(checkout, tmp_path / "c{d}", symlinks=True)
    done = snakemake(tmp_path / "c{d}", "--cores", "1", "-n", "all")
    assert done.returncode == 1
    assert "the folder of the workflow is" in done.stdout and "braces" in done.stdout


EMPTY = """
genome:
  simulation:
regions:
leakage:
  # tasks: []
corpus:
  sampling:
corpora:
  human-12.8k:
    sampling:
models:
pretrain:
compress:
evaluation:
benchmarks:
  comparators:
  eqtl:
    # subsets: {}
labels:
report:
"""


@pytest.mark.slow
def test_empty_sections_change_nothing(checkout: Path) -> None:
    """The plan, and every command in it, is that of the file below."""
    targets = ("-p", "all", "results/eqtl/artery.tsv")
    plain = snakemake(checkout, "--cores", "1", "-n", *targets)
    empty = snakemake(checkout, "--cores", "1", "-n", "-p", *overlay(checkout, EMPTY), *targets[1:])
    assert plain.returncode == empty.returncode == 0, empty.stdout

    def commands(text: str) -> list[str]:
        return sorted(line for line in text.splitlines() if "genezip " in line)

    assert commands(plain.stdout) == commands(empty.stdout) != []


@pytest.mark.parametrize(
    ("overlay", "sentence"),
    [
        ("benchmarks: {models: [nobody]}", "benchmarks.models names 'nobody'"),
        ("benchmarks: {eqtl: {arms: [half.frozen]}}", "half.frozen"),
        ("corpsu: {window_bp: 512}", "corpsu"),
        ("corpus: {windwo_bp: 512}", "windwo_bp"),
        ("report: {reference: nobody}", "report.reference names 'nobody'"),
        ("models: {genezip-70m: {corpus: other}}", "models.genezip-70m.corpus names 'other'"),
        ("models: {words: {compressor: bpe, stride: 6}}", "stride"),
        ("models: {words: {compressor: zip}}", "zip"),
        ("models: {words: {compressor: bpe}}\nreport: {control: words}", "a bpe; name a"),
        ("corpora: {human-12.8k: null, human-128k: null}", "corpora"),
        ("corpora: {human-12.8k: {windwo_bp: 5}}", "windwo_bp"),
        (
            "regions: {classes: [{name: loop, bed: x, before: nig}]}",
            "models.genezip-70m: the region class 'loop' has no target",
        ),
    ],
)
def test_a_wrong_config_is_refused(repo: Path, tmp_path: Path, overlay: str, sentence: str) -> None:
    (tmp_path / "wrong.yaml").write_text(overlay)
    assert sentence in refusal(repo, tmp_path / "wrong.yaml")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("models: {a b: {architecture: x, uniform_bpt: 8}}", "becomes part of file names"),
        (
            "models: {7: {architecture: x, uniform_bpt: 8}}",
            "models.7.[key]': Input should be a valid string",
        ),
        (
            "models: {untrained: {architecture: x, uniform_bpt: 8}}",
            TAKEN,
        ),
        (
            "models: {GENEZIP-70M: {architecture: x, uniform_bpt: 8}}",
            "genezip-70m and GENEZIP-70M, which are one file name",
        ),
        ("corpora: {a/b: {}}", "becomes part of file names"),
        ("benchmarks: {eqtl: {subsets: {all: x}}}", TAKEN),
        (
            "benchmarks: {comparators: {genezip-70m: {kind: caduceus, source: x}}}",
            "comparators.genezip-70m is also the name of a model",
        ),
        ("report:\n  reference:\n", "report.reference': Input should be a valid string"),
    ],
)
def test_names_are_refused_with_the_reason(
    repo: Path, tmp_path: Path, text: str, sentence: str
) -> None:
    (tmp_path / "own.yaml").write_text(text)
    assert sentence in refusal(repo, tmp_path / "own.yaml")


def test_a_dot_in_a_name_is_a_dot(checkout: Path) -> None:
    target = "results/corpus/human-12x8k/manifest.json"
    done = snakemake(checkout, "--cores", "1", "-n", target)
    assert done.returncode == 1 and "Missing" in done.stdout, done.stdout


def test_tokens_of_no_network_are_measured_by_their_counts(checkout: Path) -> None:
    """Frozen heads on counts of token ids, beside a network that is fine-tuned as well."""
    text = "benchmarks: {models: [genezip-70m, bpe-4096, fixed-6]}\n"
    (checkout / "own.yaml").write_text(text, encoding="utf-8")
    files = ["config/config.yaml", "config/tokens.yaml", "own.yaml"]
    plan = snakemake(
        checkout, "--cores", "1", "-n", "--configfile", *files, "--", "results/eqtl/artery.tsv"
    )
    assert plan.returncode == 0, plan.stdout[-3000:]
    made = set(re.findall(r"results/eqtl/predictions/[^\s,]+\.parquet", plan.stdout))
    for name in ("bpe-4096", "fixed-6"):
        arms = {path.split(".seed0.")[1] for path in made if f"/{name}." in path}
        assert arms and all(arm.endswith(".frozen.parquet") for arm in arms), arms
        assert f"results/pretrain/{name}.seed0/config.json" in plan.stdout
    arms = {path.split(".")[-2] for path in made if "/genezip-70m." in path}
    assert arms > {"frozen"}
