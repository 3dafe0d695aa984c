"""Convert bases, in any form that a caller may give, to letters and token ids and back.

There is one tokenizer: it ignores soft-masking, and N (with every other IUPAC ambiguity code) has
a single id in training and at inference. The id space is that of the published models (12 rows):
pad 0, A C G T = 3 4 5 6, and N = 7, the row that published pretraining used for N. A masked
language model also reads MASK = 8, which is no letter of a sequence.
"""

from typing import Any, SupportsBytes

import numpy as np

from genezip.errors import GenezipError

OneSequence = str | bytes | bytearray | memoryview | np.ndarray | SupportsBytes
"""One sequence: text, bytes, an array of letters or codes, or a Biopython Seq or SeqRecord."""

ACCEPTED = "str, bytes, bytearray, a Biopython Seq or SeqRecord, or a uint8 array of ASCII codes"

VOCAB_SIZE = 12
PAD_ID = 0
A_ID, C_ID, G_ID, T_ID, N_ID = 3, 4, 5, 6, 7
MASK_ID = 8

BASES = b"ACGT"

# A vocabulary without unused rows, that of LDARNet: rows of the embedding in the order of these
# ids. ROWS_OF_IDS has the row of every id; ids that no sequence has are padding.
SMALL_VOCABULARY = (A_ID, C_ID, G_ID, T_ID, N_ID, MASK_ID, PAD_ID)
ROWS_OF_IDS = tuple(
    SMALL_VOCABULARY.index(i if i in SMALL_VOCABULARY else PAD_ID) for i in range(VOCAB_SIZE)
)
_IUPAC = b"RYSWKMBDHVN"

_IDS = np.zeros(256, dtype=np.uint8)  # 0 marks a letter that is not a base
for _position, _base in enumerate(BASES):
    _IDS[_base] = _IDS[_base + 32] = A_ID + _position
for _base in _IUPAC:
    _IDS[_base] = _IDS[_base + 32] = N_ID
_IDS[ord("U")] = _IDS[ord("u")] = T_ID

_ASCII = np.full(256, ord("N"), dtype=np.uint8)
_ASCII[A_ID : T_ID + 1] = np.frombuffer(BASES, dtype=np.uint8)

# ASCII letter -> upper-case ACGTN; 0 marks a letter that is not a base
_UPPER = np.where(_IDS == 0, 0, _ASCII[_IDS]).astype(np.uint8)

_COMPLEMENT = np.arange(256, dtype=np.uint8)
_COMPLEMENT[[A_ID, C_ID, G_ID, T_ID]] = [T_ID, G_ID, C_ID, A_ID]


def encode(sequence: OneSequence, name: str = "sequence") -> np.ndarray:
    """Token ids of a DNA sequence.

    Parameters
    ----------
    sequence : str, bytes, bytearray, Biopython Seq or SeqRecord, or uint8 array of ASCII codes
        Length L (:func:`ascii_codes`). Any case; U of RNA is T; IUPAC ambiguity codes
        become N. Line breaks, spaces and gaps raise instead of being dropped, so that positions
        are those of the input. An array of token ids (3 to 7, which are not ASCII letters) is
        returned unchanged.
    name : name of the sequence in error messages

    Returns
    -------
    uint8 array, shape (L,)
    """
    if isinstance(sequence, np.ndarray) and _are_ids(sequence):
        return sequence
    return _translated(ascii_codes(sequence, name), _IDS, name).copy()  # a copy is writable


def _are_ids(array: np.ndarray) -> bool:
    if array.dtype != np.uint8 or array.ndim != 1 or not len(array):
        return False
    return bool(array.min() >= A_ID and array.max() <= N_ID)


def upper(codes: np.ndarray, name: str = "sequence") -> np.ndarray:
    """Upper-case letters A, C, G, T, N of ASCII codes; the same errors as :func:`encode`.

    Parameters
    ----------
    codes : uint8 array of ASCII codes, shape (L,)

    Returns
    -------
    uint8 array of ASCII codes, shape (L,), read-only
    """
    return _translated(codes, _UPPER, name)


def _translated(codes: np.ndarray, table: np.ndarray, name: str) -> np.ndarray:
    """Translate codes by a table of 256 bytes, in which 0 marks an invalid letter.

    ``bytes.translate`` is more than twice as fast as numpy indexing.
    """
    found = codes.tobytes().translate(table.tobytes())
    wrong = found.find(b"\0")
    if wrong >= 0:
        letter = chr(int(codes[wrong]))
        blank = "remove line breaks and spaces, and "
        raise GenezipError(
            f"{name} has the letter {letter!r} at position {wrong}, which is not a base; "
            f"{blank if letter.isspace() else ''}use A, C, G, T, N or IUPAC codes"
        )
    return np.frombuffer(found, dtype=np.uint8)


def decode(ids: np.ndarray) -> bytes:
    """Upper-case ASCII (ACGTN) of token ids; ids other than bases become N."""
    return bytes(_ASCII[np.asarray(ids, dtype=np.uint8)].tobytes())


def is_base(ids: np.ndarray) -> np.ndarray:
    """True where an id is one of A, C, G, T (bool array of the same shape)."""
    return (ids >= A_ID) & (ids <= T_ID)


def reverse_complement(ids: np.ndarray) -> np.ndarray:
    """Reverse complement along the last axis (uint8 ids; N and padding stay)."""
    return _COMPLEMENT[ids[..., ::-1]]


def ascii_codes(sequence: OneSequence, name: str = "sequence") -> np.ndarray:
    """ASCII codes of a sequence, one per letter and unchanged.

    Parameters
    ----------
    sequence : str, bytes, bytearray, memoryview of bytes, Biopython Seq, MutableSeq or SeqRecord,
        one-dimensional numpy array of ASCII codes (uint8) or of single letters (``S1``, ``U1``)
    name : name of the sequence in error messages

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
            "which is not a base; use A, C, G, T, N or IUPAC codes"
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
