"""Probes on pair features: columns, penalties, folds, and what hiding the variant does."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from genezip.config.tasks import EQTL
from genezip.tasks.base import Note, Predictions
from genezip.tasks.features import Moments
from genezip.tasks.pairs import probe as pair_probe
from genezip.tasks.pairs.probe import PENALTIES, Probe, design, fit_probe, predict_pairs
from genezip.training.checkpoint import discard

WIDTH = 3
FULL = [
    f"{strand}.{summary}.{allele}"
    for strand in ("forward", "reverse")
    for summary in ("last", "mean")
    for allele in ("reference", "alternative")
]


@dataclass
class Store:
    """A feature store in memory."""

    blocks: dict[str, np.ndarray]
    examples: np.ndarray

    def block(self, name: str) -> np.ndarray:
        return self.blocks[name]


def rows_and_notes(
    found: Iterable[Predictions | Note],
) -> tuple[pd.DataFrame, set[tuple[str, str, str, bool]]]:
    """Rows, and of the notes rule, split, reason and whether the value stands."""
    parts, notes = [], set()
    for each in found:
        if isinstance(each, Note):
            notes.add((each.rule, each.split, each.reason, each.value_stands))
        else:
            assert each.model is None and each.subset is None
            parts.append(pd.DataFrame(vars(each)).drop(columns=["model", "subset"]))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(), notes


def store(rows: int = 90, seed: int = 0, width: int = WIDTH) -> Store:
    random = np.random.default_rng(seed)
    blocks = {name: random.normal(size=(rows, width)).astype(np.float32) for name in FULL}
    return Store(blocks, np.arange(rows) + 1000)


def table(rows: int = 90, seed: int = 1) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "example": np.arange(rows) + 1000,
            "split": np.resize(["train", "train", "valid", "test"], rows),
            "label": random.integers(0, 2, rows).astype(np.int8),
            "gene_id": [f"ENSG{row % 30}" for row in range(rows)],
            "fold_gene": (np.arange(rows) % 30 % 3).astype(np.int8),
            "fold_chromosome": (np.arange(rows) // 30).astype(np.int8),
        }
    )


def plant(found: Store, labels: np.ndarray) -> None:
    """A signal in the difference alone: the reference hides it."""
    for strand in ("forward", "reverse"):
        reference = found.blocks[f"{strand}.mean.reference"]
        found.blocks[f"{strand}.mean.alternative"] = reference + 0.01 * (
            labels[:, None] + np.random.default_rng(5).normal(size=reference.shape) * 0.3
        ).astype(np.float32)


def predicted(found: Store, pairs: pd.DataFrame, input: str, **keys: Any) -> pd.DataFrame:
    return rows_and_notes(predict_pairs(found, pairs, input, EQTL(**keys)))[0]


def test_authors_see_the_mean_of_the_alternative_alone() -> None:
    found = store()
    seen = design(found, "authors")
    assert np.array_equal(seen.visible, found.block("forward.mean.alternative"))
    assert np.array_equal(seen.masked, found.block("forward.mean.reference"))
    assert seen.centred


def test_full_sees_both_alleles_and_their_difference_on_both_strands() -> None:
    found = store()
    seen = design(found, "full")
    assert seen.visible.shape == (90, 2 * 2 * 3 * WIDTH)
    place = 0
    for strand in ("forward", "reverse"):
        for summary in ("last", "mean"):
            reference = found.block(f"{strand}.{summary}.reference")
            alternative = found.block(f"{strand}.{summary}.alternative")
            shown, hidden = (
                np.split(array[:, place : place + 3 * WIDTH], 3, 1)
                for array in (seen.visible, seen.masked)
            )
            assert [np.array_equal(a, b) for a, b in zip(
                shown, (reference, alternative, alternative - reference), strict=True
            )] == [True] * 3  # fmt: skip
            assert [np.array_equal(a, b) for a, b in zip(
                hidden, (reference, reference, 0 * reference), strict=True
            )] == [True] * 3  # fmt: skip
            place += 3 * WIDTH


def test_contrast_sees_differences_alone_and_nothing_when_hidden() -> None:
    found = store()
    seen, full = design(found, "contrast"), design(found, "full")
    expected = np.concatenate(np.split(full.visible, 12, 1)[2::3], 1)
    assert np.array_equal(seen.visible, expected)
    assert not seen.masked.any() and seen.masked.shape == seen.visible.shape
    assert not seen.centred


def test_a_planted_difference_is_found_and_hidden_with_the_variant() -> None:
    pairs, found = table(), store()
    plant(found, pairs["label"].to_numpy())
    for input in ("full", "contrast"):
        rows = predicted(found, pairs, input)
        for _, part in rows.groupby(["rule", "fold", "split"]):
            assert roc_auc_score(part["target"], part["prediction"]) > 0.95
        test = rows[(rows["rule"] == "paper") & (rows["split"] == "test")]
        assert roc_auc_score(test["target"], test["hidden"]) < 0.8


def test_with_the_variant_hidden_contrast_scores_every_pair_the_same() -> None:
    """Also where differences have a mean: AUROC is exactly 0.5."""
    pairs, found = table(), store()
    found.blocks["forward.last.alternative"] += 4
    rows = predicted(found, pairs, "contrast")
    for _, part in rows.groupby(["rule", "fold"]):
        assert part["hidden"].nunique() == 1
        assert roc_auc_score(part["target"], part["hidden"]) == 0.5
        assert part["prediction"].nunique() == len(part)


def test_the_deposits_split_trains_once_and_writes_validation_and_test() -> None:
    pairs = table()
    rows = predicted(store(), pairs, "authors", rules=["paper"])
    assert set(rows["rule"]) == {"paper"} and set(rows["fold"]) == {-1}
    for split in ("valid", "test"):
        mine, theirs = rows[rows["split"] == split], pairs[pairs["split"] == split]
        assert mine["example"].tolist() == theirs["example"].tolist()
        assert mine["target"].tolist() == theirs["label"].tolist()
        assert mine["group"].tolist() == theirs["gene_id"].tolist()
    assert set(rows["split"]) == {"valid", "test"}


@pytest.mark.parametrize("rule", ["gene", "chromosome"])
def test_a_rule_of_folds_tests_every_pair_once(rule: str) -> None:
    pairs = table()
    rows = predicted(store(), pairs, "authors", rules=[rule])
    assert sorted(rows["example"]) == pairs["example"].tolist()
    assert set(rows["split"]) == {"test"}
    fold = pairs.set_index("example")[f"fold_{rule}"]
    assert rows["fold"].tolist() == fold[rows["example"]].tolist()


def test_test_pairs_do_not_change_the_fit() -> None:
    pairs, found = table(), store()
    before = predicted(found, pairs, "full", rules=["paper"])
    test = (pairs["split"] == "test").to_numpy()
    for block in found.blocks.values():
        block[test] *= 100
    pairs.loc[test, "label"] = 1 - pairs.loc[test, "label"]
    after = predicted(found, pairs, "full", rules=["paper"])
    valid = before["split"] == "valid"
    assert before.loc[valid, "prediction"].tolist() == after.loc[valid, "prediction"].tolist()


def by_hand(found: Store, pairs: pd.DataFrame, penalty: float) -> np.ndarray:
    """Scores of all pairs, input authors, standardised and fitted without the module."""
    x = found.block("forward.mean.alternative").astype(np.float64)
    train = (pairs["split"] == "train").to_numpy()
    x = (x - x[train].mean(0)) / x[train].std(0)
    model = LogisticRegression(C=penalty, max_iter=5000).fit(x[train], pairs["label"][train])
    return model.decision_function(x)


def test_the_penalty_is_the_strongest_of_highest_validation_auroc(
    messages: Callable[[], list[str]],
) -> None:
    pairs, found = table(), store(seed=4, width=20)
    valid = (pairs["split"] == "valid").to_numpy()
    labels = pairs["label"].to_numpy()
    scores = {c: by_hand(found, pairs, c) for c in PENALTIES}
    values = {c: round(roc_auc_score(labels[valid], s[valid]), 9) for c, s in scores.items()}
    chosen = min(c for c in PENALTIES if values[c] == max(values.values()))
    assert chosen > PENALTIES[0] and values[chosen] > values[PENALTIES[-1]]
    rows, _ = rows_and_notes(predict_pairs(found, pairs, "authors", EQTL(rules=["paper"])))
    assert messages() == [f"paper: C = {chosen:g}, validation AUROC {values[chosen]:.4f}"]
    test = rows.query("split == 'test'")
    expected = scores[chosen][(pairs["split"] == "test").to_numpy()]
    assert test["prediction"].to_numpy() == pytest.approx(expected, abs=1e-9)


def test_equal_validation_values_take_the_stronger_penalty() -> None:
    x = np.array([[-1.0], [1.0], [-2.0], [2.0]])
    y = np.array([0, 1, 0, 1])
    assert fit_probe(x, y, x, y, True).penalty == PENALTIES[0]


def test_validation_of_one_class_takes_the_default_penalty_and_says_so(
    messages: Callable[[], list[str]],
) -> None:
    pairs = table()
    pairs.loc[pairs["split"] == "valid", "label"] = 0
    rows, _ = rows_and_notes(predict_pairs(store(), pairs, "authors", EQTL(rules=["paper"])))
    assert messages() == ["paper: C = 0.01, because the validation pairs do not have both labels"]
    test = rows.query("split == 'test'")
    expected = by_hand(store(), pairs, 0.01)[(pairs["split"] == "test").to_numpy()]
    assert test["prediction"].to_numpy() == pytest.approx(expected, abs=1e-9)


def test_training_pairs_of_one_class_give_no_predictions_and_a_sentence(
    messages: Callable[[], list[str]],
) -> None:
    pairs = table()
    pairs.loc[pairs["fold_chromosome"] == 2, "label"] = 1
    rows, notes = rows_and_notes(
        predict_pairs(store(), pairs, "authors", EQTL(rules=["chromosome"]))
    )
    # fold 0 is tested, fold 1 validates, fold 2 alone trains
    assert (
        messages()[0]
        == "chromosome, fold 0: all 30 training pairs have the label 1; no predictions"
    )
    assert set(rows["fold"]) == {1, 2}
    reason = "fold 0: all 30 training pairs have the label 1"
    assert notes == {("chromosome", "test", reason, True)}


def test_a_split_without_training_pairs_says_so(messages: Callable[[], list[str]]) -> None:
    pairs = table()
    pairs["split"] = "test"
    _, notes = rows_and_notes(predict_pairs(store(), pairs, "authors", EQTL(rules=["paper"])))
    assert messages() == ["paper: there are no training pairs; no predictions"]
    assert notes == {
        ("paper", split, "there are no training pairs", False) for split in ("valid", "test")
    }


def test_channels_that_are_constant_in_training_count_for_nothing() -> None:
    random = np.random.default_rng(2)
    x, y = random.normal(size=(40, 2)), np.resize([0, 1], 40)
    x[:, 1] = 7 + 1e-9 * random.normal(size=40)  # rounding, not signal
    probe = fit_probe(x, y, x, y, True)
    other = x.copy()
    other[:, 1] = 1e6
    assert probe.score(other).tolist() == probe.score(x).tolist()
    assert np.isfinite(probe.score(other)).all()


def test_scores_do_not_saturate() -> None:
    """Probabilities of these would all round to 1."""
    x, y = np.array([[-1.0], [1.0]]), np.array([0, 1])
    probe = fit_probe(x, y, x, y, True)
    scores = probe.score(np.array([[1e6], [2e6]]))
    assert scores[1] > scores[0] > 40


def test_a_fit_that_did_not_converge_is_told(
    monkeypatch: pytest.MonkeyPatch, messages: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(pair_probe, "ITERATIONS", 1)
    list(predict_pairs(store(), table(), "full", EQTL(rules=["paper"])))
    assert messages()[0].endswith("; not converged in 1 iterations")


def test_data_without_folds_say_so(messages: Callable[[], list[str]]) -> None:
    pairs = table()
    pairs["fold_gene"] = -1
    _, notes = rows_and_notes(predict_pairs(store(), pairs, "authors", EQTL(rules=["gene"])))
    assert messages() == ["gene: the data have no folds by gene; no predictions"]
    assert notes == {("gene", "test", "the data have no folds by gene", False)}


@pytest.mark.parametrize("columns", [512, 12_000])
@pytest.mark.parametrize("n", [7, 9, 10, 101])
def test_equal_rows_have_exactly_equal_scores_wherever_they_stand(n: int, columns: int) -> None:
    random = np.random.default_rng(n)
    row, other = random.normal(size=(2, columns)).astype(np.float32)
    weights = random.normal(size=columns)
    moments = Moments(columns)
    moments.add(random.normal(size=(50, columns)))
    probe = Probe(moments.standard(), weights, 0.25, 1.0, True, 0.5)
    (alone,) = probe.score(row[None])
    rows = np.tile(row, (n, 1))
    rows[n // 2] = other
    assert set(np.delete(probe.score(rows), n // 2)) == {alone}
    assert set(np.delete(probe.score(np.asfortranarray(rows)), n // 2)) == {alone}
    slow = 0.25
    for value, centre, scale, weight in zip(
        row, probe.standard.centre, probe.standard.scale, weights, strict=True
    ):
        slow += (float(value) - centre) / scale * weight
    assert alone == pytest.approx(slow, rel=1e-9)


def test_a_gene_of_equal_pairs_is_ranked_by_nothing() -> None:
    """Labels differ, features do not: AUROC is exactly 0.5 however many pairs there are."""
    random = np.random.default_rng(1)
    rows = np.repeat(random.normal(size=(40, 300)).astype(np.float32), 9, axis=0)
    labels = np.tile(np.arange(9) % 3 == 0, 40).astype(int)
    labels[:120] = random.integers(0, 2, 120)
    probe = fit_probe(rows, labels, rows[:90], labels[:90], True)
    scores = probe.score(rows)
    assert len(np.unique(scores)) == 40
    assert roc_auc_score(labels[-9:], scores[-9:]) == 0.5


@pytest.mark.parametrize("input", ["full", "contrast"])
def test_differences_of_one_rounding_step_count_for_nothing(input: str) -> None:
    pairs, found = table(), store(width=40)
    random = np.random.default_rng(8)
    for strand in ("forward", "reverse"):
        for summary in ("last", "mean"):
            reference = found.blocks[f"{strand}.{summary}.reference"]
            step = random.integers(-1, 2, reference.shape)
            ends = np.where(step < 0, -np.inf, np.inf).astype(np.float32)
            moved = np.where(step == 0, reference, np.nextafter(reference, ends))
            found.blocks[f"{strand}.{summary}.alternative"] = moved
    seen = design(found, input)
    train = (pairs["split"] == "train").to_numpy()
    labels = pairs["label"].to_numpy()
    probe = fit_probe(
        seen.visible[train], labels[train], seen.visible[~train], labels[~train], seen.centred,
        seen.least(train),
    )  # fmt: skip
    noise = np.zeros(seen.visible.shape[1], dtype=bool)
    for columns, _ in seen.differences:
        noise[columns] = True
        assert seen.visible[:, columns].any()
    assert noise.sum() == 4 * 40 and noise.all() == (input == "contrast")
    assert np.isinf(probe.standard.scale[noise]).all()
    assert np.isfinite(probe.standard.scale[~noise]).all()
    rows = predicted(found, pairs, input, rules=["paper"])
    assert (rows["prediction"].nunique() == 1) == (input == "contrast")
    # a difference above rounding counts
    reference = found.blocks["forward.mean.reference"]
    found.blocks["forward.mean.alternative"] = reference * np.float32(1 + 1e-5)
    assert predicted(found, pairs, input, rules=["paper"])["prediction"].nunique() > 1


def test_an_interrupted_call_fits_only_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every fold is kept; probes of other features are not taken, and damage is fitted again."""
    found, pairs, settings = store(), table(), EQTL(rules=["gene"])
    fits: list[int] = []

    def counted(*arguments: Any) -> Probe:
        fits.append(len(fits))
        if len(fits) == 3:
            raise KeyboardInterrupt
        return fit_probe(*arguments)

    def rows(identity: str, work: Path | None = tmp_path) -> pd.DataFrame:
        given = {"features": identity}
        return rows_and_notes(predict_pairs(found, pairs, "full", settings, work, given))[0]

    whole = rows("a", None)
    monkeypatch.setattr(pair_probe, "fit_probe", counted)
    with pytest.raises(KeyboardInterrupt):
        rows("a")
    pd.testing.assert_frame_equal(rows("a"), whole)
    assert len(fits) == 4  # the third fold alone again
    pd.testing.assert_frame_equal(rows("a"), whole)
    assert len(fits) == 4
    rows("b")
    assert len(fits) == 7
    next(tmp_path.rglob("*.pt")).write_bytes(b"damaged")
    pd.testing.assert_frame_equal(rows("b"), whole)
    assert len(fits) == 8
    discard(tmp_path)
    assert not tmp_path.exists()
