"""``genezip regions calibrate`` on two files and on a fetched source."""

import csv
from pathlib import Path

import pytest
from toolkit.command_line import call


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


def test_a_source_gives_lengths_genes_and_n(tmp_path):
    assert call("simulate", "--out", tmp_path / "s") == 0
    code = call(
        "regions", "calibrate", "--source", tmp_path / "s" / "source.json", "--windows", 10,
        "--chromosomes", "sim4", "--out", tmp_path / "c.tsv", "--mixture", tmp_path / "m.tsv",
    )  # fmt: skip
    assert code == 0
    assert sum(float(r["measured_mb"]) for r in rows(tmp_path / "c.tsv")[:7]) == pytest.approx(0.9)
    assert len(rows(tmp_path / "m.tsv")) == 3 * 2 * 7


def test_a_source_without_a_training_piece_to_draw_from(tmp_path, capsys):
    assert call("simulate", "--out", tmp_path / "s") == 0
    code = call(
        "regions", "calibrate", "--source", tmp_path / "s" / "source.json", "--windows", 10,
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
        (["--chromosomes", ","], "',' names nothing"),
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
