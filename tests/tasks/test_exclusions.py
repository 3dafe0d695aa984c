"""Inputs of the tasks eqtl and etgp: hand-written pairs, and hand-written chains to lift them."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from toolkit.corpora import places, total

from genezip.errors import GenezipError
from genezip.formats.chrom_sizes import hg19_sizes, hg38_sizes

HG19, HG38 = hg19_sizes(), hg38_sizes()
PAIR_HEAD = (
    "gene_chrom\tgene_start\tgene_end\tgene_strand\tgene_id\t"
    "region_chrom\tregion_start\tregion_end\tregion_id\ttarget\tsubset\tmore\n"
)
Write = Callable[..., Path]
Collect = Callable[..., tuple[pd.DataFrame, pd.DataFrame, list[str]]]


def test_variants_and_genes_by_hand(listed: Write, collect: Collect) -> None:
    """One row for every rule; flanks of the second tissue come from its config."""
    rows = [
        # + gene at 100,000, variant downstream: TSS window 97,000-103,001, variant 119,500-120,501
        "chr1\t100000\t150000\t+\tG1\tchr1\t120000\t120001\tV1\tpositive\tvalid\tx",
        # - gene: the TSS is its last base, 149,999; the variant lies upstream, right of it
        "chr1\t100000\t150000\t-\tG2\tchr1\t160000\t160003\tV2\tnegative\ttest\tx",
        # begins before the chromosome: 2,000 - 3,000
        "chr2\t2000\t9000\t+\tG3\tchr2\t3000\t3001\tV3\tnegative\ttest\tx",
        # gap of exactly 450,000: 103,001 to 553,001
        "chr3\t100000\t150000\t+\tG4\tchr3\t553501\t553502\tV4\tnegative\ttest\tx",
        # one base more; another chromosome; no strand; training
        "chr3\t100000\t150000\t+\tG5\tchr3\t553502\t553503\tV5\tnegative\ttest\tx",
        "chr3\t100000\t150000\t+\tG6\tchr4\t100000\t100001\tV6\tnegative\ttest\tx",
        "chr3\t100000\t150000\t.\tG7\tchr3\t100000\t100001\tV7\tnegative\ttest\tx",
        "chr5\t100000\t150000\t+\tG8\tchr5\t100000\t100001\tV8\tnegative\ttrain\tx",
    ]
    other = "chr6\t100000\t150000\t+\tG9\tchr6\t120000\t120001\tV9\tpositive\tvalid\tx\n"
    config = (
        "organism human string\ntss_flank_upstream\t10  int\ntss_flank_downstream 20 int\n"
        "region_flank_upstream 1 int\nregion_flank_downstream 2 int\nseq_len_cutoff 450000 int\n"
    )
    folder = listed(
        "eqtl",
        {
            "eQTL/targets/Thyroid.data.tsv": PAIR_HEAD + "\n".join(rows) + "\n",
            "eQTL/targets/Whole_Blood.data.tsv": PAIR_HEAD + other + rows[0] + "\n",
            "eQTL/config/gtex_hg38.Whole_Blood.config": config,
        },
    )
    table, _, said = collect(folder, "eqtl")
    assert places(table) == [
        ("chr1", 97_000, 120_501, "valid"),
        ("chr1", 99_990, 120_003, "valid"),  # the same pair with the other tissue's flanks
        ("chr1", 146_999, 160_503, "test"),
        ("chr2", 0, 5_001, "test"),
        ("chr3", 97_000, 554_002, "test"),
        ("chr6", 99_990, 120_003, "valid"),
    ]
    assert table["reason"].iloc[0] == "gene G1 with variant V1"
    assert any("3 more never become inputs" in line for line in said)


# hg19 chr21 and chr22 to hg38. Blocks: chr21 1,000,000-1,100,000 moves by +5; 1,100,000-1,200,000
# is deleted; 1,200,000-1,300,000 moves by -99,995 and so follows at once; 2,000,000-2,100,000 runs
# backwards to 3,000,000-3,100,000; 2,100,000-2,200,000 goes to chr22 at 500,000.
def chain_text() -> str:
    t21, q21, q22 = HG19["chr21"], HG38["chr21"], HG38["chr22"]
    first, last = q21 - 3_100_000, q21 - 3_000_000
    return (
        f"chain 9 chr21 {t21} + 1000000 1300000 chr21 {q21} + 1000005 1200005 1\n"
        "100000 100000 0\n100000\n\n"
        f"chain 8 chr21 {t21} + 2000000 2100000 chr21 {q21} - {first} {last} 2\n100000\n\n"
        f"chain 7 chr21 {t21} + 2100000 2200000 chr22 {q22} + 500000 600000 3\n100000\n"
    )


def enhancer_files(rows: list[str], chain: str | None = None) -> dict[str, str | bytes]:
    config = "EPI_file targets/pairs.data.tsv string\ntss_flank_upstream 100 int\n"
    config += "tss_flank_downstream 100 int\nregion_flank_upstream 50 int\n"
    config += "region_flank_downstream 50 int\nseq_len_cutoff 450000 int\n"
    packed = gzip.compress((chain or chain_text()).encode())
    return {
        "enhancer_target_gene/config/CRISPRi_EPI_K562_hg19.config": config,
        "enhancer_target_gene/targets/pairs.data.tsv": PAIR_HEAD + "\n".join(rows) + "\n",
        "enhancer_target_gene/hg19ToHg38.over.chain.gz": packed,
    }


def element(gene: str, tss: int, start: int, end: int, split: str) -> str:
    return f"chr21\t{tss}\t{tss + 10}\t+\t{gene}\tchr21\t{start}\t{end}\t\tnegative\t{split}\tx"


WHOLE = element("G1", 1_001_000, 1_005_000, 1_006_000, "valid")
ENDS = element("G2", 1_010_000, 1_250_000, 1_251_000, "test")
BACKWARDS = element("G3", 2_010_000, 2_020_000, 2_021_000, "test")
SPLIT = element("G4", 2_090_000, 2_110_000, 2_111_000, "test")
HALF = element("G5", 1_150_000, 1_099_000, 1_099_500, "test")
LOST = element("G6", 5_000_000, 5_010_000, 5_011_000, "test")


def test_elements_are_lifted_and_none_is_lost_silently(listed: Write, collect: Collect) -> None:
    folder = listed("etgp", enhancer_files([WHOLE, ENDS, BACKWARDS, SPLIT, HALF, LOST]))
    table, summary, said = collect(folder, "etgp")
    by_gene = {
        gene: places(table[table["reason"].str.startswith(f"gene {gene} ")])
        for gene in ("G1", "G2", "G3", "G4", "G5", "G6")
    }
    # As one: 1,000,900 to 1,006,050, moved by 5.
    assert by_gene["G1"] == [("chr21", 1_000_905, 1_006_055, "valid")]
    # 100,000 of 241,150 bases are deleted, but both ends map: 1,009,900 + 5 and
    # 1,251,050 - 99,995.
    assert by_gene["G2"] == [("chr21", 1_009_905, 1_151_055, "test")]
    # Backwards: 2,009,900 -> 3,090,100 and 2,021,050 -> 3,078,950.
    assert by_gene["G3"] == [("chr21", 3_078_950, 3_090_100, "test")]
    # Ends on two chromosomes, 21,150 bases of input on either side of each piece, and between
    # them the rest of the input: 2,090,101-2,100,000 -> 3,000,000-3,010,000 on chr21 lies within.
    # TSS window 2,089,900-2,090,101 -> 3,009,899-3,010,100; element 2,109,950-2,111,050 ->
    # chr22 509,950-511,050.
    assert by_gene["G4"] == [
        ("chr21", 3_009_899 - 21_150, 3_010_100 + 21_150, "test"),
        ("chr22", 509_950 - 21_150, 511_050 + 21_150, "test"),
    ]
    # The TSS window is deleted; the element 1,098,950-1,099,550 + 5, with 51,151 on both sides.
    assert by_gene["G5"] == [("chr21", 1_098_955 - 51_151, 1_099_555 + 51_151, "test")]
    assert by_gene["G6"] == []
    assert total(summary, "etgp", "test", "widened") == 2
    assert total(summary, "etgp", "test", "not_lifted") == 1
    names = summary["not_lifted_inputs"].dropna().tolist()
    assert "gene G6 with element chr21:5010000-5011000" in names
    assert any("of 6 inputs 2 lift to hg38 as one, 1 by their two ends" in line for line in said)
    assert any("2 inputs lift in parts only" in line for line in said)
    assert any("1 inputs cannot be lifted and are NOT excluded" in s for s in said)
    assert table.loc[table["split"] == "test", "reason"].str.endswith(", widened").sum() == 3


@pytest.mark.parametrize("flank", ["many", "9" * 20, "\u0663"])
def test_a_wrong_flank_is_one_sentence(listed: Write, flank: str, collect: Collect) -> None:
    files = enhancer_files([WHOLE, ENDS])
    name = "enhancer_target_gene/config/CRISPRi_EPI_K562_hg19.config"
    files[name] = f"{files[name]!s}seq_len_cutoff {flank} int\n"
    with pytest.raises(GenezipError, match=f"seq_len_cutoff '{flank}', which is no whole number"):
        collect(listed("etgp", files), "etgp")


def test_other_names_of_chromosomes_are_lifted_alike(listed: Write, collect: Collect) -> None:
    """`21` is chr21 of the chains; what is on no chromosome of hg19 is named as lost."""
    rows = [WHOLE, ENDS, LOST]
    expected, _, _ = collect(listed("etgp", enhancer_files(rows)), "etgp")
    short = [row.replace("chr21", "21") for row in rows]
    patch = element("G7", 5_000, 5_010, 5_011, "test").replace("chr21", "patch9")
    table, summary, said = collect(listed("etgp", enhancer_files([*short, patch])), "etgp")
    assert places(table) == places(expected)
    assert len(places(table)) == 2
    assert any("etgp (hg19): contig names converted (21 -> chr21" in line for line in said)
    assert total(summary, "etgp", "test", "not_lifted") == 2
    assert "gene G7 with element patch9:5010-5011" in str(summary["not_lifted_inputs"].tolist())


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_split_that_does_not_lift_at_all_is_refused(
    listed: Write, split: str, collect: Collect
) -> None:
    beyond = HG19["chr21"] + 1_000_000
    lost = [element(f"G{n}", beyond, beyond + 10, beyond + 20, split) for n in (7, 8)]
    kept = WHOLE if split == "test" else ENDS
    sentence = f"none of the 2 {split} inputs of etgp lifts to hg38; is the table hg19?"
    with pytest.raises(GenezipError, match=sentence.replace("?", r"\?")):
        collect(listed("etgp", enhancer_files([kept, *lost])), "etgp")


def test_a_chain_of_the_other_direction_is_refused(listed: Write, collect: Collect) -> None:
    back = (
        f"chain 9 chr21 {HG38['chr21']} + 1000005 1100005 "
        f"chr21 {HG19['chr21']} + 1000000 1100000 1\n100000\n"
    )
    folder = listed("etgp", enhancer_files([WHOLE, ENDS], back))
    with pytest.raises(GenezipError, match="is not a chain file from hg19 to hg38: its chr21 has"):
        collect(folder, "etgp")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("gene_strand", "strand", "lacks the column gene_strand"),
        ("1001000\t", "x\t", "line 2 of .* is malformed"),
        ("valid", "dev", "line 2 of .* is malformed"),
        ("1005000", "9" * 20, "line 2 of .* is malformed"),
        ("1005000", "\u0663\u0660", "line 2 of .* is malformed"),  # digits of another script
        ("1006000", "1004999", "line 2 of .* no end before its start"),
        ("1001010", "1000999", "line 2 of .* no end before its start"),
    ],
)
def test_wrong_pairs_are_one_sentence(
    listed: Write, old: str, new: str, sentence: str, collect: Collect
) -> None:
    files = enhancer_files([WHOLE, ENDS])
    name = "enhancer_target_gene/targets/pairs.data.tsv"
    files[name] = str(files[name]).replace(old, new, 1)
    with pytest.raises(GenezipError, match=sentence):
        collect(listed("etgp", files), "etgp")
