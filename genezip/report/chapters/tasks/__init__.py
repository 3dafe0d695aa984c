"""The chapters on tasks: questions with targets, put to every model and to trivial baselines."""
