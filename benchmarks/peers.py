"""What benchmarks compare with, and how they end: every program here uses these exit codes.

====  ===============================================================================
code  meaning
====  ===============================================================================
0     every row was compared, and every goal was met
1     a goal was missed, or two results that must be equal differ
2     the command line is wrong
3     a row was left out because something to compare with is missing, or there was no
      row at all; the last line names what is missing
====  ===============================================================================

Other people's implementations of the same mechanisms are imported where they are installed.
They are development peers (``make peers``), never needed at run time. Every function that
imports one raises ImportError with a plain reason.
"""

import importlib
import importlib.machinery
import importlib.util
import sys
import types
from dataclasses import dataclass, field
from types import ModuleType

MET, MISSED, MISSING = 0, 1, 3


@dataclass
class Outcome:
    """What a table of rows came to.

    Attributes
    ----------
    rows : number of rows that were compared with a goal
    missed : number of them that missed it
    missing : why rows were left out, each reason once
    """

    rows: int = 0
    missed: int = 0
    missing: list[str] = field(default_factory=list)

    def count(self, met: bool) -> None:
        """Remember a row."""
        self.rows += 1
        self.missed += not met

    def leave_out(self, reason: str) -> None:
        """Remember that rows could not be compared, and say why."""
        if reason not in self.missing:
            self.missing.append(reason)
            print(f"left out: {reason}", flush=True)

    def exit_status(self) -> int:
        """One of the codes above; says what is missing where that decides."""
        if self.missed:
            return MISSED
        if self.missing or not self.rows:
            reasons = "; ".join(self.missing) or "there is no row with a goal"
            print(f"not everything was compared: {reasons}", file=sys.stderr, flush=True)
            return MISSING
        return MET


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
