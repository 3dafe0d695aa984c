"""Files that this program writes: whole or not at all, and open to every later step.

Begin with ``files`` (a file is written under another name and renamed) and ``manifest``
(a :class:`~genezip.artifacts.manifest.Kind` says what a file is and refuses another one);
``tables`` and ``scores`` build on them, ``journal`` remembers the finished parts of a long job,
``states`` holds the tensors that a training goes on from.
For a new kind of file copy how ``genezip/corpus/plan.py`` declares its own.
"""
