"""Training: pretraining on a corpus, heads and fine-tuning on the examples of a task.

Begin with ``fit``, the one loop, and ``objectives``, the losses and validations; ``checkpoint`` is
the state from which every training resumes. ``setup`` prepares a pretraining from files and writes
the model folder; ``ranks`` are the processes of one run. For a new objective copy ``NextBase``;
``masked`` is that of networks of both directions.
"""
