"""``genezip score``: a VCF and a FASTA to scores, in one run or several."""

import gzip
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pysam
import pytest
from toolkit.command_line import call
from toolkit.likelihoods import Chain, MaskedChain, StreamedChain
from toolkit.networks import save_toy, small_network
from toolkit.variants import (
    CHAIN,
    CHR1,
    HEADER,
    MIXED,
    SHORT,
    other,
    row,
    snv,
    vcf_text,
    write_reference,
)

import genezip
from genezip.errors import GenezipError
from genezip.formats.fasta import write_records
from genezip.inference.variants import score as score_module
from genezip.inference.variants.score import score_variants, score_vcf

OPTIONS = [
    "--model", CHAIN, "--context-bp", "40", "--flank-bp", "30", "--neutral-places", "12",
    "--threads", "1",
]  # fmt: skip


@pytest.fixture
def fasta(tmp_path: Path) -> Path:
    return write_reference(tmp_path / "my.fa")


@pytest.fixture
def vcf(tmp_path: Path) -> Path:
    path = tmp_path / "my.vcf"
    path.write_text(vcf_text(MIXED))
    return path


def table_of(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", keep_default_na=False, na_values=[""])


def test_a_vcf_with_everything(
    vcf: Path, fasta: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scores.vcf.gz"
    assert call("score", vcf, "--fasta", fasta, "--out", out, *OPTIONS) == 0
    said = capsys.readouterr().out
    assert said == (
        "14 records, 16 ALTs: 11 with a score, 5 without (breakend 1, no_alt 1, "
        f"overlapping_deletion 1, reference_has_n 1, symbolic 1), in {out}\n"
    )
    assert [path.name for path in tmp_path.iterdir() if "parts" in path.name] == []
    table = score_variants(vcf, fasta, StreamedChain(), **SHORT)
    with pysam.VariantFile(str(out)) as file:
        records = list(file)
        assert file.header.info["GZ_SCORE"].number == "A"
    given = [line.split("\t") for line in MIXED]
    assert [(one.chrom, str(one.pos), one.id) for one in records] == [
        (cells[0], cells[1], cells[2]) for cells in given
    ]
    assert records[0].info["DP"] == 7 and records[0].samples["two"]["GT"] == (1, 1)
    rows = iter(table.itertuples())
    for one, cells in zip(records, given, strict=True):
        for number, alt in enumerate(cells[4].split(",")):
            row_of = next(rows)
            assert row_of.alt == alt
            if row_of.reason:
                assert one.info["GZ_REASON"][number] == row_of.reason
                assert np.isnan(row_of.score)
                continue
            assert one.info["GZ_SCORE"][number] == pytest.approx(row_of.score, abs=1e-4)
            assert one.info["GZ_CONTEXT_BP"][number] == row_of.context_bp
            mean = (row_of.forward + row_of.reverse) / 2
            assert row_of.log_ratio == pytest.approx(mean)
            assert row_of.score == pytest.approx(row_of.log_ratio - row_of.length_bias)
    lengths = table.loc[[1, 3, 6], "length_bias"]
    assert lengths.iloc[0] == 0 and lengths.iloc[1] < 0 < lengths.iloc[2]
    text = gzip.decompress(out.read_bytes()).decode().splitlines()
    assert [line for line in text if line.startswith("##")][: len(HEADER) - 1] == list(HEADER[:-1])
    assert any(line.startswith("##genezip_score=<Version=") for line in text)
    assert sum(line.startswith("##genezip_length_bias=") for line in text) > 10


def test_a_table_has_the_same(vcf: Path, fasta: Path, tmp_path: Path) -> None:
    out, packed = tmp_path / "scores.tsv", tmp_path / "scores.tsv.gz"
    found = score_variants(vcf, fasta, StreamedChain(), out, **SHORT)
    score_variants(vcf, fasta, StreamedChain(), packed, **SHORT)
    assert gzip.decompress(packed.read_bytes()) == out.read_bytes()
    read = table_of(out)
    assert list(read.columns) == list(found.columns)
    for name in ("score", "reverse"):
        np.testing.assert_allclose(read[name], found[name], atol=5e-5)
    assert read["reason"].fillna("").tolist() == found["reason"].tolist()
    assert genezip.score_variants is score_variants


def test_scored_again_and_from_any_input(vcf: Path, fasta: Path, tmp_path: Path) -> None:
    first = tmp_path / "first.vcf"
    score_vcf(vcf, fasta, StreamedChain(), first, **SHORT)
    pysam.tabix_compress(str(first), str(tmp_path / "packed.vcf.gz"))
    (tmp_path / "plain.vcf.gz").write_bytes(gzip.compress(first.read_bytes()))
    (tmp_path / "plain.fa.gz").write_bytes(gzip.compress(fasta.read_bytes()))
    pysam.tabix_compress(str(fasta), str(tmp_path / "packed.fa.gz"))
    for number, (given, reference) in enumerate(
        [("packed.vcf.gz", "my.fa"), ("plain.vcf.gz", "packed.fa.gz"), ("first.vcf", "plain.fa.gz")]
    ):
        out = tmp_path / f"again{number}.vcf"
        score_vcf(tmp_path / given, tmp_path / reference, StreamedChain(), out, **SHORT)
        kept, made = (
            [line for line in path.read_text().splitlines() if "Fasta=" not in line]
            for path in (first, out)
        )
        assert made == kept


def test_a_folder_that_cannot_be_written(
    vcf: Path, fasta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, packed = tmp_path / "out", tmp_path / "packed.fa.gz"
    pysam.tabix_compress(str(fasta), str(packed))
    with monkeypatch.context() as patch:
        patch.setattr(score_module.os, "access", lambda *given: False)
        for number, path in enumerate((fasta, packed)):
            score_vcf(vcf, path, StreamedChain(), here / f"{number}.tsv", **SHORT)
    assert not list(tmp_path.glob("*.fai"))
    assert {path.name for path in here.iterdir()} == {"0.tsv", "1.tsv"}
    score_vcf(vcf, fasta, StreamedChain(), here / "2.tsv", **SHORT)
    assert len({path.read_bytes() for path in here.iterdir()}) == 1


def test_standard_input_and_output(
    vcf: Path, fasta: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    out = tmp_path / "scores.vcf"
    score_vcf(vcf, fasta, StreamedChain(), out, **SHORT)
    with vcf.open("rb") as given:
        kept = os.dup(0)
        os.dup2(given.fileno(), 0)
        try:
            assert call("score", "-", "--fasta", fasta, "--out", "-", *OPTIONS) == 0
        finally:
            os.dup2(kept, 0)
            os.close(kept)
    assert capfdbinary.readouterr().out == out.read_bytes()


def test_other_contig_names_and_few_columns(
    fasta: Path, tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    vcf = tmp_path / "short.vcf"
    base = CHR1[99].upper()
    vcf.write_text(f"##fileformat=VCFv4.2\n1\t100\tx\t{base}\t{other(base)}\t.\t.\n")
    out = tmp_path / "scores.vcf"
    score_vcf(vcf, fasta, StreamedChain(), out, **SHORT)
    assert "short.vcf: contigs are named otherwise in the FASTA (1 -> chr1)" in messages()
    *_, columns, made = out.read_text().splitlines()
    assert columns == "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
    assert made.startswith("1\t100\tx\t") and "\t.\t.\tGZ_SCORE=" in made


def test_no_record_is_no_fault(fasta: Path, tmp_path: Path) -> None:
    vcf = tmp_path / "none.vcf"
    vcf.write_text(vcf_text([]))
    assert len(score_variants(vcf, fasta, StreamedChain(), tmp_path / "out.tsv", **SHORT)) == 0
    assert len((tmp_path / "out.tsv").read_text().splitlines()) == 1


# --- refusals, before anything is scored or written


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [snv("chr1", 30), row("chr1", 40, other(CHR1[39]), "TT"), row("chr2", 400, "A", "C")],
            "2 of 3 records of @VCF disagree with @FASTA, the first in line "
            f"{len(HEADER) + 2}: REF at chr1:40 is {other(CHR1[39])}, but the FASTA has "
            f"{CHR1[39].upper()}; give the FASTA of the build of the VCF",
        ),
        (
            [row("chr1", 40, CHR1[39] + other(CHR1[40]), "TT")],
            f"base 2 of REF at chr1:40 is {other(CHR1[40])}, but the FASTA has",
        ),
        (
            [snv("chr1", 30), row("chr11", 5, "A", "C"), row("chr7", 5, "A", "C")],
            "2 records of @VCF are on contigs that @FASTA lacks, the first in line "
            f"{len(HEADER) + 2} on chr11; the nearest names there are chr1, chr2: rename",
        ),
        ([row("chr1", 40, "A-", "C")], "has REF 'A-', which is no bases; correct"),
        ([row("chr1", 30, CHR1[29], "X")], "has the letter 'X' at position 0, which is not a base"),
        (["chr1\tten\t.\tA\tC\t.\t.\t."], "has the position 'ten', which is no number; correct"),
        (["chr1 10 . A C"], "has 1 columns with tabs between them, not at least 8; correct"),
    ],
)
def test_records_that_do_not_fit(
    rows: list[str], said: str, fasta: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vcf, out = tmp_path / "wrong.vcf", tmp_path / "scores.vcf"
    vcf.write_text(vcf_text(rows))
    assert call("score", vcf, "--fasta", fasta, "--out", out, *OPTIONS) == 1
    *_, told = capsys.readouterr().err.strip().splitlines()
    assert said.replace("@VCF", str(vcf)).replace("@FASTA", str(fasta)) in told
    assert {path.name for path in tmp_path.iterdir()} <= {"wrong.vcf", "my.fa", "my.fa.fai"}


def _truncated(path: Path, marker: bool) -> None:
    whole = path.with_name("whole.vcf.gz")
    plain = path.with_name("plain.vcf")
    plain.write_text(vcf_text(MIXED))
    pysam.tabix_compress(str(plain), str(whole), force=True)
    data = whole.read_bytes()
    path.write_bytes(data[:-28] if marker else data[: len(data) // 2])


@pytest.mark.parametrize(
    ("vcf", "fasta", "out", "said"),
    [
        ("absent.vcf", "my.fa", "o.vcf", "absent.vcf does not exist; name an existing VCF"),
        ("my.fa", "my.fa", "o.vcf", "my.fa is not a VCF: its first line is not ##fileformat"),
        ("cut.vcf.gz", "my.fa", "o.vcf", "cut.vcf.gz is a truncated bgzip file: its last block"),
        ("half.vcf.gz", "my.fa", "o.vcf", "half.vcf.gz is a truncated"),
        ("my.bcf", "my.fa", "o.vcf", "my.bcf is BCF; write VCF with bcftools view"),
        ("my.vcf", "absent.fa", "o.vcf", "absent.fa does not exist; name an existing one"),
        ("my.vcf", "my.vcf", "o.vcf", "my.vcf"),
        ("my.vcf", "my.fa", "my.vcf", "my.vcf is the VCF itself; name another file"),
        (
            "my.vcf",
            "my.fa",
            "o.bed",
            "o.bed ends in none of .vcf, .vcf.gz, .vcf.bgz, .tsv",
        ),
        ("my.vcf", "my.fa", "my.fa/o.vcf", "my.fa"),
        ("my.vcf", "my.fa", "", "is a folder; name a file"),
    ],
)
def test_files_that_do_not_fit(
    vcf: str, fasta: str, out: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_reference(tmp_path / "my.fa")
    (tmp_path / "my.vcf").write_text(vcf_text(MIXED))
    with (
        pysam.VariantFile(str(tmp_path / "my.vcf")) as file,
        pysam.VariantFile(str(tmp_path / "my.bcf"), "wb", header=file.header),
    ):
        pass
    _truncated(tmp_path / "cut.vcf.gz", marker=True)
    _truncated(tmp_path / "half.vcf.gz", marker=False)
    before = {path.name for path in tmp_path.iterdir()}
    given = ["score", tmp_path / vcf, "--fasta", tmp_path / fasta, "--out", tmp_path / out]
    assert call(*given, *OPTIONS) == 1
    told = capsys.readouterr().err.strip()
    assert said in told and len(told.splitlines()) == 1 and told.startswith("genezip: ")
    assert {path.name for path in tmp_path.iterdir()} - before <= {"my.fa.fai"}


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("fixed:3", "gives no likelihood, but variants are scored by an exact likelihood; name a"),
        ("toolkit.likelihoods:MaskedChain", "masked-chain predicts masked bases from both sides, "),
        ("toolkit.likelihoods:PseudoChain", "the likelihood of pseudo-chain is pseudo, but"),
    ],
)
def test_models_without_an_exact_likelihood(
    model: str, said: str, vcf: Path, fasta: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["score", vcf, "--fasta", fasta, "--out", vcf.with_name("o.vcf"), "--model", model]
    given += ["--threads", "1"]
    assert call(*given) == 1
    assert said in capsys.readouterr().err


def test_a_network_opens_with_a_bound_that_streams(fasta: Path, tmp_path: Path) -> None:
    folder = save_toy(tmp_path / "model", small_network(k_min=(30, 4)))
    vcf = tmp_path / "few.vcf"
    vcf.write_text(vcf_text([snv("chr1", 30), snv("chr2", 200)]))  # no indels, which take longer
    table = score_variants(vcf, fasta, folder, **SHORT)
    assert table["score"].notna().all()
    with pytest.raises(GenezipError, match="is looked_ahead, but variants are scored by an exact"):
        score_variants(vcf, fasta, folder, bound="sequence", **SHORT)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("flank_bp", 0, "--flank-bp is 0; give at least 1"),
        ("neutral_places", 3, "--neutral-places is 3; give at least 10"),
        ("strands", "reverse", "--strands is 'reverse'; use both or forward"),
    ],
)
def test_options_that_do_not_fit(
    option: str, value: Any, said: str, vcf: Path, fasta: Path
) -> None:
    with pytest.raises(GenezipError, match=said):
        score_variants(vcf, fasta, StreamedChain(), **{**SHORT, option: value})


def test_a_model_that_does_not_stream(vcf: Path, fasta: Path) -> None:
    one = score_variants(vcf, fasta, Chain(), **SHORT)
    other_way = score_variants(vcf, fasta, StreamedChain(), **SHORT)
    pd.testing.assert_frame_equal(one, other_way)
    assert MaskedChain.likelihood == "pseudo"


# --- several runs


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after", [0, 1, 5, 14])
def test_an_interrupted_run_goes_on(
    how: signal.Signals,
    after: int,
    vcf: Path,
    fasta: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    messages: Callable[[], list[str]],
) -> None:
    whole, out = tmp_path / "whole.vcf.gz", tmp_path / "scores.vcf.gz"
    score_vcf(vcf, fasta, StreamedChain(), whole, **SHORT)
    read, count = score_module.read_alleles, [0]
    monkeypatch.setattr(score_module, "PART_SECONDS", 0.0 if after % 2 else 60.0)

    def reading(*given: Any) -> Any:
        if count[0] == after:
            os.kill(os.getpid(), how)
        count[0] += 1
        return read(*given)

    with monkeypatch.context() as patch:
        patch.setattr(score_module, "read_alleles", reading)
        with pytest.raises(KeyboardInterrupt):
            score_vcf(vcf, fasta, StreamedChain(), out, **SHORT)
    assert not out.exists()
    assert messages()[-1].endswith("alleles; run the same command to resume")
    done, before = count[0], count[0]
    assert done == after + 1

    def counting(*given: Any) -> Any:
        count[0] += 1
        return read(*given)

    with monkeypatch.context() as patch:
        patch.setattr(score_module, "read_alleles", counting)
        score_vcf(vcf, fasta, StreamedChain(), out, **SHORT)
    assert any("my.vcf: resuming, " in line for line in messages())
    assert out.read_bytes() == whole.read_bytes()
    assert not out.with_name("scores.vcf.gz.parts").exists()
    # what was done is not read again
    total = count[0]
    monkeypatch.setattr(score_module, "read_alleles", counting)
    count[0] = 0
    score_vcf(vcf, fasta, StreamedChain(), whole, **SHORT)
    assert count[0] == total and before > 0


def test_stopped_while_writing(
    vcf: Path, fasta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = tmp_path / "whole.tsv", tmp_path / "scores.tsv"
    score_vcf(vcf, fasta, StreamedChain(), whole, **SHORT)
    with monkeypatch.context() as patch:
        rows = score_module.tsv_rows
        patch.setattr(
            score_module,
            "tsv_rows",
            lambda *given: (os.kill(os.getpid(), signal.SIGINT), rows(*given))[1],
        )
        with pytest.raises(KeyboardInterrupt):
            score_vcf(vcf, fasta, StreamedChain(), out, **SHORT)
    assert not out.exists() and (tmp_path / "scores.tsv.parts").is_dir()
    with pytest.raises(GenezipError, match="holds an unfinished run with flank_bp 30, not 31"):
        score_vcf(vcf, fasta, StreamedChain(), out, **{**SHORT, "flank_bp": 31})
    score_vcf(vcf, fasta, StreamedChain(), out, **SHORT)
    assert out.read_bytes() == whole.read_bytes()


# --- the length of indels


def test_random_indels_have_no_score_on_average(fasta: Path, tmp_path: Path) -> None:
    """Other random indels than those of the bias, at lengths with and without a mean of their own.

    The mean of n scores lies within four standard errors of 0, of both samples.
    """
    letters = "".join(np.random.default_rng(3).choice(list("ACGT"), 60_000))
    big = tmp_path / "big.fa"
    write_records(big, [("chr1", letters.encode())])
    random, rows, kinds = np.random.default_rng(8), [], []
    for length in (1, 5, 20, 60):
        for _ in range(60):
            at, source = random.integers(100, 59_000, 2)
            base = letters[at]
            if len(rows) % 2:
                rows.append(row("chr1", at + 1, base, base + letters[source : source + length]))
            else:
                rows.append(row("chr1", at + 1, letters[at : at + length + 1], base))
            kinds.append((length, len(rows) % 2))
    vcf = tmp_path / "random.vcf"
    vcf.write_text(vcf_text(rows))
    options = {"context_bp": 60, "flank_bp": 40, "neutral_places": 60}
    table = score_variants(vcf, big, StreamedChain(), **options)
    table["kind"] = kinds
    for (length, _), own in table.groupby("kind"):
        error = own["log_ratio"].std() / np.sqrt(len(own)) * np.sqrt(2)
        assert abs(own["score"].mean()) < 4 * error
        assert abs(own["log_ratio"].mean()) > 0.5 * length


def test_a_score_does_not_depend_on_the_other_variants(fasta: Path, tmp_path: Path) -> None:
    few, many = tmp_path / "few.vcf", tmp_path / "many.vcf"
    base = CHR1[49].upper()
    some = [row("chr1", 50, base, base + "ACG"), snv("chr1", 52)]
    few.write_text(vcf_text(some))
    many.write_text(vcf_text([*MIXED, *some, some[0]]))
    one = score_variants(few, fasta, StreamedChain(), **SHORT)
    all_ = score_variants(many, fasta, StreamedChain(), **SHORT)
    for number in (0, 1):
        assert all_.loc[len(all_) - 3 + number, "score"] == pytest.approx(one.loc[number, "score"])
    other_seed = score_variants(few, fasta, StreamedChain(), **SHORT, seed=1)
    assert other_seed.loc[0, "length_bias"] != one.loc[0, "length_bias"]
    assert other_seed.loc[1, "score"] == one.loc[1, "score"]


def test_a_reference_without_neutral_indels(tmp_path: Path) -> None:
    fasta = tmp_path / "n.fa"
    fasta.write_text(">chr1\nACGT" + "N" * 5000 + "\n")
    vcf = tmp_path / "n.vcf"
    vcf.write_text(vcf_text([row("chr1", 2, "C", "CA"), row("chr1", 2, "C", "G")]))
    table = score_variants(vcf, fasta, StreamedChain(), **SHORT)
    assert table["reason"].tolist() == ["no_neutral_indels", ""]
    assert table["log_ratio"].notna().all() and np.isnan(table.loc[0, "score"])
