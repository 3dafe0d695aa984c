"""Real labels from public servers: fetched, cut to the genome, and left out where not to be had."""

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from toolkit.labels import missing

from genezip.cli import main
from genezip.config import Genome
from genezip.download.catalogue import SOURCES, read_sources
from genezip.download.transfer import Http
from genezip.errors import GenezipError
from genezip.genome.sources.fetch import fetch
from genezip.genome.sources.source import Source
from genezip.tasks.classification import elements
from genezip.tasks.label_files import (
    INTERVALS,
    LABELS,
    PublicLabels,
    elements_inside,
    fetch_labels,
)

HTTP = Http(timeout_s=0.4, attempts=1, backoff_s=0.0, pause_s=0.0, size_timeout_s=0.4)
PUBLIC = {
    part: made
    for part, deposit in LABELS.items()
    if any((made := {name: file.public for name, file in deposit.files.items()}).values())
}
PARTS = list(PUBLIC)
"""Part -> file that is measured -> public files that it is made of."""
SIMULATED = Genome.model_validate(
    {
        "sources": ["simulated"],
        "simulation": {"chromosome_bp": [20_000, 20_000], "valid": [], "test": []},
    }
)
INTERVAL_ROWS = {
    "train.promoter.csv.gz": [("sim1", 100, 104), ("sim1", 19_998, 20_003), ("chrX", 5, 9)],
    "test.enhancer.csv.gz": [("sim2", 0, 3)],
}


def content(part: str, name: str) -> bytes:
    """What the server sends for a file."""
    if part == "elements":
        rows = [f"{n},{r},{a},{b},\n" for n, (r, a, b) in enumerate(INTERVAL_ROWS.get(name, []))]
        return gzip.compress(("id,region,start,end,strand\n" + "".join(rows)).encode(), mtime=0)
    body = f"{part} {name}".encode()
    return gzip.compress(body, mtime=0) if name.endswith(".gz") else body


@pytest.fixture
def table(server: Any, tmp_path: Path) -> Path:
    """A table of sources whose rows are all on the local server."""
    rows = []
    for part, made in PUBLIC.items():
        for name in (one for names in made.values() for one in names):
            body = content(part, name)
            server.files[f"{part}/{name}"] = body
            digest = hashlib.sha256(body).hexdigest()
            rows.append(
                f"labels/{part}/{name} labels/{name} {part}/{name} 1 sha256:{digest} {len(body)}"
            )
    return server.table(tmp_path / "sources.tsv", *rows)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """A small genome that passes for GRCh38."""
    made = fetch(SIMULATED, tmp_path / "genome")
    raw = json.loads((tmp_path / "genome" / "source.json").read_text())
    (tmp_path / "genome" / "source.json").write_text(
        json.dumps(raw | {"source": "download", "build": "hg38"})
    )
    assert made.kind == "simulated"
    return Source.load(tmp_path / "genome" / "source.json")


@pytest.fixture
def public(table: Path, source: Source, tmp_path: Path) -> PublicLabels:
    return PublicLabels(table, tmp_path / "downloads", source, http=HTTP)


def test_every_part_comes_from_its_public_files(
    server: Any, public: PublicLabels, source: Source, tmp_path: Path
) -> None:
    listing = fetch_labels(None, PARTS, tmp_path / "out", public, source)
    raw = json.loads(listing.read_text())
    assert raw["reasons"] == {}
    names = {name for made in PUBLIC.values() for name in made}
    assert {entry["path"] for entry in raw["files"]} == names  # the same files as from a mirror
    for entry in raw["files"]:
        body = (listing.parent / entry["path"]).read_bytes()
        assert hashlib.sha256(body).hexdigest() == entry["sha256"]
        assert len(body) == entry["bytes"]
        (*others, published) = PUBLIC[entry["part"]][entry["path"]]
        if not others:  # sets are published as plain text and kept as gzip
            plain = body if published == entry["path"] else gzip.decompress(body)
            assert plain == content(entry["part"], published)
        assert entry["origin"].startswith("http://127.0.0.1") and entry["licence"] == "open"
    assert all(missing(listing, part) is None for part in PARTS)
    assert (tmp_path / "downloads.lock.json").is_file()

    asked = server.requests()
    again = fetch_labels(None, PARTS, tmp_path / "out", public, source)
    assert server.requests() == asked
    assert json.loads(again.read_text()) == raw


def test_elements_are_those_inside_the_segments_with_their_bases(
    public: PublicLabels, source: Source, tmp_path: Path
) -> None:
    public.get("elements", tmp_path)
    table = elements.read_elements(tmp_path / "elements.tsv.gz", 1_000_000)
    rows = table[["chrom", "start", "end", "label", "split"]].to_numpy().tolist()
    assert rows == [["sim1", 100, 104, "promoter", "train"], ["sim2", 0, 3, "enhancer", "test"]]
    assembly = source.assembly()
    for row in table.itertuples():
        segment = next(one for one in assembly.segments if one.chrom == row.chrom)
        own = assembly.sequence(segment, row.start, row.end).tobytes().decode().upper()
        assert row.sequence == own


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,start,end\n0,1,2\n", "lacks the columns region"),
        ("id,region,start,end,strand\n0,c,1,2,\n1,c,x,9,\n", "line 3 of .* is no interval"),
        ("id,region,start,end,strand\n0,c,5,5,\n", "line 2 of .* is no interval"),
        ("id,region,start,end,strand\n0,c,-5,5,\n", "line 2 of .* is no interval"),
        ("id,region,start,end,strand\n0,,1,5,\n", "line 2 of .* is no interval"),
        ("", "train.ocr.csv is empty; fetch the labels again"),
    ],
)
def test_a_damaged_interval_file_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "train.ocr.csv"
    path.write_text(text)
    with pytest.raises(GenezipError, match=message):
        elements_inside({("train", "ocr"): path}, None)  # type: ignore[arg-type]


def test_a_wrong_file_stops_the_run_and_leaves_nothing(
    server: Any, public: PublicLabels, tmp_path: Path
) -> None:
    server.files["contacts/hic.tsv.gz"] = content("contacts", "other.gz")
    with pytest.raises(GenezipError, match="hic"):
        fetch_labels(None, ["contacts"], tmp_path / "out", public)
    assert not (tmp_path / "out").exists()


def test_a_part_whose_server_has_nothing_is_left_out_alone(
    table: Path, public: PublicLabels, tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    table.write_text(table.read_text().replace("/contacts/hic.tsv.gz\t1", "/missing\t1"))
    parts = ["contacts", "enhancer_gene"]
    listing = fetch_labels(None, parts, tmp_path / "out", public)
    assert missing(listing, "enhancer_gene") is None
    reason = str(missing(listing, "contacts"))
    assert "GENEZIP_MIRROR is not set" in reason and "404" in reason
    assert "none for contacts" in messages()[-1] and "the report leaves them out" in messages()[-1]


def test_a_set_comes_without_the_file_that_is_in_no_public_place(
    public: PublicLabels, server: Any, tmp_path: Path
) -> None:
    body = b">x_1|1\nACGT\n"
    names = ("nt_H3.test.fna", "EMP_H3.dev.csv", "EMP_H3.test.csv")
    rows = [public.table.read_text().rstrip("\n")]
    for name in names:
        server.files[f"set/{name}"] = body
        made = server.table(
            tmp_path / "more.tsv",
            f"labels/classification/{name} labels/{name} set/{name} 1 "
            f"sha256:{hashlib.sha256(body).hexdigest()} {len(body)}",
        )
        rows.append(made.read_text().rstrip("\n").splitlines()[-1])
    public.table.write_text("\n".join(rows) + "\n")
    listing = fetch_labels(None, ["classification"], tmp_path / "out", public, sets=["nt_H3"])
    found = {entry["path"] for entry in json.loads(listing.read_text())["files"]}
    assert {f"{name}.gz" for name in names} < found
    assert not any(name.startswith("yeast") for name in found)


def test_offline_is_a_reason_and_no_failure(
    server: Any, public: PublicLabels, tmp_path: Path
) -> None:
    server.shutdown()
    server.server_close()
    listing = fetch_labels(None, PARTS, tmp_path / "out", public)
    assert json.loads(listing.read_text())["files"] == []
    for part in PARTS:
        assert "offline" in str(missing(listing, part))


def test_files_fetched_elsewhere_need_no_network(
    server: Any, table: Path, source: Source, tmp_path: Path
) -> None:
    folder = tmp_path / "fetched"
    folder.mkdir()
    for part in ("initiation", "contacts"):
        for name in PUBLIC[part]:
            (folder / name).write_bytes(content(part, name))
    public = PublicLabels(table, tmp_path / "downloads", source, folder, HTTP)
    listing = fetch_labels(None, PARTS, tmp_path / "out", public, source)
    assert server.requests() == 0
    lacking = {"elements", "enhancer_gene", "classification"}
    assert set(json.loads(listing.read_text())["reasons"]) == lacking
    reason = str(missing(listing, "enhancer_gene"))
    assert "lacks" in reason and "screen.train.tsv.gz" in reason


def test_labels_of_another_genome_are_not_asked_for(
    server: Any, public: PublicLabels, tmp_path: Path
) -> None:
    genome = fetch(SIMULATED, tmp_path / "sim")
    parts = [part for part, deposit in LABELS.items() if deposit.of_the_genome]
    listing = fetch_labels(None, parts, tmp_path / "out", public, genome)
    assert server.requests() == 0
    assert "is simulated" in str(missing(listing, "initiation"))
    listing = fetch_labels(None, PARTS, tmp_path / "out", public, genome)
    assert missing(listing, "classification") is None  # of no genome


def test_the_commands_fetch_and_plan_labels(
    server: Any, table: Path, source: Source, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.delenv("GENEZIP_MIRROR", raising=False)
    settings = '{"tasks": ["contacts", "elements"]}'
    call = ["labels", "fetch", "--settings", settings, "--sources", str(table)]
    call += ["--source", str(source.folder / "source.json"), "--out", str(tmp_path / "l")]
    with pytest.raises(SystemExit) as plan:
        main([*call, "--plan"])
    assert plan.value.code == 0 and not (tmp_path / "l").exists()
    assert "labels/contacts/hic.tsv.gz" in capsys.readouterr().out
    with pytest.raises(SystemExit) as done:
        main(call)
    assert done.value.code == 0
    assert {path.name for path in (tmp_path / "l").iterdir()} == {
        "labels.json", "hic.tsv.gz", "elements.tsv.gz",
    }  # fmt: skip


def test_fetch_brings_labels_beside_the_genome(
    server: Any, table: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    """A simulated genome has none, and the command says so; a plan needs no folder."""
    monkeypatch.delenv("GENEZIP_MIRROR", raising=False)
    simulated = json.dumps(SIMULATED.model_dump(mode="json", exclude_unset=True))
    call = ["fetch", "--settings", simulated, "--sources", str(table), "--labels", "contacts"]
    with pytest.raises(SystemExit) as done:
        main([*call, "--out", str(tmp_path / "r")])
    assert done.value.code == 0
    assert "none for contacts: the DNA of this run is simulated" in capsys.readouterr().err
    assert (tmp_path / "r" / "labels" / "labels.json").is_file()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as plan:
        main([*call, "--plan"])
    assert plan.value.code == 0
    assert "labels/contacts/hic.tsv.gz" in capsys.readouterr().out
    with pytest.raises(SystemExit) as refused:
        main(call)
    assert refused.value.code == 1
    assert "--out" in capsys.readouterr().err


def test_the_table_of_the_repository_has_every_label_file(repo: Path) -> None:
    sources = read_sources(SOURCES)
    for part, deposit in LABELS.items():
        files = deposit.chosen(deposit.sets).values()
        for name in (one for file in files for one in file.public):
            (row,) = sources[f"labels/{part}/{name}"]
            assert str(row.checksum).startswith("sha256:") and row.n_bytes
            assert row.url.startswith("https://") and row.licence != "-"


def test_the_public_files_are_those_of_the_mirror(repo: Path, mirror: Path, tmp_path: Path) -> None:
    """Byte for byte where the mirror has the same file; the elements base for base."""
    sources = read_sources(SOURCES)

    def same(row_name: str, content: bytes) -> None:
        (row,) = sources[row_name]
        assert row.n_bytes == len(content)
        assert row.checksum == f"sha256:{hashlib.sha256(content).hexdigest()}"

    for part, deposit in LABELS.items():
        for name, file in deposit.chosen(deposit.sets).items():
            if part != "elements" and file.public:
                (published,) = file.public
                body = (mirror / file.origin).read_bytes()
                plain = body if published == name else gzip.decompress(body)
                same(f"labels/{part}/{published}", plain)
    folder = mirror / "labels" / "genomic_benchmarks"
    intervals = {}
    for name, key in INTERVALS.items():
        intervals[key] = folder / f"human_ensembl_regulatory.{name}"
        same(f"labels/elements/{name}", intervals[key].read_bytes())
    demo = fetch(Genome(sources=["mirror"], selection="demo"), tmp_path, mirror=mirror)
    made_here = tmp_path / "elements.tsv"
    elements_inside(intervals, demo.assembly()).to_csv(made_here, sep="\t", index=False)
    found, wanted = (
        elements.windows(elements.read_elements(path, 1_000_000), demo.assembly(), 1_000, 5)[0]
        for path in (made_here, mirror / LABELS["elements"].files["elements.tsv.gz"].origin)
    )
    pd.testing.assert_frame_equal(found, wanted[found.columns])
