"""The disk of PostgreSQL is full, and freed again: producers are told, workers wait, all jobs run (P4).

The data lie on a small file system in memory, which only root can mount. A file fills it up.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from soniq_sa import JobHandle
from tests.faults.test_restarts import assert_sound, left_of
from tests.process import shop
from tests.process.private_server import PrivateServer, private_server_with
from tests.process.yard import Yard, until, yard_at

MOUNT, UMOUNT = shutil.which("mount") or "", shutil.which("umount") or ""
MEGABYTES = 160
SMALL = {"min_wal_size": "48MB", "max_wal_size": "64MB", "max_connections": "100"}
BALLAST = "x" * 900_000
"""Text for the arguments of a job that does not fit any more; it is compressed, and still too much."""


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder on a small file system, in which temporary folders are made from now on."""
    assert tmp_path.exists()  # the folder of the logs: made before, elsewhere
    if os.geteuid() != 0 or not MOUNT or not UMOUNT:
        pytest.skip("only root can mount a small file system")
    folder = Path(tempfile.mkdtemp(prefix="soniq-disk-", dir="/tmp"))
    options = f"size={MEGABYTES}m,mode=1777"
    mounted = subprocess.run(
        [MOUNT, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip(f"a small file system cannot be mounted: {mounted.stderr.strip()}")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    try:
        yield folder
    finally:
        subprocess.run([UMOUNT, "--lazy", str(folder)], check=True)
        folder.rmdir()


@pytest.fixture
def server_on_disk(disk: Path) -> Iterator[PrivateServer]:
    """Return a server with the shop's tables, whose data lie on the small file system."""
    with private_server_with(**SMALL) as made:
        assert made.data.is_relative_to(disk)
        yield made


@pytest.fixture
def yard_on_disk(server_on_disk: PrivateServer, tmp_path: Path) -> Iterator[Yard]:
    """Return a yard on that server; its diary and its logs lie elsewhere."""
    with yard_at(server_on_disk.url, tmp_path) as made:
        yield made


def fill(disk: Path) -> Path:
    """Fill the disk to the last byte with a file."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while file.write(b"\0" * size) == size:
                    pass
    return filler


def enqueue_until_refused(yard: Yard, handles: list[JobHandle[Any]]) -> DBAPIError:
    """Commit jobs, note each, and return the error of the first that could not be committed."""
    for number in range(2000):
        try:
            handles.append(yard.enqueue(shop.charge_without_retries))
            if number % 10 == 0:
                yard.enqueue(shop.wait, f"{number}{BALLAST}{os.urandom(50_000).hex()}")
        except DBAPIError as error:
            return error
    raise AssertionError("the disk is never full")


def test_a_full_disk_costs_nothing_but_time(
    yard_on_disk: Yard, server_on_disk: PrivateServer, disk: Path
) -> None:
    yard = yard_on_disk
    workers = [yard.worker() for _ in range(2)]
    gate = yard.gate()
    held = yard.enqueue_many(shop.charge_without_retries, 10, gate=str(gate))
    held += yard.enqueue_many(shop.wait, 10, gate=str(gate))
    for handle in held:
        yard.until_starts(handle)
    committed: list[JobHandle[Any]] = []
    filler = fill(disk)
    refused = enqueue_until_refused(yard, committed)
    assert committed
    assert refused.connection_invalidated or "No space left on device" in str(refused)
    gate.touch()
    until(
        lambda: any("No space left" in one.log or "no database" in one.log for one in workers),
        "a worker that notices",
        30,
    )
    for worker in workers:
        assert worker.popen.poll() is None
    filler.unlink()
    if not server_on_disk.is_running:  # without room for its log it panics, and cannot recover
        server_on_disk.start()
    yard.engine.dispose()
    remove_ballast(yard)
    until(lambda: left_of(yard) == 0, lambda: f"{left_of(yard)} jobs are left", 90)
    for handle in (*held[:10], *committed):
        assert len(yard.effects(handle)) == 1
    assert "dead" not in {row.state for row in yard.rows("SELECT state FROM soniq_jobs")}
    for worker in workers:
        assert_sound(worker)


def remove_ballast(yard: Yard) -> None:
    """Delete the jobs that are too big, as soon as the server answers."""

    def removed() -> bool:
        try:
            yard.rows("DELETE FROM soniq_jobs WHERE task = 'wait' AND length(args::text) > 10000")
        except psycopg.OperationalError:
            return False
        return True

    until(removed, "the server to answer", 60)
