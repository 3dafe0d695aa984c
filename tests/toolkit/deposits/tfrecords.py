"""ZLIB TFRecords written by hand: frames, checksums and the protocol buffer ``Example``."""

import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import google_crc32c


def varint(value: int) -> bytes:
    """A number in base 128, lowest digits first; negative ones as 64 bits."""
    value &= (1 << 64) - 1
    digits = []
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])


def field(number: int, content: bytes) -> bytes:
    """A field that carries its length."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def bytes_feature(value: bytes) -> bytes:
    """``Feature`` of one byte string."""
    return field(1, field(1, value))


def int64_feature(*values: int, packed: bool = True) -> bytes:
    """``Feature`` of numbers, packed or one by one."""
    if packed:
        return field(3, field(1, b"".join(map(varint, values))))
    return field(3, b"".join(varint(1 << 3) + varint(value) for value in values))


def example(features: Mapping[str, bytes]) -> bytes:
    """``Example`` of features, in the order given."""
    entries = [field(1, field(1, key.encode()) + field(2, f)) for key, f in features.items()]
    return field(1, b"".join(entries))


def masked(data: bytes) -> int:
    """The checksum of TFRecord."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17) & 0xFFFFFFFF) + 0xA282EAD8) % (1 << 32)


def frame(payload: bytes) -> bytes:
    """A record as it lies in the stream."""
    length = struct.pack("<Q", len(payload))
    tail = struct.pack("<I", masked(payload))
    return length + struct.pack("<I", masked(length)) + payload + tail


def write(path: Path, payloads: Iterable[bytes], level: int = 1) -> Path:
    """A file of records."""
    path.parent.mkdir(parents=True, exist_ok=True)
    packer = zlib.compressobj(level)
    with open(path, "wb") as handle:
        for payload in payloads:
            handle.write(packer.compress(frame(payload)))
        handle.write(packer.flush())
    return path


def write_stream(path: Path, stream: bytes) -> Path:
    """A file whose unpacked bytes are given: for damaged ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zlib.compress(stream, 1))
    return path
