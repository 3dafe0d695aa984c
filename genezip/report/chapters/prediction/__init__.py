"""Chapters on the prediction of what is hidden: masked bases, masked words."""
