"""Record what users hold, change the package, and compare: a net under the reshaping.

Run it from the root of the checkout that is meant, whichever checkout this file lies in::

    python tests/net.py record  NET_FOLDER [--demo runs/demo]
    python tests/net.py compare NET_FOLDER [--demo runs/demo]

Recorded and compared are ``--help`` of every command, the schema and the tables of the
configuration, and the jobs that are planned for the paper run and for one task. With ``--demo``
also what a finished demo holds: every table, and digests of weights, Parquet columns and tracks.
Benchmarks, checkpoints and new files are left out; tables may gain columns and no rows.

``compare`` prints the differences (of a file with many the first twenty, and how many more there
are) and ends with 1; without any it prints one line and ends with 0. The script calls only the
command line, so modules may lie elsewhere. It is removed when the reshaping ends.
"""

import argparse
import difflib
import gzip
import hashlib
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stdout
from itertools import takewhile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from safetensors import safe_open

PLANS = {"all": "all", "artery": "results/eqtl/artery.tsv"}
SHOWN = 20  # differences of one name that are printed; all are counted
KEPT = ("HOME", "TMPDIR", "LANG", "LC_ALL")  # environment that may not change what is recorded


# What the command line and the workflow say, as texts: name -> text


def texts(root: Path) -> dict[str, str]:
    """Helps, schema, tables of the configuration and plans, free of the checkout's path."""
    helps = json.loads(called(root, __file__, "helps"))
    found = {f"help/{command}.txt": text for command, text in helps.items()}
    for name in ("schema", "docs"):
        found[f"config/{name}.txt"] = called(root, "-m", "genezip", "config", name)
    for name, target in PLANS.items():
        with tempfile.TemporaryDirectory() as folder:
            jobs = called(root, __file__, "jobs", target, folder)
            found[f"plan/{name}.txt"] = plan(json.loads(jobs)).replace(folder, "<folder>")
    return {name: text.replace(str(root), "<checkout>") for name, text in found.items()}


def called(root: Path, *arguments: str) -> str:
    """Standard output of Python in a checkout, without colours and in a wide terminal."""
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(root),
        "PYTHONUTF8": "1",
        "COLUMNS": "1000",
        "TERM": "dumb",
        "NO_COLOR": "1",
    }
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-4000:]}")
    return done.stdout


def print_helps() -> None:
    """Print ``--help`` of every command as JSON: words of the command -> text."""
    import typer
    from typer.testing import CliRunner

    import genezip
    from genezip.cli import app

    if not Path(genezip.__file__).is_relative_to(Path.cwd()):
        sys.exit(f"{genezip.__file__} is not of the checkout {Path.cwd()}")
    found = {}
    waiting: list[tuple[list[str], Any]] = [([], typer.main.get_command(app))]
    while waiting:
        words, command = waiting.pop()
        name = " ".join(["genezip", *words])
        result = CliRunner().invoke(app, [*words, "--help"], prog_name="genezip")
        if result.exit_code != 0:
            sys.exit(f"{name} --help failed: {result.output}")
        # Defaults name files of the checkout. Neither wrapping nor padding may tell how long its
        # path is, so lines are not wrapped and spaces are few.
        found[name] = re.sub(r"([ ─])\1+", r"\1\1", result.output)
        for word, inner in getattr(command, "commands", {}).items():
            waiting.append(([*words, word], inner))
    print(json.dumps(found))


def print_jobs(target: str, folder: str) -> None:
    """Print the jobs of a dry run of the paper's configuration as JSON, in an empty folder."""
    from snakemake.cli import main
    from snakemake_interface_logger_plugins.common import LogEvent

    jobs = []

    def keep(record: Any) -> bool:
        if getattr(record, "event", None) == LogEvent.JOB_INFO:
            output = [str(path) for path in record.output or []]
            wildcards = dict(record.wildcards or {})
            jobs.append({"rule": record.rule_name, "output": output, "wildcards": wildcards})
        return True

    # Snakemake removes handlers of others from its logger, but not filters.
    logging.getLogger("snakemake.logging").addFilter(keep)
    snakefile, config = Path("workflow", "Snakefile"), Path("config", "config.yaml")
    options = ["--dry-run", "--cores", "16", "--nocolor", "--directory", folder]
    options += ["--snakefile", str(snakefile.resolve()), "--configfile", str(config.resolve())]
    with redirect_stdout(sys.stderr):
        try:
            main([*options, "--", target])
        except SystemExit as end:
            if end.code:
                raise
    print(json.dumps(jobs))


def plan(jobs: list[dict[str, Any]]) -> str:
    """Jobs of every rule, counted, then one line for each job in an order that is always the same.

    A line is the rule, its wildcards and its output files.
    """
    counts = Counter(job["rule"] for job in jobs)
    lines = []
    for job in jobs:
        wildcards = ", ".join(f"{name}={value}" for name, value in sorted(job["wildcards"].items()))
        lines.append(f"{job['rule']}({wildcards}): {' '.join(job['output'])}")
    head = [f"{count} x {rule}" for rule, count in sorted(counts.items())]
    return "\n".join([*head, f"{len(jobs)} in all", *sorted(lines), ""])


def text_differences(then: str, now: str) -> Iterator[str]:
    """Every line that is gone (-) or new (+)."""
    lines = list(difflib.unified_diff(then.splitlines(), now.splitlines(), lineterm="", n=0))
    yield from (line for line in lines[2:] if not line.startswith("@@"))


# What a finished demo holds


def results(demo: Path, *suffixes: str) -> dict[str, Path]:
    """Result files with such endings by their name below ``results``."""
    folder = demo / "results"
    if not (folder / "report.html").is_file():
        sys.exit(f"{demo} is no finished demo: it has no results/report.html")
    paths = {path.relative_to(folder): path for path in sorted(folder.rglob("*"))}
    return {
        name.as_posix(): path
        for name, path in paths.items()
        if name.name.endswith(suffixes) and not {"benchmarks", "checkpoints"} & set(name.parts)
    }


def table_differences(then: str, now: str) -> Iterator[str]:
    """Differences in the rows and in the columns that were recorded; new columns are fine."""
    (names, before), (found, after) = read_table(then), read_table(now)
    yield from (f"column {name} is gone" for name in names if name not in found)
    columns = [name for name in names if name in found]
    old, new = ([tuple(row[name] for name in columns) for row in rows] for rows in (before, after))
    gone, more = Counter(old) - Counter(new), Counter(new) - Counter(old)
    if len(old) == len(new) and gone:
        for number, pair in enumerate(zip(old, new, strict=True), start=1):
            for column, was, value in zip(columns, *pair, strict=True):
                if was != value:
                    yield f"row {number} ({key(pair[0])}), {column}: {was!r} is now {value!r}"
        return
    yield from (f"row is gone: {' | '.join(row)}" for row in gone.elements())
    yield from (f"row is new: {' | '.join(row)}" for row in more.elements())
    if len(old) == len(new) and old != new:
        number = next(n for n in range(len(old)) if old[n] != new[n])
        yield f"the same rows in another order, from row {number + 1} ({key(old[number])})"


def read_table(text: str) -> tuple[list[str], list[dict[str, str]]]:
    """Names of the columns; rows, every cell as the text that it is."""
    names, *rows = (line.split("\t") for line in text.removesuffix("\n").split("\n"))
    return names, [dict(zip(names, row, strict=True)) for row in rows]


def key(row: tuple[str, ...]) -> str:
    """The leading texts of a row, up to its first number; at least its first cell."""
    leading = takewhile(lambda cell: not re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", cell), row)
    return " ".join(filter(None, leading)) or row[0]


def digests(demo: Path) -> dict[str, Any]:
    """File -> what it holds: hashes, shapes and types; a hash is of content, not of packing."""
    readers = {
        ".safetensors": weights,
        ".parquet": parquet,
        ".bed.gz": lambda path: sha256(gzip.decompress(path.read_bytes())),
        ".bw": lambda path: sha256(path.read_bytes()),
    }
    return {
        name: reader(path)
        for suffix, reader in readers.items()
        for name, path in results(demo, suffix).items()
    }


def weights(path: Path) -> dict[str, Any]:
    """Hash of the file; dtype and shape of each tensor."""
    with safe_open(path, framework="numpy") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        tensors = {name: f"{one.get_dtype()} {one.get_shape()}" for name, one in slices.items()}
    return {**sha256(path.read_bytes()), "tensor": tensors}


def parquet(path: Path) -> dict[str, Any]:
    """Number of rows; type of each column and hash of its values, whatever the row groups are."""
    table = pq.ParquetFile(path).read()
    columns = {}
    for name in table.column_names:
        found = hashlib.sha256()
        for batch in table[name].chunks:
            for value in batch.to_pylist():
                found.update(f"{value!r}\n".encode())
        columns[name] = {"type": str(table.schema.field(name).type), "sha256": found.hexdigest()}
    return {"rows": table.num_rows, "column": columns}


def sha256(content: bytes) -> dict[str, str]:
    """Hash of bytes."""
    return {"sha256": hashlib.sha256(content).hexdigest()}


def digest_differences(then: Any, now: Any, where: str = "") -> Iterator[str]:
    """Recorded leaves that are gone or differ; new ones are of no concern."""
    if not isinstance(then, dict):
        if then != now:
            yield f"{where.strip()}: {str(then)[:40]} is now {str(now)[:40]}"
        return
    for name, value in then.items():
        if name in now:
            yield from digest_differences(value, now[name], f"{where} {name}")
        else:
            yield f"{where} {name}".strip() + " is gone"


# The two verbs

DIFFERENCES = {
    "texts": text_differences,
    "tables": table_differences,
    "digests": digest_differences,
}


def observed(root: Path, demo: Path | None) -> dict[str, dict[str, Any]]:
    """Everything that is recorded, by kind and name."""
    found: dict[str, dict[str, Any]] = {"texts": texts(root)}
    if demo is not None:
        paths = results(demo, ".tsv")
        found["tables"] = {name: path.read_text("utf-8") for name, path in paths.items()}
        found["digests"] = digests(demo)
    return found


def record(root: Path, net: Path, demo: Path | None) -> str:
    """Write what is compared later, one file for each kind; return what it is."""
    net.mkdir(parents=True, exist_ok=True)
    found = observed(root, demo)
    for kind, named in found.items():
        (net / f"{kind}.json").write_text(json.dumps(named, indent=1) + "\n", "utf-8")
    return f"recorded: {counted(found)}"


def compare(root: Path, net: Path, demo: Path | None) -> str:
    """Print every difference and exit with 1, or return how much is equal."""
    files = {kind: net / f"{kind}.json" for kind in (DIFFERENCES if demo else ["texts"])}
    for file in files.values():
        if not file.is_file():
            sys.exit(f"there is no {file}; record it first")
    record = {kind: json.loads(file.read_text("utf-8")) for kind, file in files.items()}
    total = 0
    for kind, found in observed(root, demo).items():
        for name in sorted(record[kind].keys() | found.keys()):
            if name not in found:
                lines = ["is gone"]
            elif name not in record[kind]:
                lines = ["is new"] if kind == "texts" else []
            else:
                lines = list(DIFFERENCES[kind](record[kind][name], found[name]))
            total += len(lines)
            for line in lines[:SHOWN]:
                print(f"{name}: {line}")
            if len(lines) > SHOWN:
                print(f"{name}: {len(lines) - SHOWN} more differences")
    if total:
        sys.exit(f"{total} differences from the record: {counted(record)}")
    return f"no difference: {counted(record)}"


def counted(found: dict[str, dict[str, Any]]) -> str:
    """Say how much there is of each kind."""
    return ", ".join(f"{len(named)} {kind}" for kind, named in found.items())


def main() -> None:
    """Read the command line. The verbs helps and jobs are for the script itself."""
    if sys.argv[1:2] == ["helps"]:
        print_helps()
        return
    if sys.argv[1:2] == ["jobs"]:
        print_jobs(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("verb", choices=["record", "compare"])
    parser.add_argument("net", type=Path, help="folder of the record")
    parser.add_argument("--demo", type=Path, help="folder of a finished demo: runs/demo")
    given = parser.parse_args()
    root = Path.cwd()
    if not (root / "genezip").is_dir() or not (root / "workflow" / "Snakefile").is_file():
        sys.exit(f"{root} is no checkout of genezip; change to its root")
    verb = record if given.verb == "record" else compare
    print(verb(root, given.net, given.demo))


if __name__ == "__main__":
    main()
