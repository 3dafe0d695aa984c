"""What `genezip doctor` finds on a machine, and which parts of the paper run it allows."""

import re
import shutil
from pathlib import Path

import pytest
from toolkit.command_line import call

from genezip import doctor
from genezip.config.rules import FULL
from genezip.errors import GenezipError

LARGE = [("NVIDIA H200", 150_000_000_000)]


def lacking(findings: list[doctor.Finding]) -> dict[str, list[str]]:
    return dict(doctor.possible(findings))


def test_a_machine_with_all_of_it_runs_the_paper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "memory_bytes", lambda: 10**12)
    found = doctor.examine(tmp_path, reach=lambda: True, devices=LARGE)
    assert set(lacking(found)) == {part.name for part in doctor.PARTS}
    assert not any(lacking(found).values())
    assert "NVIDIA H200 (150 GB)" in doctor.in_words(found)


def test_what_a_small_machine_lacks_is_told_by_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "memory_bytes", lambda: 20 * 10**9)
    found = doctor.examine(tmp_path, reach=lambda: False, devices=[])
    told = lacking(found)
    assert told["training"] == ["a CUDA GPU", "64 GB of memory"]
    assert told["genome, region map and corpus"] == ["the network, or a folder of downloaded files"]
    assert told["report"] == []
    text = doctor.in_words(found)
    assert re.search(r"^training +needs a CUDA GPU and 64 GB of memory$", text, re.MULTILINE)
    assert re.search(r"^report +possible$", text, re.MULTILINE)


def test_a_missing_tool_has_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    found = {one.name: one for one in doctor.examine(tmp_path, reach=lambda: True, devices=LARGE)}
    assert found["trf"].found == "" and "apt-get install trf" in found["trf"].remedy
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name == "mamba" else None)
    found = {one.name: one for one in doctor.examine(tmp_path, reach=lambda: True, devices=LARGE)}
    assert found["conda"].found == "/bin/mamba" and not found["bedtools"].found


def test_where_the_workflow_lies(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = doctor.examine(tmp_path, reach=lambda: True, devices=LARGE)
    assert {one.name: one.found for one in found}["workflow"] == str(repo)
    assert "`make demo` and" in doctor.in_words(found)
    monkeypatch.setattr(doctor, "workflow_home", lambda: tmp_path)
    found = doctor.examine(tmp_path, reach=lambda: True, devices=LARGE)
    assert "make demo" not in doctor.in_words(found)
    assert "`genezip init my-run` writes a folder" in doctor.in_words(found)

    def lost() -> Path:
        raise GenezipError("no workflow")

    monkeypatch.setattr(doctor, "workflow_home", lost)
    text = doctor.in_words(doctor.examine(tmp_path, reach=lambda: True, devices=LARGE))
    assert re.search("^workflow +needed for .*; install genezip again", text, re.MULTILINE)
    assert "genezip init my-run" not in text


def test_every_rule_with_needs_of_its_own_is_in_a_part(repo: Path) -> None:
    """Rules of the sister systems and of extra targets are no part of the paper run."""
    rules = "".join(path.read_text() for path in (repo / "workflow" / "rules").glob("*.smk"))
    known = set(re.findall(r"^rule (\w+):", rules, re.MULTILINE))
    named = {rule for part in doctor.PARTS for rule in part.rules}
    assert named <= known
    sisters = {"label_predictions", "labels", "codon_phase", "masked", "masked_markov", "ggrams",
               "pretrain_words", "masked_words", "word_floors", "word_vocabulary", "alignment",
               "latency", "arena", "arena_probes", "recall", "recall_mixing", "markov_elsewhere",
               "compress_elsewhere"}  # fmt: skip
    assert set(FULL) - sisters <= named


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("doctor", "--offline", "--folder", tmp_path) == 0
    text = capsys.readouterr().out
    assert text.startswith("Python") and "The paper run on this machine:" in text
    assert call("doctor", "--folder", tmp_path / "none") == 1
    assert "is no folder; name one that exists" in capsys.readouterr().err
