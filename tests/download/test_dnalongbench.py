"""DNALongBench deposits from a local server in place of Dataverse."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from genezip import cli
from genezip.download import SourceUnavailable
from genezip.download.catalogue import SOURCES
from genezip.download.dataverse import parse
from genezip.download.transfer import Http
from genezip.errors import GenezipError
from genezip.tasks.deposits import deposit_of, fetch_task, plan_task

HTTP = Http(timeout_s=0.4, attempts=2, backoff_s=0.0, size_timeout_s=0.4)
LISTING = "api/datasets/:persistentId"
CONFIG, PAIRS, FASTA = b"key value str\n", b"gene\tsubset\n", b"\x1f\x8bnot read"
CHAIN = b"chain"


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def entry(number: int, folder: str, data: bytes, **file: Any) -> dict[str, Any]:
    stated = {"id": number, "filesize": len(data), "md5": md5(data)}
    return {"directoryLabel": folder, "restricted": False, "dataFile": stated | file}


def answer(*entries: dict[str, Any]) -> bytes:
    version = {"versionNumber": 1, "versionMinorNumber": 2, "license": {"name": "CC0 1.0"}}
    return json.dumps({"data": {"latestVersion": version | {"files": list(entries)}}}).encode()


ROOT = "enhancer_target_gene"
TABLE = entry(
    2,
    f"{ROOT}/targets",
    b"the converted copy",
    filename="K562.data.tab",
    originalFileName="K562.data.tsv",
    originalFileSize=len(PAIRS),
    originalFileFormat="text/tsv",
)


@pytest.fixture
def table(server: Any, tmp_path: Path) -> Path:
    server.files[LISTING] = answer(
        entry(1, f"{ROOT}/config", CONFIG, filename="K562.config"),
        TABLE,
        entry(3, f"{ROOT}/seqs", FASTA, filename="hg19.fa"),
    )
    for number, data in ((1, CONFIG), (2, PAIRS), (3, FASTA)):
        server.files[f"api/access/datafile/{number}"] = data
    server.files["chain"] = CHAIN
    path: Path = server.table(
        tmp_path / "s.tsv",
        "dataverse - - r - -",
        f"chain {ROOT}/hg19ToHg38.over.chain chain r md5:{md5(CHAIN)} 5",
        "etgp - doi:10.7910/DVN/CTEQXX r - -",
        "rsap - doi:10.7910/DVN/MNUEZR r - -",
        "cmp/sequences.bed contact_map_prediction/sequences.bed plain r - -",
        f"eqtl/t eQTL/targets/Thyroid.data.tsv t r md5:{md5(b'ok')} -",
        "eqtl/all eQTL/targets/combined_data.tsv all r - -",
        "eqtl/c eQTL/config/gtex_hg38.Thyroid.config c r - -",
        "eqtl/cc eQTL/config/gtex_hg38.config cc r - -",
        "tisp - doi:10.7910/DVN/VXQKWO r - -",
    )
    server.files["t"] = b"ok"
    return path


def fetch(task: str, out: Path, table: Path, **more: Any) -> dict[str, Any]:
    path = fetch_task(task, out, table=table, http=HTTP, **more)
    return json.loads(path.read_text())  # type: ignore[no-any-return]


def test_the_interval_files_of_a_deposit(server: Any, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "bench"
    found = fetch("etgp", out, table)
    assert found["task"] == "etgp"
    assert found["doi"] == "10.7910/DVN/CTEQXX"
    assert [file["path"] for file in found["files"]] == [
        f"{ROOT}/hg19ToHg38.over.chain",
        f"{ROOT}/config/K562.config",
        f"{ROOT}/targets/K562.data.tsv",
    ]
    assert found["files"][2] == {
        "path": f"{ROOT}/targets/K562.data.tsv",
        "sha256": hashlib.sha256(PAIRS).hexdigest(),
        "bytes": len(PAIRS),
        "url": server.url("api/access/datafile/2?format=original"),
        "licence": "CC0 1.0",
        "citation": "us",
    }
    assert (out / ROOT / "targets" / "K562.data.tsv").read_bytes() == PAIRS
    assert "/api/access/datafile/2?format=original" in server.asked
    assert "/api/access/datafile/1" in server.asked
    assert "api/access/datafile/3" not in server.seen


def test_all_files_come_and_the_list_is_asked_once(
    server: Any, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bench"
    fetch("etgp", out, table)
    found = fetch("etgp", out, table, only="all")
    assert len(found["files"]) == 4
    assert (out / ROOT / "seqs" / "hg19.fa").read_bytes() == FASTA
    assert server.seen[LISTING] == 1
    assert server.seen["api/access/datafile/2"] == 1
    kept = json.loads((tmp_path / "bench.lock.json").read_text())
    assert [f["path"] for f in kept["listings"]["doi:10.7910/DVN/CTEQXX"]["files"]] == [
        f"{ROOT}/config/K562.config",
        f"{ROOT}/targets/K562.data.tsv",
        f"{ROOT}/seqs/hg19.fa",
    ]


def test_the_checksum_of_the_converted_copy_is_not_enforced() -> None:
    tabled, plain = parse(answer(TABLE, entry(1, "", CONFIG, filename="x")), "here")["files"]
    assert (tabled["checksum"], tabled["original"], tabled["bytes"]) == (None, True, len(PAIRS))
    assert plain["path"] == "x"
    assert plain["checksum"] == f"md5:{md5(CONFIG)}"


def test_a_file_that_is_not_the_listed_one_is_refused(
    server: Any, table: Path, tmp_path: Path
) -> None:
    server.files["api/access/datafile/1"] = b"KEY value str\n"
    with pytest.raises(GenezipError, match="wrong checksum"):
        fetch("etgp", tmp_path / "bench", table)
    assert not (tmp_path / "bench" / "etgp.intervals.json").exists()


def test_a_changed_table_is_refused_by_the_lock(server: Any, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "bench"
    fetch("etgp", out, table)
    (out / ROOT / "targets" / "K562.data.tsv").unlink()
    server.files["api/access/datafile/2"] = PAIRS.upper()
    with pytest.raises(GenezipError, match=r"another file .*bench\.lock\.json"):
        fetch("etgp", out, table)


def test_pinned_tasks_ask_for_no_list(server: Any, table: Path, tmp_path: Path) -> None:
    found = fetch("eqtl", tmp_path / "bench", table)
    assert [file["path"] for file in found["files"]] == [
        "eQTL/targets/Thyroid.data.tsv",
        "eQTL/config/gtex_hg38.Thyroid.config",
    ]
    found = fetch("cmp", tmp_path / "bench", table)
    assert [file["path"] for file in found["files"]] == ["contact_map_prediction/sequences.bed"]
    assert LISTING not in server.seen
    assert len(fetch("eqtl", tmp_path / "bench", table, only="all")["files"]) == 4


def test_tisp_needs_no_file_and_no_network(server: Any, table: Path, tmp_path: Path) -> None:
    found = fetch("tisp", tmp_path / "bench", table)
    assert found == {"task": "tisp", "doi": "10.7910/DVN/VXQKWO", "files": []}
    assert server.requests() == 0


@pytest.mark.parametrize(
    ("task", "path", "expected"),
    [
        ("rsap", "regulatory_sequence_activity_prediction/human/sequences.bed", True),
        ("rsap", "regulatory_sequence_activity_prediction/mouse/sequences.bed", False),
        ("rsap", "regulatory_sequence_activity_prediction/human/statistics.json", False),
        ("etgp", "enhancer_target_gene/config/a.config", True),
        ("etgp", "enhancer_target_gene/blacklist/a.bed.gz", False),
        ("eqtl", "eQTL/blacklist/Thyroid.blacklist.bed.gz", False),
        ("eqtl", "eQTL/targets/combined_data.tsv", False),
        ("tisp", "transcription_initiation_signal_prediction/targets/a.bw", False),
    ],
)
def test_which_files_tell_intervals(task: str, path: str, expected: bool) -> None:
    assert deposit_of(task).is_interval_file(path) is expected


def test_the_interval_files_of_eqtl_in_the_repository(repo: Path, tmp_path: Path) -> None:
    lines = plan_task("eqtl", tmp_path / "o", "intervals", SOURCES, tmp_path, HTTP)
    files = [line.split(": ")[1] for line in lines if line.startswith("eqtl/")]
    assert len(files) == 18
    assert sum(path.endswith(".data.tsv") for path in files) == 9
    assert not any("combined" in path or path.endswith("hg38.config") for path in files)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"<html>", "is not a file list"),
        (b'{"status": "ERROR"}', "is not a file list"),
        (answer(entry(1, "../x", b"", filename="f")), "leaves its folder"),
        (answer(entry(1, "", b"", filename="/etc/f")), "leaves its folder"),
        (answer(TABLE, TABLE), "lists a file twice"),
    ],
)
def test_a_wrong_list_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(GenezipError, match=reason):
        parse(text, "here")


def test_a_restricted_file_is_named(server: Any, table: Path, tmp_path: Path) -> None:
    server.files[LISTING] = answer(TABLE | {"restricted": True})
    with pytest.raises(GenezipError, match=r"K562\.data\.tsv of doi:.* is restricted"):
        fetch("etgp", tmp_path / "bench", table)


def test_a_restricted_file_is_taken_from_a_folder(server: Any, table: Path, tmp_path: Path) -> None:
    server.files[LISTING] = answer(
        entry(1, f"{ROOT}/config", CONFIG, filename="K562.config"), TABLE | {"restricted": True}
    )
    folder, out = tmp_path / "fetched", tmp_path / "bench"
    folder.mkdir()
    (folder / "10.7910_DVN_CTEQXX.json").write_bytes(server.files[LISTING])
    (folder / "K562.config").write_bytes(CONFIG)
    (folder / "chain").write_bytes(CHAIN)
    with pytest.raises(GenezipError, match=rf"lacks {ROOT}/targets/K562\.data\.tsv;"):
        fetch("etgp", out, table, fetched=folder)
    (folder / "K562.data.tsv").write_bytes(PAIRS)
    found = fetch("etgp", out, table, fetched=folder)
    assert (out / ROOT / "targets" / "K562.data.tsv").read_bytes() == PAIRS
    assert fetch("etgp", out, table) == found  # it is there: no server is asked for it
    assert server.requests() == 0


def test_a_deposit_without_intervals_is_told(server: Any, table: Path, tmp_path: Path) -> None:
    server.files[LISTING] = answer(entry(3, "x", FASTA, filename="hg38.ml.fa"))
    with pytest.raises(GenezipError, match="no interval file of rsap"):
        fetch("rsap", tmp_path / "bench", table)


def test_files_fetched_elsewhere(
    server: Any, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "fetched"
    folder.mkdir()
    (folder / "K562.config").write_bytes(CONFIG)
    both = rf"lacks 10\.7910_DVN_CTEQXX\.json, {ROOT}/hg19ToHg38\.over\.chain; the first is the"
    with pytest.raises(GenezipError, match=both):
        fetch("etgp", tmp_path / "bench", table, fetched=folder)
    (folder / "10.7910_DVN_CTEQXX.json").write_bytes(server.files[LISTING])
    lacking = rf"lacks {ROOT}/hg19ToHg38\.over\.chain, {ROOT}/targets/K562\.data\.tsv;"
    with pytest.raises(GenezipError, match=lacking):
        fetch("etgp", tmp_path / "bench", table, fetched=folder)
    (folder / "2?format=original").write_bytes(PAIRS)
    (folder / "chain").write_bytes(CHAIN)
    lines = plan_task("etgp", tmp_path / "bench", "intervals", table, folder, HTTP)
    copied = len(CONFIG) + len(PAIRS) + len(CHAIN)
    assert lines[-1].startswith(f"total: {copied} bytes to write; free disk")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=copied - 1))
    with pytest.raises(GenezipError, match=f"{copied} bytes are needed"):
        fetch("etgp", tmp_path / "bench", table, fetched=folder)
    monkeypatch.undo()
    assert len(fetch("etgp", tmp_path / "bench", table, fetched=folder)["files"]) == 3
    assert server.requests() == 0
    assert (tmp_path / "bench" / ROOT / "targets" / "K562.data.tsv").read_bytes() == PAIRS
    assert sorted(path.name for path in folder.iterdir()) == [
        "10.7910_DVN_CTEQXX.json",
        "2?format=original",
        "K562.config",
        "chain",
    ]


@pytest.mark.parametrize(
    "name",
    ["10.7910_DVN_CTEQXX.json", "index.html?persistentId=doi:10.7910%2FDVN%2FCTEQXX"],
)
def test_the_file_list_is_found_at_any_depth_by_two_names(
    server: Any, table: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "fetched"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / name).write_bytes(server.files[LISTING])
    for file, data in (("K562.config", CONFIG), ("K562.data.tsv", PAIRS), ("chain", CHAIN)):
        (folder / file).write_bytes(data)
    assert len(fetch("etgp", tmp_path / "bench", table, fetched=folder)["files"]) == 3
    assert server.requests() == 0


def test_a_plan_writes_nothing(server: Any, table: Path, tmp_path: Path) -> None:
    lines = plan_task("etgp", tmp_path / "bench", "all", table, None, HTTP)
    assert f"etgp/{ROOT}/seqs/hg19.fa: {ROOT}/seqs/hg19.fa: to come, {len(FASTA)} bytes" in lines
    total = len(CONFIG) + len(PAIRS) + len(FASTA) + len(CHAIN)
    assert lines[-1].startswith(f"total: {total} bytes to write; free disk")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.tsv"]
    server.files[LISTING] = b"gone"
    lines = plan_task("etgp", tmp_path / "bench", "all", table, None, HTTP)
    assert lines[0].startswith("file list of doi:10.7910/DVN/CTEQXX: 10.7910_DVN_CTEQXX.json: unk")
    assert lines[2].startswith("chain: ")


def test_an_interrupted_task_goes_on(server: Any, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "bench"
    server.files["api/access/datafile/2"] = PAIRS[:3]  # of a wrong size: the run stops there
    with pytest.raises(GenezipError):
        fetch("etgp", out, table)
    assert not (out / "etgp.intervals.json").exists()
    server.files["api/access/datafile/2"] = PAIRS
    fetch("etgp", out, table)
    assert server.seen["api/access/datafile/1"] == 1


def test_a_server_that_is_away_tells_what_to_do(server: Any, table: Path, tmp_path: Path) -> None:
    server.moved["plain"] = server.url("missing")
    with pytest.raises(SourceUnavailable, match=r"/plain answers HTTP 404; run again .* --from"):
        fetch("cmp", tmp_path / "bench", table)
    assert not (tmp_path / "bench" / "cmp.intervals.json").exists()


def test_the_command(
    server: Any,
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "bench"
    options = ["--out", str(out), "--sources", str(table)]  # the intervals, by default
    for arguments in (["etgp", "--plan"], ["etgp"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(["dnalongbench", "fetch", *arguments, *options])
        assert ended.value.code == 0
        assert (out / "etgp.intervals.json").exists() == (arguments == ["etgp"])
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1].endswith("etgp.intervals.json")
    assert printed.err.count("licence: doi:10.7910/DVN/CTEQXX v1.2: CC0 1.0; cite: us") == 1
    monkeypatch.setenv("GENEZIP_FETCHED", str(tmp_path / "nowhere"))
    with pytest.raises(SystemExit) as ended:
        cli.main(["dnalongbench", "fetch", "cmp", *options])
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("genezip: the folder ")
    monkeypatch.delenv("GENEZIP_FETCHED")
    with pytest.raises(SystemExit):
        cli.main(["dnalongbench", "fetch", "hic", *options])
    assert "use one of cmp, eqtl, etgp, tisp, rsap" in capsys.readouterr().err
