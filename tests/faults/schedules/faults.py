"""Every kind of fault by its name in the plan."""

from __future__ import annotations

from tests.faults.schedules import database_faults, network_faults, process_faults
from tests.faults.schedules.fault import Fault

FAULTS: dict[str, type[Fault]] = {
    "kill": process_faults.Kill,
    "pause short": process_faults.Pause,
    "pause long": process_faults.Pause,
    "terminate": process_faults.Terminate,
    "skew": process_faults.Skew,
    "poison": process_faults.Poison,
    "block": process_faults.Block,
    "restart": database_faults.Restart,
    "crash backend": database_faults.CrashBackend,
    "terminate backend": database_faults.TerminateBackend,
    "freeze": network_faults.Freeze,
    "blackhole": network_faults.Blackhole,
    "reset": network_faults.Reset,
    "refuse": network_faults.Refuse,
    "delay": network_faults.Delay,
    "hold": network_faults.Hold,
    "lose answer": network_faults.LoseAnswer,
    "cut after": network_faults.CutAfterMessages,
}
