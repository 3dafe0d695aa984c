"""VCF as text: records in order, and the same lines with more fields.

All else in a line is copied as it is, so unknown tags, samples and headers that other programs
would refuse are kept. Columns and their order are those of the VCF specification, 4.5.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from genezip.errors import GenezipError
from genezip.formats.lines import TextFile

COLUMNS = ("CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
MISSING = "."
_LEAST = 5  # columns up to ALT
_TAG = re.compile(r"##INFO=<ID=(\w+)[,>]")
_LETTERS = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Record:
    """One row.

    ``number`` is its line, from 1; ``columns`` are its cells up to INFO, and the rest of the line
    as one.
    """

    number: int
    columns: tuple[str, ...]
    pos: int  # 1-based

    @property
    def chrom(self) -> str:
        """Contig, as in the file."""
        return self.columns[0]

    @property
    def ref(self) -> str:
        """Bases of the reference."""
        return self.columns[3]

    @property
    def alts(self) -> list[str]:
        """Alternative alleles in order; ``.`` alone stands for none."""
        return self.columns[4].split(",")

    @property
    def info(self) -> dict[str, str]:
        """INFO fields; a flag has an empty value."""
        if len(self.columns) < len(COLUMNS):
            return {}
        fields = (field.partition("=") for field in self.columns[7].split(";"))
        return {name: value for name, _, value in fields if name != MISSING}

    def line(self, fields: Mapping[str, str], tags: Collection[str]) -> str:
        """The row with INFO fields added, in place of those that it has of the names ``tags``."""
        cells = [*self.columns, *[MISSING] * (len(COLUMNS) - len(self.columns))]
        old = [one for one in cells[7].split(";") if one.partition("=")[0] not in {*tags, MISSING}]
        new = [f"{name}={value}" for name, value in fields.items()]
        cells[7] = ";".join([*old, *new]) or MISSING
        return "\t".join(cells)


class VcfFile(TextFile):
    """A VCF, plain, gzip or bgzip; a file or a pipe, which is kept until the end.

    ``header`` has the lines before the first record that begin with ``#``.
    """

    def __init__(self, path: str | Path, folder: Path | None = None) -> None:
        super().__init__(path, "name an existing VCF", folder)
        try:
            self._refuse_others()
            self.header = self._header()
        except BaseException:
            self.close()
            raise

    def _refuse_others(self) -> None:
        with self.unpacked() as handle:
            head = handle.peek(4)
        if head.startswith(b"BCF"):
            raise GenezipError(f"{self} is BCF; write VCF with bcftools view -O z and give that")
        self.check_end()

    def _header(self) -> list[str]:
        found = []
        for _, line in self.lines():
            if not line.startswith("#"):
                break
            found.append(line)
        if not found or not found[0].startswith(("##fileformat=VCF", "#CHROM\t")):
            raise GenezipError(
                f"{self} is not a VCF: its first line is not ##fileformat=VCFv4.x; give a VCF, "
                "plain, gzip or bgzip"
            )
        return found

    def records(self) -> Iterator[Record]:
        """The rows in the order of the file."""
        for number, line in self.lines():
            if line.startswith("#") or not line.strip():
                continue
            cells = line.split("\t", len(COLUMNS))
            if len(cells) < _LEAST:
                raise self._wrong(
                    number, f"has {len(cells)} columns with tabs between them, not at least 8"
                )
            if not cells[1].isascii() or not cells[1].isdigit():
                raise self._wrong(number, f"has the position {cells[1]!r}, which is no number")
            if not _LETTERS.fullmatch(cells[3]):
                raise self._wrong(number, f"has REF {cells[3]!r}, which is no bases")
            yield Record(number, tuple(cells), int(cells[1]))

    def _wrong(self, number: int, what: str) -> GenezipError:
        return GenezipError(f"line {number} of {self} {what}; correct the VCF")

    def new_header(self, tags: Sequence[str], added: Sequence[str], source: str) -> list[str]:
        """Header lines with others added before the line of columns.

        Earlier lines of the INFO fields ``tags``, and those whose name begins with ``source``, are
        left out.
        """
        kept = []
        for line in self.header:
            tag = _TAG.match(line)
            if not (tag and tag[1] in tags) and not line.startswith(f"##{source}"):
                kept.append(line)
        columns = kept.pop() if kept[-1].startswith("#CHROM") else "#" + "\t".join(COLUMNS)
        cells = columns.split("\t")
        cells += COLUMNS[len(cells) :]
        return [*kept, *added, "\t".join(cells)]
