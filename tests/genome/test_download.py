"""Downloads against a local server that breaks off, stalls, lies and refuses."""

import gzip
import hashlib
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from genezip.config import Genome
from genezip.errors import GenezipError
from genezip.genome import ucsc
from genezip.genome.assembly import Piece
from genezip.genome.download import Http, download, first_byte
from genezip.genome.fetch import fetch
from genezip.genome.public import broken_gzip
from genezip.genome.source import Source, SourceUnavailable

DATA = bytes(range(256)) * 40  # 10,240 bytes
SHA = hashlib.sha256(DATA).hexdigest()
HTTP = Http(timeout_s=0.4, attempts=3, backoff_s=0.0, pause_s=0.0)


class Handler(BaseHTTPRequestHandler):
    """The first word of the path says how to behave."""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        seen, files = self.server.seen, self.server.files  # type: ignore[attr-defined]
        path = urlsplit(self.path).path.strip("/")
        seen[path] += 1
        ranged = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        self.server.ranges.append((path, ranged))  # type: ignore[attr-defined]
        body, begin = files.get(path, DATA), ranged
        if path == "missing":
            self.send_error(404)
            return
        if path == "busy" and seen[path] <= 2:
            self.send_response(503)
            self.send_header("Retry-After", "0")
            self.end_headers()
            return
        if path.startswith("wrong"):
            body = b"X" + body[1:]
        if path == "ignores-range":
            begin = 0
        if path == "getData":
            ask = parse_qs(urlsplit(self.path).query.replace(";", "&"))
            low, high = int(ask["start"][0]), int(ask["end"][0])
            body, begin = json.dumps({"dna": region_dna(low, high)}).encode(), 0
        if begin >= len(body) and ranged:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.end_headers()
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - begin))
        self.end_headers()
        if path in ("truncates", "ignores-range") and seen[path] <= 2:
            self.wfile.write(body[begin : begin + 4000])
        elif path == "always-truncates":
            self.wfile.write(body[begin : begin + 100] if not begin else b"")
        elif path == "stalls" and seen[path] == 1:
            self.wfile.write(body[:5000])
            self.wfile.flush()
            time.sleep(1.0)
        elif path == "silent":
            time.sleep(1.0)
        else:
            self.wfile.write(body[begin:])


def region_dna(start: int, end: int) -> str:
    """Position i has the base that i modulo 8 says; four of them lower case."""
    return ("ACGTacgt" * ((end - start) // 8 + 2))[start % 8 :][: end - start]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    httpd.seen, httpd.ranges, httpd.files = Counter(), [], {}  # type: ignore[attr-defined]
    threading.Thread(
        target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    ).start()
    yield httpd
    httpd.shutdown()
    httpd.server_close()


def url(server: ThreadingHTTPServer, path: str) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/{path}"


@pytest.mark.parametrize("how", ["plain", "truncates", "stalls", "busy", "ignores-range"])
def test_a_file_arrives_whole(server: ThreadingHTTPServer, tmp_path: Path, how: str) -> None:
    download(url(server, how), tmp_path / "f", SHA, len(DATA), http=HTTP)
    assert (tmp_path / "f").read_bytes() == DATA
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_resume_asks_only_for_what_is_missing(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    download(url(server, "truncates"), tmp_path / "f", SHA, http=HTTP)
    assert server.ranges == [("truncates", 0), ("truncates", 4000), ("truncates", 8000)]  # type: ignore[attr-defined]


def test_resume_goes_on_after_an_interruption(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(DATA[:7000])
    download(url(server, "plain"), tmp_path / "f", SHA, http=HTTP)
    assert (tmp_path / "f").read_bytes() == DATA
    assert server.ranges == [("plain", 7000)]  # type: ignore[attr-defined]


def test_a_partial_file_that_is_already_whole_is_taken(
    server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    (tmp_path / "f.part").write_bytes(DATA)
    download(url(server, "plain"), tmp_path / "f", SHA, http=HTTP)
    assert (tmp_path / "f").read_bytes() == DATA


def test_a_stale_partial_file_is_thrown_away_once(
    server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    (tmp_path / "f.part").write_bytes(b"another release" * 10)
    download(url(server, "plain"), tmp_path / "f", SHA, http=HTTP)
    assert (tmp_path / "f").read_bytes() == DATA


def test_a_wrong_byte_is_refused_by_name(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match=r"/wrong \(for f\) has a wrong checksum") as error:
        download(url(server, "wrong"), tmp_path / "f", SHA, http=HTTP)
    assert not isinstance(error.value, SourceUnavailable)  # no other source may hide it
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("how", "reason"),
    [("missing", "HTTP 404"), ("always-truncates", "broke off"), ("silent", "3 times in a row")],
)
def test_a_server_that_never_delivers(
    server: ThreadingHTTPServer, tmp_path: Path, how: str, reason: str
) -> None:
    with pytest.raises(SourceUnavailable, match=reason):
        download(url(server, how), tmp_path / "f", http=HTTP)
    assert not (tmp_path / "f").exists()


def test_a_truncated_gzip_is_noticed(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    server.files["x.gz"] = gzip.compress(DATA)[:-9]  # type: ignore[attr-defined]
    with pytest.raises(SourceUnavailable, match=r"x\.gz is a truncated or damaged gzip file"):
        download(url(server, "x.gz"), tmp_path / "f", check=broken_gzip, http=HTTP)
    assert list(tmp_path.iterdir()) == []


def test_offline_is_one_sentence(server: ThreadingHTTPServer) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        began = time.monotonic()
        said = first_byte([closed, url(server, "silent")], timeout_s=0.2)
        assert said is not None
        assert "refused" in said
        assert "no" in said.split(";")[1]
        assert time.monotonic() - began < 0.9
        assert first_byte([closed, url(server, "plain")], timeout_s=2) is None
        assert first_byte([url(server, "missing")], timeout_s=2) is None  # it did answer


# --- the whole source `download` from a table that points at the local server ---

PIECE = Piece("c:100-200", "c", 100, 200, "train", "gencode", True, True, True)
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
def table(server: ThreadingHTTPServer, tmp_path: Path) -> Path:
    for name, text in (("g.gtf.gz", GTF), ("r.gz", RMSK), ("t.gz", TRF), ("f.gz", FASTA)):
        server.files[name] = gzip.compress(text.encode(), mtime=0)  # type: ignore[attr-defined]
    rows = {
        "region": "getData?genome=hg38;chrom={chrom};start={start};end={end}",
        "genome": "f.gz",
        "annotation": "g.gtf.gz",
        "rmsk": "r.gz",
        "trf": "t.gz",
    }
    lines = ["# a comment", "name\turl\trelease\tsha256\tbytes\tlicence\twhat"]
    for name, path in rows.items():
        lines.append(f"{name}\t{url(server, path)}\trelease 1\t-\t-\topen\t{name}")
    lines.insert(2, f"rmsk\t{url(server, 'missing')}\trelease 1\t-\t-\topen\tfirst try")
    path = tmp_path / "sources.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


DEMO = Genome(selection="demo", sources=["download"], chromosomes=["chr20", "chr10"])


def test_download_of_the_demo(server: ThreadingHTTPServer, table: Path, tmp_path: Path) -> None:
    said: list[str] = []
    out = tmp_path / "resources"
    source = fetch(DEMO, out, table=table, say=said.append, http=HTTP)
    source.verify()
    assert source.kind == "download"
    assert len(said) == 1
    assembly = source.assembly()
    assert [(p.name, p.split, p.soft_masked) for p in assembly.pieces] == [
        ("chr10:61134728-61265800", "test", True),
        ("chr10:26322704-26453776", "test", True),
        ("chr20:20218655-20349727", "train", True),
        ("chr10:87154435-87285507", "test", True),
    ]
    piece = assembly.pieces[2]
    assert assembly.sequence(piece).tobytes().decode() == region_dna(piece.start, piece.end)
    assert assembly.chrom_sizes["chr20"] == 64_444_167
    gtf = gzip.decompress((out / "gencode.gtf.gz").read_bytes()).decode()
    assert [line.split("\t")[0] for line in gtf.splitlines()] == ["##description: test", "chr20"]
    trf = gzip.decompress((out / "trf.bed.gz").read_bytes()).decode().splitlines()
    assert trf[1].startswith("chr20\t20218655\t20218755\ttrf\t6\t16.7\t")
    assert len(trf) == 2

    requests = sum(server.seen.values())  # type: ignore[attr-defined]
    again = fetch(DEMO, out, table=table, say=said.append, http=HTTP)
    # only the two questions whether anyone answers, and the alternative that is never there
    assert sum(server.seen.values()) <= requests + 3  # type: ignore[attr-defined]
    assert again.raw == source.raw


def test_rmsk_table_becomes_out_rows(tmp_path: Path) -> None:
    path = tmp_path / "rmsk.txt.gz"
    path.write_bytes(gzip.compress(RMSK.encode()))
    window = Piece("w", "chr20", 20_218_655, 20_349_727, "train", "g", True, True, True)
    rows = b"".join(ucsc.rmsk_rows(path, ucsc.overlaps([window]))).decode().splitlines()[3:]
    assert rows == [
        "463 1.3 0.6 1.7 chr20 20218601 20218700 (44226117) + (CCCTAA)n Simple_repeat 1 463 (0) 1",
        "3612 11.4 21.5 1.3 chr20 20218801 20219000 (44225567) C AluY SINE/Alu (199) 285 1 2",
    ]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 100, False), (0, 101, True), (199, 300, True), (200, 300, False), (0, 500, True)],
)
def test_overlap_is_half_open(start: int, end: int, expected: bool) -> None:
    assert ucsc.overlaps([PIECE])(b"c", start, end) is expected
    assert not ucsc.overlaps([PIECE])(b"d", start, end)


def test_download_of_whole_chromosomes(table: Path, tmp_path: Path) -> None:
    settings = Genome(sources=["download"], chromosomes=["one", "two"], test=["two"])
    source = fetch(settings, tmp_path / "out", table=table, say=lambda _: None, http=HTTP)
    assembly = source.assembly()
    assert assembly.chrom_sizes == {"one": 13, "two": 4}
    assert [(p.name, p.start, p.end, p.split) for p in assembly.pieces] == [
        ("one", 0, 13, "train"),
        ("two", 0, 4, "test"),
    ]
    assert assembly.sequence(assembly.pieces[0]).tobytes() == b"ACGTacgtNNACG"


def test_a_chromosome_of_another_length_is_another_build(
    server: ThreadingHTTPServer, table: Path, tmp_path: Path
) -> None:
    server.files["f.gz"] = gzip.compress(b">chr1\nACGT\n")  # type: ignore[attr-defined]
    settings = Genome(sources=["download"], chromosomes=["chr1"])
    with pytest.raises(GenezipError, match=r"chr1 .* has 4 bases, GRCh38 has 248956422"):
        fetch(settings, tmp_path / "out", table=table, say=lambda _: None, http=HTTP)
    assert not (tmp_path / "out" / "source.json").exists()


def test_an_altered_download_is_fetched_again(
    server: ThreadingHTTPServer, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    source = fetch(DEMO, out, table=table, say=lambda _: None, http=HTTP)
    kept = next((out / "downloads").glob("*g.gtf.gz"))
    kept.write_bytes(kept.read_bytes()[:-3] + b"xyz")
    before = server.seen["g.gtf.gz"]  # type: ignore[attr-defined]
    again = fetch(DEMO, out, table=table, say=lambda _: None, http=HTTP)
    assert server.seen["g.gtf.gz"] == before + 1  # type: ignore[attr-defined]
    assert again.raw == source.raw
    Source.load(out / "source.json").verify()


def test_offline_falls_back_to_the_next_source(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{unused.getsockname()[1]}"
        lines = ["name\turl\trelease\tsha256\tbytes\tlicence\twhat"]
        names = ("region", "annotation", "rmsk", "trf")
        lines += [f"{name}\t{base}/{name}\tr\t-\t-\topen\tx" for name in names]
        (tmp_path / "s.tsv").write_text("\n".join(lines) + "\n")
        said: list[str] = []
        settings = Genome.model_validate(
            {
                "selection": "demo",
                "sources": ["mirror", "download", "simulated"],
                "simulation": {"chromosome_bp": [20_000], "valid": [], "test": []},
            }
        )
        source = fetch(settings, tmp_path / "out", None, tmp_path, tmp_path / "s.tsv", said.append)
        assert source.kind == "simulated"
        assert len(said) == 1
        assert "\n" not in said[0]
        assert "mirror: no folder named" in said[0]
        assert "download: offline (127.0.0.1" in said[0]
        assert not (tmp_path / "out" / "downloads").exists()
        only = settings.model_copy(update={"sources": ["mirror", "download"]})
        with pytest.raises(GenezipError, match=r"no source .* could be had; mirror: .*offline"):
            fetch(only, tmp_path / "out2", None, tmp_path, tmp_path / "s.tsv", said.append)
        assert not (tmp_path / "out2").exists()
