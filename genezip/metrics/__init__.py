"""Formulas on arrays, without files, models or tasks."""
