"""Files of gene pairs that are wrong, of another genome, or not as published."""

from pathlib import Path

import pytest
from deposits.pairs import EQTL_FASTA, SCREEN, TISSUE
from deposits.prepared_pairs import PairsOnDisk, read_fasta

from genezip.config import EQTL, ETGP
from genezip.data.pair_deposit import PUBLISHED_ROWS
from genezip.errors import GenezipError
from genezip.genome.reference import ReferenceGenome

TABLE = f"eQTL/targets/{TISSUE}.data.tsv"
MASK = f"eQTL/blacklist/{TISSUE}.blacklist.bed.gz"


@pytest.fixture
def eqtl(tmp_path: Path) -> PairsOnDisk:
    return PairsOnDisk(tmp_path)


@pytest.fixture
def etgp(tmp_path: Path) -> PairsOnDisk:
    return PairsOnDisk(tmp_path, "etgp")


def test_published_rows_add_up_to_the_published_totals() -> None:
    tissues = [rows for name, rows in PUBLISHED_ROWS.items() if name != SCREEN]
    assert len(tissues) == 9
    assert [sum(column) for column in zip(*tissues, strict=True)] == [20_398, 6_573, 4_311]
    assert sum(PUBLISHED_ROWS[SCREEN]) == 2_602
    assert set(EQTL().subsets.values()) | set(ETGP().subsets.values()) == set(PUBLISHED_ROWS)


def test_a_fasta_of_another_build_stops_the_run(eqtl: PairsOnDisk) -> None:
    """Every chromosome begins one base later, as after a change of build."""
    genome = read_fasta(eqtl.fasta)
    eqtl.fasta.write_text("".join(f">{name}\nA{bases}\n" for name, bases in genome.items()))
    eqtl.fasta.with_name(eqtl.fasta.name + ".fai").unlink(missing_ok=True)
    sentence = (
        "reference alleles of .* are not in .*hg38.fa, which looks like another genome; the ids of "
        r"the variants say hg38 \(_b38\); give the FASTA of that build"
    )
    with pytest.raises(GenezipError, match=sentence):
        eqtl.prepare()
    assert not eqtl.manifest.exists()


def test_a_screen_of_hg19_refuses_a_fasta_that_looks_like_hg38(
    etgp: PairsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReferenceGenome, "build", lambda self: "hg38")
    with pytest.raises(GenezipError, match=r"is of hg19, but .* looks like hg38; give"):
        etgp.prepare()
    monkeypatch.setattr(ReferenceGenome, "build", lambda self: "hg19")
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
    with pytest.raises(GenezipError, match=f"no config gtex_hg38.Blood.config .it has .*{TISSUE}"):
        eqtl.prepare()


def test_a_config_that_names_no_table_is_one_sentence(etgp: PairsOnDisk) -> None:
    etgp.replace(f"enhancer_target_gene/config/{SCREEN}.config", "EPI_file", "other_file")
    with pytest.raises(GenezipError, match="names no EPI_file; fetch it again"):
        etgp.prepare()


def test_a_cut_mask_file_is_one_sentence(eqtl: PairsOnDisk) -> None:
    path = eqtl.folder / MASK
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(GenezipError, match="is a truncated or broken gzip file"):
        eqtl.prepare()
