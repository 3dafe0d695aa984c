"""Records written by hand, read back; the protocol buffer library is the judge of payloads."""

import gzip
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toolkit.deposits import tfrecords as by_hand

from genezip.errors import GenezipError
from genezip.formats.tfrecord import masked_crc32c, parse_example, read_payloads

NESTED = ".t.Features.FeatureEntry"
PAYLOADS = [b"first", b"", b"third " * 100_000]


@pytest.fixture(scope="module")
def example_message() -> Any:
    """The message ``Example``, built from its description and not from our reader."""
    pytest.importorskip("google.protobuf")
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="feature.proto", package="t", syntax="proto3")

    def message(name: str, *fields: tuple[str, int, int, int, str]) -> Any:
        made = file.message_type.add(name=name)
        for field_name, number, label, of, type_name in fields:
            named = {"type_name": type_name} if type_name else {}
            made.field.add(name=field_name, number=number, label=label, type=of, **named)
        return made

    one, many = kind.LABEL_OPTIONAL, kind.LABEL_REPEATED
    message("BytesList", ("value", 1, many, kind.TYPE_BYTES, ""))
    message("FloatList", ("value", 1, many, kind.TYPE_FLOAT, ""))
    message("Int64List", ("value", 1, many, kind.TYPE_INT64, ""))
    feature = message(
        "Feature",
        ("bytes_list", 1, one, kind.TYPE_MESSAGE, ".t.BytesList"),
        ("float_list", 2, one, kind.TYPE_MESSAGE, ".t.FloatList"),
        ("int64_list", 3, one, kind.TYPE_MESSAGE, ".t.Int64List"),
    )
    feature.oneof_decl.add(name="kind")
    for field in feature.field:
        field.oneof_index = 0
    features = message("Features", ("feature", 1, many, kind.TYPE_MESSAGE, NESTED))
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=one, type=kind.TYPE_STRING)
    entry.field.add(
        name="value", number=2, label=one, type=kind.TYPE_MESSAGE, type_name=".t.Feature"
    )
    message("Example", ("features", 1, one, kind.TYPE_MESSAGE, ".t.Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Example"))


def test_records_come_back_in_order(tmp_path: Path) -> None:
    path = by_hand.write(tmp_path / "a.tfr", PAYLOADS)
    assert list(read_payloads(path)) == PAYLOADS
    assert list(read_payloads(path, check=False)) == PAYLOADS


def test_a_file_of_no_record_is_empty_and_no_error(tmp_path: Path) -> None:
    assert list(read_payloads(by_hand.write(tmp_path / "a.tfr", []))) == []


def test_many_tiny_records_cross_every_block_border(tmp_path: Path) -> None:
    payloads = [b"x" * (number % 7) for number in range(200_000)]
    assert list(read_payloads(by_hand.write(tmp_path / "a.tfr", payloads))) == payloads


def test_the_mask_of_the_checksum_of_nine_digits() -> None:
    """CRC32C of 123456789 is 0xE3069283: turned right by 15 bits 0x2507C60D, plus the constant."""
    assert (0xE3069283 >> 15) | (0xE3069283 << 17) & 0xFFFFFFFF == 0x2507C60D
    assert masked_crc32c(b"123456789") == 0x2507C60D + 0xA282EAD8


def frames() -> bytes:
    return b"".join(map(by_hand.frame, PAYLOADS))


def flipped(stream: bytes, at: int) -> bytes:
    return stream[:at] + bytes([stream[at] ^ 1]) + stream[at + 1 :]


SECOND = len(by_hand.frame(PAYLOADS[0]))  # where record 1 begins
THIRD = SECOND + len(by_hand.frame(PAYLOADS[1]))


@pytest.mark.parametrize(
    ("stream", "sentence"),
    [
        (flipped(frames(), 12), "record 0: the checksum of its payload differs"),
        (flipped(frames(), SECOND), "record 1: the checksum of its length differs"),
        (flipped(frames(), THIRD + 9), "record 2: the checksum of its length differs"),
        (flipped(frames(), len(frames()) - 1), "record 2: the checksum of its payload differs"),
        (frames()[: SECOND + 5], "record 1: the record is cut short within its length"),
        (
            frames()[: THIRD + 12 + 100],
            "record 2: the record is cut short after 100 of its 600,000 bytes",
        ),
        (frames()[:-2], "record 2: the record is cut short after 600,000 of its 600,000 bytes"),
    ],
)
def test_damage_within_the_stream_names_file_and_record(
    tmp_path: Path, stream: bytes, sentence: str
) -> None:
    path = by_hand.write_stream(tmp_path / "train-3.tfr", stream)
    with pytest.raises(GenezipError, match=f"train-3.tfr, {sentence}; fetch the file again"):
        list(read_payloads(path))


def test_unchecked_reading_lets_a_wrong_checksum_pass(tmp_path: Path) -> None:
    path = by_hand.write_stream(tmp_path / "a.tfr", flipped(frames(), 12))
    assert next(read_payloads(path, check=False)) == b"girst"


def test_an_absurd_length_is_refused_even_unchecked(tmp_path: Path) -> None:
    path = by_hand.write_stream(tmp_path / "a.tfr", flipped(frames(), 6))
    with pytest.raises(GenezipError, match="record 0: its length of 281,474,976,710,661 bytes"):
        list(read_payloads(path, check=False))


def test_records_before_the_damage_are_given(tmp_path: Path) -> None:
    records = read_payloads(by_hand.write_stream(tmp_path / "a.tfr", frames()[:-2]))
    assert next(records) == PAYLOADS[0]
    assert next(records) == PAYLOADS[1]
    with pytest.raises(GenezipError):
        next(records)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (gzip.compress(frames()), "record 0: the file is gzip, not ZLIB"),
        (frames(), "record 0: the file is not ZLIB-compressed"),
        (b"<html>", "record 0: the file is not ZLIB-compressed"),
        (b"", "record 0: the file is empty"),
        (zlib.compress(frames())[:200], "record 2: the compressed file is cut short"),
        (zlib.compress(frames())[:-3], "record 3: the compressed file is cut short"),
        (zlib.compress(frames()) + b"\n", "record 3: the file continues after the end"),
        (
            flipped(zlib.compress(frames()), len(zlib.compress(frames())) - 1),
            "record 0 or later: the compressed data are damaged",
        ),
    ],
)
def test_a_damaged_container_names_file_and_record(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "valid-0.tfr"
    path.write_bytes(content)
    with pytest.raises(GenezipError, match=f"valid-0.tfr, {sentence}"):
        list(read_payloads(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match=r"none.tfr does not exist"):
        next(read_payloads(tmp_path / "none.tfr"))
    with pytest.raises(GenezipError, match=r"cannot be read: Is a directory"):
        next(read_payloads(tmp_path))


KEYS = st.sampled_from(["sequence", "target", "genome", "more", ""])
VALUES = st.one_of(
    st.binary(max_size=300), st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1)
)


@given(features=st.dictionaries(KEYS, VALUES))
def test_payloads_of_the_protocol_buffer_library_are_understood(
    example_message: Any, features: dict[str, bytes | list[int]]
) -> None:
    message = example_message()
    for key, value in features.items():
        slot = message.features.feature[key]
        if isinstance(value, bytes):
            slot.bytes_list.value.append(value)
        else:
            slot.int64_list.value.extend(value)
    assert parse_example(message.SerializeToString()) == features


@given(features=st.dictionaries(KEYS, VALUES), packed=st.booleans())
def test_the_library_understands_what_the_fixtures_write(
    example_message: Any, features: dict[str, bytes | list[int]], packed: bool
) -> None:
    made = by_hand.example(
        {
            key: by_hand.bytes_feature(value)
            if isinstance(value, bytes)
            else by_hand.int64_feature(*value, packed=packed)
            for key, value in features.items()
        }
    )
    read = example_message.FromString(made).features.feature
    for key, value in features.items():
        slot = read[key]
        kept = list(slot.bytes_list.value) if isinstance(value, bytes) else slot.int64_list.value
        assert kept == ([value] if isinstance(value, bytes) else value)
    assert parse_example(made) == features


def test_floats_and_several_strings_are_left_out(example_message: Any) -> None:
    message = example_message()
    message.features.feature["weight"].float_list.value.extend([1.0, 2.0])
    message.features.feature["names"].bytes_list.value.extend([b"a", b"b"])
    message.features.feature["target"].bytes_list.value.append(b"c")
    assert parse_example(message.SerializeToString()) == {"target": b"c"}


def test_fields_that_nobody_knows_are_skipped() -> None:
    known = by_hand.example({"target": by_hand.bytes_feature(b"c")})
    strange = b"\x78\x05" + b"\x79" + bytes(8) + b"\x7d" + bytes(4) + by_hand.field(15, b"zz")
    assert parse_example(strange + known + strange) == {"target": b"c"}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\x0a\x05ab", "field 1 continues after the end"),
        (b"\x0a", "a number continues after the end"),
        (b"\xff" * 11, "a number has more than ten bytes"),
        (b"\x0b", "wire type 3"),
        (b"\x08\x01", "field 1 is a number"),
        (by_hand.example({"a": b""})[:-1], "continues after the end"),
        (by_hand.example({"a": by_hand.int64_feature(1)}).replace(b"a", b"\xff"), "can't decode"),
    ],
)
def test_a_payload_that_is_no_example_is_refused(payload: bytes, reason: str) -> None:
    with pytest.raises(GenezipError, match=f"record 7 of x is not a TensorFlow Example .*{reason}"):
        parse_example(payload, "record 7 of x")
