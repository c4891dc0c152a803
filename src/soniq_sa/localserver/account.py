"""The system account a PostgreSQL server runs as: it refuses to run as root."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from soniq_sa.localserver.attempts import UnavailableError

UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged account that root drops to."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """Return the account to drop to, or None when this process is not root and needs none.

    Raises `UnavailableError` where root finds no unprivileged account.
    """
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise UnavailableError(
        f"PostgreSQL refuses to run as root, and none of the accounts {', '.join(UNPRIVILEGED)} exists here"
    )


def others_may_enter(folder: Path) -> bool:
    """Say whether any account reaches what is in `folder`: it and every folder above it are open to all."""
    resolved = folder.resolve()
    return all(each.stat().st_mode & stat.S_IXOTH for each in (resolved, *resolved.parents))
