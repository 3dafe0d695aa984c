"""BED12 with genes, one row per transcript (UCSC table browser, RefSeq)."""

import logging

import numpy as np
import pandas as pd
import pyarrow as pa

from genezip.errors import GenezipError
from genezip.formats.genes.rows import PART_COLUMNS, Rows, Transcripts, lacks_tag, unique_names
from genezip.formats.lines import Input, TextFile, opened
from genezip.formats.tabular import TabularFormat, wrong_interval

logger = logging.getLogger(__name__)

_NAME = pa.dictionary(pa.int32(), pa.string())
_TYPES = {
    "chrom": _NAME,
    "start": pa.int64(),
    "end": pa.int64(),
    "name": pa.string(),
    "score": None,
    "strand": _NAME,
    "thick_start": pa.int64(),
    "thick_end": pa.int64(),
    "rgb": None,
    "n_blocks": pa.int64(),
    "sizes": pa.string(),
    "offsets": pa.string(),
}


def read_bed12(given: Input, transcripts: Transcripts = "basic") -> Rows:
    """Rows of a BED12 file (plain or gzip).

    Blocks are exons, the thick part of the blocks is CDS. BED12 has no genes, so the name of the
    transcript is used for its gene; the type is ``protein_coding`` (with a thick part) or
    ``noncoding``. Every row is a transcript; repeats of a name (a transcript aligned to several
    loci) become ``_dup1``, ``_dup2``, ..., skipping names in use. BED12 has no tags: basic and all
    take every row, basic with a warning; canonical raises.
    """
    with opened(given) as file:
        return _read(file, transcripts)


def _read(path: TextFile, transcripts: Transcripts) -> Rows:
    if transcripts == "canonical":
        raise lacks_tag(str(path), transcripts)
    rows = _FORMAT.read(path).to_pandas()
    if rows.empty:
        raise GenezipError(f"{path} has no row; is it BED12?")
    try:
        sizes, offsets = _numbers(rows["sizes"]), _numbers(rows["offsets"])
    except ValueError:
        sizes = offsets = np.zeros(0, dtype=np.int64)
    n_blocks = rows["n_blocks"].to_numpy()
    ordered = (rows["end"] > rows["start"]).all() and rows["strand"].isin(["+", "-", "."]).all()
    ordered &= bool((rows["thick_start"] <= rows["thick_end"]).all())
    if not (ordered and (n_blocks > 0).all() and len(sizes) == len(offsets) == n_blocks.sum()):
        _explain(path)
    row = np.repeat(np.arange(len(rows)), n_blocks)
    start = rows["start"].to_numpy()[row] + offsets
    end = start + sizes
    last = np.cumsum(n_blocks) - 1
    if (
        (sizes <= 0).any()
        or ((row[1:] == row[:-1]) & (start[1:] < end[:-1])).any()
        or (start[last - n_blocks + 1] != rows["start"]).any()
        or (end[last] != rows["end"]).any()
    ):
        _explain(path)
    if transcripts == "basic":
        logger.warning(
            "%s: BED12 has no tags, so all %s transcripts are used", path.name, f"{len(rows):,}"
        )

    coding = rows["thick_end"] > rows["thick_start"]
    models = pd.DataFrame(
        {
            "chrom": rows["chrom"].astype(str),
            "start": rows["start"],
            "end": rows["end"],
            "strand": rows["strand"].astype(str),
            "transcript_id": unique_names(rows["name"].to_numpy(dtype=object)),
            "gene_id": rows["name"],
            "gene_name": rows["name"],
            "gene_type": np.where(coding, "protein_coding", "noncoding"),
            "part": 0,
        }
    )
    blocks = models[[*PART_COLUMNS, "gene_id", "part"]].iloc[row].reset_index(drop=True)
    exons = blocks.assign(start=start, end=end, kind="exon", number=-1)
    thick_start = np.maximum(start, rows["thick_start"].to_numpy()[row])
    thick_end = np.minimum(end, rows["thick_end"].to_numpy()[row])
    cds = exons.assign(start=thick_start, end=thick_end, kind="cds")[thick_end > thick_start]
    parts = pd.concat([exons, cds], ignore_index=True)
    return Rows(models, models.iloc[:0], parts)


def _numbers(lists: pd.Series) -> np.ndarray:
    """All numbers of comma-separated lists (a trailing comma is allowed), in row order."""
    text = ",".join(lists.str.rstrip(","))
    return np.array(text.split(","), dtype=np.int64)


def _explain(path: TextFile) -> None:
    _FORMAT.explain(path)
    raise GenezipError(f"{path} has blocks that do not fit their transcripts; is it BED12?")


def _wrong(fields: list[str]) -> str | None:
    if wrong := wrong_interval(fields[1], fields[2], first=0):
        return wrong
    if fields[5] not in ("+", "-", "."):
        return f"strand {fields[5]!r} is none of + - . (column 6)"
    try:
        int(fields[6]), int(fields[7])
        count = int(fields[9])
        sizes = [int(number) for number in fields[10].rstrip(",").split(",")]
        offsets = [int(number) for number in fields[11].rstrip(",").split(",")]
    except ValueError:
        return "columns 7, 8 and 10 to 12 must be whole numbers"
    if not count == len(sizes) == len(offsets):
        found = f"{len(sizes)} sizes and {len(offsets)} starts"
        return f"column 10 is {count}, but columns 11 and 12 have {found}"
    if int(fields[6]) > int(fields[7]):
        return f"its thick part ends at {fields[7]}, before it starts at {fields[6]}"
    end = 0
    for number, (offset, size) in enumerate(zip(offsets, sizes, strict=True), 1):
        if size <= 0:
            return f"block {number} of column 11 has the size {size}; a block has at least one base"
        if offset < end and number > 1:
            return (
                f"block {number} of column 12 starts at {offset}, before block {number - 1} ends "
                f"at {end}; sort the blocks and let none overlap"
            )
        end = offset + size
    if offsets[0] != 0 or end != int(fields[2]) - int(fields[1]):
        return "its blocks do not reach from its start to its end"
    return None


_FORMAT = TabularFormat(_TYPES, _wrong)
