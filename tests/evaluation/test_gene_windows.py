"""Windows of genes and features of bases, on a genome that can be checked by eye."""

import numpy as np
import pytest
from toolkit.coding_genome import bacterium
from toolkit.gene_files import read_rows

from genezip.alphabet import decode
from genezip.errors import GenezipError
from genezip.evaluation.genes.gene_windows import (
    FEATURES,
    WindowSettings,
    chosen_organisms,
    mark_features,
    read_windows,
)
from genezip.genome.coding import coding_sequences

SMALL = WindowSettings(genes=1000, flank=60, windows=2, window_bp=2000)


def shown(codes):
    letters = {
        "other": "o", "intergenic": ".", "promoter": "p", "coding": "c", "start_codon": "S",
        "stop_codon": "E",
    }  # fmt: skip
    return "".join(letters[FEATURES[code]] for code in codes)


def test_features_by_hand(tmp_path, monkeypatch) -> None:
    """A gene on either strand, one across the origin, and a tRNA."""
    monkeypatch.setattr("genezip.evaluation.genes.gene_windows.PROMOTER_BP", 4)
    sequence = list("C" * 60)
    sequence[10:22] = "ATGCCCCCCTAA"
    sequence[30:42] = "TTACCCCCCCAT"
    sequence[54:60], sequence[0:3] = "ATGCCC", "TAA"
    rows = (
        ("region", 1, 60, "ID=c;Is_circular=true"),
        ("CDS", 11, 22, "ID=plus"),
        ("CDS", 31, 42, "ID=minus", "-"),
        ("CDS", 55, 63, "ID=origin"),
        ("tRNA", 51, 52, "ID=t"),
    )
    annotation = read_rows(tmp_path, "gff3", *rows)
    table = coding_sequences(annotation, {"c": "".join(sequence)}, 11).table
    plus, minus = (
        shown(mark_features(60, "c", strand, annotation, table, True)) for strand in "+-"
    )
    #       0         1         2         3         4         5
    assert plus == "EEE...ppppSSScccccc" + "EEE........oooooooooooo........oopp" + "SSSccc"
    assert minus == "ooo.......oooooooooooo........EEEccccccSSSpppp....oo..oooooo"


def test_genes_are_read_in_their_direction_and_stay_in_their_split(tmp_path) -> None:
    source = bacterium(tmp_path / "source")
    found = {one.split: one for one in read_windows(source, chosen_organisms(source), SMALL)}
    assert [(one.name, split) for split, one in found.items()] == [
        ("bug", "train"),
        ("bug", "test"),
    ]
    assert len(found["train"].genes) == 30 and len(found["test"].genes) == 30  # not the origin's
    phases = set()
    for gene in found["test"].genes:
        at, text = gene.window.offset, decode(gene.window.ids).decode()
        coding = text[at : at + gene.length]
        assert coding.startswith("ATG") and coding.endswith("TAA") and gene.length % 3 == 0
        assert all(coding[i : i + 3].endswith("G") for i in range(3, gene.length - 3, 3))
        assert 60 <= at < 90 and 60 <= len(text) - at - gene.length < 90
        phases.add((at % 3, (len(text) - at) % 3))
    assert len(phases) == 9  # of a grid of three, from either side
    (window, _) = found["train"].windows
    assert len(window.ids) == 2000 and set(window.features) == {"+", "-"}
    codons = np.flatnonzero(window.features["+"][3:] == FEATURES.index("start_codon")) + 3
    assert decode(window.ids[codons[:3]]) == b"ATG"


def test_sampling_is_seeded_and_bounded(tmp_path) -> None:
    source = bacterium(tmp_path / "source")
    organisms = chosen_organisms(source, ["bug"])
    few = WindowSettings(genes=7, flank=60, windows=0)
    one, two, other = (
        next(iter(read_windows(source, organisms, settings, "test")))
        for settings in (few, few, WindowSettings(genes=7, flank=60, windows=0, seed=1))
    )
    starts = [[gene.window.start for gene in found.genes] for found in (one, two, other)]
    assert len(starts[0]) == 7 and starts[0] == starts[1] != starts[2]
    assert one.windows == []


def test_a_source_of_one_genome_is_one_organism(tmp_path) -> None:
    source = bacterium(tmp_path / "source", organisms=False)
    (organism,) = chosen_organisms(source, genetic_code=11)
    assert (organism.name, organism.genetic_code) == ("bug1", 11)
    assert organism.contigs == ("b", "d")
    (found, *_) = read_windows(source, [organism], SMALL)
    assert found.name == "bug1" and len(found.genes) == 30


def test_wrong_organisms_are_one_sentence(tmp_path, messages) -> None:
    source = bacterium(tmp_path / "source")
    with pytest.raises(GenezipError, match="no organism 'cat'; it has bug, dark"):
        chosen_organisms(source, ["cat"])
    with pytest.raises(GenezipError, match="dark has no annotation, so its codon phase is unkno"):
        chosen_organisms(source, ["dark"])
    with pytest.raises(GenezipError, match="no gene is left in valid DNA of bug, dark: none has a"):
        list(read_windows(source, chosen_organisms(source), SMALL, "valid"))
    assert "dark: no annotation, so it has no codon phase" in messages()
