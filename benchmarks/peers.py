"""Other people's implementations of the same mechanisms, imported where they are installed.

They are development peers (``pip install -e '.[peers]'`` and the wheel described there),
never needed at run time. Every function raises ImportError with a plain reason.
"""

import importlib
import importlib.machinery
import importlib.util
import sys
import types
from types import ModuleType


def mamba_ssm(submodule: str) -> ModuleType:
    """``mamba_ssm.<submodule>``, also where the compiled kernels are missing.

    The package's own ``__init__`` imports those kernels. Its plain Python parts need only
    the folder: an empty package stands in while they are imported, and is taken away again,
    so that nobody else mistakes it for the real one.
    """
    name = "mamba_ssm"
    if name in sys.modules:
        return importlib.import_module(f"{name}.{submodule}")
    spec = importlib.util.find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError("mamba-ssm is not installed")
    package = types.ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = package
    try:
        return importlib.import_module(f"{name}.{submodule}")
    finally:
        del sys.modules[name]


def transformers_mamba2() -> ModuleType:
    """The Mamba-2 model of transformers."""
    try:
        return importlib.import_module("transformers.models.mamba2.modeling_mamba2")
    except ImportError as error:
        raise ImportError(f"transformers cannot be imported: {error}") from error


def h_net() -> ModuleType:
    """The dynamic chunking of h-net-dynamic-chunking."""
    try:
        return importlib.import_module("h_net_dynamic_chunking")
    except ImportError as error:
        raise ImportError(f"h-net-dynamic-chunking cannot be imported: {error}") from error
