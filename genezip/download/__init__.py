"""Files from public servers, or from a folder of files fetched elsewhere.

A table names the servers (:mod:`~genezip.download.catalogue`), a lock keeps what each file was
at its first download (:mod:`~genezip.download.lock`), and a store hands out files that
passed every check (:mod:`~genezip.download.store`).
"""

from genezip.errors import GenezipError


class SourceUnavailable(GenezipError):
    """A source cannot be had here and now; the next one in the list may be tried."""


class WrongFile(GenezipError):
    """A server sent another file than the table states; the next server may have the right one."""
