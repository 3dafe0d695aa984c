"""``genezip tasks``, and its parts under ``genezip dnalongbench`` and ``genezip labels``."""

import inspect
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genezip.cli import options

app = typer.Typer(
    help="Evaluations with targets, the same for every compressor.", no_args_is_help=True
)
dnalongbench = typer.Typer(help="The tasks of DNALongBench.", no_args_is_help=True)
labels = typer.Typer(help="Measured targets on the demo genome.", no_args_is_help=True)

Task = Annotated[str, typer.Argument(help="Name of a task: cmp, eqtl, etgp, tisp, rsap, ...")]
AnyTask = Annotated[
    str, typer.Argument(help="Name of a task (`genezip tasks list`), or module:Class.")
]
Files = Annotated[Path, typer.Option(help="JSON list of files by `fetch`.")]
Data = Annotated[Path, typer.Option(help="manifest.json of `prepare`.")]
Genome = Annotated[
    Path | None,
    typer.Option(help="FASTA, or source.json of whole chromosomes, if the task needs one."),
]
Settings = Annotated[str | None, typer.Option(help="Section of the task as JSON, or a YAML file.")]
LabelSettings = Annotated[str | None, options.section("labels")]
Subset = Annotated[str, typer.Option(help="Short name, as in result paths.")]
Official = Annotated[str | None, typer.Option(help="Name of the subset in the deposit.")]
Input = Annotated[Literal["authors", "full", "contrast"], typer.Option(help="Input of the model.")]
Mode = Annotated[
    Literal["frozen", "zero_shot", "head_only", "release", "lora", "full"],
    typer.Option(help="Trained part; zero_shot trains nothing."),
]
Seed = Annotated[int, typer.Option(help="Seed.")]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", help="Model folder, hub id or system; repeat for more."),
]
Untrained = Annotated[
    list[str] | None,
    typer.Option(help="Model folder whose network is also measured before training; repeatable."),
]
Measured = Annotated[
    list[Path] | None,
    typer.Option(
        help="Predictions of a call without --out, to score with those of this one; repeatable."
    ),
]
PredictionsFile = Annotated[
    Path, typer.Option("--predictions", help="Parquet of predictions to write.")
]
MeasuredScores = Annotated[
    Path | None,
    typer.Option(
        "--out", help="TSV of scores. Without it the predictions of the models alone are written."
    ),
]
Out = Annotated[Path, typer.Option(help="File to write.")]


@dnalongbench.command()
def fetch(
    task: Task,
    out: Annotated[Path, typer.Option(help="Folder of all tasks.")] = Path(
        "resources/dnalongbench"
    ),
    only: Annotated[
        Literal["intervals", "all"],
        typer.Option(help="`intervals` of validation and test inputs, or `all` files."),
    ] = "intervals",
    plan: options.Plan = False,
    fetched: options.Fetched = None,
    sources: options.Sources = None,
) -> None:
    """Fetch the files of one task; TASK.json or TASK.intervals.json is written last.

    \b
    Example:
      genezip dnalongbench fetch eqtl --plan
    """
    from genezip.tasks.deposits import fetch_task, plan_task

    fetched, table = options.fetched_folder(fetched), options.sources_table(sources)
    if plan:
        for line in plan_task(task, out, only, table, fetched):
            typer.echo(line)
        return
    result = fetch_task(task, out, only, table, fetched)
    typer.echo(f"dnalongbench: {task}, {only} -> {result}")


@labels.command("fetch")
def fetch_labels(
    out: Annotated[Path, typer.Option(help="Folder of the label files.")] = Path(
        "resources/labels"
    ),
    mirror: options.Mirror = None,
    settings: LabelSettings = None,
    source: Annotated[
        Path | None,
        typer.Option(help="source.json of `genezip fetch`, for the DNA of `elements`."),
    ] = None,
    sources: options.Sources = None,
    plan: options.Plan = False,
    fetched: options.Fetched = None,
) -> None:
    """Get the label files: from the mirror folder, else from public servers.

    An unavailable part is omitted; labels.json has the reason.

    \b
    Example:
      genezip labels fetch --settings config/demo.yaml --plan
    """
    from genezip import config
    from genezip.genome.sources.source import Source
    from genezip.tasks.label_files import PublicLabels, fetch_labels

    chosen = config.settings(config.Labels, settings)
    parts, sets = chosen.tasks, chosen.sets
    genome = None if source is None or plan else Source.load(source)
    table, fetched = options.sources_table(sources), options.fetched_folder(fetched)
    public = PublicLabels(table, out.parent / "downloads", genome, fetched)
    if plan:
        for line in public.plan(parts, sets).lines():
            typer.echo(line)
        return
    fetch_labels(options.mirror_folder(mirror), parts, out, public, genome, sets)


@app.command("list")
def show() -> None:
    """List the tasks with metrics, resampled units and modes.

    `one call` marks tasks for `genezip tasks measure`; the others run step by
    step, from `prepare` to `genezip evaluate --from-predictions`.

    \b
    Example:
      genezip tasks list
    """
    from genezip.tasks import TASKS

    for name, task in TASKS.items():
        about = (type(task).__doc__ or "").partition("\n")[0]
        call = "one call" if "bootstrap" in task.settings.model_fields else "step by step"
        typer.echo(f"{name}: {about}")
        units = ", ".join(dict.fromkeys(task.metrics.values()))
        typer.echo(f"    {', '.join(task.metrics)}; resampled: {units}")
        typer.echo(f"    {call}; {task.modes_named()}")


def genome(task: Task, files: Files, out: Out) -> None:
    """Unpack the FASTA of a deposit, with its index.

    \b
    Example:
      genezip tasks genome eqtl --files dnalongbench/eqtl.json \\
        --out eqtl/genome.fa
    """
    from genezip.errors import GenezipError
    from genezip.formats.fasta import unpack_fasta
    from genezip.tasks import TASKS
    from genezip.tasks.deposits import TaskFiles

    endings = TASKS[task].fasta
    if not endings:
        known = ", ".join(name for name, one in TASKS.items() if one.fasta)
        raise GenezipError(f"{task} has no FASTA of its own; those with one are {known}")
    unpack_fasta(TaskFiles.load(files).one(*endings), out)


def _genome(task: str, genome: Path | None) -> Path:
    """The given genome; an error if it is missing and the task needs one."""
    from genezip.errors import GenezipError
    from genezip.tasks import TASKS

    if genome is None and TASKS[task].reads_genome:
        raise GenezipError(f"{task} needs a genome; name it with --genome")
    return genome or Path()


def prepare(
    task: Task,
    files: Files,
    out: Out,
    genome: Genome = None,
    subset: Annotated[
        str | None, typer.Option(help="Name in the deposit; default: all, or the only one.")
    ] = None,
    settings: Settings = None,
    seed: Seed = 0,
) -> None:
    """Convert deposited files to examples, targets and a manifest with counts per split.

    \b
    Example:
      genezip tasks prepare eqtl --subset Artery_Tibial \\
        --files dnalongbench/eqtl.json --genome eqtl/genome.fa \\
        --out eqtl/data/manifest.json
    """
    from genezip import config
    from genezip.tasks import TASKS, run
    from genezip.tasks.deposits import TaskFiles

    chosen: Any = config.settings(TASKS[task].settings, settings)
    run.prepare(task, subset, TaskFiles.load(files), _genome(task, genome), out, chosen, seed)


def features(
    task: Task,
    data: Data,
    out: Out,
    genome: Genome = None,
    input: Annotated[Literal["authors", "full"], typer.Option(help="authors or full.")] = "full",
    model: Annotated[Path | None, typer.Option(help="Model folder.")] = None,
    comparator: Annotated[
        str | None, typer.Option(help="Published model: kind, source and revision as JSON.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the comparator.")] = "comparator",
    settings: Settings = None,
    threads: options.Threads = 1,
) -> None:
    """Cache pooled vectors of a frozen model; an interrupted call resumes.

    \b
    Example:
      genezip tasks features eqtl --data eqtl/data/manifest.json \\
        --genome eqtl/genome.fa --model mine \\
        --out eqtl/features/manifest.json
    """
    import torch

    from genezip import config
    from genezip.errors import GenezipError
    from genezip.models import load
    from genezip.models.base import Compressor
    from genezip.models.external import load_comparator
    from genezip.tasks import TASKS, run

    torch.set_num_threads(threads)
    chosen: Any = config.settings(TASKS[task].settings, settings)
    if (model is None) == (comparator is None):
        raise GenezipError("name either a model folder (--model) or a --comparator")
    compressor: Compressor
    if model is not None:
        streams = TASKS[task].streams and input != "authors"
        compressor = load(model, chosen.device, streams=streams, precision=chosen.precision)
    else:
        section = config.settings(config.Comparator, comparator, "--comparator")
        compressor = load_comparator(section, name, chosen.device)
    run.features(task, compressor, data, _genome(task, genome), input, chosen, out)


def predict(
    task: Task,
    data: Data,
    subset: Subset,
    out: Out,
    model: Annotated[str, typer.Option(help="Name in tables; `cnn` is the one-hot CNN.")],
    genome: Genome = None,
    official: Official = None,
    features: Annotated[
        Path | None, typer.Option(help="manifest.json of `features` (modes frozen, zero_shot).")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Model folder (other modes, and tasks that cache nothing).")
    ] = None,
    input: Input = "full",
    mode: Mode = "frozen",
    settings: Settings = None,
    seed: Seed = 0,
    threads: options.Threads = 1,
) -> None:
    """Train on the task and predict every validation and test example.

    \b
    Example:
      genezip tasks predict eqtl --data eqtl/data/manifest.json \\
        --genome eqtl/genome.fa --subset artery --official Artery_Tibial \\
        --model mine --features eqtl/features/manifest.json \\
        --out mine.parquet
    """
    import torch

    from genezip import config
    from genezip.tasks import TASKS, run
    from genezip.tasks.base import CNN, Method

    torch.set_num_threads(threads)
    chosen: Any = config.settings(TASKS[task].settings, settings)
    method = Method(task, subset, model, seed, input, mode)
    if model == CNN:
        method = Method(task, subset, CNN, seed, "authors", "full")
    name = official or subset
    fasta = _genome(task, genome)
    run.predict(task, data, fasta, method, name, chosen, seed, out, features, folder)


def baselines(
    task: Task,
    data: Data,
    subset: Subset,
    out: Out,
    genome: Genome = None,
    official: Official = None,
    settings: Settings = None,
    seed: Seed = 0,
    source: Annotated[
        Path | None, typer.Option(help="source.json, if the task needs TSSs.")
    ] = None,
    transcripts: Annotated[str, typer.Option(help="basic, all or canonical.")] = "basic",
    gene_type: Annotated[list[str] | None, typer.Option(help="Only genes of this type.")] = None,
) -> None:
    """Predictions of baselines from distance, composition or position alone.

    \b
    Example:
      genezip tasks baselines eqtl --data eqtl/data/manifest.json \\
        --genome eqtl/genome.fa --subset artery --official Artery_Tibial \\
        --out baselines.parquet
    """
    from genezip import config
    from genezip.tasks import TASKS, run

    chosen: Any = config.settings(TASKS[task].settings, settings)
    genes = None if source is None else run.annotated_tss(source, transcripts, gene_type)
    fasta = _genome(task, genome)
    run.baselines(task, data, fasta, subset, official or subset, chosen, seed, out, genes)


def table(
    task: Task,
    scores: Annotated[list[Path], typer.Option(help="Result file of a subset; repeat for more.")],
    out: Out,
    settings: Settings = None,
    scale: options.Scale = "full",
    paper: Annotated[Path | None, typer.Option(help="CSV in place of the published table.")] = None,
) -> None:
    """All subsets of a task, with the published numbers beside them.

    \b
    Example:
      genezip tasks table eqtl --scores eqtl/artery.tsv --out table3.tsv
    """
    from genezip import config
    from genezip.artifacts.published import published_table
    from genezip.tasks import TASKS
    from genezip.tasks.table import write_table

    chosen: Any = config.settings(TASKS[task].settings, settings)
    paper = paper or published_table(config.TASK_TABLES.get(task, task))
    write_table(task, scores, paper, TASKS[task].subsets(chosen), scale, out)


@labels.command()
def measure(
    part: Annotated[
        str,
        typer.Argument(
            help="initiation (PRO-cap counts), contacts (Hi-C counts), elements (regulatory "
            "elements), enhancer_gene (CRISPRi pairs) or classification (labelled sets)."
        ),
    ],
    listing: Annotated[
        Path, typer.Option("--labels", help="labels.json of `genezip labels fetch`.")
    ],
    source: options.Source,
    predictions: PredictionsFile,
    scale: options.Scale,
    out: MeasuredScores = None,
    model: Models = None,
    untrained: Untrained = None,
    measured: Measured = None,
    control: options.Control = None,
    settings: LabelSettings = None,
) -> None:
    """Score frozen models and trivial baselines on one kind of measured target.

    \b
    Example:
      genezip labels measure elements --labels labels/labels.json \\
        --source source.json --model mine --scale demo \\
        --out elements.tsv --predictions elements.parquet
    """
    results = out, predictions
    _measure(part, listing, source, model, untrained, measured, control, settings, scale, *results)


@app.command("measure")
def measure_any(
    task: AnyTask,
    files: Annotated[Path, typer.Option(help="JSON list of its files, or their folder.")],
    predictions: PredictionsFile,
    out: MeasuredScores = None,
    source: options.SourceOrFiles = None,
    model: Models = None,
    untrained: Untrained = None,
    measured: Measured = None,
    control: options.Control = None,
    settings: Settings = None,
    scale: options.Scale = "full",
    threads: options.Threads = 1,
) -> None:
    """Run all steps of a task: features of frozen models, probes, baselines, scores.

    A task outside this package is named by its class, module:Class. After Ctrl-C
    the same command resumes.

    \b
    Example:
      genezip tasks measure classification --files labels/labels.json \\
        --model mine --out gue.tsv --predictions gue.parquet
    """
    import torch

    torch.set_num_threads(threads)
    results = out, predictions
    _measure(task, files, source, model, untrained, measured, control, settings, scale, *results)


def _measure(
    name: str,
    listing: Path,
    source: Path | None,
    models: list[str] | None,
    untrained: list[str] | None,
    measured: list[Path] | None,
    control: str | None,
    settings: str | None,
    scale: options.Scale,
    out: Path | None,
    predictions: Path,
) -> None:
    from genezip import config
    from genezip.tasks import TASKS
    from genezip.tasks.deposits import TaskFiles
    from genezip.tasks.measure import measure

    task = TASKS[name]
    chosen = config.settings(task.settings, settings)
    files = TaskFiles.load(listing, "run `genezip labels fetch` first")
    more = untrained or (), measured or ()
    measure(task, files, source, models or (), control, chosen, scale, out, predictions, *more)


@app.command("run")
def run_user_labels(
    file: Annotated[Path, typer.Argument(help="YAML with labels, fasta, models and other keys.")],
    out: Annotated[Path, typer.Option(help="Folder for scores, predictions and the audit.")],
    threads: options.Threads = 1,
) -> None:
    """Score models on your own labels: a BED or CSV with labels, a FASTA, a model.

    The YAML file needs `labels` (CSV or TSV with sequence and label, or BED with
    the label in column 4), for coordinates `fasta`, and `models`. The set is
    audited, and the table begins with trivial baselines.

    \b
    Example:
      genezip tasks run my_task.yaml --out my_task
    """
    import torch

    from genezip.tasks.classification import user_labels

    torch.set_num_threads(threads)
    typer.echo(user_labels.headline(user_labels.run_user_labels(file, out)))
    typer.echo(f"every metric, difference and note: {out / user_labels.SCORES}")


@app.command("audit")
def audit_files(
    files: Annotated[
        list[Path], typer.Argument(help="Files of one set: a CSV or TSV per split, or one table.")
    ],
    fasta: Annotated[
        Path | None, typer.Option(help="FASTA of a BED or table with coordinates.")
    ] = None,
    label: Annotated[str, typer.Option(help="Column of the label.")] = "label",
) -> None:
    """Check a labelled set for copies, shuffles and class skew, with a verdict.

    \b
    Example:
      genezip tasks audit tf_2.train.csv tf_2.dev.csv tf_2.test.csv
    """
    from genezip.errors import GenezipError
    from genezip.tasks.classification.audit import audit
    from genezip.tasks.classification.sets import read_intervals, read_sequences

    if fasta is None:
        table = read_sequences(files, label)
    elif len(files) == 1:
        table = read_intervals(files[0], fasta, label)
    else:
        raise GenezipError("with --fasta name one file of intervals")
    typer.echo(audit(table).text(), nl=False)


for _command in (genome, prepare, features, predict, baselines, table):
    for _noun, _app in (("tasks", app), ("dnalongbench", dnalongbench)):
        _help = inspect.cleandoc(_command.__doc__ or "")
        _app.command(help=_help.replace("genezip tasks", f"genezip {_noun}"))(_command)
