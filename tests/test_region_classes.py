"""Ids, priority, names and targets of region classes, written down by hand."""

from dataclasses import FrozenInstanceError

import pytest

from genezip.errors import GenezipError
from genezip.region_classes import GENE7, MOST_CLASSES, RegionClasses, UserClass

ENHANCER = UserClass("enhancer", "promoter", "enhancers", "#CC79A7", 8.0, "intergenic")
CTCF = UserClass("ctcf", "enhancer", "CTCF sites", "#0A0B10", None, "promoter")
NINE = RegionClasses((ENHANCER, CTCF))


def test_the_seven_are_in_the_order_of_the_paper() -> None:
    order = ("promoter", "cds", "utr", "exon", "intron", "nig", "dig")
    assert GENE7.names == GENE7.priority == order
    assert GENE7.ids == dict(zip(order, range(7), strict=True))


def test_user_classes_follow_in_id_and_precede_the_class_they_name() -> None:
    assert (NINE.names[7:], NINE.ids["enhancer"], NINE.ids["ctcf"]) == (("enhancer", "ctcf"), 7, 8)
    assert NINE.priority == ("ctcf", "enhancer", *GENE7.priority)
    before_dig = RegionClasses((UserClass("silencer", "dig", "silencers", "#000000"),))
    assert before_dig.priority == (*GENE7.priority[:-1], "silencer", "dig")


def test_labels_colours_and_groups() -> None:
    assert [NINE.labels[name] for name in ("dig", "ctcf")] == ["distal intergenic", "CTCF sites"]
    assert [NINE.colours[name] for name in ("dig", "ctcf")] == ["#4D4D4D", "#0A0B10"]
    assert NINE.item_rgb("ctcf") == "10,11,16"
    assert NINE.groups == {
        "promoter": ("promoter", "ctcf"),
        "genic": ("cds", "utr", "exon"),
        "intergenic": ("intron", "nig", "dig", "enhancer"),
    }


def test_equal_classes_are_one_key_and_never_change() -> None:
    again = RegionClasses.from_json(NINE.to_json())
    assert {NINE: 1}[again] == 1
    assert again != GENE7
    with pytest.raises(FrozenInstanceError):
        ENHANCER.name = "other"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        NINE.user_classes = ()  # type: ignore[misc]


def test_targets_are_given_or_those_of_the_user_class() -> None:
    seven = dict.fromkeys(GENE7.names, 16)
    found = NINE.complete({**seven, "ctcf": 1}, "mine.yaml")
    assert list(found.items()) == [
        *((name, 16.0) for name in seven),
        ("enhancer", 8.0),
        ("ctcf", 1),
    ]
    assert NINE.complete({**seven, "ctcf": 1, "enhancer": 4}, "mine.yaml")["enhancer"] == 4
    with pytest.raises(GenezipError, match=r"gives ctcf a target of 0\.99 bp per token"):
        NINE.complete({**seven, "ctcf": 0.99}, "mine.yaml")
    with pytest.raises(GenezipError, match="gives a target to 'ctcf', which is not a region class"):
        GENE7.complete({**seven, "ctcf": 1}, "mine.yaml")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "genic"}, "'genic' cannot name a region class"),
        ({"name": "all"}, "'all' cannot name a region class"),
        ({"name": "Enhancer"}, "'Enhancer' cannot name a region class"),
        ({"name": "enhancer"}, "'enhancer' is defined twice"),
        (
            {"before": "ctcf"},
            "before 'ctcf', which is none of promoter, .*, enhancer; name",
        ),
        ({"group": "exonic"}, "in the group 'exonic'; use one of promoter, genic, intergenic"),
    ],
)
def test_wrong_user_classes(changes: dict[str, str], sentence: str) -> None:
    wrong = UserClass(**{**vars(CTCF), **changes})
    with pytest.raises(GenezipError, match=sentence):
        RegionClasses((ENHANCER, wrong))


def test_an_id_has_six_bits() -> None:
    users = [UserClass(f"u{i}", "dig", f"u{i}", "#000000") for i in range(MOST_CLASSES - 6)]
    assert len(RegionClasses(tuple(users[:-1]))) == 64
    with pytest.raises(GenezipError, match="65 region classes; at most 64 fit"):
        RegionClasses(tuple(users))
