"""Tasks: questions with targets, put to every compressor in the same way.

Begin with ``base`` (what a task is) and ``run`` (the verbs: prepare, features, predict, baselines,
score, and ``measure``, which runs all of them). ``pairs``, ``windows``, ``initiation`` and
``classification`` are families of tasks; ``essentiality`` and ``variants`` score a likelihood
without any training. To add one, copy ``classification/elements.py`` (labelled
sequences) or ``pairs/task.py``, name it in :data:`REGISTRY` and
give it a section in :mod:`genezip.config`. ``genezip.tasks["eqtl"]`` is one.
"""

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import ModuleType
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
    "classification": "genezip.tasks.classification.published_sets:Classification",
    "enhancer_gene": "genezip.tasks.pairs.crispri:CRISPRi",
    "essentiality": "genezip.tasks.essentiality.task:EssentialGenes",
    "variants": "genezip.tasks.variants.task:Variants",
}
"""Class of every task, as ``module:Class``, so that only what is used is imported.

A task outside this package is named by its ``module:Class`` wherever a name of this table may
stand.
"""


class _Tasks(Mapping[str, "Task[Any]"]):
    """Mapping from names to tasks; a task is imported on access."""

    def __getitem__(self, name: str) -> "Task[Any]":
        """The task of a name of :data:`REGISTRY`, or of ``module:Class``."""
        if name not in REGISTRY and ":" not in name:
            raise GenezipError(f"{name!r} is no task here; use one of {', '.join(REGISTRY)}")
        module, _, cls = REGISTRY.get(name, name).partition(":")
        try:
            made: Task[Any] = getattr(import_module(module), cls)()
        except (ImportError, AttributeError, TypeError) as error:
            if name in REGISTRY:
                raise
            raise GenezipError(
                f"{name!r} cannot be imported ({error}); name a class as module:Class, with the "
                "folder of the module on PYTHONPATH"
            ) from None
        if not isinstance(getattr(made, "name", None), str) or not hasattr(made, "layout"):
            raise GenezipError(
                f"{name} lacks the name or the layout of a task; derive it from gz.Task"
            )
        if name not in REGISTRY and made.name in REGISTRY:
            raise GenezipError(
                f"{name} has the name {made.name} of a task here; give it another name"
            )
        return made

    def __contains__(self, name: object) -> bool:
        return name in REGISTRY or ":" in str(name)

    def __iter__(self) -> Iterator[str]:
        return iter(REGISTRY)

    def __len__(self) -> int:
        return len(REGISTRY)


TASKS = _Tasks()


class _Module(ModuleType):
    """This package, indexed and iterated like :data:`TASKS`."""

    def __getitem__(self, name: str) -> "Task[Any]":
        return TASKS[name]

    def __iter__(self) -> Iterator[str]:
        return iter(TASKS)


sys.modules[__name__].__class__ = _Module
