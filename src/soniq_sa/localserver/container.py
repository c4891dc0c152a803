"""A server in a container, where a Docker engine answers and testcontainers is installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from soniq_sa.localserver import databases
from soniq_sa.localserver.attempts import UnavailableError
from soniq_sa.localserver.server import LocalServer

if TYPE_CHECKING:
    from testcontainers.community.postgres import PostgresContainer

IMAGE = "postgres:17-alpine"
DATABASE = "soniq"
ENGINE_TIMEOUT = 5


@contextmanager
def container_server(settings: Mapping[str, str], *, keep: bool) -> Iterator[LocalServer]:
    """Run PostgreSQL in a container that is removed at the end unless `keep` is set."""
    postgres_container = usable_container()
    from testcontainers.core.config import testcontainers_config

    # The library's reaper would remove a kept container as soon as this process ends.
    testcontainers_config.ryuk_disabled = testcontainers_config.ryuk_disabled or keep
    command = [
        "postgres",
        *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
    ]
    container = postgres_container(IMAGE, dbname=DATABASE, driver=None).with_command(command)
    container.start()
    try:
        url = container.get_connection_url()
        maintenance_url = databases.sibling(url, "postgres")
        name = container.get_wrapped_container().name
        yield LocalServer(
            url=url,
            origin=f"PostgreSQL {databases.server_version(maintenance_url)}, container {name} of {IMAGE}",
            maintenance_url=maintenance_url,
            cleanup=f"docker rm -f -v {name}",
            tcp_url=url,
        )
    finally:
        if not keep:
            container.stop()


def usable_container() -> type[PostgresContainer]:
    """Return the class of testcontainers; raise `UnavailableError` where no engine answers."""
    try:
        from testcontainers.community.postgres import PostgresContainer
        from testcontainers.core import docker_client
    except ImportError as error:
        raise UnavailableError(f"testcontainers is not installed ({error})") from error
    # The Docker package is a dependency of testcontainers, not of ours.
    no_engine = docker_client.docker.errors.DockerException  # type: ignore[attr-defined]
    try:
        docker_client.DockerClient(timeout=ENGINE_TIMEOUT).client.ping()
    except (no_engine, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise UnavailableError(f"no Docker engine answers ({reason})") from error
    return PostgresContainer
