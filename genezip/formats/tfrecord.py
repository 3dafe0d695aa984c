"""TFRecord files that are one ZLIB stream, read without TensorFlow.

File: one zlib stream of frames. Frame: uint64 length; uint32 masked CRC32C of these 8 bytes;
payload; uint32 masked CRC32C of the payload; all little-endian (TensorFlow,
``tensorflow/core/lib/io/record_writer.h``). Payload: the protocol buffer ``Example``
(``tensorflow/core/example/feature.proto``), a map from key to a list of values.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import google_crc32c

from genezip.errors import GenezipError

_PACKED_BYTES = 1 << 16  # read at once
_HELD_BYTES = 1 << 20  # unpacked at once
_MOST_BYTES = (1 << 31) - 1  # a protocol buffer cannot be longer
_HEAD = struct.Struct("<QI")
_CRC = struct.Struct("<I")

_FEATURES = _ENTRY = _KEY = _BYTES_LIST = _VALUE = 1  # field numbers of feature.proto
_FEATURE, _INT64_LIST = 2, 3
_VARINT, _FIXED64, _COUNTED, _FIXED32 = 0, 1, 2, 5  # wire types
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}


def read_payloads(path: str | Path, check: bool = True) -> Iterator[bytes]:
    """Payloads of the records of a file, in order; memory is one record.

    A truncated file, bytes after the end of its stream, and (unless ``check`` is False) a wrong
    checksum of a length or payload raise. Messages count records from 0.
    """
    path = Path(path)
    number = 0
    try:
        with open(path, "rb") as handle:
            stream = _Inflated(handle)
            while head := stream.read(_HEAD.size):
                yield _payload(stream, head, check)
                number += 1
    except FileNotFoundError:
        raise GenezipError(f"{path} does not exist; fetch it again") from None
    except OSError as error:
        raise GenezipError(f"{path} cannot be read: {error.strerror}; fetch it again") from None
    except _Damage as error:
        raise GenezipError(f"{path}, record {number}: {error}; fetch the file again") from None
    except zlib.error as error:  # data are decompressed ahead of the current record
        raise GenezipError(
            f"{path}, record {number} or later: the compressed data are damaged ({error}); "
            "fetch the file again"
        ) from None


def parse_example(payload: bytes, where: str = "record") -> dict[str, bytes | list[int]]:
    """The features of an ``Example``, by key: single byte strings, and lists of int64.

    Lists of floats and lists of other than one byte string are left out: no deposit has them.
    Messages call the example ``where``.
    """
    view = memoryview(payload)
    found: dict[str, bytes | list[int]] = {}
    try:
        for features in _counted(view, _FEATURES):
            for entry in _counted(features, _ENTRY):
                key = b"".join(bytes(part) for part in _counted(entry, _KEY))
                value = None
                for feature in _counted(entry, _FEATURE):
                    value = _value(feature)
                if value is not None:
                    found[key.decode("utf-8")] = value
    except (_Damage, UnicodeDecodeError) as error:
        raise GenezipError(
            f"{where} is not a TensorFlow Example ({error}); fetch it again"
        ) from None
    return found


def masked_crc32c(data: bytes) -> int:
    """CRC32C as TFRecord stores it: rotated right by 15 bits, plus a constant."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


class _Damage(Exception):
    """Damaged bytes; the caller adds file and record to the message."""


def _payload(stream: "_Inflated", head: bytes, check: bool) -> bytes:
    """The payload after a frame's head."""
    if len(head) < _HEAD.size:
        raise _Damage("the record is cut short within its length")
    length, crc = _HEAD.unpack(head)
    if check and masked_crc32c(head[:8]) != crc:
        raise _Damage("the checksum of its length differs")
    if length > _MOST_BYTES:
        raise _Damage(f"its length of {length:,} bytes is impossible")
    payload = stream.read(length)
    tail = stream.read(_CRC.size)
    if len(tail) < _CRC.size:
        raise _Damage(f"the record is cut short after {len(payload):,} of its {length:,} bytes")
    if check and masked_crc32c(payload) != _CRC.unpack(tail)[0]:
        raise _Damage("the checksum of its payload differs")
    return payload


class _Inflated:
    """Read a zlib stream with little memory."""

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self._zlib = zlib.decompressobj()
        self._held = memoryview(b"")
        head = handle.read(2)
        handle.seek(0)
        if head == b"\x1f\x8b":
            raise _Damage("the file is gzip, not ZLIB")
        # RFC 1950: method 8, and the first 16 bits are a multiple of 31
        if len(head) < 2 or head[0] & 15 != 8 or int.from_bytes(head, "big") % 31:
            raise _Damage("the file is empty" if not head else "the file is not ZLIB-compressed")

    def read(self, count: int) -> bytes:
        """The next ``count`` bytes, fewer only at the end of the stream."""
        parts = []
        while count and (self._held or self._fill()):
            parts.append(self._held[:count])
            self._held = self._held[count:]
            count -= len(parts[-1])
        return b"".join(parts)

    def _fill(self) -> bool:
        """Decompress more bytes; False at the end of the stream."""
        while not self._zlib.eof:
            packed = self._zlib.unconsumed_tail or self._handle.read(_PACKED_BYTES)
            out = self._zlib.decompress(packed, _HELD_BYTES)
            if out:
                self._held = memoryview(out)
                return True
            if not packed and not self._zlib.eof:
                raise _Damage("the compressed file is cut short")
        if self._zlib.unused_data or self._handle.read(1):
            raise _Damage("the file continues after the end of its compressed stream")
        return False


def _value(feature: memoryview) -> bytes | list[int] | None:
    """Value of a ``Feature``; None for kinds that are left out."""
    value: bytes | list[int] | None = None
    for number, _, content in _fields(feature):
        if number == _BYTES_LIST and isinstance(content, memoryview):
            strings = list(_counted(content, _VALUE))
            value = bytes(strings[0]) if len(strings) == 1 else None
        elif number == _INT64_LIST and isinstance(content, memoryview):
            value = _int64s(content)
        else:
            value = None  # a feature has one kind: the last one counts
    return value


def _int64s(view: memoryview) -> list[int]:
    """Values of an ``Int64List``, packed or one by one."""
    found = []
    for number, _, content in _fields(view):
        if number != _VALUE:
            continue
        if isinstance(content, int):
            found.append(content)
        else:
            at = 0
            while at < len(content):
                value, at = _varint(content, at)
                found.append(value)
    return [value - (1 << 64) if value >> 63 else value for value in found]


def _counted(view: memoryview, wanted: int) -> Iterator[memoryview]:
    """Contents of the fields of one number that are strings or messages."""
    for number, _, content in _fields(view):
        if number == wanted:
            if not isinstance(content, memoryview):
                raise _Damage(f"field {number} is a number")
            yield content


def _fields(view: memoryview) -> Iterator[tuple[int, int, memoryview | int]]:
    """(number, wire type, content) of the fields of a message."""
    at = 0
    while at < len(view):
        tag, at = _varint(view, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _varint(view, at)
            yield number, kind, value
            continue
        if kind == _COUNTED:
            length, at = _varint(view, at)
        elif kind in _FIXED_BYTES:
            length = _FIXED_BYTES[kind]
        else:
            raise _Damage(f"wire type {kind} at byte {at}")
        if at + length > len(view):
            raise _Damage(f"field {number} continues after the end")
        yield number, kind, view[at : at + length]
        at += length


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    """A base-128 number, lowest digits first, and the position after it."""
    value = 0
    for byte_number in range(10):
        if at + byte_number >= len(view):
            raise _Damage("a number continues after the end")
        byte = view[at + byte_number]
        value |= (byte & 127) << (7 * byte_number)
        if byte < 128:
            return value & ((1 << 64) - 1), at + byte_number + 1
    raise _Damage("a number has more than ten bytes")
