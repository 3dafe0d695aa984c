"""Strands of held-out windows, and trained against untrained."""

from pathlib import Path

import numpy as np

from genezip.config import Compress
from genezip.evaluation.heldout import Place, compress_places, reverse_window
from genezip.models.architecture import load_architecture
from genezip.models.inference import WindowResult
from genezip.models.network import build
from genezip.vocab import encode, reverse_complement

SHAPE = load_architecture(Path(__file__).parents[1] / "small.yaml")


def place(ids: np.ndarray) -> Place:
    return Place("chr9", 100, 100 + len(ids), "chr9:0-500", "test", ids)


def test_reverse_chunks_map_back() -> None:
    """Chunks [0, 3) [3, 7) [7, 10) of the reverse are [0, 3) [3, 7) [7, 10) mirrored."""
    result = WindowResult(
        token_starts=np.array([0, 2, 7], dtype=np.int32),
        stage_tokens=np.array([5, 3], dtype=np.int32),
        bound_bit=np.array([False, True]),
        boundary_prob=np.zeros(10, dtype=np.float32),
        nll=np.arange(10, dtype=np.float32),
        tokens=np.zeros((3, 24), dtype=np.float32),
    )
    window = reverse_window(place(np.full(10, 3, dtype=np.uint8)), result)
    assert window.token_starts.tolist() == [0, 3, 8]
    assert window.chunk_bp.tolist() == [3, 5, 2]  # forward chunks were 2, 5, 3
    assert window.nll.tolist() == list(range(9, -1, -1))
    assert window.token_density().sum() == 3


def test_both_strands_of_every_window() -> None:
    network = build(SHAPE, 0).eval()
    rng = np.random.default_rng(0)
    places = [place(rng.integers(3, 7, 60).astype(np.uint8)) for _ in range(3)]
    windows = list(compress_places(network, places, Compress(batch=2, both_strands=True)))
    assert [w.strand for w in windows] == list("+++---")
    for given, back in zip(places, windows[3:], strict=True):
        alone = next(
            compress_places(
                network, [place(reverse_complement(given.ids))], Compress(both_strands=False)
            )
        )
        assert back.chunk_bp[::-1].tolist() == alone.chunk_bp.tolist()


def test_palindrome_reads_the_same_on_both_strands() -> None:
    """A sequence equal to its reverse complement: strand - is strand + mirrored."""
    half = encode("ACCGTTAGACATTG")
    ids = np.concatenate([half, reverse_complement(half)])
    forward, backward = compress_places(build(SHAPE, 0).eval(), [place(ids)], Compress())
    assert forward.chunk_bp.tolist() == backward.chunk_bp[::-1].tolist()
    assert np.array_equal(forward.nll, backward.nll[::-1], equal_nan=True)
