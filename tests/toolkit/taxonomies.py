"""Region classes of users, as several tests need them."""

from dataclasses import replace

from genezip.region_classes import Taxonomy, UserClass

ENHANCER = UserClass("enhancer", before="intron", label="enhancer", colour="#CC79A7")


def with_enhancer(**changes: object) -> Taxonomy:
    """The seven classes and enhancers, id 7; ``changes`` are fields of the own class."""
    return Taxonomy((replace(ENHANCER, **changes),))  # type: ignore[arg-type]
