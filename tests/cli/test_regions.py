"""``genezip regions``: from source.json to table on a genome of 60 bases, and ``calibrate``."""

import csv
import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import pysam
import pytest
from toolkit.command_line import call

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
    "transcripts": "all",
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


def build(source: Path, **changes: object) -> tuple[int, Path]:
    out = source.parent / "out"
    settings = json.dumps({**SETTINGS, **changes})
    code = call(
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

    assert call("regions", "show", "--bed", out / "map.bed.gz", "c:12-32") == 0
    assert capsys.readouterr().out.splitlines() == [
        "c\t12\t13\tpromoter",
        "c\t13\t15\tutr",
        "c\t15\t20\tcds",
        "c\t20\t30\tintron",
        "c\t30\t32\tcds",
    ]


@pytest.fixture
def two_files(tmp_path: Path) -> list[object]:
    """Gene models and lengths without sequence."""
    (tmp_path / "own.gtf").write_text(GTF)
    (tmp_path / "own.sizes").write_text("c\t60\n")
    files = ["--annotation", tmp_path / "own.gtf", "--chrom-sizes", tmp_path / "own.sizes"]
    return ["regions", "build", *files, "--settings", json.dumps(SETTINGS)]


def test_a_map_from_annotation_and_lengths_equals_that_of_the_source(source, two_files, tmp_path):
    _, out = build(source)
    bed, summary = tmp_path / "two.bed.gz", tmp_path / "two.tsv"
    assert call(*two_files, "--bed", bed, "--summary", summary) == 0
    assert bed.read_bytes() == (out / "map.bed.gz").read_bytes()
    indexes = [Path(f"{path}.tbi").read_bytes() for path in (bed, out / "map.bed.gz")]
    assert indexes[0] == indexes[1]
    with pysam.TabixFile(str(bed)) as file:
        assert [row.split("\t")[3] for row in file.fetch("c", 12, 13)] == ["promoter"]
    rows = [line.split("\t") for line in summary.read_text().splitlines()]
    assert rows[0] == ["split", "class", "bp", "fraction"]
    assert rows[2] == ["all", "cds", "18", "0.300000"]
    (tmp_path / "own.fai").write_text("c\t60\t3\t60\t61\n")
    (tmp_path / "genes").write_text(GTF)
    again = ["--annotation", tmp_path / "genes", "--chrom-sizes", tmp_path / "own.fai"]
    rest = ["--format", "gtf", "--settings", json.dumps(SETTINGS), "--bed", tmp_path / "x.bed.gz"]
    assert call("regions", "build", *again, *rest) == 0
    assert (tmp_path / "x.bed.gz").read_bytes() == bed.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "give either --source or --annotation with --chrom-sizes"),
        (["--source", "s", "--annotation", "a"], "give either --source or --annotation"),
        (["--annotation", "a.gtf"], "--annotation needs --chrom-sizes"),
        (["--source", "s", "--chrom-sizes", "c"], "belong to --annotation; leave them out"),
        (["--annotation", "a.txt", "--chrom-sizes", "{sizes}"], "a.txt does not show its format"),
        (["--annotation", "{gtf}", "--chrom-sizes", "absent"], "absent does not exist"),
        (["--annotation", "{gtf}", "--chrom-sizes", "{other}"], "have no contig in common"),
        (["--annotation", "{gtf}", "--chrom-sizes", "{short}"], "c has 40 bases: wrong build?"),
        (["--annotation", "{gtf}", "--chrom-sizes", "{gtf}"], "line 1 of"),
    ],
)
def test_wrong_files_are_one_sentence(source, tmp_path, capsys, arguments, sentence):
    (tmp_path / "short").write_text("c\t40\n")
    (tmp_path / "other").write_text("z\t60\n")
    names = {
        "gtf": tmp_path / "genes.gtf",
        "sizes": tmp_path / "chrom.sizes",
        "short": tmp_path / "short",
        "other": tmp_path / "other",
    }
    filled = [text.format(**names) for text in arguments]
    settings = json.dumps({**SETTINGS, "required": []})
    bed = tmp_path / "wrong.bed.gz"
    assert call("regions", "build", *filled, "--settings", settings, "--bed", bed) == 1
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert not bed.exists()


def test_own_classes_are_read_below_the_root_and_shown(source, capsys):
    folder = source.parent
    (folder / "e.bed").write_text("c\t8\t12\n")
    classes = [{"name": "enhancer", "bed": "e.bed", "before": "promoter"}]
    settings = json.dumps({**SETTINGS, "classes": classes})
    bed, summary = folder / "map.bed.gz", folder / "map.tsv"
    common = ["--source", source, "--settings", settings, "--root", folder, "--bed", bed]
    assert call("regions", "build", *common, "--summary", summary) == 0
    assert "the class enhancer got 4 bp\n" in capsys.readouterr().err
    assert "test\tenhancer\t4\t0.066667\t1\n" in summary.read_text()  # base 9 is N
    assert call("regions", "show", "--bed", bed, "c:10-14") == 0
    assert capsys.readouterr().out.splitlines() == [
        "c\t10\t12\tenhancer",
        "c\t12\t13\tpromoter",
        "c\t13\t14\tutr",
    ]
    if shutil.which("bedtools") is not None:
        assert call("regions", "verify", *common) == 0
        assert "60 bases, all of the same class as by bedtools" in capsys.readouterr().out


def test_own_classes_of_another_genome_write_nothing(source, capsys):
    (source.parent / "e.bed").write_text("contig_1\t8\t12\n")
    bed = str(source.parent / "e.bed")
    code, out = build(source, classes=[{"name": "enhancer", "bed": bed, "before": "promoter"}])
    assert code == 1
    assert "genezip: e.bed and the assembly have no contig in common" in capsys.readouterr().err
    assert not out.exists()


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
    assert call("regions", "show", "--bed", out / "map.bed.gz", locus) == 1
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
    assert call(*verify, json.dumps(SETTINGS)) == 0
    assert capsys.readouterr().out == "60 bases, all of the same class as by bedtools\n"
    assert call(*verify, json.dumps({**SETTINGS, "nig_distance": 41})) == 1
    said = capsys.readouterr().err
    assert "1 of 60 bases of" in said
    assert "c:52 is nig in the map and dig by bedtools" in said


# --- calibrate, on two files and on a fetched source


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


@pytest.fixture
def files(tmp_path: Path) -> list[object]:
    """Genes every 40 kb on three chromosomes of 600 kb."""
    lines = []
    for chrom in ("chr1", "chr8", "chr9"):
        for start in range(20_000, 600_000 - 20_000, 40_000):
            ids = f'gene_id "{chrom}{start}"; transcript_id "{chrom}{start}";'
            for feature, lo, hi in (("exon", 0, 2000), ("exon", 5000, 9000), ("CDS", 500, 2000)):
                place = f"{start + lo + 1}\t{start + hi}"
                lines.append(f"{chrom}\tx\t{feature}\t{place}\t.\t+\t.\t{ids}\n")
    (tmp_path / "genes.gtf").write_text("".join(lines))
    (tmp_path / "sizes").write_text("".join(f"{c}\t600000\n" for c in ("chr1", "chr8", "chr9")))
    return [
        "regions", "calibrate", "--settings", '{"transcripts": "all"}', "--windows", 20,
        "--annotation", tmp_path / "genes.gtf", "--chrom-sizes", tmp_path / "sizes",
    ]  # fmt: skip


def test_two_tables_and_words(files, tmp_path, capsys):
    out, mixture = tmp_path / "out" / "c.tsv", tmp_path / "out" / "m.tsv"
    chosen = ["--chromosomes", "chr8,chr9", "--half-widths", "100,200"]
    assert call(*files, *chosen, "--out", out, "--mixture", mixture) == 0
    table = rows(out)
    assert len(table) == 2 * 8
    assert {row["annotation"] for row in table} == {"genes.gtf"}
    assert {row["chromosomes"] for row in table} == {"chr8+chr9"}
    # 14 genes on each of the two chromosomes, 200 promoter bases each
    assert table[0]["class"] == "promoter"
    assert float(table[0]["measured_mb"]) == 0.0056
    assert float(table[0]["paper_mb"]) == 22.44
    fitted = rows(mixture)
    assert len(fitted) == 3 * 2 * 7
    for row in fitted:
        weights = [float(row[f"{mode}_weight"]) for mode in ("uniform", "tss", "cds")]
        assert min(weights) >= 0
        assert sum(weights) == pytest.approx(1, abs=2e-6)
    said = capsys.readouterr().out
    assert "genes.gtf: closest to the paper by promoter bases: half-width 200 bp" in said
    assert "genes.gtf: 12.8k, own: uniform" in said
    first = mixture.read_bytes()
    assert call(*files, *chosen, "--out", out, "--mixture", mixture) == 0
    assert mixture.read_bytes() == first


def test_the_chosen_mixture_is_shown_under_its_name(files, tmp_path):
    common = [*files, "--chromosomes", "chr8,chr9", "--out", tmp_path / "c.tsv"]
    one, two = tmp_path / "one.tsv", tmp_path / "two.tsv"
    assert call(*common, "--mixture", one) == 0
    assert {row["fit"] for row in rows(one)} == {"own", "both", "default"}
    chosen = '{"uniform": 0.25, "tss": 0.75, "cds": 0}'
    assert call(*common, "--mixture", two, "--sampling", chosen) == 0
    shown = [row for row in rows(two) if row["fit"] == "config"]
    assert len(shown) == 2 * 7
    for row in shown:
        assert [float(row[f"{m}_weight"]) for m in ("uniform", "tss", "cds")] == [0.25, 0.75, 0]
    assert {row["fit"] for row in rows(two)} == {"own", "both", "config"}


def test_windows_avoid_excluded_intervals(files, tmp_path, capsys):
    (tmp_path / "most.bed").write_text("1\t0\t599000\n")  # the converted name is chr1
    out = tmp_path / "c.tsv"
    code = call(
        *files, "--chromosomes", "chr8,chr9", "--out", out, "--mixture", tmp_path / "m.tsv",
        "--exclude", tmp_path / "most.bed",
    )  # fmt: skip
    assert code == 1
    said = capsys.readouterr().err
    assert "most.bed: contig names converted (1 -> chr1, 1 in all)" in said
    assert "no base is" not in said  # the map serves the mixture alone
    assert "overlap an excluded interval" in said
    assert not out.exists()


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """source.json of a simulated genome of the default size."""
    folder = tmp_path_factory.mktemp("simulated")
    assert call("simulate", "--out", folder) == 0
    return folder / "source.json"


def test_a_source_gives_lengths_genes_and_n(simulated, tmp_path):
    code = call(
        "regions", "calibrate", "--source", simulated, "--windows", 10,
        "--chromosomes", "sim4", "--out", tmp_path / "c.tsv", "--mixture", tmp_path / "m.tsv",
    )  # fmt: skip
    assert code == 0
    assert sum(float(r["measured_mb"]) for r in rows(tmp_path / "c.tsv")[:7]) == pytest.approx(0.9)
    assert len(rows(tmp_path / "m.tsv")) == 3 * 2 * 7


def test_a_source_without_a_training_piece_to_draw_from(simulated, tmp_path, capsys):
    code = call(
        "regions", "calibrate", "--source", simulated, "--windows", 10,
        "--chromosomes", "sim4", "--training", "sim4", "--out", tmp_path / "c.tsv",
        "--mixture", tmp_path / "m.tsv",
    )  # fmt: skip
    assert code == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert "--mixture has no segment to draw windows from" in said and "on sim4;" in said
    assert not (tmp_path / "c.tsv").exists()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ([], "the chromosome lengths lack chr10"),
        (["--chromosomes", ","], "',' has no name"),
        (["--chromosomes", "chr8,chr9,chr8"], "'chr8,chr9,chr8' has chr8 twice"),
        (["--chromosomes", "chr8", "--sampling", "{"], "--sampling is not valid JSON"),
        (["--chromosomes", "chr8", "--sampling", '{"tss": 1}'], "uniform + tss + cds must be 1"),
        (
            ["--chromosomes", "chr8", "--training", "chr1,chr1", "--mixture", "m.tsv"],
            "'chr1,chr1' has chr1 twice",
        ),
        (["--chromosomes", "chr8", "--half-widths", "wide"], "'wide' is no half-width"),
        (["--chromosomes", "chr8", "--source", "x.json"], "give either --source or --annotation"),
        (["--chromosomes", "chr8", "--paper", "absent.csv"], "absent.csv does not exist"),
        (
            ["--chromosomes", "chr8", "--training", "chr2", "--mixture", "m.tsv"],
            "lengths lack chr2",
        ),
    ],
)
def test_wrong_input_is_one_sentence_and_writes_nothing(files, tmp_path, capsys, more, sentence):
    out = tmp_path / "c.tsv"
    assert call(*files, "--out", out, *more) == 1
    said = capsys.readouterr().err
    assert sentence in said
    assert said.splitlines()[-1].startswith("genezip: ")
    assert not out.exists()
