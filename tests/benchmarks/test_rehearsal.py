"""The rehearsal of the paper run: its made-up files are read as real ones, and its verdicts."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rehearsal import deposits, genome, table

from genezip.config.rules import FULL, needs
from genezip.formats.genes.gtf import read_gtf
from genezip.formats.lines import read_rows
from genezip.formats.repeatmasker import read_rmsk_out, read_trf, rmsk_rows, trf_rows
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.pairs.deposit import ELEMENTS, PairDeposit

RECORDED = Path(__file__).parents[2] / "docs" / "measurements" / "2026-11-30-rehearsal.tsv"
OF_WORDS = {"ggrams", "word_vocabulary"}  # tokens of a corpus; no rules of the paper run
BED12 = (
    "chr1\t100\t900\tNM_1\t0\t-\t250\t700\t0\t2\t200,300,\t0,500,\n"
    "chr1\t100\t900\tNR_2\t0\t+\t900\t900\t0\t1\t800,\t0,\n"
    "chr1_alt\t100\t900\tNM_3\t0\t-\t250\t700\t0\t1\t800,\t0,\n"
)


def inside(chrom: bytes, start: int, end: int) -> bool:
    return end <= genome.sizes()[chrom.decode()]


def test_chromosomes_have_their_length_and_their_gaps(tmp_path: Path) -> None:
    members = genome.write_members(tmp_path, {"chrM": 16_569}, 1)
    joined = genome.join_members(tmp_path / "all.fa.gz", [*members, *members])
    with gzip.open(joined, "rt") as text:
        lines = text.read().split("\n")
    assert lines[0] == ">chrM" and len(lines[1]) == genome.LINE
    assert len("".join(lines)) == 2 * (16_569 + len(">chrM"))
    letters = set("".join(line for line in lines if not line.startswith(">")))
    assert letters == set("ACGTacgt")
    assert genome.gaps("chr9")[0] == (45_518_558, 60_518_558)
    table = pd.read_csv(genome.GAPS, sep="\t", comment="#")
    assert (table["end"] - table["start"]).min() >= 100_000
    assert (table["end"] <= table["chrom"].map(genome.sizes())).all()


def test_genes_are_read_as_those_of_gencode(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "refseq.bed12.gz", "wt") as out:
        out.write(BED12)
    path = genome.write_genes(tmp_path / genome.GENES, tmp_path / "refseq.bed12.gz")
    rows = read_gtf(path, "basic")
    assert rows.transcripts["chrom"].unique().tolist() == ["chr1"]
    coding = rows.parts[rows.parts["kind"] == "cds"]
    assert coding[["start", "end"]].to_numpy().tolist() == [[250, 300], [600, 700]]


def test_repeats_are_read_as_those_of_ucsc(tmp_path: Path) -> None:
    rmsk = genome.write_rmsk(tmp_path / genome.RMSK, rows=400)
    (tmp_path / "rmsk.out").write_bytes(b"".join(rmsk_rows(rmsk, inside)))
    found = read_rmsk_out(tmp_path / "rmsk.out")
    assert len(found) == 400
    assert {"SINE", "LINE", "LTR", "DNA"} <= set(found["repeat_class"])
    assert (found["end"] > found["start"]).all()
    trf = genome.write_trf(tmp_path / genome.TRF, rows=300)
    (tmp_path / "trf.bed").write_bytes(b"".join(trf_rows(trf, inside)))
    found = read_trf(tmp_path / "trf.bed")
    assert len(found) == 300 and found["period"].between(1, 60).all()


def test_pairs_have_the_published_numbers(tmp_path: Path) -> None:
    rows = deposits._pairs(deposits.TISSUE_ROWS, 1, lambda *place: ["v", "A", "C"])
    counts = pd.Series([row[-2] for row in rows]).value_counts().to_dict()
    assert counts == deposits.TISSUE_ROWS
    gaps = np.abs([row[6] - row[1] for row in rows])
    assert gaps.max() < 450_000
    members = genome.write_members(tmp_path, {"chrM": 16_569}, 1)
    listing = deposits.write_elements(tmp_path, members)
    found = PairDeposit.find(ELEMENTS, deposits.SCREEN, TaskFiles.load(listing)).read()
    assert len(found) == sum(deposits.SCREEN_ROWS.values()) and set(found["label"]) == {0, 1}


def measured(folder: Path, rule: str, seconds: float, mb: float, **wildcards: str) -> None:
    path = folder / "results" / "benchmarks" / f"{rule}.{len(list(folder.rglob('*.tsv')))}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    row = {"s": seconds, "max_rss": mb, "rule_name": rule, "wildcards": str(wildcards)}
    pd.DataFrame([row]).to_csv(path, sep="\t", index=False)


def test_a_rule_that_needs_more_than_it_asks_for_is_missed(tmp_path: Path) -> None:
    """The longest job, the largest memory; the start of a program does not grow with its rows."""
    measured(tmp_path, "regions", 2.0, 100)
    measured(tmp_path, "prepare", 62.0, 900, task="cmp", part="all")
    measured(tmp_path, "prepare", 12.0, 1_000, task="cmp", part="other")
    measured(tmp_path, "repeats", 2 + 60 * 50, 100)
    measured(tmp_path, "markov", 60, needs("markov", "full").mem_mb * 0.9)
    measured(tmp_path, "compress", 1e6, 100)
    rows = table.measured(tmp_path).set_index("rule")
    times = deposits.FULL_ROWS["cmp"] / table.ROWS["cmp"]
    assert rows.loc["prepare", "paper_minutes"] == pytest.approx((2 + 60 * times) / 60, abs=0.1)
    assert rows.loc["prepare", "peak_mb"] == 1_000 and rows.loc["prepare", "jobs"] == 2
    assert rows.loc["repeats", "paper_minutes"] == pytest.approx(250, abs=0.1)
    assert not rows.loc["markov", "enough"]
    assert np.isnan(rows.loc["compress", "paper_minutes"]) and rows.loc["compress", "enough"]
    assert rows.loc["regions", "enough"]
    said = list(table.lines(rows.reset_index()))
    assert sum(line.endswith("MISSED") for line in said) == (~rows["enough"]).sum()
    text = table.paper_run(rows.reset_index())
    assert "| prepare | cmp |" in text and "H200" in text


def test_what_the_workflow_asks_for_is_more_than_the_rehearsal_took() -> None:
    rows = pd.read_csv(RECORDED, sep="\t", keep_default_na=False)
    for row in rows.itertuples(index=False):
        asked = needs(row.rule, "full")
        assert float(row.peak_mb) * table.MEMORY_MARGIN <= asked.mem_mb, row.rule
        if row.paper_minutes != "":
            assert float(row.paper_minutes) * table.TIME_MARGIN <= asked.runtime, row.rule


def test_only_rules_that_hold_a_model_ask_for_much_memory() -> None:
    large = {rule for rule, one in FULL.items() if one.mem_mb > table.MOST_MB and not one.gpu}
    assert large == {"latency", *OF_WORDS}


def test_lines_of_made_up_files_have_no_quotes(tmp_path: Path) -> None:
    rmsk = genome.write_rmsk(tmp_path / genome.RMSK, rows=20)
    for _, line in read_rows(rmsk):
        assert line.count("\t") == 16 and '"' not in line
