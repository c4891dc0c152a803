"""Numbers that the processes of one run share, without a database and without a message."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

VARIABLE = "SONIQ_BENCH_CELLS"


class Cells:
    """An array of 64-bit integers, all 0 at first, in a file that several processes map."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._numbers = memoryview(self._map).cast("q")

    @classmethod
    def from_environment(cls) -> Cells | None:
        """Return the cells that the starting process named, if it did."""
        path = os.environ.get(VARIABLE)
        return cls(Path(path)) if path else None

    def __getitem__(self, index: int) -> int:
        return int(self._numbers[index])

    def __setitem__(self, index: int, value: int) -> None:
        self._numbers[index] = value

    def __len__(self) -> int:
        return len(self._numbers)

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
