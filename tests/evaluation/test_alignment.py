"""Boundary alignment: planted boundaries, what only looks like them, statistics by loops."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score
from toolkit.coding_genome import EveryBase
from toolkit.command_line import call, succeed
from toolkit.planted_sites import DONOR, AtGT, AtWord, HardAtDonors, planted, planted_source

from genezip.alphabet import decode, encode
from genezip.artifacts.scores import ALIGNMENT_SCORES, SITE_CONTROLS
from genezip.errors import GenezipError
from genezip.evaluation.boundaries import decoys
from genezip.evaluation.genes.alignment import (
    PROFILE_COLUMNS,
    AlignmentSettings,
    Around,
    adjust,
    alignment,
    difference,
    read_around,
    shift_p,
    stretches_of,
)
from genezip.evaluation.genes.site_windows import APART, SiteSettings, read_kinds
from genezip.evaluation.genes.sites import SITE_KINDS, chosen_kinds
from genezip.models.fixed.compressor import Fixed

READ = SiteSettings(window_bp=320, block_bp=640)
DRAWS = AlignmentSettings(shifts=199, bootstrap=100)


@pytest.fixture(scope="module")
def made():
    return planted()


@pytest.fixture(scope="module")
def source(made, tmp_path_factory):
    return planted_source(tmp_path_factory.mktemp("sites") / "source", made)


@pytest.fixture(scope="module")
def read(source):
    """Windows of three kinds of sites in the held-out half."""
    return read_kinds(source, chosen_kinds(["tata", "donor", "acceptor"]), READ, "test", "all")


def table_of(compressor, read):
    found = alignment(compressor, read, DRAWS, "test", "test", "simulated")
    table = ALIGNMENT_SCORES.frame(found.rows)
    return table.set_index(["subset", "strand"]), found


@pytest.fixture(scope="module")
def of_gt(read):
    """Rows of a compressor that knows the dinucleotide alone."""
    return table_of(AtGT(), read)[0]


def held_out(made, kind):
    return [(at, strand) for at, strand in made.sites[kind] if at >= made.half]


def test_windows_hold_their_sites_and_controls_hold_none(made, read) -> None:
    _, donors, acceptors = read
    assert donors.found == len(donors.windows["sites"]) == len(held_out(made, "donor")) > 8
    for kind, first, word in ((donors, 0, DONOR), (acceptors, -9, "TTCTTTCAG")):
        for one in kind.windows["sites"]:
            at = one.offset + first
            assert decode(one.ids[at : at + len(word)]).decode() == word
    for one in donors.windows["decoys"]:
        assert decode(one.ids[one.offset : one.offset + 2]) == b"GT"
    for one in acceptors.windows["decoys"]:
        assert decode(one.ids[one.offset - 2 : one.offset]) == b"AG"
    # a control is at another place of an intron: never at the planted word
    for name in ("decoys", "kmers"):
        for kind, word, first in ((donors, DONOR, 0), (acceptors, "TTCTTTCAG", -9)):
            for one in kind.windows[name]:
                text = decode(one.ids).decode()
                assert not any(
                    text.startswith(word, one.offset + first + step)
                    for step in range(-APART + 1, APART)
                )
    low, high = SITE_KINDS["donor"].span
    counted = [
        sorted(
            "".join(sorted(decode(w.ids[w.offset + low : w.offset + high]).decode()))
            for w in windows
        )
        for windows in (donors.windows["sites"], donors.windows["kmers"])
    ]
    assert set(counted[1]) <= set(counted[0])
    assert len(counted[0]) == len(counted[1]) + donors.without["kmers"]


def test_shuffled_windows_keep_the_site_and_the_dinucleotides(read) -> None:
    low, high = SITE_KINDS["donor"].span
    for one, other in zip(read[1].windows["sites"], read[1].windows["shuffled"], strict=True):
        assert one.offset == other.offset and not np.array_equal(one.ids, other.ids)
        inside = slice(one.offset + low, one.offset + high)
        np.testing.assert_array_equal(one.ids[inside], other.ids[inside])


def test_a_site_has_every_distance_from_the_middle(read) -> None:
    offsets = [one.offset for kind in read for one in kind.windows["sites"]]
    assert len({offset % 4 for offset in offsets}) == 4
    found, _ = table_of(Fixed(4), read)
    assert (found["signal"] == "boundary").all()
    assert (found["q"] > 0.05).all()  # a grid is aligned with nothing


def test_planted_boundaries_are_found_beyond_their_controls(made, read) -> None:
    found, _ = table_of(AtWord(DONOR), read)
    for strand in "+-":
        row = found.loc[("donor", strand)]
        # by hand: of 5 bases near a site one has 0.9, of the 236 others none in its window
        near, elsewhere = (0.9 + 4 * 0.1) / 5, 0.1
        if strand == "+":
            assert row["near"] == pytest.approx(near) and row["elsewhere"] == pytest.approx(
                elsewhere
            )
            assert row["value"] == pytest.approx(near / elsewhere)
            assert row["p"] == pytest.approx(1 / 200) and row["q"] < 0.05
            assert row["auroc"] == pytest.approx(1) and row["auprc"] == pytest.approx(1)
            assert row["decoys_value"] < 1.3 and row["decoys_difference_low"] > 0
            assert row["kmers_difference_low"] > 0 and row["decoys_q"] < 0.05
            # the word reaches two bases beyond the span that is kept
            assert row["shuffled_value"] < row["value"]
        else:
            assert row["value"] == pytest.approx(1)  # the word is not read backwards
            assert row["p"] > 0.05
    assert found.loc[("donor", "+"), "n"] == len(held_out(made, "donor"))
    assert found.loc[("tata", "+"), "value"] == pytest.approx(1)
    assert found.loc[("donor", "+"), "auprc_chance"] == pytest.approx(1 / 47)


def test_a_model_of_the_dinucleotide_is_told_by_its_decoys(of_gt) -> None:
    row = of_gt.loc[("donor", "+")]
    assert row["value"] > 1.5 and row["p"] <= 0.01  # enriched, and yet
    assert row["decoys_value"] > 1.3
    assert row["decoys_difference_low"] < 0 < row["decoys_difference_high"]
    assert row["decoys_p"] > 0.05
    assert row["shuffled_value"] == pytest.approx(row["value"], rel=0.3)


def test_boundaries_stand_in_for_probabilities(read) -> None:
    found, result = table_of(HardAtDonors(), read)
    row = found.loc[("donor", "+")]
    assert row["signal"] == "boundary" and row["near"] == pytest.approx(1 / 5)
    assert row["elsewhere"] == 0 and np.isnan(row["value"]) and row["auroc"] == pytest.approx(1)
    assert result.profile["mean"].max() == 1


def test_statistics_by_loops() -> None:
    rng = np.random.default_rng(1)
    sites = Around(rng.random((9, 81)), np.array(list("aabbccdde")))
    control = Around(rng.random((7, 81)), np.array(list("aabbcde")))

    def enrichment(rows):
        near = [row[x] for row in rows for x in range(81) if abs(x - 40) <= 2]
        far = [row[x] for row in rows for x in range(81) if abs(x - 40) > 2]
        return np.mean(near) / np.mean(far)

    assert sites.enrichment(sites.sums.sum(axis=0)) == pytest.approx(enrichment(sites.values))
    found = difference(sites, control, 200, 0)
    assert found.value == pytest.approx(enrichment(sites.values) - enrichment(control.values))
    assert found.low < found.value < found.high and found.blocks == 5
    two = Around(sites.values[:4], sites.blocks[:4])
    assert np.isnan(difference(two, control, 200, 0).low)  # sites in two blocks alone
    truth, score, blocks = stretches_of(sites)
    slow = []
    for row, block in zip(sites.values, sites.blocks, strict=True):
        for k in range(-7, 8):
            slow.append((k == 0, max(row[40 + 5 * k + x] for x in range(-2, 3)), block))
    assert list(zip(truth.astype(bool), score, blocks, strict=True)) == slow
    # the p-value by rolling the rows
    p = shift_p(sites, 50, np.random.default_rng(4))
    again = np.random.default_rng(4)
    moves = [again.integers(0, 81, 50) for _ in range(9)]
    null = [
        enrichment(
            [np.roll(row, int(by[draw])) for row, by in zip(sites.values, moves, strict=True)]
        )
        for draw in range(50)
    ]
    assert p == pytest.approx((1 + sum(x >= enrichment(sites.values) for x in null)) / 51)


def test_detectors_as_of_scikit_learn(read, of_gt) -> None:
    found = of_gt.loc[("acceptor", "+")]
    truth, score, _ = stretches_of(read_around(AtGT(), read[2], "sites", "+", 4096))
    assert found["auroc"] == pytest.approx(roc_auc_score(truth, score), rel=1e-5)
    assert found["auprc"] == pytest.approx(average_precision_score(truth, score), rel=1e-5)


def test_q_values_are_those_of_benjamini_and_hochberg() -> None:
    p = [0.04, None, 0.001, 0.03, 0.5]
    rows = [{"p": value, "q": None} for value in p]
    adjust(rows, "p", "q")
    known = [value for value in p if value is not None]
    expected = iter(stats.false_discovery_control(known))
    for row in rows:
        assert row["q"] is None if row["p"] is None else row["q"] == pytest.approx(next(expected))
    assert rows[2]["q"] == pytest.approx(0.001 * 4)  # by hand: the least of four


def test_the_minus_strand_is_the_mirror_of_the_plus_strand(read, tmp_path) -> None:
    turned = planted_source(tmp_path / "turned", planted(turned=True))
    mirrored = read_kinds(turned, chosen_kinds(["donor"]), READ, "train", "all")

    def near_site(kind):
        return sorted(
            decode(one.ids[one.offset - 120 : one.offset + 121]) for one in kind.windows["sites"]
        )

    assert near_site(read[1]) == near_site(mirrored[0])


def test_composition_decoys_by_loops() -> None:
    rng = np.random.default_rng(5)
    ids = encode("".join(rng.choice(list("ACGT"), 400)))
    positions, strands = np.array([50, 200, 333]), np.array([1, -1, 1])
    avoid = np.zeros(400, dtype=bool)
    avoid[:100] = True
    kinds = np.zeros(400, dtype=np.uint8)
    found = decoys(ids, positions, strands, kinds, 3, rng, avoid=avoid, span=(-2, 2))

    def counts(at, strand):
        return sorted((ids if strand == 1 else 9 - ids)[at + strand * x] for x in range(-2, 2))

    wanted = [counts(at, strand) for at, strand in zip(positions, strands, strict=True)]
    got = [counts(at, strand) for at, strand in zip(found.positions, found.strands, strict=True)]
    assert len(got) == 9 - 3 * found.sites_without and (found.positions >= 100).all()
    assert all(got.count(one) >= 3 for one in wanted) and found.sites_without == 0


def test_wrong_input_is_one_sentence(made, source, read, tmp_path) -> None:
    donors = chosen_kinds(["donor"])
    with pytest.raises(GenezipError, match="flat has no boundaries, as every base is a token; na"):
        alignment(EveryBase(), read, DRAWS, "test", "test", "simulated")
    with pytest.raises(GenezipError, match="windows of 200 bases are too short for the 120 bases"):
        read_kinds(source, donors, SiteSettings(window_bp=200), "test", "all")
    bare = planted_source(tmp_path / "bare", made, annotated=False)
    with pytest.raises(GenezipError, match="the source has no annotation of its test DNA"):
        read_kinds(bare, donors, READ, "test", "all")
    with pytest.raises(GenezipError, match=r"no site is left in valid DNA \(donor\)"):
        read_kinds(source, donors, READ, "valid", "all")
    made = planted(2)
    cut = planted_source(tmp_path / "cut", made.__class__(made.text, {}, made.rows[:4], made.half))
    with pytest.raises(GenezipError, match=r"no site is left in test DNA \(tata, donor\)"):
        read_kinds(cut, chosen_kinds(["tata", "donor"]), READ, "test", "all")


def test_the_command(source, tmp_path, capsys) -> None:
    words = [
        "evaluate", "alignment", "--model", "toolkit.planted_sites:AtGT", "--scale", "test",
        "--source", source.folder / "source.json", "--transcripts", "all",
        "--settings", '{"window_bp": 320, "shifts": 19, "bootstrap": 20}',
        "--kind", "donor", "--kind", "ccaat",
        "--out", tmp_path / "alignment.tsv", "--profile", tmp_path / "profile.tsv",
    ]  # fmt: skip
    succeed(*words)
    table = ALIGNMENT_SCORES.read(tmp_path / "alignment.tsv")
    assert list(zip(table["subset"], table["strand"], strict=True)) == [
        (kind, strand) for kind in ("donor", "ccaat") for strand in "+-"
    ]
    assert set(table["model"]) == {"at-gt"} and set(table["task"]) == {"alignment"}
    assert (table[[f"{name}_n" for name in SITE_CONTROLS]].loc[0] == table["n"][0]).all()
    profile = pd.read_csv(tmp_path / "profile.tsv", sep="\t")
    assert list(profile.columns) == list(PROFILE_COLUMNS)
    own = profile[profile["subset"] == "donor"]
    assert (own["offset"].min(), own["offset"].max()) == (-120, 120)
    assert set(own["set"]) == {"sites", *SITE_CONTROLS}
    before = (tmp_path / "alignment.tsv").read_bytes()
    assert call(*words, "--kind", "gata") == 1
    assert "'gata' is no kind of site; use tata" in capsys.readouterr().err
    succeed(*words)
    assert (tmp_path / "alignment.tsv").read_bytes() == before


def test_dna_without_any_of_the_sites_of_the_settings_is_no_error(source, tmp_path) -> None:
    """A run on other DNA has none to measure; asked for by name, they are refused."""
    words = [
        "evaluate", "alignment", "--model", "toolkit.planted_sites:AtGT", "--scale", "test",
        "--source", source.folder / "source.json", "--transcripts", "all", "--split", "valid",
        "--settings", '{"window_bp": 320, "kinds": ["donor"]}',
        "--out", tmp_path / "alignment.tsv", "--profile", tmp_path / "profile.tsv",
    ]  # fmt: skip
    succeed(*words)
    assert ALIGNMENT_SCORES.read(tmp_path / "alignment.tsv").empty
    assert list(pd.read_csv(tmp_path / "profile.tsv", sep="\t").columns) == list(PROFILE_COLUMNS)
    assert call(*words, "--kind", "donor") == 1
