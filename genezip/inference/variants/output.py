"""The results of an allele, and the lines of VCF and TSV that have them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from genezip.artifacts.destination import Destination
from genezip.artifacts.files import atomic_path
from genezip.formats.tabix import BgzipWriter
from genezip.inference.variants.neutral import INSERTION, Curve
from genezip.inference.variants.vcf import MISSING, Record, VcfFile
from genezip.models.base import Compressor

_PREFIX, _TAG = "genezip_", "GZ_"  # of header lines and of INFO fields


@dataclass(frozen=True)
class Column:
    """A result of an alternative allele: a column of the TSV, and an INFO field of the VCF.

    The field has a value per ALT, and the name of the column in capitals behind ``GZ_``.
    """

    name: str
    kind: str  # Float, Integer or String, as VCF calls them
    text: str

    @property
    def tag(self) -> str:
        """Name of the INFO field."""
        return _TAG + self.name.upper()


FLOAT, INTEGER, STRING = "Float", "Integer", "String"
COLUMNS = (
    Column("score", FLOAT, "log_ratio without the bias of the length; below 0: the variant makes "
           "the DNA less likely"),
    Column("log_ratio", FLOAT, "Log-likelihood of the haplotype with ALT minus that with REF, "
           "nats, mean of the strands"),
    Column("forward", FLOAT, "The same, read forward"),
    Column("reverse", FLOAT, "The same, read on the reverse complement"),
    Column("length_bias", FLOAT, "Mean log_ratio of random indels of this change of length; 0 "
           "where the length stays"),
    Column("moved_boundaries", INTEGER, "Chunk boundaries behind the variant that only REF or "
           "only ALT has, read forward"),
    Column("reach_bp", INTEGER, "Bases from the variant to the farthest of them; 0 without one"),
    Column("context_bp", INTEGER, "Bases but N before the variant that were read"),
    Column("flank_bp", INTEGER, "Bases but N behind the variant that were read"),
    Column("reverse_context_bp", INTEGER, "Bases behind it that were read before it on the "
           "reverse complement"),
    Column("reverse_flank_bp", INTEGER, "Bases before it that were read behind it on the reverse "
           "complement"),
    Column("reason", STRING, "Why there is no score"),
)  # fmt: skip
CELLS = ("chrom", "pos", "id", "ref", "alt")
"""Columns of the TSV before these, as in the VCF."""


Numbers = tuple[list[float], str]
"""Numbers of an ALT in the order of COLUMNS, NaN where there is none, and its reason."""


@contextmanager
def line_writer(target: Destination) -> Iterator[Callable[[list[str]], None]]:
    """Yield a function that writes lines."""
    with atomic_path(target.name) as temporary:
        if target.name.suffix not in (".gz", ".bgz") or target.is_stream:
            with open(temporary, "w", encoding="utf-8", newline="\n") as text:
                yield lambda lines: text.writelines(f"{line}\n" for line in lines)
            return
        packed = BgzipWriter(temporary)
        try:
            yield lambda lines: packed.write("".join(f"{line}\n" for line in lines).encode())
            packed.close()
        except BaseException:
            packed.abandon()
            raise


def head_lines(file: VcfFile, told: Sequence[str], tabular: bool) -> list[str]:
    """The line of columns of the TSV, or the header of the VCF with its new fields."""
    if tabular:
        return ["\t".join([*CELLS, *(one.name for one in COLUMNS)])]
    fields = [
        f'##INFO=<ID={one.tag},Number=A,Type={one.kind},Description="{one.text}">'
        for one in COLUMNS
    ]
    return file.new_header([one.tag for one in COLUMNS], [*fields, *told], _PREFIX)


def _texts(numbers: Sequence[float], reason: str, missing: str) -> list[str]:
    """Results of an ALT in the order of COLUMNS as text."""
    texts = []
    for column, value in zip(COLUMNS[:-1], numbers, strict=True):
        if np.isnan(value):
            texts.append(missing)
        elif column.kind == INTEGER:
            texts.append(str(int(value)))
        else:
            texts.append(f"{round(value, 4) + 0.0:.4f}")  # no minus before 0
    return [*texts, reason or missing]


def vcf_row(record: Record, found: Sequence[Numbers]) -> str:
    """The row of a record with the results of its ALTs; a field that all of them lack is left out.

    Fields of an earlier run are removed.
    """
    texts = [_texts(numbers, reason, MISSING) for numbers, reason in found]
    values = zip(COLUMNS, zip(*texts, strict=True), strict=True)
    fields = {column.tag: ",".join(own) for column, own in values if set(own) != {MISSING}}
    return record.line(fields, [column.tag for column in COLUMNS])


def tsv_rows(record: Record, found: Sequence[Numbers]) -> list[str]:
    """A row of the TSV per ALT."""
    cells = [*record.columns[:4]]
    return [
        "\t".join([*cells, alt, *_texts(numbers, reason, "")])
        for alt, (numbers, reason) in zip(record.alts, found, strict=True)
    ]


def run_lines(run: dict[str, Any], compressor: Compressor, curves: dict[int, Curve]) -> list[str]:
    """Header lines that tell how the scores were made, with the biases of the length."""
    model = compressor.metadata
    facts = {
        "Version": run["genezip"],
        "Model": f'"{compressor.name}"',
        "Weights": model.get("weights_sha256") or MISSING,
        "Bound": model.get("bound") or MISSING,
        "Fasta": run["fasta_sha256"],
        "Context": run["context_bp"],
        "Flank": run["flank_bp"],
        "Strands": run["strands"],
        "NeutralPlaces": run["neutral_places"],
        "Seed": run["seed"],
    }
    inside = ",".join(f"{name}={value}" for name, value in facts.items())
    lines = [f"##{_PREFIX}score=<{inside}>"]
    for direction, curve in curves.items():
        name = "insertion" if direction == INSERTION else "deletion"
        rows = zip(curve.length, curve.mean, curve.error, curve.count, strict=True)
        for length, mean, error, count in rows:
            lines.append(
                f"##{_PREFIX}length_bias=<Type={name},Length={length:.0f},Bias={mean:.4f},"
                f"StandardError={error:.4f},Indels={count}>"
            )
    return lines
