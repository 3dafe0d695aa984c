"""Models on the Hugging Face hub: ids such as ``owner/name``, pinned by a revision.

The client library is optional (``pip install 'genezip[hub]'``) and imported only when an id is
used. Downloaded files stay in its cache, so a second use needs no network.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from genezip.errors import GenezipError

_ID = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([\w./-]+))?", re.ASCII)


@dataclass(frozen=True)
class HubId:
    """A model repository and its branch, tag or commit (None: main)."""

    name: str
    revision: str | None = None

    @classmethod
    def parse(cls, source: str | Path, revision: str | None = None) -> Self | None:
        """Parse ``owner/name`` or ``owner/name@revision``; None for a local path.

        An existing path and every :class:`Path` is local, and has no revision.
        """
        match = None if isinstance(source, Path) else _ID.fullmatch(source)
        if match is None or Path(source).exists():
            if revision is not None:
                raise GenezipError(
                    f"a revision ({revision}) needs a hub id such as owner/name, "
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
    """Folder with the matching files of a repository, downloaded if they are not in the cache.

    The name of the folder is the commit of the revision.
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
    """Folder of a model: a local one, or a snapshot of a hub id with these files."""
    hub_id = HubId.parse(source, revision)
    return Path(source) if hub_id is None else snapshot(hub_id, files)
