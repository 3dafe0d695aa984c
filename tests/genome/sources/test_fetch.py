"""fetch: the order of sources, the mirror, your own files, and wrong inputs."""

import gzip
import json
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from toolkit.command_line import call, tree

from genezip.config import Genome
from genezip.formats.fasta import read_records
from genezip.genome.sources.fetch import fetch
from genezip.genome.sources.mirror import USED
from genezip.genome.sources.source import Source
from genezip.genome.sources.splits import demo_regions, read_regions, split_of

TINY = {"chromosome_bp": [20_000], "valid": [], "test": []}


@pytest.mark.parametrize(
    ("chrom", "marked", "expected"),
    [
        ("chr9", "train", "test"),
        ("chr9", "valid", "test"),
        ("chr1", "valid", "valid"),
        ("chr1", "test", "train"),
        ("chr2", "train", "train"),
        ("chr5", "train", "valid"),
    ],
)
def test_whole_chromosomes_are_held_out(chrom: str, marked: str, expected: str) -> None:
    assert split_of(chrom, marked, Genome(test=["chr9"], valid=["chr5"])) == expected


# --- the mirror ---


@pytest.fixture(scope="module")
def real(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Source:
    out = tmp_path_factory.mktemp("real")
    return fetch(Genome(selection="demo", sources=["mirror"]), out, mirror)


def test_mirror_segments(real: Source, mirror: Path) -> None:
    rows = [r.split("\t") for r in (real.folder / "pieces.tsv").read_text().splitlines()[1:]]
    splits = [row[4] for row in rows]
    assert [splits.count(s) for s in ("train", "valid", "test")] == [52, 11, 9]
    by_name = {row[0]: row for row in rows}
    assert by_name["chr9:10000-1000000"][4:] == ["test", "genes", "1", "0", "1"]
    assert by_name["chr1:10000-1000000"][4:] == ["valid", "genes", "0", "0", "1"]
    assert by_name["chr21:21999999-23000000"][4:] == ["train", "genes", "1", "1", "1"]
    assert by_name["chr8:20831786-20962858"][4:] == ["test", "refseq", "0", "0", "1"]
    assert by_name["chr3:112416102-112547174"][4] == "train"  # marked test, not held out
    assert {row[1] for row in rows if row[4] == "test"} == {"chr8", "chr9", "chr10"}
    regions = read_regions(mirror / "demo/splits.bed")
    assert len(rows) == len(regions) + 65


def test_mirror_sequence_is_that_of_the_slices(real: Source, mirror: Path) -> None:
    """Segments against the per-chromosome files of the mirror, which fetch does not read."""
    segments = dict(read_records(real.folder / "pieces.fa"))
    chr9 = dict(read_records(mirror / "sequence/chr9_0-1000000.hg38.softmasked.fa.gz"))["chr9"]
    assert segments["chr9:10000-1000000"] == chr9[10_000:1_000_000]
    chr1 = dict(read_records(mirror / "sequence/chr1_0-1000000.hg38.fa.gz"))["chr1"]
    assert segments["chr1:10000-1000000"] == chr1[10_000:1_000_000]
    assert segments["chr9:10000-1000000"].count(b"N") == 0
    unknown = {name: sequence.upper().count(b"N") for name, sequence in segments.items()}
    assert {name: count for name, count in unknown.items() if count} == {
        "chr1:10000-1000000": 150_000,
        "chr22:20012477-20645713": 42,
        "chr12:7051882-7182954": 1000,
    }


@pytest.mark.slow
def test_mirror_source_is_complete_and_repeatable(
    real: Source, mirror: Path, tmp_path: Path
) -> None:
    real.verify()
    assert real.chrom_sizes()["chr9"] == 138_394_717
    assert str(mirror) not in json.dumps(real.raw)  # the same bytes wherever the mirror lies
    settings = Genome(selection="demo", sources=["mirror"])
    again = fetch(settings, tmp_path / "a", mirror)
    assert (again.folder / "source.json").read_bytes() == (real.folder / "source.json").read_bytes()
    trf = gzip.decompress((real.folder / "trf.bed.gz").read_bytes()).splitlines()
    assert len(trf) == 2740 + 2998 - 1  # both tables, one header
    assert real.assembly().n_runs(real.assembly().segments[0])[0].size > 0
    assert set(real.annotation("refseq").tss()["chrom"]) >= {"chr8", "chr9", "chr10"}
    assert set(real.annotation("genes").tss()["chrom"]) == {
        "chr1",
        "chr2",
        "chr9",
        "chr21",
        "chr22",
    }


def test_regions_of_the_download_are_those_of_the_mirror(mirror: Path) -> None:
    ours = demo_regions(Genome())
    assert ours == [
        *read_regions(mirror / "demo/splits.bed"),
        *read_regions(mirror / "sequence/windows_131072bp.hg38.bed"),
    ]


@pytest.fixture
def copy(mirror: Path, tmp_path: Path) -> Path:
    """A copy of the files that are used, to be damaged."""
    for name in ("README.md", "demo/README.md", *USED):
        (tmp_path / "mirror" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(mirror / name, tmp_path / "mirror" / name)
    return tmp_path / "mirror"


@pytest.mark.parametrize("name", ["sequence/windows_131072bp.hg38.fa.gz", "demo/genes.gtf.gz"])
@pytest.mark.parametrize("how", ["altered", "truncated", "missing"])
def test_damaged_mirror(
    copy: Path, tmp_path: Path, name: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(data if how == "altered" else data[:-100])
    out = tmp_path / "out"
    assert call("simulate", "--out", out, "--chromosome-bp", 20_000) == 0
    before = tree(out)
    capsys.readouterr()
    settings = '{"selection": "demo", "sources": ["mirror", "simulated"]}'
    assert call("fetch", "--settings", settings, "--mirror", copy, "--out", out) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("genezip: ")
    assert printed.count("\n") == 1
    assert name in printed
    assert how in printed
    assert tree(out) == before


def test_a_mirror_that_is_not_there_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GENEZIP_MIRROR", str(tmp_path / "nowhere"))
    settings = {"selection": "demo", "sources": ["mirror", "simulated"], "simulation": TINY}
    assert call("fetch", "--settings", json.dumps(settings), "--out", tmp_path / "out") == 0
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert printed.startswith("source simulated: ")
    assert f"mirror: the folder {tmp_path / 'nowhere'} does not exist" in printed


def test_a_mirror_of_slices_does_not_serve_a_full_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--settings", '{"sources": ["mirror"]}', "--mirror", tmp_path)
    assert call("fetch", *arguments, "--out", tmp_path / "out") == 1
    assert "it holds slices, not the whole chromosomes" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# --- your own files ---

FASTA = ">one first\nACGTacgtNR\nACGTA\n>two\nGGGGCCCC\n>three\nTTTTT\n"
GTF = (
    'one\tx\texon\t2\t9\t.\t+\t.\tgene_id "g"; transcript_id "t";\n'
    'two\tx\texon\t1\t8\t.\t-\t.\tgene_id "h"; transcript_id "u";\n'
)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "x.fa").write_text(FASTA)
    (tmp_path / "my" / "x.gtf").write_text(GTF)
    return tmp_path


def files(**more: object) -> str:
    settings = {"build": "mine", "sources": ["files"], "fasta": "my/x.fa"}
    return json.dumps(settings | {"annotation": "my/x.gtf", "test": ["two"]} | more)


@pytest.mark.parametrize("packed", [False, True])
def test_own_files(own: Path, packed: bool) -> None:
    settings = files(valid=["three"])
    if packed:
        for name in ("x.fa", "x.gtf"):
            plain = own / "my" / name
            (own / "my" / f"{name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
            plain.unlink()
        settings = files(valid=["three"], fasta="my/x.fa.gz", annotation="my/x.gtf.gz")
    assert call("fetch", "--settings", settings, "--root", own, "--out", own / "out") == 0
    source = Source.load(own / "out" / "source.json")
    assembly = source.assembly()
    assert (source.kind, source.build) == ("files", "mine")
    assert [(p.name, p.split, p.soft_masked) for p in assembly.segments] == [
        ("one", "train", True),
        ("two", "test", False),
        ("three", "valid", False),
    ]
    assert assembly.chrom_sizes == {"one": 15, "two": 8, "three": 5}
    assert assembly.sequence(assembly.segments[0]).tobytes() == b"ACGTacgtNRACGTA"
    assert list(source.annotation("genes", transcripts="all").tss()["position"]) == [1, 7]
    assert source.rmsk() is None


def test_own_files_of_some_chromosomes(own: Path) -> None:
    settings = Genome.model_validate_json(files(chromosomes=["two", "three"]))
    source = fetch(settings, own / "out", root=own)
    assert [segment.name for segment in source.assembly().segments] == ["two", "three"]


@pytest.mark.parametrize(
    ("change", "text", "sentence"),
    [
        ({"fasta": None}, None, "the source `files` needs genome.fasta"),
        ({"fasta": "my/y.fa"}, None, "y.fa does not exist; check genome.fasta"),
        ({"annotation": "my/y.gtf"}, None, "y.gtf does not exist; check genome.annotation"),
        ({"annotation": "my/x.fa"}, None, "does not show its format"),
        ({"trf": "my/t.bed"}, None, "t.bed does not exist; check genome.trf"),
        (
            {"test": ["chr8", "chr9"]},
            None,
            "genome.test names chr8, chr9, which is not in {root}/my/x.fa; "
            "its contigs are one, two, three",
        ),
        ({"chromosomes": ["four"], "test": []}, None, "genome.chromosomes names four"),
        ({"test": ["one", "two", "three"]}, None, "no segment is left to train on"),
        ({}, ("x.fa", ">one\nACGJ\n>two\nACGTACGT\n"), "one has the letter 'J' at position 3"),
        ({}, ("x.fa", "ACGT\n"), "x.fa is not a FASTA"),
        ({}, ("x.fa", ""), "x.fa has no record"),
        ({}, ("x.fa", ">one\nAC\n>one\nAC\n"), "has the record one twice"),
        ({}, ("x.fa", ">one\nACGT\n>two\n"), "the contig two of {root}/my/x.fa is empty"),
        ({}, ("x.gtf", GTF.replace("one", "uno").replace("two", "due")), "no contig in common"),
        ({}, ("x.gtf", GTF.replace("\t9\t", "\t90\t")), "wrong build"),
        ({"unknown": 1}, None, "unknown key 'unknown'"),
    ],
)
def test_wrong_user_files(
    own: Path,
    change: dict[str, object],
    text: tuple[str, str] | None,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if text:
        (own / "my" / text[0]).write_text(text[1])
    status = call("fetch", "--settings", files(**change), "--root", own, "--out", own / "out")
    printed = capsys.readouterr().err
    assert status == 1
    assert sentence.format(root=own) in printed
    assert printed.startswith("genezip: ")
    assert printed.count("\n") == 1
    assert not (own / "out").exists()
    assert sorted(path.name for path in own.iterdir()) == ["my"]


@pytest.mark.parametrize("name", ["x.fa", "x.gtf"])
def test_truncated_gzip_is_named(own: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    packed = gzip.compress((own / "my" / name).read_bytes())
    (own / "my" / f"{name}.gz").write_bytes(packed[:-12])
    key = "fasta" if name == "x.fa" else "annotation"
    settings = files(**{key: f"my/{name}.gz"})
    assert call("fetch", "--settings", settings, "--root", own, "--out", own / "out") == 1
    assert f"{name}.gz is a truncated or broken gzip file" in capsys.readouterr().err
    assert not (own / "out").exists()


# --- nothing half-written ---


@contextmanager
def small_files() -> Iterator[None]:
    """A file may grow to 16 kB only: writing more fails as on a full disk."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)


def test_disk_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    with small_files():  # no longer than the call: the test runner writes files, too
        assert call("simulate", "--out", out, "--chromosome-bp", 100_000) == 1
    printed = capsys.readouterr().err
    assert f"cannot write into {out}: File too large; free space" in printed
    assert list(tmp_path.iterdir()) == []


def test_simulate_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = [option for _ in range(3) for option in ("--chromosome-bp", "20000")]
    for name in ("a", "b"):
        assert call("simulate", "--out", tmp_path / name, "--seed", 5, *sizes) == 0
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    source = Source.load(tmp_path / "a" / "source.json")
    assert [segment.split for segment in source.assembly().segments] == ["train", "valid", "test"]
    assert "seed 5" in capsys.readouterr().err


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    """A real child is interrupted while it writes."""
    out = tmp_path / "out"
    code = (
        "import os, signal\n"
        "from genezip import cli\n"
        "from genezip.genome.sources.layout import Draft\n"
        "write = Draft.write_gzip\n"
        "def slow(*a):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return write(*a)\n"
        "Draft.write_gzip = slow\n"
        f"cli.main(['simulate', '--out', {str(out)!r}, '--chromosome-bp', '20000'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_links_in_the_folder_of_a_source_stay(tmp_path: Path) -> None:
    """The folder itself, and files that were moved to another disk and linked."""
    (tmp_path / "resources").symlink_to("far/resources")
    settings = Genome(sources=["simulated"], simulation=TINY)  # type: ignore[arg-type]
    fetch(settings, tmp_path / "resources")
    first = tree(tmp_path / "far" / "resources")
    for name in ("pieces.fa", "source.json"):
        (tmp_path / "far" / "resources" / name).rename(tmp_path / name)
        (tmp_path / "far" / "resources" / name).symlink_to(tmp_path / name)
        (tmp_path / name).write_bytes(b"")
    fetch(settings, tmp_path / "resources")
    assert (tmp_path / "resources").is_symlink()
    for name in ("pieces.fa", "source.json"):
        assert (tmp_path / "resources" / name).is_symlink()
        assert not (tmp_path / name).is_symlink()
    assert tree(tmp_path / "far" / "resources") == first
