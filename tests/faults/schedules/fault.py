"""The shape of a fault: something that begins, and mostly something that ends."""

from __future__ import annotations

from abc import ABC, abstractmethod

from tests.faults.proxy import Proxy
from tests.faults.schedules.plan import Planned
from tests.faults.schedules.stage import Seat, Stage


class NotHere(Exception):  # noqa: N818 - a state, not an error
    """This machine lacks what the fault needs."""


class Fault(ABC):
    """One planned fault on a stage."""

    def __init__(self, stage: Stage, planned: Planned) -> None:
        self.stage = stage
        self.planned = planned

    @property
    def seat(self) -> Seat:
        """Return the seat that the fault is about."""
        return self.stage.seats[self.planned.seat]

    @property
    def proxy(self) -> Proxy:
        """Return the proxy that the fault is about."""
        return self.stage.proxies[self.planned.seat]

    @abstractmethod
    def begin(self) -> None:
        """Begin; raise `NotHere` if that cannot be done on this machine."""

    def end(self) -> None:  # noqa: B027 - many are over when they have begun
        """End, so that what was disturbed can recover."""
