"""``genezip score``: a VCF to zero-shot scores, by exact likelihoods.

The whole VCF is checked against the FASTA first. Then each distinct allele is read, neighbours
together, and finished parts are kept in a folder beside the output until all exist, so an
interrupted run resumes where it stopped. At last the VCF is read again and written with the scores,
so memory holds the alleles and their numbers, not the file.
"""

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import numpy as np
import pandas as pd
import torch

from genezip import log
from genezip.artifacts.destination import Destination, destination
from genezip.artifacts.files import sha256_file
from genezip.artifacts.journal import StopRequest, stop_now, stop_request
from genezip.artifacts.provenance import versions
from genezip.artifacts.states import StateFolder
from genezip.errors import GenezipError
from genezip.formats.fasta import unpack_fasta
from genezip.formats.input_file import InputFile, is_bgzip, is_packed, need_regular
from genezip.genome.assembly import ReferenceGenome
from genezip.inference.fasta import opened_compressor
from genezip.inference.variants.alleles import NO_NEUTRAL, Allele, Reference
from genezip.inference.variants.haplotypes import (
    CONTEXT_BP,
    FLANK_BP,
    VALUES,
    Strands,
    Windows,
    read_alleles,
    require_exact,
)
from genezip.inference.variants.neutral import (
    INSERTION,
    LEAST,
    PLACES,
    Curve,
    NeutralIndel,
    bias_of,
    draw_indels,
    fit_bias,
    lengths_for,
)
from genezip.inference.variants.output import (
    CELLS,
    COLUMNS,
    FLOAT,
    INTEGER,
    Numbers,
    head_lines,
    line_writer,
    run_lines,
    tsv_rows,
    vcf_row,
)
from genezip.inference.variants.plan import Plan, make_plan
from genezip.inference.variants.vcf import Record, VcfFile
from genezip.models.base import Compressor

SUFFIXES = (".vcf", ".vcf.gz", ".vcf.bgz", ".tsv", ".tsv.gz")
TOGETHER = 64
"""Most alleles that are read between two chances to stop."""
PART_SECONDS = 60.0
_PARTS_VERSION = 1

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Summary:
    """Counts of a scored VCF; ``reasons`` has the ALTs without a score."""

    records: int
    alts: int
    reasons: dict[str, int]

    def sentence(self) -> str:
        """The summary as one line for the terminal."""
        without = sum(self.reasons.values())
        text = f"{self.records:,} records, {self.alts:,} ALTs: {self.alts - without:,} with a score"
        if without:
            counts = (f"{name} {count:,}" for name, count in sorted(self.reasons.items()))
            text += f", {without:,} without ({', '.join(counts)})"
        return text


@dataclass(frozen=True)
class _Results:
    """Numbers of the alleles of a plan: by column float64 (n,), NaN where there is none."""

    plan: Plan
    columns: dict[str, np.ndarray]

    def of(self, alt: int) -> Numbers:
        """Numbers of an ALT in the order of COLUMNS, and its reason."""
        index = int(self.plan.where[alt])
        if index < 0:
            return [np.nan] * (len(COLUMNS) - 1), self.plan.reason(alt)
        found = [float(self.columns[one.name][index]) for one in COLUMNS[:-1]]
        return found, NO_NEUTRAL if np.isnan(found[0]) else ""

    def summary(self) -> Summary:
        """Counts over all ALTs."""
        alts = range(len(self.plan.where))
        reasons = Counter(reason for _, reason in map(self.of, alts) if reason)
        return Summary(self.plan.records, len(alts), dict(reasons))


def score_variants(
    vcf: str | Path,
    fasta: str | Path,
    model: str | Path | Compressor,
    out: str | Path | None = None,
    *,
    bound: str | None = None,
    context_bp: int = CONTEXT_BP,
    flank_bp: int = FLANK_BP,
    strands: Strands = "both",
    neutral_places: int = PLACES,
    seed: int = 0,
    device: str = "auto",
) -> pd.DataFrame:
    """Score every alternative allele of a VCF by exact likelihoods, without any training.

    The log ratio is the log-likelihood of the DNA with the allele minus that of the reference
    (nats), over the altered bases and ``flank_bp`` following ones. The score is the same without
    the bias of the length, which is measured on random indels of the FASTA.

    Ctrl-C or SIGTERM keeps what is done and raises KeyboardInterrupt; the same call with ``out``
    resumes from there. A run is the same if VCF, FASTA, weights, bound and all other arguments but
    ``device`` are equal.

    Parameters
    ----------
    vcf : plain, gzip or bgzip VCF, sorted or not. A pipe, or ``-`` for standard input, is copied
        until the end
    fasta : the reference, plain, gzip or bgzip; an index is made beside it if it has none
    model : a model that :func:`genezip.models.load` opens and that has an exact likelihood, or a
        compressor, whose bound and device are used
    out : ``.vcf``, ``.vcf.gz``, ``.tsv`` or ``.tsv.gz`` to write; ``-`` is VCF on standard output
    bound : ``causal`` or ``none``; None for that of the model, or ``causal`` if it looks ahead
    context_bp : bases before an allele, at least, where the contig has them
    flank_bp : bases behind an allele that count
    strands : ``both`` reads the reverse complement too and takes the mean, ``forward`` does not
    neutral_places : places of random indels, at least 10
    seed : of the random indels

    Returns
    -------
    DataFrame
        One row per ALT in the order of the file: chrom, pos (1-based), id, ref, alt, score,
        log_ratio, forward, reverse, length_bias (float64), moved_boundaries, reach_bp,
        context_bp, flank_bp, reverse_context_bp, reverse_flank_bp (Int64), and reason, which is
        empty for a row with a score

    Raises
    ------
    GenezipError
        If a record disagrees with the FASTA, before anything is scored; for a model without an
        exact likelihood; and for unreadable files.
    """
    rows: list[list[Any]] = []

    def keep(record: Record, found: Sequence[Numbers]) -> None:
        cells = [record.chrom, record.pos, record.columns[2], record.ref]
        for alt, (numbers, reason) in zip(record.alts, found, strict=True):
            rows.append([*cells, alt, *numbers, reason])

    score_vcf(
        vcf, fasta, model, out, bound=bound, context_bp=context_bp, flank_bp=flank_bp,
        strands=strands, neutral_places=neutral_places, seed=seed, device=device, each=keep,
    )  # fmt: skip
    table = pd.DataFrame(rows, columns=[*CELLS, *(one.name for one in COLUMNS)])
    types = {FLOAT: "float64", INTEGER: "Int64"}
    return table.astype({one.name: types[one.kind] for one in COLUMNS if one.kind in types})


Each = Callable[[Record, Sequence[Numbers]], None]
"""Gets every record in order, with numbers and reason of each of its ALTs."""


def score_vcf(
    vcf: str | Path,
    fasta: str | Path,
    model: str | Path | Compressor,
    out: str | Path | None,
    *,
    bound: str | None = None,
    context_bp: int = CONTEXT_BP,
    flank_bp: int = FLANK_BP,
    strands: Strands = "both",
    neutral_places: int = PLACES,
    seed: int = 0,
    device: str = "auto",
    each: Each | None = None,
) -> Summary:
    """:func:`score_variants` without the table in memory; ``each`` gets its rows, if given."""
    vcf, fasta = Path(vcf), Path(fasta)
    _check_options(context_bp, flank_bp, strands, neutral_places, seed)
    need_regular(fasta, "the FASTA", "name an existing one")
    target = None if out is None else _target(Path(out), vcf, fasta)
    compressor = opened_compressor(model, device, bound, streams=True)
    require_exact(compressor)
    with ExitStack() as stack:
        beside = None if target is None or target.is_stream else target.path.parent
        file = stack.enter_context(VcfFile(vcf, beside))
        windows = Windows(context_bp, flank_bp, strands)
        run = {
            "model": dict(compressor.metadata),
            "fasta_sha256": sha256_file(fasta),
            "context_bp": context_bp,
            "flank_bp": flank_bp,
            "strands": strands,
            "neutral_places": neutral_places,
            "seed": seed,
            "genezip": versions()["genezip"],
        }
        identity = {"parts_version": _PARTS_VERSION, "vcf_sha256": file.sha256(), **run}
        stop = stack.enter_context(stop_request())
        if beside is None or target is None:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="genezip-"))) / "parts"
        else:
            folder = beside / f"{target.path.name}.parts"
        parts = stack.enter_context(StateFolder(folder, identity, "its alleles are read"))
        reference = Reference(_genome(fasta, folder.parent, stack))
        plan = make_plan(file, reference, fasta, stop)
        needed = lengths_for([allele.longer for allele in plan.alleles])
        indels = draw_indels(reference, needed, neutral_places, seed)
        every = [*(one.allele for one in indels), *plan.alleles]
        values = _read_all(file.name, compressor, reference, every, windows, parts, stop)
        results, curves = _results(plan, indels, values, strands)
        _tell(curves)
        told = run_lines(run, compressor, curves)
        _write(file, results, target, told, each, stop)
        parts.remove()
    return results.summary()


def _check_options(
    context_bp: int, flank_bp: int, strands: str, neutral_places: int, seed: int
) -> None:
    least = {"context-bp": (context_bp, 1), "flank-bp": (flank_bp, 1), "seed": (seed, 0)}
    for name, (value, lowest) in {**least, "neutral-places": (neutral_places, LEAST)}.items():
        if value < lowest:
            raise GenezipError(f"--{name} is {value}; give at least {lowest}")
    if strands not in get_args(Strands):
        raise GenezipError(f"--strands is {strands!r}; use {' or '.join(get_args(Strands))}")


def _target(out: Path, vcf: Path, fasta: Path) -> Destination:
    target = destination(out)
    if target.is_stream:
        return target
    if not str(out).endswith(SUFFIXES):
        raise GenezipError(f"{out} ends in none of {', '.join(SUFFIXES)}; name such a file")
    for given, what in ((vcf, "the VCF"), (fasta, "the FASTA")):
        if given.exists() and target.path.exists() and target.path.samefile(given):
            raise GenezipError(f"{out} is {what} itself; name another file for the scores")
    return target


def _genome(fasta: Path, folder: Path, stack: ExitStack) -> ReferenceGenome:
    """The FASTA with its index.

    Gzip, which has no random access, and a FASTA without an index in a folder that cannot be
    written are unpacked into ``folder`` until the end.
    """
    packed = is_packed(fasta)
    blocks = packed and is_bgzip(fasta)
    if blocks:
        with InputFile(fasta) as file:
            file.check_end()
    indexed = Path(f"{fasta}.fai").exists() or os.access(fasta.absolute().parent, os.W_OK)
    if packed == blocks and indexed:
        return ReferenceGenome(fasta)
    if packed:
        why = "its folder cannot be written" if blocks else "it is gzip, not bgzip"
        logger.info(f"{fasta} is unpacked until the end: {why}")
    temporary = TemporaryDirectory(prefix=".genezip-", dir=folder)
    plain = Path(stack.enter_context(temporary)) / "reference.fa"
    unpack_fasta(fasta, plain)
    return ReferenceGenome(plain)


def _units(alleles: Sequence[Allele], windows: Windows) -> Iterator[tuple[int, int]]:
    """Start and end of consecutive alleles that are read together: those with one window."""
    start = 0
    keys = [(allele.chrom, windows.first(allele)) for allele in alleles]
    for end in range(1, len(keys) + 1):
        if end == len(keys) or keys[end] != keys[start] or end - start == TOGETHER:
            yield start, end
            start = end


def _read_all(
    name: str,
    compressor: Compressor,
    reference: Reference,
    alleles: Sequence[Allele],
    windows: Windows,
    parts: StateFolder,
    stop: StopRequest,
) -> np.ndarray:
    """Numbers of all alleles, float64 (n, len(VALUES)); those of an earlier run are taken over."""
    found = np.full((len(alleles), len(VALUES)), np.nan)
    known = np.zeros(len(alleles), dtype=bool)
    for first, last in parts.finished():
        found[first:last] = parts.load(first, last)["values"].numpy()
        known[first:last] = True
    done = int(known.sum())
    if done:
        logger.info(f"{name}: resuming, {done:,} of {len(alleles):,} alleles are done")
    begin, began = -1, time.monotonic()  # first allele that is not yet in a part, -1 for none

    def save(end: int) -> None:
        nonlocal begin, began
        if begin >= 0:
            parts.save(begin, end, {"values": torch.from_numpy(found[begin:end].copy())})
        begin, began = -1, time.monotonic()

    with log.Progress(name, len(alleles), "allele", done) as shown:
        for first, last in _units(alleles, windows):
            if known[first:last].all():
                save(first)
                continue
            if stop:
                save(first)
                stop_now(f"{name}: stopped at {shown.done:,} of {len(alleles):,} alleles")
            begin = first if begin < 0 else begin
            found[first:last] = read_alleles(compressor, reference, alleles[first:last], windows)
            shown.advance(last - first)
            if time.monotonic() - began >= PART_SECONDS:
                save(last)
        save(len(alleles))
    return found


def _results(
    plan: Plan, indels: Sequence[NeutralIndel], values: np.ndarray, strands: Strands
) -> tuple[_Results, dict[int, Curve]]:
    columns = {name: values[:, number] for number, name in enumerate(VALUES)}
    log_ratio = columns["forward"]
    if strands == "both":
        log_ratio = (columns["forward"] + columns["reverse"]) / 2
    curves = fit_bias(indels, log_ratio[: len(indels)])
    own = {name: column[len(indels) :] for name, column in columns.items()}
    ratio = log_ratio[len(indels) :]
    bias = bias_of(curves, np.array([allele.longer for allele in plan.alleles], dtype=np.int64))
    more = {"log_ratio": ratio, "length_bias": bias, "score": ratio - bias}
    return _Results(plan, {**own, **more}), curves


def _tell(curves: Mapping[int, Curve]) -> None:
    """Log what random indels cost."""
    for direction, curve in curves.items():
        name = "insertions" if direction == INSERTION else "deletions"
        logger.info(
            f"random {name} of {curve.length[0]:.0f} to {curve.length[-1]:.0f} bp change the log "
            f"ratio by {curve.mean[0]:.2f} (standard error {curve.error[0]:.2f}) to "
            f"{curve.mean[-1]:.2f} ({curve.error[-1]:.2f}) nats; {curve.count.min()} or more of "
            "each length"
        )


def _write(
    file: VcfFile,
    results: _Results,
    target: Destination | None,
    told: Sequence[str],
    each: Each | None,
    stop: StopRequest,
) -> None:
    """Write VCF or TSV in the order of the file; it appears only when it is complete."""
    tabular = target is not None and target.name.name.endswith((".tsv", ".tsv.gz"))
    with ExitStack() as stack:
        write = None if target is None else stack.enter_context(line_writer(target))
        if write is not None:
            write(head_lines(file, told, tabular))
        at = 0
        for record in log.progress(file.records(), f"{file.name}: output", unit="record"):
            if stop:
                stop_now(f"{file.name}: stopped before the output was complete")
            alts = record.alts
            found = [results.of(number) for number in range(at, at + len(alts))]
            at += len(alts)
            if each is not None:
                each(record, found)
            if write is not None:
                write(tsv_rows(record, found) if tabular else [vcf_row(record, found)])
