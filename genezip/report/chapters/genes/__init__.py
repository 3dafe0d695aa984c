"""Chapters on tokens along genes: their reading frame, and sites such as splice junctions."""
