"""The source `download` from a table that points at a local server."""

import gzip
import json
import shutil
import socket
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genezip import cli
from genezip.config import Genome
from genezip.download.transfer import Http
from genezip.errors import GenezipError
from genezip.formats.repeatmasker import rmsk_rows
from genezip.genome.assembly import Segment
from genezip.genome.sources.fetch import fetch, plan_download
from genezip.genome.sources.public import overlaps
from genezip.genome.sources.source import Source

HTTP = Http(timeout_s=0.4, attempts=3, backoff_s=0.0, pause_s=0.0, size_timeout_s=0.4)


def region_dna(start: int, end: int) -> str:
    """As the local server sends it."""
    return ("ACGTacgt" * ((end - start) // 8 + 2))[start % 8 :][: end - start]


SEGMENT = Segment("c:100-200", "c", 100, 200, "train", "gencode", True, True, True)
RMSK = (
    "585\t463\t13\t6\t17\tchr20\t20218600\t20218700\t-44226117\t+\t(CCCTAA)n\tSimple_repeat\t"
    "Simple_repeat\t1\t463\t0\t1\n"
    "585\t3612\t114\t215\t13\tchr20\t20218800\t20219000\t-44225567\t-\tAluY\tSINE\tAlu\t-199\t"
    "285\t1\t2\n"
    "585\t3612\t114\t215\t13\tchr20\t100\t200\t-44225567\t-\tfar_away\tSINE\tAlu\t-199\t285\t1\t2\n"
)
TRF = (
    "585\tchr20\t20218655\t20218755\ttrf\t6\t16.7\t6\t95\t3\t200\t33\t51\t0\t15\t1.43\tTAACCC\n"
    "585\tchr1\t10000\t10468\ttrf\t6\t77.2\t6\t95\t3\t789\t33\t51\t0\t15\t1.43\tTAACCC\n"
)
GTF = (
    "##description: test\n"
    'chr20\tX\texon\t20218700\t20218900\t.\t+\t.\tgene_id "g"; transcript_id "t"; tag "basic";\n'
    'chr1\tX\texon\t700\t900\t.\t+\t.\tgene_id "h"; transcript_id "u"; tag "basic";\n'
)
FASTA = ">one x\nACGTacgtNN\nACG\n>two\nGGCC\n>three\nTTTT\n"


@pytest.fixture
def table(server: Any, tmp_path: Path) -> Path:
    for name, text in (("g.gtf.gz", GTF), ("r.gz", RMSK), ("t.gz", TRF), ("f.gz", FASTA)):
        server.files[name] = gzip.compress(text.encode(), mtime=0)
    ask = "getData?genome=hg38;chrom={chrom};start={start};end={end}"
    path: Path = server.table(
        tmp_path / "sources.tsv",
        "rmsk r.gz missing 1 - -",
        f"region regions/{{chrom}}_{{start}}_{{end}}.json {ask} 1 - -",
        "genome - f.gz 1 - -",
        "annotation - g.gtf.gz 1 - -",
        "rmsk - r.gz 1 - -",
        "trf - t.gz 1 - -",
    )
    return path


DEMO = Genome(
    selection="demo", sources=["download"], chromosomes=["chr20", "chr10"], test=["chr10"]
)


def test_download_of_the_demo(
    server: Any, table: Path, tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    out = tmp_path / "resources"
    source = fetch(DEMO, out, table=table, http=HTTP)
    source.verify()
    assert source.kind == "download"
    assert [text for text in messages() if text.startswith("source ")] == [
        f"source download: {source.description}"
    ]
    assembly = source.assembly()
    assert [(p.name, p.split, p.soft_masked) for p in assembly.segments] == [
        ("chr10:61134728-61265800", "test", True),
        ("chr10:26322704-26453776", "test", True),
        ("chr20:20218655-20349727", "train", True),
        ("chr10:87154435-87285507", "test", True),
    ]
    segment = assembly.segments[2]
    assert assembly.sequence(segment).tobytes().decode() == region_dna(segment.start, segment.end)
    assert assembly.chrom_sizes["chr20"] == 64_444_167
    gtf = gzip.decompress((out / "gencode.gtf.gz").read_bytes()).decode()
    assert [line.split("\t")[0] for line in gtf.splitlines()] == ["##description: test", "chr20"]
    trf = gzip.decompress((out / "trf.bed.gz").read_bytes()).decode().splitlines()
    assert trf[1].startswith("chr20\t20218655\t20218755\ttrf\t6\t16.7\t")
    assert len(trf) == 2

    requests = server.requests()
    again = fetch(DEMO, out, table=table, http=HTTP)
    assert server.requests() == requests
    assert again.raw == source.raw


@pytest.mark.parametrize("selection", ["demo", "full"])
def test_what_is_there_is_used_without_a_network(
    server: Any, table: Path, tmp_path: Path, selection: str
) -> None:
    settings = DEMO if selection == "demo" else FULL
    simulation = {"chromosome_bp": [20_000], "valid": [], "test": []}
    settings = Genome.model_validate(
        settings.model_dump() | {"sources": ["download", "simulated"], "simulation": simulation}
    )
    source = fetch(settings, tmp_path / "out", table=table, http=HTTP)
    server.shutdown()
    server.server_close()
    again = fetch(settings, tmp_path / "out", table=table, http=HTTP)
    assert again.kind == "download"
    assert again.raw == source.raw


@pytest.mark.parametrize("dna", [None, ["A"] * 131_072])
def test_an_answer_without_bases_is_one_sentence(
    server: Any, table: Path, tmp_path: Path, dna: object
) -> None:
    settings = DEMO.model_copy(update={"chromosomes": ["chr20"], "test": []})
    fetch(settings, tmp_path / "out", table=table, http=HTTP)
    shutil.rmtree(tmp_path / "out" / "downloads")
    server.files["null"] = json.dumps({"dna": dna}).encode()
    table.write_text(table.read_text().replace("getData?", "null?"))
    with pytest.raises(GenezipError, match="did not send the sequence of chr20:"):
        fetch(settings, tmp_path / "out", table=table, http=HTTP)


def test_rmsk_table_becomes_out_rows(tmp_path: Path) -> None:
    path = tmp_path / "rmsk.txt.gz"
    path.write_bytes(gzip.compress(RMSK.encode()))
    window = Segment("w", "chr20", 20_218_655, 20_349_727, "train", "g", True, True, True)
    rows = b"".join(rmsk_rows(path, overlaps([window]))).decode().splitlines()[3:]
    assert rows == [
        "463 1.3 0.6 1.7 chr20 20218601 20218700 (44226117) + (CCCTAA)n Simple_repeat 1 463 (0) 1",
        "3612 11.4 21.5 1.3 chr20 20218801 20219000 (44225567) C AluY SINE/Alu (199) 285 1 2",
    ]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 100, False), (0, 101, True), (199, 300, True), (200, 300, False), (0, 500, True)],
)
def test_overlap_is_half_open(start: int, end: int, expected: bool) -> None:
    assert overlaps([SEGMENT])(b"c", start, end) is expected
    assert not overlaps([SEGMENT])(b"d", start, end)


def test_download_of_whole_chromosomes(table: Path, tmp_path: Path) -> None:
    settings = Genome(sources=["download"], chromosomes=["one", "two"], test=["two"])
    source = fetch(settings, tmp_path / "out", table=table, http=HTTP)
    assembly = source.assembly()
    assert assembly.chrom_sizes == {"one": 13, "two": 4}
    assert [(p.name, p.start, p.end, p.split) for p in assembly.segments] == [
        ("one", 0, 13, "train"),
        ("two", 0, 4, "test"),
    ]
    assert assembly.sequence(assembly.segments[0]).tobytes() == b"ACGTacgtNNACG"


def test_a_chromosome_of_another_length_is_another_build(
    server: Any, table: Path, tmp_path: Path
) -> None:
    server.files["f.gz"] = gzip.compress(b">chr1\nACGT\n")
    settings = Genome(sources=["download"], chromosomes=["chr1"])
    with pytest.raises(GenezipError, match=r"chr1 .* has 4 bases, GRCh38 has 248956422"):
        fetch(settings, tmp_path / "out", table=table, http=HTTP)
    assert not (tmp_path / "out" / "source.json").exists()


def test_an_altered_download_is_fetched_again(server: Any, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    source = fetch(DEMO, out, table=table, http=HTTP)
    kept = next((out / "downloads").glob("*g.gtf.gz"))
    kept.write_bytes(kept.read_bytes()[:-3] + b"xyz")
    before = server.seen["g.gtf.gz"]
    again = fetch(DEMO, out, table=table, http=HTTP)
    assert server.seen["g.gtf.gz"] == before + 1
    assert again.raw == source.raw
    Source.load(out / "source.json").verify()


def test_offline_falls_back_to_the_next_source(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{unused.getsockname()[1]}"
        lines = ["name\tpath\turl\trelease\tchecksum\tbytes\tlicence\tcitation\twhat"]
        names = ("region", "annotation", "rmsk", "trf")
        lines += [f"{name}\t-\t{base}/{name}\tr\t-\t-\topen\tus\tx" for name in names]
        (tmp_path / "s.tsv").write_text("\n".join(lines) + "\n")
        settings = Genome.model_validate(
            {
                "selection": "demo",
                "sources": ["mirror", "download", "simulated"],
                "simulation": {"chromosome_bp": [20_000], "valid": [], "test": []},
            }
        )
        source = fetch(settings, tmp_path / "out", None, tmp_path, tmp_path / "s.tsv")
        assert source.kind == "simulated"
        (message,) = messages()
        assert "\n" not in message
        assert "mirror: no folder named" in message
        assert "download: offline (127.0.0.1" in message
        assert not (tmp_path / "out" / "downloads").exists()
        only = settings.model_copy(update={"sources": ["mirror", "download"]})
        with pytest.raises(GenezipError, match=r"no source .* is available; mirror: .*offline"):
            fetch(only, tmp_path / "out2", None, tmp_path, tmp_path / "s.tsv")
        assert not (tmp_path / "out2").exists()


# --- the lock, room, plans and files fetched elsewhere ---

FULL = Genome(sources=["download"], chromosomes=["one", "two"], test=["two"])


def test_regions_come_again_although_their_answers_tell_the_time(
    server: Any, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    source = fetch(DEMO, out, table=table, http=HTTP)
    shutil.rmtree(out / "downloads")
    again = fetch(DEMO, out, table=table, http=HTTP)
    assert again.raw == source.raw
    assert (out / "downloads.lock.json").exists()


def test_a_changed_release_is_refused(server: Any, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    fetch(FULL, out, table=table, http=HTTP)
    before = (out / "source.json").read_bytes()
    shutil.rmtree(out / "downloads")
    server.files["r.gz"] = gzip.compress(RMSK.replace("AluY", "AluZ").encode(), mtime=0)
    with pytest.raises(GenezipError, match=r"r\.gz\) is another file .*downloads\.lock\.json\)"):
        fetch(FULL, out, table=table, http=HTTP)
    assert (out / "source.json").read_bytes() == before


def test_a_full_disk_is_told_before_the_start(
    server: Any, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10, 0, 10))
    with pytest.raises(GenezipError, match=r"bytes are needed at .* and 10 bytes are free"):
        fetch(FULL, tmp_path / "out", table=table, http=HTTP)
    assert server.seen["t.gz"] == 0
    assert not (tmp_path / "out").exists()
    assert plan_download(FULL, tmp_path / "out", table=table, http=HTTP)[-1].startswith("warning: ")


def test_the_plan_of_a_run(server: Any, table: Path, tmp_path: Path) -> None:
    lines = plan_download(FULL, tmp_path / "out", table=table, http=HTTP)
    sizes = {name: len(server.files[name]) for name in ("f.gz", "g.gtf.gz", "r.gz", "t.gz")}
    assert lines[0] == f"genome: f.gz: to come, {sizes['f.gz']} bytes"
    assert lines[1] == f"    {server.url('f.gz')}"
    assert f"rmsk: r.gz: to come, {sizes['r.gz']} bytes" in lines  # the second server tells
    assert lines[-1].startswith(f"total: {sum(sizes.values())} bytes to write")
    assert sum(server.seen.values()) == 0
    assert not (tmp_path / "out").exists()
    fetch(FULL, tmp_path / "out", table=table, http=HTTP)
    lines = plan_download(FULL, tmp_path / "out", table=table, http=HTTP)
    assert sum("already here" in line for line in lines) == 4
    assert lines[-1].startswith("total: 0 bytes to write; free disk")
    only = FULL.model_copy(update={"sources": ["simulated"]})
    assert plan_download(only, tmp_path) == ["nothing is downloaded: genome.sources is simulated"]
    first = FULL.model_copy(update={"sources": ["mirror", "download"]})
    assert plan_download(first, tmp_path, table=table, http=HTTP)[0].startswith(
        "only if the source mirror"
    )


@pytest.mark.parametrize("settings", [DEMO, FULL], ids=["demo", "full"])
def test_files_fetched_elsewhere_give_the_same_source(
    server: Any, table: Path, tmp_path: Path, settings: Genome
) -> None:
    source = fetch(settings, tmp_path / "a", table=table, http=HTTP)
    carried = tmp_path / "carried"
    shutil.copytree(tmp_path / "a" / "downloads", carried / "deep")
    requests = server.requests()
    kept = {path: path.read_bytes() for path in carried.rglob("*") if path.is_file()}
    again = fetch(settings, tmp_path / "b", table=table, http=HTTP, fetched=carried)
    for found in (again, source):  # nobody knows which of two servers a carried file is from
        for file in found.raw["files"]:
            file["origin"] = file["origin"].replace("/missing", "/r.gz")
    assert again.raw == source.raw
    assert server.requests() == requests
    assert {path: path.read_bytes() for path in carried.rglob("*") if path.is_file()} == kept
    lines = plan_download(settings, tmp_path / "c", table=table, http=HTTP, fetched=carried)
    assert any(f"in {carried / 'deep'}" in line for line in lines)
    for name in ("g.gtf.gz", "t.gz"):
        (carried / "deep" / name).unlink()
    both = settings.model_copy(update={"sources": ["download", "simulated"]})
    with pytest.raises(GenezipError, match=r"lacks g\.gtf\.gz, t\.gz; add them"):
        fetch(both, tmp_path / "d", table=table, http=HTTP, fetched=carried)
    assert not (tmp_path / "d").exists()


def test_the_sequence_of_another_region_is_refused(table: Path, tmp_path: Path) -> None:
    path = tmp_path / "regions" / "chr20_20218655_20349727.json"
    path.parent.mkdir()
    other = {"chrom": "chr20", "start": 0, "end": 131_072, "dna": "A" * 131_072}
    path.write_text(json.dumps(other))
    settings = DEMO.model_copy(update={"chromosomes": ["chr20"], "test": []})
    for name in ("g.gtf.gz", "r.gz", "t.gz"):
        (tmp_path / name).write_bytes(gzip.compress(b""))
    with pytest.raises(GenezipError, match="sent chr20:0-131072 for chr20:20218655-20349727"):
        fetch(settings, tmp_path / "out", table=table, http=HTTP, fetched=tmp_path)


def test_the_command_takes_a_folder_from_the_environment(
    server: Any,
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "carried").mkdir()
    for name in ("f.gz", "g.gtf.gz", "r.gz", "t.gz"):
        (tmp_path / "carried" / name).write_bytes(server.files[name])
    monkeypatch.setenv("GENEZIP_FETCHED", str(tmp_path / "carried"))
    options = ["fetch", "--settings", FULL.model_dump_json(), "--sources", str(table)]
    for more in (["--plan"], []):
        with pytest.raises(SystemExit) as ended:
            cli.main([*options, "--out", str(tmp_path / "out"), *more])
        assert ended.value.code == 0
        assert (tmp_path / "out").exists() == (not more)
    assert server.requests() == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1].startswith("source download: ")
    assert printed.err.count("licence: 1: open; cite: us") == 1
