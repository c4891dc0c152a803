"""On what the figures were measured: enough to compare, nothing that names the machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from tests.bench.server import Server

_PACKAGES = ("soniq-sa", "SQLAlchemy", "asyncpg", "psycopg", "pydantic", "uvloop")


def describe(server: Server) -> dict[str, str]:
    """Return what is known about hardware, system, database and packages."""
    (postgresql,) = server.ask("SHOW server_version")
    memory = psutil.virtual_memory().total / 2**30
    return {
        "machine": f"{os.cpu_count()} CPUs ({_cpu()}), {memory:.0f} GiB",
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "system": f"{platform.system()} {platform.machine()}",
        "PostgreSQL": f"{postgresql}, fsync and synchronous_commit on",
        "Python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
    }


def _cpu() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
