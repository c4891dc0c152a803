"""The command ``soniq-sa`` with a person at a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

QUESTION = b"[y/N]"


def on_terminal(
    folder: Path,
    answer: str,
    *arguments: str,
    meanwhile: Callable[[], object] = lambda: None,
    **environment: str,
) -> tuple[int, str]:
    """Run the command on a terminal, and type ``answer`` once it asks.

    Returns the exit code and what is seen. ``meanwhile`` is called before the answer.
    """
    outside, inside = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "soniq_sa", *arguments],
        cwd=folder,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200", **environment},
        stdin=inside,
        stdout=inside,
        stderr=inside,
    )
    os.close(inside)
    seen = b""
    while part := _read(outside):
        seen += part
        if QUESTION in seen and answer:
            meanwhile()
            os.write(outside, answer.encode())
            answer = ""
    os.close(outside)
    return process.wait(timeout=60), seen.decode().replace("\r\n", "\n")


def _read(outside: int) -> bytes:
    try:
        return os.read(outside, 4096)
    except OSError:  # the other side is closed
        return b""
