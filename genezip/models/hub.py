"""Models on the Hugging Face hub: ids such as ``owner/name``, pinned by a revision.

The client library is optional (``pip install 'genezip[hub]'``) and imported only when an id
is used. Whatever it downloads stays in its cache, so a second use needs no network.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from genezip.errors import GenezipError

_ID = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([\w./-]+))?", re.ASCII)


@dataclass(frozen=True)
class HubId:
    """A model repository, and the branch, tag or commit that is asked for (None: main)."""

    name: str
    revision: str | None = None

    @classmethod
    def parse(cls, source: str | Path, revision: str | None = None) -> Self | None:
        """Read ``owner/name`` or ``owner/name@revision``; None where it is a local path.

        Whatever exists locally is a path, and so is every :class:`Path`.

        Raises
        ------
        GenezipError
            If a revision is asked of a local path, or two different ones are given.
        """
        match = None if isinstance(source, Path) else _ID.fullmatch(source)
        if match is None or Path(source).exists():
            if revision is not None:
                raise GenezipError(
                    f"revision {revision} goes with a hub id such as owner/name, "
                    f"but {source} is a local path; leave the revision out"
                )
            return None
        name, written = match.groups()
        if revision is not None and written not in (None, revision):
            raise GenezipError(f"{source} and revision {revision} differ; give one revision")
        return cls(name, revision or written)

    def __str__(self) -> str:
        return self.name if self.revision is None else f"{self.name}@{self.revision}"


def snapshot(hub_id: HubId, patterns: list[str]) -> Path:
    """Folder with the files of a repository that match, downloaded where they are not cached.

    Returns
    -------
    Path
        Its name is the commit that the revision stands for.

    Raises
    ------
    GenezipError
        If the client library is missing, the repository or revision is unknown, or there is
        no connection and nothing in the cache.
    """
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
    except ImportError:
        raise GenezipError(
            f"{hub_id} does not exist here, and reading it as a hub id needs the package "
            "huggingface_hub; run pip install 'genezip[hub]' or name a folder"
        ) from None
    try:
        found = snapshot_download(hub_id.name, revision=hub_id.revision, allow_patterns=patterns)
    except RevisionNotFoundError:
        raise GenezipError(
            f"{hub_id.name} on the hub has no revision {hub_id.revision}; "
            "name a branch, a tag or a whole commit"
        ) from None
    except RepositoryNotFoundError:
        raise GenezipError(
            f"{hub_id.name} is neither a folder here nor a model on the hub that you may "
            "read; check the name, or log in"
        ) from None
    except Exception as error:  # the client's errors for a broken network differ by version
        raise GenezipError(
            f"{hub_id} is no folder here and cannot be fetched from the hub "
            f"({type(error).__name__}), nor is it in the local cache; connect to the network, "
            "check the name, or name a folder"
        ) from error
    return Path(found)


def model_folder(source: str | Path, revision: str | None, files: list[str]) -> Path:
    """Folder of a model: a local one, or that of a hub id with these files of it.

    Raises
    ------
    GenezipError
        As :meth:`HubId.parse` and :func:`snapshot`.
    """
    hub_id = HubId.parse(source, revision)
    return Path(source) if hub_id is None else snapshot(hub_id, files)
