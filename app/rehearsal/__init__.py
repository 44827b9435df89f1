"""The rehearsal: one whole phone call with a scripted caller, live on the terminal (``make call``)."""

from app.rehearsal.performance import rehearse

__all__ = ["rehearse"]
