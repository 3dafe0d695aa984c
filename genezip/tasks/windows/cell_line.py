"""Which column of the contact maps a cell line is."""

from genezip.errors import GenezipError
from genezip.tasks.examples import Prepared


def cell_line(prepared: Prepared, official: str) -> int:
    """Index of a cell line among the maps of prepared data.

    Raises
    ------
    GenezipError
        If the data have none of that name.
    """
    tracks = list(prepared.facts["tracks"])
    if official not in tracks:
        raise GenezipError(
            f"{prepared.folder} has no maps of {official}, only of {', '.join(tracks)}; name one "
            "of those in benchmarks.cmp.subsets"
        )
    return tracks.index(official)
