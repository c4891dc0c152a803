"""What is left of a run: its processes, and its folders below a temporary folder of its own."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

PATIENCE = 30.0


def wait_until(condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Wait for a condition, at most `patience` seconds."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience:g} s for: {what}"
        time.sleep(0.05)


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of those that name the folder, or have it as temporary folder."""
    lines: list[str] = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        line = " ".join(process.info["cmdline"] or [])
        temporary = (process.info["environ"] or {}).get("TMPDIR")
        if temporary == str(folder) or str(folder) in line:
            lines.append(line)
    return lines


def wait_until_nothing_is_left(folder: Path) -> None:
    """Wait until the folder is empty and no process uses it."""
    wait_until(
        lambda: not list(folder.iterdir()) and not processes_of(folder),
        f"{folder} to be empty and unused",
    )


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder with a path that is short enough for a socket, open to a server's account."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def python(*arguments: str, temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """Run Python in a session of its own, with `temporary` as its temporary folder."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
