"""Verified public files, from their servers or from a folder of files fetched elsewhere.

Start with the store (:mod:`~genezip.download.store`), which returns files that passed every check.
A table lists the servers (:mod:`~genezip.download.catalogue`), and a lock records each file at its
first download (:mod:`~genezip.download.lock`). To add a file, add a row to ``sources.tsv`` in this
folder; a new kind of server is a module like :mod:`~genezip.download.dataverse`, which turns the
server's file list into items.
"""

from genezip.errors import GenezipError


class SourceUnavailable(GenezipError):
    """Raised when a source is unavailable; the next configured source may be tried."""


class WrongFile(GenezipError):
    """Raised when a server sent another file than the table lists; the next may be tried."""
