"""The folder of one run: data, socket and log of a server, below the system's temporary folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from soniq_sa.localserver.account import Account, others_may_enter
from soniq_sa.localserver.attempts import UnavailableError
from soniq_sa.localserver.interrupt import ctrl_c_waits
from soniq_sa.localserver.keeper import Keeper

PREFIX = "soniq-sa-"
# sun_path holds 104 bytes on macOS and 108 on Linux, the final zero included.
LONGEST_SOCKET_PATH = 103
SHORT_FOLDER = Path("/tmp")  # noqa: S108  only ever used through mkdtemp, which makes a private folder


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A fresh folder, owned by the server's account, with the keeper that removes it after a violent end."""

    path: Path
    account: Account | None
    keeper: Keeper

    @property
    def data(self) -> Path:
        """Return the folder of the server's data."""
        return self.path / "data"

    @property
    def log(self) -> Path:
        """Return the file that the server logs to."""
        return self.path / "server.log"

    def log_tail(self, lines: int = 5) -> str:
        """Return the last lines of the server's log, joined into one."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return " | ".join(text.strip().splitlines()[-lines:]) or "no output"


@contextmanager
def run_folder(account: Account | None, *, keep: bool) -> Iterator[RunFolder]:
    """Make a folder that is removed at the end, unless `keep` is set and the body ended without an error."""
    parent = _parent(account)
    keeper = Keeper()
    kept = False
    try:
        with ctrl_c_waits():
            path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            keeper.remove(path)
        if account is not None:
            os.chown(path, account.uid, account.gid)
        yield RunFolder(path, account, keeper)
        kept = keep
    finally:
        if kept:
            keeper.dismiss()
        else:
            keeper.finish()


def _parent(account: Account | None) -> Path:
    """Choose the temporary folder, or /tmp where that one is too deep for a socket or closed to the account."""
    candidates = (Path(tempfile.gettempdir()).resolve(), SHORT_FOLDER)
    for parent in candidates:
        socket = parent / f"{PREFIX}xxxxxxxx" / ".s.PGSQL.65535"
        short = len(os.fsencode(socket)) <= LONGEST_SOCKET_PATH
        if short and (account is None or others_may_enter(parent)):
            return parent
    raise UnavailableError(
        f"no usable temporary folder: {', '.join(map(str, candidates))} (too long a path, or closed)"
    )
