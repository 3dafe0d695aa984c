"""What a caller may give as one DNA sequence, as ASCII codes."""

from typing import Any, SupportsBytes

import numpy as np

from genezip.errors import GenezipError

OneSequence = str | bytes | bytearray | memoryview | np.ndarray | SupportsBytes
"""One sequence: text, bytes, an array of letters or codes, or a Biopython Seq or SeqRecord."""

ACCEPTED = "str, bytes, bytearray, a Biopython Seq or SeqRecord, or a uint8 array of ASCII codes"


def ascii_codes(sequence: OneSequence, name: str = "sequence") -> np.ndarray:
    """ASCII codes of a sequence, letter by letter; nothing is left out and nothing is folded.

    Parameters
    ----------
    sequence : str, bytes, bytearray, memoryview of bytes, Biopython Seq, MutableSeq or SeqRecord,
        one-dimensional numpy array of ASCII codes (uint8) or of single letters (``S1``, ``U1``)
    name : what the sequence is called in the error message

    Returns
    -------
    uint8 array, shape (L,), which may share memory with ``sequence``

    Raises
    ------
    GenezipError
        For any other type, which is named, letters outside ASCII, and a Biopython Seq that has a
        length but no letters.
    """
    if isinstance(sequence, bytes | bytearray):
        return np.frombuffer(sequence, dtype=np.uint8)
    if isinstance(sequence, str):
        return _of_text(sequence, name)
    if isinstance(sequence, np.ndarray):
        return _of_array(sequence, name)
    if isinstance(sequence, memoryview) and sequence.format in ("B", "b", "c"):
        return np.frombuffer(bytes(sequence), dtype=np.uint8)
    return np.frombuffer(_of_biopython(sequence, name), dtype=np.uint8)


def _of_text(text: str, name: str) -> np.ndarray:
    try:
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    except UnicodeEncodeError as error:
        raise GenezipError(
            f"{name} has the letter {text[error.start]!r} at position {error.start}, "
            "which is no base; use A, C, G, T, N or IUPAC codes"
        ) from None


def _of_array(array: np.ndarray, name: str) -> np.ndarray:
    if array.ndim == 1:
        if array.dtype == np.uint8:
            return array
        if array.dtype == np.dtype("S1"):
            return np.ascontiguousarray(array).view(np.uint8)
        if array.dtype.kind == "U" and array.dtype.itemsize == np.dtype("U1").itemsize:
            return _of_text("".join(array.tolist()), name)
    raise GenezipError(
        f"{name} is a numpy array of {array.dtype} with shape {array.shape}; give a "
        "one-dimensional one of ASCII codes (uint8) or of single letters (S1)"
    )


def _of_biopython(sequence: Any, name: str) -> bytes:
    from Bio.Seq import MutableSeq, Seq, UndefinedSequenceError
    from Bio.SeqRecord import SeqRecord

    found = sequence.seq if isinstance(sequence, SeqRecord) else sequence
    if not isinstance(found, Seq | MutableSeq):
        kind = type(found)
        called = kind.__qualname__
        if kind.__module__ != "builtins":
            called = f"{kind.__module__}.{called}"
        raise GenezipError(f"{name} is of the type {called}; give {ACCEPTED}")
    try:
        return bytes(found)
    except UndefinedSequenceError:
        raise GenezipError(
            f"{name} is a Biopython Seq of {len(found)} letters that are not all defined; give one "
            "with its letters"
        ) from None
