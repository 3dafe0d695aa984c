"""Tracks in a browser: a local page, or one file to send to a colleague.

Begin with ``folder``: what the given folders hold. ``page`` writes the page, served or as one file;
``server`` serves it on this machine.
"""
