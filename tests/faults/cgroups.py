"""A control group in which the kernel kills whoever takes too much memory."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_ROOTS = {
    Path("/sys/fs/cgroup/memory"): "memory.limit_in_bytes",
    Path("/sys/fs/cgroup"): "memory.max",
}
"""Where the memory controller is, version 1 before version 2, and the file that holds its limit."""


class MemoryGroup:
    """One control group."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, pid: int) -> None:
        """Put a process under the limit."""
        (self._path / "cgroup.procs").write_text(str(pid))

    def remove(self) -> None:
        """Remove the group, once the kernel has forgotten its last process."""
        deadline = time.monotonic() + 10
        while True:
            try:
                self._path.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return


@contextmanager
def memory_group(limit: int) -> Iterator[MemoryGroup]:
    """Make a group whose processes may have ``limit`` bytes; skip the test where that is not allowed."""
    for root, file in _ROOTS.items():
        path = root / f"soniq-sa-{secrets.token_hex(4)}"
        try:
            path.mkdir()
            (path / file).write_text(str(limit))
        except OSError:
            if path.exists():
                path.rmdir()
            continue
        break
    else:
        pytest.skip("needs root, and the memory controller of cgroups")
    group = MemoryGroup(path)
    try:
        yield group
    finally:
        group.remove()
