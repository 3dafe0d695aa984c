"""A region map in memory, in its BED file and in its summary."""

import gzip
import json

import numpy as np
import pytest

from genezip.config import Regions
from genezip.errors import GenezipError
from genezip.genome.intervals import value_runs
from genezip.genome.region_map import RegionMap
from genezip.region_classes import GENE7

CHROM = {"c": "A" * 60}
LETTERS = "pcueindES"  # and enhancer, silencer
DRAWN = "nnnnnnnppppppuuccccciiiiiiiiiicccccccccccccuuuuuuunnnddddddd"
TWO = Regions(
    classes=[
        {"name": "enhancer", "bed": "e.bed", "before": "promoter"},
        {"name": "silencer", "bed": "s.bed", "before": "dig", "colour": "#102030"},
    ]
).region_classes()


def made(*segments, text=DRAWN, region_classes=GENE7):
    """The map of some segments of a drawing, one letter per base."""
    parts = []
    for start, end in segments or [(0, len(text))]:
        ids = np.array([LETTERS.index(letter) for letter in text[start:end]], dtype=np.uint8)
        starts, classes = value_runs(ids)
        lengths = np.diff(starts, append=end - start)
        ends = start + np.cumsum(lengths)
        parts.append((ends - lengths, ends, classes))
    columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    return RegionMap({"c": tuple(columns)}, region_classes)


def test_stretches_without_label_are_refused(make_assembly):
    assembly = make_assembly(CHROM, [("c", 10, 20, "train"), ("c", 30, 60, "test")])
    region_map = made((10, 20), (30, 60))
    assert region_map.covers(assembly.segments)
    with pytest.raises(GenezipError, match="does not cover c:15-35"):
        region_map.ids("c", 15, 35)
    with pytest.raises(GenezipError, match="does not cover chrX:0-5"):
        region_map.runs("chrX", 0, 5)
    assert not region_map.covers(make_assembly(CHROM).segments)


def test_bed9_round_trip_and_colours(tmp_path):
    region_map = made((10, 20), (30, 60))
    region_map.write_bed9(tmp_path / "map.bed.gz")
    lines = gzip.decompress((tmp_path / "map.bed.gz").read_bytes()).decode().splitlines()
    assert lines[0] == "c\t10\t13\tpromoter\t0\t.\t10\t13\t213,94,0"
    assert lines[2] == "c\t15\t20\tcds\t0\t.\t15\t20\t0,114,178"
    again = RegionMap.read_bed(tmp_path / "map.bed.gz")
    assert again.table().equals(region_map.table())
    first = (tmp_path / "map.bed.gz").read_bytes()
    again.write_bed9(tmp_path / "map.bed.gz")
    assert (tmp_path / "map.bed.gz").read_bytes() == first


OWN = "SS" + DRAWN[2:8] + "EEEE" + DRAWN[12:]


def test_own_classes_survive_the_bed_file_and_stand_in_the_summary(make_assembly, tmp_path):
    region_map = made(text=OWN, region_classes=TWO)
    region_map.write_bed9(tmp_path / "map.bed.gz")
    lines = gzip.decompress((tmp_path / "map.bed.gz").read_bytes()).decode().splitlines()
    head, _, text = lines[0].partition("\t")
    assert head == "#genezip-classes"
    assert [found["name"] for found in json.loads(text)] == ["enhancer", "silencer"]
    assert lines[1] == "c\t0\t2\tsilencer\t0\t.\t0\t2\t16,32,48"
    assert lines[4] == "c\t8\t12\tenhancer\t0\t.\t8\t12\t204,121,167"
    again = RegionMap.read_bed(tmp_path / "map.bed.gz")
    assert again.region_classes == TWO
    assert again.table().equals(region_map.table())
    table = again.summary(make_assembly(CHROM))
    assert len(table) == 4 * 9
    bp = table[table["split"] == "train"].set_index("class")["bp"]
    assert (bp["enhancer"], bp["silencer"], bp["promoter"]) == (4, 2, 2)
    assert bp.sum() == 60


def test_a_map_of_the_seven_has_no_comment(tmp_path):
    made().write_bed9(tmp_path / "map.bed")
    assert (tmp_path / "map.bed").read_text().startswith("c\t0\t7\tnig\t")
    assert RegionMap.read_bed(tmp_path / "map.bed").region_classes == GENE7


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"before"', '"after"', r"line 1 of .* does not list region classes"),
        ("[{", "[", r"line 1 of .* does not list region classes"),
        ('"before": "promoter"', '"before": "gene"', "is to come before 'gene', which is none of"),
        ("#genezip-classes", "#other", "class 'enhancer'; the region classes are promoter"),
    ],
)
def test_a_damaged_line_of_classes_is_named(tmp_path, old, new, sentence):
    made(text=OWN, region_classes=TWO).write_bed9(tmp_path / "m.bed")
    text = (tmp_path / "m.bed").read_text()
    assert old in text
    (tmp_path / "m.bed").write_text(text.replace(old, new, 1))
    with pytest.raises(GenezipError, match=sentence):
        RegionMap.read_bed(tmp_path / "m.bed")


def test_totals_of_all_and_of_some_chromosomes():
    runs = (np.array([0, 3]), np.array([3, 10]), np.array([1, 6], dtype=np.uint8))
    other = (np.array([0]), np.array([10]), np.array([6], dtype=np.uint8))
    region_map = RegionMap({"c": runs, "d": other})
    assert region_map.totals()["bp"].tolist() == [0, 3, 0, 0, 0, 0, 17]
    assert region_map.totals(["d"])["bp"].tolist() == [0, 0, 0, 0, 0, 0, 10]
    assert region_map.totals(["c"])["fraction"].tolist() == [0, 0.3, 0, 0, 0, 0, 0.7]
    assert RegionMap({}).totals()["fraction"].tolist() == [0] * 7


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("promoter", "enhancer", "class 'enhancer'; the region classes are promoter"),
        ("c\t15\t20", "c\t14\t20", "overlapping runs, on c"),
        ("c\t15\t20", "c\tx\t20", "line 4 of .* is malformed"),
    ],
)
def test_wrong_region_maps(tmp_path, old, new, sentence):
    made().write_bed9(tmp_path / "map.bed")
    text = (tmp_path / "map.bed").read_text()
    (tmp_path / "map.bed").write_text(text.replace(old, new, 1))
    with pytest.raises(GenezipError, match=sentence):
        RegionMap.read_bed(tmp_path / "map.bed")


def test_summary_counts_every_split_and_class(make_assembly):
    text = {"c": "A" * 17 + "NNN" + "A" * 31 + "NN" + "A" * 7}
    assembly = make_assembly(text, [("c", 10, 20, "train"), ("c", 50, 60, "test")])
    table = made((10, 20), (50, 60)).summary(assembly)
    assert table["split"].unique().tolist() == ["train", "valid", "test", "all"]
    assert len(table) == 4 * 7
    rows = {(r["split"], r["class"]): (r["bp"], r["n_bp"]) for r in table.to_dict("records")}
    assert rows["train", "promoter"] == (3, 0)
    assert rows["train", "cds"] == (5, 3)
    assert rows["test", "nig"] == (3, 2)
    assert rows["all", "dig"] == (7, 0)
    assert rows["valid", "cds"] == (0, 0)
    fractions = table.groupby("split")["fraction"].sum().to_dict()
    assert fractions == pytest.approx({"train": 1, "valid": 0, "test": 1, "all": 1})


def test_pyranges_sees_the_same_bases():
    ranges = made().to_pyranges()
    assert len(ranges.merge()) == 1
    assert ranges[ranges.Name == "cds"].length == 18
