"""Histone marks: official test rows, training rows of the pool, places in the genome."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toolkit.dna import fasta, random_ids
from toolkit.labelled_sets import settings

from genezip.alphabet import decode, encode, reverse_complement
from genezip.artifacts.published import nucleotide_transformer, published_fits
from genezip.errors import GenezipError
from genezip.tasks import TASKS, run
from genezip.tasks.classification import published_sets
from genezip.tasks.classification.published_sets import YEAST, place, published_rows, read_histones
from genezip.tasks.classification.sets import read_headed, read_sequences
from genezip.tasks.classification.splits import PUBLISHED
from genezip.tasks.classification.task import Labelled
from genezip.tasks.deposits import TaskFiles

CHROMOSOMES = ("I", "II", "III", "IV", "V", "VI")
BP = 80


@pytest.fixture
def mark(tmp_path: Path) -> Callable[..., Path]:
    """Function that writes the files of a made-up mark, and returns its list of files.

    Of 60 windows 20 are test rows, 4 of these are in GUE's files as well, and 2 windows are in no
    chromosome. Windows of odd number have the label 1.
    """

    def made(genome: bool = True, more: str = "", label: str = "01") -> Path:
        chromosomes = {name: random_ids(2_000, at) for at, name in enumerate(CHROMOSOMES)}
        windows = []
        for number in range(58):
            ids = chromosomes[CHROMOSOMES[number % 6]]
            start = 100 + 160 * (number // 6)
            windows.append((decode(ids[start : start + BP]).decode(), start + 250))
        windows += [(decode(random_ids(BP, 900 + n)).decode(), 7) for n in range(2)]
        rows = [(text, at, label[number % 2]) for number, (text, at) in enumerate(windows)]
        headed = "".join(f">iYAL{n}W_{at}|{label}\n{text[:50]}\n{text[50:]}\n"
                         for n, (text, at, label) in enumerate(rows[:20]))  # fmt: skip
        (tmp_path / "nt_H3.test.fna").write_text(headed + more)
        pool = {"dev": rows[16:40], "test": rows[40:]}
        for split, own in pool.items():
            lines = [f"{text},{label}" for text, _, label in own]
            (tmp_path / f"EMP_H3.{split}.csv").write_text("\n".join(["sequence,label", *lines]))
        if genome:
            text = fasta({name: decode(ids).decode() for name, ids in chromosomes.items()})
            (tmp_path / YEAST).write_text(text)
        return files(tmp_path)

    return made


def files(folder: Path) -> Path:
    names = [path.name for path in sorted(folder.iterdir()) if path.name != "files.json"]
    entries = [{"path": name} for name in names if (folder / name).is_file()]
    (folder / "files.json").write_text(json.dumps({"files": entries}))
    return folder / "files.json"


def prepared(listing: Path, **changes: object) -> Labelled:
    chosen = settings(**{"subsets": {"H3": "nt_H3"}, "folds": 3, **changes})
    manifest = listing.parent / "data" / "manifest.json"
    run.prepare("classification", "nt_H3", TaskFiles.load(listing), Path(), manifest, chosen, 0)
    found = TASKS["classification"].open(manifest, Path())
    assert isinstance(found, Labelled)
    return found


ALL = {"schemes": ["official", "pool", "unseen", "chromosome"]}


def test_test_rows_are_the_official_ones_and_none_of_them_is_trained_on(
    mark: Callable[..., Path],
) -> None:
    listing = mark()
    found = prepared(listing, **ALL)
    table = found.table
    assert set(found.folds) == {"pool", "unseen", "chromosome"}  # there is no official training
    (pool,) = found.folds["pool"]
    assert (len(pool.train), len(pool.test), pool.number) == (40, 20, PUBLISHED)
    own = [row["sequence"] for row in read_headed(listing.parent / "nt_H3.test.fna")]
    assert table["sequence"].iloc[pool.test].tolist() == own
    assert not set(table["sequence"].iloc[pool.train]) & set(own)
    words = found.prepared.facts["rows"]
    assert words.startswith("20 official test rows; trained on 40 rows of GUE's dev and test files")
    assert "without the 4 that are in the test part" in words
    assert words.endswith("2 of 60 rows have no single place in the genome")


def test_no_chromosome_is_on_both_sides(mark: Callable[..., Path]) -> None:
    found = prepared(mark(), **ALL)
    chrom = found.table["chrom"].to_numpy()
    tested = []
    for fold in found.folds["chromosome"]:
        assert not set(chrom[fold.train]) & set(chrom[fold.test])
        assert "" not in set(chrom[fold.train]) | set(chrom[fold.test])
        tested += fold.test.tolist()
    assert sorted(tested) == np.flatnonzero(chrom != "").tolist() and len(tested) == 58
    assert found.prepared.facts["schemes"]["chromosome"].startswith("58 of 60 rows in 3 folds")


def test_places_are_sought_for_folds_by_chromosome_alone(
    mark: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published_sets, "place", lambda *given: pytest.fail("it was searched"))
    found = prepared(mark(), schemes=["pool", "unseen"])
    assert set(found.folds) == {"pool", "unseen"}
    assert found.prepared.facts["rows"].endswith("without the 4 that are in the test part")


def test_without_a_genome_there_is_no_split_by_chromosome(mark: Callable[..., Path]) -> None:
    assert set(prepared(mark(genome=False), **ALL).folds) == {"pool", "unseen"}
    with pytest.raises(GenezipError, match="none of the split schemes official, chromosome"):
        prepared(mark(genome=False), schemes=["official", "chromosome"])


def test_the_official_training_file_is_used_where_it_is(mark: Callable[..., Path]) -> None:
    listing = mark()
    rows = pd.read_csv(listing.parent / "EMP_H3.test.csv")
    text = "".join(f">x_{n}|{label}\n{one}\n" for n, (one, label) in enumerate(rows.to_numpy()))
    (listing.parent / "nt_H3.train.fna").write_text(text)
    found = prepared(files(listing.parent), **ALL)
    assert set(found.folds) == {"official", "unseen", "chromosome"}
    assert len(found.folds["official"][0].train) == len(rows)
    test = read_headed(listing.parent / "nt_H3.test.fna")[3]
    (listing.parent / "nt_H3.train.fna").write_text(f"{text}>y_1|1\n{test['sequence']}\n")
    with pytest.raises(GenezipError, match="has 1 of 20 test sequences among its training rows"):
        prepared(files(listing.parent), **ALL)


def test_training_rows_are_capped_and_test_rows_are_not(mark: Callable[..., Path]) -> None:
    listing = mark()
    few, again, other = (prepared(listing, **ALL, train_rows=30, seed=seed) for seed in (0, 0, 1))
    (pool,) = few.folds["pool"]
    assert (len(pool.train), len(pool.test)) == (30, 20)
    assert few.prepared.facts["capped"] == "a random 30 of 40 training rows"
    assert few.table["sequence"].tolist() == again.table["sequence"].tolist()
    assert few.table["sequence"].tolist() != other.table["sequence"].tolist()
    with pytest.raises(GenezipError, match=r"no training row of the class '[01]' is among 1 drawn"):
        prepared(listing, **ALL, train_rows=1)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (">iYAL9W_55\nACGT\n", "line 61 of .*the header >iYAL9W_55 has no label after a |"),
        (">iYAL9W_55|\nACGT\n", "line 61 of .* has no label"),
        (">iYAL9W_55|1\n", "line 61 of .*it has no sequence below it"),
        (">iYAL9W_55|-1\nACGTACGT\n", "nt_H3 has the label '-1' in 1 of 61 rows"),
        (">iYAL9W_55|high\nACGTACGT\n", "has the label 'high' in 1 of 61 rows; .* 0 to 2"),
        (">iYAL9W_55|2\nACGTACGT\n", "has no training row of the class '2'"),
    ],
)
def test_wrong_rows_are_told(mark: Callable[..., Path], more: str, told: str) -> None:
    listing = mark(more=more)
    if "'-1'" in told or "'high'" in told:  # so that the class is learned from
        label = more.split("|")[1].split("\n")[0]
        with (listing.parent / "EMP_H3.dev.csv").open("a") as table:
            table.write(f"\nACGTTGCAACGT,{label}")
        told = told.replace("in 1 of 61", "in 2 of 62")
    with pytest.raises(GenezipError, match=told):
        prepared(listing, **ALL)


def test_labels_of_gue_are_whole_numbers_from_0(tmp_path: Path) -> None:
    for split in ("train", "test"):
        rows = [f"{decode(random_ids(40, n)).decode()},{1 + n % 2}" for n in range(12)]
        (tmp_path / f"toy.{split}.csv").write_text("\n".join(["sequence,label", *rows]))
    chosen, manifest = settings(), tmp_path / "data" / "manifest.json"
    listing = TaskFiles.load(files(tmp_path))
    with pytest.raises(GenezipError, match="toy has the label '2' in 12 of 24 rows; the labels"):
        run.prepare("classification", "toy", listing, Path(), manifest, chosen, 0)


def test_a_window_with_several_places_goes_by_its_coordinate(tmp_path: Path) -> None:
    window, other = random_ids(BP, 1), random_ids(BP, 2)
    filler = [random_ids(3_000, seed) for seed in range(3, 7)]
    one = np.concatenate([filler[0], window, filler[1], other])
    two = np.concatenate([filler[2], window, filler[3], reverse_complement(random_ids(BP, 9))])
    text = fasta({name: decode(ids).decode() for name, ids in (("one", one), ("two", two))})
    (tmp_path / "g.fna").write_text(text)
    rows = [window, window, window, other, random_ids(BP, 9)]
    found = place(rows, tmp_path / "g.fna", [3_252, None, 90_000, None, None])
    # both copies begin at 3,000: the first of equally near ones
    assert found["chrom"].tolist() == ["one", "", "", "one", ""]  # the last is on the minus strand
    assert found["start"].tolist() == [3_000, -1, -1, 6_080, -1]
    assert (found["end"] - found["start"])[found["chrom"] != ""].tolist() == [BP, BP]


def test_published_values_are_marked_and_complete() -> None:
    rows = pd.DataFrame(published_rows())
    assert rows.groupby("subset").size().to_dict() == dict.fromkeys(rows["subset"].unique(), 4)
    assert rows["subset"].nunique() == 18 and rows["value"].between(0, 1).all()
    h3 = rows[(rows["subset"] == "H3") & rows["model"].str.startswith("LDARNet, released")]
    assert h3["value"].item() == pytest.approx(np.mean(published_fits("H3")), abs=5e-4)
    assert set(nucleotide_transformer()["small_name"]) >= {"Caduceus-Ph", "DNABERT-2"}


def test_the_real_marks_are_one_pool(gue: Path) -> None:
    """Counts as documented beside the data: 156 and 150 of the 1,497 test rows are in GUE."""
    official = read_headed(gue.parent / "nt" / "H3.test.fna.gz")
    label = {row["sequence"]: row["label"] for row in official}
    assert (len(official), len(label)) == (1_497, 1_497)
    for part, shared in (("dev", 156), ("test", 150)):
        table = read_sequences([gue / f"EMP_H3.{part}.csv.gz"])
        both = table[table["sequence"].isin(label)]
        assert len(both) == shared
        assert (both["sequence"].map(label) == both["label"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["H3", "H4"])
def test_most_real_windows_have_a_place(gue: Path, name: str) -> None:
    genome = gue.parent / f"{YEAST}.gz"
    tables = [gue / f"EMP_{name}.{part}.csv.gz" for part in ("dev", "test")]
    paths = [gue.parent / "nt" / f"{name}.test.fna.gz", *tables, genome]
    found = read_histones(paths, f"nt_{name}")
    placed = found[found["chrom"] != ""]
    assert len(placed) / len(found) > 0.96 and placed["chrom"].nunique() == 16
    sequence: dict[str, str] = {}
    for block in gzip.decompress(genome.read_bytes()).decode().split(">")[1:]:
        head, _, text = block.partition("\n")
        sequence[head.split()[0]] = text.replace("\n", "").upper()
    for row in placed.iloc[::50].itertuples():
        assert sequence[str(row.chrom)][row.start : row.end] == row.sequence
    assert len(encode(placed["sequence"].iloc[0])) == 500
