"""Public files, verified: from their servers, or from a folder of files fetched elsewhere.

A table names the servers (:mod:`~genezip.download.catalogue`), a lock keeps what each file was
at its first download (:mod:`~genezip.download.lock`), and a store hands out files that passed
every check (:mod:`~genezip.download.store`): start reading there. A new file is a new row of
``sources.tsv`` beside this file; a new kind of server is a module like
:mod:`~genezip.download.dataverse`, which makes items of what the server lists.
"""

from genezip.errors import GenezipError


class SourceUnavailable(GenezipError):
    """Raised when a source is unavailable; the next configured source may be tried."""


class WrongFile(GenezipError):
    """Raised when a server sent another file than the table states; the next server may do."""
