"""The command ``soniq-sa`` in a folder of the test's own: as a process, or in this one."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from soniq_sa.cli.main import main

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


def soniq_sa_here(
    folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in this process, which is quicker; it must not import a program."""
    output, errors = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        Path(os.devnull).open() as nothing,
        redirect_stdout(output),
        redirect_stderr(errors),
    ):
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["soniq-sa", *arguments])
        patch.setattr(sys, "stdin", nothing)
        for name, value in environment.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as end:
            main()
    code = int(end.value.code or 0)
    return subprocess.CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())
