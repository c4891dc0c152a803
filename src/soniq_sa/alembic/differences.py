"""In what the tables of a database differ from those of the metadata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["missing", "extra", "different"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that the database lacks, has too much, or has otherwise.

    ``object`` is what it is, as ``"column"``; ``name`` is qualified where that helps, as
    ``"soniq_jobs.queue"``; ``detail`` says what is found and wanted.
    """

    kind: Kind
    object: str
    name: str
    detail: str = ""

    def __str__(self) -> str:
        text = f"{self.kind} {self.object} {self.name}"
        return f"{text}: {self.detail}" if self.detail else text
