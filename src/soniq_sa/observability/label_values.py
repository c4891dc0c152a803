"""Keeps the number of time series bounded: a row that was inserted by SQL can carry any name."""

from __future__ import annotations

import threading
from collections import defaultdict

OTHER = "other"
"""What stands for every value that came too late."""

_LONGEST = 200
"""Characters of a value; what follows is cut off."""


class LabelValues:
    """Admit the first ``most`` values of each label, whichever metrics they are used with."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._admitted: defaultdict[str, set[str]] = defaultdict(set)
        self._turn = threading.Lock()

    def admit(self, label: str, value: str) -> str:
        """Return ``value`` as it may be used, or ``other``."""
        value = value[:_LONGEST]
        admitted = self._admitted[label]
        if value in admitted:
            return value
        with self._turn:
            if len(admitted) < self._most:
                admitted.add(value)
        return value if value in admitted else OTHER
