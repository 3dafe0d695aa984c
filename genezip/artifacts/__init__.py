"""Files that this program writes, each complete or absent, and reads again in later steps.

Begin with ``files`` (a file is written under a temporary name and renamed) and ``manifest``
(a :class:`~genezip.artifacts.manifest.Kind` identifies a file and refuses any other);
``tables`` and ``scores`` build on them, ``journal`` records the finished parts of a long job,
``states`` stores the tensors from which a training resumes.
To add a kind of file, copy the declaration in ``genezip/corpus/plan.py``.
"""
