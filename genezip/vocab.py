"""Bases as bytes and as token ids.

One tokenizer for every use: soft-masking is folded away, and N (with every other IUPAC
ambiguity code) has a single id in training and at inference. The id space is that of the
published models (12 rows): pad 0, A C G T = 3 4 5 6, and N = 7, the row that published
pretraining showed for N.
"""

import numpy as np

from genezip.errors import GenezipError

VOCAB_SIZE = 12
PAD_ID = 0
A_ID, C_ID, G_ID, T_ID, N_ID = 3, 4, 5, 6, 7

BASES = b"ACGT"
_IUPAC = b"RYSWKMBDHVN"

_IDS = np.zeros(256, dtype=np.uint8)  # 0 marks a letter that is no base
for _position, _base in enumerate(BASES):
    _IDS[_base] = _IDS[_base + 32] = A_ID + _position
for _base in _IUPAC:
    _IDS[_base] = _IDS[_base + 32] = N_ID
_IDS[ord("U")] = _IDS[ord("u")] = T_ID

_ASCII = np.full(256, ord("N"), dtype=np.uint8)
_ASCII[A_ID : T_ID + 1] = np.frombuffer(BASES, dtype=np.uint8)

# ASCII letter -> upper-case ACGTN; 0 marks a letter that is no base
_UPPER = np.where(_IDS == 0, 0, _ASCII[_IDS]).astype(np.uint8)

_COMPLEMENT = np.arange(256, dtype=np.uint8)
_COMPLEMENT[[A_ID, C_ID, G_ID, T_ID]] = [T_ID, G_ID, C_ID, A_ID]


def encode(sequence: str | bytes | np.ndarray, name: str = "sequence") -> np.ndarray:
    """Token ids of a DNA sequence.

    Parameters
    ----------
    sequence : str, bytes, or uint8 array of ASCII codes, length L
        Any case; IUPAC ambiguity codes become N.
    name : str
        What the sequence is called in the error message.

    Returns
    -------
    uint8 array, shape (L,)

    Raises
    ------
    GenezipError
        At the first letter that is no base, with its 0-based position.
    """
    if isinstance(sequence, str):
        try:
            sequence = sequence.encode("ascii")
        except UnicodeEncodeError as error:
            raise GenezipError(
                f"{name} has the letter {sequence[error.start]!r} at position {error.start}, "
                "which is no base; use A, C, G, T, N or IUPAC codes"
            ) from None
    codes = np.frombuffer(sequence, dtype=np.uint8) if isinstance(sequence, bytes) else sequence
    return _translated(codes, _IDS, name).copy()  # bytes cannot be written to


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
    """Each code looked up in a table of 256 bytes; a 0 there is an error.

    ``bytes.translate`` is more than twice as fast as an index of numpy.
    """
    found = codes.tobytes().translate(table.tobytes())
    wrong = found.find(b"\0")
    if wrong >= 0:
        raise GenezipError(
            f"{name} has the letter {chr(int(codes[wrong]))!r} at position {wrong}, which is no "
            "base; use A, C, G, T, N or IUPAC codes"
        )
    return np.frombuffer(found, dtype=np.uint8)


def decode(ids: np.ndarray) -> bytes:
    """Upper-case ASCII (ACGTN) of token ids; ids that are no base read N."""
    return bytes(_ASCII[np.asarray(ids, dtype=np.uint8)].tobytes())


def is_base(ids: np.ndarray) -> np.ndarray:
    """True where an id is one of A, C, G, T (bool array of the same shape)."""
    return (ids >= A_ID) & (ids <= T_ID)


def reverse_complement(ids: np.ndarray) -> np.ndarray:
    """Reverse complement along the last axis (uint8 ids; N and padding stay)."""
    return _COMPLEMENT[ids[..., ::-1]]
