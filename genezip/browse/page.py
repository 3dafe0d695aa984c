"""The page with the browser (igv.js): served, or one file that holds the data of a locus."""

import base64
import gzip
import json
import tempfile
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pysam
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from genezip.artifacts.files import write_text
from genezip.browse.folder import AGAIN, Interval, ShownTrack, View
from genezip.errors import GenezipError
from genezip.formats.bigwig import ZOOM_WIDTHS, BigWigWriter, open_bigwig
from genezip.formats.igv import Session, shown_locus

LIBRARY = files("genezip.report") / "templates" / "igv.js"
"""The genome browser that the report embeds, too (igv.js, MIT licence)."""
PLACE_OF_LIBRARY = "/* igv.js */"
MOST_BYTES = 20_000_000
"""Size of a page as one file; many mail servers take no more than 25 MB."""
INLINE = "'unsafe-inline'"

CONTIGS = "contigs.tsv"
BINARY = "application/octet-stream"

MEANINGS = {
    "boundary_prob.bw": (
        "boundary probability", "probability that a token begins at this base (first stage)"
    ),
    "surprisal.bw": (
        "surprisal", "bits of this base, minus log2 of its probability given the bases before it"
    ),
    "tokens_per_kb.bw": (
        "tokens per kb", "1000 / b at every base of a token of b bases, so that a mean over bases "
        "is the number of tokens per 1,000 bp"
    ),
    "bpt.bw": ("bp per token", "bases per token in windows of 1,000 bp"),
    "chunks.bed.gz": ("chunks", "the bases of each token, in two alternating colours"),
    "regions.bed.gz": ("regions", "region classes of the annotation, one colour for each"),
}  # fmt: skip
"""File -> what its tracks are called on the page, and what they show."""


def url_of(shown: ShownTrack) -> str:
    """Address of a track on the server, relative to the page."""
    return f"{shown.folder}/{quote(shown.at)}"


def served_page(view: View) -> str:
    """The page as HTML; all data are at addresses beside it."""
    if ":" in view.locus[0]:
        raise GenezipError(
            f"igv.js cannot go to the contig {view.locus[0]!r}, because its name has a colon; show "
            "it in one file by --page, or choose another --locus"
        )
    reference: dict[str, Any] = {"format": "chromsizes", "fastaURL": CONTIGS}
    if view.fasta is not None:
        reference = {"fastaURL": f"genome/{quote(view.fasta.path.name)}"}
        reference["indexURL"] = f"{reference['fastaURL']}.fai"
        if view.fasta.gzi is not None:
            reference["compressedIndexURL"] = f"{reference['fastaURL']}.gzi"
    tracks: list[dict[str, Any]] = []
    for shown in view.tracks:
        data = {"url": url_of(shown)}
        if shown.index is not None:
            data["indexURL"] = data["url"] + shown.index.suffix
        tracks.append(_look(shown) | data)
    return _html(view, reference, tracks, f"'self' {INLINE}", "'self' data:", served=True)


def served_session(view: View) -> Session:
    """The session of the same tracks for IGV on the desktop, with addresses beside the page."""
    tracks = []
    for shown in view.tracks:
        index = None if shown.index is None else url_of(shown) + shown.index.suffix
        tracks.append(replace(shown.track, path=url_of(shown), index=index))
    genome = view.genome if view.fasta is None else f"genome/{quote(view.fasta.path.name)}"
    return Session(tracks, genome, view.locus)


def write_page(view: View, out: Path) -> int:
    """Write one file with the data of the locus of the view; return its size in bytes.

    It opens from a disk and needs no network. More than :data:`MOST_BYTES` are refused, as is a
    locus where no track has a value.
    """
    chrom, start, end = view.locus
    library = LIBRARY.read_text(encoding="utf-8")
    left = MOST_BYTES - len(library.encode())
    # the share of the files is known before they are read
    share = sum(_expected_bytes(shown, view.locus) for shown in view.tracks)
    expected = 4 / 3 * (share + (end - start) * (view.fasta is not None))
    if expected > 2 * left:
        raise _too_large(view, int(expected), left)
    # a record of a part of the contig, with the length of all of it; without bases a single N
    bases = "N" if view.fasta is None else view.fasta.bases(chrom, start, end)
    head = (
        f">{embedded_name(chrom)}:{start + 1}-{start + max(len(bases), 2)} @len={view.sizes[chrom]}"
    )
    record = f"{head}\n{bases}\n".encode()
    reference = {"fastaURL": _data_url(record), "indexed": False}
    tracks: list[dict[str, Any]] = []
    size, empty = 0, True
    for shown in view.tracks:
        data = _values(shown, view) if shown.track.is_bigwig else _rows(shown, view.locus)
        empty &= data is None or not shown.track.is_bigwig
        if data is None:
            tracks.append({**_look(shown), "format": None, "features": []})
            continue
        url = _data_url(data, BINARY if shown.track.is_bigwig else "application/gzip")
        size += len(url)
        if size > left:
            raise _too_large(view, size * len(view.tracks) // (len(tracks) + 1), left)
        tracks.append(_look(shown) | {"url": url})
    if empty:
        raise GenezipError(
            f"no track has a value at {shown_locus(view.locus)}; choose another --locus"
        )
    text = _html(view, reference, tracks, INLINE, "data:", served=False)
    text = text.replace(PLACE_OF_LIBRARY, library, 1)  # only now, as none of it may change
    size = len(text.encode())
    if size > MOST_BYTES:
        raise _too_large(view, size - len(library.encode()), left)
    write_text(out, text)
    return size


def embedded_name(chrom: str) -> str:
    """Name of a contig in one file, where igv.js would read a colon as that of an interval."""
    return chrom.replace(":", "_")


def _html(
    view: View,
    reference: dict[str, Any],
    tracks: list[dict[str, Any]],
    scripts: str,
    connections: str,
    served: bool,
) -> str:
    """The page; the policy in its head keeps it from any other address."""
    name = view.genome or "an unnamed genome"
    if view.fasta is not None:
        name = view.fasta.path.name
    named = {"id": name, "name": name}
    chrom, start, end = view.locus
    browser = {
        "reference": {**named, **reference},
        "locus": shown_locus((chrom if served else embedded_name(chrom), start, end)),
        "loadDefaultGenomes": False,
        "showIdeogram": False,
        "showChromosomeWidget": served and len(view.sizes) > 1,
        "tracks": tracks,
    }
    kinds = {shown.path.name for shown in view.tracks}
    environment = Environment(
        loader=PackageLoader("genezip.browse"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("browse.html.j2").render(
        title=", ".join(dict.fromkeys(_names(view))),
        locus=shown_locus(view.locus),
        genome=name,
        has_bases=view.fasta is not None,
        served=served,
        policy=(
            f"default-src 'none'; script-src {scripts}; style-src {INLINE}; "
            f"img-src data: blob:; font-src data:; connect-src {connections}"
        ),
        meanings=[MEANINGS[name] for name in MEANINGS if name in kinds],
        data=Markup(json.dumps(browser, separators=(",", ":")).replace("<", "\\u003c")),
    )


def _names(view: View) -> list[str]:
    """Names of the models, which titles of tracks begin with; else those of the folders."""
    pairs = [shown.track.title.rpartition(": ")[0] for shown in view.tracks]
    return [name for name in pairs if name] or [folder.resolve().name for folder in view.folders]


def contigs(view: View) -> str:
    """Names and lengths of the contigs, which the served page reads if there are no bases."""
    return "".join(f"{chrom}\t{length}\n" for chrom, length in view.sizes.items())


def _look(shown: ShownTrack) -> dict[str, Any]:
    """What igv.js is told of a track besides its data."""
    track = shown.track
    look: dict[str, Any] = {"name": track.title}
    if track.is_bigwig:
        look |= {"type": "wig", "format": "bigwig", "height": 60, "autoscale": True}
    else:
        look |= {"type": "annotation", "format": "bed", "height": 40, "displayMode": "COLLAPSED"}
        look |= {"delimiter": "\t"}  # names may have spaces
    if track.rgb is not None:
        look |= {"color": f"rgb({track.rgb})"}
    if track.scale is not None:
        look |= {"autoscaleGroup": track.scale}
    return look


def _data_url(data: bytes, kind: str = BINARY) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _expected_bytes(shown: ShownTrack, locus: Interval) -> float:
    """Share of a file that a locus is likely to take, if all covered bases take as much."""
    if not shown.track.is_bigwig:
        return 0
    with open_bigwig(shown.path, AGAIN) as file:
        covered = file.header()["nBasesCovered"]
    size = shown.path.stat().st_size
    return size * min((locus[2] - locus[1]) / max(covered, 1), 1)


def _values(shown: ShownTrack, view: View) -> bytes | None:
    """A bigWig of the values inside the locus; None without any."""
    chrom, start, end = view.locus
    with open_bigwig(shown.path, AGAIN) as file:
        rows = file.intervals(chrom, start, end) if chrom in file.chroms() else None
    if not rows:
        return None
    starts, ends, values = (np.array(column) for column in zip(*rows, strict=True))
    return _bigwig(view, np.maximum(starts, start), np.minimum(ends, end), values)


def _bigwig(view: View, starts: Any, ends: Any, values: Any) -> bytes:
    """A bigWig of intervals of the contig of the locus."""
    chrom = view.locus[0]
    name = embedded_name(chrom)
    starts, ends, values = (np.asarray(column) for column in (starts, ends, values))
    with tempfile.TemporaryDirectory(prefix="genezip-") as folder:
        path = Path(folder) / "locus.bw"
        # every level takes 10 kB, so those that no view of so short a locus uses are left out
        shown = [width for width in ZOOM_WIDTHS if width <= (view.locus[2] - view.locus[1]) // 200]
        zooms = shown or ZOOM_WIDTHS[:1]
        with BigWigWriter(path, {name: view.sizes[chrom]}, zooms) as out:
            gaps = np.flatnonzero(starts[1:] != ends[:-1]) + 1
            for first, last in pairwise([0, *gaps.tolist(), len(starts)]):
                run = slice(first, last)
                if last == first:
                    continue
                if ends[last - 1] - starts[first] == last - first:  # a value for every base
                    out.add_values(name, int(starts[first]), values[run])
                else:
                    out.add_intervals(name, starts[run], ends[run], values[run])
        return path.read_bytes()


def _rows(shown: ShownTrack, locus: Interval) -> bytes | None:
    """BED rows that overlap the locus, as gzip; None without any."""
    chrom, start, end = locus
    if shown.index is None:
        raise GenezipError(f"{shown.path} has no index beside it; {AGAIN}")
    with pysam.TabixFile(str(shown.path), index=str(shown.index)) as file:
        rows = list(file.fetch(chrom, start, end)) if chrom in file.contigs else []
    text = "".join(f"{embedded_name(chrom)}{row.removeprefix(chrom)}\n" for row in rows)
    return gzip.compress(text.encode(), mtime=0) if rows else None


def _too_large(view: View, data: int, left: int) -> GenezipError:
    """The error for a page that is too large, with a locus that fits."""
    chrom, start, end = view.locus
    fits = max(int((end - start) * 0.8 * left / data), 1)
    step = 10 ** max(len(str(fits)) - 2, 0)
    fits = max(fits // step * step, 1)
    said = shown_locus((chrom, start, start + fits))
    return GenezipError(
        f"the page would have about {(data + MOST_BYTES - left) / 1e6:,.0f} MB for "
        f"{end - start:,} bp, more than {MOST_BYTES / 1e6:.0f} MB; choose a locus of at most about "
        f"{fits:,} bp, as --locus {said}"
    )
