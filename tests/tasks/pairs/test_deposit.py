"""Files of gene pairs that are wrong, of another genome, or not as published."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toolkit.deposits.pairs import EQTL_FASTA, SCREEN, TISSUE
from toolkit.deposits.prepared_pairs import PairsOnDisk, read_fasta
from toolkit.dna import fasta

from genezip.config import EQTL, ETGP
from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.pairs.deposit import PUBLISHED_ROWS, VARIANTS, PairDeposit, differing_alleles
from genezip.tasks.pairs.examples import OTHER_ALLELE

TABLE = f"eQTL/targets/{TISSUE}.data.tsv"
MASK = f"eQTL/blacklist/{TISSUE}.blacklist.bed.gz"


def test_published_rows_add_up_to_the_published_totals() -> None:
    tissues = [rows for name, rows in PUBLISHED_ROWS.items() if name != SCREEN]
    assert len(tissues) == 9
    assert [sum(column) for column in zip(*tissues, strict=True)] == [20_398, 6_573, 4_311]
    assert sum(PUBLISHED_ROWS[SCREEN]) == 2_602
    assert set(EQTL().subsets.values()) | set(ETGP().subsets.values()) == set(PUBLISHED_ROWS)


def test_a_fasta_of_another_build_stops_the_run(eqtl: PairsOnDisk) -> None:
    """Every chromosome begins one base later, as after a change of build."""
    genome = read_fasta(eqtl.fasta)
    eqtl.fasta.write_text(fasta({name: "A" + bases for name, bases in genome.items()}))
    eqtl.fasta.with_name(eqtl.fasta.name + ".fai").unlink(missing_ok=True)
    sentence = (
        "reference alleles of .* are not in .*hg38.fa, which looks like another genome; the ids of "
        r"the variants name hg38 \(_b38\); give the FASTA of that build"
    )
    with pytest.raises(GenezipError, match=sentence):
        eqtl.prepare()
    assert not eqtl.manifest.exists()


class LooksLike38(ReferenceGenome):
    def build(self) -> str:
        return "hg38"


class LooksLike19(ReferenceGenome):
    def build(self) -> str:
        return "hg19"


def test_a_screen_of_hg19_refuses_a_fasta_that_looks_like_hg38(etgp: PairsOnDisk) -> None:
    etgp.genome = LooksLike38
    with pytest.raises(GenezipError, match=r"is of hg19, but .* looks like hg38; give"):
        etgp.prepare()
    etgp.genome = LooksLike19
    assert etgp.prepare().facts["build"] == "hg19"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("target\tsubset", "label\tsubset", "lacks the column target"),
        ("target\tsubset", "target\tsplit", "lacks the column subset"),
        ("allele2", "other", "lacks the column allele2"),
        ("positive", "Positive", "line 2 of .* its target is neither positive nor negative"),
        ("ENSG00100000.21", "", "line 2 of .* it has no gene_id"),
        ("\t140001\t", "\t140000\t", "line 2 of .* its region has no base"),
        ("\tAACGTT\t", "\t-\t", "line 7 of .* its allele2 is not written in A, C, G, T and N"),
        ("\t140000\t", "\t1.4e5\t", "line 2 of .* is malformed"),
        ("\tpositive\ttrain\t0", "", "line 2 of .* is malformed"),
    ],
)
def test_a_wrong_table_is_one_sentence(
    eqtl: PairsOnDisk, old: str, new: str, sentence: str
) -> None:
    eqtl.replace(TABLE, old, new, 1)
    with pytest.raises(GenezipError, match=sentence):
        eqtl.prepare()
    assert not eqtl.manifest.parent.exists()


def test_an_empty_split_is_named_with_what_was_left_out(eqtl: PairsOnDisk) -> None:
    eqtl.replace(TABLE, "\tvalid\t", "\ttrain\t")
    with pytest.raises(GenezipError, match=r"subset valid becomes an example \(left out 1: gene"):
        eqtl.prepare()


def test_a_split_of_one_class_is_no_error(eqtl: PairsOnDisk) -> None:
    eqtl.replace(TABLE, "positive\ttest", "negative\ttest")
    assert eqtl.prepare().facts["positives"]["test"] == 0


def test_a_place_beyond_the_chromosome_is_left_out(tmp_path: Path) -> None:
    eqtl = PairsOnDisk(tmp_path, more=20)
    before = eqtl.prepare().counts["test"]
    eqtl.replace(TABLE, "chr3\t30000\t30001", "chr3\t130000\t130001")
    prepared = eqtl.prepare()
    assert prepared.dropped["gene or region outside the chromosome"] == 1
    assert prepared.counts["test"] == before - 1


def test_a_fasta_without_a_chromosome_is_one_sentence(eqtl: PairsOnDisk) -> None:
    eqtl.replace(EQTL_FASTA, ">chr22", ">chr20")
    with pytest.raises(GenezipError, match="has no chromosome chr22; give the FASTA of the whole"):
        eqtl.prepare()


def test_another_subset_than_those_listed_is_one_sentence(eqtl: PairsOnDisk) -> None:
    eqtl.subset = "Blood"
    with pytest.raises(
        GenezipError, match=f"no subset 'Blood'; name one with --subset .it has {TISSUE}.$"
    ):
        eqtl.prepare()


def test_another_screen_than_those_listed_is_one_sentence(etgp: PairsOnDisk) -> None:
    etgp.subset = "K562"
    with pytest.raises(GenezipError, match=f"no subset 'K562'; .*it has {SCREEN}.$"):
        etgp.prepare()


class ReadInParts(ReferenceGenome):
    def ids(self, chrom: str, start: int, end: int) -> np.ndarray:
        assert end - start < 10_000_000
        return super().ids(chrom, start, end)


def test_a_variant_of_another_length_than_its_allele_differs_unread(tmp_path: Path) -> None:
    """300 Gb would be read otherwise."""
    eqtl = PairsOnDisk(tmp_path, more=20)
    before = eqtl.prepare()
    row = "chr21\t140000\t140001\t"
    eqtl.replace(TABLE, row, row.replace("140001", "300000000000"), 1)
    eqtl.genome = ReadInParts
    prepared = eqtl.prepare()
    assert sum(prepared.dropped.values()) == sum(before.dropped.values()) + 1
    pairs = PairDeposit.find(VARIANTS, TISSUE, TaskFiles.load(eqtl.listing)).read()
    assert differing_alleles(pairs, ReadInParts(eqtl.fasta))[0]


def test_a_variant_of_another_length_is_left_out_as_another_allele(tmp_path: Path) -> None:
    """One base more than the allele has; its chromosome goes on."""
    eqtl = PairsOnDisk(tmp_path, more=20)
    before = eqtl.prepare().dropped[OTHER_ALLELE]
    eqtl.replace(TABLE, "chr21\t140000\t140001\t", "chr21\t140000\t140002\t", 1)
    assert eqtl.prepare().dropped[OTHER_ALLELE] == before + 1


def test_a_table_of_a_header_alone_is_one_sentence(eqtl: PairsOnDisk) -> None:
    path = eqtl.folder / TABLE
    path.write_text(path.read_text().split("\n")[0] + "\n")
    with pytest.raises(GenezipError, match=r"data.tsv has a header and no row; fetch it again"):
        eqtl.prepare()


def test_a_tab_at_the_end_of_rows_changes_nothing_and_more_cells_are_refused(
    eqtl: PairsOnDisk,
) -> None:
    before = eqtl.prepare().table()
    path = eqtl.folder / TABLE
    head, *rows = path.read_text().rstrip("\n").split("\n")
    path.write_text("\n".join([head, *(f"{row}\t" for row in rows)]) + "\n")
    pd.testing.assert_frame_equal(eqtl.prepare().table(), before)
    path.write_text("\n".join([head, f"{rows[0]}\t", *(f"{row}\tx" for row in rows[1:])]) + "\n")
    with pytest.raises(GenezipError, match=r"line 3 of .* has more cells than the header's 14"):
        eqtl.prepare()


def test_negative_flanks_are_refused(eqtl: PairsOnDisk) -> None:
    config = f"eQTL/config/gtex_hg38.{TISSUE}.config"
    text = (eqtl.folder / config).read_text()
    (eqtl.folder / config).write_text(
        re.sub(r"(region_flank_upstream\s+)500", r"\g<1>-20000", text)
    )
    with pytest.raises(GenezipError, match=r"has region_flank_upstream '-20000', which is no"):
        eqtl.prepare()


def test_folds_without_a_positive_are_said(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    """One positive in the table: of three folds two have none, by either rule."""
    eqtl = PairsOnDisk(tmp_path, more=60)
    path = eqtl.folder / TABLE
    before, _, after = path.read_text().partition("positive")
    path.write_text(before + "positive" + after.replace("positive", "negative"))
    table = eqtl.prepare(folds=3).table()
    assert table["label"].sum() == 1
    for rule in ("gene", "chromosome"):
        (own,) = table.loc[table["label"] == 1, f"fold_{rule}"]
        others = ", ".join(str(fold) for fold in range(3) if fold != own)
        assert f"eqtl {TISSUE}: folds by {rule} without a positive: {others}" in messages()


def test_a_config_that_names_no_table_is_one_sentence(etgp: PairsOnDisk) -> None:
    etgp.replace(f"enhancer_target_gene/config/{SCREEN}.config", "EPI_file", "other_file")
    with pytest.raises(GenezipError, match="names no EPI_file; fetch it again"):
        etgp.prepare()


def test_a_cut_mask_file_is_one_sentence(eqtl: PairsOnDisk) -> None:
    path = eqtl.folder / MASK
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(GenezipError, match="is a truncated or broken gzip file"):
        eqtl.prepare()
