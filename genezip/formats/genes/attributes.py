"""The ninth column of GTF and GFF3: values by key.

A quoted value may contain anything: ``;``, ``=``, spaces, names of keys. A key counts only at the
beginning of an attribute, the first of several counts, and an empty value counts as absent.
:func:`pairs` is the reference: it parses one attribute list letter by letter. :class:`Attributes`
gives the same values for whole columns with regular expressions: a short one for rows whose
quotes cannot mislead it, a longer one for the others.
"""

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Dialect = Literal["gtf", "gff3"]

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_BARE = r"^\s*(?P<value>[^\s;=\"]+)\s*;?\s*$"
# Rows for which the short expressions are exact.
_PLAIN = {"gtf": r'^[^"\\]*(?:"[^";\\]*"[^"\\]*)*$', "gff3": r'^[^"]*$'}
# One attribute of the other rows, without the semicolon that ends it.
_ITEM = {
    "gtf": rf'(?:[^";]|{_QUOTED})*',
    "gff3": rf'[^;="]*(?:=[ \t]*(?:{_QUOTED}[^;]*|[^;"\s][^;]*)?)?',
}
_ASSIGN = {"gtf": r"[ \t]+", "gff3": r"[ \t]*=[ \t]*"}
_SIMPLE = {
    "gtf": r'"?[ \t]*(?P<value>(?:[^";]*[^";\s])?)',
    "gff3": r"(?P<value>(?:[^;]*[^;\s])?)",
}
_UNQUOTED = {"gtf": r'[^";]*', "gff3": r'[^";][^;]*|'}
# Beginning of most GTF rows; Ensembl writes gene_version in between.
_ID = r'[^";\\\s]+'
_BOTH_IDS = (
    rf'^gene_id "(?P<gene_id>{_ID})"; (?:gene_[a-z]+ "[^";\\]*"; )*'
    rf'transcript_id "(?P<transcript_id>{_ID})"(?:;|$)'
)


class Attributes:
    """Attribute lists of many rows: column 9, one string per row.

    GTF writes ``key "value";``, GFF3 ``key=value;``.
    """

    def __init__(self, column: pa.ChunkedArray, dialect: Dialect) -> None:
        self.column = column
        self.dialect: Dialect = dialect

    @cached_property
    def _odd(self) -> np.ndarray:
        """True for rows for which the short expressions may be wrong."""
        odd = ~_bools(pc.match_substring_regex(self.column, _PLAIN[self.dialect]))
        if odd.any():
            item = _ITEM[self.dialect]
            rows = self.column.filter(pa.array(odd))
            # unpaired quotes are ordinary letters
            odd[odd] = _bools(pc.match_substring_regex(rows, rf"^(?:{item};)*{item}$"))
        return odd

    @cached_property
    def _odd_rows(self) -> pa.ChunkedArray:
        return self.column.filter(pa.array(self._odd))

    def where(self, rows: np.ndarray) -> "Attributes":
        """The lists of the rows selected by a bool array, shape (rows,)."""
        return Attributes(self.column.filter(pa.array(rows)), self.dialect)

    def may_have(self, *keys: str) -> np.ndarray:
        """False for rows that certainly have none of the keys (fast filter; shape (rows,))."""
        found = np.zeros(len(self.column), dtype=bool)
        for key in keys:  # searching single words is many times faster than alternatives
            found |= _bools(pc.match_substring_regex(self.column, rf"{key}[ \t=]"))
        if found.any():
            rows = self.column.filter(pa.array(found))
            key = rf"(?:^|;)\s*(?:{'|'.join(keys)})[ \t=]"
            found[found] = _bools(pc.match_substring_regex(rows, key))
        return found

    def ids(self) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
        """gene_id and transcript_id of every row of a GTF, as :meth:`first` gives them.

        Nearly all rows begin with the two, which one expression at the row's start reads safely.
        """
        both = pc.extract_regex(self.column, _BOTH_IDS)
        gene, transcript = (pc.struct_field(both, key) for key in ("gene_id", "transcript_id"))
        lacking = _bools(both.is_null())
        if lacking.any():
            others = self.where(lacking)
            gene = _replaced(gene, lacking, others.first("gene_id"))
            transcript = _replaced(transcript, lacking, others.first("transcript_id"))
        return gene, transcript

    def first(self, key: str) -> pa.ChunkedArray:
        """Value of a key in every row, without quotes; empty if a row has none."""
        assign = _ASSIGN[self.dialect]
        found = _extract(self.column, rf"(?:^|;)\s*{key}{assign}{_SIMPLE[self.dialect]}")
        if not self._odd.any():
            return found
        start = rf"^(?:{_ITEM[self.dialect]};)*?\s*{key}{assign}"
        again = _extract(self._odd_rows, rf"{start}(?P<value>{_QUOTED}|{_UNQUOTED[self.dialect]})")
        values = [_value(text.strip(), self.dialect) for text in again.to_pylist()]
        return _replaced(found, self._odd, pa.chunked_array([values], pa.string()))

    def bare(self) -> pa.ChunkedArray:
        """The whole attribute column of rows in which it is one word; empty for other rows."""
        found = _extract(self.column, _BARE)
        return pc.if_else(pc.equal(found, "."), "", found)

    def any_of(self, key: str, wanted: Iterable[str]) -> np.ndarray:
        """True for rows in which a key has a wanted value (bool array, shape (rows,)).

        The key may be repeated, or have a list of values with commas.
        """
        names = "|".join(re.escape(name) for name in wanted)
        inside = rf'(?:[^";]*,)?[ \t]*(?:{names})[ \t]*(?:,[^";]*)?'
        one = rf'"?{inside}"?[ \t]*(?:;|$)'
        assign = _ASSIGN[self.dialect]
        found = pc.match_substring_regex(self.column, rf"(?:^|;)\s*{key}{assign}{one}")
        hits = _bools(found)
        if self._odd.any():
            start = rf"^(?:{_ITEM[self.dialect]};)*?\s*{key}{assign}"
            quoted = inside.replace(";", "")
            strict = rf'(?:"{quoted}"|{inside}[ \t]*(?:;|$))'
            hits[self._odd] = _bools(pc.match_substring_regex(self._odd_rows, rf"{start}{strict}"))
        return hits


def pairs(text: str, dialect: Dialect) -> list[tuple[str, str]]:
    """All (key, value) of one attribute list in order, parsed letter by letter.

    Values are without quotes and outer spaces, and may be empty.
    """
    found = []
    for item in _split(text, dialect):
        if dialect == "gtf":
            key, _, value = item.strip().partition(" ")
        else:
            key, _, value = item.partition("=")
        if key.strip():
            found.append((key.strip(), _value(value.strip(), dialect)))
    return found


def _value(text: str, dialect: Dialect) -> str:
    quoted = re.match(_QUOTED, text)
    if quoted:
        return re.sub(r"\\(.)", r"\1", quoted[0][1:-1]).strip()
    return text.removeprefix('"').partition('"')[0].strip() if dialect == "gtf" else text


def _split(text: str, dialect: Dialect) -> list[str]:
    """Attributes between the semicolons that are not inside quotes."""
    items, begin, position = [], 0, 0
    while position < len(text):
        # GFF3 allows quotes only around a whole value
        opens = text[position] == '"' and (
            dialect == "gtf" or text[begin:position].rstrip(" \t").endswith("=")
        )
        if opens:
            quoted = re.match(_QUOTED, text[position:])
            if quoted is None:  # unpaired quotes are ordinary letters
                return text.split(";")
            position += len(quoted[0])
        elif text[position] == ";":
            items.append(text[begin:position])
            begin = position = position + 1
        else:
            position += 1
    return [*items, text[begin:]]


def _bools(column: pa.ChunkedArray) -> np.ndarray:
    """A writable bool array."""
    return np.array(column, dtype=bool)


def _replaced(
    values: pa.ChunkedArray, where: np.ndarray, others: pa.ChunkedArray
) -> pa.ChunkedArray:
    """The values, with those of some rows replaced."""
    mixed = pc.replace_with_mask(values.combine_chunks(), pa.array(where), others.combine_chunks())
    return pa.chunked_array([mixed])


def _extract(column: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    """First match of a pattern with one group named ``value``; empty if there is none."""
    found = pc.struct_field(pc.extract_regex(column, pattern), "value")
    return pc.fill_null(found, "")
