"""The disk that a run needs, by what takes it, from its configuration alone.

Numbers are of GRCh38 and of networks of 70 million parameters, most by arithmetic from the shapes
of files: a row of ``rsap`` features has 896 bins of 1,536 channels in half precision. A run of
other sizes is told something larger than it takes, or about as much. Files of the tasks of pairs
and of ``tisp`` are guesses; no run has been measured at full size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage

from genezip.config.run import Config
from genezip.errors import GenezipError

GB = 1e9
GENOME = 5.0  # FASTA of 3.2 GB, gene models, repeats, and the files as they were fetched
CORPUS_BYTES = 0.54  # of a base of the corpus: 13.2 Gb take 7.1 GB
TRAINED = 2.9  # weights of a run, two checkpoints, optimiser
COMPRESSED = {False: 2.2, True: 3.7}  # held-out windows of a run, on one strand or on both
UNDER_ANOTHER_BOUND, REPEATS, TRACKS = 2.2, 1.4, 1.0
TASK_GENOME = 3.1  # FASTA of a deposit
# Task -> GB of what it fetches, of its examples, of the features of a run and an input, and of the
# predictions of a method
FETCHED = {"cmp": 25.0, "rsap": 383.0, "eqtl": 1.0, "etgp": 1.0, "tisp": 2.0}
EXAMPLES = {"cmp": 7.8, "rsap": 363.0}
FEATURES = {"cmp": {"authors": 7.2, "full": 21.6}, "rsap": {"full": 105.0}, "eqtl": {"full": 0.5}}
PREDICTIONS = {"cmp": 0.5, "tisp": 7.7, "rsap": 33.0}


@dataclass(frozen=True)
class Use:
    """What takes space, and how much (GB)."""

    what: str
    gb: float


def disk_uses(config: Config) -> list[Use]:
    """What a run writes and fetches, the largest first."""
    runs, trained = len(config.runs()), len(config.runs(*config.trained()))
    strands = config.compress.both_strands
    found = [
        Use("genome", GENOME),
        *(
            Use(f"corpus {name}", CORPUS_BYTES * one.train_windows * one.window_bp / GB)
            for name, one in config.chosen_corpora().items()
        ),
        Use("training", TRAINED * trained),
        Use(
            "held-out compression",
            COMPRESSED[strands] * runs + UNDER_ANOTHER_BOUND * 2 + REPEATS * 2 + TRACKS * 2,
        ),
    ]
    for name in config.benchmarks.tasks:
        found.append(Use(f"{name}: files", FETCHED.get(name, 0.0) + TASK_GENOME))
        found.append(Use(f"{name}: examples", EXAMPLES.get(name, 0.0)))
        methods = config.methods_of(name)
        stores = {
            (run, arm.split(".")[0])
            for method in methods
            for run, arm in [_split(method)]
            if arm.endswith(".frozen")
        }
        of_input = FEATURES.get(name, {})
        features = sum(of_input.get(input, 0.0) for _, input in stores)
        found.append(Use(f"{name}: features", features))
        subsets = 1 if name in ("rsap", "tisp") else len(config.benchmarks.task(name).subsets)
        each = PREDICTIONS.get(name, 0.0)
        found.append(Use(f"{name}: predictions", each * subsets * (len(methods) + 2)))
    return sorted((one for one in found if one.gb > 0), key=lambda one: -one.gb)


def _split(method: str) -> tuple[str, str]:
    """``model.seed0`` and ``input.mode`` of a method."""
    *run, kind, mode = method.split(".")
    return ".".join(run), f"{kind}.{mode}"


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder; 0 where there is none."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files)


def check_disk(uses: Sequence[Use], folder: Path) -> str:
    """A sentence about the space of a run in ``folder``; too little is refused.

    What earlier calls left in its folders ``results`` and ``resources`` counts as there.
    """
    needed = sum(one.gb for one in uses)
    there = sum(size_of(folder / name) for name in ("results", "resources")) / GB
    free = disk_usage(folder).free / GB
    largest = ", ".join(f"{one.what} {one.gb:,.0f}" for one in uses[:4])
    told = f"the run needs about {needed:,.0f} GB in {folder.resolve()} (of them {largest})"
    if needed > there + free:
        raise GenezipError(
            f"{told}, but {there:,.0f} are there and {free:,.0f} free; free space, choose another "
            "--directory, leave out tasks (benchmarks.tasks), or set check_disk: false"
        )
    return f"{told}; {there:,.0f} are there and {free:,.0f} free"
