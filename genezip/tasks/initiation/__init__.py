"""Transcription initiation at single bases: the tracks of tisp and PRO-cap counts."""
