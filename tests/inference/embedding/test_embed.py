"""Vectors of regions in batches, streams and windows are those of each region read alone."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from Bio.Seq import Seq
from toolkit.command_line import call, leaf, tree
from toolkit.compressed_fasta import RECORDS
from toolkit.compressors import TOLERANCE
from toolkit.embedded import BED, FLANK, Vectors, read_vectors, write_bed

import genezip as gz
from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.inference.embedding import embed
from genezip.inference.embedding.embed import embed_regions, region_alone
from genezip.inference.embedding.regions import Context, Regions

LEVELS = ["base", "token", "region"]


@pytest.fixture
def bed(tmp_path: Path) -> Path:
    return write_bed(tmp_path / "regions.bed")


def embedded(bed: Path, fasta: Path, model: Any, **options: Any) -> Vectors:
    out = bed.parent / "out" / "vectors.parquet"
    options = {"flank_bp": FLANK, "device": "cpu", **options}
    embed_regions(bed, fasta, model, out, **options)
    assert {path.name for path in out.parent.iterdir()} == {out.name}
    return read_vectors(out)


@pytest.mark.parametrize("together", [64, 10**6])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["causal", "none", "sequence", "blocks", "flat"])
def test_fast_equals_slow(
    models: dict[str, Path],
    fasta: Path,
    bed: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    level: Any,
    together: int,
) -> None:
    """The slow version reads the context on both sides, also where the fast one reads one."""
    monkeypatch.setattr(embed, "vectors_bp", lambda compressor: together)
    if (name, level) == ("flat", "token"):
        with pytest.raises(GenezipError, match="gives no vectors of tokens"):
            embedded(bed, fasta, models[name], level=level)
        return
    found = embedded(bed, fasta, models[name], level=level)
    model, genome = gz.load(models[name]), ReferenceGenome(fasta)
    slow = [
        region_alone(model, one, genome, level)
        for one in Regions(bed, genome).stretches(Context(FLANK, FLANK), None)
    ]
    for column in slow[0]:
        expected = np.concatenate([rows[column] for rows in slow])
        if column == "vector":
            np.testing.assert_allclose(found.columns[column], expected, **TOLERANCE)
        else:
            np.testing.assert_array_equal(found.columns[column], expected)
    rows = np.array(BED, dtype=object)[found.columns["row"]]
    for number, column in enumerate(("chrom", "start", "end", "name")):
        assert found.columns[column].tolist() == rows[:, number].tolist()
    assert found.columns["strand"].tolist() == rows[:, 5].tolist()


@pytest.mark.parametrize("row", [1, 2])
def test_by_hand(models: dict[str, Path], fasta: Path, bed: Path, row: int) -> None:
    """Bases, tokens and the pool of a region of either strand, from letters alone."""
    chrom, start, end, _, _, strand = BED[row]
    low, high = max(start - FLANK, 0), min(end + FLANK, len(RECORDS[chrom]))
    letters = RECORDS[chrom][low:high].decode()
    if strand == "-":
        letters = str(Seq(letters).reverse_complement())
    model = gz.load(models["sequence"])
    bases, tokens = model.embed(letters), model.embed(letters, "token")

    def position(offset: int) -> int:
        return high - 1 - offset if strand == "-" else low + offset

    inside = [offset for offset in range(len(letters)) if start <= position(offset) < end]
    found = embedded(bed, fasta, models["sequence"]).of(row)
    assert found["position"].tolist() == [position(offset) for offset in inside]
    assert found["position"][0] == (end - 1 if strand == "-" else start)
    np.testing.assert_allclose(found["vector"], bases.vectors[inside], **TOLERANCE)

    begins = tokens.starts.tolist()
    chunks = [
        (number, [position(offset) for offset in range(a, b)])
        for number, (a, b) in enumerate(zip(begins, [*begins[1:], len(letters)], strict=True))
        if a in inside
    ]
    assert len(chunks) > 2
    found = embedded(bed, fasta, models["sequence"], level="token").of(row)
    assert found["token_start"].tolist() == [min(chunk) for _, chunk in chunks]
    assert found["token_end"].tolist() == [max(chunk) + 1 for _, chunk in chunks]
    np.testing.assert_allclose(
        found["vector"], tokens.vectors[[number for number, _ in chunks]], **TOLERANCE
    )


@pytest.mark.parametrize(("name", "window_bp"), [("sequence", 50), ("causal", 90)])
def test_windows(
    models: dict[str, Path], fasta: Path, tmp_path: Path, name: str, window_bp: int
) -> None:
    """A long region is read as its parts would be, each with its context."""
    bed, cut = write_bed(tmp_path / "regions.bed"), tmp_path / "parts.bed"
    owner, lines = [], []
    for row, (chrom, start, end, _, _, strand) in enumerate(BED):
        for first in range(0, end - start, window_bp):
            last = min(first + window_bp, end - start)
            part = (end - last, end - first) if strand == "-" else (start + first, start + last)
            lines.append("\t".join(map(str, (chrom, *part, ".", 0, strand))))
            owner.append(row)
    cut.write_text("\n".join(lines) + "\n")
    for level in ("base", "token"):
        whole = embedded(bed, fasta, models[name], window_bp=window_bp, level=level).columns
        alone = embedded(cut, fasta, models[name], level=level).columns
        assert whole["row"].tolist() == np.array(owner)[alone["row"]].tolist()
        np.testing.assert_allclose(whole["vector"], alone["vector"], **TOLERANCE)
        for column in {"position", "token_start", "token_end"} & whole.keys():
            np.testing.assert_array_equal(whole[column], alone[column])
    bases = embedded(bed, fasta, models[name], window_bp=window_bp)
    pooled = embedded(bed, fasta, models[name], window_bp=window_bp, level="region")
    assert pooled.columns["row"].tolist() == list(range(len(BED)))
    for row in range(len(BED)):
        mean = bases.of(row)["vector"].mean(0, dtype=np.float64)
        np.testing.assert_allclose(pooled.of(row)["vector"][0], mean, **TOLERANCE)


@pytest.mark.parametrize("together", [64, 10**6])
@pytest.mark.parametrize("pool", ["mean", "max", "last"])
def test_pools_are_of_the_bases(
    models: dict[str, Path],
    fasta: Path,
    bed: Path,
    monkeypatch: pytest.MonkeyPatch,
    pool: Any,
    together: int,
) -> None:
    monkeypatch.setattr(embed, "vectors_bp", lambda compressor: together)
    bases = embedded(bed, fasta, models["causal"])
    pooled = embedded(bed, fasta, models["causal"], level="region", pool=pool)
    assert pooled.facts["pool"] == pool and bases.facts["pool"] is None
    for row in range(len(BED)):
        vectors = bases.of(row)["vector"]
        expected = {"mean": vectors.mean(0), "max": vectors.max(0), "last": vectors[-1]}[pool]
        np.testing.assert_allclose(pooled.of(row)["vector"], expected[None], **TOLERANCE)


def test_context_matters_and_is_cut_at_the_contig(
    models: dict[str, Path], fasta: Path, bed: Path
) -> None:
    bed.write_text(bed.read_text().replace("\t200\t201\t", "\t200\t210\t"))
    none, some, all_ = (
        embedded(bed, fasta, models["causal"], flank_bp=flank) for flank in (0, FLANK, 10**6)
    )
    for found in (some, all_):  # the first region begins with its contig
        np.testing.assert_allclose(found.of(0)["vector"], none.of(0)["vector"], **TOLERANCE)
    for row in (3, 5):
        assert np.abs(some.of(row)["vector"] - none.of(row)["vector"]).max() > 0.01


@pytest.mark.parametrize("level", LEVELS)
def test_npz_has_what_parquet_has(
    models: dict[str, Path], fasta: Path, bed: Path, level: Any
) -> None:
    expected = embedded(bed, fasta, models["causal"], level=level)
    out = bed.parent / "vectors.npz"
    options = {"level": level, "flank_bp": FLANK, "device": "cpu"}
    gz.embed_regions(bed, fasta, models["causal"], out, **options)
    with np.load(out) as found:
        assert found["vectors"].dtype == np.float32 and found["vectors"].flags.c_contiguous
        np.testing.assert_array_equal(found["vectors"], expected.columns["vector"])
        for name in ("row", "position", "token_start", "token_end"):
            assert (name in found) == (name in expected.columns)
            if name in found:
                assert found[name].dtype == np.int64
                np.testing.assert_array_equal(found[name], expected.columns[name])
        for number, name in ((0, "chrom"), (1, "start"), (2, "end"), (3, "name"), (5, "strand")):
            assert found[name].tolist() == [row[number] for row in BED]
        assert json.loads(found["genezip"].item()) == expected.facts
    first = out.read_bytes()
    gz.embed_regions(bed, fasta, models["causal"], out, **options)
    assert out.read_bytes() == first


def test_the_table(models: dict[str, Path], fasta: Path, bed: Path) -> None:
    found = embedded(bed, fasta, models["causal"], level="token")
    schema = pq.read_schema(bed.parent / "out" / "vectors.parquet")
    assert schema.names == [
        "row", "chrom", "start", "end", "name", "strand", "token_start", "token_end", "vector",
    ]  # fmt: skip
    width = gz.load(models["causal"]).token_width
    assert schema.field("vector").type == pa.list_(pa.float32(), width)
    facts = found.facts
    assert facts["level"] == "token" and facts["flank_bp"] == FLANK and facts["bound"] == "causal"
    assert facts["regions"] == len(BED) and facts["bases"] == sum(row[2] - row[1] for row in BED)
    assert facts["vectors"] == len(found.columns["row"]) and facts["width"] == width
    empty = set(range(len(BED))) - set(found.columns["row"].tolist())
    assert facts["without"] == len(empty) > 0
    assert {"bed_sha256", "fasta_sha256", "weights_sha256", "versions"} <= facts.keys()


@pytest.mark.parametrize("columns", [3, 4, 5])
def test_fewer_columns(models: dict[str, Path], fasta: Path, tmp_path: Path, columns: int) -> None:
    """Without a sixth column all is read forward, without a fourth there is no name."""
    bed = write_bed(tmp_path / "some.bed", columns)
    packed = tmp_path / "some.bed.gz"
    packed.write_bytes(gzip.compress(bed.read_bytes()))
    found = embedded(packed, fasta, models["causal"])
    assert set(found.columns["strand"]) == {"."}
    assert set(found.columns["name"]) == ({None} if columns == 3 else {row[3] for row in BED})
    assert found.of(1)["position"].tolist() == list(range(100, 433))


WRONG: dict[str, tuple[str | dict[str, Any], str]] = {
    "no length": ("one\t5\t5\n", r"line 1 of .*regions.bed is malformed: start and end are both 5"),
    "beyond": ("one\t5\t434\n", r"ends at one:434, but one has 433 bases: wrong build\?"),
    "unknown": ("one\t1\t9\nthre\t1\t9\n", r"line 2 of .* contig thre, .* did you mean three\?"),
    "another": ("chr1\t1\t9\n", r"contig chr1, .* same genome \(the FASTA has one, two, three\)"),
    "strand": ("one\t1\t9\ta\t0\tx\n", r"strand 'x' \(column 6\) is none of"),
    "empty": ("", "is empty; name a file with rows"),
    "comments": ("#\n", "has no interval; name a BED file with some"),
    "spaces": ("one 1 9\n", "has 1 tab-separated columns"),
    "vectors": ({"model": "fixed:16"}, "fixed-16 gives no vectors; name a model that does"),
    "tokens": ({"model": "fixed:16", "level": "token"}, "gives no vectors of tokens"),
    "suffix": ({"out": "x.tsv"}, r"ends with neither \.parquet nor \.npz"),
    "no suffix": ({"out": "x"}, r"ends with neither"),
    "folder": ({"out": "folder.npz"}, "it is a folder; name a file"),
    "not writable": ({"out": "my.fa/x.npz"}, r"cannot write .*my.fa/x.npz: .*my.fa is a file"),
    "short": ({"flank_bp": 0}, r"line 5 of .* is read as 1 bases, fewer than .* \(4 bp\)"),
    "flank": ({"flank_bp": -1}, "--flank-bp is -1; give a length of at least 0"),
    "window": ({"window_bp": 0}, "--window-bp is 0; give a length of at least 1"),
    "much context": (
        {"flank_bp": 600_000, "model": "sequence"},
        "at most 1,048,576 bp at once, and the context leaves 0 of them",
    ),
    "level": ({"level": "gene"}, "the level is 'gene'"),
    "pool": ({"pool": "sum"}, "the pool 'sum'"),
    "gzip": ({"fasta": "my.fa.gz"}, "packed with gzip, which allows no random access; unpack it"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input(
    models: dict[str, Path], fasta: Path, bed: Path, tmp_path: Path, name: str
) -> None:
    given, sentence = WRONG[name]
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "my.fa.gz").write_bytes(gzip.compress(fasta.read_bytes()))
    options: dict[str, Any] = {"model": "causal", "out": "x.parquet", "fasta": "my.fa"}
    if isinstance(given, str):
        bed.write_text(given)
    else:
        options |= given
    model = options.pop("model")
    out, genome = tmp_path / options.pop("out"), tmp_path / options.pop("fasta")
    before = tree(tmp_path)
    with pytest.raises(GenezipError, match=sentence) as caught:
        embed_regions(bed, genome, models.get(model, model), out, device="cpu", **options)
    assert "\n" not in str(caught.value)
    left = {path for path in tree(tmp_path) if not path.endswith(".fai")}
    assert left == {path for path in before if not path.endswith(".fai")}
    assert not list(tmp_path.rglob("*.parts"))


def test_the_command(
    models: dict[str, Path],
    fasta: Path,
    bed: Path,
    capsys: pytest.CaptureFixture[str],
    messages: Callable[[], list[str]],
) -> None:
    bed.write_text(bed.read_text().replace("three", "chrthree"))
    out = bed.parent / "vectors.npz"
    arguments = ["embed", bed, "--fasta", fasta, "--model", models["causal"], "--out", out]
    arguments += ["--device", "cpu", "--threads", "1", "--flank-bp", "40"]
    assert call(*arguments, "--level", "region", "--pool", "max") == 0
    bases = sum(row[2] - row[1] for row in BED)
    assert capsys.readouterr().out == (
        f"6 regions, {bases} bp -> 6 vectors of 16 numbers, one per region in {out}\n"
    )
    assert "regions.bed: contig names converted (chrthree -> three, 1 in all)" in messages()
    flank = next(one for one in leaf(["embed"])[0].params if one.name == "flank_bp")
    assert flank.default == embed.FLANK_BP
    assert call(*arguments, "--level", "token") == 0
    assert "one per token that begins in a region (no token begins in " in capsys.readouterr().out
