"""Replays: transcripts of whole calls, played through the dialogue that answers the phone.

A *script* (``script.py``) says what the caller does and what must hold; the *player* (``player.py``) plays it
through the production graph with clock, ids and model answers fixed by the script; ``report.py`` tells the
differences; ``export.py`` makes a script of a recorded call, with personal data replaced.
"""
