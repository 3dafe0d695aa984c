"""In-silico mutagenesis of a cut: copies of a stream give what whole mutated sequences give."""

import numpy as np
import pytest
from toolkit.dna import random_ids, random_ids_and_n
from toolkit.networks import CAUSAL, small_shape, speaking_network, toy_card

from genezip.alphabet import C_ID, G_ID, N_ID, encode
from genezip.errors import GenezipError
from genezip.inference.mutations import (
    mutate,
    mutate_stretch,
    streamed_mutations,
    strongest,
    whole_mutations,
)
from genezip.inference.stretch import Stretch, read_stretch, whole_stretch
from genezip.models import load
from genezip.models.base import PlainCompressor, Sequences, ids_of
from genezip.models.compressed import Compressed, tokens_at
from genezip.models.genezip.compressor import GeneZip


class CutAtCG(PlainCompressor):
    """A token begins at a G behind a C, more surely before another G: it looks one base ahead."""

    name = "cut-at-cg"
    gives_prob = True
    max_bp = 100

    def encode(self, sequences: Sequences) -> list[Compressed]:
        return [self.cut(ids) for ids in ids_of(sequences)]

    def cut(self, ids: np.ndarray) -> Compressed:
        prob = np.full(len(ids), 0.125, dtype=np.float32)
        cg = np.append(False, (ids[:-1] == C_ID) & (ids[1:] == G_ID))
        prob[cg] = 0.75
        prob[:-1][cg[:-1] & (ids[1:] == G_ID)] = 0.875
        prob[0] = 1
        starts = np.flatnonzero(prob > 0.5)
        return tokens_at(len(ids), starts, boundary_prob=prob, start_prob=prob[starts])


@pytest.mark.parametrize("bound", [{"bound": "none"}, CAUSAL])
def test_copies_of_a_stream_give_what_whole_sequences_give(bound: dict[str, object]) -> None:
    model = GeneZip(speaking_network(**bound), toy_card(small_shape(**bound)))
    ids = random_ids_and_n(90, 3)
    ids[45] = N_ID
    fast = streamed_mutations(model, ids, 60, 40, 70)
    slow = whole_mutations(model, ids, 60, 40, 70)
    assert fast.prob == pytest.approx(slow.prob, rel=1e-4)
    np.testing.assert_allclose(fast.mutated, slow.mutated, rtol=1e-4, atol=1e-5)
    assert np.abs(fast.change).max() > 1e-3
    assert not fast.change[21:].any()  # behind the cut
    (whole,) = model.encode([ids])
    assert whole.boundary_prob is not None
    assert fast.prob == pytest.approx(whole.boundary_prob[60], rel=1e-4)


def test_a_table_has_every_other_base_of_every_place() -> None:
    ids = encode("TTACGGTN")
    found = mutate(CutAtCG(), ids, 4, 2, 8)
    assert found.prob == 0.875
    table = found.table("chr1", 100)
    assert len(table) == 5 * 3 + 4  # any of four letters in place of N
    assert (table["ref"] != table["alt"]).all() and (table["end"] == table["start"] + 1).all()
    assert set(table["cut"]) == {104} and set(table["chrom"]) == {"chr1"}
    assert list(table.columns) == [
        "chrom", "start", "end", "ref", "alt", "cut", "boundary_prob", "change",
    ]  # fmt: skip
    row = table[(table["start"] == 103) & (table["alt"] == "T")].iloc[0]
    assert (row["ref"], row["boundary_prob"], row["change"]) == ("C", 0.125, -0.75)
    # a base behind the cut matters to a system that looks ahead
    row = table[(table["start"] == 105) & (table["alt"] == "A")].iloc[0]
    assert (row["boundary_prob"], row["change"]) == (0.75, -0.125)
    assert (table.loc[table["start"] == 106, "change"] == 0).all()


def test_mutations_in_another_window_change_nothing() -> None:
    ids = random_ids(260, 7)
    ids[[99, 100, 101, 150, 151]] = [C_ID, G_ID, G_ID, C_ID, G_ID]
    stretch = whole_stretch(CutAtCG(), ids, 90, 160)
    assert stretch.edges.tolist() == [0, 100, 200]
    found = mutate_stretch(CutAtCG(), stretch, 151)
    assert found.start == 90 and found.mutated.shape == (70, 4)
    assert not found.change[:10].any()
    own = whole_mutations(CutAtCG(), ids[100:200], 51, 0, 60)
    np.testing.assert_array_equal(found.mutated[10:], own.mutated)
    with pytest.raises(GenezipError, match=r"base 101 \(counted from 1\) is the first"):
        mutate_stretch(CutAtCG(), stretch, 100)


def test_the_cut_is_the_strongest_boundary_that_bases_decide() -> None:
    prob = np.array([1, 0.3, 0.9, 0.9, 1, 0.2], dtype=np.float32)
    assert strongest(prob, 0, 6, np.array([0, 4])) == 2
    assert strongest(prob, 3, 6, np.array([0, 4])) == 3
    assert strongest(prob, 4, 6, np.array([0])) == 4
    model = GeneZip(speaking_network(**CAUSAL), toy_card(small_shape(**CAUSAL)))
    ids = random_ids(400, 8)
    stretch = read_stretch(model, lambda low, high: ids[low:high], 400, 200, 240, flank=100)
    found = mutate_stretch(model, stretch)
    prob_here = stretch.boundary_prob
    assert prob_here is not None and found.at == 200 + prob_here.argmax()
    np.testing.assert_array_equal(found.ids, ids[200:240])
    slow = whole_mutations(model, ids[100:], found.at - 100, 100, 140)
    np.testing.assert_allclose(found.mutated, slow.mutated, rtol=1e-4, atol=1e-5)


def test_refusals() -> None:
    ids = random_ids(50)
    with pytest.raises(GenezipError, match="gives no boundary probability, which mutations change"):
        mutate(load("fixed:3"), ids, 20, 10, 30)
    with pytest.raises(GenezipError, match="the cut 0 are not all inside"):
        mutate(CutAtCG(), ids, 0, 10, 30)
    with pytest.raises(GenezipError, match="positions 10-60"):
        mutate(CutAtCG(), ids, 20, 10, 60)
    bare = Stretch(0, 50, 0, CutAtCG().cut(ids), np.zeros(1, dtype=np.int64))
    with pytest.raises(GenezipError, match="gives no"):
        mutate_stretch(CutAtCG(), bare)
