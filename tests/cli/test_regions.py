"""``genezip regions`` from source.json to table, on a genome of 60 bases."""

import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from genezip.cli import main

HEAD = "name\tchrom\tstart\tend\tsplit\tannotation\tsoft_masked\trmsk\ttrf"
GTF = """c\tx\texon\t11\t20\t.\t+\t.\tgene_id "g"; transcript_id "t";
c\tx\texon\t31\t50\t.\t+\t.\tgene_id "g"; transcript_id "t";
c\tx\tCDS\t16\t20\t.\t+\t.\tgene_id "g"; transcript_id "t";
c\tx\tCDS\t31\t43\t.\t+\t.\tgene_id "g"; transcript_id "t";
"""
FILES = {
    "pieces.fa": f">c\n{'ACGTN' * 12}\n",
    "pieces.tsv": f"{HEAD}\nc\tc\t0\t60\ttest\tgenes\t0\t0\t0\n",
    "chrom.sizes": "c\t60\n",
    "genes.gtf": GTF,
}
SETTINGS = {
    "promoter_half_width": 3,
    "nig_distance": 42,
    "basic_only": False,
    "required": ["promoter", "cds"],
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    value = {
        "schema_version": 1,
        "source": "files",
        "description": "60 bases",
        "build": "tiny",
        "fasta": "pieces.fa",
        "pieces": "pieces.tsv",
        "chrom_sizes": "chrom.sizes",
        "annotations": {"genes": {"path": "genes.gtf", "format": "gtf"}},
        "repeats": {"rmsk": None, "trf": None},
        "files": [
            {"path": name, "bytes": len(text), "sha256": sha256(text.encode()).hexdigest()}
            for name, text in FILES.items()
        ],
    }
    (tmp_path / "source.json").write_text(json.dumps(value))
    return tmp_path / "source.json"


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def build(source: Path, **changes: object) -> tuple[int, Path]:
    out = source.parent / "out"
    settings = json.dumps({**SETTINGS, **changes})
    code = run(
        "regions", "build", "--source", source, "--settings", settings,
        "--bed", out / "map.bed.gz", "--summary", out / "map.tsv",
    )  # fmt: skip
    return code, out


def test_build_then_show(source, capsys):
    code, out = build(source)
    assert code == 0
    rows = [line.split("\t") for line in (out / "map.tsv").read_text().splitlines()]
    assert rows[0] == ["split", "class", "bp", "fraction", "n_bp"]
    table = {(split, name): rest for split, name, *rest in rows[1:]}
    assert table["test", "cds"] == ["18", "0.300000", "3"]  # N: bases 19, 34, 39
    assert table["all", "exon"] == ["0", "0.000000", "0"]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "genezip: no base is exon; its rows will be empty\n" in captured.err

    assert run("regions", "show", "--bed", out / "map.bed.gz", "c:12-32") == 0
    assert capsys.readouterr().out.splitlines() == [
        "c\t12\t13\tpromoter",
        "c\t13\t15\tutr",
        "c\t15\t20\tcds",
        "c\t20\t30\tintron",
        "c\t30\t32\tcds",
    ]


@pytest.mark.parametrize(
    ("locus", "sentence"),
    [
        ("c:50-70", "does not cover c:50-70"),
        ("c:5-5", "'c:5-5' ends before it starts"),
        ("c", "'c' is no locus; write it as chr9:100,000-200,000"),
    ],
)
def test_show_refuses_a_wrong_locus(source, capsys, locus, sentence):
    _, out = build(source)
    capsys.readouterr()
    assert run("regions", "show", "--bed", out / "map.bed.gz", locus) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("genezip: ")
    assert sentence in captured.err
    assert captured.err.count("\n") == 1


def test_a_required_class_without_a_base_writes_nothing(source, capsys):
    code, out = build(source, required=["exon"])
    assert code == 1
    assert "genezip: no base is exon, which regions.required lists" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.skipif(
    shutil.which("bedtools") is None and os.environ.get("GENEZIP_REQUIRE_REAL") != "1",
    reason="bedtools is not on PATH",
)
def test_verify_agrees_and_notices_other_settings(source, capsys):
    _, out = build(source)
    capsys.readouterr()
    verify = ["regions", "verify", "--source", source, "--bed", out / "map.bed.gz", "--settings"]
    assert run(*verify, json.dumps(SETTINGS)) == 0
    assert capsys.readouterr().out == "60 bases, all as bedtools labels them\n"
    assert run(*verify, json.dumps({**SETTINGS, "nig_distance": 41})) == 1
    said = capsys.readouterr().err
    assert "1 of 60 bases of" in said
    assert "c:52 is nig in the map and dig by bedtools" in said
