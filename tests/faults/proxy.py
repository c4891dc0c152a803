"""A TCP proxy in front of PostgreSQL that loses, holds back and cuts what a test tells it to.

    worker ──▶ judge_request(link, message) ──▶ server
           ◀── judge_answer(link, message)  ◀──

A judge looks at each message before it goes on, in the thread of the proxy, and returns a verdict; those
that several tests need are in `tests.faults.judges`. What concerns whole connections is done from outside:

    pass      what happens if nothing is said
    delay     ``proxy.delay = 0.1``: every message takes so many seconds longer
    freeze    `Proxy.freeze`: nothing goes on in either direction, and nobody is told (half-open)
    hold      the same, and `Proxy.let_go` later: all that was held back is delivered, in its order
    reset     `Proxy.reset`: both sides see the connection closed
    refuse    ``proxy.refusing = True``: no new connections
"""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from typing import Any

from sqlalchemy import URL, make_url

from tests.faults.messages import Message, Statements, Stream


class Verdict(Enum):
    """What becomes of a message."""

    PASS = auto()
    """It goes on."""
    LOSE = auto()
    """It is dropped, and the connection stays."""
    FREEZE = auto()
    """Nothing goes on any more, in both directions, and the connection stays: it is half-open."""
    RESET = auto()
    """It is dropped, and both sides see the connection closed."""


Judge = Callable[["Link", Message], Verdict]


def let_pass(_link: Link, _message: Message) -> Verdict:
    """Do nothing."""
    return Verdict.PASS


class Link:
    """One connection through the proxy.

    sqls: Every statement that the client has executed on it, in their order.
    left_by_client, left_by_server: Whether that has closed its side.
    """

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.frozen = False
        self.closed = False
        self.left_by_client = self.left_by_server = False
        self.sqls: list[str] = []
        self._held: list[tuple[asyncio.StreamWriter, bytes]] = []
        self._was_closed = asyncio.Event()
        self._statements = Statements()
        self._writers: list[asyncio.StreamWriter] = []

    def has_executed(self, part: str) -> bool:
        """Tell whether a statement with ``part`` was executed on this connection."""
        return any(part in sql for sql in self.sqls)

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry messages in both directions until one side closes."""
        self._writers.append(writer)
        server_reader, server_writer = await self.proxy.connect()
        self._writers.append(server_writer)
        pumps = [
            asyncio.create_task(self._requests(reader, writer, server_writer)),
            asyncio.create_task(self._answers(server_reader, writer)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        if self.frozen:
            await self._was_closed.wait()
        self.close()
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)

    def deliver_late(self) -> None:
        """Send to the server what a frozen connection has held back; it stays frozen."""
        server = self._writers[1]
        self.proxy.call(lambda: self._write_held(only=server))

    def let_go(self) -> None:
        """Deliver what a frozen connection has held back to both sides, and let it be one again."""
        self.frozen = False
        self._write_held()
        if self.left_by_client or self.left_by_server:
            self._was_closed.set()

    def _write_held(self, *, only: asyncio.StreamWriter | None = None) -> None:
        held, self._held = self._held, []
        for writer, raw in held:
            if only in {None, writer} and not writer.is_closing():
                writer.write(raw)

    def close(self) -> None:
        """Close both sides at once."""
        self.closed = True
        self._was_closed.set()
        for writer in self._writers:
            writer.transport.abort()

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        client: asyncio.StreamWriter,
        server: asyncio.StreamWriter,
    ) -> None:
        stream = Stream(starts_without_letter=True)
        while chunk := await self._read(reader):
            for message in stream.feed(chunk):
                if not message.kind and stream.starts_without_letter:
                    client.write(b"N")  # no encryption
                    continue
                named = self._statements.named(message)
                if named.kind in {"Q", "E"}:
                    self.sqls.append(named.sql)
                if not self._carry(server, named, self.proxy.judge_request):
                    return
        self.left_by_client = True

    async def _answers(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        stream = Stream()
        while chunk := await self._read(reader):
            for message in stream.feed(chunk):
                changed = self.proxy.change_answer(message)
                if not self._carry(client, changed, self.proxy.judge_answer):
                    return
        self.left_by_server = True

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        chunk = await reader.read(65536)
        if self.proxy.delay:
            await asyncio.sleep(self.proxy.delay)
        return chunk

    def _carry(self, writer: asyncio.StreamWriter, message: Message, judge: Judge) -> bool:
        verdict = Verdict.FREEZE if self.frozen else judge(self, message)
        match verdict:
            case Verdict.PASS if not writer.is_closing():
                writer.write(message.raw)
            case Verdict.FREEZE:
                self.frozen = True
                self._held.append((writer, message.raw))
            case Verdict.RESET:
                self.close()
                return False
        return True


class Proxy:
    """Listen on a free port of this machine, in a thread of its own.

    judge_request, judge_answer: Decide about the messages of the clients, and of the server.
    delay: Seconds that every message takes longer, in both directions.
    refusing: Whether new connections are closed at once.
    hide_backend: Tell clients a wrong process id of their backend, as a pooler in front of it does.
    """

    def __init__(self, server_url: str | URL) -> None:
        self._server = make_url(server_url)
        self.judge_request: Judge = let_pass
        self.judge_answer: Judge = let_pass
        self.delay = 0.0
        self.hide_backend = False
        self.refusing = False
        self.links: list[Link] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    @property
    def url(self) -> str:
        """Return the URL of the database through the proxy."""
        here = self._server.set(host="127.0.0.1", port=self.port, query={"sslmode": "disable"})
        return here.render_as_string(hide_password=False)

    @property
    def open_links(self) -> list[Link]:
        """Return the connections that are open."""
        return [link for link in self.links if not link.closed]

    def freeze(self, chosen: Callable[[Link], bool]) -> int:
        """Make connections half-open; return how many."""
        found = [link for link in self.open_links if chosen(link)]
        for link in found:
            link.frozen = True
        return len(found)

    def let_go(self) -> None:
        """Deliver what the frozen connections have held back, late, and let them go on."""
        self.call(lambda: self._do_with(Link.let_go, lambda link: link.frozen))

    def reset(self, chosen: Callable[[Link], bool]) -> None:
        """Close connections, so that both sides see it."""
        self.call(lambda: self._do_with(Link.close, chosen))

    def _do_with(self, action: Callable[[Link], None], chosen: Callable[[Link], bool]) -> None:
        for link in self.open_links:
            if chosen(link):
                action(link)

    def cut_everything(self) -> None:
        """Close every connection, and take no new ones."""
        self.refusing = True
        self.call(self._close_links)

    def call(self, function: Callable[[], None]) -> None:
        """Call a function in the thread of the proxy."""
        self._loop.call_soon_threadsafe(function)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the server."""
        host = self._server.query.get("host") or self._server.host or "127.0.0.1"
        port = self._server.query.get("port") or self._server.port or 5432
        if str(host).startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(str(host), int(str(port)))

    def change_answer(self, message: Message) -> Message:
        """Return an answer as the client shall see it."""
        if self.hide_backend and message.kind == "K":
            pid = int.from_bytes(message.body[:4], "big") + 100_000
            raw = message.raw[:5] + pid.to_bytes(4, "big") + message.body[4:]
            return Message("K", raw)
        return message

    def start(self) -> None:
        """Start to listen."""
        self._thread.start()
        assert self._listening.wait(10)

    def stop(self) -> None:
        """Close every connection and end the thread."""
        self._loop.call_soon_threadsafe(self._close_links)
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)
        self.links.clear()
        with warnings.catch_warnings():  # about a connection that came in at the last moment
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._stopping.wait()
        server.close()
        self.refusing = True
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            self._close_links()
            await asyncio.wait(others, timeout=0.1)
        await asyncio.sleep(0.01)  # transports close in the turns of the loop that follow

    async def _accept(self, reader: Any, writer: Any) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        link = Link(self)
        self.links.append(link)
        with suppress(OSError):
            await link.run(reader, writer)
        link.close()

    def _close_links(self) -> None:
        for link in self.links:
            link.close()


@contextmanager
def proxy_before(server_url: str | URL) -> Iterator[Proxy]:
    """Run a proxy in front of a database."""
    made = Proxy(server_url)
    made.start()
    try:
        yield made
    finally:
        made.stop()
