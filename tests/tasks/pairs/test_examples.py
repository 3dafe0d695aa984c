"""Tables of gene pairs as deposited, converted and read back, beside a slow rule on strings."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from toolkit.deposits.pairs import EQTL_FASTA, MASKED, TISSUE
from toolkit.deposits.prepared_pairs import PairsOnDisk, read_fasta
from toolkit.dna import fasta, reverse_complement

from genezip.alphabet import decode
from genezip.errors import GenezipError
from genezip.formats.chrom_sizes import hg19_sizes, hg38_sizes
from genezip.genome.liftover import Liftover
from genezip.tasks.pairs.examples import PairExamples
from genezip.tasks.pairs.gene_pairs import pair_spans, read_flanks, read_pairs

KEPT = list(range(14))  # of the 18 rows of the fixture; the last four never become examples

# Row of the table -> first 16 hex digits of SHA-256 of the reference and the alternative.
GOLDEN_EQTL: dict[int, tuple[str, str]] = {
    0: ("7069ba736267a007", "b63203a06cd27d5c"),
    1: ("5e3f4b5e960a836e", "a328e02da6fe9f9f"),
    2: ("63cd28ed966871a4", "4d6eb46b1eb63dba"),
    3: ("26e07805bc0a6c5c", "46bc76bf601f5315"),
    4: ("a75783862ea466cb", "bea9cd2211072406"),
    5: ("75d46fb498704190", "bcad735affd3de0c"),
    6: ("7e80d1ff135f3b07", "42c93a9dbbe54b73"),
    7: ("25d64496911edc40", "d0b9010e38df2229"),
    8: ("669eea46b4bc586a", "eb851681fd874175"),
    9: ("5e82ccfbd68e1407", "551c2ba0f3f6d702"),
    10: ("23fa125077d6dbea", "d7e43682b2302ef2"),
    11: ("026531de10554d41", "cf3e11d62602761c"),
    12: ("a93ae386b2fe27aa", "3320ca8c71b71040"),
    13: ("cc5abf791610f9a0", "685bf6feb4830c54"),
}
GOLDEN_ETGP: dict[int, tuple[str, str]] = {
    0: ("966496b8ba1b24ea", "9f8bce91e5ce618d"),
    1: ("a23c76aee1d481b7", "5e3f4b5e960a836e"),
    2: ("7098ab9be76648e3", "e0381b0c1dba6768"),
    3: ("b69754ac5f95974b", "26e07805bc0a6c5c"),
    4: ("7741013dcadcdc9c", "a75783862ea466cb"),
    5: ("97d4b7661111c5a5", "35c1f652c58e2368"),
    6: ("bd7aa5011781125a", "7e80d1ff135f3b07"),
    7: ("efb0443313b6dc47", "cd59960efb910e81"),
    8: ("b75cb72e91e88248", "669eea46b4bc586a"),
    9: ("3b960ac62b26e5b1", "5e82ccfbd68e1407"),
    10: ("ba34815d991e579e", "23fa125077d6dbea"),
    11: ("f300b4c011f2e673", "edfb862c0759a6e7"),
    12: ("07069843a29b3740", "9473ea52d29e5162"),
    13: ("142826f75bc55dc6", "cc5abf791610f9a0"),
}


def by_strings(row: dict[str, Any], genome: dict[str, str]) -> tuple[str, str] | None:
    """Reference and alternative of a row of the table, base by base; None where it is dropped."""
    if row["gene_chrom"] != row["region_chrom"] or row["gene_strand"] not in ("+", "-"):
        return None
    bases = genome[row["gene_chrom"]]
    first, last = int(row["region_start"]), int(row["region_end"])
    tss = int(row["gene_start"]) if row["gene_strand"] == "+" else int(row["gene_end"]) - 1
    windows = [(tss - 3000, tss + 1 + 3000), (first - 500, last + 500)]
    if windows[0][0] > windows[1][0]:
        windows.reverse()
    (begin, left_end), (right_start, _) = windows
    end = max(windows[0][1], windows[1][1])
    if right_start - left_end > 450_000:
        return None
    if "allele1" in row and bases[first:last] != row["allele1"]:
        return None
    letters = {}
    for place in range(begin, end):
        letters[place] = bases[place] if 0 <= place < len(bases) else "N"
    for chrom, low, high in MASKED:
        for place in range(low, high):
            if chrom == row["gene_chrom"] and left_end <= place < right_start:
                letters[place] = "N"
    middle = "".join(letters[place] for place in range(first, last))
    before = "".join(letters[place] for place in range(begin, first))
    after = "".join(letters[place] for place in range(last, end))
    two = [row["allele1"], row["allele2"]] if "allele1" in row else ["N" * (last - first), middle]
    reference, alternative = (before + allele + after for allele in two)
    if int(row["gene_start"]) > last + 500:
        return reverse_complement(reference), reverse_complement(alternative)
    return reference, alternative


def fingerprints(reference: str, alternative: str) -> tuple[str, str]:
    first, second = (sha256(text.encode()).hexdigest()[:16] for text in (reference, alternative))
    return first, second


@pytest.mark.parametrize("task", ["eqtl", "etgp"])
def test_every_row_becomes_the_sequences_of_the_slow_rule(task: str, tmp_path: Path) -> None:
    """Three times the same fingerprints: written down, from strings, and from the package."""
    deposit = PairsOnDisk(tmp_path, task)
    examples, genome = deposit.examples(), read_fasta(deposit.fasta)
    golden = GOLDEN_EQTL if task == "eqtl" else GOLDEN_ETGP
    slow = {}
    for number, row in enumerate(deposit.rows()):
        strings = by_strings(row, genome)
        if strings is not None:
            slow[number] = fingerprints(*strings)
    fast = {}
    for place, number in enumerate(examples.table["example"]):
        pair = examples.sequences(place)
        assert np.array_equal(
            pair.reference[: pair.focus_start], pair.alternative[: pair.focus_start]
        )
        fast[number] = fingerprints(
            decode(pair.reference).decode(), decode(pair.alternative).decode()
        )
    assert slow == golden
    assert fast == golden


def test_rows_by_hand(eqtl: PairsOnDisk) -> None:
    """Flanks 3,000 around the TSS, 500 around the variant; masks between the windows alone."""
    table = eqtl.examples().table.set_index("example")
    assert table.index.tolist() == KEPT
    columns = ["chrom", "start", "end", "tss", "focus_start", "focus_end", "strand", "flipped"]
    rows = [list(row) for row in table[columns].itertuples(index=False, name=None)]
    assert rows[0] == ["chr21", 97_000, 140_501, 100_000, 140_000, 140_001, "+", False]
    assert rows[1] == ["chr21", 249_500, 303_001, 300_000, 250_000, 250_001, "+", True]
    assert rows[2] == ["chr21", 206_999, 260_501, 209_999, 260_000, 260_001, "-", False]
    assert rows[3] == ["chr21", 349_500, 413_000, 409_999, 350_000, 350_001, "-", True]
    # inside the gene: the variant comes first
    assert rows[4] == ["chr21", 519_500, 563_000, 559_999, 520_000, 520_001, "-", False]
    assert rows[7] == ["chr22", -2_000, 30_501, 1_000, 30_000, 30_001, "+", False]
    masks = {
        number: list(zip(row["mask_start"], row["mask_end"], strict=True))
        for number, row in table.iterrows()
    }
    # two overlapping hits as one; one cut at 139,500 where the variant's window begins
    assert masks[0] == [(120_000, 120_100), (139_400, 139_500)]
    assert masks[1] == [(260_000, 260_010)]
    assert masks[2] == []  # 260,000 is the variant itself
    assert masks[8] == []  # the windows overlap
    assert table["distance"].tolist()[:3] == [40_000, 50_000, 50_001]
    assert table["label"].tolist()[:3] == [1, 1, 0]
    assert table["split"].tolist()[:3] == ["train", "test", "train"]
    assert table.loc[[5, 6], ["allele1", "allele2"]].map(len).to_numpy().tolist() == [
        [1, 6],
        [4, 1],
    ]


def test_where_the_variant_lies_in_reading_order(eqtl: PairsOnDisk) -> None:
    examples = eqtl.examples()
    first, flipped, inside = (examples.sequences(row) for row in (0, 1, 4))
    # 43,000 bases before it, of 43,501; 500 follow
    assert (first.focus_start, first.reference_end, len(first.reference)) == (
        43_000,
        43_001,
        43_501,
    )
    assert (flipped.focus_start, len(flipped.reference)) == (53_000, 53_501)
    assert inside.focus_start == 500
    insertion, deletion = examples.sequences(5), examples.sequences(6)
    assert insertion.alternative_end - insertion.reference_end == 5
    assert deletion.alternative_end - deletion.reference_end == -3
    assert len(deletion.alternative) == len(deletion.reference) - 3


@pytest.mark.parametrize(("start", "flipped"), [(39_199, True), (39_200, False)])
def test_a_pair_is_flipped_where_the_gene_begins_beyond_the_flank(
    etgp: PairsOnDisk, start: int, flipped: bool
) -> None:
    """The gene begins at 40,000; an element of 300 bp and its flank end at 39,999 or there."""
    table = "enhancer_target_gene/tables/K562.pairs.data.tsv"
    etgp.replace(table, "chr3\t30000\t30300", f"chr3\t{start}\t{start + 300}")
    row = etgp.examples().table.set_index("example").loc[13]
    assert (row["chrom"], row["focus_start"], row["flipped"]) == ("chr3", start, flipped)


@pytest.mark.parametrize("task", ["eqtl", "etgp"])
def test_the_leakage_filter_excludes_exactly_these_spans(task: str, tmp_path: Path) -> None:
    deposit = PairsOnDisk(tmp_path, task, more=40)
    table = deposit.examples().table
    held = table[table["split"] != "train"]
    (path,) = deposit.folder.glob("*/ta*/*.data.tsv")
    (config,) = deposit.folder.glob("*/config/*.config")
    spans = pair_spans(read_pairs(path), read_flanks(config))
    columns = ["chrom", "start", "end", "split", "gene_id", "region_id"]
    assert held[columns].to_numpy().tolist() == spans[columns].to_numpy().tolist()


def test_dropped_rows_are_counted_and_said(
    eqtl: PairsOnDisk, messages: Callable[[], list[str]]
) -> None:
    prepared = eqtl.prepare()
    assert prepared.dropped == {
        "gene and region on two chromosomes": 1,
        "gene without strand": 1,
        "reference allele differs from the FASTA": 1,
        "windows further apart than the cutoff": 1,
    }
    assert prepared.counts == {"train": 6, "valid": 4, "test": 4}
    assert prepared.facts["rows"] == {"train": 9, "valid": 4, "test": 5}
    assert prepared.facts["positives"] == {"train": 3, "valid": 1, "test": 2}
    for reason in prepared.dropped:
        assert f"eqtl {TISSUE}: 1 of 18 rows left out: {reason}" in messages()
    published = "published are train 1,379, valid 516, test 323"
    assert any(published in line for line in messages())
    assert prepared.facts["expected_rows"] == {"train": 1_379, "valid": 516, "test": 323}


def test_elements_are_hidden_in_the_reference(etgp: PairsOnDisk) -> None:
    examples = etgp.examples()
    assert len(examples) == 14
    assert set(examples.table["allele1"]) == {""}
    for row in range(len(examples)):
        pair = examples.sequences(row)
        element = slice(pair.focus_start, pair.reference_end)
        assert set(decode(pair.reference[element])) == {ord("N")}
        assert pair.reference_end == pair.alternative_end
        assert set(decode(pair.alternative[element])) <= set(b"ACGT")
    assert examples.table["region_id"].iloc[0] == "chr21:140000-140300"


def test_the_chain_of_the_fixture_cuts_its_first_span_in_two(etgp: PairsOnDisk) -> None:
    lift = Liftover(
        etgp.folder / "enhancer_target_gene/hg19ToHg38.over.chain.gz", hg19_sizes(), hg38_sizes()
    )
    parts = [(part.start, part.end) for part in lift.parts("chr21", 97_000, 140_800)]
    assert sorted(parts) == [(98_000, 121_000), (5_121_000, 5_141_800)]


@pytest.mark.parametrize("task", ["eqtl", "etgp"])
def test_more_rows_share_no_gene_or_region_between_folds(task: str, tmp_path: Path) -> None:
    deposit = PairsOnDisk(tmp_path, task, more=120)
    prepared, examples = deposit.prepare(), PairExamples.load(deposit.manifest, deposit.fasta)
    table = examples.table
    assert prepared.facts["folds"] == {"gene": 5, "chromosome": 5}
    for column in ("gene_id", "region_id"):
        assert table.groupby(column)["fold_gene"].nunique().max() == 1
    assert table.groupby("chrom")["fold_chromosome"].nunique().max() == 1
    for fold in ("fold_gene", "fold_chromosome"):
        assert set(table[fold]) == set(range(5))
    assert table.groupby("split")["label"].sum().min() >= 3
    for row in range(14, len(table), 29):
        strings = by_strings(deposit.rows()[table["example"][row]], read_fasta(deposit.fasta))
        pair = examples.sequences(row)
        assert strings == (decode(pair.reference).decode(), decode(pair.alternative).decode())


def test_too_few_chromosomes_are_said_and_have_no_folds(
    eqtl: PairsOnDisk, messages: Callable[[], list[str]]
) -> None:
    prepared = eqtl.prepare(folds=6)
    assert prepared.facts["folds"] == {"gene": 6, "chromosome": 0}
    assert set(prepared.table()["fold_chromosome"]) == {-1}
    assert (
        f"eqtl {TISSUE}: too few groups for 6 folds by chromosome, so there are none" in messages()
    )


def test_a_fasta_with_other_names_gives_the_same_sequences(tmp_path: Path) -> None:
    expected, other = PairsOnDisk(tmp_path / "a").examples(), PairsOnDisk(tmp_path / "b")
    other.replace(EQTL_FASTA, ">chr", ">")
    found = other.examples()
    assert set(found.table["chrom"]) == {"21", "22", "1", "2", "3"}
    for row in range(len(expected)):
        pairs = expected.sequences(row), found.sequences(row)
        assert np.array_equal(pairs[0].alternative, pairs[1].alternative)


def test_the_order_of_the_table_is_kept_and_a_second_run_is_equal(eqtl: PairsOnDisk) -> None:
    eqtl.prepare()
    first = eqtl.manifest.with_name("examples.parquet").read_bytes()
    manifest = json.loads(eqtl.manifest.read_text())
    eqtl.prepare()
    assert eqtl.manifest.with_name("examples.parquet").read_bytes() == first
    assert json.loads(eqtl.manifest.read_text()) == manifest
    table = pd.read_parquet(eqtl.manifest.with_name("examples.parquet"))
    assert table["example"].is_monotonic_increasing


def test_another_fasta_than_the_prepared_one_is_refused(eqtl: PairsOnDisk) -> None:
    examples = eqtl.examples()
    other = eqtl.folder / "other.fa"
    other.write_text(">chr21\nACGT\n")
    with pytest.raises(GenezipError, match="has other chromosomes than the FASTA"):
        PairExamples.load(eqtl.manifest, other)
    row = examples.table.iloc[0]
    genome = read_fasta(eqtl.fasta)
    base = genome["chr21"][row["focus_start"]]
    changed = {"A": "C"}.get(base, "A")
    place = row["focus_start"]
    genome["chr21"] = genome["chr21"][:place] + changed + genome["chr21"][place + 1 :]
    other.write_text(fasta(genome))
    other.with_name("other.fa.fai").unlink()
    with pytest.raises(GenezipError, match=f"does not have {base} at chr21:140000"):
        PairExamples.load(eqtl.manifest, other).sequences(0)
