"""Clean up after a process that may be killed at any moment.

    owner ──pipe──▶ keeper (a shell in a session of its own)
      │                 reads which process is to be ended and which folder removed
      └── ends ──▶ the pipe ends ──▶ the keeper does it

A `finally` runs neither after SIGKILL nor after a SIGTERM nobody handles. The end of a pipe is noticed in every case,
on every POSIX system, and whichever thread started whatever.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SCRIPT = """
trap '' HUP INT TERM
while read -r verb rest; do
  case $verb in
    end) process=$rest ;;
    remove) folder=$rest ;;
    dismiss) exit 0 ;;
  esac
done
[ -n "$process" ] && kill -s "${process%%:*}" "${process##*:}"
tries=0
while [ -n "$folder" ] && [ -e "$folder" ] && [ "$tries" -lt 100 ]; do
  rm -rf -- "$folder"
  tries=$((tries + 1))
  [ -e "$folder" ] && sleep 0.1
done
"""


class Keeper:
    """End one process and remove one folder as soon as this process is gone, or on `finish()`."""

    def __init__(self) -> None:
        self._shell = _start_shell()
        self._told: list[bytes] = []

    def end(self, pid: int, *, signal: str = "KILL") -> None:
        """Name the process and the signal (without SIG) to end it with; a later call replaces an earlier one."""
        self._tell(f"end {signal}:{pid}")

    def forget(self) -> None:
        """End no process: it has ended, and its number may soon be another's."""
        self._tell("end")

    def remove(self, folder: Path) -> None:
        """Name the folder to remove; a later call replaces an earlier one."""
        self._tell(f"remove {folder}")

    def finish(self) -> None:
        """Do now what would be done at this process's end, and wait for it."""
        self._close()

    def dismiss(self) -> None:
        """Leave process and folder as they are."""
        self._tell("dismiss")
        self._close()

    def _tell(self, line: str) -> None:
        if self._shell.stdin is None or self._shell.stdin.closed:
            return
        self._told.append(line.encode() + b"\n")
        try:
            self._send(self._told[-1:])
        except BrokenPipeError:  # a Ctrl-C has met the shell before it was in its own session
            self._close()
            self._shell = _start_shell()
            self._send(self._told)

    def _send(self, lines: list[bytes]) -> None:
        if self._shell.stdin is not None:
            os.write(self._shell.stdin.fileno(), b"".join(lines))

    def _close(self) -> None:
        if self._shell.stdin is not None:
            self._shell.stdin.close()
        self._shell.wait()


def _start_shell() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", SCRIPT, "soniq-sa-keeper"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )
