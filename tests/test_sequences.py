"""What may be given as DNA: one rule for every entry point."""

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from Bio.Seq import MutableSeq, Seq
from Bio.SeqRecord import SeqRecord
from toolkit.networks import LONG_CHUNKS, small_network, toy_card

from genezip.alphabet import encode
from genezip.errors import GenezipError
from genezip.models.genezip.compressor import GeneZip

TEXT = "acgtUuNNRYkmACGTTGCA" * 10


@pytest.fixture(scope="module")
def zipper() -> GeneZip:
    network = small_network(**LONG_CHUNKS)
    return GeneZip(network, toy_card(network.shape, targets={"cds": 4.0}))


TAKEN = {
    "str": TEXT,
    "np.str_": np.str_(TEXT),
    "bytes": TEXT.encode(),
    "bytearray": bytearray(TEXT.encode()),
    "memoryview": memoryview(TEXT.encode()),
    "every second": memoryview("".join(f"{letter}X" for letter in TEXT).encode())[::2],
    "Seq": Seq(TEXT),
    "MutableSeq": MutableSeq(TEXT),
    "SeqRecord": SeqRecord(Seq(TEXT), id="x"),
    "codes": np.frombuffer(TEXT.encode(), dtype=np.uint8),
    "reversed codes": np.frombuffer(TEXT[::-1].encode(), dtype=np.uint8)[::-1],
    "S1": np.array(list(TEXT), dtype="S1"),
    "U1": np.array(list(TEXT)),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_every_kind_gives_the_same(zipper: GeneZip, kind: str) -> None:
    given = TAKEN[kind]
    expected = zipper.compress(TEXT)
    assert np.array_equal(zipper.compress(given).tokens, expected.tokens)
    assert zipper.log_likelihood(given).total == zipper.log_likelihood(TEXT).total
    stream = zipper.stream()
    assert np.array_equal(stream.feed(given).tokens, expected.tokens)
    assert zipper.generate(given, 5) == zipper.generate(TEXT, 5)


def test_what_was_given_is_left_alone(zipper: GeneZip) -> None:
    given = bytearray(TEXT.encode())
    ids = encode(given)
    ids[:] = 0
    given.extend(b"A")  # not held by a view
    assert given == bytearray(TEXT.encode()) + b"A"


@pytest.mark.parametrize("kind", [list, tuple])
def test_several_are_each_as_if_alone(zipper: GeneZip, kind: type) -> None:
    given = kind([TEXT, Seq("ACGTACGT"), b"GGGGTTTT"])
    found = zipper.compress(given)
    assert isinstance(found, list) and len(found) == 3
    for one, other in zip(found, given, strict=True):
        alone = zipper.compress(other)
        assert np.array_equal(one.tokens, alone.tokens)
        assert np.array_equal(one.chunk_bp, alone.chunk_bp)
    assert [one.total for one in zipper.log_likelihood(given)] == [
        zipper.log_likelihood(one).total for one in given
    ]
    assert zipper.generate(given, 4) == [zipper.generate(one, 4) for one in given]
    assert zipper.compress(kind()) == []


def test_every_method_takes_one_or_several(zipper: GeneZip) -> None:
    """The result of one is that of a list of it; protocol checks compare the rest."""
    calls = {
        "compress": zipper.compress,
        "encode": zipper.encode,
        "encode_with_vectors": zipper.encode_with_vectors,
        "encode_boundaries": zipper.encode_boundaries,
        "boundaries": zipper.boundaries,
        "embed": zipper.embed,
        "log_likelihood": zipper.log_likelihood,
        "generate": lambda given: zipper.generate(given, 3),
    }
    taking = {
        name
        for name, method in vars(GeneZip).items()
        if inspect.isfunction(method) and not name.startswith("_")
        if {"sequence", "sequences", "prompt"} & set(inspect.signature(method).parameters)
    }
    assert set(calls) == taking
    for name, call in calls.items():
        one, listed, paired = call(TEXT), call([TEXT]), call((TEXT, Seq(TEXT)))
        assert isinstance(listed, list) and isinstance(paired, list), name
        assert not isinstance(one, list), name
        assert type(one) is type(listed[0]) and len(listed) == 1 and len(paired) == 2, name


def test_one_sequence_without_bases_is_refused(zipper: GeneZip) -> None:
    for call in (zipper.encode, zipper.embed, zipper.boundaries):
        with pytest.raises(GenezipError, match=r"^sequence has no bases"):
            call("")
        with pytest.raises(GenezipError, match=r"^sequence 1 of the list has no bases"):
            call([TEXT, ""])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (None, "sequence is of the type NoneType; give str, bytes, bytearray, a Biopython Seq"),
        (5, "of the type int; give"),
        (Path("my.fa"), r"of the type pathlib\.\w*Path; give"),
        ({"a": "ACGT"}, "of the type dict"),
        ({"ACGT"}, "of the type set"),
        ((letter for letter in "ACGT"), "of the type generator"),
        (SimpleNamespace(seq="ACGT"), r"of the type types\.SimpleNamespace"),
        (torch.zeros(4, dtype=torch.uint8), r"of the type torch\.Tensor"),
        (SeqRecord(None), "of the type NoneType"),
        (Seq(None, length=9), "Seq of 9 letters that are not all defined"),
        (np.zeros(4, dtype=np.int64), r"numpy array of int64 with shape \(4,\)"),
        (np.full((2, 2), 65, dtype=np.uint8), r"of uint8 with shape \(2, 2\)"),
        (np.array(["ACGT", "GG"]), r"of <U4 with shape \(2,\)"),
        (np.array("ACGT"), r"with shape \(\)"),
        (memoryview(np.zeros(4, dtype=np.int32)), "of the type memoryview"),
    ],
)
def test_any_other_type_is_named(zipper: GeneZip, given: Any, sentence: str) -> None:
    for call in (zipper.compress, zipper.log_likelihood, zipper.stream().feed, encode):
        with pytest.raises(GenezipError, match=sentence):
            call(given)
    with pytest.raises(GenezipError, match=sentence.replace("sequence is", "prompt is")):
        zipper.generate(given, 3)
    with pytest.raises(GenezipError, match=r"sequence 1 of the list .*"):
        zipper.compress(["ACGTACGT", given])


def test_a_stream_takes_one(zipper: GeneZip) -> None:
    for given in (["ACGT", "ACGT"], ("ACGT",)):
        with pytest.raises(GenezipError, match=f"of the type {type(given).__name__}"):
            zipper.stream().feed(given)  # type: ignore[arg-type]
    with pytest.raises(GenezipError, match="sequence 0 of the list is of the type list"):
        zipper.compress([["ACGT"]])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ACGT\nACGT", r"'\\n' at position 4, which is not a base; remove line breaks and spaces"),
        ("ACGT ACGT", "' ' at position 4, .* remove line breaks and spaces"),
        ("ACGT\r", r"'\\r' at position 4, .* remove line breaks"),
        (">a\nACGT", "'>' at position 0, which is not a base; use A, C, G, T, N or IUPAC"),
        ("ACG-T", "'-' at position 3, which is not a base; use A"),
        ("ACGTé", "'é' at position 4, which is not a base"),
        ("ACG", "the sequence has 3 bases, fewer than one convolution"),
        (list("ACGT"), "sequence 0 of the list has 1 bases, fewer"),
    ],
)
def test_letters_are_refused_and_never_left_out(zipper: GeneZip, text: Any, sentence: str) -> None:
    for given in (text, Seq(text)) if isinstance(text, str) and text.isascii() else (text,):
        with pytest.raises(GenezipError, match=sentence):
            zipper.compress(given)


def test_a_prompt_may_be_short_but_not_empty(zipper: GeneZip) -> None:
    assert len(zipper.generate("A", 3)) == 3
    with pytest.raises(GenezipError, match="the stream has no base yet; give a prompt"):
        zipper.generate("", 3)
