"""Where a model is: a folder, a model that comes with the package, or one on the Hugging Face hub.

An id on the hub is ``owner/name``, pinned by a revision.

The client library is optional (``pip install 'genezip[hub]'``) and imported only when an id is
used. Downloaded files stay in its cache, so a second use needs no network.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from genezip.errors import GenezipError
from genezip.models.shipped import shipped_models

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
            f"check the name, or name a folder{known_models()}"
        ) from error
    return Path(found)


def upload(folder: Path, repo_id: str, private: bool, token: str | None, message: str) -> str:
    """Upload a model folder as one commit; return the address of the repository.

    The repository is created if it does not exist. The folder must have a model card that the hub
    can read (``README.md`` with a YAML head, or none).
    """
    try:
        from huggingface_hub import HfApi, ModelCard
        from huggingface_hub.errors import (
            HfHubHTTPError,
            HFValidationError,
            LocalTokenNotFoundError,
        )
    except ImportError:
        raise GenezipError(
            f"uploading to {repo_id} needs the package huggingface_hub; run pip install "
            "'genezip[hub]'"
        ) from None
    if HubId.parse(repo_id) != HubId(repo_id):
        raise GenezipError(f"{repo_id!r} is no repository of the hub; give owner/name")
    ModelCard.load(folder / "README.md")  # raises for a head that is no YAML
    api = HfApi(token=token)
    try:
        address = api.create_repo(repo_id, private=private, exist_ok=True)
        api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message=message)
    except LocalTokenNotFoundError:
        raise _refused(repo_id, "there is no login") from None
    except (HfHubHTTPError, HFValidationError) as error:
        raise _refused(repo_id, str(error).splitlines()[0]) from error
    except Exception as error:  # the client's errors for a broken network differ by version
        raise _refused(repo_id, type(error).__name__) from error
    return str(address)


def _refused(repo_id: str, why: str) -> GenezipError:
    return GenezipError(
        f"the hub did not take {repo_id} ({why}); check name and network, and log in with a token "
        "that may write"
    )


def local_folder(source: str | Path) -> Path:
    """A local path, or the folder of the model of that name that comes with the package.

    An existing path is preferred.
    """
    path = Path(source)
    if isinstance(source, str) and source in shipped_models() and not path.exists():
        return shipped_models()[source]
    return path


def model_folder(source: str | Path, revision: str | None, files: list[str]) -> Path:
    """Folder of a model: a local one, a shipped one, or a snapshot of a hub id with these files."""
    hub_id = HubId.parse(source, revision)
    return local_folder(source) if hub_id is None else snapshot(hub_id, files)


def known_models() -> str:
    """What can be opened by name without a network, as the end of an error message."""
    named = [f"{name} comes with genezip" for name in shipped_models()]
    if cached := cached_models():
        named.append(f"the local cache of the hub has {', '.join(cached)}")
    return f" ({'; '.join(named)})" if named else ""


def cached_models() -> list[str]:
    """Ids of the models in the local cache of the hub; none without its client library."""
    try:
        from huggingface_hub import constants, scan_cache_dir
        from huggingface_hub.errors import CacheNotFound
    except ImportError:
        return []
    try:
        found = scan_cache_dir(constants.HF_HUB_CACHE)
    except (CacheNotFound, ValueError, OSError):
        return []
    return sorted(one.repo_id for one in found.repos if one.repo_type == "model")
