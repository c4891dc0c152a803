"""What producers, handlers and faults did: a file outside the database, one JSON object a line.

Times are those of the machine's monotonic clock, which all processes share, and which a worker's
wrong clock leaves alone.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

JOURNAL = "TEST_JOURNAL"
"""The environment variable that names the file."""


def note(what: str, **more: Any) -> None:
    """Write a line."""
    line = {"what": what, "at": time.monotonic(), "process": os.getpid(), **more}
    file = os.open(os.environ[JOURNAL], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, json.dumps(line).encode() + b"\n")
    os.close(file)


class Journal:
    """The runner's side."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.file.touch()

    def note(self, what: str, **more: Any) -> None:
        """Write a line."""
        line = {"what": what, "at": time.monotonic(), **more}
        with self.file.open("ab", buffering=0) as stream:
            stream.write(json.dumps(line).encode() + b"\n")

    def lines(self, what: str | None = None) -> list[dict[str, Any]]:
        """Return the lines so far, in their order."""
        texts = self.file.read_text().splitlines()
        found = [json.loads(text) for text in texts if what is None or f'"{what}"' in text]
        return [line for line in found if what in {None, line["what"]}]
