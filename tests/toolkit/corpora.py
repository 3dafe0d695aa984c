"""A tiny genome whose corpus can be checked by eye."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from genezip.config import Corpus, Sampling
from genezip.corpus.build import build_corpus
from genezip.corpus.corpus import CorpusReader
from genezip.corpus.exclusions import build_exclusions
from genezip.errors import GenezipError
from genezip.formats.chrom_sizes import hg38_sizes
from genezip.genome.assembly import Assembly
from genezip.genome.gene_models import Annotation
from genezip.genome.intervals import value_runs
from genezip.region_classes import CLASS_IDS, GENE7
from genezip.tasks.exclusions import evaluation_intervals
from toolkit.dna import fasta, random_dna, reverse_complement

PIECES = """name\tchrom\tstart\tend\tsplit\tannotation\tsoft_masked\trmsk\ttrf
a:100-4100\ta\t100\t4100\ttrain\tgenes\t0\t0\t0
short\td\t0\t60\ttrain\tgenes\t0\t0\t0
b\tb\t0\t1000\tvalid\tgenes\t0\t0\t0
c\tc\t0\t1000\ttest\tgenes\t0\t0\t0
"""


def make_sequences() -> dict[str, str]:
    """Random bases; a has N at 2000-2300, b at 0-130, c starts with N and copies a piece of a."""
    rng = np.random.default_rng(7)
    lengths = {"a": 4100, "d": 60, "b": 1000, "c": 1000}
    text = {name: random_dna(length, rng) for name, length in lengths.items()}
    text["a"] = text["a"][:2000] + "N" * 300 + text["a"][2300:]
    text["b"] = "N" * 130 + text["b"][130:].lower()
    copied = reverse_complement(text["a"][500:628])
    text["c"] = "N" * 128 + text["c"][128:256] + copied + text["c"][384:]
    return text


class Labels:
    """A region map kept as one label per base."""

    region_classes = GENE7

    def __init__(self, chromosomes: dict[str, np.ndarray]) -> None:
        self.chromosomes = chromosomes

    def sha256(self) -> str:
        return sha256(b"".join(self.chromosomes[name].tobytes() for name in "abcd")).hexdigest()

    def ids(self, chrom: str, start: int, end: int) -> np.ndarray:
        return self.chromosomes[chrom][start:end]

    def runs(self, chrom: str, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        starts, classes = value_runs(self.ids(chrom, start, end))
        return np.diff(starts, append=end - start).astype(np.int32), classes

    def many_runs(
        self, chrom: str, starts: np.ndarray, ends: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found = [self.runs(chrom, start, end) for start, end in zip(starts, ends, strict=True)]
        lengths, classes = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        return np.array([len(own) for own, _ in found]), lengths, classes


class World:
    """Source, region map and settings of the tiny genome."""

    kind = "simulated"
    build = "toy"
    tagged = True  # whether transcripts are tagged "basic"

    def __init__(self, folder: Path) -> None:
        self.sequences = make_sequences()
        text = self.sequences
        pieces = {"a:100-4100": text["a"][100:], "short": text["d"], "b": text["b"], "c": text["c"]}
        (folder / "pieces.fa").write_text(fasta(pieces))
        (folder / "pieces.tsv").write_text(PIECES)
        (folder / "chrom.sizes").write_text("a\t5000\nb\t1000\nc\t1000\nd\t60\n")
        self.folder = folder
        columns = ["chrom", "start", "end", "strand", "transcript_id"]
        transcripts = pd.DataFrame(
            [
                ("a", 1000, 1600, "+", "t1"),
                ("a", 3000, 3501, "-", "t2"),
                ("b", 300, 700, "+", "t3"),
            ],
            columns=columns,
        ).assign(gene_id="g", gene_name="g", gene_type="protein_coding")
        cds = pd.DataFrame(
            [
                ("a", 1100, 1200, "+", "t1"),
                ("a", 1150, 1250, "+", "t1"),
                ("a", 4050, 4400, "-", "t2"),
                ("b", 500, 560, "+", "t3"),
            ],
            columns=columns,
        )
        self.annotation_set = Annotation(
            transcripts=transcripts, exons=cds, cds=cds, utr=cds.iloc[:0], name="genes"
        )
        labels = {
            name: np.full(5000, CLASS_IDS["nig"], dtype=np.uint8) for name in ("a", "b", "c", "d")
        }
        labels["a"][900:1100] = CLASS_IDS["promoter"]
        labels["a"][1100:1250] = CLASS_IDS["cds"]
        labels["c"][900:] = CLASS_IDS["intron"]
        self.region_map = Labels(labels)

    def assembly(self) -> Assembly:
        return Assembly.open(
            self.folder / "pieces.fa",
            self.folder / "pieces.tsv",
            self.folder / "chrom.sizes",
            "toy",
        )

    def annotations(
        self, transcripts: str = "basic", gene_types: list[str] | None = None
    ) -> dict[str, Annotation]:
        if transcripts == "basic" and not self.tagged:
            raise GenezipError("genes has no row with the tag")
        return {"genes": self.annotation_set}


@pytest.fixture
def world(tmp_path: Path) -> World:
    folder = tmp_path / "source"
    folder.mkdir()
    return World(folder)


def corpus_settings() -> Corpus:
    """Settings of a corpus of the tiny genome."""
    return Corpus(
        window_bp=64,
        train_windows=40,
        valid_windows=0,
        validation="pieces",
        heldout_window_bp=128,
        keep_short=True,
        sampling=Sampling(uniform=0.5, tss=0.3, cds=0.2),
        shard_bp=16 * 64 + 10,  # 16 training windows, 8 tiles
        homology_k=21,
        homology_sample=1,
        homology_max_shared=0.1,
    )


@pytest.fixture
def settings() -> Corpus:
    return corpus_settings()


def change(settings: Corpus, **keys: Any) -> Corpus:
    """The settings with other values of some keys."""
    return Corpus.model_validate({**settings.model_dump(), **keys})


def build(world: Any, settings: Corpus, out: Path, excluded: Any = (), **keys: Any) -> CorpusReader:
    """Build a corpus without the excluded (chrom, start, end)."""
    intervals = pd.DataFrame(excluded, columns=["chrom", "start", "end"])
    build_corpus(world, world.region_map, settings, out, excluded=intervals, **keys)
    return CorpusReader(out / "manifest.json")


def content(folder: Path) -> dict[str, bytes]:
    """The bytes of every file of a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def listed(tmp_path: Path) -> Callable[[str, dict[str, str | bytes]], Path]:
    """Write the files of a benchmark task and the list that names them; returns the folder."""

    def write(task: str, files: dict[str, str | bytes]) -> Path:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        entries = [{"path": name} for name in files]
        (tmp_path / f"{task}.intervals.json").write_text(json.dumps({"files": entries}))
        return tmp_path

    return write


@pytest.fixture
def collect(
    messages: Callable[[], list[str]],
) -> Callable[..., tuple[pd.DataFrame, pd.DataFrame, list[str]]]:
    """Exclusions of tasks and BED files of a folder: table, summary, and the messages."""

    def build(
        folder: Path, *tasks: str, sizes: dict[str, int] | None = None, beds: tuple[str, ...] = ()
    ) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
        before = len(messages())
        sizes = sizes or hg38_sizes()
        evaluations = evaluation_intervals(tasks, folder, sizes)
        user = [folder / bed for bed in beds]
        table, summary = build_exclusions(evaluations, user, sizes)
        return table, summary, messages()[before:]

    return build


def places(table: pd.DataFrame) -> list[tuple[Any, ...]]:
    """(chrom, start, end, split) of every exclusion."""
    return list(table[["chrom", "start", "end", "split"]].itertuples(index=False, name=None))


def total(summary: pd.DataFrame, task: str, split: str, column: str) -> int:
    """One number of the summary of exclusions."""
    row = summary[(summary["task"] == task) & (summary["split"] == split)]
    return int(row[column].iloc[0])
