"""Readers of the real labels, and the folder that they are copied into."""

import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from genezip.errors import GenezipError
from genezip.genome.assembly import Segment
from genezip.tasks import label_files as real_labels
from genezip.tasks.classification import elements
from genezip.tasks.pairs import label_pairs
from genezip.tasks.windows import label_contacts


def segment(chrom: str, start: int, end: int) -> Segment:
    return Segment(
        f"{chrom}:{start}-{end}", chrom, start, end, "train", "genes", False, False, False
    )


class Segments:
    """An assembly of segments without N, all bases A."""

    def __init__(self, *segments: Segment) -> None:
        self.segments = segments

    def sequence(self, segment: Segment) -> np.ndarray:
        return np.full(segment.length, ord("A"), dtype=np.uint8)


def fake_mirror(folder: Path, parts: list[str]) -> Path:
    rows = []
    for part in parts:
        for origin, *_ in real_labels.FILES[part].values():
            path = folder / origin
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(origin.encode())
            md5 = hashlib.md5(origin.encode()).hexdigest()
            rows.append(f"| `{origin}` | what | {len(origin)} | `{md5}` |")
    (folder / "README.md").write_text("\n".join(rows) + "\n")
    return folder


def test_without_a_folder_the_list_is_empty_and_says_why(tmp_path):
    listing = real_labels.fetch_labels(None, ["contacts"], tmp_path / "out")
    assert json.loads(listing.read_text())["files"] == []
    assert "GENEZIP_MIRROR is not set" in real_labels.missing_reason(listing, "contacts")


def test_only_the_files_of_the_parts_are_copied_and_listed(tmp_path):
    mirror = fake_mirror(tmp_path / "mirror", ["contacts", "elements"])
    listing = real_labels.fetch_labels(mirror, ["elements"], tmp_path / "out")
    assert {path.name for path in listing.parent.iterdir()} == {"labels.json", "elements.tsv.gz"}
    (entry,) = json.loads(listing.read_text())["files"]
    assert entry["sha256"] == hashlib.sha256(entry["origin"].encode()).hexdigest()
    assert entry["licence"].startswith("Apache-2.0")
    assert real_labels.missing_reason(listing, "elements") is None
    assert "lists no files of contacts" in real_labels.missing_reason(listing, "contacts")


def test_a_folder_that_is_not_there_is_told_without_its_path(tmp_path, messages):
    folder = tmp_path / "gone"
    listing = real_labels.fetch_labels(folder, ["contacts"], tmp_path / "out")
    assert "does not exist" in real_labels.missing_reason(listing, "contacts")
    assert str(folder) not in listing.read_text()
    assert str(folder) in messages()[0]


@pytest.mark.parametrize(
    ("change", "told"), [(b"", "truncated"), (b"x" * 200, "was altered"), (None, "is missing")]
)
def test_a_changed_file_stops_the_copy_and_leaves_nothing(tmp_path, change, told):
    mirror = fake_mirror(tmp_path / "mirror", ["elements"])
    origin = mirror / real_labels.FILES["elements"]["elements.tsv.gz"][0]
    if change is None:
        origin.unlink()
    else:
        origin.write_bytes(change)
    with pytest.raises(GenezipError, match=told):
        real_labels.fetch_labels(mirror, ["elements"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def contact_table(path: Path, rows: list[tuple[int, int, float]]) -> Path:
    text = "".join(f"{one}\t{two}\t{count}\n" for one, two, count in rows)
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_counts_are_symmetric_and_the_diagonal_counts_once(tmp_path):
    rows = [(5000, 5000, 7.0), (5000, 15000, 2.0)]
    counts = label_contacts.read_counts(contact_table(tmp_path / "c.tsv.gz", rows)).toarray()
    assert counts[1, 1] == 7
    assert counts[1, 3] == counts[3, 1] == 2
    assert counts.sum() == 11


def test_bins_that_are_no_multiples_are_refused(tmp_path):
    table = contact_table(tmp_path / "c.tsv.gz", [(5001, 10000, 1.0)])
    with pytest.raises(GenezipError, match="bins of 5000 bp"):
        label_contacts.read_counts(table)


@pytest.mark.parametrize("count", [np.nan, -5.0, np.inf])
def test_counts_that_are_none_are_refused(tmp_path, count):
    table = contact_table(tmp_path / "c.tsv.gz", [(0, 5000, 1.0), (5000, 10000, count)])
    with pytest.raises(GenezipError, match=r"line 2 of .*the count"):
        label_contacts.read_counts(table)


def test_maps_hold_whole_bins_share_none_and_empty_ones_are_left_out(tmp_path):
    # bins 1 to 12 lie whole inside the segment: three maps of 4; the second has no contact
    rows = [(5000, 15000, 3.0), (45000, 60000, 1.0)]
    counts = label_contacts.read_counts(contact_table(tmp_path / "c.tsv.gz", rows))
    maps = label_contacts.tiled(counts, [segment("chr1", 0, 9), segment("chr22", 4000, 66000)], 4)
    assert [(m.segment, m.start) for m in maps] == [(1, 5000), (1, 45000)]
    np.testing.assert_allclose(maps[0].upper, [np.log(4), 0, 0])  # (0,2), (0,3), (1,3)


def element_table(path: Path, **columns: list[object]) -> Path:
    table = {
        "chrom": ["chr1", "chr1", "chr2"],
        "start": [10, 1_500_000, 30],
        "end": [14, 1_500_002, 33],
        "label": ["promoter", "ocr", "enhancer"],
        "split": ["train", "test", "train"],
        "source": ["slice"] * 3,
        "sequence": ["ACGT", "AC", "NNN"],
    }
    pd.DataFrame(table | columns).to_csv(path, sep="\t", index=False)
    return path


def test_elements_get_class_locus_and_fold(tmp_path):
    table = elements.read_elements(element_table(tmp_path / "e.tsv"), 1_000_000)
    assert table["class"].tolist() == [0, 2, 1]
    assert table["locus"].tolist() == ["chr1:0", "chr1:1", "chr2:0"]


def test_rows_are_read_by_place_whatever_their_order(tmp_path):
    table = elements.read_elements(element_table(tmp_path / "e.tsv"), 1_000_000)
    lines = (tmp_path / "e.tsv").read_text().splitlines()
    (tmp_path / "e.tsv").write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    other = elements.read_elements(tmp_path / "e.tsv", 1_000_000)
    pd.testing.assert_frame_equal(other, table)


class Sequence(Segments):
    """An assembly whose segments hold ACGTACGT..., from base 0 of the chromosome on."""

    def sequence(self, segment: Segment, start: int, end: int) -> np.ndarray:
        assert segment.start <= start <= end <= segment.end
        return np.frombuffer(b"ACGT", dtype=np.uint8)[np.arange(start, end) % 4]


def placed(*intervals: tuple[str, int, int]) -> pd.DataFrame:
    rows = [(c, a, b, "".join("ACGT"[n % 4] for n in range(a, b))) for c, a, b in intervals]
    return pd.DataFrame(rows, columns=["chrom", "start", "end", "sequence"])


def test_windows_have_one_length_around_the_middle_and_lie_in_a_segment():
    table = placed(("chr1", 104, 108), ("chr1", 100, 106), ("chr1", 112, 132), ("chr2", 104, 108))
    kept, ids = elements.windows(table, Sequence(segment("chr1", 100, 130)), 8, 3)
    assert kept["start"].tolist() == [104, 112]  # 99-107 begins before the segment
    assert kept["example"].tolist() == [0, 1]
    assert kept["fold"].tolist() == [0, 0]  # of what is measured: chr2 is not
    assert kept.index.tolist() == [0, 1]
    assert ids[0].tolist() == [5, 6, 3, 4, 5, 6, 3, 4]  # 102-110: GTACGTAC
    assert ids[1].tolist() == [5, 6, 3, 4, 5, 6, 3, 4]  # 118-126, inside a longer element


def test_elements_of_another_build_are_refused():
    table = placed(("chr1", 104, 108)).assign(sequence="AGGT")
    with pytest.raises(GenezipError, match="chr1:104-108 has other bases"):
        elements.windows(table, Sequence(segment("chr1", 100, 130)), 8, 3)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"sequence": ["ACGT", "AC", ""], "end": [14, 1_500_002, 30]}, "line 4 of .* has no base"),
        ({"label": ["promoter", "ocr", "silencer"]}, "label 'silencer'"),
        ({"split": ["train", "valid", "train"]}, "split 'valid'"),
        ({"end": [14, 1_500_002, 34]}, "chr2:30-34 has 3 bases"),
    ],
)
def test_wrong_elements_are_one_sentence(tmp_path, columns, told):
    with pytest.raises(GenezipError, match=told):
        elements.read_elements(element_table(tmp_path / "e.tsv", **columns), 1_000_000)


def screen(path: Path, regulated: str = "TRUE", **columns: list[object]) -> Path:
    table = pd.DataFrame(
        {
            "chrom": ["chr1"], "chromStart": [100], "chromEnd": [200], "chrTSS": ["chr1"],
            "startTSS": [1150], "endTSS": [1151], "measuredGeneEnsemblId": [None],
            "measuredGeneSymbol": ["ABC"], "CellType": ["K562"], "Regulated": [regulated],
        }
    )  # fmt: skip
    table.assign(**columns).to_csv(path, sep="\t", index=False)
    return path


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"startTSS": [None]}, "no whole startTSS"),
        ({"chromStart": ["1e3"]}, "no whole chromStart"),
        ({"chromEnd": [-1]}, "no whole chromEnd"),
        ({"chromEnd": [99]}, "ends before it starts"),
        ({"chrom": [None]}, "no chromosome"),
        ({"chrTSS": ["chr9"]}, "its TSS on another chromosome"),
        ({"measuredGeneSymbol": [None]}, "no gene"),
        ({"CellType": [None]}, "no cell type"),
    ],
)
def test_a_wrong_pair_is_told_with_file_and_line(tmp_path, columns, told):
    good, wrong = screen(tmp_path / "a.tsv"), screen(tmp_path / "b.tsv", **columns)
    with pytest.raises(GenezipError, match=rf"line 2 of .*b\.tsv has .*{told}"):
        label_pairs.read_screens(good, wrong)


def test_distance_runs_from_the_middle_of_the_element_to_the_tss(tmp_path):
    found = label_pairs.read_screens(
        screen(tmp_path / "a.tsv"), screen(tmp_path / "b.tsv", "FALSE")
    )
    assert found["distance"].tolist() == [1000, 1000]
    assert found["label"].tolist() == [1, 0]
    assert found["split"].tolist() == ["train", "test"]
    assert found["gene"].tolist() == ["ABC", "ABC"]


def test_a_pair_is_inside_only_if_one_segment_holds_element_and_tss(tmp_path):
    pairs = label_pairs.read_screens(screen(tmp_path / "a.tsv"), screen(tmp_path / "b.tsv"))
    whole, short = segment("chr1", 100, 1151), segment("chr1", 100, 1150)
    assert label_pairs.inside_segments(pairs, Segments(short)).tolist() == [False, False]
    assert label_pairs.inside_segments(pairs, Segments(whole)).tolist() == [True, True]


def test_the_real_screens_have_the_published_numbers_of_pairs(mirror):
    files = real_labels.FILES["enhancer_gene"]
    train, test = (
        mirror / files[name][0] for name in ("screen.train.tsv.gz", "screen.test.tsv.gz")
    )
    found = label_pairs.read_screens(train, test).groupby("split")["label"].agg(["size", "sum"])
    assert found.loc["train"].tolist() == [10_356, 471]
    assert found.loc["test"].tolist() == [4_378, 190]


def test_the_real_elements_have_the_published_number_of_rows(mirror):
    path = mirror / real_labels.FILES["elements"]["elements.tsv.gz"][0]
    assert len(elements.read_elements(path, 1_000_000)) == 1_746
