"""Training windows continue across the origin of circular contigs, base by base."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toolkit.several_genomes import dna_of, fetch_all, write_fasta, write_gff3

from genezip.alphabet import encode
from genezip.config import Corpus, Regions
from genezip.corpus.build import build_corpus
from genezip.corpus.corpus import CorpusReader, check_corpus
from genezip.corpus.leakage import prove, touched_bases
from genezip.corpus.sampling import MODES, Pool
from genezip.errors import GenezipError
from genezip.genome.assembly import Segment
from genezip.genome.gene_models import no_genes
from genezip.genome.region_map import RegionMap
from genezip.genome.region_rules import build_region_map
from genezip.genome.sources.source import Source

BP = 64
NONE = pd.DataFrame({"chrom": [], "start": [], "end": []})
REGIONS = Regions(promoter_half_width=5, transcripts="all", required=[])


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Circular `ring` of 200 bp with a gene across the origin, linear `rod`, held-out `other`."""
    folder = tmp_path_factory.mktemp("genomes")
    entries = []
    for seed, name in enumerate(("ring", "rod", "other")):
        dna = dna_of(seed, Chromosome=200)
        circular = None if name == "rod" else {"Chromosome": 200}
        end = 200 if name == "rod" else 215
        genes = [("Chromosome", 180, end, "+"), ("Chromosome", 60, 120, "-")]
        entries.append(
            {
                "name": name,
                "fasta": write_fasta(folder, f"{name}.fa", dna),
                "annotation": write_gff3(folder, f"{name}.gff3", genes, circular),
                "split": "test" if name == "other" else "train",
            }
        )
    return fetch_all(folder, folder / "out", *entries)


@pytest.fixture(scope="module")
def region_map(source: Source) -> RegionMap:
    return build_region_map(source.annotations("all"), source.assembly(), REGIONS)


def corpus(source: Source, region_map: RegionMap, out: Path, **settings: object) -> CorpusReader:
    chosen = {
        "window_bp": BP,
        "heldout_window_bp": BP,
        "valid_windows": 10,
        "sampling": {"uniform": 1, "tss": 0, "cds": 0},
        "homology_k": None,
    }
    section = Corpus.model_validate(chosen | settings)
    build_corpus(source, region_map, section, out, transcripts="all")
    return CorpusReader(out / "manifest.json")


def around(text: str, start: int, end: int) -> str:
    return "".join(text[i % len(text)] for i in range(start, end))


def test_every_base_of_a_ring_begins_a_window(
    source: Source, region_map: RegionMap, tmp_path: Path
) -> None:
    """200 windows begin on the ring and 200 - 63 on the rod: all of them are drawn."""
    reader = corpus(source, region_map, tmp_path, train_windows=200 + 137)
    dna = {s.chrom: source.assembly().sequence(s).tobytes().decode() for s in segments(source)}
    classes = {s.chrom: region_map.ids(s.chrom, 0, 200).tolist() for s in segments(source)}
    begins: dict[str, list[int]] = {}
    for window in reader.windows("train"):
        begins.setdefault(window.chrom, []).append(window.start)
        assert window.end - window.start == BP
        expected = around(dna[window.chrom], window.start, window.end)
        assert window.ids.tolist() == encode(expected).tolist()
        bases = range(window.start, window.end)
        assert window.regions.tolist() == [classes[window.chrom][i % 200] for i in bases]
    assert sorted(begins["ring.Chromosome"]) == list(range(200))
    assert sorted(begins["rod.Chromosome"]) == list(range(200 - BP + 1))
    assert check_corpus(reader, source.assembly(), region_map) == 337 + 10 + 4
    covered = {i % 200 for start in begins["ring.Chromosome"] for i in range(start, start + BP)}
    assert covered == set(range(200))


def segments(source: Source) -> tuple[Segment, ...]:
    return source.assembly().segments


def test_the_gene_across_the_origin_is_one_run_of_a_window(
    source: Source, region_map: RegionMap
) -> None:
    classes = region_map.ids("ring.Chromosome", 0, 200).tolist()
    names = region_map.region_classes.ids
    # the promoter around base 180, then CDS to base 215, which is base 15
    assert classes[175:185] == [names["promoter"]] * 10
    assert classes[185:] + classes[:15] == [names["cds"]] * 30
    assert classes[15] == names["nig"]


def test_validation_and_tiles_stay_inside_their_contig(
    source: Source, region_map: RegionMap, tmp_path: Path
) -> None:
    reader = corpus(source, region_map, tmp_path, train_windows=5, valid_windows=100)
    assert all(window.end <= 200 for window in reader.windows("valid"))
    tiles = [(window.start, window.end) for window in reader.windows("test")]
    assert tiles == [(0, 64), (64, 128), (128, 192), (192, 200)]  # each base once


def test_leaks_across_the_origin_are_found(
    source: Source, region_map: RegionMap, tmp_path: Path
) -> None:
    reader = corpus(source, region_map, tmp_path, train_windows=337)
    assert reader.manifest["circular"] == {"ring.Chromosome": 200, "other.Chromosome": 200}
    row = ("ring.Chromosome", 3, 5, "task", "test", "a reason")
    exclusions = pd.DataFrame([row], columns=["chrom", "start", "end", "task", "split", "reason"])
    table, offender = prove(reader, exclusions)
    train = table[(table["check"] == "exclusions") & (table["split"] == "train")].iloc[0]
    # each of the two bases is in 64 windows, 65 windows hold at least one of them
    assert (train["touched_windows"], train["touched_bp"]) == (65, 128)
    assert "overlaps ring.Chromosome:3-5, excluded by task" in str(offender)


@pytest.mark.parametrize("seed", range(5))
def test_touched_bases_equal_a_count_base_by_base(seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, 50, size=12)
    ends = starts + rng.integers(1, 51, size=12)  # of a ring of 50 bp
    mine = pd.DataFrame({"chrom": "c", "start": starts[:6], "end": ends[:6]})
    others = pd.DataFrame({"chrom": "c", "start": starts[6:], "end": ends[6:]})
    taken = {i % 50 for a, b in zip(starts[6:], ends[6:], strict=True) for i in range(a, b)}
    pairs = zip(starts[:6], ends[:6], strict=True)
    expected = [sum(i % 50 in taken for i in range(a, b)) for a, b in pairs]
    assert touched_bases(mine, others, {"c": 50}).tolist() == expected


def test_excluded_bases_and_n_count_across_the_origin() -> None:
    """All legal starts of a ring between two linear segments, by a slow count."""
    parts = [("a", 70), ("ring", 100), ("b", 80)]
    made = [Segment(c, c, 0, n, "train", "none", False, False, False) for c, n in parts]
    n_runs = {c: (np.array([0]), np.array([2])) for c, _ in parts}  # two N begin each
    rows = [("ring", 97, 98), ("b", 70, 71)]
    excluded = pd.DataFrame(rows, columns=["chrom", "start", "end"])
    sets = {"none": no_genes("none")}
    pool = Pool(made, BP, sets, n_runs, excluded, wraps=lambda one: one.chrom == "ring")
    (found,) = pool.legal_starts("uniform", 1 / BP)
    expected = []
    for (chrom, length), offset in zip(parts, (0, 70, 170), strict=True):
        for start in range(length if chrom == "ring" else length - BP + 1):
            bases = [i % length for i in range(start, start + BP)]
            bad = any((chrom, i, i + 1) in rows for i in bases)
            if not bad and sum(i < 2 for i in bases) <= 1:
                expected.append(offset + start)
    assert found.tolist() == expected
    rng = np.random.default_rng(0)
    starts, segment = pool.candidates("uniform", 20_000, rng)
    assert set(starts[segment == 1].tolist()) == set(range(70, 170))
    with pytest.raises(
        GenezipError, match="windows of the mode tss, but its 3 segments have no TS"
    ):
        pool.candidates(MODES[1], 5, rng)


def test_anchored_windows_reach_back_across_the_origin(source: Source) -> None:
    """Anchors lie in the central half of a window, also where it begins before the origin."""
    train = [segment for segment in segments(source) if segment.chrom == "ring.Chromosome"]
    nothing = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    runs = {train[0].name: nothing}
    sets = source.annotations("all")
    pool = Pool(train, BP, sets, runs, NONE, wraps=source.assembly().wraps)
    rng = np.random.default_rng(0)
    coding = {*range(180, 200), *range(15), *range(60, 120)}
    starts, _ = pool.candidates("cds", 100_000, rng)
    assert starts.min() >= 0
    assert starts.max() < 200
    central = {s for s in range(200) if coding & {(s + i) % 200 for i in range(16, 48)}}
    assert set(starts.tolist()) == central
    (legal,) = pool.legal_starts("cds", 0)
    assert set(legal.tolist()) == central
