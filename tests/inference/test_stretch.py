"""A stretch of a contig has the tokens and tracks that ``genezip compress`` gives the whole one."""

from pathlib import Path

import numpy as np
import pyBigWig
import pytest
from toolkit.compressed_fasta import write_model
from toolkit.dna import random_dna
from toolkit.networks import LONG_CHUNKS

from genezip.alphabet import encode
from genezip.errors import GenezipError
from genezip.inference.fasta import compress_fasta
from genezip.inference.forward import WINDOW_BP
from genezip.inference.stretch import TAIL_BP, Stretch, read_stretch, whole_stretch
from genezip.models import load
from genezip.models.base import Compressor, PlainCompressor
from genezip.models.compressed import Compressed, tokens_at

CONTIG = random_dna(WINDOW_BP + 3_000, 5)
IDS = encode(CONTIG)


def read(model: Compressor, start: int, end: int, **options: int) -> Stretch:
    return read_stretch(model, lambda low, high: IDS[low:high], len(IDS), start, end, **options)


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Compressor:
    return load(write_model(tmp_path_factory.mktemp("model") / "causal", **LONG_CHUNKS))


def test_a_stream_that_reaches_the_first_base_gives_what_the_whole_contig_gives(
    causal: Compressor,
) -> None:
    (whole,) = causal.encode([IDS])
    found = read(causal, 700, 1_100)
    assert found.first == 0 and len(found.found.token_starts) > 20
    assert found.boundary_prob is not None and whole.boundary_prob is not None
    np.testing.assert_allclose(found.boundary_prob, whole.boundary_prob[700:1_100], rtol=1e-4)
    starts, ends = found.chunks()
    edges = np.append(whole.token_starts, whole.length)
    inside = (edges[:-1] < 1_100) & (edges[1:] > 700)
    np.testing.assert_array_equal(starts, edges[:-1][inside])
    np.testing.assert_array_equal(ends, edges[1:][inside])
    np.testing.assert_array_equal(found.letters, IDS[700:1_100])


def test_a_stream_begins_a_flank_before_and_ends_a_tail_behind(causal: Compressor) -> None:
    found = read(causal, 5_000, 5_100, flank=300)
    assert found.first == 4_700 and len(found.ids) == 400 + TAIL_BP
    (alone,) = causal.encode([IDS[4_700:5_100]])
    np.testing.assert_allclose(found.boundary_prob, alone.boundary_prob[300:], rtol=1e-4)
    last = read(causal, len(IDS) - 20, len(IDS))
    assert last.first + last.found.length == len(IDS)
    assert last.chunks()[1][-1] == len(IDS)


@pytest.mark.parametrize("model", ["causal", "fixed:6"])
def test_bp_per_token_is_that_of_the_track(model: str, causal: Compressor, tmp_path: Path) -> None:
    compressor = causal if model == "causal" else load(model)
    fasta = tmp_path / "my.fa"
    fasta.write_text(f">c\n{CONTIG}\n")
    compress_fasta(fasta, compressor, tmp_path / "t.parquet", tmp_path / "tracks")
    start, end = 9_500, len(IDS)  # over the edge of a window
    starts, ends, values = read(compressor, start, end).bpt()
    with pyBigWig.open(str(tmp_path / "tracks" / "bpt.bw")) as track:
        rows = [row for row in track.intervals("c") if row[1] > start]
    assert [row[:2] for row in rows] == list(zip(starts.tolist(), ends.tolist(), strict=True))
    np.testing.assert_allclose(values, [row[2] for row in rows], rtol=1e-5)
    # the mean over a stretch of whole windows is their bases over their tokens
    whole = read(compressor, 10_000, 12_000)
    per_window = whole.bpt()[2]
    assert whole.mean_bpt == pytest.approx(2_000 / (1_000 / per_window).sum())


def test_windows_are_those_of_the_whole_contig() -> None:
    model = load("fixed:6")
    step = WINDOW_BP // 6 * 6
    found = read(model, step - 10, step + 10)
    assert found.edges.tolist() == [0, step]
    starts, ends = found.chunks()
    assert starts.tolist() == [step - 12, step - 6, step, step + 6]
    assert (ends - starts == 6).all()


def test_blocks_of_a_vocabulary_keep_their_phase() -> None:
    model = load("fixed:16")
    assert model.streams
    starts, _ = read(model, 5_001, 5_041, flank=7).chunks()
    assert (starts % 16 == 0).all()


class Sparse(PlainCompressor):
    """A token at the first base and at every 10,000th."""

    name = "sparse"
    streams = causal = True

    def __init__(self) -> None:
        self.read = 0

    def stream(self) -> "Sparse":  # type: ignore[override]
        return Sparse()

    def feed(self, ids: np.ndarray, vectors: bool = False) -> Compressed:
        places = self.read + np.arange(len(ids))
        self.read += len(ids)
        return tokens_at(len(ids), np.flatnonzero(places % 10_000 == 0), mode="stream")


def test_the_last_chunk_is_read_to_its_end() -> None:
    found = read(Sparse(), 100, 200)  # type: ignore[arg-type]
    assert [int(edge) for edges in found.chunks() for edge in edges] == [0, 10_000]
    assert found.mean_bpt == 10_000 and found.bpt()[2].tolist() == [10_000]
    assert found.found.length == len(found.ids) < len(IDS)


def test_a_sequence_that_is_given_is_read_whole(causal: Compressor) -> None:
    (whole,) = causal.encode([IDS[:900]])
    found = whole_stretch(causal, IDS[:900], 100, 200)
    np.testing.assert_array_equal(found.found.token_starts, whole.token_starts)
    assert found.edges.tolist() == [0] and len(found) == 100


def test_refusals(causal: Compressor) -> None:
    with pytest.raises(GenezipError, match="100-50 is not inside a contig"):
        read(causal, 100, 50)
    with pytest.raises(GenezipError, match="fewer than the shortest sequence of toy"):
        read_stretch(causal, lambda low, high: IDS[low:high], 2, 0, 2)
