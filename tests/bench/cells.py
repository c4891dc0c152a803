"""Numbers that the processes of one run share, without a database and without a message."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

VARIABLE = "SONIQ_BENCH_CELLS"
SLOT = "SONIQ_BENCH_SLOT"


class Cells:
    """An array of 64-bit integers, all 0 at first, in a file that several processes map."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._numbers = memoryview(self._map).cast("q")

    @classmethod
    def from_environment(cls) -> Cells:
        """Return the cells that the starting process named; else some that nobody sees."""
        path = os.environ.get(VARIABLE)
        return cls(Path(path)) if path else cls.unshared()

    @classmethod
    def unshared(cls) -> Cells:
        """Return cells of this process alone, for a program that only registers tasks."""
        with TemporaryDirectory(prefix="soniq-bench-") as folder:
            path = Path(folder, "cells")
            path.write_bytes(bytes(8 * 16))
            return cls(path)

    def __getitem__(self, index: int) -> int:
        return int(self._numbers[index])

    def __setitem__(self, index: int, value: int) -> None:
        self._numbers[index] = value

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers.tolist())

    def close(self) -> None:
        """Let go of the file."""
        self._numbers.release()
        self._map.close()


@contextmanager
def new_cells(count: int) -> Iterator[Cells]:
    """Yield ``count`` cells in a file of their own."""
    with TemporaryDirectory(prefix="soniq-bench-") as folder:
        path = Path(folder, "cells")
        path.write_bytes(bytes(8 * count))
        cells = Cells(path)
        try:
            yield cells
        finally:
            cells.close()


class Tally:
    """What handlers do: count that they ran, each process in a cell of its own, or note when."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._slot = int(os.environ.get(SLOT, "0"))

    def count(self) -> None:
        """Count that a job ran."""
        self._cells[self._slot] += 1

    def stamp(self, job: int) -> None:
        """Note when the job with this number started."""
        self._cells[job] = time.monotonic_ns()
