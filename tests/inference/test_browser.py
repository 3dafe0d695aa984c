"""Tracks of held-out DNA against the table of compressed windows they are made from."""

import json
import shutil
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow.parquet as pq
import pyBigWig
import pysam
import pytest
from toolkit.genomes import simulate

from genezip.config import Regions
from genezip.corpus.sampling import tile
from genezip.errors import GenezipError
from genezip.formats.fasta import read_records, write_records
from genezip.formats.igv import read_igv_session
from genezip.genome.region_map import RegionMap
from genezip.genome.region_rules import build_region_map
from genezip.genome.sources.source import Source
from genezip.inference.table import CompressedWindow, read_compressed, write_compressed
from genezip.inference.tracks import write_tracks

WINDOW_BP = 2560


def window(piece: str, chrom: str, start: int, end: int, rng: np.random.Generator):
    starts = np.flatnonzero(rng.random(WINDOW_BP) < rng.choice([0.005, 0.1])).astype(np.int32)
    starts = np.unique(np.append(0, starts)).astype(np.int32)
    prob = rng.random(WINDOW_BP).astype(np.float16)
    nll = rng.exponential(1.3, WINDOW_BP).astype(np.float32)
    nll[[0, 17, 18, WINDOW_BP - 1]] = np.nan  # the first base, N
    nll[end - start :] = np.nan
    kind = "looked_ahead" if start // WINDOW_BP % 5 == 2 else "exact"
    return CompressedWindow(
        chrom, start, end, "+", piece, "test", WINDOW_BP, starts,
        np.array([len(starts)], dtype=np.int32), np.array([False]), prob, nll, kind,
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated genome, its map, held-out windows with padding, and their tracks."""
    folder = tmp_path_factory.mktemp("tracks")
    source = simulate(folder / "resources", 90_000, 50_000, 70_011)
    region_map = build_region_map(source.annotations(), source.assembly(), Regions())
    region_map.write_bed9(folder / "regions.bed.gz")
    rng = np.random.default_rng(0)
    windows = []
    for piece in source.assembly().segments:
        placed = tile(piece, WINDOW_BP, keep_short=True)
        assert placed[-1].end - placed[-1].start < WINDOW_BP
        del placed[3:5]  # a gap whose edges are no multiples of 1,000
        windows += [window(piece.name, piece.chrom, p.start, p.end, rng) for p in placed]
    rng.shuffle(windows)  # type: ignore[arg-type]
    write_compressed(folder / "toy.parquet", windows, name="toy", seed=3, target_bpt={"cds": 4.0})
    source_json = folder / "resources" / "source.json"
    write_tracks(folder / "toy.parquet", source_json, folder / "regions.bed.gz", folder / "out")
    return folder


def densities(run: Path) -> dict[str, np.ndarray]:
    """Tokens of every base of every chromosome (Eq. 15), NaN where no window lies."""
    sizes = Source.load(run / "resources" / "source.json").chrom_sizes()
    found = {chrom: np.full(length, np.nan) for chrom, length in sizes.items()}
    for held in read_compressed(run / "toy.parquet").windows("+"):
        real = held.end - held.start
        found[held.chrom][held.start : held.end] = held.token_density()[:real]
    return found


def test_tokens_per_kb_is_that_of_the_windows(run: Path) -> None:
    every = densities(run)
    with pyBigWig.open(str(run / "out" / "tokens_per_kb.bw")) as track:
        header = track.header()
        joined = np.concatenate(list(every.values()))
        assert header["nBasesCovered"] == np.isfinite(joined).sum()
        assert header["sumData"] / 1000 == pytest.approx(np.nansum(joined), rel=1e-6)
        for chrom, density in every.items():
            values = np.array(track.values(chrom, 0, len(density)))
            assert np.allclose(values, 1000 * density, rtol=1e-6, equal_nan=True)
            for exact in (True, False):
                assert track.stats(chrom, exact=exact)[0] == pytest.approx(
                    1000 * np.nanmean(density), rel=1e-5
                )
        for held in read_compressed(run / "toy.parquet").windows("+"):
            tokens = held.token_density()[: held.end - held.start].sum()
            (mean,) = track.stats(held.chrom, held.start, held.end, exact=True)
            assert mean * (held.end - held.start) / 1000 == pytest.approx(tokens, rel=1e-5)
            if held.end - held.start == WINDOW_BP:
                assert tokens == pytest.approx(len(held.token_starts))


def test_bpt_of_windows(run: Path) -> None:
    with pyBigWig.open(str(run / "out" / "bpt.bw")) as track:
        for chrom, density in densities(run).items():
            covered = np.isfinite(density)
            rows = track.intervals(chrom)
            shown = np.zeros(len(density), dtype=bool)
            for start, end, value in rows:
                low = start // 1000 * 1000
                assert end <= low + 1000
                assert value == pytest.approx(1 / np.nanmean(density[low : low + 1000]), rel=1e-6)
                shown[start:end] = True
            assert np.array_equal(shown, covered)


def test_surprisal_is_that_of_the_windows_with_an_exact_likelihood(run: Path) -> None:
    """Bits of every predicted base; N, first bases and windows that looked ahead have no value."""
    sizes = Source.load(run / "resources" / "source.json").chrom_sizes()
    wanted = {chrom: np.full(length, np.nan) for chrom, length in sizes.items()}
    left_out = 0
    for held in read_compressed(run / "toy.parquet").windows("+"):
        left_out += held.likelihood != "exact"
        if held.likelihood == "exact":
            assert held.nll is not None
            real = held.nll[: held.end - held.start].astype(np.float64)
            wanted[held.chrom][held.start : held.end] = real / np.log(2)
    assert left_out > 3
    with pyBigWig.open(str(run / "out" / "surprisal.bw")) as track:
        for chrom, bits in wanted.items():
            values = np.array(track.values(chrom, 0, len(bits)))
            assert np.allclose(values, bits, rtol=1e-6, equal_nan=True)
            assert track.stats(chrom)[0] == pytest.approx(np.nanmean(bits), rel=1e-5)


def test_the_session_has_the_model_and_the_genome(run: Path, tmp_path: Path) -> None:
    session = read_igv_session(run / "out" / "igv_session.xml")
    assert [track.title for track in session.tracks] == [
        "toy: boundary probability", "toy: surprisal (bits)", "toy: tokens per kb",
        "toy: bp per token (1 kb windows)", "toy: chunks", "regions",
    ]  # fmt: skip
    assert session.genome == "../resources/pieces.fa"
    assert (run / "out" / session.genome).is_file()
    # parts of contigs have other coordinates, so their FASTA is no genome of the tracks
    shutil.copytree(run / "resources", tmp_path / "resources")
    fasta, raw = (
        tmp_path / "resources" / "pieces.fa",
        json.loads((tmp_path / "resources" / "source.json").read_text()),
    )
    cut = [(name, bases[:-9]) for name, bases in read_records(fasta)]
    write_records(fasta, cut)
    for entry in raw["files"]:
        entry["bytes"] = (tmp_path / "resources" / entry["path"]).stat().st_size
    (tmp_path / "resources" / "source.json").write_text(json.dumps(raw))
    write_tracks(
        run / "toy.parquet", tmp_path / "resources" / "source.json", run / "regions.bed.gz",
        tmp_path / "out",
    )  # fmt: skip
    assert read_igv_session(tmp_path / "out" / "igv_session.xml").genome == ""


def test_chunks_and_regions_are_indexed(run: Path) -> None:
    out = run / "out"
    assert {path.name for path in out.iterdir()} == {
        "boundary_prob.bw", "surprisal.bw", "tokens_per_kb.bw", "bpt.bw", "chunks.bed.gz",
        "chunks.bed.gz.tbi", "regions.bed.gz", "regions.bed.gz.tbi", "igv_session.xml",
    }  # fmt: skip
    with pysam.TabixFile(str(out / "chunks.bed.gz")) as file:
        for held in read_compressed(run / "toy.parquet").windows("+"):
            rows = [row.split("\t") for row in file.fetch(held.chrom, held.start, held.end)]
            starts = held.start + held.token_starts[held.token_starts < held.end - held.start]
            assert [int(row[1]) for row in rows] == starts.tolist()
            assert int(rows[-1][2]) == held.end
            colours = [row[8] for row in rows]
            assert all(a != b for a, b in pairwise(colours))
    assert RegionMap.read_bed(out / "regions.bed.gz").sha256() == (
        RegionMap.read_bed(run / "regions.bed.gz").sha256()
    )
    chrom, *_ = densities(run)
    with pysam.TabixFile(str(out / "regions.bed.gz")) as file:
        assert list(file.fetch(chrom, 0, 1))
    session = ElementTree.parse(out / "igv_session.xml").getroot()
    for found in session.iter("Resource"):
        assert (out / found.attrib["path"]).exists()
        assert found.attrib["path"].endswith(".bw") or (out / found.attrib["indexURL"]).exists()


def test_facts_of_the_windows_stand_in_the_schema(run: Path) -> None:
    facts = json.loads(pq.read_schema(run / "toy.parquet").metadata[b"genezip"])
    assert (facts["name"], facts["seed"], facts["target_bpt"]) == ("toy", 3, {"cds": 4.0})


def test_a_broken_map_leaves_no_track(run: Path, tmp_path: Path) -> None:
    data = (run / "regions.bed.gz").read_bytes()
    (tmp_path / "regions.bed.gz").write_bytes(data[: len(data) // 2])
    source_json = run / "resources" / "source.json"
    with pytest.raises(GenezipError, match="truncated or broken"):
        write_tracks(
            run / "toy.parquet", source_json, tmp_path / "regions.bed.gz", tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()
