"""Training: pretraining on a corpus, heads and fine-tuning on the examples of a task.

Begin with ``fit``, the one loop, and ``objectives``, what it minimises and watches; ``checkpoint``
holds what every use goes on from after a stop. ``setup`` makes a pretraining of files and a model
folder of it; ``ranks`` are the processes that share one. For a new objective copy ``NextBase``.
"""
