"""Systems that turn DNA into tokens, all with one protocol.

Begin with ``base``, which has the protocol :class:`~genezip.models.base.Compressor`;
``compressed`` has its results. :data:`REGISTRY` lists the systems and :func:`load` opens one. To
add one, copy ``fixed/``, the smallest, or ``genezip/`` for a network; ``layers/``, ``routing/``
and ``hnet/`` are the parts of networks, ``external`` has published models of other groups.
"""

import os
import re
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genezip.artifacts.manifest import Kind
from genezip.errors import GenezipError
from genezip.models.hub import HubId, known_models, local_folder, snapshot

if TYPE_CHECKING:
    from genezip.models.base import Compressor

REGISTRY = {
    "genezip": "genezip.models.genezip.compressor:GeneZip",
    "dnahnet": "genezip.models.dnahnet.compressor:DnaHNet",
    "ldarnet": "genezip.models.ldarnet.compressor:LDARNet",
    "fixed": "genezip.models.fixed.compressor:Fixed",
    "bpe": "genezip.models.bpe.compressor:BPE",
    "dnazen": "genezip.models.dnazen.compressor:DnaZen",
}
"""Class of every system, as ``module:Class``, which is imported only when it is used.

Its ``from_pretrained(folder, **options)`` opens a model folder whose ``config.json`` names the
system under ``compressor`` (``genezip`` without that key); those of ``genezip.config.NETWORKS`` are
trained by ``genezip pretrain``. A system outside this
package is named by its ``module:Class`` instead. ``device`` and ``streams`` of :func:`load` are
passed only to constructors that have these parameters.
"""

CONFIG = "config.json"
CARD = "README.md"
KIND = Kind(
    "genezip model configuration",
    version=1,
    first="name a model folder or train one",
    again="copy the folder again, train again or install the genezip that wrote it",
    version_key="format_version",
)
_CLASS = re.compile(r"[A-Za-z_]\w*(\.\w+)*:[A-Za-z_]\w*", re.ASCII)
DEVICES = ("auto", "cpu", "cuda")


def load(
    source: str | Path,
    device: str = "cpu",
    revision: str | None = None,
    *,
    streams: bool = False,
    precision: Literal["fp32", "bf16"] = "fp32",
    **options: Any,
) -> "Compressor":
    """Open a compressor of any system.

    Parameters
    ----------
    source : model folder; name of a model that comes with the package (``genezip-small``); hub id
        ``owner/name``; for a system without files its name and settings, such as ``fixed:16``; or
        the class of a system outside this package, ``module:Class``,
        which is called without arguments
    device : ``cpu``, ``cuda`` or ``auto``; used by networks only
    revision : branch, tag or commit of a hub id
    streams : whether the model must be able to stream; used only by systems that have a choice
    precision : ``bf16`` is autocast on a GPU; used by networks only, and on a CPU by none
    options : options of the system, such as ``bound`` of GeneZip; None counts as absent
    """
    given = {**options, "revision": revision}
    given = {name: value for name, value in given.items() if value is not None}
    optional = {"device": device, "streams": streams, "precision": precision}
    if device not in DEVICES:
        raise GenezipError(f"there is no device {device!r}; use cpu, cuda or auto")
    text = str(source)
    name, colon, settings = text.partition(":")
    # Path.exists raises for a name that is too long
    if colon and not os.path.exists(text):  # noqa: PTH110
        if name in REGISTRY:
            return _call(name, "from_settings", settings, given, optional)
        if _CLASS.fullmatch(text):
            return _call(text, "", None, given, optional)
    hub_id = HubId.parse(source, revision)
    if hub_id is not None:
        folder = snapshot(hub_id, [CONFIG])
        system = system_of(folder) if (folder / CONFIG).is_file() else "genezip"
        if system not in REGISTRY:  # a downloaded file must not choose which local code runs
            raise GenezipError(
                f"{hub_id} on the hub is of the compressor {system}, which is no part of genezip; "
                "download it and name the folder if you trust it"
            )
        return _call(system, "from_pretrained", source, given, optional)
    folder = local_folder(source)
    if not text or not folder.exists():
        raise GenezipError(
            f"there is no model {text!r}; name a model folder, a hub id owner/name, or a system "
            f"such as fixed:16{known_models()}"
        )
    if folder.is_file():
        raise GenezipError(f"{folder} is a file; name the model folder that holds it")
    return _call(system_of(folder), "from_pretrained", folder, given, optional)


def system_of(folder: Path) -> str:
    """Name of the system of a model folder: one of :data:`REGISTRY`, or ``module:Class``."""
    found = str(KIND.read(folder / CONFIG).get("compressor", "genezip"))
    if found not in REGISTRY and not _CLASS.fullmatch(found):
        raise GenezipError(
            f"{folder / CONFIG} is of the unknown compressor {found!r}; use one of "
            f"{', '.join(REGISTRY)}, or name its class as module:Class"
        )
    return found


def _class(name: str) -> Any:
    """The class of a system, from its name or ``module:Class``."""
    module, _, attribute = REGISTRY.get(name, name).partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0] and error.name != module:
            raise  # a package that the module imports
        raise GenezipError(
            f"the compressor {name} is no module on Python's path; add its folder to PYTHONPATH"
        ) from None
    except AttributeError:
        raise GenezipError(
            f"the compressor {name} does not exist: {module} has no class {attribute}; correct "
            "the name"
        ) from None
    if not isinstance(found, type) or not callable(getattr(found, "encode", None)):
        raise GenezipError(
            f"the compressor {name} is no class with a method encode; derive it from "
            "genezip.PlainCompressor"
        )
    return found


def _call(
    name: str, constructor: str, source: Any, options: dict[str, Any], optional: dict[str, Any]
) -> "Compressor":
    """Call a constructor with all options, and with the optional ones that it has."""
    system = _class(name)
    make = getattr(system, constructor, None) if constructor else system
    if make is None:
        raise GenezipError(f"a model of {name} needs a folder; name one in place of {name}:...")
    known = signature(make).parameters
    unknown = [option for option in options if option not in known]
    if unknown:
        raise GenezipError(f"the compressor {name} has no option {unknown[0]}; leave it out")
    options = options | {option: value for option, value in optional.items() if option in known}
    if constructor:
        made: Compressor = make(source, **options)
        return made
    needed = [one.name for one in known.values() if one.default is one.empty and one.kind < 2]
    if needed:
        raise GenezipError(
            f"the compressor {name} cannot be made without {needed[0]}; give it a default, or a "
            "model folder and from_pretrained"
        )
    found: Compressor = make(**options)
    if not isinstance(getattr(found, "name", None), str):
        raise GenezipError(f"the compressor {name} has no name; give its class one")
    return found
