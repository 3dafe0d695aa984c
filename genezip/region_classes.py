"""Region classes: ids, priority, groups, display names and colours.

The seven classes, their ids and their priority follow GeneZip (arXiv 2602.17739, section 3):
a base of several classes gets the first of promoter > cds > utr > exon > intron > nig > dig.
User classes have the ids after these, so that the ids of the seven never change; in the priority
each comes just before the class that it names.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Final, Self

from genezip.errors import GenezipError

CLASSES: Final = ("promoter", "cds", "utr", "exon", "intron", "nig", "dig")
CLASS_IDS: Final = {name: index for index, name in enumerate(CLASSES)}

# Groups of the enrichment metric (Eq. 17); intron counts as intergenic there.
GROUPS: Final = {
    "promoter": ("promoter",),
    "genic": ("cds", "utr", "exon"),
    "intergenic": ("intron", "nig", "dig"),
}

# One colour per class everywhere (BED itemRgb, figures, report): Okabe-Ito, safe for
# colour-blind readers, with greys for the two intergenic classes.
COLOURS: Final = {
    "promoter": "#D55E00",
    "cds": "#0072B2",
    "utr": "#56B4E9",
    "exon": "#009E73",
    "intron": "#E69F00",
    "nig": "#999999",
    "dig": "#4D4D4D",
}
MORE_COLOURS: Final = ("#CC79A7", "#882255", "#332288", "#117733", "#AA4499", "#661100", "#DDCC77")
"""Colours of user classes, in order, for entries without one."""

UNANNOTATED: Final = "unannotated"
"""Name of the region class of all DNA of genomes without annotation, and of their gene models."""

LABELS: Final = {
    "promoter": "promoter",
    "cds": "CDS",
    "utr": "UTR",
    "exon": "non-coding exon",
    "intron": "intron",
    "nig": "near intergenic",
    "dig": "distal intergenic",
}

MOST_CLASSES = 64
"""Upper limit of region classes, since an id has six bits of a byte; the settings refuse more."""


@dataclass(frozen=True)
class UserClass:
    """A region class that the user defines by a BED file.

    Attributes
    ----------
    name : lower-case word, as in file columns and presets
    before : class that this one outranks: bases of both get this one
    label : display name in figures and tables
    target_bpt : bp per token if a region preset does not name the class; None requires one there
    group : group of the enrichment metric, or None
    """

    name: str
    before: str
    label: str
    colour: str
    target_bpt: float | None = None
    group: str | None = None


@dataclass(frozen=True)
class RegionClasses:
    """The region classes of a map, corpus or model: the seven, then those of the user."""

    user_classes: tuple[UserClass, ...] = ()

    def __post_init__(self) -> None:
        if len(self.names) > MOST_CLASSES:
            raise GenezipError(f"{len(self.names)} region classes; at most {MOST_CLASSES} fit")
        for position, found in enumerate(self.user_classes):
            if not re.fullmatch(r"[a-z][a-z0-9_]*", found.name) or found.name in (
                *GROUPS,
                "all",
                "background",
            ):
                raise GenezipError(
                    f"{found.name!r} cannot name a region class; use another lower-case word"
                )
            earlier = (*CLASSES, *(other.name for other in self.user_classes[:position]))
            if found.name in earlier:
                raise GenezipError(
                    f"the region class {found.name!r} is defined twice; give one another name"
                )
            if found.before not in earlier:
                raise GenezipError(
                    f"the region class {found.name!r} is to come before {found.before!r}, which is "
                    f"none of {', '.join(earlier)}; name one of them"
                )
            if found.group not in (None, *GROUPS):
                raise GenezipError(
                    f"the region class {found.name!r} is in the group {found.group!r}; use one of "
                    f"{', '.join(GROUPS)}, or none"
                )

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names by id."""
        return (*CLASSES, *(found.name for found in self.user_classes))

    @cached_property
    def ids(self) -> dict[str, int]:
        """Name -> id."""
        return {name: index for index, name in enumerate(self.names)}

    @cached_property
    def priority(self) -> tuple[str, ...]:
        """Names from the highest to the lowest priority; the last has all remaining bases."""
        order = list(CLASSES)
        for found in self.user_classes:
            order.insert(order.index(found.before), found.name)
        return tuple(order)

    @cached_property
    def labels(self) -> dict[str, str]:
        """Name -> display name in figures and tables."""
        return {**LABELS, **{found.name: found.label for found in self.user_classes}}

    @cached_property
    def colours(self) -> dict[str, str]:
        """Name -> ``#RRGGBB``."""
        return {**COLOURS, **{found.name: found.colour for found in self.user_classes}}

    @cached_property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Group of the enrichment metric -> its classes."""
        return {
            group: (*names, *(found.name for found in self.user_classes if found.group == group))
            for group, names in GROUPS.items()
        }

    def with_unannotated(self, target_bpt: float | None = None) -> Self:
        """These classes and :data:`UNANNOTATED`, which is in no group.

        It comes before the intergenic classes, so that only classes of the user outrank it.
        ``target_bpt`` is its target in bp per token; None takes that of ``nig``.
        """
        found = UserClass(UNANNOTATED, "nig", "unannotated", "#CCCCCC", target_bpt)
        return replace(self, user_classes=(*self.user_classes, found))

    def item_rgb(self, name: str) -> str:
        """Colour of a class as ``R,G,B`` (BED9)."""
        colour = self.colours[name]
        return ",".join(str(int(colour[position : position + 2], 16)) for position in (1, 3, 5))

    def complete(self, target_bpt: Mapping[str, float], where: str) -> dict[str, float]:
        """Targets of all classes by id: the given ones, else those that user classes define.

        DNA without annotation has the target of ``nig`` where neither states one.
        """
        unknown = [name for name in target_bpt if name not in self.ids]
        if unknown:
            raise GenezipError(
                f"{where} gives a target to {unknown[0]!r}, which is not a region class here; the "
                f"classes are {', '.join(self.names)}"
            )
        given = {user.name: user.target_bpt for user in self.user_classes if user.target_bpt}
        targets = {**given, **target_bpt}
        if UNANNOTATED in self.ids and "nig" in targets:
            targets.setdefault(UNANNOTATED, targets["nig"])
        for name in self.names:
            if name not in targets:
                raise GenezipError(
                    f"{where} gives no target to the region class {name!r}; add it under "
                    "multipliers, or target_bpt to the class"
                )
            if targets[name] < 1:
                raise GenezipError(
                    f"{where} gives {name} a target of {targets[name]:g} bp per token; a token "
                    "holds at least 1 bp"
                )
        return {name: float(targets[name]) for name in self.names}

    def to_json(self) -> list[dict[str, Any]]:
        """The user classes as plain values; an empty list for the seven alone."""
        return [asdict(found) for found in self.user_classes]

    @classmethod
    def from_json(cls, value: Iterable[Mapping[str, Any]]) -> Self:
        """Classes from the output of :meth:`to_json`."""
        return cls(tuple(UserClass(**found) for found in value))


def expected_bpt(composition: Mapping[str, float], target_bpt: Mapping[str, float]) -> float:
    """Bases per token when every region class meets its target (Eq. 13): L / sum of l_r / B_r.

    :func:`genezip.metrics.compression.expected_bpt` is the same formula on arrays.

    Parameters
    ----------
    composition : bp of every region class (a manifest's ``composition``)
    target_bpt : target bp per token of every class that has bases

    Raises
    ------
    ValueError
        If there is no base.
    """
    total = sum(composition.values())
    if not total:
        raise ValueError("a composition without bases has no expected BPT")
    return total / sum(bp / target_bpt[name] for name, bp in composition.items() if bp)


GENE7: Final = RegionClasses()
"""The seven classes of the paper alone."""


def item_rgb(name: str) -> str:
    """Colour of one of the seven classes as ``R,G,B`` (BED9)."""
    return GENE7.item_rgb(name)
