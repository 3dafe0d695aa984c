"""Chapters on what a network costs: operations of training, time and memory of a forward pass."""
