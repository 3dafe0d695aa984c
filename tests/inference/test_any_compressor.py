"""Systems without vectors, probabilities or likelihood: the same commands, fewer columns."""

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyBigWig
import pytest
import torch
from toolkit.command_line import call, succeed
from toolkit.dna import fasta, random_dna, random_ids
from toolkit.genomes import simulate
from toolkit.rulers import Ruler, RulerStream

from genezip.alphabet import A_ID, encode
from genezip.config import Compress, Regions
from genezip.corpus.sampling import tile
from genezip.errors import GenezipError
from genezip.genome.region_rules import build_region_map
from genezip.inference import parts
from genezip.inference.fasta import compress_fasta
from genezip.inference.forward import HeldoutWindow, compress_heldout, compress_windows
from genezip.inference.table import read_compressed, write_compressed
from genezip.inference.tracks import write_tracks
from genezip.models import REGISTRY, load
from genezip.models.base import PlainCompressor, Sequences, ids_of
from genezip.models.bpe.compressor import BPE
from genezip.models.bpe.vocabulary import fit_tokenizer
from genezip.models.compressed import Compressed, Likelihood, tokens_at

RECORDS = {"one": random_dna(433, 1, "ACGTN"), "two": random_dna(12, 2), "three": random_dna(95, 3)}
TRACKS = {"tokens_per_kb.bw", "bpt.bw", "chunks.bed.gz", "chunks.bed.gz.tbi", "igv_session.xml"}


@pytest.fixture(autouse=True)
def ruler(monkeypatch: pytest.MonkeyPatch) -> None:
    # other tests compare bits, which follow the number of threads
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    monkeypatch.setitem(REGISTRY, "ruler", "toolkit.rulers:Ruler")


@pytest.fixture
def records(tmp_path: Path) -> Path:
    (tmp_path / "my.fa").write_text(fasta(RECORDS))
    return tmp_path / "my.fa"


def expected(stride: int, window_bp: int = 1 << 30) -> list[tuple[str, int, int, int]]:
    """Rows of the table, base by base."""
    rows = []
    for name, sequence in RECORDS.items():
        ids = encode(sequence)
        starts = [at for at in range(len(ids)) if at % window_bp % stride == 0]
        ends = [*starts[1:], len(ids)]
        rows += [(name, a, b, int(ids[a]) - A_ID) for a, b in zip(starts, ends, strict=True)]
    return rows


def rows_of(path: Path) -> list[tuple[str, int, int, int]]:
    return [tuple(row.values()) for row in pq.read_table(path).to_pylist()]


@pytest.mark.parametrize("name", ["fixed:3", "fixed:50", "bpe"])
def test_by_default_no_token_is_cut(
    records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A table of a FASTA has the tokens and ids of whole records, also of what does not stream."""
    monkeypatch.setattr("genezip.inference.forward.WINDOW_BP", 100)
    model = load(name) if ":" in name else BPE(fit_tokenizer([random_ids(5000)], 40, 64), 64)
    compress_fasta(records, model, tmp_path / "o.parquet")
    found = pq.read_table(tmp_path / "o.parquet")
    wholes = model.encode(list(RECORDS.values()))
    chunks = [
        (a, a + n) for one in wholes for a, n in zip(one.token_starts, one.chunk_bp, strict=True)
    ]
    assert list(zip(found["start"].to_pylist(), found["end"].to_pylist(), strict=True)) == chunks
    assert ("token_id" in found.column_names) == (model.vocabulary is not None)
    if model.vocabulary is not None:
        ids = np.concatenate([one.token_ids for one in wholes])
        assert found["token_id"].to_pylist() == ids.tolist()


@pytest.mark.parametrize("block_bp", [5, 100, 8192])
def test_a_stream_of_token_ids(records: Path, tmp_path: Path, block_bp: int) -> None:
    out = tmp_path / "tokens.parquet"
    succeed(
        "compress", records, "--model", "ruler:7", "--out", out, "--tracks", tmp_path / "t",
        "--block-bp", block_bp,
    )  # fmt: skip
    schema = pq.read_schema(out)
    assert schema.names == ["chrom", "start", "end", "token_id"]
    assert schema.field("token_id").type == pa.int64()
    assert rows_of(out) == expected(7)
    facts = json.loads(schema.metadata[b"genezip"])
    assert (facts["model"], facts["mode"]) == ("ruler 7", "stream")
    assert (facts["window_bp"], facts["block_bp"]) == (None, block_bp)
    assert facts["bits_per_base"] is None and facts["likelihood"] is None
    assert facts["tokens"] == len(expected(7)) and facts["bound_bit"] == 0
    assert {path.name for path in (tmp_path / "t").iterdir()} == TRACKS
    with pyBigWig.open(str(tmp_path / "t" / "tokens_per_kb.bw")) as track:
        assert track.values("one", 0, 3) == pytest.approx([1000 / 7] * 3)
    session = ElementTree.parse(tmp_path / "t" / "igv_session.xml").getroot()
    shown = [found.get("path") for found in session.iter("Resource")]
    assert shown == ["tokens_per_kb.bw", "bpt.bw", "chunks.bed.gz"]


@pytest.mark.parametrize(
    ("model", "options", "window_bp"),
    [
        ("ruler:7,100", (), 100),
        ("ruler:7,100", ("--window-bp", 30), 30),
        ("ruler:7,99999", (), 12_800),
    ],
)
def test_a_system_that_does_not_stream_goes_window_by_window(
    records: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    model: str,
    options: tuple[object, ...],
    window_bp: int,
) -> None:
    out = tmp_path / "tokens.parquet"
    succeed("compress", records, "--model", model, "--out", out, *options)
    assert rows_of(out) == expected(7, window_bp)
    said = capsys.readouterr().out
    assert f"; windows of {window_bp} bp) in" in said and "bits per base" not in said


def test_what_a_system_does_not_have_is_one_sentence(
    records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x" / "tokens.parquet"
    common = ("compress", records, "--out", out, "--model")
    for options, sentence in (
        (("ruler:7,100", "--window-bp", 101), "ruler 7 takes at most 100 bp; give a smaller value"),
        (("ruler:7", "--bound", "causal"), "the compressor ruler has no option bound; leave it"),
    ):
        assert call(*common, *options) == 1
        assert sentence in capsys.readouterr().err
    with pytest.raises(
        GenezipError, match="the bound causal cannot be set on the loaded model ruler 7"
    ):
        compress_fasta(records, Ruler(7), out, bound="causal")
    with pytest.raises(GenezipError, match="has no option untrained; leave it out"):
        compress_heldout("ruler:7", [], Compress(), out, untrained=True)
    assert not out.parent.exists()


def test_a_run_without_vectors_goes_on(
    records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    messages: Callable[[], list[str]],
) -> None:  # fmt: skip
    whole, out = tmp_path / "whole.parquet", tmp_path / "tokens.parquet"
    compress_fasta(records, "ruler:7", whole, block_bp=20)
    monkeypatch.setattr(parts, "PART_BP", 60)
    feed = RulerStream.feed

    def stopping(self: RulerStream, ids: np.ndarray) -> object:
        if self.position == 240:
            raise KeyboardInterrupt
        return feed(self, ids)

    with monkeypatch.context() as patch:
        patch.setattr(RulerStream, "feed", stopping)
        with pytest.raises(KeyboardInterrupt):
            compress_fasta(records, "ruler:7", out, block_bp=20)
    compress_fasta(records, "ruler:7", out, block_bp=20)
    assert "my.fa: resuming, 240 of 540 bp are done" in messages()
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("kind", ["exact", "looked_ahead", "pseudo"])
def test_only_an_exact_likelihood_enters_bits_per_base(
    records: Path, tmp_path: Path, kind: str
) -> None:
    out = tmp_path / "tokens.parquet"
    summary = compress_fasta(records, Ruler(7, likelihood=kind), out)
    facts = json.loads(pq.read_schema(out).metadata[b"genezip"])
    assert facts["likelihood"] == kind
    assert facts["bits_per_base"] == (pytest.approx(2) if kind == "exact" else None)
    assert ("2.000 bits per base" in summary.sentence()) == (kind == "exact")
    assert ("looked ahead in 3 of 3 windows" in summary.sentence()) == (kind == "looked_ahead")


def test_held_out_windows_and_their_tracks(tmp_path: Path) -> None:
    source = simulate(tmp_path / "resources", 20_000, 20_000, 20_111)
    regions = tmp_path / "regions.bed.gz"
    build_region_map(source.annotations(), source.assembly(), Regions()).write_bed9(regions)
    assembly = source.assembly()
    windows = [
        HeldoutWindow(s.chrom, w.start, w.end, s.name, "test", assembly.ids(s, w.start, w.end))
        for s in assembly.segments
        for w in tile(s, 1000, keep_short=False)
    ]
    out = tmp_path / "ruler.parquet"
    assert compress_heldout("ruler:64", windows, Compress(batch=3), out) == 2 * len(windows)
    file = read_compressed(out)
    assert (file.name, file.seed, file.target_bpt) == ("ruler 64", None, None)
    for window in file.windows("+"):
        assert window.token_starts.tolist() == list(range(0, 1000, 64))
        assert window.boundary_prob is None and window.nll is None and window.likelihood is None
    write_tracks(out, tmp_path / "resources" / "source.json", regions, tmp_path / "tracks")
    found = {path.name for path in (tmp_path / "tracks").iterdir()}
    assert found == TRACKS | {"regions.bed.gz", "regions.bed.gz.tbi"}


@pytest.mark.parametrize("kind", ["exact", "looked_ahead", "pseudo"])
def test_the_window_table_keeps_the_kind_of_likelihood(tmp_path: Path, kind: str) -> None:
    model = Ruler(7, likelihood=kind)
    windows = [HeldoutWindow("c", 0, 50, "c", "test", random_ids(50))]
    rows = list(compress_windows(model, windows, Compress()))
    write_compressed(tmp_path / "z", rows, name="ruler")
    assert [row.likelihood for row in read_compressed(tmp_path / "z").windows()] == [kind] * 2


class Masked(PlainCompressor):
    """Guesses every base from both sides, by passes of its own."""

    name = "masked"
    likelihood = "pseudo"

    def encode(self, sequences: Sequences) -> list[Compressed]:
        return [tokens_at(len(ids), [0, 9]) for ids in ids_of(sequences)]

    def log_likelihood(self, sequences: Sequences) -> list[Likelihood]:
        guess = np.float32(np.log(0.5))
        return [
            Likelihood(
                log_prob=np.full(len(ids), guess), kind="pseudo", looked_ahead=np.zeros(0, bool)
            )
            for ids in ids_of(sequences)
        ]


def heldout(*lengths: int) -> list[HeldoutWindow]:
    return [HeldoutWindow("chr9", 0, n, "s", "test", random_ids(n, n)) for n in lengths]


def test_a_likelihood_that_needs_passes_of_its_own_reaches_the_table() -> None:
    rows = list(compress_windows(Masked(), heldout(50, 60), Compress(batch=2)))
    assert [row.likelihood for row in rows] == ["pseudo"] * len(rows)
    assert all(row.nll is not None and row.nll[3] == pytest.approx(np.log(2)) for row in rows)
    assert all(
        row.likelihood is None for row in compress_windows(Ruler(7), heldout(50), Compress())
    )


def test_a_window_longer_than_a_system_takes_goes_through_in_parts() -> None:
    short = Ruler(7, 100)
    (row, *_) = compress_windows(short, heldout(250), Compress(batch=1, both_strands=False))
    wanted = [at for at in range(250) if at % 100 % 7 == 0]
    assert row.token_starts.tolist() == wanted and row.chunk_bp.sum() == 250


def test_tokens_that_do_not_tile_are_refused_by_both_paths(records: Path, tmp_path: Path) -> None:
    class Late(PlainCompressor):
        name = "late"

        def encode(self, sequences: Sequences) -> list[Compressed]:
            return [tokens_at(len(ids), [3, 9]) for ids in ids_of(sequences)]

    fault = "compressor late gives no token that begins at the first base"
    with pytest.raises(GenezipError, match=fault):
        compress_fasta(records, Late(), tmp_path / "tokens.parquet", tracks=tmp_path / "tracks")
    with pytest.raises(GenezipError, match=fault):
        list(compress_windows(Late(), heldout(50), Compress()))
    assert not (tmp_path / "tokens.parquet").exists() and not (tmp_path / "tracks").exists()
