"""``genezip compress``: blocks and windows equal the whole, and tables and tracks agree.

Every model here speaks up as a trained one does, so its router opens and closes chunks.
"""

import gzip
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyBigWig
import pysam
import pytest
from toolkit.compressed_fasta import (
    RECORDS,
    compress,
    dna,
    same_tracks,
)

from genezip.alphabet import encode
from genezip.artifacts.tables import HEAD
from genezip.errors import GenezipError
from genezip.formats.igv import read_igv_session
from genezip.formats.tabix import BgzipWriter
from genezip.inference import parts as fasta_parts
from genezip.inference.fasta import compress_fasta
from genezip.inference.table import ROW_GROUP
from genezip.models.compressed import KEPT_BY
from genezip.models.genezip.compressor import GeneZip
from genezip.models.hnet.windows import run_batch

COLUMNS = ["chrom", "start", "end", "boundary_prob", "kept_by", "token"]


@pytest.mark.parametrize("block_bp", [7, 100, 8192])
@pytest.mark.parametrize("name", ["causal", "none", "flat"])
def test_streamed_records_equal_one_pass(
    models: dict[str, Path], fasta: Path, tmp_path: Path, name: str, block_bp: int
) -> None:
    result = compress(fasta, models[name], tmp_path / "out", block_bp=block_bp)
    network = GeneZip.from_pretrained(models[name]).network
    nats, predicted = 0.0, 0
    surprisal = pyBigWig.open(str(result.tracks / "surprisal.bw"))
    for chrom, sequence in RECORDS.items():
        (whole,) = run_batch(network, [encode(sequence)])
        starts = whole.token_starts
        ends = np.append(starts[1:], len(sequence))
        assert np.array_equal(result.column("start", chrom), starts)
        assert np.array_equal(result.column("end", chrom), ends)
        assert np.allclose(result.column("token", chrom), whole.tokens, rtol=0, atol=1e-5)
        reasons = [KEPT_BY[code] for code in whole.kept_by]
        assert result.column("kept_by", chrom).tolist() == reasons
        nats -= np.nansum(whole.log_prob, dtype=np.float64)
        predicted += int((~np.isnan(whole.log_prob)).sum())
        bits = np.array(surprisal.values(chrom, 0, len(sequence)))
        assert np.allclose(bits, -whole.log_prob / np.log(2), atol=1e-4, equal_nan=True)
        if name == "flat":  # no router, no probability
            continue
        assert np.allclose(result.column("boundary_prob", chrom), whole.start_prob, atol=1e-5)
        with pyBigWig.open(str(result.tracks / "boundary_prob.bw")) as track:
            values = np.array(track.values(chrom, 0, len(sequence)), dtype=np.float32)
        assert np.allclose(values, whole.boundary_prob, rtol=0, atol=1e-5)
        # rounded once, to the float32 of both
        assert np.array_equal(values[starts], result.column("boundary_prob", chrom))
    columns = [c for c in COLUMNS if name != "flat" or c != "boundary_prob"]
    assert result.table.column_names == columns
    assert (result.tracks / "boundary_prob.bw").exists() == (name != "flat")
    bits_per_base = result.summary.totals.bits_per_base
    assert bits_per_base == pytest.approx(nats / predicted / np.log(2))
    assert surprisal.header()["nBasesCovered"] == predicted
    track = [surprisal.values(chrom, 0, len(sequence)) for chrom, sequence in RECORDS.items()]
    assert np.nanmean(np.concatenate(track)) == pytest.approx(bits_per_base, rel=1e-6)
    surprisal.close()
    assert result.facts["likelihood"] == "exact"
    assert result.summary.mode == result.facts["mode"] == "stream"
    assert result.facts["block_bp"] == block_bp
    if name == "causal":
        assert set(result.table["kept_by"].to_pylist()) == {"router", "forced"}
    if name != "flat":  # chunks lie across the blocks of 7
        assert (result.table["end"].to_numpy() - result.table["start"].to_numpy()).max() > 7


@pytest.mark.parametrize("block_bp", [1, 5, 1000])
def test_tokens_that_end_their_chunk(
    models: dict[str, Path], tmp_path: Path, block_bp: int
) -> None:
    """U-Net blocks of 4 x 3: a token's chunk begins in an earlier block of the stream."""
    fasta = tmp_path / "x.fa"
    fasta.write_bytes(b">a\n" + dna(77, 5) + b"\n>b\n" + dna(24, 6))
    result = compress(fasta, models["blocks"], tmp_path / "out", block_bp=block_bp)
    assert result.column("start", "a").tolist() == [0, 12, 24, 36, 48, 60]
    assert result.column("end", "a").tolist() == [12, 24, 36, 48, 60, 77]
    assert result.column("start", "b").tolist() == [0, 12]
    assert result.column("end", "b").tolist() == [12, 24]
    assert result.column("boundary_prob", "a").tolist() == [0.0] * 6
    z = GeneZip.from_pretrained(models["blocks"]).compress(dna(77, 5))
    assert np.allclose(result.column("token", "a"), z.tokens, rtol=0, atol=1e-5)


@pytest.mark.parametrize("window_bp", [64, 300])
@pytest.mark.parametrize("name", ["sequence", "causal"])
def test_windows_equal_windows_alone(
    models: dict[str, Path], fasta: Path, tmp_path: Path, name: str, window_bp: int
) -> None:
    result = compress(fasta, models[name], tmp_path / "out", window_bp=window_bp)
    zipper = GeneZip.from_pretrained(models[name])
    for chrom, sequence in RECORDS.items():
        z = zipper.compress(sequence, window_bp)
        assert np.array_equal(result.column("start", chrom), z.token_starts)
        assert np.array_equal(result.column("end", chrom), np.cumsum(z.chunk_bp))
        assert np.array_equal(result.column("token", chrom), z.tokens)
    assert result.summary.mode == result.facts["mode"] == f"windows of {window_bp} bp"
    assert (result.facts["window_bp"], result.facts["block_bp"]) == (window_bp, None)
    assert result.facts["bound"] == name
    windows = sum(-(-len(sequence) // window_bp) for sequence in RECORDS.values())
    looked_ahead = sum(
        one.likelihood == "looked_ahead"
        for sequence in RECORDS.values()
        for start in range(0, len(sequence), window_bp)
        for one in zipper.encode([sequence[start : start + window_bp]])
    )
    assert (result.facts["looked_ahead"], result.facts["pieces"]) == (looked_ahead, windows)
    said = result.summary.sentence()
    if name == "causal":
        assert looked_ahead == 0 and result.facts["bits_per_base"] > 0 and "bits per base;" in said
    else:
        assert looked_ahead > 0 and result.facts["bits_per_base"] is None
        assert result.facts["likelihood"] == "looked_ahead" and "bits per base;" not in said
        assert said.endswith(
            f", bound sequence, which looked ahead in {looked_ahead} of {windows} windows: "
            "--bound causal gives bits per base)"
        )


def test_windows_that_looked_ahead_have_no_surprisal(
    models: dict[str, Path], fasta: Path, tmp_path: Path
) -> None:
    model = GeneZip.from_pretrained(models["sequence"])
    wanted: dict[str, np.ndarray] = {}
    kinds: set[str | None] = set()
    for chrom, sequence in RECORDS.items():
        alone = [model.encode([sequence[at : at + 64]])[0] for at in range(0, len(sequence), 64)]
        kinds |= {one.likelihood for one in alone}
        exact = [
            one.log_prob if one.likelihood == "exact" else one.log_prob * np.nan for one in alone
        ]
        wanted[chrom] = -np.concatenate(exact) / np.log(2)
    assert kinds == {"exact", "looked_ahead"}
    result = compress(fasta, models["sequence"], tmp_path / "out", window_bp=64)
    with pyBigWig.open(str(result.tracks / "surprisal.bw")) as track:
        for chrom, bits in wanted.items():
            found = np.array(track.values(chrom, 0, len(bits)))
            assert np.allclose(found, bits, atol=1e-4, equal_nan=True)
    # where all of them looked ahead there is no track
    aside = next(
        sequence[at : at + 64]
        for sequence in RECORDS.values()
        for at in range(0, len(sequence), 64)
        if model.encode([sequence[at : at + 64]])[0].likelihood == "looked_ahead"
    )
    (tmp_path / "aside.fa").write_bytes(b">a\n" + aside)
    one = compress(tmp_path / "aside.fa", models["sequence"], tmp_path / "one")
    assert one.facts["looked_ahead"] == one.facts["pieces"] == 1
    assert not (one.tracks / "surprisal.bw").exists()
    assert "surprisal" not in (one.tracks / "igv_session.xml").read_text()


@pytest.mark.parametrize("form", ["plain", "gzip", "bgzip"])
def test_the_session_opens_the_genome(models: dict[str, Path], tmp_path: Path, form: str) -> None:
    """A plain FASTA by its path; of a packed one the tracks have a copy that browsers can index."""
    text = b">one two\n" + dna(433, 1) + b"\n>b:1-2\nACg\nTnR\n"
    path = tmp_path / ("my.fa" if form == "plain" else "my.fa.gz")
    if form == "bgzip":
        writer = BgzipWriter(path)
        writer.write(text)
        writer.close()
    else:
        path.write_bytes(text if form == "plain" else gzip.compress(text))
    result = compress(path, models["causal"], tmp_path / "out")
    session = read_igv_session(result.tracks / "igv_session.xml")
    copies = {"genome.fa.gz", "genome.fa.gz.fai", "genome.fa.gz.gzi"}
    found = {each.name for each in result.tracks.iterdir()}
    if form == "plain":
        assert session.genome == "../../my.fa" and not found & copies
        return
    assert session.genome == "genome.fa.gz" and found >= copies
    with pysam.FastaFile(str(result.tracks / session.genome)) as genome:
        assert genome.references == ["one", "b:1-2"]
        assert genome.fetch("one").encode() == dna(433, 1)
        assert genome.fetch("b:1-2") == "ACgTnR"
    assert {p.name for p in tmp_path.iterdir()} == {"my.fa.gz", "out"}


def test_the_model_decides_how_it_is_read(
    models: dict[str, Path], fasta: Path, tmp_path: Path
) -> None:
    chosen = [("sequence", None), ("sequence", "causal"), ("causal", None), ("causal", "sequence")]
    modes = [
        compress(fasta, models[name], tmp_path / f"{number}", bound=bound).facts["mode"]
        for number, (name, bound) in enumerate(chosen)
    ]
    assert modes == ["windows of 12800 bp", "stream", "stream", "windows of 12800 bp"]


def test_what_the_table_says_of_itself(
    models: dict[str, Path], fasta: Path, tmp_path: Path
) -> None:
    result = compress(fasta, models["causal"], tmp_path / "out")
    assert result.table.column_names == COLUMNS
    assert result.table.schema.field("token").type == pa.list_(pa.float32(), 24)
    config = json.loads((models["causal"] / "config.json").read_text())
    assert result.facts["model"] == "toy"
    assert result.facts["weights_sha256"] == config["sha256"]["model.safetensors"]
    assert result.facts["bound_settings"][0] == {"max_chunk": 40, "burst": 2, "rate": [1, 4]}
    assert result.facts["bases"] == sum(len(sequence) for sequence in RECORDS.values())
    assert result.facts["tokens"] == result.table.num_rows
    assert result.facts["versions"]["torch"]
    packed = fasta.with_suffix(".fa.gz")
    packed.write_bytes(gzip.compress(fasta.read_bytes()))
    again = compress(packed, models["causal"], tmp_path / "again")
    assert again.table.equals(result.table)


def test_the_facts_stand_where_pyarrow_puts_them(
    models: dict[str, Path], fasta: Path, tmp_path: Path
) -> None:
    """In the schema of the file and of what is read from it, and beside it for other readers."""
    path = tmp_path / "out" / "tokens.parquet"
    result = compress(fasta, models["causal"], path.parent)
    key = HEAD
    said = pq.read_schema(path).metadata[key]
    assert set(pq.read_schema(path).metadata) == {key}
    assert result.table.schema.metadata == {key: said}
    assert pq.read_table(path, columns=["start"]).schema.metadata == {key: said}
    assert pq.read_metadata(path).metadata[key] == said
    # the file of a writer that knew all of it from the start
    again = tmp_path / "again.parquet"
    with pq.ParquetWriter(again, result.table.schema, compression="zstd") as writer:
        writer.write_table(result.table)
    assert pq.read_schema(again).equals(pq.read_schema(path), check_metadata=True)
    assert set(pq.read_metadata(again).metadata) == set(pq.read_metadata(path).metadata)


@pytest.mark.parametrize("name", ["causal", "sequence", "flat", "blocks"])
def test_tracks_say_what_the_table_says(models: dict[str, Path], tmp_path: Path, name: str) -> None:
    fasta = tmp_path / "my.fa"
    fasta.write_bytes(b">a\n" + dna(7307, 1) + b"\n>b\n" + dna(2400, 2) + b"\n")
    options = {"window_bp": 1500} if name == "sequence" else {"block_bp": 700}
    result = compress(fasta, models[name], tmp_path / "out", **options)
    rows = result.table.select(["chrom", "start", "end"]).to_pandas()
    with (
        pyBigWig.open(str(result.tracks / "tokens_per_kb.bw")) as per_kb,
        pyBigWig.open(str(result.tracks / "bpt.bw")) as bpt,
    ):
        bases = per_kb.header()["nBasesCovered"]
        assert bases == result.facts["bases"]
        assert per_kb.header()["sumData"] / 1000 == pytest.approx(len(rows), rel=1e-6)
        for chrom, own in rows.groupby("chrom"):
            length = per_kb.chroms(chrom)
            for exact in (True, False):
                assert per_kb.stats(chrom, exact=exact)[0] == pytest.approx(
                    1000 * len(own) / length, rel=1e-6
                )
            size = (own["end"] - own["start"]).to_numpy()
            density = np.repeat(1 / size, size)
            assert len(density) == length
            windows = bpt.intervals(chrom)
            edges = [*range(0, length, 1000), length]
            assert [row[:2] for row in windows] == list(pairwise(edges))
            for start, end, value in windows:
                tokens = density[start:end].sum()
                assert value == pytest.approx((end - start) / tokens, rel=1e-6)
                (mean,) = per_kb.stats(chrom, start, end, exact=True)
                assert 1000 / mean == pytest.approx(value, rel=1e-6)
    with pysam.TabixFile(str(result.tracks / "chunks.bed.gz")) as file:
        chunks = [row.split("\t") for chrom in file.contigs for row in file.fetch(chrom)]
    assert [(c, int(a), int(b)) for c, a, b, *_ in chunks] == list(rows.itertuples(index=False))


def test_row_groups_do_not_follow_the_parts(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fasta = tmp_path / "x.fa"
    fasta.write_bytes(b">a\n" + dna(40_000, 5))
    options = {"block_bp": 4096}
    whole = compress(fasta, models["flat"], tmp_path / "whole", **options)
    monkeypatch.setattr(fasta_parts, "PART_BP", 5000)
    parted = compress(fasta, models["flat"], tmp_path / "parted", **options)
    groups = pq.ParquetFile(tmp_path / "whole" / "tokens.parquet").metadata
    rows = [groups.row_group(number).num_rows for number in range(groups.num_row_groups)]
    assert rows == [ROW_GROUP, ROW_GROUP, 40_000 - 2 * ROW_GROUP]
    assert parted.bytes == whole.bytes
    same_tracks(whole.tracks, parted.tracks)


# -- wrong input --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "model", "options", "sentence"),
    [
        (b">a\nACGT\n>b\nACG\n", "causal", {}, r"record 'b' .* has 3 bases, fewer .* of toy \(4"),
        (b">a\nACGT\n>b\n\n", "causal", {}, "record 'b' .* has no bases"),
        (b">a\nACGTJ\n", "causal", {}, "letter 'J' at position 4"),
        (b">a\nACGTACGTACG\n", "blocks", {}, r"record 'a' .* has 11 bases, .* \(12 bp\)"),
        (b">a\n" + b"ACGT" * 7, "blocks", {"window_bp": 24}, "4 bases in its last .* --window-bp"),
        (b">a\nACGT\n", "causal", {"window_bp": 0}, "--window-bp is 0"),
        (b">a\nACGT\n", "sequence", {"window_bp": 1 << 21}, "toy takes at most 1,048,576 bp"),
        (b">a\nACGT\n", "causal", {"block_bp": 0}, "--block-bp is 0"),
        (b">#a\nACGT\n", "causal", {}, "has a contig named #a, and in"),
        (b">track\nACGT\n", "causal", {}, r"x.fa has a contig named track, and in GTF, GFF3"),
        (b">a\nACGT\n", "causal", {"bound": "often"}, "there is no bound 'often'; use none"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_written(
    models: dict[str, Path],
    tmp_path: Path,
    data: bytes,
    model: str,
    options: dict[str, Any],
    sentence: str,
) -> None:
    fasta = tmp_path / "x.fa"
    fasta.write_bytes(data)
    with pytest.raises(GenezipError, match=sentence):
        compress(fasta, models[model], tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_results_that_cannot_be_written(
    models: dict[str, Path], fasta: Path, tmp_path: Path
) -> None:
    with pytest.raises(GenezipError, match="is a folder; name a Parquet file"):
        compress_fasta(fasta, models["causal"], tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(GenezipError, match="cannot make the folder"):
        compress_fasta(fasta, models["causal"], tmp_path / "file" / "tokens.parquet")
    with pytest.raises(GenezipError, match="is a file; name a folder for the tracks"):
        compress_fasta(fasta, models["causal"], tmp_path / "x.parquet", tmp_path / "file")
    assert {path.name for path in tmp_path.iterdir()} == {"my.fa", "file"}
