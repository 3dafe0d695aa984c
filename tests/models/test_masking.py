"""Masked bases: how many, which, and that what is hidden cannot be read from anything."""

import numpy as np
import pytest
import torch
from toolkit.masked import felt_network

from genezip.alphabet import A_ID, MASK_ID, N_ID, PAD_ID, T_ID
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.hnet.windows import masked_base, predict_bases
from genezip.models.masking import mask_rows, score_bases


def random_ids(rows: int, length: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.integers(A_ID, T_ID + 1, (rows, length)).astype(np.uint8)


def test_shares_of_masks() -> None:
    """15 % are chosen; of them 80 % MASK, 10 % kept, 10 % random, a quarter of which is right."""
    ids = random_ids(20, 20_000)
    masked = mask_rows(ids, 0.15, [(7, row) for row in range(20)])
    n = masked.chosen.sum()
    assert n / ids.size == pytest.approx(0.15, abs=0.002)
    assert masked.hidden.sum() / n == pytest.approx(0.8, abs=0.006)
    changed = (masked.ids != ids) & ~masked.hidden
    assert changed.sum() / n == pytest.approx(0.075, abs=0.004)
    assert not (changed & ~masked.chosen).any() and not (masked.hidden & ~masked.chosen).any()
    letters = np.bincount(masked.ids[changed])[A_ID : T_ID + 1] / changed.sum()
    assert letters == pytest.approx([0.25] * 4, abs=0.02)


def test_no_n_and_no_padding_is_chosen() -> None:
    ids = random_ids(2, 400)
    ids[0, 100:300], ids[1, 200:] = N_ID, PAD_ID
    before = ids.copy()
    masked = mask_rows(ids, 0.9, [(0, 0), (0, 1)])
    known = (ids >= A_ID) & (ids <= T_ID)
    assert masked.chosen[known].mean() > 0.8 and not masked.chosen[~known].any()
    assert (masked.ids[~known] == ids[~known]).all()
    assert (ids == before).all()


def test_masks_depend_on_the_key_of_the_row_alone() -> None:
    ids = random_ids(3, 300)
    keys = [(5, 2, row) for row in range(3)]
    whole = mask_rows(ids, 0.15, keys)
    for row in range(3):
        alone = mask_rows(ids[row : row + 1], 0.15, keys[row : row + 1])
        assert (alone.ids[0] == whole.ids[row]).all()
        assert (alone.chosen[0] == whole.chosen[row]).all()
    other = mask_rows(ids, 0.15, [(5, 3, row) for row in range(3)])
    assert (other.chosen != whole.chosen).any(axis=1).all()


@pytest.fixture(scope="module")
def network() -> GeneZipNetwork:
    return felt_network()


def outputs(network: GeneZipNetwork, ids: np.ndarray) -> tuple[torch.Tensor, ...]:
    with torch.inference_mode():
        found = network(torch.from_numpy(ids))
    return found.logits, found.routings[0].boundary_prob, found.routings[0].boundary_mask


def test_what_is_hidden_changes_neither_logits_nor_boundaries(network: GeneZipNetwork) -> None:
    """Other true bases at every MASK: the network reads the same. A kept base is read."""
    ids, key = random_ids(1, 120), [(3, 3)]
    masked = mask_rows(ids, 0.4, key)
    other = ids.copy()
    other[masked.hidden] = A_ID + (ids[masked.hidden] - A_ID + 1) % 4
    again = mask_rows(other, 0.4, key)
    assert masked.hidden.sum() > 20 and (again.chosen == masked.chosen).all()
    for one, two in zip(outputs(network, masked.ids), outputs(network, again.ids), strict=True):
        assert torch.equal(one, two)
    kept = np.flatnonzero(masked.chosen[0] & (masked.ids[0] == ids[0]))[0]
    read = masked.ids.copy()
    read[0, kept] = A_ID + (read[0, kept] - A_ID + 1) % 4
    logits, prob, _ = outputs(network, read)
    assert not torch.equal(logits[0, kept], outputs(network, masked.ids)[0][0, kept])
    assert not torch.equal(prob, outputs(network, masked.ids)[1])


def test_predictions_are_those_of_single_windows(network: GeneZipNetwork) -> None:
    """In padded batches as alone, and those of `masked_base`; tokens are counted."""
    rows = mask_rows(random_ids(3, 90), 0.3, [(1, row) for row in range(3)]).ids
    windows = [rows[0], rows[1][:40], rows[2][:77]]
    found = list(predict_bases(network, windows, 3))
    for ids, one in zip(windows, found, strict=True):
        assert one.log_prob.shape == (len(ids), 4)
        assert (np.exp(one.log_prob).sum(axis=1) < 1).all()
        alone = outputs(network, ids[None])
        wanted = alone[0][0].log_softmax(-1)[:, network.base_columns].numpy()
        np.testing.assert_allclose(one.log_prob, wanted, atol=2e-5)
        at = int(np.flatnonzero(ids == MASK_ID)[0])
        np.testing.assert_allclose(one.log_prob[[at]], masked_base(network, [ids], [at]), atol=2e-5)
        assert one.tokens == int(alone[2].sum())


def test_scores_of_true_bases_by_hand() -> None:
    log_prob = np.log([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]])
    nll, right = score_bases(log_prob, np.array([A_ID + 2, A_ID], dtype=np.uint8))
    assert nll == pytest.approx([-np.log(0.3), -np.log(0.7)])
    assert right.tolist() == [False, True]


def test_protected_masks_are_tokens_of_their_own(network: GeneZipNetwork) -> None:
    """Tokens begin at each MASK and after it; other boundaries are the router's."""
    ids = random_ids(1, 30)
    ids[0, [0, 7, 8, 15, 29]] = MASK_ID
    plain = outputs(network, ids)
    network.protect_masked = True
    try:
        protected = outputs(network, ids)
        with torch.inference_mode():
            routing = network(torch.from_numpy(ids)).routings[0]
    finally:
        network.protect_masked = False
    wanted = plain[2].clone()
    wanted[0, [0, 1, 7, 8, 9, 15, 16, 29]] = True
    assert (wanted != plain[2]).any()
    assert torch.equal(protected[2], wanted) and torch.equal(protected[1], plain[1])
    assert torch.equal(routing.provisional, wanted)  # F counts what is kept, before the bound too
    assert not routing.bound_active().any()
