"""The command ``soniq-sa`` as a process of its own, in a folder of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

APP = """
from sqlalchemy.orm import DeclarativeBase
from soniq_sa import Soniq
from soniq_sa.models import include_tables


class Base(DeclarativeBase):
    pass


include_tables(Base.metadata)
soniq = Soniq(Base.metadata)
number = 7


@soniq.job(queue="billing")
async def send_invoice(number: int) -> None:
    pass
"""


def soniq_sa(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SONIQ_SA_") and name not in {"FORCE_COLOR", "COLUMNS"}
    }
    return subprocess.run(
        [sys.executable, "-m", "soniq_sa", *arguments],
        cwd=folder,
        env={**clean, "COLUMNS": "200", "NO_COLOR": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
