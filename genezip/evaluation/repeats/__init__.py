"""Local bases per token in repeats: sets of repeats, their counts."""
