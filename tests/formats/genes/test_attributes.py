"""Column 9 by regular expressions equals column 9 letter by letter."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genezip.formats.genes.attributes import Attributes, pairs

KEYS = ("gene_id", "transcript_id", "ID", "Parent", "tag", "note")
QUOTED = st.text(alphabet="ab;= ,.x", max_size=8).map(lambda value: f'"{value}"')
ODD = {
    "gtf": ['"x; gene_id fake; y"', '"tag "', '"a;ID=z;Parent=q"', '""', "bare", "ba re ", '5\\"',
            '"a\\"b;c"', 'x"y', "", '"u,basic"', "u,basic"],
    "gff3": ['"x; gene_id fake; y"', '"a;ID=z;Parent=q"', '""', "bare", "ba re ", "", '5"', 'a"b;',
             '"q"r', '"u,basic"', "u,basic"],
}  # fmt: skip
ASSIGN = {"gtf": [" ", "  "], "gff3": ["=", " = ", "= "]}


@st.composite
def rows(draw, dialect):
    found = []
    for _ in range(draw(st.integers(1, 3))):
        items = [
            draw(st.sampled_from(KEYS))
            + draw(st.sampled_from(ASSIGN[dialect]))
            + draw(st.one_of(QUOTED, st.sampled_from(ODD[dialect])))
            + draw(st.sampled_from(["", " "]))
            for _ in range(draw(st.integers(0, 5)))
        ]
        found.append(
            draw(st.sampled_from(["; ", ";"])).join(items) + draw(st.sampled_from(["", ";"]))
        )
    return found


@pytest.mark.parametrize("dialect", ["gtf", "gff3"])
@given(st.data())
@settings(max_examples=100, deadline=None)
def test_expressions_equal_the_walk_through_the_letters(dialect, data):
    texts = data.draw(rows(dialect))
    attributes = Attributes(pa.chunked_array([pa.array(texts)]), dialect)
    walked = [pairs(text, dialect) for text in texts]
    for key in KEYS:
        wanted = [next((value for name, value in row if name == key), "") for row in walked]
        assert attributes.first(key).to_pylist() == wanted
    basic = [
        any(name == "tag" and "basic" in map(str.strip, value.split(",")) for name, value in row)
        for row in walked
    ]
    assert attributes.any_of("tag", ["basic", "other"]).tolist() == basic
    may_have = attributes.may_have("tag", "note").tolist()
    for row, may in zip(walked, may_have, strict=True):
        assert may or not {"tag", "note"} & {key for key, _ in row}


BEGINS = [
    'gene_id "g"; transcript_id "t"', 'gene_id "g"; transcript_id "t";', "",
    'gene_id "g"; gene_version "1"; gene_name ""; transcript_id "t.1"; ', 'gene_id "g"; ',
    'gene_id "g"; transcript_id ""; transcript_id "u"; ', 'gene_id "g";transcript_id "t"; ',
    'gene_id "g"; gene_name "a;b"; transcript_id "t"; ', 'gene_id "g"; transcript_id "t"x; ',
    'gene_id "g h"; transcript_id "t"; ', 'gene_id "g"; transcript_id "t\\"; transcript_id "u"; ',
    'gene_id "g"; note "; transcript_id "t"; ', 'gene_id "g"; gene_id "h"; transcript_id "t"; ',
]  # fmt: skip


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_ids_that_begin_a_row_equal_the_walk_through_the_letters(data):
    texts = [data.draw(st.sampled_from(BEGINS)) + text for text in data.draw(rows("gtf"))]
    found = Attributes(pa.chunked_array([pa.array(texts)]), "gtf").ids()
    walked = [pairs(text, "gtf") for text in texts]
    for key, values in zip(("gene_id", "transcript_id"), found, strict=True):
        wanted = [next((value for name, value in row if name == key), "") for row in walked]
        assert values.to_pylist() == wanted


def test_pairs_by_hand():
    assert pairs('gene_id "a;b"; note "x \\"y\\" z" ; level 2;', "gtf") == [
        ("gene_id", "a;b"),
        ("note", 'x "y" z'),
        ("level", "2"),
    ]
    assert pairs('ID=a;Note="b;c=d";Empty=; Parent = p ', "gff3") == [
        ("ID", "a"),
        ("Note", "b;c=d"),
        ("Empty", ""),
        ("Parent", "p"),
    ]
    assert pairs("Note=5' and 3\" ends;ID=x", "gff3")[1] == ("ID", "x")


def test_bare_words():
    column = pa.chunked_array([pa.array(["g1", " g1.t1; ", ".", "ID=x", 'gene_id "g"', "a b", ""])])
    assert Attributes(column, "gtf").bare().to_pylist() == ["g1", "g1.t1", "", "", "", "", ""]
