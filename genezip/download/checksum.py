"""Checksums as ``md5:...``, ``sha1:...`` or ``sha256:...``, and checks of file content."""

import gzip
import hashlib
import re
import zlib
from collections.abc import Callable
from pathlib import Path

Check = Callable[[Path], str | None]
"""Returns what is wrong with a complete file, or None."""

_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64}
_BLOCK = 1 << 20
_BEGINNING = 4096  # bytes looked at
_HTML = re.compile(
    rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)


def is_checksum(text: str) -> bool:
    """Whether a text is a kind, a colon and the lower-case hex digits of that kind."""
    kind, _, digits = text.partition(":")
    return len(digits) == _DIGITS.get(kind, -1) and bool(re.fullmatch("[0-9a-f]+", digits))


def checksum_of(path: Path, kind: str) -> str:
    """The checksum of a file as ``kind:hex``; ``kind`` is md5, sha1 or sha256."""
    digest = hashlib.new(kind, usedforsecurity=False)
    with open(path, "rb") as handle:
        while block := handle.read(_BLOCK):
            digest.update(block)
    return f"{kind}:{digest.hexdigest()}"


def mismatch(path: Path, checksum: str | None, n_bytes: int | None) -> str | None:
    """How a file differs from its size and checksum (None where unknown), or None."""
    size = path.stat().st_size
    if n_bytes is not None and size != n_bytes:
        return f"has {size} bytes instead of {n_bytes}"
    if checksum is not None:
        found = checksum_of(path, checksum.partition(":")[0])
        if found != checksum:
            return f"has a wrong checksum ({found} instead of {checksum})"
    return None


def broken_gzip(path: Path) -> str | None:
    """What is wrong with a gzip file, which is read to its checksum at the end, or None."""
    try:
        with gzip.open(path) as handle:
            while handle.read(_BLOCK):
                pass
    except (OSError, EOFError, zlib.error) as error:
        return f"is a truncated or damaged gzip file ({error})"
    return None


def html_page(path: Path) -> str | None:
    """What is wrong with a file that begins as HTML, or None.

    Networks that require a login answer every address with an HTML page.
    """
    with open(path, "rb") as handle:
        page = _HTML.match(handle.read(_BEGINNING))
    return "is an HTML page instead of the file" if page else None
