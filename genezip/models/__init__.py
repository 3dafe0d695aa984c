"""Systems that turn DNA into tokens, all behind one protocol.

Begin with ``base``: :class:`~genezip.models.base.Compressor` is what every system is, and
:class:`~genezip.models.base.Compressed` what it makes of a sequence. :data:`REGISTRY` names the
systems and :func:`load` opens one. To add one, copy ``fixed/``, the smallest, or ``genezip/`` for
a network; ``layers/``, ``routing/`` and ``hnet/`` are what networks are built of, ``external`` is
for published models of other groups.
"""

from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genezip.artifacts.manifest import Kind
from genezip.errors import GenezipError
from genezip.models.hub import HubId, snapshot

if TYPE_CHECKING:
    from genezip.models.base import Compressor

REGISTRY = {
    "genezip": "genezip.models.genezip.compressor:GeneZip",
}
"""Class of every system, as ``module:class``, so that only what is used is imported.

Its ``from_pretrained(folder, **options)`` opens a model folder whose ``config.json`` names the
system under ``compressor``; a file without that key is of a network, ``genezip``. What ``load``
always says, ``device`` and ``streams``, reaches only constructors that have it.
"""

CONFIG = "config.json"
KIND = Kind(
    "genezip model configuration",
    version=1,
    first="name a model folder or train one",
    again="copy the folder again, train again or install the genezip that wrote it",
    version_key="format_version",
)


def load(
    source: str | Path,
    device: str = "cpu",
    revision: str | None = None,
    *,
    streams: bool = False,
    **options: Any,
) -> "Compressor":
    """Open a compressor of any system.

    Parameters
    ----------
    source : model folder; hub id ``owner/name``; or, for a system that needs no file, its name
        and settings, as in ``fixed:16``
    device : ``cpu``, ``cuda`` or ``auto``; a system that is no network has no use for it
    revision : branch, tag or commit of a hub id
    streams : whether sequences are to be read block by block; a system that always can, or
        never, is not asked
    options : further ones of its system, as ``bound`` of GeneZip; None counts as absent

    Raises
    ------
    GenezipError
        If nothing is there, it is of a system that is not known, or it has no such option.
    """
    given = {**options, "revision": revision}
    given = {name: value for name, value in given.items() if value is not None}
    wishes = {"device": device, "streams": streams}
    name, colon, settings = str(source).partition(":")
    if colon and name in REGISTRY and not Path(source).exists():
        return _open(name, "from_settings", settings, given, wishes)
    hub_id = HubId.parse(source, revision)
    folder = Path(source) if hub_id is None else snapshot(hub_id, [CONFIG])
    name = system_of(folder) if hub_id is None or (folder / CONFIG).is_file() else "genezip"
    where = source if hub_id is not None else folder
    return _open(name, "from_pretrained", where, given, wishes)


def system_of(folder: Path) -> str:
    """Name of the system of a model folder.

    Raises
    ------
    GenezipError
        If there is no such folder, its configuration cannot be read, or the system is not known.
    """
    found = KIND.read(folder / CONFIG).get("compressor", "genezip")
    if found not in REGISTRY:
        raise GenezipError(
            f"{folder / CONFIG} is of the compressor {found!r}, which is not known; use one of "
            f"{', '.join(REGISTRY)}, or register its class"
        )
    return str(found)


def register(name: str, where: str) -> None:
    """Add a system that lives outside this package.

    Parameters
    ----------
    name : as ``config.json`` has it under ``compressor``
    where : its class, ``module:class``

    Raises
    ------
    GenezipError
        If the name is taken by another class.
    """
    if REGISTRY.setdefault(name, where) != where:
        raise GenezipError(f"the compressor {name!r} is {REGISTRY[name]}; choose another name")


def _open(
    name: str, constructor: str, source: Any, options: dict[str, Any], wishes: dict[str, Any]
) -> "Compressor":
    """Call the constructor with all options, and with those of the wishes that it knows."""
    module, _, attribute = REGISTRY[name].partition(":")
    system = getattr(import_module(module), attribute)
    make = getattr(system, constructor, None)
    if make is None:
        raise GenezipError(f"a model of {name} needs a folder; name one in place of {name}:...")
    known = signature(make).parameters
    unknown = [option for option in options if option not in known]
    if unknown:
        raise GenezipError(f"the compressor {name} has no option {unknown[0]}; leave it out")
    wished = {option: value for option, value in wishes.items() if option in known}
    found: Compressor = make(source, **options, **wished)
    return found
