"""Region classes of users, as several tests need them."""

from dataclasses import replace

from genezip.region_classes import RegionClasses, UserClass

ENHANCER = UserClass("enhancer", before="intron", label="enhancer", colour="#CC79A7")


def with_enhancer(**changes: object) -> RegionClasses:
    """The seven classes and enhancers, id 7; ``changes`` are fields of the own class."""
    return RegionClasses((replace(ENHANCER, **changes),))  # type: ignore[arg-type]
