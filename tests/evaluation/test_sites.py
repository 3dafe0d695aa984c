"""Sites of genes: planted ones are found, on both strands, and nothing else."""

import re

import numpy as np
import pytest
from toolkit.dna import random_dna, reverse_complement
from toolkit.planted_sites import EXON1, GENE_BP, INTRON, UPSTREAM, planted

from genezip.alphabet import encode
from genezip.config.results import Alignment
from genezip.errors import GenezipError
from genezip.evaluation.genes.sites import (
    LEAST_INTRON_BP,
    MINUS,
    PLUS,
    SITE_KINDS,
    chosen_kinds,
    find_sites,
    matches,
    stretches,
)
from genezip.genome.gene_models import read_gene_models

# IUPAC letters written out for re, independently of Biopython
CODES = {
    "A": "A",
    "C": "C",
    "G": "G",
    "T": "T",
    "Y": "[CT]",
    "R": "[AG]",
    "W": "[AT]",
    "N": "[ACGT]",
}


@pytest.fixture
def read(tmp_path):
    """Annotation of a made-up genome."""

    def of(made):
        path = tmp_path / "genes.gff3"
        path.write_text("##gff-version 3\n" + "\n".join(made.rows) + "\n")
        return read_gene_models(path, transcripts="all")

    return of


def places(table):
    return list(zip(table["position"], table["strand"], strict=True))


def slow_sites(text, anchors, kind):
    """Sites of a motif by a regular expression at every place near every anchor."""
    pattern = re.compile("".join(CODES[letter] for letter in kind.letters))
    back, found = reverse_complement(text), set()
    for position, strand in anchors:
        along, at = (text, position) if strand == 1 else (back, len(text) - 1 - position)
        for start in range(at + kind.first, at + kind.last - len(kind.letters) + 2):
            if start >= 0 and pattern.match(along, start):
                found.add((start if strand == 1 else len(text) - 1 - start, strand))
    return sorted(found)


def test_settings_name_all_kinds() -> None:
    field = Alignment.model_json_schema()["properties"]["kinds"]["items"]["enum"]
    assert field == list(SITE_KINDS)
    with pytest.raises(GenezipError, match="'gata' is no kind of site; use tata, ccaat"):
        chosen_kinds(["gata"])
    assert [kind.name for kind in chosen_kinds(["inr", "tata", "inr"])] == ["inr", "tata"]


def test_motifs_match_as_a_regular_expression() -> None:
    rng = np.random.default_rng(3)
    text = random_dna(5000, rng) + "NNYYCA"
    for letters in ("TATAAA", "YYCANWYY", "GCCRCCATGG", "NT"):
        pattern = "(?=" + "".join(CODES[letter] for letter in letters) + ")"
        expected = [found.start() for found in re.finditer(pattern, text)]
        assert np.flatnonzero(matches(encode(text), letters)).tolist() == expected
    assert not matches(encode("TAT"), "TATAAA").any()


@pytest.mark.parametrize("turned", [False, True])
def test_planted_sites_are_found(read, turned) -> None:
    made = planted(12, turned=turned)
    annotation, ids = read(made), encode(made.text)
    for name in ("donor", "acceptor", "kozak"):
        found = find_sites(annotation, "c", 0, ids, SITE_KINDS[name])
        assert places(found) == sorted(made.sites[name]), name
    # one more TATA box may have come by chance
    tss = [(at + 31 * strand, strand) for at, strand in made.sites["tata"]]
    for name in ("tata", "ccaat", "inr", "inr_short"):
        found = find_sites(annotation, "c", 0, ids, SITE_KINDS[name])
        assert places(found) == slow_sites(made.text, tss, SITE_KINDS[name]), name
    assert set(made.sites["tata"]) <= set(
        places(find_sites(annotation, "c", 0, ids, SITE_KINDS["tata"]))
    )


def test_a_stretch_has_the_sites_of_the_whole(read) -> None:
    made = planted(12)
    annotation = read(made)
    low, high = 1000, 4000
    part = encode(made.text[low:high])
    for kind in SITE_KINDS.values():
        if kind.anchor == "island":  # which is known from its whole length alone
            continue
        whole = find_sites(annotation, "c", 0, encode(made.text), kind)
        size = max(len(kind.letters), 1)
        # the motif lies inside, too
        inside = [
            (at, strand)
            for at, strand in places(whole)
            if low <= at < high and low <= at + strand * (size - 1) < high
        ]
        assert places(find_sites(annotation, "c", low, part, kind)) == inside, kind.name


def test_sequence_of_the_same_sort(read) -> None:
    made = planted(6)
    annotation, length = read(made), len(made.text)
    introns = stretches(annotation, "c", 0, length, SITE_KINDS["donor"])
    promoters = stretches(annotation, "c", 0, length, SITE_KINDS["tata"])
    expected, near = np.zeros((2, length), dtype=np.uint8)
    for at, strand in made.sites["donor"]:
        tss = at - strand * EXON1
        for step in range(INTRON):
            expected[at + strand * step] |= PLUS if strand == 1 else MINUS
        for step in range(-250, 51):
            near[tss + strand * step] |= PLUS if strand == 1 else MINUS
    np.testing.assert_array_equal(introns, expected)
    np.testing.assert_array_equal(promoters, near)
    assert GENE_BP > UPSTREAM + EXON1 + INTRON  # the layout that is assumed above
    cut = stretches(annotation, "c", 500, 700, SITE_KINDS["donor"])
    np.testing.assert_array_equal(cut, expected[500:1200])


def test_short_gaps_are_no_introns_and_shared_ones_count_once(tmp_path) -> None:
    rows = []
    for name, second in (("a", 200), ("b", 200), ("c", 100 + LEAST_INTRON_BP - 1)):
        rows.append(f"c\tx\tmRNA\t1\t400\t.\t+\t.\tID={name}")
        rows += [
            f"c\tx\texon\t{low + 1}\t{high}\t.\t+\t.\tParent={name}"
            for low, high in ((0, 100), (second, 400))
        ]
    path = tmp_path / "g.gff3"
    path.write_text("\n".join(rows) + "\n")
    annotation = read_gene_models(path, transcripts="all")
    ids = encode("ACGT" * 100)
    assert places(find_sites(annotation, "c", 0, ids, SITE_KINDS["donor"])) == [(100, 1)]
    assert places(find_sites(annotation, "c", 0, ids, SITE_KINDS["acceptor"])) == [(200, 1)]


@pytest.mark.parametrize("strand", ["+", "-"])
def test_starts_stops_and_ends_by_hand(tmp_path, strand: str) -> None:
    """A gene [100, 400) with CDS [150, 200) and [300, 340), and a poly(A) signal before its end."""
    text = ["T"] * 600
    ends = {"+": (100, 399, 150, 337), "-": (399, 100, 339, 152)}[strand]
    signal = (375, "AATAAA") if strand == "+" else (120, "TTTATT")
    text[signal[0] : signal[0] + 6] = signal[1]
    rows = [f"c\tx\tmRNA\t101\t400\t.\t{strand}\t.\tID=a"]
    rows += [f"c\tx\texon\t{low + 1}\t{high}\t.\t{strand}\t.\tParent=a" for low, high in
             ((100, 200), (300, 400))]  # fmt: skip
    rows += [f"c\tx\tCDS\t{low + 1}\t{high}\t.\t{strand}\t0\tParent=a" for low, high in
             ((150, 200), (300, 340))]  # fmt: skip
    path = tmp_path / "g.gff3"
    path.write_text("\n".join(rows) + "\n")
    annotation, ids = read_gene_models(path, transcripts="all"), encode("".join(text))
    sign = 1 if strand == "+" else -1
    for name, at in zip(("tss", "polya", "start", "stop"), ends, strict=True):
        assert places(find_sites(annotation, "c", 0, ids, SITE_KINDS[name])) == [(at, sign)], name
        own = stretches(annotation, "c", 0, len(ids), SITE_KINDS[name])
        assert own[at] == (PLUS if sign == 1 else MINUS)
    first = signal[0] if sign == 1 else signal[0] + 5
    found = places(find_sites(annotation, "c", 0, ids, SITE_KINDS["polya_signal"]))
    assert found == [(first, sign)]


def test_edges_of_an_island_are_read_from_outside(read) -> None:
    made = planted(2)
    text = "AT" * 400 + "CG" * 400 + "AT" * 400
    ids = encode(text)
    left, right = places(find_sites(read(made), "c", 1000, ids, SITE_KINDS["cpg_island"]))
    assert left[1] == 1 and right[1] == -1
    # windows of 500 bp with 55 % GC have 275 bp of the island and 225 beside it
    assert left[0] == 1000 + 800 - 225 and right[0] == 1000 + 1600 + 225 - 1
    everywhere = stretches(read(made), "c", 0, 10, SITE_KINDS["cpg_island"])
    assert set(everywhere) == {PLUS | MINUS}
