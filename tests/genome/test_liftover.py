"""Intervals through hand-written chains, and base by base through pyliftover itself."""

import gzip
from pathlib import Path

import pytest
from pyliftover import LiftOver

from genezip.errors import GenezipError
from genezip.formats.chrom_sizes import hg19_sizes, hg38_sizes
from genezip.genome.liftover import (
    Liftover,
    Part,
    Span,
    hull,
)

# Old assembly: chr1 of 1,000 bp and chr2 of 400 bp. New: chr1 of 1,100, chr2 of 500, chr3 of 300.
# chr1   0-100 -> chr1 50-150; 100-110 is deleted; 110-200 -> chr1 150-240 (same chain)
# chr1 200-300 -> chr1 740-840 (40 bp apart from here on: 500 new bases lie between)
# chr1 300-400 -> chr1, minus strand: 1100 - 700 = 400 to 1100 - 600 = 500
# chr1 400-500 -> chr2 10-110; chr1 500-600 -> chr3, minus strand, 90-190; chr1 600-1000: nothing
OLD = {"chr1": 1000, "chr2": 400}
NEW = {"chr1": 1100, "chr2": 500, "chr3": 300}
CHAINS = """# two comments
chain 900 chr1 1000 + 0 300 chr1 1100 + 50 840 1
100 10 0
90 0 500
100

chain 500 chr1 1000 + 300 400 chr1 1100 - 600 700 2
100

chain 400 chr1 1000 + 400 500 chr2 500 + 10 110 3
100

chain 300 chr1 1000 + 500 600 chr3 300 - 110 210 4
40 0 0
60

"""


@pytest.fixture
def chain_file(tmp_path: Path) -> Path:
    path = tmp_path / "oldToNew.over.chain.gz"
    path.write_bytes(gzip.compress(CHAINS.encode()))
    return path


@pytest.fixture
def lift(chain_file: Path) -> Liftover:
    return Liftover(chain_file, OLD, NEW, "old to new")


def test_parts_by_eye(lift: Liftover) -> None:
    assert lift.parts("chr1", 90, 120) == [
        Part("chr1", 140, 150, "+"),
        Part("chr1", 150, 160, "+"),
    ]
    assert lift.parts("chr1", 100, 110) == []  # deleted
    assert lift.parts("chr1", 99, 100) == [Part("chr1", 149, 150, "+")]  # last base of a block
    assert lift.parts("chr1", 110, 111) == [Part("chr1", 150, 151, "+")]  # first base of the next
    assert lift.parts("chr1", 300, 310) == [Part("chr1", 490, 500, "-")]  # runs backwards
    assert lift.parts("chr1", 395, 405) == [
        Part("chr1", 400, 405, "-"),
        Part("chr2", 10, 15, "+"),
    ]
    assert lift.parts("chr1", 600, 1000) == []
    assert lift.parts("chr2", 0, 400) == []
    assert lift.parts("chr9", 0, 400) == []


def test_whole_intervals_by_eye(lift: Liftover) -> None:
    assert lift.whole("chr1", 20, 80) == Span("chr1", 70, 130)
    assert lift.whole("chr1", 0, 200) == Span("chr1", 50, 240)  # 190 of 200 bp map: 95 %
    assert lift.whole("chr1", 5, 200) is None  # 185 of 195
    assert lift.whole("chr1", 190, 210) is None  # 500 bases longer
    assert lift.whole("chr1", 320, 400) == Span("chr1", 400, 480)  # the inversion, all of it
    assert lift.whole("chr1", 290, 310) is None  # two strands
    assert lift.whole("chr1", 450, 550) is None  # two chromosomes
    assert lift.whole("chr1", 510, 590) == Span("chr3", 100, 180)  # two blocks side by side
    assert lift.whole("chr1", 700, 800) is None


def test_every_base_goes_where_pyliftover_sends_it(lift: Liftover, chain_file: Path) -> None:
    peer = LiftOver(str(chain_file))
    for position in range(1000):
        theirs = [(c, p, p + 1, s) for c, p, s, _ in peer.convert_coordinate("chr1", position)]
        ours = [
            (part.chrom, part.start, part.end, part.strand)
            for part in lift.parts("chr1", position, position + 1)
        ]
        assert ours == theirs


@pytest.mark.parametrize(("start", "end"), [(0, 1000), (37, 512), (99, 111), (250, 350)])
def test_an_interval_covers_the_bases_of_its_positions(
    lift: Liftover, chain_file: Path, start: int, end: int
) -> None:
    peer = LiftOver(str(chain_file))
    slow = sorted(
        (chrom, target)
        for position in range(start, end)
        for chrom, target, _, _ in peer.convert_coordinate("chr1", position)
    )
    fast = sorted(
        (part.chrom, target)
        for part in lift.parts("chr1", start, end)
        for target in range(part.start, part.end)
    )
    assert fast == slow


def test_blocks_of_nested_chains_are_all_found(tmp_path: Path) -> None:
    # A long block around a short one of another chain, and one far behind.
    path = tmp_path / "nested.chain"
    path.write_text(
        "chain 9 chr1 1000 + 0 300 chr1 1100 + 0 300 1\n300\n\n"
        "chain 8 chr1 1000 + 100 110 chr2 500 + 0 10 2\n10\n\n"
        "chain 7 chr1 1000 + 400 410 chr3 300 + 0 10 3\n10\n"
    )
    parts = Liftover(path, OLD, NEW).parts("chr1", 200, 405)
    assert parts == [Part("chr1", 200, 300, "+"), Part("chr3", 0, 5, "+")]


def test_hull() -> None:
    assert hull([Span("a", 5, 9), Span("a", 1, 2)]) == Span("a", 1, 9)
    assert hull([Span("a", 1, 9)]).holds(Part("a", 1, 9, "-"))
    assert not hull([Span("a", 1, 9)]).holds(Part("b", 1, 9, "-"))


def test_a_chain_of_the_other_direction_is_refused(chain_file: Path) -> None:
    with pytest.raises(GenezipError, match="not a chain file from new to old: its chr1 has 1,000"):
        Liftover(chain_file, NEW, OLD, "new to old")


def test_a_chain_to_another_assembly_is_refused(chain_file: Path) -> None:
    with pytest.raises(GenezipError, match=r"its chr1 has 1,100 bp where 1,101 bp was expected"):
        Liftover(chain_file, OLD, NEW | {"chr1": 1101})
    with pytest.raises(GenezipError, match="where unknown was expected"):
        Liftover(chain_file, {"I": 1000}, NEW)


@pytest.mark.parametrize("kept", [30, 150, len(CHAINS) - 4, len(CHAINS) - 45])
@pytest.mark.parametrize("packed", [False, True])
def test_a_truncated_chain_file_is_one_sentence(tmp_path: Path, kept: int, packed: bool) -> None:
    path = tmp_path / "cut.chain"
    data = CHAINS.encode()[:kept]
    if packed:
        whole = gzip.compress(CHAINS.encode())
        data = whole[: len(whole) * kept // len(CHAINS)]
    path.write_bytes(data)
    with pytest.raises(GenezipError, match=r"cut\.chain is .*; fetch it again"):
        Liftover(path, OLD, NEW)


@pytest.mark.parametrize("text", ["# nothing\n", "chr1\t0\t100\n", "12\n"])
def test_what_is_no_chain_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.bed"
    path.write_text(text)
    with pytest.raises(GenezipError, match="is not a chain file, or is cut short"):
        Liftover(path, OLD, NEW)
    with pytest.raises(GenezipError, match="does not exist; name a chain file"):
        Liftover(tmp_path / "absent.chain", OLD, NEW)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (CHAINS, "", "is empty; name a chain file"),
        ("90 0 500", "90 zero 500", r"\(line 4: 'zero' \(column 2\) is not a whole number\)"),
        ("chain 500", "chain five", r"\(line 7: 'five' \(column 2\) is not a whole number\)"),
        ("chr3 300", "chr3 3", r"\(lines 13-15: it lies outside of chr3\)"),
        ("chr1 1000 + 400", "chr1 900 + 400", r"\(lines 10-11: chr1 has another length"),
        ("\n\nchain 400", "\n7 7 7\n\nchain 400", r"\(line 9: it does not begin with the word"),
    ],
)
def test_a_damaged_chain_is_named_by_its_lines(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    path = tmp_path / "a.chain"
    path.write_text(CHAINS.replace(old, new, 1))
    with pytest.raises(GenezipError, match=sentence):
        Liftover(path, OLD, NEW)


def test_the_lengths_of_hg19_are_not_those_of_hg38() -> None:
    """The tables that tell the direction of a chain file differ on every chromosome."""
    old, new = hg19_sizes(), hg38_sizes()
    assert set(old) == set(new) - {"chrM"}
    assert all(old[name] != new[name] for name in old)
