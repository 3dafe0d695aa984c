"""Pictures: what is written in them, equal bytes, one per sequence, and what is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from toolkit.compressed_fasta import write_model
from toolkit.dna import random_dna
from toolkit.gene_files import of, read_rows
from toolkit.networks import LONG_CHUNKS

import genezip as gz
from genezip.errors import GenezipError
from genezip.genome.gene_models import Annotation
from genezip.genome.sources.splits import parse_interval
from genezip.models.base import Compressor
from genezip.view import panels
from genezip.view.picture import strongest_words
from genezip.view.plot import MUTATE_BP, plot_region
from genezip.view.region import MOST_BP, Region, parse_region

DNA = random_dna(4_000, 2)
SIZES = {"chr1": 4_000, "chr2": 3_000_000, "odd:1-500": 700}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Compressor:
    return gz.load(write_model(tmp_path_factory.mktemp("model") / "causal", **LONG_CHUNKS))


@pytest.fixture(scope="module")
def genes(tmp_path_factory: pytest.TempPathFactory) -> Annotation:
    return read_rows(
        tmp_path_factory.mktemp("genes"), "gtf",
        ("transcript", 1201, 1800, of("WNT$1", "t1"), "-"),
        ("exon", 1201, 1300, of("WNT$1", "t1"), "-"),
        ("exon", 1501, 1800, of("WNT$1", "t1"), "-"),
        ("CDS", 1251, 1300, of("WNT$1", "t1"), "-"),
    )  # fmt: skip


def test_a_picture_says_what_it_shows(model: Compressor, genes: Annotation) -> None:
    picture = model.plot(DNA, name="c", region=(1_000, 2_000), genes=genes)
    for words in (
        "toy: c:1,001-2,000, 1,000 bp; ", "boundary", "chunks (bp)", "bases per token",
        "position in c (bp)", "WNT$1", "promoter", "distal intergenic", "1,200",
        "that of the first of 2 stages",
    ):  # fmt: skip
        assert f"{words}" in picture.svg, words
    assert "<text" in picture.svg and "Bound causal; read in one pass" in picture.caption
    assert picture.mutations is None
    assert repr(picture) == f"Picture({picture.title})" and picture._repr_svg_() == picture.svg


def test_equal_pictures_have_equal_bytes(model: Compressor, tmp_path: Path) -> None:
    for name in ("a.svg", "a.png", "b.svg", "b.png"):
        model.plot(DNA, region=(0, 100), mutate=True).save(tmp_path / name)
    for kind in ("svg", "png"):
        one, other = ((tmp_path / f"{name}.{kind}").read_bytes() for name in "ab")
        assert one == other
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(GenezipError, match=r"c\.pdf is neither SVG nor PNG by its name"):
        model.plot(DNA).save(tmp_path / "c.pdf")
    assert not (tmp_path / "c.pdf").exists()


def test_a_list_has_a_picture_of_each(model: Compressor) -> None:
    one = model.plot(DNA[:200])
    pictures = model.plot([DNA[:200], DNA[200:500]])
    assert [p.title.split(",")[0] for p in pictures] == [
        "toy: sequence 0:1-200",
        "toy: sequence 1:1-300",
    ]
    assert one.title.replace("sequence:", "sequence 0:") == pictures[0].title
    assert model.plot([]) == []


def test_a_result_draws_itself(model: Compressor) -> None:
    (found,) = model.encode([DNA])
    picture = found.plot(model="toy", region=(100, 300))
    assert "toy: sequence:101-300, 200 bp" in picture.title
    assert ">bases<" not in picture.svg  # it has no letters
    (chunks,) = gz.load("fixed:6").encode([DNA])
    assert "probability" not in chunks.plot().svg
    block = model.stream().feed(DNA[:0])
    with pytest.raises(GenezipError, match="a result without bases has no picture"):
        block.plot()


def test_mutations_are_drawn_and_listed(model: Compressor) -> None:
    picture = model.plot(DNA, region=(500, 560), mutate=True, at=530)
    assert picture.mutations is not None and len(picture.mutations) == 180
    assert "cut at 531" in picture.svg and "mutated to" in picture.svg
    largest = picture.mutations["change"].abs().idxmax()
    row = picture.mutations.loc[largest]
    assert f"Largest effects: {row['ref']}{row['start'] + 1:,}{row['alt']}" in picture.caption
    assert set(picture.mutations["chrom"]) == {"sequence"}


def test_no_effect_is_said() -> None:
    from genezip.inference.mutations import Mutations

    flat = Mutations(5, 3, np.array([3, 4], dtype=np.uint8), 0.5, np.full((2, 4), 0.5))
    assert strongest_words(flat) == "No mutation changes it."


@pytest.mark.parametrize(
    ("given", "region"),
    [
        ("chr1:1,001-2,000", Region("chr1", 1_000, 2_000)),
        ("1:1-2", Region("chr1", 0, 2)),
        ("chr1", Region("chr1", 0, 4_000)),
        ("odd:1-500", Region("odd:1-500", 0, 700)),
        ("odd:1-500:2-5", Region("odd:1-500", 1, 5)),
    ],
)
def test_regions_count_from_1_and_include_both_ends(given: str, region: Region) -> None:
    found = parse_region(given, SIZES, "my.fa")
    assert found == region
    interval = parse_interval(str(found))
    assert interval == (region.chrom, region.start + 1, region.end)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("chrX:1-20", "my.fa has no contig 'chrX'; it has chr1, chr2, odd:1-500"),
        ("nowhere", "my.fa has no contig 'nowhere'"),
        ("chr1:abc", "is no region; write it as chr1:1,001-2,000"),
        ("chr1:500-400", "has no length: its end 400 is not behind its start 500"),
        ("chr1:500-500", "has no length"),
        ("chr1:0-400", "begins at 0, but bases count from 1"),
        ("chr1:3,900-4,001", "reaches out of chr1, which has 4,000 bases"),
        ("chr2", f"but a picture shows at most {MOST_BP:,}"),
    ],
)
def test_wrong_regions(given: str, words: str) -> None:
    with pytest.raises(GenezipError) as caught:
        parse_region(given, SIZES, "my.fa")
    assert words in str(caught.value) and ";" in str(caught.value)


def test_wrong_parts_and_cuts(model: Compressor, tmp_path: Path) -> None:
    for options, words in (
        ({"region": (5, 5)}, "the region 5-5 is not inside sequence"),
        ({"region": (0, 4_001)}, "which has 4,000 bases"),
        ({"mutate": True}, f"has 4,000 bases, but mutations are drawn of at most {MUTATE_BP}"),
        ({"mutate": True, "region": (10, 60), "at": 60}, "whose bases are 10 to 59"),
        ({"at": 4}, "no mutations are asked for"),
    ):
        with pytest.raises(GenezipError, match=words):
            model.plot(DNA, **options)
    fasta = tmp_path / "my.fa"
    fasta.write_text(f">c\n{DNA}\n")
    with pytest.raises(GenezipError, match="the bound causal cannot be set on the loaded model"):
        plot_region(fasta, "c:1-50", model, bound="causal")
    with pytest.raises(GenezipError, match="-1 bases cannot be read before a region"):
        plot_region(fasta, "c:1-50", model, flank=-1)


def test_the_caption_says_how_a_region_was_read(model: Compressor, tmp_path: Path) -> None:
    fasta = tmp_path / "my.fa"
    fasta.write_text(f">c\n{DNA}\n")
    for region, flank, words in (
        ("c:1,001-1,050", 300, "stream that begins 300 bp before the region"),
        (
            "c:1,001-1,050",
            12_800,
            "stream from the first base of the contig, 1,000 bp before the region.",
        ),
        ("c:1-50", 300, "stream from the first base of the contig."),
    ):
        assert words in plot_region(fasta, region, model, flank=flank).caption
    words = "in independent windows of 12,798 bp, as by genezip compress; the region begins"
    assert f"{words} with one." in plot_region(fasta, "c:1-50", "fixed:6").caption
    assert f"{words} 6 bp behind" in plot_region(fasta, "c:7-50", "fixed:6").caption


@pytest.mark.parametrize("indexed", [False, True])
def test_only_the_region_is_read_with_an_index(
    model: Compressor, tmp_path: Path, indexed: bool
) -> None:
    fasta = tmp_path / "my.fa"
    lines = [DNA[at : at + 60] for at in range(0, len(DNA), 60)]
    fasta.write_text(">a\nACGTACGT\n>c x\n" + "\n".join(lines) + "\n>d\nAC\n")
    if indexed:
        from genezip.formats.fasta import open_fasta

        open_fasta(fasta)
    picture = plot_region(fasta, "c:3,901-4,000", model)
    assert ">bases<" in picture.svg
    assert (tmp_path / "my.fa.fai").exists() == indexed
    drawn = model.plot(DNA, region=(3_900, 4_000), name="c")
    assert picture.title == drawn.title


@pytest.mark.parametrize(
    ("length", "bin_bp", "window_bp", "letters"),
    [(60, 1, 10, True), (200, 1, 10, False), (5_000, 5, 100, False), (100_000, 100, 1_000, False)],
)
def test_detail_follows_the_length(length: int, bin_bp: int, window_bp: int, letters: bool) -> None:
    assert panels.prob_bin_bp(length) == bin_bp
    assert panels.bpt_window_bp(length) == window_bp
    assert (panels.letter_pt(length) is not None) == letters


def test_many_chunks_are_shades() -> None:
    picture = gz.load("fixed:1").plot(random_dna(20_000, 3))
    assert "Chunks are too many for boxes: the darker, the more begin in 20 bp." in picture.caption
    assert "chunk starts" in picture.svg and "(kb)" in picture.svg


def test_models_are_used_without_matplotlib() -> None:
    program = (
        "import sys, genezip as gz\n"
        "gz.load('fixed:3').encode(['ACGTTT'])[0]\n"
        "gz.Compressed, gz.load, gz.PlainCompressor.plot\n"
        "sys.exit('matplotlib' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or "matplotlib was loaded"
