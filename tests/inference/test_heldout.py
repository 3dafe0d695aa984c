"""Strands of held-out windows, windows of repeats, and trained against untrained."""

import json
from pathlib import Path

import numpy as np
import pytest
from toolkit.dna import random_ids
from toolkit.networks import (
    SMALL,
    save_toy,
    small_network,
    speaking_network,
    stacked_limits,
    toy_card,
)

from genezip.alphabet import encode, reverse_complement
from genezip.config import Compress
from genezip.corpus.shards import SCHEMA_VERSION
from genezip.errors import GenezipError
from genezip.inference.forward import (
    HeldoutWindow,
    HeldoutWindows,
    compress_heldout,
    compress_windows,
    corpus_windows,
    repeat_windows,
    reverse_row,
)
from genezip.inference.table import read_compressed
from genezip.models.compressed import Compressed
from genezip.models.genezip.compressor import GeneZip

ORIGIN = {"source": "simulated"}


def compressor(seed: int = 0) -> GeneZip:
    network = small_network(seed)
    return GeneZip(network, toy_card(network.shape, seed))


def heldout(ids: np.ndarray) -> HeldoutWindow:
    return HeldoutWindow("chr9", 100, 100 + len(ids), "chr9:0-500", "test", ids)


def test_reverse_chunks_map_back() -> None:
    """Chunks [0, 3) [3, 7) [7, 10) of the reverse are [0, 3) [3, 7) [7, 10) mirrored."""
    result = Compressed(
        length=10,
        token_starts=np.array([0, 2, 7]),
        stage_tokens=np.array([5, 3]),
        bound_active=np.array([False, True]),
        boundary_prob=np.zeros(10, dtype=np.float32),
        log_prob=-np.arange(10, dtype=np.float32),
        likelihood="looked_ahead",
    )
    window = reverse_row(heldout(np.full(10, 3, dtype=np.uint8)), result)
    assert window.token_starts.tolist() == [0, 3, 8]
    assert window.chunk_bp.tolist() == [3, 5, 2]  # forward chunks were 2, 5, 3
    assert window.nll.tolist() == list(range(9, -1, -1))
    assert window.token_density().sum() == 3
    assert window.boundary_prob is None and window.likelihood == "looked_ahead"


def test_both_strands_of_every_window() -> None:
    model = compressor()
    rng = np.random.default_rng(0)
    windows = [heldout(random_ids(60, rng)) for _ in range(3)]
    rows = list(compress_windows(model, windows, Compress(batch=2, both_strands=True)))
    assert [row.strand for row in rows] == list("+++---")
    for given, back in zip(windows, rows[3:], strict=True):
        alone = next(
            compress_windows(
                model, [heldout(reverse_complement(given.ids))], Compress(both_strands=False)
            )
        )
        assert back.chunk_bp[::-1].tolist() == alone.chunk_bp.tolist()


def test_another_bound_than_the_models_own_says_so(tmp_path: Path) -> None:
    save_toy(tmp_path / "toy", small_network(0), seed=0, facts={"scale": "test"} | ORIGIN)
    rng = np.random.default_rng(0)
    windows = [heldout(random_ids(300, rng)) for _ in range(2)]
    settings = Compress(both_strands=False)
    for bound, name in ((None, "toy"), ("causal", "toy (causal bound)")):
        compress_heldout(tmp_path / "toy", windows, settings, tmp_path / "z", bound=bound)
        file = read_compressed(tmp_path / "z")
        assert (file.name, file.info["bound"]) == (name, bound or "sequence")
        for row in file.windows():
            ahead = bound is None and row.bound_active.any()
            assert row.likelihood == ("looked_ahead" if ahead else "exact")
    counts = [len(window.token_starts) for window in file.windows("+")]
    low, high = stacked_limits(SMALL.causal_bounds([16.0] * 7), 300)
    assert all(low <= count <= high for count in counts)


def test_untrained_is_the_same_network_before_its_first_step(tmp_path: Path) -> None:
    facts = {"scale": "test", **ORIGIN}
    save_toy(tmp_path / "toy", speaking_network(5), seed=5, facts=facts)
    windows = [heldout(random_ids(200, 1))]
    settings = Compress(both_strands=False)
    found = {}
    for untrained in (False, True):
        compress_heldout(tmp_path / "toy", windows, settings, tmp_path / "z", untrained)
        file = read_compressed(tmp_path / "z")
        assert (file.name, file.seed) == ("untrained" if untrained else "toy", 5)
        assert file.info["scale"] == "test" and file.info["parameters"] > 0
        (found[untrained],) = file.windows()
    (first,) = compress_windows(compressor(5), windows, settings)
    assert np.array_equal(found[True].nll, first.nll, equal_nan=True)
    assert not np.array_equal(found[False].nll, first.nll, equal_nan=True)


def test_palindrome_reads_the_same_on_both_strands() -> None:
    """A sequence equal to its reverse complement: strand - is strand + mirrored."""
    half = encode("ACCGTTAGACATTG")
    ids = np.concatenate([half, reverse_complement(half)])
    forward, backward = compress_windows(compressor(), [heldout(ids)], Compress())
    assert forward.chunk_bp.tolist() == backward.chunk_bp[::-1].tolist()
    assert np.array_equal(forward.nll, backward.nll[::-1], equal_nan=True)


def test_repeat_windows_leave_held_out_segments_out(toy) -> None:
    """Dropped held-out windows must not come back through their repeats."""
    toy.add_segment("a", "ACGT" * 25, "nig", split="train", rmsk=1, start=50)
    toy.add_segment("b", "ACGT" * 25, "nig", split="test", rmsk=1)
    toy.add_segment("c", "ACGT" * 25, "nig", split="train")
    toy.add_segment("d", "ACGT" * 10, "nig", split="valid", rmsk=1)
    windows = repeat_windows(toy.assembly(), 30)
    assert len(windows) == 4
    for _ in range(2):  # read again for the other strand
        found = [(p.segment, p.split, p.start, p.end) for p in windows]
        assert found == [
            ("a", "train", 50, 80), ("a", "train", 80, 110), ("a", "train", 110, 140),
            ("d", "valid", 0, 30),
        ]  # fmt: skip
    assert next(iter(windows)).ids.tolist() == encode("ACGT" * 7 + "AC").tolist()
    none = repeat_windows(toy.assembly(), 500)
    assert (len(none), list(none)) == (0, [])


def test_repeat_windows_are_bounded_and_evenly_spread(toy) -> None:
    toy.add_segment("a", "A" * 1000, "nig", split="train", rmsk=1)
    toy.add_segment("b", "C" * 1000, "nig", split="train", rmsk=1)
    windows = repeat_windows(toy.assembly(), 10, max_windows=8)
    assert len(windows) == 8
    assert [(p.segment, p.start) for p in windows] == [
        (name, start) for name in "ab" for start in (0, 250, 500, 750)
    ]


def test_ids_are_read_when_they_are_needed() -> None:
    """No more than a batch of windows ahead of the results."""
    read = []

    def windows():
        for number in range(6):
            read.append(number)
            yield heldout(np.full(30, 3 + number % 4, dtype=np.uint8))

    found = compress_windows(
        compressor(), HeldoutWindows(6, windows), Compress(batch=2, both_strands=False)
    )
    next(found)
    assert read == [0, 1]
    assert len(list(found)) == 5


def test_a_corpus_without_held_out_windows_is_refused(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text(
        json.dumps({"schema_version": SCHEMA_VERSION, "splits": {"test": {"windows": 0}}})
    )
    with pytest.raises(GenezipError, match="has no test windows"):
        corpus_windows(manifest)
