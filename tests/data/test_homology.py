"""The homology filter on real DNA."""

from pathlib import Path

from genezip.config import Corpus, Genome
from genezip.data.homology import filter_homologous
from genezip.genome.fetch import fetch
from genezip.genome.source import Source
from genezip.genome.windows import tile


def test_real_heldout_windows_that_leak(mirror: Path, tmp_path: Path) -> None:
    """13 of 157 held-out windows share more than 10 % of their 31-mers with training DNA.

    Most lie near the tip of chr9, whose copies sit at other chromosome ends.
    """
    fetch(Genome(sources=["mirror"], selection="demo"), tmp_path / "resources", mirror=mirror)
    assembly = Source.load(tmp_path / "resources" / "source.json").assembly()
    windows = [placed for piece in assembly.pieces_of("test") for placed in tile(piece, 12_800)]
    settings = Corpus(homology_k=31, homology_max_shared=0.1)
    kept, table = filter_homologous(windows, assembly, settings, lambda *_: None)
    assert len(table) == 157
    assert int(table["dropped"].sum()) == 157 - len(kept) == 13
    worst = table.loc[table["shared_fraction"].idxmax()]
    assert (worst["chrom"], worst["start"]) == ("chr9", 138_000)
    assert round(worst["shared_fraction"], 3) == 0.354
