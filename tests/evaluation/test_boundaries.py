"""Boundaries at sites, and their controls, against slow versions and enumeration."""

from collections import Counter
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import torch
from toolkit.dna import random_dna, random_ids, reverse_complement
from toolkit.networks import speaking_network, toy_card

from genezip.alphabet import decode, encode
from genezip.errors import GenezipError
from genezip.evaluation.boundaries import (
    Intervals,
    around,
    boundary_track,
    boundary_tracks,
    decoy_test,
    decoys,
    dinucleotide_shuffle,
    permutation_p,
    shift_test,
)
from genezip.models.base import PlainCompressor, ids_of
from genezip.models.compressed import Compressed, tokens_at
from genezip.models.fixed.compressor import Fixed
from genezip.models.genezip.compressor import GeneZip
from genezip.models.hnet.windows import padded


def hierarchy(length, first, second, bound=False):
    """A result of two stages; ``second`` indexes the tokens of the first."""
    first = np.array(first)
    prob = np.full(length, 0.2, dtype=np.float32)
    prob[first] = 0.9
    inner = np.full(len(first), 0.5, dtype=np.float32)  # a tie opens no token
    inner[second] = 0.8
    return Compressed(
        length=length,
        token_starts=first[second],
        boundary_prob=prob,
        inner_prob=(inner,),
        stage_tokens=np.array([len(first) + bound, len(second)]),
        bound_active=np.array([bound, False]),
    )


def dinucleotides(ids):
    return Counter(zip(ids[:-1].tolist(), ids[1:].tolist(), strict=True))


def test_boundaries_of_both_stages_by_hand() -> None:
    track = boundary_track(hierarchy(9, [0, 2, 5, 6], [0, 2]), "two")
    assert np.flatnonzero(track.hard[0]).tolist() == [0, 2, 5, 6]
    assert np.flatnonzero(track.hard[1]).tolist() == [0, 5]
    assert track.eligible(0).all() and (track.eligible(1) == track.hard[0]).all()
    back = track.part(1, 7, reverse=True)
    assert np.flatnonzero(back.hard[0]).tolist() == [0, 1, 4]
    assert back.prob is not None and back.prob[0] == np.float32(0.9)


def test_what_has_no_boundaries_is_one_sentence() -> None:
    flat = Compressed(
        length=3, token_starts=np.arange(3), stage_tokens=np.zeros(0, int), bound_active=np.zeros(0)
    )
    with pytest.raises(GenezipError, match="flat has no boundaries, as every base is a token; na"):
        boundary_track(flat, "flat")
    with pytest.raises(GenezipError, match="a bound on the tokens of two overruled its stage 0"):
        boundary_track(hierarchy(9, [0, 2, 5, 6], [0, 2], bound=True), "two")
    # the router's choices at the first stage are known nevertheless
    alone = boundary_track(hierarchy(9, [0, 2, 5, 6], [0, 2], bound=True), "two", True)
    assert [np.flatnonzero(one).tolist() for one in alone.hard] == [[0, 2, 5, 6]]
    bare = Compressed(
        length=4,
        token_starts=np.array([0]),
        stage_tokens=np.array([2, 1]),
        bound_active=np.zeros(2, dtype=bool),
    )
    with pytest.raises(GenezipError, match="bare has 2 stages but gives no boundary probability"):
        boundary_track(bare, "bare")


def test_boundaries_of_a_network_of_two_stages() -> None:
    """The routing itself says which bases open a token of each stage."""
    network = speaking_network(bound="none").eval()
    model = GeneZip(network, toy_card(network.shape))
    windows = [random_ids(length, length) for length in (90, 40, 133)]
    tracks = boundary_tracks(model, windows, 200)
    for ids, track in zip(windows, tracks, strict=True):
        with torch.inference_mode():
            output = network(*padded([ids], torch.device("cpu")))
        outer, inner = (routing.boundary_mask[0].numpy() for routing in output.routings)
        np.testing.assert_array_equal(track.hard[0], outer)
        opened = np.flatnonzero(outer)[inner[: outer.sum()]]
        np.testing.assert_array_equal(np.flatnonzero(track.hard[1]), opened)
        assert 1 < track.hard[1].sum() < track.hard[0].sum() < len(ids)
    bounded = speaking_network(k_min=[30, 15]).eval()
    with pytest.raises(GenezipError, match="a bound on the tokens of toy overruled its stage 0"):
        boundary_tracks(GeneZip(bounded, toy_card(bounded.shape)), windows, 200)


def test_tracks_come_in_the_order_of_the_sequences_whatever_the_batches() -> None:
    sizes = []

    class Counted(PlainCompressor):
        name = "counted"

        def encode(self, sequences):
            sizes.append([len(one) for one in sequences])
            return [tokens_at(len(ids), np.arange(0, len(ids), 4)) for ids in ids_of(sequences)]

    lengths = [50, 7, 30, 8, 200, 30]
    tracks = boundary_tracks(Counted(), [random_ids(n) for n in lengths], 64)
    assert [track.hard.shape for track in tracks] == [(1, n) for n in lengths]
    assert all(len(batch) * max(batch) <= 64 or len(batch) == 1 for batch in sizes)
    assert max(map(len, sizes)) > 1
    assert boundary_tracks(Fixed(3), [], 64) == []

    class Short(Counted):
        max_bp = 100

    with pytest.raises(GenezipError, match="reads at most 100 bases at once, but a window has 200"):
        boundary_tracks(Short(), [random_ids(n) for n in lengths], 64)


def test_the_first_stage_of_a_system_without_probabilities_is_that_of_its_tokens() -> None:
    """As of words and G-grams: two numbers of tokens, but the places of the last alone."""

    class TwoStages(PlainCompressor):
        name = "two-stages"

        def encode(self, sequences):
            found = [tokens_at(len(ids), np.arange(0, len(ids), 8)) for ids in ids_of(sequences)]
            two, none = np.array([4, 2]), np.zeros(2, dtype=bool)
            return [replace(one, stage_tokens=two, bound_active=none) for one in found]

    (track,) = boundary_tracks(TwoStages(), [random_ids(16)], 64, first_stage=True)
    assert track.prob is None and np.flatnonzero(track.hard[0]).tolist() == [0, 8]
    with pytest.raises(GenezipError, match="gives no boundary probability of each"):
        boundary_tracks(TwoStages(), [random_ids(16)], 64)


def test_values_around_sites_are_read_along_the_strand() -> None:
    values = np.arange(10.0)
    found = around(values, np.array([3, 3, 0]), np.array([1, -1, 1]), 1, 2)
    np.testing.assert_array_equal(found, [[2, 3, 4, 5], [4, 3, 2, 1], [np.nan, 0, 1, 2]])


def test_shifts_against_a_rolled_array() -> None:
    rng = np.random.default_rng(3)
    records = []
    for length in (40, 57):
        values = rng.random(length) < 0.3
        starts = rng.integers(0, length - 6, 5)
        eligible = rng.random(length) < 0.8
        records.append(Intervals(values & eligible, eligible, starts, starts + 5))
    found = shift_test(records, 20, np.random.default_rng(7))
    again = np.random.default_rng(7)
    above, below = np.zeros((2, 21))
    for one in records:
        moved = [0, *again.integers(0, len(one.values), 20)]
        for number, shift in enumerate(moved):
            for a, b in zip(one.starts, one.ends, strict=True):
                above[number] += np.roll(one.values, shift)[a:b].sum()
                below[number] += np.roll(one.eligible, shift)[a:b].sum()
    np.testing.assert_allclose(np.append(found.observed, found.null), above / below)
    assert found.p == (1 + (found.null >= found.observed).sum()) / 21


def test_shifts_tell_aligned_from_equally_dense_boundaries() -> None:
    rng = np.random.default_rng(0)
    sites = np.sort(rng.choice(5000, 60, replace=False))
    aligned = np.zeros(5000, dtype=bool)
    aligned[sites] = True
    random = rng.permutation(aligned)
    every = np.ones(5000)
    p = [
        shift_test([Intervals(values, every, sites, sites + 1)], 199, rng).p
        for values in (aligned, random)
    ]
    assert p[0] == 1 / 200 and p[1] > 0.05


def test_p_values_by_hand() -> None:
    assert permutation_p(2.0, np.array([1.0, 2.0, 3.0])) == 3 / 4  # a tie counts as large
    assert permutation_p(5.0, np.array([1.0, np.nan, 3.0])) == 1 / 3
    assert np.isnan(permutation_p(np.nan, np.array([1.0])))


def test_decoys_have_the_dinucleotide_and_kind_of_the_sites() -> None:
    ids = random_ids(4000, 1)
    rng = np.random.default_rng(0)
    text = decode(ids).decode()
    kinds = (np.arange(4000) // 500) % 3
    sites = rng.choice(np.arange(10, 3990), 80, replace=False)
    strands = rng.choice([1, -1], 80)
    found = decoys(ids, sites, strands, kinds, 3, rng, offset=-2, apart=4)
    assert found.sites_without == 0 and len(found.positions) == 240
    assert np.abs(found.positions[:, None] - sites).min() >= 4

    def described(positions, strands):
        pairs = []
        for at, strand in zip(positions.tolist(), strands.tolist(), strict=True):
            read = text if strand == 1 else reverse_complement(text)
            place = at if strand == 1 else 3999 - at
            pairs.append((read[place - 2 : place], kinds[at], strand))
        return Counter(pairs)

    expected = described(sites, strands)
    assert described(found.positions, found.strands) == {k: 3 * n for k, n in expected.items()}


def test_a_site_without_decoys_is_counted() -> None:
    ids = encode("AAAAACGAAAAAAAAN")
    sites, strands, kinds = np.array([5, 2]), np.ones(2, dtype=int), np.zeros(16, dtype=int)
    found = decoys(ids, sites, strands, kinds, 2, np.random.default_rng(0))
    assert found.sites_without == 1 and len(found.positions) == 2
    assert set(found.positions.tolist()) <= {0, 1, 3, *range(7, 14)}


def test_decoys_show_a_router_that_knows_a_dinucleotide_only() -> None:
    ids = random_ids(20_000, 5)
    is_gt = np.zeros(len(ids))
    is_gt[:-1] = (ids[:-1] == 5) & (ids[1:] == 6)
    rng = np.random.default_rng(1)
    sites = rng.choice(np.flatnonzero(is_gt), 100, replace=False)
    strands = np.ones(100, dtype=int)
    found = decoys(ids, sites, strands, np.zeros(len(ids), int), 5, rng)
    test = decoy_test(is_gt[sites], is_gt[found.positions])
    assert (test.sites, test.decoys) == (1, 1) and test.p > 0.4
    real = np.zeros(len(ids))
    real[sites] = 1
    assert decoy_test(real[sites], real[found.positions]).p < 1e-6
    with pytest.raises(GenezipError, match="0 sites and 1 decoys cannot be compared; give at"):
        decoy_test(np.zeros(0), np.zeros(1))


@pytest.mark.parametrize("length", [1, 2, 3, 10, 1000])
def test_a_shuffle_keeps_dinucleotides_and_ends(length: int) -> None:
    rng = np.random.default_rng(length)
    for _ in range(5):
        ids = encode(random_dna(length, rng, "ACGTN", [0.3, 0.2, 0.2, 0.25, 0.05]))
        found = dinucleotide_shuffle(ids, rng)
        assert found.dtype == ids.dtype and found[0] == ids[0] and found[-1] == ids[-1]
        assert dinucleotides(found) == dinucleotides(ids)
    if length == 1000:
        assert (found != ids).mean() > 0.5


def test_a_rare_way_out_of_a_letter_is_found() -> None:
    """One G behind hundreds of A and C: a tree drawn by rejection would hardly ever be found."""
    ids = encode("AC" * 500 + "G")
    found = dinucleotide_shuffle(ids, np.random.default_rng(0))
    assert dinucleotides(found) == dinucleotides(ids)


@pytest.mark.parametrize("text", ["ACATCAGA", "ACGTACCA", "AAACAAC", "CATCATTAC"])
def test_all_shuffles_of_a_short_sequence_are_equally_likely(text: str) -> None:
    """Every order of the letters that keeps the dinucleotides is enumerated."""
    ids = encode(text)
    kept = dinucleotides(ids)
    middle = set(permutations(ids[1:-1].tolist()))
    everything = [(int(ids[0]), *one, int(ids[-1])) for one in middle]
    possible = {one for one in everything if dinucleotides(np.array(one)) == kept}
    rng = np.random.default_rng(0)
    draws = 100 * len(possible)
    seen = Counter(tuple(dinucleotide_shuffle(ids, rng).tolist()) for _ in range(draws))
    assert set(seen) == possible and len(possible) > 1
    chi2 = sum((seen[one] - 100) ** 2 / 100 for one in possible)
    # mean len - 1, SD sqrt(2 (len - 1)): five SDs above it is one chance in many thousands
    assert chi2 < (len(possible) - 1) + 5 * np.sqrt(2 * len(possible))
