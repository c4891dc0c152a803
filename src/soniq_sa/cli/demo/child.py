"""A process of the demo: its log, and its end.

It has a session of its own, so that Ctrl-C in a terminal reaches the demo alone, which then ends it. Should the demo
itself be killed, the keeper ends it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from soniq_sa.cli.demo.failure import DemoFailedError
from soniq_sa.localserver import Keeper, ctrl_c_waits

LOG_LINES = 15
STOP_TIMEOUT = 15.0


class Child:
    """One process of the demo, and the file that it logs to."""

    def __init__(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str], folder: Path
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.ended_on_purpose = False
        self._keeper = Keeper()
        with self.log.open("ab") as log, ctrl_c_waits():
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env=dict(environment),
                start_new_session=True,
            )
            self._keeper.end(self.pid)

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Say whether the process runs."""
        return self._process.poll() is None

    def log_text(self) -> str:
        """Return everything that was logged so far."""
        return self.log.read_text(errors="replace")

    def require_running(self) -> None:
        """Raise `DemoFailedError` with the end of the log if the process has ended."""
        if not self.running:
            raise self.failure(f"{self.name} ended with status {self._process.returncode}")

    def failure(self, what: str) -> DemoFailedError:
        """Return an error that shows the end of the log."""
        tail = "\n".join(f"  {line}" for line in self.log_text().splitlines()[-LOG_LINES:])
        return DemoFailedError(f"{what}. The end of {self.log}:\n{tail or '  (empty)'}")

    def wait(self, timeout: float) -> None:
        """Wait for the process to end by itself; raise `DemoFailedError` unless its status is 0."""
        self.ended_on_purpose = True
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise self.failure(f"{self.name} did not end within {timeout:g} s") from None
        if status != 0:
            raise self.failure(f"{self.name} ended with status {status}")

    def signal(self, number: int) -> None:
        """Send a signal to the process."""
        self._process.send_signal(number)

    def terminate(self) -> None:
        """Ask the process to end, as a process manager does."""
        self.ended_on_purpose = True
        self._process.terminate()

    def kill(self) -> None:
        """Kill the process and wait for its end."""
        self.ended_on_purpose = True
        self._process.kill()
        self._process.wait()
        self._keeper.dismiss()

    def wait_or_kill(self) -> None:
        """Wait until the process has ended, and kill it if that takes too long."""
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
        self._keeper.dismiss()
