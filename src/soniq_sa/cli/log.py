"""What the processes of a worker write to stderr."""

from __future__ import annotations

import logging


def log_to_stderr(level: str, *, several: bool) -> None:
    """Log this level and all above it; with the process id, if there are several workers."""
    name = "%(name)s[%(process)d]" if several else "%(name)s"
    logging.basicConfig(
        level=level.upper(), format=f"%(asctime)s %(levelname)-7s {name}: %(message)s"
    )
    for noisy in ("asyncio", "sqlalchemy"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
