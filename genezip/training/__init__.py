"""Training: pretraining on a corpus, heads and fine-tuning on the examples of a task.

Begin with ``loop`` (pretraining, alone or among ``ranks``), then ``head_loop`` and ``finetune``;
``checkpoint`` holds what all three go on from after a stop. ``setup`` makes a run of files, and
``run`` says what must not change while it lasts. For a new use copy how ``head_loop`` binds its
checkpoint to the settings that decide the weights.
"""
