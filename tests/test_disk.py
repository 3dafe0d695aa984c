"""The disk that a run needs, and a run that does not fit."""

from collections import namedtuple
from pathlib import Path

import pytest
from toolkit.command_line import call, succeed
from toolkit.snakemake_runs import jobs_of, snakemake

from genezip import config, disk
from genezip.disk import Use, check_disk, disk_uses, size_of
from genezip.errors import GenezipError

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Function that sets the free space (GB)."""

    def use(gb: float) -> None:
        monkeypatch.setattr(disk, "disk_usage", lambda _: Usage(1e15, 0, gb * 1e9))

    return use


def by_name(*files: Path) -> dict[str, float]:
    return {one.what: one.gb for one in disk_uses(config.load(*files))}


def test_the_paper_run_is_about_a_terabyte(repo: Path) -> None:
    paper = by_name(repo / "config" / "config.yaml")
    assert list(paper.values()) == sorted(paper.values(), reverse=True)
    assert 900 < sum(paper.values()) < 1_500
    # 13.2 Gb of windows took 7.1 GB; features of two runs, and of one for a method more
    assert paper["corpus human-128k"] == pytest.approx(0.54 * 99_000 * 128_000 / 1e9, rel=0.02)
    assert paper["rsap: features"] == 2 * 105
    more = by_name(repo / "config" / "config.yaml", repo / "config" / "comparison.yaml")
    assert more["rsap: features"] == 5 * 105 and more["training"] > paper["training"]


def test_a_demo_needs_next_to_nothing(repo: Path) -> None:
    demo = by_name(repo / "config" / "config.yaml", repo / "config" / "demo.yaml")
    assert sum(demo.values()) < 40


def test_what_is_there_counts(free, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "results" / "deep").mkdir(parents=True)
    (tmp_path / "results" / "deep" / "file").write_bytes(b"0" * 3_000_000)
    (tmp_path / "results" / "link").symlink_to(tmp_path / "results" / "deep" / "file")
    assert size_of(tmp_path / "results") == 3_000_000
    uses = [Use("features", 0.010), Use("genome", 0.002)]
    free(0.0091)
    assert "needs about 0 GB" in check_disk(uses, tmp_path)
    free(0.0089)
    with pytest.raises(GenezipError, match=r"of them features 0, genome 0\), but 0 are there"):
        check_disk(uses, tmp_path)


def test_too_small_a_disk_is_one_sentence_and_nothing_is_written(  # type: ignore[no-untyped-def]
    free, repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    free(200)
    out = tmp_path / "room.tsv"
    files = [repo / "config" / "config.yaml"]
    assert call("config", "room", *files, "--folder", tmp_path, "--out", out) == 1
    said = capsys.readouterr().err
    assert "but 0 are there and 200 free; free space, choose another --directory" in said
    assert not out.exists()
    free(5_000)
    succeed("config", "room", *files, "--folder", tmp_path, "--out", out)
    assert out.read_text().startswith("what\tgb\nrsap: files\t")
    assert call("config", "room") == 1
    assert "name configuration files, or give --settings" in capsys.readouterr().err


@pytest.mark.slow
def test_the_first_job_of_a_whole_run_looks_for_it(repo: Path, tmp_path: Path) -> None:
    call_of = ["-n", "--cores", "1", "--snakefile", repo / "workflow" / "Snakefile"]
    files = ["--configfile", repo / "config" / "config.yaml"]
    planned = jobs_of(snakemake(tmp_path, *call_of, *files, "--", "all").stdout)
    assert planned["room"] == planned["fetch"] == 1
    one = jobs_of(snakemake(tmp_path, *call_of, *files, "--", "resources/source.json").stdout)
    assert one == {"fetch": 1}  # a single target needs less
    left_out = snakemake(tmp_path, *call_of, *files, "--config", "check_disk=false", "--", "all")
    assert "room" not in jobs_of(left_out.stdout)
