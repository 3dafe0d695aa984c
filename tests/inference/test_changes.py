"""Likelihoods of changed sequences: a shared beginning that is read once changes no number."""

import numpy as np
import pytest
from toolkit.dna import random_ids
from toolkit.likelihoods import Chain, PseudoChain, StreamedChain
from toolkit.networks import CAUSAL, small_shape, speaking_network, toy_card

from genezip.alphabet import N_ID, encode
from genezip.errors import GenezipError
from genezip.inference.changes import (
    SHORT_BP,
    Change,
    ChangedLikelihoods,
    changed_likelihoods,
    streamed_likelihoods,
    whole_likelihoods,
)
from genezip.models import load
from genezip.models.base import Compressor
from genezip.models.genezip.compressor import GeneZip


def changes_of(reference: np.ndarray, starts: list[int], length: int = 3) -> list[Change]:
    """Every change replaces bases by their neighbours in the alphabet."""
    return [Change(at, 3 + (reference[at : at + length] - 2) % 4) for at in starts]


def streamed(model: Compressor, reference: np.ndarray, some: list[Change]) -> ChangedLikelihoods:
    found = streamed_likelihoods(model, [(reference, some)])
    assert found is not None
    return found[0]


def test_a_stream_is_copied_at_every_change() -> None:
    reference = random_ids(60, 1)
    reference[20] = N_ID
    some = changes_of(reference, [40, 3, 40, 57, 0])
    copied = streamed(StreamedChain(), reference, some)
    (whole,) = changed_likelihoods(Chain(), [(reference, some)])
    np.testing.assert_array_equal(copied.reference, whole.reference)
    for number, change in enumerate(some):
        assert len(copied.changed[number]) == len(reference) - change.start
        np.testing.assert_array_equal(copied.changed[number], whole.changed[number])
        assert copied.total(number) == whole.total(number)
    assert copied.kind == whole.kind == "exact" and not whole.before.any()


def test_the_total_is_that_of_whole_sequences() -> None:
    reference = random_ids(40, 2)
    (change,) = changes_of(reference, [17], 5)
    copy = reference.copy()
    copy[17:22] = change.ids
    own, other = Chain().log_likelihood([reference, copy])
    (found,) = changed_likelihoods(Chain(), [(reference, [change])])
    # the chain of order 1 changes only the site and the base behind it
    assert found.total(0) == pytest.approx(other.total - own.total, abs=1e-5)
    assert not found.difference(0)[6:].any() and found.difference(0)[:6].any()


@pytest.mark.parametrize("bound", [{"bound": "none"}, CAUSAL])
def test_a_network_that_streams(bound: dict[str, object]) -> None:
    network = speaking_network(**bound)
    model = GeneZip(network, toy_card(small_shape(**bound)))
    reference = random_ids(90, 3)
    some = changes_of(reference, [64, 30, 30], 15)
    fast = streamed(model, reference, some)
    other_reference = random_ids(70, 4)
    # two references, whose copies share batches
    slow, short = whole_likelihoods(
        model, [(reference, some), (other_reference, changes_of(other_reference, [9]))]
    )
    (alone,) = whole_likelihoods(model, [(other_reference, changes_of(other_reference, [9]))])
    assert short.total(0) == pytest.approx(alone.total(0), abs=1e-4)
    np.testing.assert_allclose(fast.reference, slow.reference, rtol=1e-4, atol=1e-5)
    for number in range(len(some)):
        np.testing.assert_allclose(fast.changed[number], slow.changed[number], rtol=1e-4, atol=1e-5)
        assert abs(fast.total(number)) > 1e-3
    # an exact likelihood does not change before the site, so the sum over all bases is the same
    copy = reference.copy()
    copy[64:79] = some[0].ids
    own, other = model.log_likelihood([reference, copy])
    assert fast.total(0) == pytest.approx(other.total - own.total, abs=1e-3)


def test_other_kinds_count_what_changes_before() -> None:
    reference = encode("ACGTACGTAC")
    (found,) = changed_likelihoods(PseudoChain(), [(reference, [Change(4, encode("GG"))])])
    assert found.kind == "pseudo" and found.before.shape == (1,)


def test_a_long_reference_is_streamed_where_the_system_can() -> None:
    reference = random_ids(SHORT_BP + 40, 5)
    some = changes_of(reference, [SHORT_BP])
    (found,) = changed_likelihoods(StreamedChain(), [(reference, some)])
    (whole,) = whole_likelihoods(Chain(), [(reference, some)])
    np.testing.assert_array_equal(found.changed[0], whole.changed[0])


def test_refusals() -> None:
    reference = random_ids(20)
    with pytest.raises(GenezipError, match="a change of 3 bases at 18 is not inside"):
        changed_likelihoods(Chain(), [(reference, [Change(18, encode("AAA"))])])
    with pytest.raises(GenezipError, match="gives no likelihood; name a model that does"):
        changed_likelihoods(load("fixed:3"), [(reference, [])])
