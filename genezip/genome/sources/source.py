"""``source.json``, the file through which later stages open a source of DNA.

It has the kind of source (mirror, download, simulated, files or genomes of the user) and lists the
files of the source with size, SHA-256, origin, release and licence. The files are beside it in the
same layout for all sources, so later stages do not depend on the kind.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genezip.artifacts.files import sha256_file
from genezip.artifacts.manifest import Kind
from genezip.errors import GenezipError
from genezip.formats.chrom_sizes import read_chrom_sizes
from genezip.genome.organisms import Organism
from genezip.region_classes import UNANNOTATED

if TYPE_CHECKING:
    import pandas as pd

    from genezip.formats.genes.rows import Transcripts
    from genezip.genome.assembly import Assembly
    from genezip.genome.gene_models import Annotation

SOURCE = Kind(
    noun="source of DNA",
    version=1,
    first="run `genezip fetch` first",
    again="run `genezip fetch` again",
    keys=(
        *("source", "description", "build", "fasta", "pieces", "chrom_sizes"),
        *("annotations", "repeats", "files"),
    ),
)


@dataclass(frozen=True)
class Source:
    """One source of DNA with its annotation and repeats.

    Attributes
    ----------
    kind : str
        mirror, download, simulated, files or genomes; part of every result row.
    description : str
        One line for the head of the report.
    build : str
        Name of the assembly.
    folder : Path
        Folder of ``source.json``; paths in ``raw`` are relative to it.
    raw : dict
        ``source.json`` itself.
    """

    kind: str
    description: str
    build: str
    folder: Path
    raw: dict[str, Any]

    @classmethod
    def load(cls, path: str | Path) -> "Source":
        """Read ``source.json``; check its version, and that every file exists in its full size."""
        path = Path(path)
        raw = SOURCE.read(path)
        SOURCE.check_files(path, raw["files"])
        return cls(raw["source"], raw["description"], raw["build"], path.parent, raw)

    def verify(self) -> None:
        """Compare the SHA-256 of every file with ``source.json`` (reads all files)."""
        for entry in self.raw["files"]:
            path = self.folder / entry["path"]
            if sha256_file(path) != entry["sha256"]:
                raise GenezipError(
                    f"{path} was altered (SHA-256 differs from source.json); {SOURCE.again}"
                )

    def assembly(self) -> "Assembly":
        """The segments of sequence with their coordinates and splits."""
        from genezip.genome.assembly import Assembly

        return Assembly.open(
            self.folder / self.raw["fasta"],
            self.folder / self.raw["pieces"],
            self.folder / self.raw["chrom_sizes"],
            self.build,
            [contig for organism in self.organisms for contig in organism.circular],
        )

    @property
    def organisms(self) -> tuple[Organism, ...]:
        """The organisms of a source of several genomes; empty for all other sources."""
        return tuple(Organism.from_dict(one) for one in self.raw.get("organisms", ()))

    def chrom_sizes(self) -> dict[str, int]:
        """True length of every chromosome (bp)."""
        return read_chrom_sizes(self.folder / self.raw["chrom_sizes"])

    def annotation(
        self,
        name: str,
        transcripts: "Transcripts" = "basic",
        gene_types: Sequence[str] | None = None,
    ) -> "Annotation":
        """One annotation set by name, with the contig names of the assembly.

        ``transcripts`` and ``gene_types`` are as in the section ``regions`` of the configuration.
        The set ``unannotated`` of genomes without annotation has no gene.
        """
        from genezip.genome.gene_models import no_genes, read_gene_models
        from genezip.genome.names import match_chrom_style, rename_contigs

        if name == UNANNOTATED and self._has_unannotated():
            return no_genes(UNANNOTATED)
        sets = self.raw["annotations"]
        if name not in sets:
            raise GenezipError(
                f"source.json has no annotation set {name!r}; it has {', '.join(sets) or 'none'}"
            )
        entry = sets[name]
        path = self.folder / entry["path"]
        sizes = self.chrom_sizes()
        if "contigs" not in entry:
            found = read_gene_models(path, entry["format"], transcripts, gene_types)
            return match_chrom_style(found, sizes)
        own = {record: sizes[contig] for record, contig in entry["contigs"].items()}
        circular = {record: own[record] for record in entry["circular"]}
        found = read_gene_models(path, entry["format"], transcripts, gene_types, circular)
        return rename_contigs(match_chrom_style(found, own), entry["contigs"])

    def annotations(
        self, transcripts: "Transcripts" = "basic", gene_types: Sequence[str] | None = None
    ) -> "dict[str, Annotation]":
        """All annotation sets by name, with that of genomes without annotation if there are any."""
        names = [*self.raw["annotations"], *([UNANNOTATED] if self._has_unannotated() else [])]
        return {name: self.annotation(name, transcripts, gene_types) for name in names}

    def _has_unannotated(self) -> bool:
        return any(organism.annotation is None for organism in self.organisms)

    def rmsk(self) -> "pd.DataFrame | None":
        """Interspersed repeats (RepeatMasker) on the contigs of the assembly; None without any."""
        from genezip.formats.repeatmasker import read_rmsk_out

        return self._repeats("rmsk", read_rmsk_out)

    def trf(self) -> "pd.DataFrame | None":
        """Tandem repeats (TRF) on the contigs of the assembly; None without any."""
        from genezip.formats.repeatmasker import read_trf

        return self._repeats("trf", read_trf)

    def _repeats(self, kind: str, read: "Callable[[Path], pd.DataFrame]") -> "pd.DataFrame | None":
        """One of the two tables, with the contig names of the assembly."""
        from genezip.genome.names import match_repeats

        name = self.raw["repeats"].get(kind)
        if name is None:
            return None
        return match_repeats(name, read(self.folder / name), self.chrom_sizes())
