"""Features of pairs: the shared prefix is read once, and equal alleles give equal numbers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.signal import lfilter
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from toolkit.crafted import Crafted, Runs, counted_tokens
from toolkit.deposits import pairs as deposit
from toolkit.dna import random_ids
from toolkit.made_examples import MadePairs
from toolkit.networks import CAUSAL, FREE, speaking_network, toy_card

from genezip.alphabet import A_ID, C_ID, G_ID, N_ID, T_ID
from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.inference import forward
from genezip.models.genezip.compressor import GeneZip
from genezip.models.token_counts import TokenCounts
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.features import FeatureStore, write_store
from genezip.tasks.pairs.deposit import VARIANTS
from genezip.tasks.pairs.examples import PairExamples, prepare_pairs
from genezip.tasks.pairs.features import (
    FULL_BLOCKS,
    bases_read,
    full_features,
    full_features_slow,
    pair_features,
    release_features,
    window,
)
from genezip.tasks.pairs.sequences import RELEASE_BP, PairSequences, release_input


def compressor(bound: dict, double: bool = True, block_bp: int = 64) -> GeneZip:
    """A small network whose layers speak up as after training."""
    network = speaking_network(**bound)
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.startswith("residuals") and name.endswith("weight"):  # zero at the start
                parameter.copy_(torch.randn(parameter.shape, generator=draw) / 4)
    model = GeneZip(network.double() if double else network, toy_card(network.shape))
    model.block_bp = block_bp
    return model


def recent(max_bp: int | None = None) -> Crafted:
    """Counts of A, C, G, T and all bases, halved every base (causal)."""
    return Crafted("recent", 5, _halved_counts, max_bp=max_bp)


def _halved_counts(ids: np.ndarray) -> np.ndarray:
    one_hot = np.stack([ids == base for base in (A_ID, C_ID, G_ID, T_ID)], axis=1)
    inputs = np.concatenate([one_hot, np.ones((len(ids), 1))], axis=1)
    return np.asarray(lfilter([1.0], [1.0, -0.5], inputs, axis=0))


def pair(
    seed: int = 0, before: int = 300, after: int = 90, alleles: tuple[int, int] = (1, 1)
) -> PairSequences:
    """A run of A against a run of G, of these lengths, between common bases."""
    random = np.random.default_rng(seed)
    left, right = random_ids(before, random), random_ids(after, random)
    reference, alternative = (
        np.full(length, base, dtype=np.uint8)
        for length, base in zip(alleles, (A_ID, G_ID), strict=True)
    )
    return PairSequences(
        np.concatenate([left, reference, right]),
        np.concatenate([left, alternative, right]),
        before,
        before + alleles[0],
        before + alleles[1],
    )


@pytest.mark.parametrize("bound", [FREE, CAUSAL], ids=["free", "causal"])
@pytest.mark.parametrize("alleles", [(1, 1), (1, 5), (6, 1)], ids=["snv", "insertion", "deletion"])
def test_the_snapshot_gives_what_two_whole_passes_give(bound: dict, alleles: tuple) -> None:
    model, one = compressor(bound), pair(after=8, alleles=alleles)
    fast, slow = full_features(model, one), full_features_slow(model, one)
    assert fast.shape == (8, 16) and fast.dtype == np.float32
    np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-5)
    by_name = dict(zip(FULL_BLOCKS, fast, strict=True))
    for block in ("forward.last", "forward.mean", "reverse.mean"):  # the other end forgets
        difference = by_name[f"{block}.alternative"] - by_name[f"{block}.reference"]
        assert np.abs(difference).max() > 1e-3, block


def test_in_fp32_it_does_so_too() -> None:
    model, one = compressor(CAUSAL, double=False), pair(seed=1)
    np.testing.assert_allclose(
        full_features(model, one), full_features_slow(model, one), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("bound", [FREE, CAUSAL], ids=["free", "causal"])
def test_states_before_the_variant_are_bit_equal_between_alleles(bound: dict) -> None:
    """Two separate readings, each up to the variant and then on."""
    model, one = compressor(bound, double=False), pair(alleles=(1, 4))
    for oriented in (one, one.reverse_complement()):
        focus, found = oriented.focus_start, []
        for ids in (oriented.reference, oriented.alternative):
            stream = model.stream()
            parts = [stream.feed(part, vectors=True) for part in (ids[:focus], ids[focus:])]
            found.append(np.concatenate([part.base_vectors for part in parts]))
        assert np.array_equal(found[0][:focus], found[1][:focus])
        assert not np.array_equal(found[0][focus], found[1][focus])


def test_equal_alleles_differ_by_exactly_nothing() -> None:
    one = pair()
    hidden = PairSequences(one.reference, one.reference.copy(), 300, 301, 301)
    for model in (compressor(FREE, double=False), recent()):
        found = full_features(model, hidden)
        assert (found[1::2] - found[::2] == 0.0).all()


def test_last_and_mean_by_hand() -> None:
    """C | A or G | T: halved counts after the variant, forward and on the other strand."""
    one = PairSequences(
        np.array([C_ID, A_ID, T_ID], dtype=np.uint8),
        np.array([C_ID, G_ID, T_ID], dtype=np.uint8),
        1, 2, 2,
    )  # fmt: skip
    found = dict(zip(FULL_BLOCKS, full_features(recent(), one).tolist(), strict=True))
    # forward, reference: after A (1, .5, 0, 0, 1.5), after T (.5, .25, 0, 1, 1.75)
    assert found["forward.last.reference"] == [0.5, 0.25, 0, 1, 1.75]
    assert found["forward.mean.reference"] == [0.75, 0.375, 0, 0.5, 1.625]
    assert found["forward.last.alternative"] == [0, 0.25, 0.5, 1, 1.75]
    # reverse complement of the alternative, A C G: after C (.5, 1, 0, 0, 1.5), then G
    assert found["reverse.last.alternative"] == [0.25, 0.5, 1, 0, 1.75]
    assert found["reverse.mean.alternative"] == [0.375, 0.75, 0.5, 0, 1.625]


def test_a_planted_effect_is_found_by_a_linear_probe_on_the_differences() -> None:
    """Positive: the alternative is a run of G, else of T; the other bases say nothing."""
    random = np.random.default_rng(5)
    model = compressor(FREE, double=False, block_bp=1000)
    labels = random.integers(0, 2, 48)
    differences = []
    for seed, label in enumerate(labels):
        one = pair(seed, before=40, after=10, alleles=(12, 12))
        one.alternative[40:52] = G_ID if label else T_ID
        found = dict(zip(FULL_BLOCKS, full_features(model, one), strict=True))
        differences.append(found["forward.mean.alternative"] - found["forward.mean.reference"])
    values = np.stack(differences) / np.std(differences)
    probe = LogisticRegression(C=10, max_iter=2000).fit(values[:30], labels[:30])
    assert roc_auc_score(labels[30:], probe.decision_function(values[30:])) > 0.9


@pytest.mark.parametrize(
    ("focus", "length", "max_bp", "expected"),
    [
        (300, 390, None, (0, 390)),
        (300, 390, 390, (0, 390)),
        (300, 390, 100, (290, 390)),  # the end holds it
        (290, 390, 100, (290, 390)),
        (289, 390, 100, (239, 339)),  # centred
        (20, 390, 100, (0, 100)),  # no base before the sequence
    ],
)
def test_where_a_model_of_limited_context_is_cut(
    focus: int, length: int, max_bp: int | None, expected: tuple
) -> None:
    assert window(focus, length, max_bp) == expected


def test_a_model_of_limited_context_reads_around_the_variant() -> None:
    model, one = recent(max_bp=100), pair(alleles=(1, 3))
    found = full_features(model, one)
    forward = model.read[:2]
    assert [len(ids) for ids in forward] == [98, 100]  # 391 and 393 bases from base 293 on
    assert np.array_equal(forward[0], one.reference[293:391])
    assert np.array_equal(forward[1], one.alternative[293:393])
    # the reverse strand begins with the 90 bases after the variant
    assert [len(ids) for ids in model.read[2:]] == [100, 100]
    assert bases_read(model, one) == 398
    assert found.shape == (8, 5)


def test_bases_read_counts_the_prefix_once() -> None:
    one = pair(alleles=(1, 3))  # 391 and 393 bases; variant at 300, from the other end at 90
    assert bases_read(compressor(FREE), one) == (300 + 91 + 93) + (90 + 301 + 303)


def test_a_pair_without_bases_from_its_variant_on_is_refused() -> None:
    ids = np.full(5, A_ID, dtype=np.uint8)
    with pytest.raises(GenezipError, match="no base at or after its variant at 5"):
        full_features(recent(), PairSequences(ids, ids, 5, 5, 5))


def test_authors_features_average_all_positions_n_included_and_read_equal_bases_once() -> None:
    model = Crafted("is_g", 5, lambda ids: (ids == G_ID)[:, None] * np.ones(5))
    near, far = pair(before=300), pair(seed=1, before=13_000)
    found, bases = release_features(model, [near, far, near])
    assert found.shape == (3, 2, 5) and bases == 3 * RELEASE_BP
    # near: its own bases, then N up to 12,800
    expected = [(ids == G_ID).sum() / RELEASE_BP for ids in (near.reference, near.alternative)]
    assert found[0, :, 0].tolist() == np.float32(expected).tolist()
    assert np.array_equal(found[0], found[2])
    assert np.array_equal(found[1, 0], found[1, 1])  # the variant lies beyond the cut
    assert [len(ids) for ids in model.read] == [RELEASE_BP] * 3
    assert (model.read[0][400:] == N_ID).all()


def examples(folder: Path, pairs: list[PairSequences]) -> MadePairs:
    (folder / "manifest.json").write_text("{}")
    table = pd.DataFrame({"example": np.arange(len(pairs)) + 7})
    return MadePairs(table, pairs.__getitem__, folder=folder)


def test_a_store_of_pairs_is_what_the_pairs_give_one_by_one(tmp_path: Path) -> None:
    pairs = [pair(seed, before=40 + seed) for seed in range(11)]
    model, given = recent(), examples(tmp_path, pairs)
    for input, count in (("full", 8), ("authors", 2)):
        manifest = tmp_path / input / "manifest.json"
        write_store(manifest, pair_features(model, given, input))
        store = FeatureStore.load(manifest, tmp_path / "manifest.json")
        assert store.array.shape == (11, count * 5)
        assert store.examples.tolist() == list(range(7, 18))
        assert store.facts["input"] == input and store.facts["task"] == "eqtl"
        for row, one in enumerate(pairs):
            authors, _ = release_features(model, [one])
            whole = full_features(model, one) if input == "full" else authors
            assert np.array_equal(store.array[row], whole.reshape(-1))
    full = FeatureStore.load(tmp_path / "full" / "manifest.json")
    assert list(full.blocks) == list(FULL_BLOCKS)
    assert np.array_equal(
        full.block("reverse.last.alternative")[4], full_features(model, pairs[4])[5]
    )
    authors = FeatureStore.load(tmp_path / "authors" / "manifest.json")
    assert list(authors.blocks) == ["forward.mean.reference", "forward.mean.alternative"]


def test_an_interrupted_store_is_the_same_as_an_undisturbed_one(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    pairs = [pair(seed, before=9, after=9) for seed in range(10)]
    given = examples(tmp_path, pairs)
    undisturbed, broken = (tmp_path / name / "manifest.json" for name in ("one", "two"))
    model = compressor(FREE, double=False)
    write_store(undisturbed, pair_features(model, given, "full"))

    def stops(row: int) -> PairSequences:
        if row == 9:
            raise KeyboardInterrupt
        return pairs[row]

    with pytest.raises(KeyboardInterrupt):
        stopping = MadePairs(given.table, stops, folder=tmp_path)
        write_store(broken, pair_features(model, stopping, "full"))
    write_store(broken, pair_features(model, given, "full"))
    assert "resumed after 8 of 10 examples" in messages()
    stores = [FeatureStore.load(path) for path in (undisturbed, broken)]
    assert np.array_equal(stores[0].array, stores[1].array)
    assert stores[0].facts["bases"] == stores[1].facts["bases"]


def test_the_release_sees_a_variant_of_a_prepared_deposit_only_near_the_tss(tmp_path: Path) -> None:
    """Both alleles are the same 12,800 bp where the variant lies further in."""
    listing = deposit.write_eqtl(tmp_path)
    fasta, manifest = tmp_path / deposit.EQTL_FASTA, tmp_path / "data" / "manifest.json"
    files, genome = TaskFiles.load(listing), ReferenceGenome(fasta)
    prepare_pairs(VARIANTS, deposit.TISSUE, files, genome, manifest, 5, 0)
    given = PairExamples.load(manifest, fasta)
    model = recent()
    write_store(tmp_path / "store" / "manifest.json", pair_features(model, given, "authors"))
    store = FeatureStore.load(tmp_path / "store" / "manifest.json", manifest)
    assert store.examples.tolist() == given.table["example"].tolist()
    same = [
        np.array_equal(store.block("forward.mean.reference")[row], alternative)
        for row, alternative in enumerate(store.block("forward.mean.alternative"))
    ]
    beyond = [given.sequences(row).focus_start >= RELEASE_BP for row in range(len(given))]
    assert same == beyond and 0 < sum(beyond) < len(beyond)


def test_a_system_without_vectors_is_pooled_as_counts_of_its_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading begins before the variant, in blocks that end anywhere."""
    monkeypatch.setattr(forward, "VECTORS_BP", 70)
    one, model = pair(alleles=(9, 4)), TokenCounts(Runs())
    found = dict(zip(FULL_BLOCKS, full_features(model, one), strict=True))
    for strand, oriented in (("forward", one), ("reverse", one.reverse_complement())):
        for allele, ids in (
            ("reference", oriented.reference),
            ("alternative", oriented.alternative),
        ):
            focus, end = oriented.focus_start, len(ids)
            expected = counted_tokens(model, ids, focus, end) / (end - focus)
            np.testing.assert_allclose(found[f"{strand}.mean.{allele}"], expected, atol=1e-7)
            last = counted_tokens(model, ids, end - 1, end)
            np.testing.assert_allclose(found[f"{strand}.last.{allele}"], last, atol=1e-7)
    reading = pair_features(model, examples(tmp_path, [one]), "authors")
    write_store(tmp_path / "m" / "manifest.json", reading)
    store = FeatureStore.load(tmp_path / "m" / "manifest.json")
    expected = counted_tokens(model, release_input(one)[0], 0, RELEASE_BP) / RELEASE_BP
    np.testing.assert_allclose(store.block("forward.mean.reference")[0], expected, atol=1e-7)
    assert store.facts["model"]["vectors"] == "token-id counts"
