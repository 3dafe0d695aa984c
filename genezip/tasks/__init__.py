"""Questions with targets that are put to every compressor in the same way.

Begin with ``base`` (what a task is) and ``run`` (the verbs: prepare, features, predict, baselines,
score, and ``measure``, all of them in one call). ``pairs``, ``windows``, ``initiation`` and
``classification`` are families of tasks. To add one, copy ``classification/task.py``, name it in
:data:`REGISTRY` and give it a section in :mod:`genezip.config`.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from genezip.errors import GenezipError

if TYPE_CHECKING:
    from genezip.tasks.base import Task

REGISTRY = {
    "cmp": "genezip.tasks.windows.contacts:CMP",
    "eqtl": "genezip.tasks.pairs.task:EQTL",
    "etgp": "genezip.tasks.pairs.task:ETGP",
    "tisp": "genezip.tasks.initiation.task:TISP",
    "rsap": "genezip.tasks.windows.activity:RSAP",
    "initiation": "genezip.tasks.initiation.procap:PROcap",
    "contacts": "genezip.tasks.windows.hic:HiC",
    "elements": "genezip.tasks.classification.elements:Elements",
    "enhancer_gene": "genezip.tasks.pairs.crispri:CRISPRi",
}
"""Class of every task, as ``module:Class``, so that only what is used is imported."""

DNALONGBENCH = ("cmp", "eqtl", "etgp", "tisp", "rsap")
LABELS = ("initiation", "contacts", "elements", "enhancer_gene")
"""Tasks with small deposits, which fit the segments of the demo genome."""


class Tasks(Mapping[str, "Task[Any]"]):
    """The tasks by name; a task is imported when it is asked for."""

    def __getitem__(self, name: str) -> "Task[Any]":
        """The task of a name.

        Raises
        ------
        GenezipError
            If there is none.
        """
        if name not in REGISTRY:
            raise GenezipError(f"{name!r} is no task here; use one of {', '.join(REGISTRY)}")
        module, _, cls = REGISTRY[name].partition(":")
        made: Task[Any] = getattr(import_module(module), cls)()
        return made

    def __contains__(self, name: object) -> bool:
        return name in REGISTRY

    def __iter__(self) -> Iterator[str]:
        return iter(REGISTRY)

    def __len__(self) -> int:
        return len(REGISTRY)


tasks = Tasks()
