"""Real labels, most of them for the demo genome: files of a mirror folder or of public servers.

``labels.json`` lists the files (``files``) and, for every part without files, the reason
(``reasons``): a run goes on without them, and its report shows the reason.

The table of public files (``genezip/download/sources.tsv``) has a row ``labels/PART/NAME`` for
every file. Files are read as published, except the elements, which are published as intervals:
those inside the segments of the genome are written with their bases, as in the mirror folder.
"""

import gzip
import logging
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip import config
from genezip.artifacts.files import atomic_path, sha256_file, write_json
from genezip.artifacts.folder import replaced_folder
from genezip.artifacts.manifest import file_entries
from genezip.artifacts.tables import read_tsv
from genezip.download import SourceUnavailable
from genezip.download.catalogue import Item, item, read_sources
from genezip.download.lock import lock_path
from genezip.download.plan import Plan, first_byte, plan
from genezip.download.store import Store
from genezip.download.transfer import PATIENT, Http
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly
from genezip.genome.sources.mirror import check_file, checksums
from genezip.genome.sources.source import Source
from genezip.tasks.base import NotMeasured, Task
from genezip.tasks.deposits import FETCH, TaskFiles
from genezip.tasks.examples import MANIFEST, Prepared

logger = logging.getLogger(__name__)

BUILD = "hg38"
PREFIX = "labels"
LISTING = "labels.json"
MIRROR_VARIABLE = "GENEZIP_MIRROR"
HISTONE_MARKS = ("H3", "H4", "H3K4me1", "H3K4me3", "H3K9ac")
"""Marks of the Nucleotide Transformer whose official test rows are at hand."""

CLASSES = ("promoter", "enhancer", "ocr")
SPLITS = ("train", "test")
COLUMNS = ("chrom", "start", "end", "label", "split", "sequence")
"""Columns of the table of elements."""
PUBLISHED = ("region", "start", "end")  # columns of the interval files that are read
INTERVALS = {f"{split}.{label}.csv.gz": (split, label) for split in SPLITS for label in CLASSES}


def write_published(files: Mapping[str, Path], target: Path, source: Source | None) -> None:
    """Write a published file unchanged; where the published name lacks ``.gz``, compress it."""
    ((name, path),) = files.items()
    if name == target.name:
        shutil.copyfile(path, target)
    else:
        _write_gzip(target, path.read_bytes())


def write_elements(files: Mapping[str, Path], target: Path, source: Source | None) -> None:
    """Write the elements of the interval files that lie in the genome, with their bases."""
    if source is None:
        raise GenezipError("elements are cut from the genome; name its source.json with --source")
    paths = {INTERVALS[name]: path for name, path in files.items()}
    table = elements_inside(paths, source.assembly())
    _write_gzip(target, table.to_csv(sep="\t", index=False).encode())


def _write_gzip(target: Path, content: bytes) -> None:
    with atomic_path(target) as temporary:
        temporary.write_bytes(gzip.compress(content, mtime=0))


@dataclass(frozen=True)
class LabelFile:
    """A label file."""

    origin: str  # path in the mirror folder
    # what, licence: for the list of data
    what: str
    licence: str
    # names of the public files from which it is made; empty for a file of the mirror folder alone
    public: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelDeposit:
    """The files of a task with a small deposit."""

    files: Mapping[str, LabelFile]  # name -> file
    # whether the labels are of the run's genome; other labels have own sequences
    of_the_genome: bool = True
    # folder of the mirror with its own table of checksums; empty for the mirror itself
    mirror: str = ""
    # writes a file from public ones; takes their paths by name, the file, the genome or None
    write: Callable[[Mapping[str, Path], Path, Source | None], None] = write_published
    # set -> its further files, which are fetched only where the set is named
    sets: Mapping[str, Mapping[str, LabelFile]] = field(default_factory=dict)

    def chosen(self, sets: Collection[str]) -> dict[str, LabelFile]:
        """The files of the task and of the named sets, by name."""
        return {**self.files, **{n: f for one in sets for n, f in self.sets.get(one, {}).items()}}


def _procap(strand: str) -> LabelFile:
    origin = f"labels/transcription_initiation/procap.sum_of_three.{strand}.chr22.hg38.bw"
    what = "PRO-cap 5' ends, sum of three cell types (Yu lab, ENCODE)"
    return LabelFile(origin, what, "public data, cite ENCODE", (f"procap.{strand}.bw",))


def _screen(name: str, data: str, what: str) -> LabelFile:
    origin = f"labels/enhancer_gene/EPCrisprBenchmark_combined_data.{data}.GRCh38.tsv.gz"
    licence = "MIT, cite ENCODE-rE2G (Gschwind et al.)"
    return LabelFile(origin, f"CRISPRi pairs, {what}", licence, (f"screen.{name}.tsv.gz",))


def _gue(name: str, split: str) -> LabelFile:
    file = f"{name}.{split}.csv"
    folder = "prom_" if name.startswith("prom") else ""
    origin = f"other_systems/gue/{folder}{file}.gz"
    return LabelFile(origin, f"GUE (DNABERT-2), {name}, {split}", "Apache-2.0", (file,))


def _histone(mark: str) -> dict[str, LabelFile]:
    """Files of a histone mark: official test rows, the same mark in GUE, and the genome."""
    test, name = f"nt_{mark}.test.fna", f"EMP_{mark}"
    what = f"Nucleotide Transformer, yeast {mark}, official test rows"
    licence = "published data (Pokholok et al. 2005), no licence stated"
    genome = "yeast_S288C.GCA_000146045.2_R64.genomic.fna.gz"
    return {
        f"{test}.gz": LabelFile(f"other_systems/nt/{mark}.test.fna.gz", what, licence, (test,)),
        **{f"{name}.{split}.csv.gz": _gue(name, split) for split in ("dev", "test")},
        genome: LabelFile(f"other_systems/{genome}", "S. cerevisiae S288C, R64", "GenBank, public"),
    }


def _essential(name: str) -> LabelFile:
    what = f"essential genes, DEG 13.3, {name.split('.')[0].replace('_', ' ')}"
    licence = "free for academic use, cite DEG (Luo et al. 2014)"
    return LabelFile(f"other_systems/essential/{name}.tsv.gz", what, licence, ())


def _scan(path: str, what: str) -> LabelFile:
    return LabelFile(f"other_systems/{path}", what, "published measurements", ())


LABELS: dict[str, LabelDeposit] = {
    "initiation": LabelDeposit(
        {f"procap.{strand}.bw": _procap(strand) for strand in ("plus", "minus")}
    ),
    "contacts": LabelDeposit(
        {
            "hic.tsv.gz": LabelFile(
                "labels/contacts/hic_chr22_5kb_raw_counts.hg38.tsv.gz",
                "Hi-C raw counts, 5 kb bins (example of the ABC model)",
                "MIT",
                ("hic.tsv.gz",),
            )
        }
    ),
    "elements": LabelDeposit(
        {
            "elements.tsv.gz": LabelFile(
                "labels/genomic_benchmarks/human_ensembl_regulatory.with_sequence.tsv.gz",
                "Ensembl 97 regulatory elements (Genomic Benchmarks)",
                "Apache-2.0; Ensembl open",
                tuple(INTERVALS),
            )
        },
        write=write_elements,
    ),
    "enhancer_gene": LabelDeposit(
        {
            "screen.train.tsv.gz": _screen("train", "training_K562", "K562"),
            "screen.test.tsv.gz": _screen(
                "test", "heldout_5_cell_types", "held out, five cell types"
            ),
        }
    ),
    "classification": LabelDeposit(
        {
            f"{name}.{split}.csv.gz": _gue(name, split)
            for name in ("tf_2", "tf_3", "prom_core_tata", "prom_300_tata")
            for split in ("train", "dev", "test")
        },
        of_the_genome=False,
        mirror="other_systems",
        sets={f"nt_{mark}": _histone(mark) for mark in HISTONE_MARKS},
    ),
    "essentiality": LabelDeposit(
        {f"{name}.tsv.gz": _essential(name) for name in config.Essentiality().labels.values()},
        of_the_genome=False,
        mirror="other_systems",
    ),
    "variants": LabelDeposit(
        {
            Path(path).name: _scan(path, what)
            for path, what in (
                ("dms/infA_IF1_ECOLI.tsv.gz", "scan of IF-1 (Kelsic et al. 2016)"),
                ("dms/infA_IF1_ECOLI.cds.fa", "infA of E. coli MG1655"),
                ("dms/bla_TEM1.tsv.gz", "scan of TEM-1 (Stiffler et al. 2015)"),
                ("dms/bla_TEM1.cds.fa", "blaTEM-1B, AY458016"),
                ("dms.BLAT_ECOLX_Ranganathan2015.csv.gz", "TEM-1, further conditions"),
                ("dms/KKA2_APH3IIa.tsv.gz", "scan of APH(3')-II (Melnikov et al. 2014)"),
                ("dms/KKA2_APH3IIa.cds.fa", "aph(3')-IIa, V00618"),
                ("dms.PABP_YEAST_Fields2013-singles.csv.gz", "scan of Pab1 (Melamed et al. 2013)"),
                ("yeast_S288C.GCA_000146045.2_R64.genomic.fna.gz", "S. cerevisiae S288C, R64"),
                ("yeast_S288C.GCA_000146045.2_R64.genomic.gff.gz", "S. cerevisiae S288C, R64"),
            )
        },
        of_the_genome=False,
        mirror="other_systems",
    ),
}
"""Task -> its files. A task with a small deposit is an entry here, and rows in the table."""


@dataclass(frozen=True)
class PublicLabels:
    """Label files on public servers, or in a folder of files fetched elsewhere."""

    table: Path  # the table of sources
    downloads: Path  # folder of the downloaded files; its lock lies beside it
    source: Source | None = None  # the genome from which elements are cut
    fetched: Path | None = None  # folder of files fetched elsewhere; the network is then not used
    http: Http = PATIENT  # timeouts and attempts

    def items(self, part: str, sets: Collection[str] = ()) -> list[Item]:
        """The public files of a part."""
        sources = read_sources(self.table)
        files = LABELS[part].chosen(sets).values()
        names = [f"{PREFIX}/{part}/{name}" for file in files for name in file.public]
        missing = [name for name in names if name not in sources]
        if missing:
            raise GenezipError(f"{self.table} has no row named {', '.join(missing)}; add it")
        return [item(sources[name]) for name in names]

    def plan(self, parts: Sequence[str], sets: Collection[str] = ()) -> Plan:
        """Files that :meth:`get` would download for parts; nothing is written."""
        patience = replace(self.http, attempts=1, timeout_s=self.http.size_timeout_s)
        store = self._store(patience)
        return plan(store, [wish for part in parts for wish in self.items(part, sets)])

    def get(self, part: str, folder: Path, sets: Collection[str] = ()) -> list[dict[str, object]]:
        """Fetch the public files of a part and write its label files into a folder.

        A file of a set that is in no public place is left out. Returns an entry for each file:
        path, bytes, sha256, part, origin, release, licence. Raises ``SourceUnavailable`` if no
        server delivers a file, or the folder of fetched files lacks it.
        """
        files = LABELS[part].chosen(sets)
        if not any(file.public for file in files.values()):
            raise SourceUnavailable("its files were put together from several public ones")
        store, items = self._store(self.http), self.items(part, sets)
        if store.fetched and (missing := store.missing(items)):
            raise SourceUnavailable(
                f"the folder {store.fetched.folder} of fetched files lacks {', '.join(missing)}"
            )
        absent = [wish for wish in items if not store.here(wish)]
        if absent and not store.fetched:
            offline = first_byte([absent[0].rows[0].url], self.http.timeout_s)
            if offline:
                raise SourceUnavailable(f"offline ({offline})")
        plan(store, items).check_room()
        got = {wish.rows[0].name: store.get(wish) for wish in items}
        entries = []
        for name, file in files.items():
            if not file.public:
                logger.warning(f"labels: {name} is in no public place, so it is left out")
                continue
            own = {one: got[f"{PREFIX}/{part}/{one}"] for one in file.public}
            paths = {one: path for one, (_, path) in own.items()}
            LABELS[part].write(paths, folder / name, self.source)
            rows = [row for row, _ in own.values()]
            more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
            (entry,) = file_entries(folder, [name])
            about = {"part": part, "origin": rows[0].url + more}
            about |= {"release": rows[0].release, "licence": rows[0].licence}
            entries.append(entry | about)
        return entries

    def _store(self, http: Http) -> Store:
        return Store(self.downloads, lock_path(self.downloads), http, self.fetched)


def elements_inside(files: Mapping[tuple[str, str], Path], assembly: Assembly) -> pd.DataFrame:
    """The elements of the published interval files that lie inside the segments of a genome.

    Parameters
    ----------
    files : (split, label) -> CSV of Genomic Benchmarks with the columns id, region, start, end,
        strand (0-based, half-open, GRCh38)
    assembly : genome of that build; its bases become the sequence of an element

    Returns
    -------
    DataFrame with :data:`COLUMNS`, by chromosome and start; sequences in upper case
    """
    rows = []
    for (split, label), path in files.items():
        table = _intervals(path)
        for segment in assembly.segments:
            inside = (
                (table["region"] == segment.chrom)
                & (table["start"] >= segment.start)
                & (table["end"] <= segment.end)
            )
            for start, end in table.loc[inside, ["start", "end"]].itertuples(index=False):
                text = assembly.sequence(segment, int(start), int(end)).tobytes().decode().upper()
                rows.append((segment.chrom, int(start), int(end), label, split, text))
    found = pd.DataFrame(rows, columns=list(COLUMNS))
    return found.sort_values(["chrom", "start", "end", "label"], ignore_index=True)


def _intervals(path: Path) -> pd.DataFrame:
    """Region, start and end of one interval file."""
    table = read_tsv(path, PUBLISHED, ("region",), *FETCH, separator=",")
    start, end = (pd.to_numeric(table[name], errors="coerce") for name in PUBLISHED[1:])
    whole = (start % 1 == 0) & (end % 1 == 0) & (start >= 0) & (end > start)
    wrong = ~whole | table["region"].isna()
    if wrong.any():
        line = int(np.argmax(wrong.to_numpy()))
        cells = ", ".join(str(table[name].iloc[line]) for name in PUBLISHED)
        raise GenezipError(
            f"line {line + 2} of {path} is no interval ({cells}); fetch the labels again"
        )
    return table.assign(start=start.astype(np.int64), end=end.astype(np.int64))


def fetch_labels(
    mirror: Path | None,
    parts: Sequence[str],
    out: Path,
    public: PublicLabels | None = None,
    source: Source | None = None,
    sets: Collection[str] = (),
) -> Path:
    """Write the label files of parts, from the mirror folder or else from public servers.

    Parameters
    ----------
    mirror : folder, or None; its files are compared with its checksum table
    parts : keys of :data:`LABELS`
    out : folder; replaced as a whole
    public : used without a mirror folder; None for no server
    source : the genome of the run; labels that do not belong to it are not fetched
    sets : sets whose further files are fetched with their part (:attr:`LabelDeposit.sets`)

    Returns
    -------
    ``out/labels.json``; an unavailable part has a reason there instead of files. The path of the
    mirror folder is in no file.
    """
    known = [one for deposit in LABELS.values() for one in deposit.sets]
    if unknown := [one for one in sets if one not in known]:
        raise GenezipError(f"there is no set {unknown[0]!r}; the sets are {', '.join(known)}")
    names = {name for deposit in LABELS.values() for name in deposit.chosen(known)}
    entries: list[dict[str, object]] = []
    reasons: dict[str, str] = {}
    no_mirror = None
    if mirror is None:
        no_mirror = f"no folder of real data was named ({MIRROR_VARIABLE} is not set)"
    elif not mirror.is_dir():
        logger.warning(f"labels: {mirror} is no folder")
        no_mirror = f"the folder named by {MIRROR_VARIABLE} does not exist"
    unfit = None if source is None else unfit_genome(source)
    with replaced_folder(out, {LISTING, *names}) as folder:
        for part in parts:
            try:
                if unfit is not None and LABELS[part].of_the_genome:
                    reasons[part] = unfit
                elif mirror is not None and no_mirror is None:
                    entries += _from_mirror(mirror, part, folder, sets)
                elif public is not None:
                    entries += public.get(part, folder, sets)
                else:
                    reasons[part] = str(no_mirror)
            except SourceUnavailable as error:
                reasons[part] = str(error)
                if no_mirror is not None:
                    reasons[part] = f"{no_mirror}, and the public files cannot be had: {error}"
        write_json(folder / LISTING, {"reasons": reasons, "files": entries})
    logger.info(f"labels: {len(entries)} files -> {out}")
    for reason in dict.fromkeys(reasons.values()):
        left = ", ".join(part for part in parts if reasons.get(part) == reason)
        logger.warning(
            f"labels: none for {left}: {reason}; the report leaves them out "
            f"(delete {out} to try again)"
        )
    return out / LISTING


def _from_mirror(
    mirror: Path, part: str, folder: Path, sets: Collection[str]
) -> list[dict[str, object]]:
    """Copy the files of a part; returns their entries."""
    deposit = LABELS[part]
    if not (mirror / deposit.mirror).is_dir():
        raise SourceUnavailable(f"the folder of real data has no folder {deposit.mirror}")
    own, shared = (checksums(folder / "README.md") for folder in (mirror / deposit.mirror, mirror))
    entries: list[dict[str, object]] = []
    for name, file in deposit.chosen(sets).items():
        inside = file.origin.removeprefix(f"{deposit.mirror}/")
        if inside in own or file.origin not in shared:
            check_file(mirror / deposit.mirror, inside, own)
        else:
            check_file(mirror, file.origin, shared)
        shutil.copyfile(mirror / file.origin, folder / name)
        (entry,) = file_entries(folder, [name])
        about = {"part": part, "origin": file.origin, "release": file.what}
        entries.append(entry | about | {"licence": file.licence})
    return entries


def unfit_genome(source: Source) -> str | None:
    """Reason why real labels do not apply to a genome; None where they apply."""
    if source.kind == "simulated":
        return "the DNA of this run is simulated, and real labels say nothing about it"
    if source.build != BUILD:
        return f"the labels are of {BUILD}, the genome of this run is {source.build}"
    return None


def measurable(task: Task[Any], files: TaskFiles, source: str | Path, subset: str) -> Source:
    """The genome of a run (``source.json``), where the labels of a task apply to it.

    Raises NotMeasured if the files of the task, whose name is a key of :data:`LABELS`, are not
    listed, or the labels are of another genome.
    """
    if subset != task.own_subset:
        raise GenezipError(
            f"{task.name} has no subset {subset!r}; name {task.own_subset} with --subset"
        )
    if reason := files.reason(task.name, LABELS[task.name].files):
        raise NotMeasured(reason)
    found = Source.load(source)
    if reason := unfit_genome(found):
        raise NotMeasured(reason)
    return found


def same_genome(prepared: Prepared, source: str | Path) -> Source:
    """The genome with which labels were prepared (fact ``genome_sha256``)."""
    found = Source.load(source)
    if sha256_file(source) != prepared.facts["genome_sha256"]:
        raise GenezipError(
            f"{source} is not the genome that {prepared.folder / MANIFEST} was prepared with; give "
            "that one, or prepare the task again"
        )
    return found
