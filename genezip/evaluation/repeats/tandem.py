"""Tandem repeats found by TRF on held-out DNA, beside the calls of the source's table.

Tandem Repeats Finder (Benson 1999, Nucleic Acids Res. 27, 573) is run with the parameters of UCSC's
table simpleRepeat. That table was made on whole chromosomes, so calls at the ends of the slice, or
longer than it, may differ.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly, Segment
from genezip.genome.intervals import covered_mask

PARAMETERS = ("2", "7", "7", "80", "10", "50", "2000")
"""Match, mismatch, indel, percent of match and of indels, least score, longest period."""
COLUMNS = (
    "segment",
    "start",  # the slice that was read, 0-based, half-open
    "end",
    "program",  # name and version
    "calls",  # found by the program
    "calls_table",  # of the source's table in the slice
    "bp",  # bases in any call, of each
    "bp_table",
    "bp_both",
    "shared",  # bases in calls of both over bases in calls of any
    "same_period",  # share of the table's calls that the program finds with the same period
)


def program() -> str:
    """Path of TRF; refused with the remedy where it is not installed."""
    found = shutil.which("trf")
    if found is None:
        raise GenezipError(
            "trf is not installed; install it (Debian: apt-get install trf; bioconda: trf)"
        )
    return found


def version(path: str) -> str:
    """Name and version that the program tells of itself."""
    done = subprocess.run([path, "-v"], capture_output=True, text=True)
    match = re.search(r"[Vv]ersion\s+([\w.]+)", done.stdout + done.stderr)
    return f"trf {match[1]}" if match else "trf"


def parse(lines: Iterable[str], offset: int = 0) -> pd.DataFrame:
    """Calls of the output of ``trf -ngs``: start, end, period (bp), copies; 0-based, half-open.

    Lines that begin with ``@`` name the sequence of the rows below; ``offset`` is added to the
    positions.
    """
    rows = []
    for line in lines:
        fields = line.split()
        if not fields or line.startswith("@"):
            continue
        if len(fields) < 15 or not (fields[0].isdecimal() and fields[1].isdecimal()):
            raise GenezipError(
                f"trf wrote a row that is no call: {line.strip()[:80]!r}; this program reads the "
                "rows of `trf -ngs` of version 4.09, so install that one"
            )
        start, end = int(fields[0]) - 1 + offset, int(fields[1]) + offset
        rows.append((start, end, int(fields[2]), float(fields[3])))
    return pd.DataFrame(rows, columns=["start", "end", "period", "copies"])


def run(sequence: str, offset: int = 0) -> pd.DataFrame:
    """Calls of TRF on one sequence, as of :func:`parse`."""
    with tempfile.TemporaryDirectory() as folder:
        fasta = Path(folder) / "slice.fa"
        fasta.write_text(f">slice\n{sequence}\n")
        command = [program(), fasta.name, *PARAMETERS, "-h", "-ngs"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    # its exit status is no sign: version 4.09.1 ends with 253 after success
    if "Error" in done.stderr:
        raise GenezipError(
            f"trf failed: {done.stderr.strip()}; run it on a FASTA by hand to see why, or leave "
            "results/repeats/tandem.tsv out"
        )
    return parse(done.stdout.splitlines(), offset)


def chosen_slice(segments: Sequence[Segment], most_bp: int) -> tuple[Segment, int, int]:
    """The first ``most_bp`` bases of the longest segment with TRF calls."""
    known = [segment for segment in segments if segment.trf]
    if not known:
        raise GenezipError(
            "no held-out segment has TRF calls, so there is nothing to compare with; name a table "
            "of tandem repeats (genome.trf)"
        )
    longest = max(known, key=lambda segment: segment.length)
    return longest, longest.start, min(longest.start + most_bp, longest.end)


def compare(
    assembly: Assembly, table: pd.DataFrame | None, most_bp: int, split: str = "test"
) -> pd.DataFrame:
    """One row with :data:`COLUMNS`: the program and the table on one held-out slice."""
    if table is None:
        raise GenezipError(
            "the source has no table of tandem repeats to compare with; name one (genome.trf)"
        )
    segment, start, end = chosen_slice(assembly.segments_of(split), most_bp)
    sequence = assembly.sequence(segment, start, end).tobytes().decode("ascii").upper()
    found = run(sequence, start)
    inside = (table["end"] > start) & (table["start"] < end) & (table["chrom"] == segment.chrom)
    given = table[inside]
    ours, theirs = (
        covered_mask(calls["start"].to_numpy(np.int64), calls["end"].to_numpy(np.int64), start, end)
        for calls in (found, given)
    )
    either = int((ours | theirs).sum())
    keys = set(zip(found["start"], found["end"], found["period"], strict=True))
    same = [key in keys for key in zip(given["start"], given["end"], given["period"], strict=True)]
    row = {
        "segment": segment.name, "start": start, "end": end, "program": version(program()),
        "calls": len(found), "calls_table": len(given), "bp": int(ours.sum()),
        "bp_table": int(theirs.sum()), "bp_both": int((ours & theirs).sum()),
        "shared": float((ours & theirs).sum() / either) if either else np.nan,
        "same_period": float(np.mean(same)) if same else np.nan,
    }  # fmt: skip
    return pd.DataFrame([row], columns=list(COLUMNS))
