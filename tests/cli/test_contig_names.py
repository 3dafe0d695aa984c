"""Contigs with odd names, from the user's FASTA to the corpus and the repeats, by the commands."""

import json
import os
import random
from pathlib import Path
from urllib.parse import quote

import pytest
from toolkit.command_line import call

from genezip.corpus.corpus import CorpusReader
from genezip.evaluation.repeats.sets import RMSK, RMSK_ONLY, TRF, RepeatAnnotation
from genezip.genome.region_map import RegionMap
from genezip.genome.sources.source import Source

ODD = (
    "ctg",
    "ctg:1-500",
    "ctg:0-4000",
    "1:0-500",
    "x|y",
    "HG002#1#c",
    "a=b;c*",
    "it's",
    "*=",
    "MT:1,000-2,000",
    '"q"',
    'say"it"',
    "`b`",
)
LENGTH = 6_000
REGIONS = json.dumps({"promoter_half_width": 100, "nig_distance": 500, "required": []})
CORPUS = {
    "window_bp": 128,
    "train_windows": 50,
    "valid_windows": 0,
    "validation": "pieces",
    "heldout_window_bp": 500,
    "homology_k": None,
    "sampling": {"uniform": 1, "tss": 0, "cds": 0},
}


def sequence_of(number: int) -> str:
    return "".join(random.Random(number).choice("ACGT") for _ in range(LENGTH))


def write_genome(folder: Path, names: tuple[str, ...]) -> None:
    fasta, gtf, rmsk, trf = [], [], [], []
    for number, name in enumerate(names):
        fasta.append(f'>{name} chromosome={number}; "a * name"\n{sequence_of(number)}\n')
        for feature, start, end in (("exon", 3001, 3200), ("exon", 4001, 4300)):
            gtf.append(
                f"{name}\tt\t{feature}\t{start}\t{end}\t.\t+\t.\t"
                f'gene_id "g{number}"; transcript_id "t{number}"; tag "basic";\n'
            )
        rmsk.append(f"463 1.3 0.6 1.7 {name} 101 300 ({LENGTH - 300}) + AluY SINE/Alu 1 200 (0)\n")
        rmsk.append(f"20 1 0 0 {name} 501 520 ({LENGTH - 520}) + (A)n Simple_repeat 1 20 (0)\n")
        trf.append(f"{name}\t200\t400\ttrf\t6\t16.7\t6\t95\t3\t789\t33\t51\t0\t15\t1.4\tTAACCC\n")
    for name, lines in (("g.fa", fasta), ("g.gtf", gtf), ("r.out", rmsk), ("t.bed", trf)):
        (folder / name).write_text("".join(lines))


def settings(**more: object) -> str:
    base = {"sources": ["files"], "fasta": "g.fa", "annotation": "g.gtf", "test": []}
    return json.dumps(base | more)


def fetch(folder: Path, **more: object) -> int:
    return call("fetch", "--settings", settings(**more), "--root", folder, "--out", folder / "out")


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    write_genome(tmp_path, ODD)
    return tmp_path


def test_odd_names_from_the_fasta_to_the_corpus(odd: Path) -> None:
    more = {
        "rmsk": "r.out",
        "trf": "t.bed",
        "valid": ["ctg:1-500"],
        "test": ["1:0-500", "x|y", "ctg:0-4,000", "HG002#1#c:0-2000", "MT:1,000-2,000"],
    }
    assert fetch(odd, **more) == 0
    source = Source.load(odd / "out" / "source.json")
    assembly = source.assembly()
    assert assembly.chrom_sizes == dict.fromkeys(ODD, LENGTH)
    held = {(p.chrom, p.start, p.end): p.split for p in assembly.segments if p.split != "train"}
    assert held == {
        ("ctg:1-500", 0, LENGTH): "valid",  # a contig of that name, so no part of ctg
        ("1:0-500", 0, LENGTH): "test",
        ("x|y", 0, LENGTH): "test",
        ("ctg", 0, 4000): "test",  # no contig is written so
        ("HG002#1#c", 0, 2000): "test",
        ("MT:1,000-2,000", 0, LENGTH): "test",
    }
    assert (
        len({piece.name for piece in assembly.segments}) == len(assembly.segments) == len(ODD) + 2
    )
    for piece in assembly.segments:
        whole = sequence_of(ODD.index(piece.chrom))
        assert assembly.sequence(piece).tobytes().decode() == whole[piece.start : piece.end]

    bed, out = odd / "map.bed.gz", odd / "corpus"
    source_json = odd / "out" / "source.json"
    assert (
        call("regions", "build", "--source", source_json, "--bed", bed, "--settings", REGIONS) == 0
    )
    region_map = RegionMap.read_bed(bed)
    assert set(region_map.chroms) == set(ODD)
    where = ("--source", source_json, "--regions", bed)
    chosen = ("--settings", json.dumps(CORPUS))
    assert call("corpus", "build", *where, *chosen, "--out", out) == 0
    assert call("corpus", "check", out / "manifest.json", *where) == 0
    reader = CorpusReader(out / "manifest.json")
    assert {window.chrom for window in reader.windows("valid")} == {"ctg:1-500"}
    assert {window.chrom for window in reader.windows("test")} == {
        chrom for (chrom, _, _), split in held.items() if split == "test"
    }
    repeats = RepeatAnnotation(assembly, source.rmsk(), source.trf())
    for piece in assembly.segments:
        assert repeats.schemes(piece) == [TRF, RMSK]
        if piece.start == 0:
            codes = repeats.codes(piece, RMSK)
            assert (codes == RMSK.sets["SINE"][0]).sum() == 100  # the other 100 bp are tandem
            assert (codes == 1).sum() == 200


def test_a_locus_on_a_contig_that_looks_like_a_part(odd: Path, capsys) -> None:
    assert fetch(odd) == 0
    bed = odd / "map.bed"
    where = ("--source", odd / "out" / "source.json", "--bed", bed)
    assert call("regions", "build", *where, "--settings", REGIONS) == 0
    capsys.readouterr()
    assert call("regions", "show", "--bed", bed, "ctg:1-500:2,850-3,150") == 0
    assert capsys.readouterr().out == (
        "ctg:1-500\t2850\t2900\tnig\nctg:1-500\t2900\t3100\tpromoter\nctg:1-500\t3100\t3150\texon\n"
    )
    assert call("regions", "show", "--bed", bed, "ctg:1-500") == 1
    assert "'ctg:1-500' is a whole contig; write it as ctg:1-500:" in capsys.readouterr().err
    assert call("regions", "show", "--bed", bed, "ctg:1-501") == 0  # a part of ctg
    assert capsys.readouterr().out == "ctg\t1\t501\tdig\n"


@pytest.mark.parametrize("name", ["#1", ">x", "track", "browser"])
def test_names_that_tables_cannot_hold_are_refused(tmp_path: Path, name: str, capsys) -> None:
    write_genome(tmp_path, ("a", "b"))
    fasta = tmp_path / "g.fa"
    fasta.write_text(fasta.read_text().replace(">b", f">{name}"))
    assert fetch(tmp_path) == 1
    said = capsys.readouterr().err
    assert f"has a contig named {name}, and in GTF, GFF3 and BED a row that begins so" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()
    assert fetch(tmp_path, chromosomes=["a"]) == 0  # it is not used


def test_a_contig_named_all_is_refused(tmp_path: Path, capsys) -> None:
    write_genome(tmp_path, ("a", "all"))
    assert fetch(tmp_path) == 1
    assert "has a contig named all, which means all contigs" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["gff3", "bed"])
def test_odd_names_in_other_formats(tmp_path: Path, form: str) -> None:
    """GFF3 writes some letters of a name as escapes; BED12 writes all as they are."""
    names = ("x|y", "a=b;c*", "ctg:1-500", "HG002#1#c", '"q"', "50%")
    write_genome(tmp_path, names)
    rows = []
    for number, name in enumerate(names):
        if form == "gff3":
            escaped = quote(name, safe=".:^*$@!+_?-|")
            rows.append(f"{escaped}\tt\tgene\t3001\t4300\t.\t+\t.\tID=g{number}\n")
        else:
            rows.append(
                f"{name}\t3000\t4300\tt{number}\t0\t+\t3000\t3000\t0\t2\t200,300,\t0,1000,\n"
            )
    (tmp_path / f"g.{form}").write_text("".join(rows))
    assert fetch(tmp_path, annotation=f"g.{form}", test=["ctg:1-500"]) == 0
    source = Source.load(tmp_path / "out" / "source.json")
    assert source.annotation("genes", "all").transcripts["chrom"].tolist() == list(names)


def test_a_pipe_is_refused_in_one_sentence(tmp_path: Path, capsys) -> None:
    write_genome(tmp_path, ("a", "b"))
    for name, key in (("g.fa", "fasta"), ("g.gtf", "annotation"), ("r.out", "rmsk")):
        os.mkfifo(tmp_path / f"pipe.{name}")
        more = {"rmsk": "r.out"} | {key: f"pipe.{name}"}
        assert fetch(tmp_path, **more) == 1
        said = capsys.readouterr().err
        assert f"{tmp_path}/pipe.{name} is a pipe or device, which cannot be read twice" in said
        assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"test": ["d"]}, "genome.test names d, which is not in {fasta}; its contigs are a, b, 8"),
        ({"test": ["chr8"]}, "genome.test names chr8, which is not in {fasta}; write 8 for chr8"),
        (
            {"valid": ["chr8:0-9"]},
            "genome.valid names chr8:0-9, which is not in {fasta}; write 8:0-9",
        ),
        ({"chromosomes": ["a", "chr8"]}, "genome.chromosomes names chr8, which is not in {fasta}"),
        ({"chromosomes": ["a", "b:0-100"]}, "genome.chromosomes names b:0-100, which is not in"),
        (
            {"chromosomes": ["a"], "test": ["b"]},
            "genome.test names b, of which this run has no DNA",
        ),
        ({"chromosomes": ["a"], "valid": ["b:0-9"]}, "genome.valid names b:0-9, of which this run"),
        ({"test": ["a:0-100", "a:0-9000"]}, "genome.test names a:0-9000, which is not part of a"),
    ],
)
def test_a_name_that_selects_nothing_is_refused(
    tmp_path: Path, more: dict[str, object], sentence: str, capsys
) -> None:
    write_genome(tmp_path, ("a", "b", "8"))
    assert fetch(tmp_path, **more) == 1
    said = capsys.readouterr().err
    assert sentence.format(fasta=tmp_path / "g.fa") in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_same_in_the_other_sources(tmp_path: Path, capsys) -> None:
    wrong = {"sources": ["simulated"], "test": ["sim1"]}
    arguments = ("fetch", "--settings", json.dumps(wrong), "--out", tmp_path / "out")
    assert call(*arguments) == 1
    assert "genome.test selects nothing of the source `simulated`" in capsys.readouterr().err
    both = {"valid": ["sim1"], "test": ["sim1"], "chromosome_bp": [20_000, 20_000]}
    wrong = {"sources": ["simulated"], "simulation": both}
    assert call("fetch", "--settings", json.dumps(wrong), "--out", tmp_path / "out") == 1
    assert "simulation.valid and .test both name sim1" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# --- repeat tables are checked when the source is made ---


def styled(path: Path) -> None:
    """Rows of contig 8 are now called chr8, and one is on a contig of no genome."""
    lines = [line.replace("\t8\t", "\tchr8\t").replace(" 8 ", " chr8 ") for line in
             path.read_text().splitlines(keepends=True)]  # fmt: skip
    lines = ["chr8" + line[1:] if line.startswith("8\t") else line for line in lines]
    path.write_text("".join(lines))


def test_the_style_of_repeat_tables_is_converted(tmp_path: Path, capsys) -> None:
    write_genome(tmp_path, ("8", "b"))
    for name in ("r.out", "t.bed"):
        styled(tmp_path / name)
    assert fetch(tmp_path, rmsk="r.out", trf="t.bed") == 0
    said = capsys.readouterr().err
    for name in ("r.out", "t.bed"):
        assert f"{name}: contig names converted (chr8 -> 8, 1 in all)" in said
    source = Source.load(tmp_path / "out" / "source.json")
    rmsk, trf = source.rmsk(), source.trf()
    assert rmsk is not None
    assert trf is not None
    assert rmsk["chrom"].tolist() == ["8", "8", "b", "b"]
    assert trf["chrom"].tolist() == ["8", "b"]


@pytest.mark.parametrize(("key", "name"), [("rmsk", "r.out"), ("trf", "t.bed")])
@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("{chrom}", "zzz", "{name} and the assembly have no contig in common"),
        ("{end}", "60001", "{name} has a row that ends at a:60,001, but a has 6,000 bases"),
        ("{end}", "x", "line 1 of {path} is malformed"),
    ],
)
def test_wrong_repeat_tables_make_no_source(
    tmp_path: Path, key: str, name: str, old: str, new: str, sentence: str, capsys
) -> None:
    write_genome(tmp_path, ("a", "b"))
    path = tmp_path / name
    ends = {"rmsk": " 300 ", "trf": "\t400\t"}
    text = path.read_text()
    if old == "{end}":
        text = text.replace(ends[key], ends[key][0] + new + ends[key][0], 1)
    else:
        text = text.replace(" a ", f" {new} ").replace(" b ", f" {new} ")
        text = text.replace("a\t200", f"{new}\t200").replace("b\t200", f"{new}\t200")
    path.write_text(text)
    assert fetch(tmp_path, **{key: name}) == 1
    said = capsys.readouterr().err
    assert sentence.format(name=name, path=path) in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_contigs_that_only_the_table_has_are_counted(tmp_path: Path, capsys) -> None:
    write_genome(tmp_path, ("a", "b"))
    path = tmp_path / "r.out"
    path.write_text(path.read_text().replace(" b ", " alt "))
    assert fetch(tmp_path, rmsk="r.out") == 0
    said = capsys.readouterr().err
    assert "r.out: 2 intervals on 1 contigs that the assembly lacks are left out (alt)" in said
    assert "r.out has no row on 1 of 2 contigs (b); they count as searched and free of" in said


def test_rows_on_contigs_that_are_not_used_belong_to_the_genome(tmp_path: Path, capsys) -> None:
    write_genome(tmp_path, ("a", "b"))
    path = tmp_path / "r.out"  # no repeat on the contig that is used
    path.write_text("".join(row for row in path.open() if " b " in row))
    assert fetch(tmp_path, rmsk="r.out", chromosomes=["a"]) == 0
    assert "left out" not in capsys.readouterr().err
    source = Source.load(tmp_path / "out" / "source.json")
    assert source.description == "g.fa with g.gtf: 1 contigs, 0.01 Mb"
    assert [piece.chrom for piece in source.assembly().segments] == ["a"]
    rmsk = source.rmsk()
    assert rmsk is not None
    assert set(rmsk["chrom"]) == {"b"}


@pytest.mark.parametrize(
    ("keys", "schemes"),
    [(["rmsk"], [RMSK_ONLY]), (["trf"], [TRF]), (["rmsk", "trf"], [TRF, RMSK]), ([], [])],
)
def test_each_table_is_used_without_the_other(tmp_path: Path, keys, schemes) -> None:
    write_genome(tmp_path, ("a",))
    tables = {"rmsk": "r.out", "trf": "t.bed"}
    assert fetch(tmp_path, **{key: tables[key] for key in keys}) == 0
    source = Source.load(tmp_path / "out" / "source.json")
    assembly = source.assembly()
    repeats = RepeatAnnotation(assembly, source.rmsk(), source.trf())
    assert repeats.schemes(assembly.segments[0]) == schemes
    assert len(repeats.lacking()) == 2 - len(keys)


def test_no_repeats_found_is_not_the_same_as_no_table(tmp_path: Path, capsys) -> None:
    write_genome(tmp_path, ("a",))
    (tmp_path / "r.out").write_text("There were no repetitive sequences detected in g.fa\n")
    assert fetch(tmp_path, rmsk="r.out") == 0
    assert "r.out lists no repeat; results will have no base of its kind" in capsys.readouterr().err
    source = Source.load(tmp_path / "out" / "source.json")
    assembly = source.assembly()
    repeats = RepeatAnnotation(assembly, source.rmsk(), source.trf())
    assert repeats.schemes(assembly.segments[0]) == [RMSK_ONLY]
    assert not repeats.codes(assembly.segments[0], RMSK_ONLY).any()
