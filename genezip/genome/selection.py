"""Which intervals of the genome are used, and which split each belongs to."""

from dataclasses import dataclass
from pathlib import Path

from genezip.config import Genome
from genezip.errors import GenezipError


@dataclass(frozen=True)
class Region:
    """An interval to use, with the split that its table gives it."""

    chrom: str
    start: int
    end: int
    marked: str

    @property
    def name(self) -> str:
        """``chrom:start-end`` (0-based, half-open)."""
        return f"{self.chrom}:{self.start}-{self.end}"


def read_regions(path: str | Path) -> list[Region]:
    """Rows of a BED file with a split (train, valid, test) in the fourth column."""
    regions = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        try:
            chrom, start, end, marked = line.split("\t")[:4]
            region = Region(chrom, int(start), int(end), marked)
        except ValueError:
            raise GenezipError(f"{path} has a row that is no BED4: {line!r}") from None
        if marked not in ("train", "valid", "test"):
            raise GenezipError(f"{path} has the split {marked!r}; use train, valid or test")
        regions.append(region)
    return regions


def demo_regions(settings: Genome) -> list[Region]:
    """The slices and windows of the demo, on the chromosomes asked for."""
    return wanted(read_regions(Path(__file__).with_name("demo_regions.tsv")), settings)


def wanted(regions: list[Region], settings: Genome) -> list[Region]:
    """The regions on ``settings.chromosomes`` (null takes all)."""
    chosen = settings.chromosomes
    return [region for region in regions if chosen is None or region.chrom in chosen]


def split_of(chrom: str, marked: str, settings: Genome) -> str:
    """Split of a piece: whole chromosomes are held out, whatever their tables say.

    Parameters
    ----------
    marked : {"train", "valid", "test"}
        What the table of intervals says. A piece marked test outside the held-out
        chromosomes trains.
    """
    if chrom in settings.test:
        return "test"
    return "valid" if marked == "valid" or chrom in settings.valid else "train"
