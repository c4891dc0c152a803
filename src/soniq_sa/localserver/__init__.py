"""Find or start a PostgreSQL, for the demo and for tests."""

from soniq_sa.localserver.attempts import NoServerError
from soniq_sa.localserver.finder import Source, local_server
from soniq_sa.localserver.interrupt import ctrl_c_waits
from soniq_sa.localserver.keeper import Keeper
from soniq_sa.localserver.server import LocalServer

__all__ = [
    "Keeper",
    "LocalServer",
    "NoServerError",
    "Source",
    "ctrl_c_waits",
    "local_server",
]
