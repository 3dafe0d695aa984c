"""``genezip dnalongbench genome | prepare | features | predict | baselines | table``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Task = Annotated[str, typer.Argument(help="cmp, eqtl, etgp, tisp or rsap.")]
Files = Annotated[Path, typer.Option(help="TASK.json of `genezip dnalongbench fetch`.")]
Data = Annotated[Path, typer.Option(help="manifest.json of `dnalongbench prepare`.")]
Genome = Annotated[Path, typer.Option(help="FASTA, or source.json of whole chromosomes.")]
Settings = Annotated[str | None, typer.Option(help="Section of the task as JSON, or a YAML file.")]
Subset = Annotated[str, typer.Option(help="Short name, as in result paths.")]
Official = Annotated[str | None, typer.Option(help="Name of the subset in the deposit.")]
Input = Annotated[Literal["authors", "full", "contrast"], typer.Option(help="What the model sees.")]
Mode = Annotated[
    Literal["frozen", "head_only", "release", "lora", "full"], typer.Option(help="What learns.")
]
Seed = Annotated[int, typer.Option(help="Seed.")]
Threads = Annotated[int, typer.Option(help="CPU threads.", min=1)]
Out = Annotated[Path, typer.Option(help="File to write.")]


def register(app: typer.Typer) -> None:
    """Add these commands to ``genezip dnalongbench``."""
    for command in (genome, prepare, features, predict, baselines, table):
        app.command()(command)


def genome(task: Task, files: Files, out: Out) -> None:
    """Unpack the FASTA of a deposit, with its index."""
    from genezip.formats.fasta import unpack_fasta
    from genezip.tasks.task_files import TaskFiles
    from genezip.tasks.tasks import FASTA, known_task

    endings = FASTA[known_task(task, among=tuple(FASTA))]
    unpack_fasta(TaskFiles.load(files).one(*endings), out)


def prepare(
    task: Task,
    files: Files,
    genome: Genome,
    out: Out,
    subset: Annotated[str, typer.Option(help="Name in the deposit.")] = "all",
    settings: Settings = None,
    seed: Seed = 0,
) -> None:
    """Convert deposited files once: examples, targets, manifest with counts per split."""
    from genezip import config
    from genezip.genome.assembly import ReferenceGenome
    from genezip.tasks.task_files import TaskFiles
    from genezip.tasks.tasks import known_task, prepare_task

    chosen = config.settings(config.TASK_SECTIONS[known_task(task)], settings)
    found = TaskFiles.load(files)
    prepare_task(task, subset, found, ReferenceGenome(genome), out, chosen, seed)


def features(
    task: Task,
    data: Data,
    genome: Genome,
    out: Out,
    input: Annotated[Literal["authors", "full"], typer.Option(help="authors or full.")] = "full",
    model: Annotated[Path | None, typer.Option(help="Model folder.")] = None,
    comparator: Annotated[
        str | None, typer.Option(help="Published model: kind, source and revision as JSON.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the comparator.")] = "comparator",
    settings: Settings = None,
    threads: Threads = 1,
) -> None:
    """Vectors of a frozen model, pooled and cached; an interrupted call goes on."""
    import torch

    from genezip import config
    from genezip.errors import GenezipError
    from genezip.models import load
    from genezip.models.base import Compressor
    from genezip.models.external import load_comparator
    from genezip.tasks.tasks import compute_features, known_task

    torch.set_num_threads(threads)
    chosen = config.settings(config.TASK_SECTIONS[known_task(task)], settings)
    if (model is None) == (comparator is None):
        raise GenezipError("name either a model folder (--model) or a --comparator")
    compressor: Compressor
    if model is not None:
        compressor = load(model, chosen.device, streams=input != "authors")
    else:
        section = config.settings(config.Comparator, comparator, "--comparator")
        compressor = load_comparator(section, name, chosen.device)
    compute_features(task, compressor, data, genome, input, chosen, out)


def predict(
    task: Task,
    data: Data,
    genome: Genome,
    subset: Subset,
    out: Out,
    model: Annotated[str, typer.Option(help="Name in tables; `cnn` is the one-hot CNN.")],
    official: Official = None,
    features: Annotated[
        Path | None, typer.Option(help="manifest.json of `dnalongbench features` (mode frozen).")
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="Model folder (other modes).")] = None,
    input: Input = "full",
    mode: Mode = "frozen",
    settings: Settings = None,
    seed: Seed = 0,
    threads: Threads = 1,
) -> None:
    """Learn the task and predict every validation and test example."""
    import torch

    from genezip import config
    from genezip.errors import GenezipError
    from genezip.tasks.base import Arm
    from genezip.tasks.tasks import known_task

    torch.set_num_threads(threads)
    chosen = config.settings(config.TASK_SECTIONS[known_task(task)], settings)
    work = out.parent / f".{out.stem}.work"
    name = official or subset
    if model == "cnn":
        from genezip.tasks.cnn import predict_cnn

        arm = Arm(task, subset, "cnn", seed, "authors", "full")
        predict_cnn(task, data, genome, arm, name, chosen, seed, out, work)
        return
    arm = Arm(task, subset, model, seed, input, mode)
    if mode == "frozen":
        if features is None:
            raise GenezipError("the mode frozen reads cached features; name them with --features")
        from genezip.tasks.frozen import predict_frozen

        predict_frozen(task, data, genome, features, arm, name, chosen, seed, out, work)
        return
    if folder is None:
        raise GenezipError(f"the mode {mode} trains a model; name its folder with --folder")
    from genezip.tasks.live import predict_live

    predict_live(task, data, genome, folder, arm, name, chosen, seed, out, work)


def baselines(
    task: Task,
    data: Data,
    genome: Genome,
    subset: Subset,
    out: Out,
    official: Official = None,
    settings: Settings = None,
    seed: Seed = 0,
    source: Annotated[Path | None, typer.Option(help="source.json, where TSSs are read.")] = None,
    transcripts: Annotated[str, typer.Option(help="basic, all or canonical.")] = "basic",
    gene_type: Annotated[list[str] | None, typer.Option(help="Only genes of this type.")] = None,
) -> None:
    """Predictions of baselines that see no more than distance, composition or position."""
    from genezip import config
    from genezip.tasks.baselines import predict_baselines
    from genezip.tasks.tasks import annotated_tss, known_task

    chosen = config.settings(config.TASK_SECTIONS[known_task(task)], settings)
    genes = None if source is None else annotated_tss(source, transcripts, gene_type)
    predict_baselines(task, data, genome, subset, official or subset, chosen, seed, out, genes)


def table(
    task: Task,
    scores: Annotated[list[Path], typer.Option(help="Result file of a subset; once per file.")],
    out: Out,
    settings: Settings = None,
    scale: Annotated[str, typer.Option(help="full, demo or test.")] = "full",
    paper: Annotated[Path | None, typer.Option(help="CSV of the published table.")] = None,
) -> None:
    """All subsets of a task, with the published numbers beside them."""
    from genezip import config
    from genezip.tasks.table import write_table
    from genezip.tasks.tasks import known_task

    chosen = config.settings(config.TASK_SECTIONS[known_task(task)], settings)
    write_table(task, scores, paper, chosen.subsets, scale, out)
