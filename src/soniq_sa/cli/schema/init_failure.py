"""What ends ``soniq-sa schema init`` before it has written anything."""

from __future__ import annotations

from soniq_sa.errors import SoniqError


class InitFailedError(SoniqError):
    """The message says what is in the way, and what to do next."""
