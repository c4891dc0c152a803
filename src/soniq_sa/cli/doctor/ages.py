"""Ages for people."""

from __future__ import annotations

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))


def age_text(seconds: float) -> str:
    """Return an age in its largest unit: ``40 s``, ``3 min``, ``26 h``, ``4 d``."""
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
