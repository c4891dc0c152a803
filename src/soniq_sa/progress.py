"""How far a running job is, as its handler says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from soniq_sa.errors import OptionError

LONGEST_NOTE = 1000
"""Characters; a longer note is cut in the middle."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What the handler of a job last said with ``ctx.progress``.

    done: How much is done, in whatever the handler counts.
    total: How much there is to do; None if the handler did not say.
    note: A word for people; None if there is none.
    at: When it was written, by the database's clock.
    """

    done: float
    total: float | None
    note: str | None
    at: datetime

    @property
    def fraction(self) -> float | None:
        """Return ``done / total``; None without a total, or with one of 0."""
        return self.done / self.total if self.total else None


def check_amount(name: str, value: object) -> float:
    """Return ``value`` as a float; refuse what is not a finite number from 0."""
    try:
        amount = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        amount = math.inf
    if not math.isfinite(amount) or amount < 0:
        raise OptionError(f"ctx.progress(): {name}={value!r} is not a number from 0.")
    return amount
